//! Columns of a terminal: East Asian wide characters take two, and lines break where each language allows it.

use alloc::string::String;
use alloc::vec::Vec;

use unicode_width::UnicodeWidthChar;

/// Columns that a character takes; control characters take none (and are never written, see [`clean`]).
pub(crate) fn of_char(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// Columns that a text takes.
pub(crate) fn of(text: &str) -> usize {
    text.chars().map(of_char).sum()
}

/// The text without characters that could move the cursor or change direction; each becomes a question mark.
pub(crate) fn clean(text: &str) -> String {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if harmful(c) { '?' } else { c }).collect()
}

/// The longest beginning that fits; where something is cut off, the last column shows `end`.
pub(crate) fn cut(text: &str, max: usize, end: char) -> String {
    if of(text) <= max {
        return String::from(text);
    }
    let mut out = String::new();
    let mut width = 0usize;
    for c in text.chars() {
        width = width.saturating_add(of_char(c));
        if width >= max {
            break;
        }
        out.push(c);
    }
    if max > 0 {
        out.push(end);
    }
    out
}

/// May not begin a line.
fn closes(c: char) -> bool {
    matches!(c, '，' | '。' | '：' | '；' | '！' | '？' | '、' | '”' | '）' | '》' | '…')
}

/// May not end a line.
fn opens(c: char) -> bool {
    matches!(c, '“' | '（' | '《')
}

/// Whether a line may end between two neighbouring characters of which neither is a space.
fn may_break(before: char, after: char) -> bool {
    let wide = |c: char| of_char(c) == 2 || closes(c) || opens(c);
    (wide(before) || wide(after)) && !closes(after) && !opens(before)
}

/// Breaks a text into lines of at most `max` columns (`max` below 2 counts as 2).
pub(crate) fn wrap(text: &str, max: usize) -> Vec<String> {
    let max = max.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut line_width = 0usize;
    for (atom, gap) in atoms(text) {
        let width = of(&atom);
        let gap = if line.is_empty() { 0 } else { gap };
        if !line.is_empty() && line_width.saturating_add(gap).saturating_add(width) > max {
            lines.push(core::mem::take(&mut line));
            line_width = 0;
        } else {
            line.extend(core::iter::repeat_n(' ', gap));
            line_width = line_width.saturating_add(gap);
        }
        for c in atom.chars() {
            // Only an atom longer than a whole line is broken inside.
            if line_width.saturating_add(of_char(c)) > max {
                lines.push(core::mem::take(&mut line));
                line_width = 0;
            }
            line.push(c);
            line_width = line_width.saturating_add(of_char(c));
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// The unbreakable parts of a text, each with the number of spaces before it.
fn atoms(text: &str) -> Vec<(String, usize)> {
    let mut out: Vec<(String, usize)> = Vec::new();
    let mut gap = 0usize;
    let mut last: Option<char> = None;
    for c in text.chars() {
        if c == ' ' {
            gap = gap.saturating_add(1);
            last = None;
            continue;
        }
        match (out.last_mut(), last) {
            (Some((atom, _)), Some(before)) if !may_break(before, c) => atom.push(c),
            _ => out.push((String::from(c), gap)),
        }
        gap = 0;
        last = Some(c);
    }
    out
}

#[cfg(test)]
mod tests;
