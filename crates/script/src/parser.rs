//! Tokens to a script: times, options, commands, calls. Packets are read by [`packet`].

use std::collections::BTreeMap;

use crate::ast::{Call, Event, Expr, Field, OptionLine, ParseError, Script, What, When};
use crate::lexer::{Tok, Token, lex};

mod packet;

/// Names with values that a script's words are replaced by, as with `-D NAME=value`.
pub type Defines = BTreeMap<String, String>;

/// Reads a script.
///
/// # Errors
/// The text is not in the language; the error names the line.
pub fn parse(text: &str, file: &str) -> Result<Script, ParseError> {
    parse_with(text, file, &Defines::new())
}

/// As [`parse`], with definitions.
///
/// # Errors
/// The text is not in the language; the error names the line.
pub fn parse_with(text: &str, file: &str, defines: &Defines) -> Result<Script, ParseError> {
    let tokens = lex(text, file)?;
    let mut parser = Parser { text, file, tokens, at: 0, defines, depth: 0 };
    let mut script = Script { file: file.into(), differs: differs(text), ..Script::default() };
    while let Some(token) = parser.peek().cloned() {
        match token.tok {
            Tok::Option(name) => {
                parser.at += 1;
                let value = parser.option_value(token.end);
                script.options.push(OptionLine { line: token.line, name, value });
            }
            _ => script.events.push(parser.event()?),
        }
    }
    Ok(script)
}

/// The reason in a comment line `// linux differs: reason`.
fn differs(text: &str) -> Option<String> {
    let comments = text.lines().filter_map(|line| line.trim().strip_prefix("//"));
    let mut reasons = comments.filter_map(|c| c.trim().strip_prefix("linux differs:"));
    reasons.next().map(|reason| reason.trim().to_string())
}

pub(crate) struct Parser<'a> {
    text: &'a str,
    file: &'a str,
    tokens: Vec<Token>,
    at: usize,
    defines: &'a Defines,
    /// Brackets open around the place.
    depth: u32,
}

/// Brackets nested deeper than this are no argument of a call.
const DEEPEST: u32 = 32;

