//! Serves the files of a folder over HTTP/1.1 (RFC 9110, RFC 9112): GET and HEAD, single ranges, listings.

mod date;
mod files;
mod request;

pub use files::Root;

use std::io::{self, Read, Seek, SeekFrom};
use std::time::{Duration, SystemTime};

use synfin::tokio::TcpStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::Stats;
use files::{Found, Resource};
use request::{Method, Refused, Request, Span};

/// Octets of a request's head at most.
const LONGEST_HEAD: usize = 16 * 1024;
/// How long a connection may say nothing between requests, or take for one.
const IDLE: Duration = Duration::from_secs(60);
/// How long and how much is still read from a peer after the last answer. An answer that goes out while the peer is
/// still sending would be lost if closing meant RST.
const DRAIN: Duration = Duration::from_secs(1);
const DRAIN_OCTETS: u64 = 1 << 20;
/// Octets that go from a file into the connection at once.
const CHUNK: usize = 128 * 1024;

/// An answer before its text.
struct Answer {
    status: &'static str,
    /// Header lines with their line ends, besides those that every answer has.
    headers: String,
    body: Body,
}

enum Body {
    Text(String),
    /// These octets of a file.
    File(std::fs::File, Span),
}

impl Answer {
    fn error(status: &'static str, headers: &str) -> Answer {
        let headers = format!("Content-Type: text/plain; charset=utf-8\r\n{headers}");
        Answer { status, headers, body: Body::Text(format!("{status}\n")) }
    }
}

/// Whether the connection goes on after an answer.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum After {
    KeepAlive,
    Close,
}

/// One connection: request after request.
pub async fn serve(mut stream: TcpStream, root: &Root, stats: &Stats) -> io::Result<()> {
    // Heads and texts are written whole: nothing is gained by waiting for more.
    stream.set_nodelay(true)?;
    let mut pending = Vec::new();
    loop {
        let head = match timeout(IDLE, read_head(&mut stream, &mut pending, stats)).await {
            Err(_) | Ok(Ok(Head::End)) => break,
            Ok(Ok(Head::Whole(head))) => Request::parse(&head),
            Ok(Ok(Head::TooLong)) => Err(Refused::TooLong),
            Ok(Err(e)) => return Err(e),
        };
        let (method, after) = match &head {
            Ok(request) => (request.method, request.after()),
            Err(_) => (Method::Get, After::Close),
        };
        let answer = match head {
            Ok(request) => answer(root, &request),
            Err(refused) => refused.answer(),
        };
        send(&mut stream, answer, method, after, stats).await?;
        if after == After::Close {
            break;
        }
    }
    stream.shutdown().await?;
    let mut rest = (&mut stream).take(DRAIN_OCTETS);
    // Whatever comes of it, the answer has been sent.
    let _ = timeout(DRAIN, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
    Ok(())
}

enum Head {
    Whole(Vec<u8>),
    /// The peer has closed between requests.
    End,
    TooLong,
}

/// Reads up to the empty line; what was read beyond it stays in `pending`.
async fn read_head(stream: &mut TcpStream, pending: &mut Vec<u8>, stats: &Stats) -> io::Result<Head> {
    let mut searched: usize = 0;
    loop {
        // The line end may have come in two parts.
        let from = searched.saturating_sub(3);
        let found = pending.get(from..).and_then(|new| new.windows(4).position(|end| end == b"\r\n\r\n"));
        if let Some(at) = found {
            let rest = pending.split_off(from + at + 4);
            return Ok(Head::Whole(std::mem::replace(pending, rest)));
        }
        if pending.len() >= LONGEST_HEAD {
            return Ok(Head::TooLong);
        }
        searched = pending.len();
        let n = stream.read_buf(pending).await?;
        stats.received(n);
        if n == 0 {
            return match pending.is_empty() {
                true => Ok(Head::End),
                false => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
    }
}

fn answer(root: &Root, request: &Request) -> Answer {
    match root.find(&request.path) {
        Found::Nothing => Answer::error("404 Not Found", ""),
        Found::Moved(to) => Answer::error("301 Moved Permanently", &format!("Location: {to}\r\n")),
        Found::Listing(html) => Answer {
            status: "200 OK",
            headers: "Content-Type: text/html; charset=utf-8\r\n".into(),
            body: Body::Text(html),
        },
        Found::File(Resource { file, len, kind }) => {
            let type_line = format!("Content-Type: {kind}\r\nAccept-Ranges: bytes\r\n");
            match request.span(len) {
                None => {
                    let whole = Span { first: 0, len };
                    Answer { status: "200 OK", headers: type_line, body: Body::File(file, whole) }
                }
                Some(Ok(span)) => {
                    let last = span.first + span.len - 1;
                    let headers = format!("{type_line}Content-Range: bytes {}-{last}/{len}\r\n", span.first);
                    Answer { status: "206 Partial Content", headers, body: Body::File(file, span) }
                }
                Some(Err(())) => {
                    Answer::error("416 Range Not Satisfiable", &format!("Content-Range: bytes */{len}\r\n"))
                }
            }
        }
    }
}

async fn send(
    stream: &mut TcpStream,
    answer: Answer,
    method: Method,
    after: After,
    stats: &Stats,
) -> io::Result<()> {
    let len = match &answer.body {
        Body::Text(text) => text.len() as u64,
        Body::File(_, span) => span.len,
    };
    let connection = if after == After::Close { "close" } else { "keep-alive" };
    let mut head = format!(
        "HTTP/1.1 {}\r\nDate: {}\r\nServer: synfin/{}\r\n{}Content-Length: {len}\r\nConnection: {connection}\r\n\r\n",
        answer.status,
        date::http_date(SystemTime::now()),
        env!("CARGO_PKG_VERSION"),
        answer.headers,
    )
    .into_bytes();
    match answer.body {
        _ if method == Method::Head => {
            stream.write_all(&head).await?;
            stats.sent(head.len());
        }
        Body::Text(text) => {
            head.extend_from_slice(text.as_bytes());
            stream.write_all(&head).await?;
            stats.sent(head.len());
        }
        Body::File(file, span) => send_file(stream, head, file, span, stats).await?,
    }
    Ok(())
}

/// The head and then octets of a file; the first of them travel together.
async fn send_file(
    stream: &mut TcpStream,
    mut chunk: Vec<u8>,
    mut file: std::fs::File,
    span: Span,
    stats: &Stats,
) -> io::Result<()> {
    file.seek(SeekFrom::Start(span.first))?;
    let mut left = span.len;
    loop {
        // The system has read ahead: asking another thread would take longer than this waits.
        let wanted = left.min(CHUNK as u64);
        let n = (&mut file).take(wanted).read_to_end(&mut chunk)? as u64;
        if n < wanted {
            // The promised length cannot be kept: the peer must see that the connection broke.
            stream.set_linger(Some(Duration::ZERO))?;
            return Err(io::Error::other("the file became shorter"));
        }
        stream.write_all(&chunk).await?;
        stats.sent(chunk.len());
        chunk.clear();
        left -= n;
        if left == 0 {
            return Ok(());
        }
    }
}
