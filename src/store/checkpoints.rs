//! Checkpoints: which there are, who needs them, and what is still to be removed of those that were
//! taken out.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::{Store, now_ms};
use crate::error::{Error, Result};
use crate::paths::read_whole;
use crate::place::model_alone;

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
    /// The digest of its weights; older ones have none.
    pub digest: Option<String>,
    /// What a person calls it.
    pub label: Option<String>,
    /// What a person wrote about it.
    pub note: String,
    /// When it was saved, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was deleted, if it was.
    pub deleted_ms: Option<i64>,
}

impl Checkpoint {
    /// What it is called.
    pub fn name(&self) -> String {
        format!("run {} step {}", self.run, self.step)
    }
}

/// The file in which a checkpoint's folder says whose it is.
pub const STATE: &str = "trainer.json";

/// Such a file has some hundred bytes.
const STATE_SIZE: u64 = 1 << 20;

/// How a setting begins that names a folder which is to be removed.
const LEFT_BEHIND: &str = "left behind ";

pub(super) fn leave_behind(tx: &Connection, folder: &str) -> Result<()> {
    tx.execute(
        "INSERT OR REPLACE INTO settings (key, value) VALUES (?1, '')",
        [format!("{LEFT_BEHIND}{folder}")],
    )?;
    Ok(())
}

const CHECKPOINT: &str =
    "SELECT id, run, step, folder, digest, name, note, created_ms, deleted_ms FROM checkpoints";

fn checkpoint_row(row: &Row<'_>) -> rusqlite::Result<Checkpoint> {
    Ok(Checkpoint {
        id: row.get(0)?,
        run: row.get(1)?,
        step: row.get::<_, i64>(2)? as u64,
        folder: row.get(3)?,
        digest: row.get(4)?,
        label: row.get(5)?,
        note: row.get(6)?,
        created_ms: row.get(7)?,
        deleted_ms: row.get(8)?,
    })
}

impl Store {
    /// Takes a checkpoint's row out; its folder is the caller's to remove, afterwards.
    pub fn delete_checkpoint(&self, saved: &Checkpoint) -> Result<()> {
        let tx = self.write()?;
        tx.execute("DELETE FROM checkpoints WHERE id = ?1", [saved.id])?;
        leave_behind(&tx, &saved.folder)?;
        tx.commit()
    }

    /// Whether a folder of checkpoints says that it holds a run's weights; one that says nothing
    /// was written by an older program, as were runs without a number of their own.
    pub fn is_own_folder(&self, run: i64, folder: &str) -> Result<bool> {
        let state = read_whole(&self.root.join(folder).join(STATE), STATE_SIZE).unwrap_or_default();
        let state: serde_json::Value = serde_json::from_slice(&state).unwrap_or_default();
        Ok(self.root.join(folder).is_dir()
            && self.run_token(run)?.as_deref() == state["token"].as_str())
    }

    /// Folders of checkpoints that were taken out and may still be there: a kill came before they
    /// were removed.
    pub fn left_behind(&self) -> Result<Vec<String>> {
        let left = "SELECT substr(key, length(?1) + 1) FROM settings WHERE key LIKE ?1 || '%'";
        let mut rows = self.db.prepare_cached(left)?;
        let folders = rows.query_map([LEFT_BEHIND], |row| row.get(0))?;
        Ok(folders.collect::<rusqlite::Result<_>>()?)
    }

    /// The folder of a checkpoint that was taken out is gone.
    pub fn is_gone(&self, folder: &str) -> Result<()> {
        self.execute("DELETE FROM settings WHERE key = ?1", [format!("{LEFT_BEHIND}{folder}")])?;
        Ok(())
    }

    /// An error for a checkpoint that a run which is not finished started from, or waits to start
    /// from.
    pub fn check_unneeded(&self, saved: &Checkpoint) -> Result<()> {
        let run = self.db.query_row(
            "SELECT id FROM runs WHERE status NOT IN ('deleted', 'finished') AND id <> ?1 AND \
             start IN (?2, ?3)",
            params![saved.run, saved.name(), saved.id.to_string()],
            |row| row.get::<_, i64>(0),
        );
        match run.optional()? {
            Some(run) => Err(Error::new(format!(
                "run {run} starts from checkpoint {} ({})",
                saved.id,
                saved.name()
            ))
            .hint(format!(
                "finish it first, or take it out with: foretaste data delete --run {run}"
            ))),
            None => Ok(()),
        }
    }

    /// What models are called that something still refers to: a run that started or waits to start
    /// from one (by its name or its number), an evaluation of it, a visit by it, whatever its products.
    pub fn model_names_in_use(&self) -> Result<HashSet<String>> {
        let mut rows = self.db.prepare_cached(
            "SELECT start FROM runs WHERE status <> 'deleted' UNION SELECT checkpoint FROM \
             evaluations UNION SELECT DISTINCT actor FROM trajectories WHERE purpose = 'visit' AND \
             deleted = 0",
        )?;
        let name = |row: &Row<'_>| row.get(0).map(|name: String| model_alone(&name).to_string());
        Ok(rows.query_map([], name)?.collect::<rusqlite::Result<_>>()?)
    }

