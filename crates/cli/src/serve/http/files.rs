//! The folder that is served.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::Failure;

/// A folder out of which nothing leads.
#[derive(Debug)]
pub struct Root(PathBuf);

/// What a path stands for.
pub enum Found {
    File(Resource),
    /// A folder's page.
    Listing(String),
    /// A folder, asked for without the slash at its end.
    Moved(String),
    Nothing,
}

/// A file to be sent.
pub struct Resource {
    pub file: File,
    pub len: u64,
    /// Its media type.
    pub kind: &'static str,
}

impl Root {
    /// The folder must exist.
    pub fn open(dir: &Path) -> Result<Root, Failure> {
        let bad = |e: &io::Error| Failure::Bad(format!("cannot serve {}: {e}; name a folder", dir.display()));
        let root = dir.canonicalize().map_err(|e| bad(&e))?;
        fs::read_dir(&root).map_err(|e| bad(&e))?;
        Ok(Root(root))
    }

    /// Looks up a path that begins with a slash.
    pub fn find(&self, path: &[u8]) -> Found {
        self.look_up(path).ok().flatten().unwrap_or(Found::Nothing)
    }

    fn look_up(&self, path: &[u8]) -> io::Result<Option<Found>> {
        if path.contains(&0) {
            return Ok(None);
        }
        let mut at = self.0.clone();
        for part in path.split(|b| *b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => return Ok(None),
                name => at.push(OsStr::from_bytes(name)),
            }
        }
        // A link may lead out of the folder.
        let at = at.canonicalize()?;
        if !at.starts_with(&self.0) {
            return Ok(None);
        }
        let facts = fs::metadata(&at)?;
        if facts.is_dir() {
            if path.last() != Some(&b'/') {
                return Ok(Some(Found::Moved(format!("{}/", escape(path)))));
            }
            let index = at.join("index.html");
            return match fs::metadata(&index) {
                Ok(facts) if facts.is_file() && index.canonicalize()?.starts_with(&self.0) => {
                    file(&index).map(Some)
                }
                _ => Ok(Some(Found::Listing(listing(path, &at)?))),
            };
        }
        // Nothing but files: opening a pipe would wait for ever.
        if facts.is_file() && path.last() != Some(&b'/') { file(&at).map(Some) } else { Ok(None) }
    }
}

fn file(path: &Path) -> io::Result<Found> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    Ok(Found::File(Resource { file, len, kind: media_type(path) }))
}

fn media_type(path: &Path) -> &'static str {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    match extension.as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "txt" | "md" | "rs" | "toml" | "py" | "c" | "h" | "log" => "text/plain; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "wasm" => "application/wasm",
        "xml" => "application/xml",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "mp4" => "video/mp4",
        "mp3" => "audio/mpeg",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        _ => "application/octet-stream",
    }
}

fn listing(path: &[u8], dir: &Path) -> io::Result<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let mut name = entry.file_name().as_bytes().to_vec();
        // Through links too.
        if fs::metadata(entry.path()).is_ok_and(|facts| facts.is_dir()) {
            name.push(b'/');
        }
        names.push(name);
    }
    names.sort_unstable();
    let title = html(&String::from_utf8_lossy(path));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body><h1>{title}</h1>\n<ul>\n"
    );
    if path.iter().any(|b| *b != b'/') {
        page.push_str("<li><a href=\"../\">../</a></li>\n");
    }
    for name in names {
        let shown = html(&String::from_utf8_lossy(&name));
        // Writing to a string does not fail. With `./` a name that has a colon is no scheme.
        let _ = writeln!(page, "<li><a href=\"./{}\">{shown}</a></li>", escape(&name));
    }
    page.push_str("</ul>\n</body></html>\n");
    Ok(page)
}

/// A path as it stands in a link (RFC 3986 2.1). Slashes that stand together become one: two would name a host.
fn escape(path: &[u8]) -> String {
    let mut out = String::new();
    for b in path {
        match b {
            b'/' if out.ends_with('/') => {}
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(*b));
            }
            // Writing to a string does not fail.
            b => _ = write!(out, "%{b:02X}"),
        }
    }
    out
}

fn html(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
