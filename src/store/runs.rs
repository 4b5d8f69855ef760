//! Training runs, their metrics and checkpoints, and evaluations.

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

use super::{Store, now_ms};
use crate::error::{Error, Result};

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Training now (or its process died without saying so).
    Running,
    /// Stopped on request; can be resumed.
    Stopped,
    /// All its updates are done.
    Finished,
    /// It failed; the error says why.
    Failed,
    /// It waits for its turn.
    Queued,
}

impl RunStatus {
    /// The word used in the store and on screens.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Queued => "queued",
        }
    }

    fn from_word(word: &str) -> Self {
        let all = [Self::Running, Self::Stopped, Self::Finished, Self::Failed, Self::Queued];
        all.into_iter().find(|status| status.word() == word).unwrap_or(Self::Failed)
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
}

/// A metric at a step; the value is absent where it was not a number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MetricPoint {
    /// The update.
    pub step: u64,
    /// The value.
    pub value: Option<f64>,
    /// When, in milliseconds since the run began.
    pub wall_ms: i64,
    /// Tokens trained on by then; none in runs that did not count them.
    pub tokens: Option<f64>,
}

/// A saved checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checkpoint {
    /// Row id.
    pub id: i64,
    /// The run.
    pub run: i64,
    /// The update.
    pub step: u64,
    /// Its folder below the data directory.
    pub folder: String,
}

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: row.get(0)?,
        objective: row.get(1)?,
        status: RunStatus::from_word(&row.get::<_, String>(2)?),
        config: row.get(3)?,
        seed: row.get::<_, i64>(4)? as u64,
        start: row.get(5)?,
        step: row.get::<_, i64>(6)? as u64,
        steps: row.get::<_, i64>(7)? as u64,
        pid: row.get(8)?,
        error: row.get(9)?,
    })
}

const RUN: &str = "SELECT id, objective, status, config, seed, start, step, steps, pid, error FROM runs";

fn checkpoint_row(row: &Row<'_>) -> rusqlite::Result<Checkpoint> {
    Ok(Checkpoint { id: row.get(0)?, run: row.get(1)?, step: row.get::<_, i64>(2)? as u64, folder: row.get(3)? })
}

impl Store {
    /// Opens a run; `record` is what it trains on (JSON), written down with it or not at all.
    pub fn begin_run(
        &self,
        objective: &str,
        config: &str,
        seed: u64,
        start: &str,
        steps: u64,
        record: &str,
    ) -> Result<i64> {
        let tx = self.db.unchecked_transaction()?;
        let run = self.insert_run(RunStatus::Running, objective, config, seed, start, steps)?;
        tx.execute("INSERT INTO run_data VALUES (?1, ?2)", params![run, record])?;
        tx.commit()?;
        Ok(run)
    }

    fn insert_run(
        &self,
        status: RunStatus,
        objective: &str,
        config: &str,
        seed: u64,
        start: &str,
        steps: u64,
    ) -> Result<i64> {
        let pid = (status == RunStatus::Running).then(std::process::id);
        self.db.execute(
            "INSERT INTO runs (objective, status, config, seed, start, steps, pid, created_ms, updated_ms) \
             VALUES (?1, ?8, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
            params![objective, config, seed as i64, start, steps as i64, pid, now_ms(), status.word()],
        )?;
        Ok(self.db.last_insert_rowid())
    }

    /// Writes down a run that waits for its turn; `start` is what a person asked for, nothing for the newest checkpoint.
    pub fn queue_run(&self, objective: &str, config: &str, seed: u64, start: &str, steps: u64) -> Result<i64> {
        self.insert_run(RunStatus::Queued, objective, config, seed, start, steps)
    }

    /// Its turn has come: what it trains on and starts from is known now.
    pub fn begin_queued(&self, run: i64, config: &str, start: &str, steps: u64, record: &str) -> Result<()> {
        let tx = self.db.unchecked_transaction()?;
        let values = params![run, config, start, steps as i64];
        tx.execute("UPDATE runs SET config = ?2, start = ?3, steps = ?4 WHERE id = ?1", values)?;
        tx.execute("INSERT OR REPLACE INTO run_data VALUES (?1, ?2)", params![run, record])?;
        tx.commit()?;
        Ok(())
    }

    /// The run that waits longest.
    pub fn next_queued(&self) -> Result<Option<i64>> {
        let next = "SELECT min(id) FROM runs WHERE status = 'queued'";
        Ok(self.db.query_row(next, [], |row| row.get(0)).optional()?.flatten())
    }

