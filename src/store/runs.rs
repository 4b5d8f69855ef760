//! Training runs, their metrics and checkpoints, and evaluations.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::checkpoints::{Checkpoint, leave_behind};
use super::reading::known;
use super::{Store, now_ms};
use crate::error::{Error, Result};
use crate::paths::{create_private, own_file};

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// A process trains it now.
    Running,
    /// Stopped on request; can be resumed.
    Stopped,
    /// All its updates are done.
    Finished,
    /// It failed; the error says why.
    Failed,
    /// It waits for its turn.
    Queued,
    /// The store says that it is running, and no process trains it: that ended without a word.
    #[serde(rename = "broke off")]
    BrokeOff,
}

impl RunStatus {
    /// The word used in the store and on screens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Queued => "queued",
            Self::BrokeOff => "broke off",
        }
    }

    fn from_name(word: &str) -> Option<Self> {
        let all = [Self::Running, Self::Stopped, Self::Finished, Self::Failed, Self::Queued];
        all.into_iter().find(|status| status.as_str() == word)
    }
}

/// A training run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRow {
    /// Row id.
    pub id: i64,
    /// What it optimises.
    pub objective: String,
    /// How it stands.
    pub status: RunStatus,
    /// Everything needed to repeat it, as JSON.
    pub config: String,
    /// Its seed.
    pub seed: u64,
    /// The model it started from.
    pub start: String,
    /// Updates made.
    pub step: u64,
    /// Updates planned.
    pub steps: u64,
    /// The process that trains it, while it does.
    pub pid: Option<u32>,
    /// Why it failed.
    pub error: Option<String>,
    /// What a person calls it.
    pub name: Option<String>,
    /// Words to find it by.
    pub tags: String,
    /// What a person wrote about it.
    pub note: String,
    /// When it was written down, in milliseconds since 1970.
    pub created_ms: i64,
}

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: row.get(0)?,
        objective: row.get(1)?,
        status: known(row, 2, RunStatus::from_name)?,
        config: row.get(3)?,
        seed: row.get::<_, i64>(4)? as u64,
        start: row.get(5)?,
        step: row.get::<_, i64>(6)? as u64,
        steps: row.get::<_, i64>(7)? as u64,
        pid: row.get::<_, Option<i64>>(8)?.and_then(|pid| u32::try_from(pid).ok()),
        error: row.get(9)?,
        name: row.get(10)?,
        tags: row.get(11)?,
        note: row.get(12)?,
        created_ms: row.get(13)?,
    })
}

fn insert_run(db: &Connection, status: RunStatus, new: NewRun<'_>) -> Result<i64> {
    let pid = (status == RunStatus::Running).then(std::process::id);
    let NewRun { objective, config, seed, start, steps } = new;
    db.execute(
        "INSERT INTO runs (objective, status, config, seed, start, steps, pid, created_ms, \
         updated_ms, token) \
         VALUES (?1, ?8, ?2, ?3, ?4, ?5, ?6, ?7, ?7, lower(hex(randomblob(8))))",
        params![
            objective,
            config,
            seed as i64,
            start,
            steps as i64,
            pid,
            now_ms(),
            status.as_str()
        ],
    )?;
    Ok(db.last_insert_rowid())
}

const RUN: &str = "SELECT id, objective, status, config, seed, start, step, steps, pid, error, name, tags, note, \
     created_ms FROM runs";

/// A run that begins, or that waits for its turn.
#[derive(Debug, Clone, Copy)]
pub struct NewRun<'a> {
    /// What it optimises.
    pub objective: &'a str,
    /// Everything needed to repeat it, as JSON.
    pub config: &'a str,
    /// Its seed.
    pub seed: u64,
    /// The model it starts from; of one that waits what a person asked for, nothing for the newest
    /// checkpoint.
    pub start: &'a str,
    /// Updates planned.
    pub steps: u64,
}

