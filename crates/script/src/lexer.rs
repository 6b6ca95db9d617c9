//! Text to tokens. Tokens know where they stand, so the parser can look at the text itself where the language depends on
//! it: addresses, flags and notes in parentheses.

use crate::ast::ParseError;

/// One token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tok {
    /// A whole number without sign.
    Int(i64),
    /// Seconds with a fraction, as whole microseconds.
    Fraction(i64),
    /// `0x...`
    Hex(i64),
    /// Letters, digits and underscores.
    Word(String),
    /// `"..."`, escapes as they stand.
    Text(String),
    /// Between backticks.
    Command(String),
    /// Between `%{` and `}%`.
    Code(String),
    /// `--name`
    Option(String),
    /// `...`
    Ellipsis,
    /// Any other character.
    Char(char),
}

/// A token and its place.
#[derive(Clone, Debug)]
pub struct Token {
    /// What.
    pub tok: Tok,
    /// Line, from 1.
    pub line: u32,
    /// Offset of its first octet.
    pub start: usize,
    /// Offset behind its last octet.
    pub end: usize,
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    file: &'a str,
}

/// Cuts a script into tokens; comments and blanks go.
///
/// # Errors
/// Something is opened and never closed, or a number is too large.
pub fn lex(text: &str, file: &str) -> Result<Vec<Token>, ParseError> {
    let mut lexer = Lexer { text, at: 0, line: 1, file };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next()? {
        tokens.push(token);
    }
    Ok(tokens)
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest().chars().nth(ahead)
    }

    fn advance(&mut self, octets: usize) -> &'a str {
        let passed = self.rest().get(..octets).unwrap_or(self.rest());
        self.line += passed.matches('\n').count() as u32;
        self.at += passed.len();
        passed
    }

    fn error(&self, line: u32, message: &str) -> ParseError {
        ParseError { file: self.file.into(), line, message: message.into() }
    }

    fn skip_blanks(&mut self) -> Result<(), ParseError> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            if blank > 0 {
                self.advance(blank);
            } else if rest.starts_with("//") || rest.starts_with('#') && self.starts_line() {
                self.advance(rest.find('\n').unwrap_or(rest.len()));
            } else if rest.starts_with("/*") {
                let line = self.line;
                let end = rest.find("*/").ok_or_else(|| self.error(line, "comment without end"))?;
                self.advance(end + 2);
            } else {
                return Ok(());
            }
        }
    }

    /// Only blanks stand before this place in its line.
    fn starts_line(&self) -> bool {
        let before = self.text.get(..self.at).unwrap_or_default();
        before.rsplit('\n').next().is_none_or(|s| s.trim().is_empty())
    }

    fn next(&mut self) -> Result<Option<Token>, ParseError> {
        self.skip_blanks()?;
        let (line, start) = (self.line, self.at);
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(None) };
        let tok = match first {
            '"' => Tok::Text(self.delimited('"', line)?),
            '`' => Tok::Command(self.delimited('`', line)?),
            '%' if rest.starts_with("%{") => {
                let end = rest.find("}%").ok_or_else(|| self.error(line, "%{ without }%"))?;
                let code = rest.get(2..end).unwrap_or_default().to_string();
                self.advance(end + 2);
                Tok::Code(code)
            }
            '.' if rest.starts_with("...") => {
                self.advance(3);
                Tok::Ellipsis
            }
            '.' if self.peek(1).is_some_and(|c| c.is_ascii_digit()) => self.number(line)?,
            '-' if rest.starts_with("--")
                && self.peek(2).is_some_and(|c| c.is_ascii_alphabetic() || c == '_') =>
            {
                self.advance(2);
                Tok::Option(self.word())
            }
            c if c.is_ascii_digit() => self.number(line)?,
            c if c.is_alphabetic() || c == '_' => Tok::Word(self.word()),
            c => {
                self.advance(c.len_utf8());
                Tok::Char(c)
            }
        };
        Ok(Some(Token { tok, line, start, end: self.at }))
    }

    fn word(&mut self) -> String {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        self.advance(end).to_string()
    }

    fn delimited(&mut self, mark: char, line: u32) -> Result<String, ParseError> {
        let mut escaped = false;
        for (i, c) in self.rest().char_indices().skip(1) {
            if c == mark && !escaped {
                let inside = self.rest().get(1..i).unwrap_or_default().to_string();
                self.advance(i + 1);
                return Ok(inside);
            }
            escaped = c == '\\' && !escaped;
        }
        Err(self.error(line, &format!("{mark} without end")))
    }

    /// `12`, `0x1f`, `0.25`, `.25`; letters behind digits make it a word (a cookie in hexadecimal).
    fn number(&mut self, line: u32) -> Result<Tok, ParseError> {
        let rest = self.rest();
        let too_large = || self.error(line, "number too large");
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let behind = rest.get(digits..).unwrap_or_default();
        if behind.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let word = rest.get(..end).unwrap_or_default();
            let tok = match word.strip_prefix("0x").map(|h| i64::from_str_radix(h, 16)) {
                Some(Ok(value)) => Tok::Hex(value),
                _ => Tok::Word(word.to_string()),
            };
            self.advance(end);
            return Ok(tok);
        }
        let whole = rest.get(..digits).unwrap_or_default();
        let fraction = behind.strip_prefix('.').map(|f| {
            let n = f.find(|c: char| !c.is_ascii_digit()).unwrap_or(f.len());
            f.get(..n).unwrap_or_default()
        });
        let whole = if whole.is_empty() { 0 } else { whole.parse::<i64>().map_err(|_| too_large())? };
        match fraction {
            Some(f) if !f.is_empty() => {
                let micros = whole.checked_mul(1_000_000).ok_or_else(too_large)?;
                let part: i64 = f
                    .chars()
                    .chain("000000".chars())
                    .take(6)
                    .fold(0, |n, c| n * 10 + i64::from(c as u8 - b'0'));
                self.advance(digits + 1 + f.len());
                Ok(Tok::Fraction(micros + part))
            }
            _ => {
                self.advance(digits);
                Ok(Tok::Int(whole))
            }
        }
    }
}

#[cfg(test)]
mod tests;
