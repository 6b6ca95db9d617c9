//! A word of the catalogue with the facts that fill it: can be said in either language.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::model::{Lang, Role, Side};
use crate::number;
use crate::words::{Form, Word, fill};

/// Most characters of text that a sentence quotes.
const QUOTED: usize = 24;

/// Something to say about a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sentence {
    /// What to say.
    pub word: Word,
    pub(crate) facts: Facts,
}

/// Everything that a placeholder may ask for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Facts {
    /// The roles of sender and receiver.
    pub who: Option<(Role, Role)>,
    /// Octets, or segments of a fold.
    pub n: u64,
    /// Octets of a fold.
    pub bytes: u64,
    /// SEG.SEQ as shown.
    pub seq: u32,
    /// SEG.ACK as shown.
    pub ack: u32,
    /// The window in octets.
    pub window: u32,
    /// A span in nanoseconds.
    pub span: u64,
    /// Octets to quote.
    pub text: Vec<u8>,
}

/// Longest text of which a quotation tells anything.
const WORTH_QUOTING: u32 = 64;

/// Whether octets can be quoted: printable ASCII and line ends, at least one, and not the middle of bulk data.
pub(crate) fn quotable(text: &[u8], len: u32) -> bool {
    !text.is_empty()
        && len <= WORTH_QUOTING
        && text.iter().all(|b| matches!(b, b' '..=b'~' | b'\r' | b'\n' | b'\t'))
}

/// Octets in quotation marks, line ends as `\n`, cut where they are many.
fn quote(text: &[u8], whole: u64) -> String {
    let mut out = String::from("\"");
    for b in text.iter().take(QUOTED) {
        match b {
            b'\r' => out.push_str("\\r"),
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            _ => out.push(char::from(*b)),
        }
    }
    out.push('"');
    if whole > QUOTED as u64 || text.len() > QUOTED {
        out.push_str("..");
    }
    out
}

/// A role's name inside a sentence.
pub(crate) fn role(role: Role, lang: Lang, form: Form) -> &'static str {
    let word = match role {
        Role::Client => Word::RoleClient,
        Role::Server => Word::RoleServer,
        Role::PeerA => Word::RoleA,
        Role::PeerB => Word::RoleB,
    };
    word.template(lang, form)
}

impl Sentence {
    /// A sentence that needs no facts.
    pub(crate) fn plain(word: Word) -> Sentence {
        Sentence { word, facts: Facts::default() }
    }

    /// A sentence about one end.
    pub(crate) fn about(word: Word, who: Side, roles: (Role, Role)) -> Sentence {
        let (left, right) = roles;
        let who = match who {
            Side::Left => (left, right),
            Side::Right => (right, left),
        };
        Sentence { word, facts: Facts { who: Some(who), ..Facts::default() } }
    }

    /// The sentence in words.
    pub fn say(&self, lang: Lang, form: Form) -> String {
        let f = &self.facts;
        let last = f.seq.wrapping_add(u32::try_from(f.n).unwrap_or(u32::MAX)).wrapping_sub(1);
        let seq = f.seq.to_string();
        let range = if f.n == 1 { Word::RangeOne } else { Word::RangeMany };
        let range = fill(range.template(lang, form), &[("seq", &seq), ("before", &last.to_string())]);
        let peer = f.who.map_or("", |(_, peer)| role(peer, lang, form));
        let text = quote(&f.text, f.n);
        let quoted = match (quotable(&f.text, u32::try_from(f.n).unwrap_or(u32::MAX)), lang) {
            (false, _) => String::new(),
            (true, Lang::En) => format!(": {text}"),
            (true, Lang::Zh) => format!("：{text}"),
        };
        let who = f.who.map_or("", |(who, _)| role(who, lang, form));
        fill(
            self.word.template(lang, form),
            &[
                ("n", &number::thousands(f.n)),
                ("s", if f.n == 1 { "" } else { "s" }),
                ("bytes", &number::thousands(f.bytes)),
                ("range", &range),
                ("seq", &seq),
                ("ack", &f.ack.to_string()),
                ("before", &f.ack.wrapping_sub(1).to_string()),
                ("win", &number::thousands(u64::from(f.window))),
                ("t", &number::span(f.span)),
                ("text", &text),
                ("quote", &quoted),
                ("who", who),
                ("peer", peer),
            ],
        )
    }
}