type Parsed<T> = Result<T, ParseError>;

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn peek_at(&self, ahead: usize) -> Option<&Tok> {
        self.tokens.get(self.at + ahead).map(|t| &t.tok)
    }

    fn line(&self) -> u32 {
        self.peek().or(self.tokens.last()).map_or(1, |t| t.line)
    }

    fn offset(&self) -> usize {
        self.peek().map_or(self.text.len(), |t| t.start)
    }

    fn error<T>(&self, message: impl Into<String>) -> Parsed<T> {
        Err(ParseError { file: self.file.into(), line: self.line(), message: message.into() })
    }

    fn found(&self) -> String {
        match self.peek() {
            Some(t) => format!("'{}'", self.text.get(t.start..t.end).unwrap_or_default()),
            None => "the end of the script".into(),
        }
    }

    fn expected<T>(&self, what: &str) -> Parsed<T> {
        self.error(format!("{what} expected, {} found", self.found()))
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn is_char(&self, c: char) -> bool {
        self.peek().is_some_and(|t| t.tok == Tok::Char(c))
    }

    fn take_char(&mut self, c: char) -> bool {
        let there = self.is_char(c);
        self.at += usize::from(there);
        there
    }

    fn need_char(&mut self, c: char) -> Parsed<()> {
        if self.take_char(c) { Ok(()) } else { self.expected(&format!("'{c}'")) }
    }

    fn is_word(&self, word: &str) -> bool {
        self.peek().is_some_and(|t| matches!(&t.tok, Tok::Word(w) if w == word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let there = self.is_word(word);
        self.at += usize::from(there);
        there
    }

    /// A number that may be negative.
    fn int(&mut self) -> Parsed<i64> {
        let negative = self.take_char('-');
        match self.peek().map(|t| t.tok.clone()) {
            Some(Tok::Int(n) | Tok::Hex(n)) => {
                self.at += 1;
                Ok(if negative { -n } else { n })
            }
            _ => self.expected("number"),
        }
    }

    /// A number of a narrower type.
    fn number<T: TryFrom<i64>>(&mut self, what: &str) -> Parsed<T> {
        let n = self.int()?;
        match T::try_from(n) {
            Ok(n) => Ok(n),
            Err(_) => self.error(format!("{what} out of range: {n}")),
        }
    }

    /// Goes on with the first token at or behind this offset of the text.
    fn resume_at(&mut self, offset: usize) {
        while self.peek().is_some_and(|t| t.start < offset) {
            self.at += 1;
        }
    }

    /// `=value` behind `--name`: to the next blank, or a text in quotes.
    fn option_value(&mut self, name_end: usize) -> String {
        let Some(rest) = self.text.get(name_end..).and_then(|r| r.strip_prefix('=')) else {
            return String::new();
        };
        let quoted = rest.strip_prefix('"').and_then(|r| r.split_once('"')).map(|(inside, _)| inside);
        let value = quoted.unwrap_or_else(|| rest.split_whitespace().next().unwrap_or_default());
        let marks = if quoted.is_some() { 2 } else { 0 };
        self.resume_at(name_end + 1 + value.len() + marks);
        value.to_string()
    }

    fn event(&mut self) -> Parsed<Event> {
        let (line, start) = (self.line(), self.offset());
        if let Some(Tok::Command(text)) = self.peek().map(|t| t.tok.clone()) {
            self.at += 1;
            let when = When::Relative(0);
            return Ok(Event {
                line,
                text: self.source(start),
                when,
                until: None,
                what: What::Command(text),
            });
        }
        let (when, until) = self.time()?;
        let what = match self.peek().map(|t| t.tok.clone()) {
            Some(Tok::Command(text)) => {
                self.at += 1;
                What::Command(text)
            }
            Some(Tok::Code(text)) => {
                self.at += 1;
                What::Code(text)
            }
            Some(Tok::Char('<' | '>')) => What::Packet(self.packet()?),
            Some(Tok::Word(_)) => What::Call(self.call()?),
            _ => return self.expected("packet, call, command or code"),
        };
        if until.is_some() && !matches!(what, What::Call(_)) {
            return self.error("only a call can last");
        }
        let ranged = matches!(when, When::AbsoluteRange(..) | When::RelativeRange(..) | When::Any);
        let outgoing = matches!(&what, What::Packet(p) if p.dir == crate::ast::Direction::Out);
        if ranged && !outgoing {
            return self.error("only an outgoing packet can have an uncertain time");
        }
        Ok(Event { line, text: self.source(start), when, until, what })
    }

    /// The text from `start` to the end of the last token, blanks collapsed.
    fn source(&self, start: usize) -> String {
        let end = self.at.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(start, |t| t.end);
        let text = self.text.get(start..end).unwrap_or_default();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// `1.5`, `+.1`, `*`, `1~2`, `+0~+.1`, and `0...0.3` for calls that block.
    fn time(&mut self) -> Parsed<(When, Option<i64>)> {
        if self.take_char('*') {
            return Ok((When::Any, None));
        }
        let relative = self.take_char('+');
        let from = self.seconds()?;
        if self.peek().is_some_and(|t| t.tok == Tok::Ellipsis) {
            self.at += 1;
            let plus = self.take_char('+');
            let until = self.seconds()?;
            if plus && !relative || until < from {
                return self.error("a call cannot return before it begins");
            }
            let when = if relative { When::Relative(from) } else { When::Absolute(from) };
            return Ok((when, Some(until)));
        }
        if self.take_char('~') {
            if self.take_char('+') != relative {
                return self.error("both ends of a range must be relative or neither");
            }
            let to = self.seconds()?;
            if to < from {
                return self.error("range ends before it begins");
            }
            let range = if relative { When::RelativeRange(from, to) } else { When::AbsoluteRange(from, to) };
            return Ok((range, None));
        }
        Ok((if relative { When::Relative(from) } else { When::Absolute(from) }, None))
    }

    /// Seconds, as microseconds.
    fn seconds(&mut self) -> Parsed<i64> {
        let micros = match self.peek().map(|t| t.tok.clone()) {
            Some(Tok::Int(n)) => n.checked_mul(1_000_000),
            Some(Tok::Fraction(micros)) => Some(micros),
            _ => return self.expected("time"),
        };
        match micros {
            // A century is enough, and keeps sums in range.
            Some(m) if m <= 3_200_000_000_000_000 => {
                self.at += 1;
                Ok(m)
            }
            _ => self.error("time out of range"),
        }
    }

    /// `name(arguments) = result ERRNO (note)`
    fn call(&mut self) -> Parsed<Call> {
        let Some(Token { tok: Tok::Word(name), .. }) = self.next() else {
            return self.expected("name of a call");
        };
        self.need_char('(')?;
        let args = self.expressions(')')?;
        self.need_char('=')?;
        let result = self.expression()?;
        let mut errno = None;
        let same_line = self.tokens.get(self.at.wrapping_sub(1)).map(|t| t.line);
        if let Some(Token { tok: Tok::Word(word), line, .. }) = self.peek()
            && Some(*line) == same_line
            && word.starts_with('E')
        {
            errno = Some(word.clone());
            self.at += 1;
        }
        let note = if self.is_char('(') { Some(self.note()?) } else { None };
        Ok(Call { name, args, result, errno, note })
    }

    /// `(anything)`, parentheses balanced.
    fn note(&mut self) -> Parsed<String> {
        let start = self.offset();
        let mut depth = 0_u32;
        while let Some(token) = self.next() {
            match token.tok {
                Tok::Char('(') => depth += 1,
                Tok::Char(')') => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        let inside = self.text.get(start + 1..token.start).unwrap_or_default();
                        return Ok(inside.trim().to_string());
                    }
                }
                _ => {}
            }
        }
        self.error("( without )")
    }

    /// A list up to `close`, which is taken too.
    fn expressions(&mut self, close: char) -> Parsed<Vec<Expr>> {
        let mut items = Vec::new();
        if self.take_char(close) {
            return Ok(items);
        }
        loop {
            items.push(self.expression()?);
            if self.take_char(close) {
                return Ok(items);
            }
            self.need_char(',')?;
        }
    }

    fn expression(&mut self) -> Parsed<Expr> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.error("brackets nested too deep");
        }
        let parsed = self.alternatives();
        self.depth -= 1;
        parsed
    }

    /// `a | b`
    fn alternatives(&mut self) -> Parsed<Expr> {
        let first = self.primary()?;
        if !self.is_char('|') {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.take_char('|') {
            items.push(self.primary()?);
        }
        Ok(Expr::Or(items))
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let Some(token) = self.peek().cloned() else { return self.expected("value") };
        self.at += 1;
        match token.tok {
            Tok::Ellipsis => Ok(Expr::Ellipsis),
            Tok::Int(n) | Tok::Hex(n) => Ok(Expr::Int(n)),
            Tok::Text(t) => Ok(Expr::Text(t)),
            Tok::Char('-') => {
                self.at -= 1;
                Ok(Expr::Int(self.int()?))
            }
            Tok::Char('[') => Ok(Expr::Array(self.expressions(']')?)),
            Tok::Char('(') => {
                let inside = self.expression()?;
                self.need_char(')')?;
                Ok(inside)
            }
            Tok::Char('{') => self.fields(),
            Tok::Word(word) => {
                if self.take_char('(') {
                    return Ok(Expr::Apply(word, self.expressions(')')?));
                }
                Ok(self.defined(&word).unwrap_or(Expr::Word(word)))
            }
            _ => {
                self.at -= 1;
                self.expected("value")
            }
        }
    }

    /// What a word was defined as.
    fn defined(&self, word: &str) -> Option<Expr> {
        let value = self.defines.get(word)?;
        if let Some(text) = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) {
            return Some(Expr::Text(text.into()));
        }
        Some(value.parse::<i64>().map_or_else(|_| Expr::Word(value.clone()), Expr::Int))
    }

    /// `{name=value, name(count)=value, value}`, the brace is taken already.
    fn fields(&mut self) -> Parsed<Expr> {
        let mut fields = Vec::new();
        if self.take_char('}') {
            return Ok(Expr::Struct(fields));
        }
        loop {
            fields.push(self.field()?);
            if self.take_char('}') {
                return Ok(Expr::Struct(fields));
            }
            self.need_char(',')?;
        }
    }

    fn field(&mut self) -> Parsed<Field> {
        let name = match self.peek_at(0) {
            Some(Tok::Word(w)) => w.clone(),
            _ => return Ok(Field { name: None, count: None, value: self.expression()? }),
        };
        if self.peek_at(1) == Some(&Tok::Char('=')) {
            self.at += 2;
            return Ok(Field { name: Some(name), count: None, value: self.expression()? });
        }
        // `msg_iov(2)=[..]`: a call-like head with a value behind it.
        let at = self.at;
        if self.peek_at(1) == Some(&Tok::Char('(')) {
            self.at += 2;
            let count = self.expressions(')')?.pop();
            if self.take_char('=') {
                return Ok(Field { name: Some(name), count, value: self.expression()? });
            }
        }
        self.at = at;
        Ok(Field { name: None, count: None, value: self.expression()? })
    }
}

#[cfg(test)]
mod tests;
