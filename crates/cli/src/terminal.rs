//! How output looks: what the user asked for, and what the terminal and the locale allow.

use std::env;
use std::io::{self, IsTerminal, Write};

use clap::{Args, ValueEnum};
use synfin_explain::{Color, Glyphs, Lang, Options, Words};

use crate::error::Failure;

/// Columns when the output is no terminal.
const COLUMNS: u16 = 80;
/// From here on words stand beside the rows; more columns than this only spread them.
const MOST_COLUMNS: u16 = 160;

/// Options for the ladder.
#[derive(Args, Clone, Debug)]
#[group(skip)]
#[command(next_help_heading = "Display")]
pub struct View {
    /// Language of the words [default: the locale's]
    #[arg(long, value_enum, value_name = "LANG")]
    lang: Option<LangArg>,
    /// Width, 60 to 500; from 120 on words stand beside [default: the terminal's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(60..=500))]
    columns: Option<u16>,
    /// Draw with ASCII only; the default where the locale is not UTF-8
    #[arg(long)]
    ascii: bool,
    /// Colours; auto: on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = ColorArg::Auto)]
    color: ColorArg,
    /// How much is said [default: full below the rows, short beside them]
    #[arg(long, value_enum, value_name = "HOW")]
    words: Option<WordsArg>,
}

#[derive(Copy, Clone, Debug, ValueEnum)]
enum LangArg {
    En,
    Zh,
}

#[derive(Copy, Clone, Debug, ValueEnum)]
enum ColorArg {
    Auto,
    Always,
    Never,
}

#[derive(Copy, Clone, Debug, ValueEnum)]
enum WordsArg {
    Off,
    Short,
    Full,
}

impl View {
    /// The ladder's options for output to `stream`.
    pub fn options(&self, stream: &impl IsTerminal) -> Options {
        let locale = Locale::from_env();
        let terminal = stream.is_terminal();
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let no_color = env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
        let color = match self.color {
            ColorArg::Always => true,
            ColorArg::Never => false,
            ColorArg::Auto => terminal && !dumb && !no_color,
        };
        let columns = self.columns.unwrap_or_else(|| match terminal_size::terminal_size() {
            Some((width, _)) if terminal => width.0.min(MOST_COLUMNS),
            _ => COLUMNS,
        });
        Options {
            lang: self.lang(),
            glyphs: if self.ascii || dumb || !locale.utf8 { Glyphs::Ascii } else { Glyphs::Unicode },
            color: if color { Color::On } else { Color::Off },
            columns,
            words: match self.words {
                None => Words::Auto,
                Some(WordsArg::Off) => Words::Off,
                Some(WordsArg::Short) => Words::Short,
                Some(WordsArg::Full) => Words::Full,
            },
            ..Options::default()
        }
    }

    /// The language.
    pub fn lang(&self) -> Lang {
        match self.lang {
            Some(LangArg::En) => Lang::En,
            Some(LangArg::Zh) => Lang::Zh,
            None => Locale::from_env().lang,
        }
    }
}

/// What the locale says (POSIX: LC_ALL, then the category, then LANG; the first that is not empty).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Locale {
    lang: Lang,
    utf8: bool,
}

impl Locale {
    fn from_env() -> Locale {
        Locale::new(|name| env::var(name).ok())
    }

    fn new(var: impl Fn(&str) -> Option<String>) -> Locale {
        let of = |category: &str| {
            ["LC_ALL", category, "LANG"]
                .into_iter()
                .filter_map(&var)
                .find(|value| !value.is_empty())
                .unwrap_or_default()
                .to_ascii_lowercase()
        };
        let charset = of("LC_CTYPE");
        Locale {
            lang: if of("LC_MESSAGES").starts_with("zh") { Lang::Zh } else { Lang::En },
            utf8: charset.contains("utf-8") || charset.contains("utf8"),
        }
    }
}

/// Writes to standard output at once.
pub fn say(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::output)
}

#[cfg(test)]
mod tests;
