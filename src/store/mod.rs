//! The store: one `SQLite` file (WAL) under the data directory. Whatever is shown as saved is a
//! committed row here.
//!
//! Several programs may use one data directory at once: every write is one transaction, a writer
//! waits for another for up to ten seconds, and readers never wait. Rows are never changed in place
//! where history matters (generated text, decisions): newer rows stand beside older ones, and
//! undoing is a mark.

mod backup;
mod called;
mod calls;
mod checkpoints;
mod conversation;
mod decisions;
mod duplicates;
mod evaluations;
mod exchange;
mod history;
mod listing;
mod metrics;
mod once;
mod opening;
mod pools;
mod predictions;
mod preferences;
mod prompts;
mod queue;
mod reading;
mod rollouts;
mod runs;
mod studies;
mod told;
mod trajectories;

pub use backup::Restored;
pub use called::{CallAlternative, Called, SessionEvent, WholeCall};
pub use calls::{
    AgentRow, CallRow, NewAgent, NewCall, NewMessage, REWARD, Relation, SessionRow, no_session,
};
pub use checkpoints::{Checkpoint, STATE};
pub use decisions::{Decision, Seen, Undone};
pub use duplicates::Duplicate;
pub use evaluations::{EvalRow, PlayedGame};
pub use exchange::{Act, Intake, Origin, Placed, Record, Reflected};
pub use history::{AuditRow, Event};
pub use listing::{Listing, Near, Page, TrajectorySummary};
pub use metrics::MetricPoint;
pub use once::Meanwhile;
pub use pools::{Candidate, Drawn, PoolCount};
pub use predictions::{Prediction, Thought};
pub use preferences::Preference;
pub use queue::{Approved, Filter, KappaAgreement, Place, Queue, Second, Statistics};
pub use rollouts::{NewRollout, RolloutRow};
pub use runs::{NewRun, RunLock, RunRow, RunStatus};
pub use studies::StudyJob;
pub use told::{Standing, Told};
pub use trajectories::{Counts, NewReflection};

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::RwLockReadGuard;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::ends;
use crate::error::{Error, Result};
use opening::Opened;

/// A connection to the store.
#[derive(Debug)]
pub struct Store {
    pub(crate) db: Connection,
    root: PathBuf,
    read_only: Option<String>,
    _shared: Option<File>,
    _copy: Option<tempfile::TempDir>,
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

/// A transaction that writes: all of it is committed or nothing is. Never wait for anything while
/// one is open.
pub(crate) struct Write<'a> {
    tx: Transaction<'a>,
    _busy: RwLockReadGuard<'static, ()>,
}

impl Write<'_> {
    /// Makes it last; when this returns, it survives any crash.
    pub(crate) fn commit(self) -> Result<()> {
        Ok(self.tx.commit()?)
    }
}

impl std::ops::Deref for Write<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.tx
    }
}

impl Store {
    /// Opens (and on first use creates) the store of a data directory. Where nothing can be
    /// written, it is opened to be read, and [`Store::read_only`] says why.
    pub fn open(root: &Path) -> Result<Self> {
        let Opened { db, read_only, shared, copy } = opening::open(root)?;
        Ok(Self { db, root: root.to_path_buf(), read_only, _shared: shared, _copy: copy })
    }

    /// Whether a folder is a data directory with a store in it.
    pub fn is_there(root: &Path) -> bool {
        root.join(opening::FILE).is_file()
    }

    /// The data directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Begins to write: waits for other programs that do.
    pub(crate) fn write(&self) -> Result<Write<'_>> {
        if let Some(why) = &self.read_only {
            return Err(Error::new(format!(
                "{} cannot be written ({why}): it is only read",
                self.root.display()
            ))
            .hint(
                "name another data directory with --data-dir, or mend this one and start again",
            ));
        }
        let busy = ends::busy();
        Ok(Write {
            tx: Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)?,
            _busy: busy,
        })
    }

    /// Writes one statement.
    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<usize> {
        let tx = self.write()?;
        let changed = tx.execute(sql, values)?;
        tx.commit()?;
        Ok(changed)
    }

    /// Which store this is, however often it is copied.
    pub fn identity(&self) -> Result<String> {
        Ok(self.db.query_row("SELECT id FROM store", [], |row| row.get(0))?)
    }

    /// A remembered setting (screen, selection, …).
    pub fn setting(&self, key: &str) -> Result<Option<String>> {
        Ok(self
            .db
            .query_row("SELECT value FROM settings WHERE key = ?1", [key], |row| row.get(0))
            .optional()?)
    }

    /// Remembers a setting; where nothing can be written it is not, and nobody was told that it
    /// would be.
    pub fn set_setting(&self, key: &str, value: &str) -> Result<()> {
        if self.read_only.is_none() {
            self.execute(
                "INSERT OR REPLACE INTO settings (key, value) VALUES (?1, ?2)",
                params![key, value],
            )?;
        }
        Ok(())
    }
}

fn list_json(list: Option<&[String]>) -> String {
    serde_json::to_string(&list).unwrap_or_default()
}

fn to_json(list: &[String]) -> String {
    serde_json::to_string(list).unwrap_or_default()
}

#[cfg(test)]
mod tests;
