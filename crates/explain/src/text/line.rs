//! One line under construction: knows its width, paints if colours are on, ends without spaces.

use alloc::format;
use alloc::string::String;

use crate::width;

/// How a piece of a line looks, besides its characters.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Style {
    Plain,
    Bold,
    Dim,
    Inverse,
    Syn,
    Fin,
    Rst,
    Data,
    Ack,
    Lost,
    Again,
    Network,
    Probe,
}

impl Style {
    /// The parameters of the escape sequence: the Okabe-Ito palette's nearest in the 256-colour set.
    const fn sgr(self) -> &'static str {
        match self {
            Style::Plain => "",
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Inverse => "7",
            Style::Syn => "38;5;32",
            Style::Fin => "38;5;214",
            Style::Rst | Style::Lost => "38;5;166",
            Style::Data => "38;5;36",
            Style::Ack => "38;5;245",
            Style::Again => "38;5;227",
            Style::Network => "38;5;175",
            Style::Probe => "38;5;74",
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Line {
    text: String,
    width: usize,
    /// Spaces that are owed, written only when something follows.
    owed: usize,
    color: bool,
}

impl Line {
    pub(crate) fn new(color: bool) -> Line {
        Line { text: String::new(), width: 0, owed: 0, color }
    }

    /// Makes the next piece begin at this column, counted from 0; does nothing if the line is there already.
    pub(crate) fn pad_to(&mut self, column: usize) {
        let missing = column.saturating_sub(self.width);
        self.owed += missing;
        self.width += missing;
    }

    pub(crate) fn put(&mut self, text: &str, style: Style) {
        let body = text.trim_end_matches(' ');
        if !body.is_empty() {
            self.text.extend(core::iter::repeat_n(' ', self.owed));
            self.owed = 0;
            match style.sgr() {
                sgr if self.color && !sgr.is_empty() => {
                    self.text.push_str(&format!("\x1b[{sgr}m{body}\x1b[0m"))
                }
                _ => self.text.push_str(body),
            }
        }
        // All spaces are one column and one octet.
        self.owed += text.len() - body.len();
        self.width += width::of(text);
    }

    pub(crate) fn put_char(&mut self, c: char, style: Style) {
        self.put(c.encode_utf8(&mut [0; 4]), style);
    }

    pub(crate) fn put_all(&mut self, pieces: &[(String, Style)]) {
        for (text, style) in pieces {
            self.put(text, *style);
        }
    }

    /// Puts a text that ends before this column.
    pub(crate) fn put_right(&mut self, text: &str, column: usize, style: Style) {
        if !text.is_empty() {
            self.pad_to(column.saturating_sub(width::of(text)));
            self.put(text, style);
        }
    }

    /// Writes the line and its end.
    pub(crate) fn end(self, out: &mut String) {
        out.push_str(&self.text);
        out.push('\n');
    }
}
