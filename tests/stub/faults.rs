//! What may go wrong.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Asked, Shared, pieces, reply};

#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// All is well with this one.
    None,
    /// A status, with headers and a body.
    Status(&'static str, Vec<(&'static str, String)>, String),
    /// A body under 200, of a kind.
    Body(&'static str, Vec<u8>),
    /// The same in pieces with pauses between them, whole or cut before its end.
    Pieces { kind: &'static str, pieces: Vec<Vec<u8>>, pause: Duration, cut: bool },
    /// The same, and then silence with the line open.
    Hang { kind: &'static str, pieces: Vec<Vec<u8>> },
    /// A body without end, of a kind, as JSON or as a stream.
    Endless { kind: &'static str, piece: Vec<u8> },
    /// A body that says it is a gigabyte.
    Gigabyte,
    /// The line is closed without a word.
    Reset,
    /// Nothing ever comes.
    Silence,
}

impl Fault {
    pub(crate) fn status(status: &'static str, body: &str) -> Self {
        Self::Status(status, vec![], body.into())
    }

    pub(crate) fn later(status: &'static str, retry_after: &str) -> Self {
        Self::Status(status, vec![("retry-after", retry_after.into())], String::new())
    }

    pub(crate) fn json(text: &str) -> Self {
        Self::Body("application/json", text.into())
    }

    /// A stream that is whole.
    pub(crate) fn stream(text: &str) -> Self {
        Self::Body("text/event-stream; charset=utf-8", text.into())
    }

    /// A stream that is cut after this.
    pub(crate) fn cut(text: &str) -> Self {
        let pieces = vec![text.into()];
        Self::Pieces { kind: "text/event-stream", pieces, pause: Duration::ZERO, cut: true }
    }

    /// A stream in pieces of so many bytes.
    pub(crate) fn in_pieces(text: &str, size: usize) -> Self {
        let pieces = text.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
        Self::Pieces { kind: "text/event-stream", pieces, pause: Duration::ZERO, cut: false }
    }
}

/// How long nothing comes, where nothing comes.
const EVER: Duration = Duration::from_secs(20);

/// Waits until the client leaves.
fn wait(writer: &TcpStream) {
    let _ = writer.set_read_timeout(Some(EVER));
    let mut byte = [0];
    let _ = std::io::Read::read(&mut &*writer, &mut byte);
}

/// Plays a fault; whether the line stays open.
pub(crate) fn meet(
    shared: &Shared,
    asked: &Asked,
    fault: Fault,
    writer: &mut TcpStream,
) -> std::io::Result<bool> {
    match fault {
        Fault::None => super::routes::answer(shared, asked, writer)?,
        Fault::Status(status, headers, body) => {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            reply(writer, status, &headers, "application/json", body.as_bytes())?;
        }
        Fault::Body(kind, body) => reply(writer, "200 OK", &[], kind, &body)?,
        Fault::Pieces { kind, pieces: all, pause, cut } => {
            pieces(writer, kind, &all, pause)?;
            if cut {
                return Ok(false);
            }
            writer.write_all(b"0\r\n\r\n")?;
        }
        Fault::Hang { kind, pieces: all } => {
            pieces(writer, kind, &all, Duration::ZERO)?;
            wait(writer);
            return Ok(false);
        }
        Fault::Endless { kind, piece } => {
            pieces(writer, kind, &[], Duration::ZERO)?;
            loop {
                write!(writer, "{:x}\r\n", piece.len())?;
                writer.write_all(&piece)?;
                writer.write_all(b"\r\n")?;
                shared.written.fetch_add(piece.len(), Ordering::SeqCst);
            }
        }
        Fault::Gigabyte => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                        content-length: 1073741824\r\n\r\n";
            writer.write_all(head.as_bytes())?;
            let piece = vec![b' '; 1 << 20];
            for _ in 0..1024 {
                writer.write_all(&piece)?;
                shared.written.fetch_add(piece.len(), Ordering::SeqCst);
            }
        }
        Fault::Reset => return Ok(false),
        Fault::Silence => {
            wait(writer);
            return Ok(false);
        }
    }
    Ok(true)
}
