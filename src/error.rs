//! The crate's one error: what failed, where, and what to do next.
//!
//! Errors here are read by a person at a terminal, so each carries a sentence rather than a code,
//! the file, line or value it is about, and (where there is one) the next step as a hint.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The result of anything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of thing failed: what a caller does about it, and the exit code, follow from this and
/// not from the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// What was asked for cannot be asked for so.
    Usage,
    /// A file, a row or a value is not what it should be, or is not there.
    #[default]
    Data,
    /// The operating system refused something: a disk, a permission, a lock.
    Io,
    /// A world broke, or answered what it cannot.
    World,
    /// A world is not the one that was recorded.
    Mismatch,
    /// Somebody on the other end of a line failed.
    Remote {
        /// Whether the same may go well when it is asked again.
        retry: bool,
    },
    /// The person asked for the work to stop; nothing is wrong.
    Cancelled,
    /// The program itself is wrong.
    Defect,
}

impl Kind {
    /// What a command that fails so exits with: 2 for wrong usage, else 1.
    pub fn exit_code(self) -> u8 {
        if self == Self::Usage { 2 } else { 1 }
    }
}

/// Something failed; the text says what, where and what to do next.
#[derive(Debug, Clone)]
pub struct Error {
    what: String,
    hint: Option<String>,
    kind: Kind,
    /// What it was made of, where that says more.
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// Two errors are the same that say the same of the same kind.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        (&self.what, &self.hint, self.kind) == (&other.what, &other.hint, other.kind)
    }
}

impl Eq for Error {}

impl Error {
    /// An error that says `what` failed.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: short(what.into()), hint: None, kind: Kind::Data, source: None }
    }

    /// What was asked for cannot be asked for so.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(what).of(Kind::Usage)
    }

    /// Says of what kind it is.
    #[must_use]
    pub fn of(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// The same of a kind, unless a kind was said already.
    #[must_use]
    pub fn or_of(self, kind: Kind) -> Self {
        if self.kind == Kind::Data { self.of(kind) } else { self }
    }

    /// Of what kind it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The person asked for the work to stop; nothing is wrong.
    pub fn cancelled() -> Self {
        Self::new("cancelled").of(Kind::Cancelled)
    }

    /// Whether this is [`Error::cancelled`].
    pub fn is_cancelled(&self) -> bool {
        self.kind == Kind::Cancelled
    }

    /// Adds what to do next, unless the error says so itself: who is nearer to what failed knows
    /// better.
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
        let source = Arc::new(std::io::Error::new(error.kind(), error.to_string()));
        let failed = Self {
            source: Some(source),
            ..Self::new(format!("{doing} {}: {error}", path.display())).of(Kind::Io)
        };
        match error.kind() {
            std::io::ErrorKind::NotFound => failed.hint("check the path; nothing is there"),
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => failed
                .hint(
                    "the place is not writable or readable for you; pick another with --data-dir",
                ),
            std::io::ErrorKind::StorageFull => {
                failed.hint("the disk is full; free some space and run it again")
            }
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
        let boundary = |at: usize| {
            (at..what.len()).find(|at| what.is_char_boundary(*at)).unwrap_or(what.len())
        };
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

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn std::error::Error + 'static))
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseCorrupt, DiskFull, NotADatabase, ReadOnly,
            SystemIoFailure,
        };
        // `SQLite` quotes the whole statement, which may be a schema; its message alone says what
        // is wrong.
        let failed = match &error {
            rusqlite::Error::SqlInputError { msg, .. } => Self::new(format!("the store: {msg}")),
            rusqlite::Error::FromSqlConversionFailure(_, _, why) => {
                Self::new(format!("the store has {why}")).hint(
                    "it was written by a newer foretaste, or damaged: foretaste doctor looks, a \
                     backup is put back with data",
                )
            }
            other => Self::new(format!("the store: {other}")),
        };
        let refused = matches!(
            error.sqlite_error_code(),
            Some(DiskFull | SystemIoFailure | CannotOpen | ReadOnly | DatabaseBusy)
        );
        let failed = if refused { failed.of(Kind::Io) } else { failed };
        match error.sqlite_error_code() {
            Some(DiskFull | SystemIoFailure) => {
                failed.hint("the disk may be full; nothing already saved is lost")
            }
            Some(CannotOpen) => failed
                .hint("look at the rights of the data directory, or name another with --data-dir"),
            Some(ReadOnly) => {
                failed.hint("the data directory is read-only; pick another with --data-dir")
            }
            Some(DatabaseBusy) => failed.hint(
                "another program has held the store for ten seconds, and this was not done; close \
                 it, or try again",
            ),
            Some(DatabaseCorrupt | NotADatabase) => failed.hint(
                "the store is damaged; put a backup in its place with: foretaste data restore FILE \
                 (all its files are set aside first: a -wal left beside another copy would damage \
                 that too), or start with another --data-dir",
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
                    "a value of this row was written by another program; restore a backup with: \
                     foretaste data restore",
                )
            }
            _ => failed,
        }
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::new(format!("the model: {}", of_candle(&error)))
    }
}

/// What candle says went wrong, without the way through its code that it adds where `RUST_BACKTRACE` is set.
pub fn of_candle(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().trim().to_string()
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