    /// Records a checkpoint whose folder is already in place, with the digest of its weights.
    pub fn add_checkpoint(&self, run: i64, step: u64, folder: &str, digest: &str) -> Result<i64> {
        let tx = self.write()?;
        // One that was deleted and is made again (a run went back and on) is this one.
        tx.execute(
            "DELETE FROM checkpoints WHERE run = ?1 AND step = ?2 AND deleted_ms IS NOT NULL",
            params![run, step as i64],
        )?;
        tx.execute(
            "INSERT INTO checkpoints (run, step, folder, created_ms, digest) VALUES (?1, ?2, ?3, \
             ?4, ?5)",
            params![run, step as i64, folder, now_ms(), digest],
        )?;
        let id = tx.last_insert_rowid();
        tx.commit()?;
        Ok(id)
    }

    /// All checkpoints, newest first.
    pub fn checkpoints(&self) -> Result<Vec<Checkpoint>> {
        self.checkpoints_where("deleted_ms IS NULL")
    }

    /// Checkpoints that were deleted and whose files are still there, the last deleted first.
    pub fn deleted_checkpoints(&self) -> Result<Vec<Checkpoint>> {
        let mut found = self.checkpoints_where("deleted_ms IS NOT NULL")?;
        found.sort_by_key(|saved| std::cmp::Reverse(saved.deleted_ms));
        Ok(found)
    }

    /// Checkpoints that were deleted before a moment (milliseconds since 1970).
    pub fn deleted_before(&self, moment: i64) -> Result<Vec<Checkpoint>> {
        self.checkpoints_where(&format!("deleted_ms < {moment}"))
    }

    fn checkpoints_where(&self, condition: &str) -> Result<Vec<Checkpoint>> {
        let mut rows =
            self.db.prepare_cached(&format!("{CHECKPOINT} WHERE {condition} ORDER BY id DESC"))?;
        Ok(rows.query_map([], checkpoint_row)?.collect::<rusqlite::Result<_>>()?)
    }

    /// Takes a checkpoint out of every list as of a moment, or brings it back (none); its files
    /// stay.
    pub fn set_checkpoint_deleted(&self, id: i64, when: Option<i64>) -> Result<()> {
        self.execute("UPDATE checkpoints SET deleted_ms = ?2 WHERE id = ?1", params![id, when])?;
        Ok(())
    }

    /// Whether a checkpoint that is there, or can come back, has its files in this folder.
    pub fn has_folder(&self, folder: &str) -> Result<bool> {
        let mut rows = self.db.prepare_cached("SELECT 1 FROM checkpoints WHERE folder = ?1")?;
        Ok(rows.exists([folder])?)
    }

    /// Gives a checkpoint a name of its own (none takes it away), by which every command finds it.
    ///
    /// # Errors
    /// Where the name means something else, or is another checkpoint's.
    pub fn label_checkpoint(&self, id: i64, label: Option<&str>) -> Result<()> {
        let label = label.map(str::trim).filter(|label| !label.is_empty());
        if let Some(label) = label {
            let odd = label.chars().all(|c| c.is_ascii_digit())
                || ["embedded", "embedded-alfworld", "novice", "newest"].contains(&label)
                || label.starts_with("run ")
                || label.contains(['/', '\\', '+'])
                || label.chars().any(char::is_control);
            if odd || label.chars().count() > 60 {
                return Err(Error::new(format!("a checkpoint cannot be called `{label}`")).hint(
                    "a short name without / and +, which is no number and no model of the program",
                ));
            }
        }
        let tx = self.write()?;
        let taken = "SELECT id FROM checkpoints WHERE name = ?1 AND id <> ?2";
        let taken: Option<i64> =
            tx.query_row(taken, params![label, id], |row| row.get(0)).optional()?;
        if let (Some(other), Some(label)) = (taken, label) {
            return Err(Error::new(format!("checkpoint {other} is called `{label}` already"))
                .hint("choose another name"));
        }
        tx.execute("UPDATE checkpoints SET name = ?2 WHERE id = ?1", params![id, label])?;
        tx.commit()
    }

    /// Writes down what a person says about a checkpoint.
    pub fn note_checkpoint(&self, id: i64, note: &str) -> Result<()> {
        self.execute("UPDATE checkpoints SET note = ?2 WHERE id = ?1", params![id, note.trim()])?;
        Ok(())
    }

    /// The newest checkpoint of a run, or of all runs.
    pub fn latest_checkpoint(&self, run: Option<i64>) -> Result<Option<Checkpoint>> {
        let sql = format!(
            "{CHECKPOINT} WHERE deleted_ms IS NULL AND (?1 IS NULL OR run = ?1) ORDER BY id DESC \
             LIMIT 1"
        );
        Ok(self.db.query_row(&sql, [run], checkpoint_row).optional()?)
    }
}
