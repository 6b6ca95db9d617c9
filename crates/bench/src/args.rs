//! `--name value` arguments.

use std::fmt;
use std::str::FromStr;

/// What a program was told.
#[derive(Clone, Debug, Default)]
pub struct Args(Vec<(String, String)>);

/// An argument that a program does not understand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadArg(String);

impl fmt::Display for BadArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadArg {}

impl Args {
    /// Reads pairs of `--name value`; only the names in `known` may occur.
    ///
    /// # Errors
    /// A name without value, or one that is not known.
    pub fn read(words: impl IntoIterator<Item = String>, known: &[&str]) -> Result<Args, BadArg> {
        let mut words = words.into_iter();
        let mut pairs = Vec::new();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").filter(|n| known.contains(n));
            let name = name.ok_or_else(|| {
                BadArg(format!("{word}: unknown; arguments are --{}", known.join(" N --") + " N"))
            })?;
            let value = words.next().ok_or_else(|| BadArg(format!("{word}: its value is missing")))?;
            pairs.push((name.to_owned(), value));
        }
        Ok(Args(pairs))
    }

    /// The value of `name`, or `default`.
    ///
    /// # Errors
    /// It is there but not a `T`.
    pub fn get<T: FromStr>(&self, name: &str, default: T) -> Result<T, BadArg> {
        match self.0.iter().rev().find(|(n, _)| n == name) {
            Some((_, value)) => {
                value.parse().map_err(|_| BadArg(format!("--{name} {value}: not a valid value")))
            }
            None => Ok(default),
        }
    }
}

#[cfg(test)]
mod tests;
