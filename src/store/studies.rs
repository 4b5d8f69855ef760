//! The jobs of a study: one study a store, each job once.

use rusqlite::{OptionalExtension, Row, params};

use super::{Store, now_ms};
use crate::error::Result;

/// A job as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudyJob {
    /// What it is called.
    pub job: String,
    /// Everything that decides what comes of it, as JSON.
    pub spec: String,
    /// The training run that it began.
    pub run: Option<i64>,
    /// What came of it, as JSON; none until it is finished.
    pub result: Option<String>,
    /// Why it ended without, the last time.
    pub error: Option<String>,
    /// When it was begun first, in milliseconds since 1970.
    pub started_ms: i64,
    /// When it was finished.
    pub finished_ms: Option<i64>,
}

const JOB: &str = "SELECT job, spec, run, result, error, started_ms, finished_ms FROM study_jobs";

fn study_job(row: &Row<'_>) -> rusqlite::Result<StudyJob> {
    Ok(StudyJob {
        job: row.get(0)?,
        spec: row.get(1)?,
        run: row.get(2)?,
        result: row.get(3)?,
        error: row.get(4)?,
        started_ms: row.get(5)?,
        finished_ms: row.get(6)?,
    })
}

impl Store {
    /// All jobs that were ever begun, by name.
    pub fn study_jobs(&self) -> Result<Vec<StudyJob>> {
        let mut all = self.db.prepare_cached(&format!("{JOB} ORDER BY job"))?;
        let rows = all.query_map([], study_job)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The job of that name, if it was ever begun.
    pub fn study_job(&self, job: &str) -> Result<Option<StudyJob>> {
        let one = format!("{JOB} WHERE job = ?1");
        Ok(self.db.prepare_cached(&one)?.query_row([job], study_job).optional()?)
    }

    /// How all that were ever begun stand, without what came of them: the name, whether it is
    /// finished, and why it ended without a result.
    pub fn study_standing(&self) -> Result<Vec<(String, bool, Option<String>)>> {
        let all = "SELECT job, result IS NOT NULL, error FROM study_jobs ORDER BY job";
        let mut all = self.db.prepare_cached(all)?;
        let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// A job begins, or begins again after it was ended; what decides it stays as it was written
    /// first.
    pub fn begin_study_job(&mut self, job: &str, spec: &str) -> Result<()> {
        let tx = self.write()?;
        tx.execute(
            "INSERT INTO study_jobs (job, spec, started_ms) VALUES (?1, ?2, ?3) \
             ON CONFLICT (job) DO UPDATE SET error = NULL",
            params![job, spec, now_ms()],
        )?;
        tx.commit()
    }

    /// The training run that a job has begun.
    pub fn set_study_run(&mut self, job: &str, run: i64) -> Result<()> {
        let tx = self.write()?;
        tx.execute("UPDATE study_jobs SET run = ?2 WHERE job = ?1", params![job, run])?;
        tx.commit()
    }

    /// What came of a job, or why nothing did.
    pub fn end_study_job(&mut self, job: &str, result: &Result<String>) -> Result<()> {
        let tx = self.write()?;
        match result {
            Ok(found) => tx.execute(
                "UPDATE study_jobs SET result = ?2, error = NULL, finished_ms = ?3 WHERE job = ?1",
                params![job, found, now_ms()],
            )?,
            Err(why) => tx.execute(
                "UPDATE study_jobs SET error = ?2 WHERE job = ?1",
                params![job, why.message()],
            )?,
        };
        tx.commit()
    }

    /// A job that was finished elsewhere, as it was written down there; one that is finished here
    /// stays as it is. Returns whether it was taken.
    pub fn import_study_job(&mut self, job: &StudyJob) -> Result<bool> {
        let tx = self.write()?;
        let taken = tx.execute(
            "INSERT INTO study_jobs (job, spec, run, result, started_ms, finished_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (job) DO UPDATE \
             SET spec = excluded.spec, run = NULL, result = excluded.result, error = NULL, \
             finished_ms = excluded.finished_ms WHERE study_jobs.result IS NULL",
            params![job.job, job.spec, job.run, job.result, job.started_ms, job.finished_ms],
        )?;
        tx.commit()?;
        Ok(taken > 0)
    }
}
