//! The crate's one error: what failed, where, and what to do next.
//!
//! Errors here are read by a person at a terminal, so each carries a sentence rather than a code, the file, line or
//! value it is about, and (where there is one) the next step as a hint.

use std::fmt;
use std::path::Path;

/// The result of anything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Something failed; the text says what, where and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    what: String,
    hint: Option<String>,
    cancelled: bool,
}

impl Error {
    /// An error that says `what` failed.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: short(what.into()), hint: None, cancelled: false }
    }

    /// The person asked for the work to stop; nothing is wrong.
    pub fn cancelled() -> Self {
        Self { what: "cancelled".into(), hint: None, cancelled: true }
    }

    /// Whether this is [`Error::cancelled`].
    pub fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    /// Adds what to do next, unless the error says so itself: who is nearer to what failed knows better.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Puts the place (a file, a line, a value) in front of the message.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.what = format!("{place}: {}", self.what);
        self
    }

    /// An operating-system error while `doing` something to `path`.
    pub fn io(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        let failed = Self::new(format!("{doing} {}: {error}", path.display()));
        match error.kind() {
            std::io::ErrorKind::NotFound => failed.hint("check the path; nothing is there"),
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                failed.hint("the place is not writable or readable for you; pick another with --data-dir")
            }
            std::io::ErrorKind::StorageFull => failed.hint("the disk is full; free some space and run it again"),
            _ => failed,
        }
    }

    /// The message without its hint.
    pub fn message(&self) -> &str {
        &self.what
    }

    /// The next step, where there is one.
    pub fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// A message quotes what it is about, and that may be a file of one line.
const LONGEST: usize = 2000;

/// A message that a person reads: its beginning and its end.
fn short(mut what: String) -> String {
    if what.len() > LONGEST {
        let boundary = |at: usize| (at..what.len()).find(|at| what.is_char_boundary(*at)).unwrap_or(what.len());
        let left_out = boundary(LONGEST / 2)..boundary(what.len() - LONGEST / 4);
        what.replace_range(left_out, " … ");
    }
    what
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  next: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseCorrupt, DiskFull, NotADatabase, ReadOnly, SystemIoFailure,
        };
        // `SQLite` quotes the whole statement, which may be a schema; its message alone says what is wrong.
        let failed = match &error {
            rusqlite::Error::SqlInputError { msg, .. } => Self::new(format!("the store: {msg}")),
            other => Self::new(format!("the store: {other}")),
        };
        match error.sqlite_error_code() {
            Some(DiskFull | SystemIoFailure) => failed.hint("the disk may be full; nothing already saved is lost"),
            Some(CannotOpen) => failed.hint("look at the rights of the data directory, or name another with --data-dir"),
            Some(ReadOnly) => failed.hint("the data directory is read-only; pick another with --data-dir"),
            Some(DatabaseBusy) => failed
                .hint("another program has held the store for ten seconds, and this was not done; close it, or try again"),
            Some(DatabaseCorrupt | NotADatabase) => failed.hint(
                "the store is damaged; put a backup in its place with: foretaste data restore FILE (all its files are set \
                     aside first: a -wal left beside another copy would damage that too), or start with another --data-dir",
            ),
            None if matches!(
                error,
                rusqlite::Error::FromSqlConversionFailure(..)
                    | rusqlite::Error::InvalidColumnType(..)
                    | rusqlite::Error::IntegralValueOutOfRange(..)
                    | rusqlite::Error::Utf8Error(..)
            ) =>
            {
                failed.hint(
                    "a value of this row was written by another program; restore a backup with: foretaste data restore",
                )
            }
            _ => failed,
        }
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::new(format!("the model: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_comes_first_and_hint_last() {
        let error = Error::new("no such thing").at("line 3").at("game.json").hint("look again");
        assert_eq!(error.to_string(), "game.json: line 3: no such thing\n  next: look again");
        assert_eq!(error.hint("something general").next_step(), Some("look again"));
    }

    #[test]
    fn a_message_is_read_by_a_person() {
        let quoted = Error::new(format!("`{}` is no such thing", "ä".repeat(1_000_000)));
        assert!(quoted.message().len() < 2100 && quoted.message().ends_with(" is no such thing"), "{quoted}");
    }
}