    /// Writes how a run stands; `pid` is this process while it runs.
    pub fn set_run(&self, run: i64, status: RunStatus, step: u64, error: Option<&str>) -> Result<()> {
        let pid = (status == RunStatus::Running).then(std::process::id);
        self.db.execute(
            "UPDATE runs SET status = ?2, step = ?3, error = ?4, pid = ?5, updated_ms = ?6 WHERE id = ?1",
            params![run, status.word(), step as i64, error, pid, now_ms()],
        )?;
        Ok(())
    }

    /// Saves the metrics of one update and how far the run is, in one transaction. Writing an update again (after a
    /// resume) replaces it.
    pub fn add_metrics(&mut self, run: i64, step: u64, wall_ms: i64, metrics: &[(String, f64)]) -> Result<()> {
        let tx = self.db.transaction()?;
        for (name, value) in metrics {
            let value = value.is_finite().then_some(*value);
            tx.prepare_cached("INSERT OR REPLACE INTO metrics VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
                run,
                step as i64,
                name,
                value,
                wall_ms
            ])?;
        }
        tx.execute("UPDATE runs SET step = ?2, updated_ms = ?3 WHERE id = ?1", params![run, step as i64, now_ms()])?;
        tx.commit()?;
        Ok(())
    }

    /// The metric of a run by step.
    pub fn metric(&self, run: i64, name: &str) -> Result<Vec<MetricPoint>> {
        let mut rows = self.db.prepare_cached(
            "SELECT m.step, m.value, m.wall_ms, t.value FROM metrics m \
             LEFT JOIN metrics t ON t.run = m.run AND t.name = 'tokens' AND t.step = m.step \
             WHERE m.run = ?1 AND m.name = ?2 ORDER BY m.step",
        )?;
        let found = rows.query_map(params![run, name], |row| {
            let step = row.get::<_, i64>(0)? as u64;
            Ok(MetricPoint { step, value: row.get(1)?, wall_ms: row.get(2)?, tokens: row.get(3)? })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// The names of a run's metrics.
    pub fn metric_names(&self, run: i64) -> Result<Vec<String>> {
        let mut rows = self.db.prepare_cached("SELECT DISTINCT name FROM metrics WHERE run = ?1 ORDER BY name")?;
        Ok(rows.query_map([run], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
    }

    /// All runs, newest first.
    pub fn runs(&self) -> Result<Vec<RunRow>> {
        let mut rows = self.db.prepare_cached(&format!("{RUN} ORDER BY id DESC LIMIT 500"))?;
        Ok(rows.query_map([], run_row)?.collect::<rusqlite::Result<_>>()?)
    }

    /// One run.
    pub fn run(&self, id: i64) -> Result<RunRow> {
        let found = self.db.query_row(&format!("{RUN} WHERE id = ?1"), [id], run_row).optional()?;
        found.ok_or_else(|| Error::new(format!("there is no run {id}")).hint("list them with: foretaste data list runs"))
    }

    /// What a run trains on; none of a run that has not begun, or was begun before this was recorded.
    pub fn run_data(&self, run: i64) -> Result<Option<String>> {
        let record = "SELECT record FROM run_data WHERE run = ?1";
        Ok(self.db.query_row(record, [run], |row| row.get(0)).optional()?)
    }

    /// Records a checkpoint whose folder is already in place.
    pub fn add_checkpoint(&self, run: i64, step: u64, folder: &str) -> Result<i64> {
        self.db.execute(
            "INSERT INTO checkpoints (run, step, folder, created_ms) VALUES (?1, ?2, ?3, ?4)",
            params![run, step as i64, folder, now_ms()],
        )?;
        Ok(self.db.last_insert_rowid())
    }

    /// All checkpoints, newest first.
    pub fn checkpoints(&self) -> Result<Vec<Checkpoint>> {
        let mut rows =
            self.db.prepare_cached("SELECT id, run, step, folder FROM checkpoints ORDER BY id DESC LIMIT 500")?;
        Ok(rows.query_map([], checkpoint_row)?.collect::<rusqlite::Result<_>>()?)
    }

    /// The newest checkpoint of a run, or of all runs.
    pub fn latest_checkpoint(&self, run: Option<i64>) -> Result<Option<Checkpoint>> {
        let sql = "SELECT id, run, step, folder FROM checkpoints WHERE ?1 IS NULL OR run = ?1 ORDER BY id DESC LIMIT 1";
        Ok(self.db.query_row(sql, [run], checkpoint_row).optional()?)
    }
}