/// Marks a run as being trained, for other programs too: the mark goes with the process, however
/// that ends.
#[derive(Debug)]
pub struct RunLock(#[expect(dead_code, reason = "held")] File);

impl Store {
    /// Writes down what a person says of a run; what is not given stays, an empty name is none.
    pub fn describe_run(
        &self,
        run: i64,
        name: Option<&str>,
        note: Option<&str>,
        tags: Option<&str>,
    ) -> Result<()> {
        self.run(run)?;
        let trimmed = |text: Option<&str>| text.map(|text| text.trim().to_string());
        let [name, note, tags] = [name, note, tags].map(trimmed);
        self.execute(
            "UPDATE runs SET name = nullif(coalesce(?2, name), ''), note = coalesce(?3, note), \
             tags = coalesce(?4, tags) WHERE id = ?1",
            params![run, name, note, tags],
        )?;
        Ok(())
    }

    fn lock_path(&self, run: i64) -> PathBuf {
        self.root.join("runs").join(format!("{run}.lock"))
    }

    /// The mark of a run, if no other program has it.
    pub fn lock_run(&self, run: i64) -> Result<Option<RunLock>> {
        let path = self.lock_path(run);
        let folder = self.root.join("runs");
        create_private(&folder).map_err(|e| Error::io("creating", &folder, &e))?;
        let file =
            own_file(&path).and_then(File::create).map_err(|e| Error::io("creating", &path, &e))?;
        Ok(file.try_lock().is_ok().then_some(RunLock(file)))
    }

    /// Whether some process is training this run now. Asking takes the mark shared, which keeps
    /// nobody else from asking; whoever wants it for itself just then tries again.
    pub fn is_alive(&self, run: i64) -> bool {
        own_file(&self.lock_path(run))
            .and_then(File::open)
            .is_ok_and(|file| file.try_lock_shared().is_err())
    }

    /// The mark of a run; an error where another program trains it.
    pub fn own_run(&self, run: i64) -> Result<RunLock> {
        // Somebody may be asking whether it is taken.
        for _ in 0..20 {
            if let Some(lock) = self.lock_run(run)? {
                return Ok(lock);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(Error::new(format!("run {run} is being trained by another foretaste"))
            .hint("stop it there first (Train, x)"))
    }

    /// Opens a run; `record` is what it trains on (JSON), written down with it or not at all. It is
    /// marked as being trained before anybody can see it.
    pub fn begin_run(&self, new: NewRun<'_>, record: &str) -> Result<(i64, RunLock)> {
        let tx = self.write()?;
        let run = insert_run(&tx, RunStatus::Running, new)?;
        tx.execute("INSERT INTO run_data VALUES (?1, ?2)", params![run, record])?;
        let lock = self.own_run(run)?;
        tx.commit()?;
        Ok((run, lock))
    }

    /// Writes down a run that waits for its turn.
    pub fn queue_run(&self, new: NewRun<'_>) -> Result<i64> {
        let tx = self.write()?;
        let run = insert_run(&tx, RunStatus::Queued, new)?;
        tx.commit()?;
        Ok(run)
    }

    /// Its turn has come: what it trains on and starts from is known now.
    pub fn begin_queued(
        &self,
        run: i64,
        config: &str,
        start: &str,
        steps: u64,
        record: &str,
    ) -> Result<()> {
        let tx = self.write()?;
        let values = params![run, config, start, steps as i64];
        tx.execute("UPDATE runs SET config = ?2, start = ?3, steps = ?4 WHERE id = ?1", values)?;
        tx.execute("INSERT OR REPLACE INTO run_data VALUES (?1, ?2)", params![run, record])?;
        tx.commit()
    }

    /// The run that waits longest.
    pub fn next_queued(&self) -> Result<Option<i64>> {
        let next = "SELECT min(id) FROM runs WHERE status = 'queued'";
        Ok(self.db.query_row(next, [], |row| row.get(0)).optional()?.flatten())
    }

    /// Takes the run that waits longest and that nobody else has taken.
    pub fn claim_queued(&self) -> Result<Option<(i64, RunLock)>> {
        let mut rows =
            self.db.prepare_cached("SELECT id FROM runs WHERE status = 'queued' ORDER BY id")?;
        let waiting: Vec<i64> =
            rows.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        for run in waiting {
            // Another may have taken it, and even ended it, since it was read.
            if let Some(lock) = self.lock_run(run)?
                && self.run(run)?.status == RunStatus::Queued
            {
                return Ok(Some((run, lock)));
            }
        }
        Ok(None)
    }

    /// Writes how a run stands; `pid` is this process while it runs. What it was asked to do is
    /// done or void once it ends.
    pub fn set_run(
        &self,
        run: i64,
        status: RunStatus,
        step: u64,
        error: Option<&str>,
    ) -> Result<()> {
        let pid = (status == RunStatus::Running).then(std::process::id);
        self.execute(
            "UPDATE runs SET status = ?2, step = ?3, error = ?4, pid = ?5, updated_ms = ?6, \
             request = iif(?2 = 'running', request, NULL) WHERE id = ?1",
            params![run, status.as_str(), step as i64, error, pid, now_ms()],
        )?;
        Ok(())
    }

    /// Asks whoever trains a run to end it cleanly. A request in the store and not a signal: a
    /// process number may be somebody else's by now, or one of another machine.
    pub fn request_stop(&self, run: i64) -> Result<()> {
        if !self.is_alive(run) {
            return Err(Error::new(format!("no process trains run {run} now"))
                .hint("r goes on with it here"));
        }
        self.execute("UPDATE runs SET request = 'stop' WHERE id = ?1", [run])?;
        Ok(())
    }

    /// Forgets what whoever trained a run before was asked: for who has just taken its mark, before
    /// anything else.
    pub fn forget_requests(&self, run: i64) -> Result<()> {
        self.execute("UPDATE runs SET request = NULL WHERE id = ?1", [run])?;
        Ok(())
    }

    /// Whether a run was asked to end.
    pub fn stop_requested(&self, run: i64) -> Result<bool> {
        let mut row = self.db.prepare_cached("SELECT request = 'stop' FROM runs WHERE id = ?1")?;
        Ok(row
            .query_row([run], |row| row.get::<_, Option<bool>>(0))
            .optional()?
            .flatten()
            .unwrap_or(false))
    }

    /// The number of its own of a run, in whatever store; older runs have none.
    pub fn run_token(&self, run: i64) -> Result<Option<String>> {
        Ok(self
            .db
            .query_row("SELECT token FROM runs WHERE id = ?1", [run], |row| row.get(0))
            .optional()?
            .flatten())
    }

    /// Takes a run out of every list, with its curves and checkpoints; its number is not given to
    /// another. Returns the folders of its checkpoints, which nothing needs any more.
    pub fn delete_run(&self, run: i64) -> Result<Vec<String>> {
        self.run(run)?;
        let _lock = self.own_run(run)?;
        let tx = self.write()?;
        let all = [self.checkpoints()?, self.deleted_checkpoints()?].concat();
        let own: Vec<Checkpoint> = all.into_iter().filter(|saved| saved.run == run).collect();
        own.iter().try_for_each(|saved| self.check_unneeded(saved))?;
        let folders: Vec<String> = own.into_iter().map(|saved| saved.folder).collect();
        folders.iter().try_for_each(|folder| leave_behind(&tx, folder))?;
        for table in ["metrics", "checkpoints", "run_data", "rollouts"] {
            tx.execute(&format!("DELETE FROM {table} WHERE run = ?1"), [run])?;
        }
        tx.execute(
            "UPDATE runs SET status = 'deleted', pid = NULL, request = NULL WHERE id = ?1",
            [run],
        )?;
        tx.commit()?;
        Ok(folders)
    }

    /// What a run was asked to do, of one that was deleted too.
    pub fn run_config(&self, run: i64) -> Result<String> {
        Ok(self.db.query_row("SELECT config FROM runs WHERE id = ?1", [run], |row| row.get(0))?)
    }

    /// Writes down a run's settings anew.
    pub fn set_run_config(&self, run: i64, config: &str) -> Result<()> {
        let tx = self.write()?;
        tx.execute("UPDATE runs SET config = ?2 WHERE id = ?1", rusqlite::params![run, config])?;
        tx.commit()
    }

    /// All runs, newest first.
    pub fn runs(&self) -> Result<Vec<RunRow>> {
        let mut rows = self.db.prepare_cached(&format!(
            "{RUN} WHERE status <> 'deleted' ORDER BY id DESC LIMIT 500"
        ))?;
        let found: Vec<RunRow> = rows.query_map([], run_row)?.collect::<rusqlite::Result<_>>()?;
        Ok(found.into_iter().map(|run| self.as_it_is(run)).collect())
    }

    /// A run whose process is gone is not running, whatever its row says.
    fn as_it_is(&self, run: RunRow) -> RunRow {
        let gone = run.status == RunStatus::Running && !self.is_alive(run.id);
        if gone { RunRow { status: RunStatus::BrokeOff, pid: None, ..run } } else { run }
    }

    /// One run.
    pub fn run(&self, id: i64) -> Result<RunRow> {
        let found = self
            .db
            .query_row(&format!("{RUN} WHERE id = ?1 AND status <> 'deleted'"), [id], run_row)
            .optional()?;
        found.map(|run| self.as_it_is(run)).ok_or_else(|| {
            Error::new(format!("there is no run {id}"))
                .hint("list them with: foretaste data list runs")
        })
    }

    /// What a run trains on; none of a run that has not begun, or was begun before this was
    /// recorded.
    pub fn run_data(&self, run: i64) -> Result<Option<String>> {
        let record = "SELECT record FROM run_data WHERE run = ?1";
        Ok(self.db.query_row(record, [run], |row| row.get(0)).optional()?)
    }
}
