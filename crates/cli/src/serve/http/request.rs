//! The head of a request (RFC 9112 2 to 6).

use super::{After, Answer};

/// What is asked for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Method {
    Get,
    /// As GET, but only the answer's head.
    Head,
}

/// A request that can be answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    pub method: Method,
    /// The path with its escapes resolved, without the query.
    pub path: Vec<u8>,
    keep_alive: bool,
    range: Option<String>,
}

/// Why a request is not answered with a file.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Refused {
    /// It makes no sense.
    Malformed,
    /// Its head is too long.
    TooLong,
    /// Neither GET nor HEAD.
    Method,
    /// Not HTTP/1.
    Version,
}

impl Refused {
    pub fn answer(self) -> Answer {
        match self {
            Refused::Malformed => Answer::error("400 Bad Request", ""),
            Refused::TooLong => Answer::error("431 Request Header Fields Too Large", ""),
            Refused::Method => Answer::error("405 Method Not Allowed", "Allow: GET, HEAD\r\n"),
            Refused::Version => Answer::error("505 HTTP Version Not Supported", ""),
        }
    }
}

/// A part of a file: at least one octet, unless the file is empty and it is all of it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Span {
    pub first: u64,
    pub len: u64,
}

impl Request {
    /// Reads a head that ends with an empty line.
    pub fn parse(head: &[u8]) -> Result<Request, Refused> {
        let text = str::from_utf8(head).map_err(|_| Refused::Malformed)?;
        let mut lines = text.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Refused::Malformed);
        };
        let minor = match version.strip_prefix("HTTP/").and_then(|v| v.split_once('.')) {
            Some(("1", minor)) => minor,
            Some(_) => return Err(Refused::Version),
            None => return Err(Refused::Malformed),
        };
        let mut keep_alive = minor != "0";
        let mut host = false;
        let mut range = None;
        for line in lines.take_while(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').ok_or(Refused::Malformed)?;
            let value = value.trim_matches([' ', '\t']);
            // RFC 9112 5.1: no space before the colon; 5.2: no folded lines.
            if name.is_empty() || name.contains([' ', '\t']) {
                return Err(Refused::Malformed);
            }
            match name.to_ascii_lowercase().as_str() {
                "host" => host = true,
                "connection" if has_token(value, "close") => keep_alive = false,
                "connection" if has_token(value, "keep-alive") => keep_alive = true,
                "range" => range = Some(value.to_owned()),
                "content-length" if value != "0" => keep_alive = false,
                // The text is not read, so nothing after it can be.
                "transfer-encoding" => keep_alive = false,
                _ => {}
            }
        }
        // RFC 9112 3.2.
        if minor != "0" && !host {
            return Err(Refused::Malformed);
        }
        let method = match method {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            _ => return Err(Refused::Method),
        };
        Ok(Request { method, path: path(target).ok_or(Refused::Malformed)?, keep_alive, range })
    }

    pub fn after(&self) -> After {
        if self.keep_alive { After::KeepAlive } else { After::Close }
    }

    /// The part that is asked for of something that has `len` octets: `None` for all of it, `Err` if there is no such
    /// part. Several parts at once count as all of it (RFC 9110 14.2: a server may ignore Range).
    pub fn span(&self, len: u64) -> Option<Result<Span, ()>> {
        if self.method != Method::Get {
            return None;
        }
        let (from, to) = self.range.as_deref()?.strip_prefix("bytes=")?.trim().split_once('-')?;
        let number = |digits: &str| -> Option<u64> {
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let (first, last) = match (from, to) {
            ("", suffix) => {
                let suffix = number(suffix)?;
                if suffix == 0 || len == 0 {
                    return Some(Err(()));
                }
                (len.saturating_sub(suffix), len - 1)
            }
            (first, "") => (number(first)?, u64::MAX),
            (first, last) => (number(first)?, number(last)?),
        };
        if last < first {
            return None;
        }
        if first >= len {
            return Some(Err(()));
        }
        Some(Ok(Span { first, len: last.min(len - 1) - first + 1 }))
    }
}

fn has_token(list: &str, token: &str) -> bool {
    list.split(',').any(|item| item.trim().eq_ignore_ascii_case(token))
}

/// The path of a target: origin form or absolute form (RFC 9112 3.2), `%xx` resolved.
fn path(target: &str) -> Option<Vec<u8>> {
    let target = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => target,
    };
    let path = target.split(['?', '#']).next()?;
    if !path.starts_with('/') {
        return None;
    }
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((b, after)) = rest.split_first() {
        rest = after;
        if *b != b'%' {
            out.push(*b);
            continue;
        }
        let ([high, low], after) = rest.split_first_chunk::<2>()?;
        let digit = |d: u8| char::from(d).to_digit(16);
        out.push((digit(*high)? * 16 + digit(*low)?) as u8);
        rest = after;
    }
    Some(out)
}

#[cfg(test)]
mod tests;
