//! The curation queue: reflections, their versions, and every act of a person, undoable across restarts.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::{Store, now_ms};
use crate::error::{Error, Result};
use crate::experience::{Reflection, Verdict};

/// What a person does with a reflection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Fit for training as it stands.
    Approve,
    /// Not fit; the code says why.
    Reject(String),
    /// A new version beside the old ones, approved.
    Edit(String),
    /// Back to pending.
    Requeue,
}

/// One page of the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queue {
    /// Reflections in order.
    pub items: Vec<Reflection>,
    /// How many are pending, approved, rejected.
    pub standing: [u64; 3],
}

/// What [`Store::undo`] took back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undone {
    /// The act ("approve", "reject", "edit", "requeue").
    pub act: String,
    /// The reflection it was about.
    pub reflection: i64,
    /// How the reflection stands now.
    pub verdict: Verdict,
}

/// The standing of each reflection: its latest act that was not undone.
const CURRENT: &str = "SELECT r.id, r.trajectory, r.t, r.generator, r.cites, d.verdict, d.reason, coalesce(d.version, 1) AS version \
    FROM reflections r JOIN trajectories j ON j.id = r.trajectory AND j.deleted = 0 \
    LEFT JOIN decisions d ON d.id = (SELECT max(id) FROM decisions WHERE reflection = r.id AND undone = 0)";

/// How one reflection stands, and which version counts.
fn current(db: &Connection, reflection: i64) -> Result<(Verdict, i64)> {
    let latest = "SELECT verdict, version FROM decisions WHERE reflection = ?1 AND undone = 0 ORDER BY id DESC LIMIT 1";
    let found: Option<(String, i64)> =
        db.query_row(latest, [reflection], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let standing = found.map(|(word, version)| (Verdict::from_word(&word).unwrap_or(Verdict::Pending), version));
    Ok(standing.unwrap_or((Verdict::Pending, 1)))
}

impl Store {
    /// Records a decision in one transaction; when it returns, the decision survives any crash.
    pub fn decide(&mut self, reflection: i64, decision: &Decision) -> Result<()> {
        let tx = self.db.transaction()?;
        let versions: i64 =
            tx.query_row("SELECT count(*) FROM versions WHERE reflection = ?1", [reflection], |row| row.get(0))?;
        if versions == 0 {
            return Err(Error::new(format!("there is no reflection {reflection}"))
                .hint("list them with: foretaste data list reflections"));
        }
        let (_, mut version) = current(&tx, reflection)?;
        let (act, verdict, reason) = match decision {
            Decision::Approve => ("approve", Verdict::Approved, None),
            Decision::Reject(code) => ("reject", Verdict::Rejected, Some(code.as_str())),
            Decision::Requeue => ("requeue", Verdict::Pending, None),
            Decision::Edit(text) => {
                version = versions + 1;
                tx.execute(
                    "INSERT INTO versions VALUES (?1, ?2, 'you', ?3, ?4)",
                    params![reflection, version, text, now_ms()],
                )?;
                ("edit", Verdict::Approved, None)
            }
        };
        tx.execute(
            "INSERT INTO decisions (reflection, act, verdict, reason, version, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![reflection, act, verdict.word(), reason, version, now_ms()],
        )?;
        tx.commit()?;
        Ok(())
    }

    /// Takes back the latest act that was not undone yet; none if there is nothing to undo. Versions stay.
    pub fn undo(&mut self) -> Result<Option<Undone>> {
        let tx = self.db.transaction()?;
        let last: Option<(i64, String, i64)> = tx
            .query_row("SELECT id, act, reflection FROM decisions WHERE undone = 0 ORDER BY id DESC LIMIT 1", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((id, act, reflection)) = last else { return Ok(None) };
        tx.execute("UPDATE decisions SET undone = 1 WHERE id = ?1", [id])?;
        let (verdict, _) = current(&tx, reflection)?;
        tx.commit()?;
        Ok(Some(Undone { act, reflection, verdict }))
    }

    /// How many reflections are pending, approved, rejected.
    pub fn standing(&self) -> Result<[u64; 3]> {
        let mut rows = self
            .db
            .prepare_cached(&format!("SELECT coalesce(verdict, 'pending'), count(*) FROM ({CURRENT}) GROUP BY 1"))?;
        let mut standing = [0; 3];
        let found = rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
        for pair in found {
            let (word, count) = pair?;
            standing[Verdict::from_word(&word).unwrap_or(Verdict::Pending) as usize] += count as u64;
        }
        Ok(standing)
    }

    /// Reflections of one standing (or of all), oldest first, at most `limit`.
    pub fn queue(&self, verdict: Option<Verdict>, limit: usize) -> Result<Queue> {
        let mut rows = self.db.prepare_cached(&format!(
            "{CURRENT} WHERE ?1 IS NULL OR coalesce(d.verdict, 'pending') = ?1 ORDER BY r.id LIMIT ?2"
        ))?;
        let found = rows.query_map(params![verdict.map(Verdict::word), limit as i64], |row| {
            let verdict: Option<String> = row.get(5)?;
            let version: i64 = row.get(7)?;
            Ok((
                Reflection {
                    id: row.get(0)?,
                    trajectory: row.get(1)?,
                    t: row.get::<_, i64>(2)? as usize,
                    generator: row.get(3)?,
                    cites: serde_json::from_str(&row.get::<_, String>(4)?).unwrap_or_default(),
                    versions: Vec::new(),
                    verdict: verdict.and_then(|word| Verdict::from_word(&word)).unwrap_or(Verdict::Pending),
                    reason: row.get(6)?,
                },
                version,
            ))
        })?;
        let mut items = Vec::new();
        for pair in found {
            let (mut item, version) = pair?;
            item.versions = self.versions(item.id, version)?;
            items.push(item);
        }
        Ok(Queue { items, standing: self.standing()? })
    }

    /// Versions 1 and the one that stands now (the texts between them stay in the store).
    fn versions(&self, reflection: i64, current: i64) -> Result<Vec<String>> {
        let mut rows =
            self.db.prepare_cached("SELECT text FROM versions WHERE reflection = ?1 AND (n = 1 OR n = ?2) ORDER BY n")?;
        let texts = rows.query_map(params![reflection, current], |row| row.get(0))?;
        Ok(texts.collect::<rusqlite::Result<_>>()?)
    }

    /// The states of a trajectory that a generator has already written about.
    pub fn reflected(&self, trajectory: i64, generator: &str) -> Result<Vec<usize>> {
        let mut rows = self.db.prepare_cached("SELECT t FROM reflections WHERE trajectory = ?1 AND generator = ?2")?;
        let found = rows.query_map(params![trajectory, generator], |row| Ok(row.get::<_, i64>(0)? as usize))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Approved reflections of a trajectory: state index and text.
    pub fn approved(&self, trajectory: i64) -> Result<Vec<(usize, String)>> {
        let mut rows = self.db.prepare_cached(&format!(
            "SELECT c.t, v.text FROM ({CURRENT} WHERE r.trajectory = ?1 AND d.verdict = 'approved') c \
             JOIN versions v ON v.reflection = c.id AND v.n = c.version ORDER BY c.t, c.id"
        ))?;
        let found = rows.query_map([trajectory], |row| Ok((row.get::<_, i64>(0)? as usize, row.get(1)?)))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}
