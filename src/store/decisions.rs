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
    /// Wanted for a second look, or no longer; how it stands does not change.
    Flag(bool),
    /// Another generated attempt, pending; who wrote it, and the text.
    Attempt(String, String),
}

impl Decision {
    /// The word in the store.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject(_) => "reject",
            Self::Edit(_) => "edit",
            Self::Requeue => "requeue",
            Self::Flag(true) => "flag",
            Self::Flag(false) => "unflag",
            Self::Attempt(..) => "attempt",
        }
    }
}

/// Which reflections a queue lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Filter {
    /// Only those that stand so.
    pub verdict: Option<Verdict>,
    /// Only those flagged.
    #[serde(default)]
    pub flagged: bool,
    /// Only those that a rule points at.
    #[serde(default)]
    pub suspected: bool,
    /// Only those whose text, task or kind of task contains this, whatever its case.
    #[serde(default)]
    pub words: String,
}

impl Filter {
    /// Everything that stands so.
    pub fn verdict(verdict: Option<Verdict>) -> Self {
        Self { verdict, ..Self::default() }
    }
}

/// One act of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    /// Row id, in the order of the acts.
    pub id: i64,
    /// The reflection.
    pub reflection: i64,
    /// What was done.
    pub act: String,
    /// How it stood then.
    pub verdict: String,
    /// The code of a rejection.
    pub reason: Option<String>,
    /// The version that counted.
    pub version: i64,
    /// Acts of one bulk decision share this.
    pub batch: Option<i64>,
    /// When, in milliseconds since 1970.
    pub created_ms: i64,
    /// Whether it was taken back.
    pub undone: bool,
}

/// Figures of a curation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Statistics {
    /// Kind of task: approved, rejected.
    pub kinds: Vec<(String, u64, u64)>,
    /// First word of the expert's action: approved, rejected.
    pub actions: Vec<(String, u64, u64)>,
    /// Code of a rejection: how often.
    pub reasons: Vec<(String, u64)>,
    /// Reflections whose standing version a person wrote.
    pub edited: u64,
    /// Reflections with more than one generated attempt.
    pub regenerated: u64,
    /// States that have reflections, and states with an approved one.
    pub states: (u64, u64),
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
    /// How many reflections it was about.
    pub count: u64,
}

/// The standing of each reflection: its latest act that was not undone.
const CURRENT: &str = "SELECT r.id, r.trajectory, r.t, r.generator, r.cites, d.verdict, d.reason, coalesce(d.version, 1) AS version \
    FROM reflections r JOIN trajectories j ON j.id = r.trajectory AND j.deleted = 0 \
    LEFT JOIN decisions d ON d.id = (SELECT max(id) FROM decisions WHERE reflection = r.id AND undone = 0)";

/// How one reflection stands, for what reason, and which version counts.
fn current(db: &Connection, reflection: i64) -> Result<(Verdict, Option<String>, i64)> {
    let latest =
        "SELECT verdict, reason, version FROM decisions WHERE reflection = ?1 AND undone = 0 ORDER BY id DESC LIMIT 1";
    let found: Option<(String, Option<String>, i64)> =
        db.query_row(latest, [reflection], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let standing = found.map(|(word, reason, n)| (Verdict::from_word(&word).unwrap_or(Verdict::Pending), reason, n));
    Ok(standing.unwrap_or((Verdict::Pending, None, 1)))
}

/// Writes one act, and the version that it brings.
fn record(db: &Connection, reflection: i64, decision: &Decision, batch: Option<i64>) -> Result<()> {
    let versions: i64 =
        db.query_row("SELECT count(*) FROM versions WHERE reflection = ?1", [reflection], |row| row.get(0))?;
    if versions == 0 {
        return Err(Error::new(format!("there is no reflection {reflection}"))
            .hint("list them with: foretaste data list reflections"));
    }
    let (standing, why, version) = current(db, reflection)?;
    let (verdict, reason) = match decision {
        Decision::Approve | Decision::Edit(_) => (Verdict::Approved, None),
        Decision::Reject(code) => (Verdict::Rejected, Some(code.clone())),
        Decision::Requeue | Decision::Attempt(..) => (Verdict::Pending, None),
        Decision::Flag(_) => (standing, why),
    };
    let written = match decision {
        Decision::Edit(text) => Some(("you", text)),
        Decision::Attempt(author, text) => Some((author.as_str(), text)),
        _ => None,
    };
    if let Some((author, text)) = written {
        let values = params![reflection, versions + 1, author, text, now_ms()];
        db.execute("INSERT INTO versions VALUES (?1, ?2, ?3, ?4, ?5)", values)?;
    }
    db.execute(
        "INSERT INTO decisions (reflection, act, verdict, reason, version, created_ms, batch) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            reflection,
            decision.word(),
            verdict.word(),
            reason,
            if written.is_some() { versions + 1 } else { version },
            now_ms(),
            batch
        ],
    )?;
    Ok(())
}

impl Store {
    /// Records a decision in one transaction; when it returns, the decision survives any crash.
    pub fn decide(&mut self, reflection: i64, decision: &Decision) -> Result<()> {
        self.decide_all(&[reflection], decision)
    }

    /// Records the same decision about several reflections as one act: all of them or none, and one undo.
    pub fn decide_all(&mut self, reflections: &[i64], decision: &Decision) -> Result<()> {
        let tx = self.db.transaction()?;
        let mut batch: Option<i64> = None;
        for &reflection in reflections {
            record(&tx, reflection, decision, batch)?;
            let id = tx.last_insert_rowid();
            if reflections.len() > 1 && batch.is_none() {
                tx.execute("UPDATE decisions SET batch = ?1 WHERE id = ?1", [id])?;
                batch = Some(id);
            }
            tx.execute("DELETE FROM drafts WHERE reflection = ?1", [reflection])?;
        }
        tx.commit()?;
        Ok(())
    }

    /// Takes back the latest act that was not undone yet; none if there is nothing to undo. Versions stay.
    pub fn undo(&mut self) -> Result<Option<Undone>> {
        self.turn_back("SELECT id FROM decisions WHERE undone = 0 ORDER BY id DESC LIMIT 1", true)
    }

    /// Does again what [`Store::undo`] took back last; none once something else was decided since.
    pub fn redo(&mut self) -> Result<Option<Undone>> {
        let next = "SELECT min(id) FROM decisions WHERE undone = 1 AND id > \
                    coalesce((SELECT max(id) FROM decisions WHERE undone = 0), 0)";
        self.turn_back(next, false)
    }

    fn turn_back(&mut self, which: &str, undone: bool) -> Result<Option<Undone>> {
        let tx = self.db.transaction()?;
        let id: Option<i64> = tx.query_row(which, [], |row| row.get(0)).optional()?.flatten();
        let Some(id) = id else { return Ok(None) };
        let (act, reflection, batch): (String, i64, Option<i64>) =
            tx.query_row("SELECT act, reflection, batch FROM decisions WHERE id = ?1", [id], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        let count =
            tx.execute("UPDATE decisions SET undone = ?3 WHERE id = ?1 OR batch = ?2", params![id, batch, undone])? as u64;
        let (verdict, _, _) = current(&tx, reflection)?;
        tx.commit()?;
        Ok(Some(Undone { act, reflection, verdict, count }))
    }

    /// Keeps an unfinished edit; none forgets it.
    pub fn set_draft(&self, reflection: i64, text: Option<&str>) -> Result<()> {
        match text {
            Some(text) => {
                self.db.execute("INSERT OR REPLACE INTO drafts VALUES (?1, ?2, ?3)", params![reflection, text, now_ms()])?
            }
            None => self.db.execute("DELETE FROM drafts WHERE reflection = ?1", [reflection])?,
        };
        Ok(())
    }

    /// The latest acts, newest first.
    pub fn audit(&self, limit: usize) -> Result<Vec<AuditRow>> {
        let mut rows = self.db.prepare_cached(
            "SELECT id, reflection, act, verdict, reason, version, batch, created_ms, undone FROM decisions \
             ORDER BY id DESC LIMIT ?1",
        )?;
        let found = rows.query_map([limit as i64], |row| {
            Ok(AuditRow {
                id: row.get(0)?,
                reflection: row.get(1)?,
                act: row.get(2)?,
                verdict: row.get(3)?,
                reason: row.get(4)?,
                version: row.get(5)?,
                batch: row.get(6)?,
                created_ms: row.get(7)?,
                undone: row.get(8)?,
            })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Figures of the curation so far.
    pub fn statistics(&self) -> Result<Statistics> {
        let split = |by: &str| -> Result<Vec<(String, u64, u64)>> {
            let mut rows = self.db.prepare(&format!(
                "SELECT {by}, sum(c.verdict = 'approved'), sum(c.verdict = 'rejected') FROM ({CURRENT}) c \
                 JOIN trajectories j ON j.id = c.trajectory JOIN steps s ON s.trajectory = c.trajectory AND s.t = c.t \
                 WHERE c.verdict IN ('approved', 'rejected') GROUP BY 1 ORDER BY 2 + 3 DESC"
            ))?;
            let found =
                rows.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64)))?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        };
        let mut rows = self.db.prepare(&format!(
            "SELECT reason, count(*) FROM ({CURRENT}) WHERE verdict = 'rejected' GROUP BY 1 ORDER BY 2 DESC"
        ))?;
        let reasons = rows.query_map([], |row| {
            Ok((row.get::<_, Option<String>>(0)?.unwrap_or_default(), row.get::<_, i64>(1)? as u64))
        })?;
        let count = |sql: &str| -> Result<u64> { Ok(self.db.query_row(sql, [], |row| row.get::<_, i64>(0))? as u64) };
        Ok(Statistics {
            kinds: split("j.kind")?,
            actions: split("substr(s.action, 1, instr(s.action || ' ', ' ') - 1)")?,
            reasons: reasons.collect::<rusqlite::Result<_>>()?,
            edited: count(&format!(
                "SELECT count(*) FROM ({CURRENT}) c JOIN versions v ON v.reflection = c.id AND v.n = c.version \
                 AND v.author = 'you'"
            ))?,
            regenerated: count("SELECT count(DISTINCT reflection) FROM decisions WHERE act = 'attempt' AND undone = 0")?,
            states: (
                count(&format!("SELECT count(*) FROM (SELECT DISTINCT trajectory, t FROM ({CURRENT}))"))?,
                count(&format!(
                    "SELECT count(*) FROM (SELECT DISTINCT trajectory, t FROM ({CURRENT}) WHERE verdict = 'approved')"
                ))?,
            ),
        })
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

    /// Reflections under a filter (but for what rules say, which are not the store's), oldest first, at most `limit`.
    pub fn queue(&self, filter: &Filter, limit: usize) -> Result<Queue> {
        let mut rows = self.db.prepare_cached(&format!(
            "SELECT c.*, coalesce((SELECT act FROM decisions WHERE reflection = c.id AND undone = 0 \
             AND act IN ('flag', 'unflag') ORDER BY id DESC LIMIT 1), '') = 'flag' AS flagged, \
             (SELECT text FROM drafts WHERE reflection = c.id), (SELECT count(*) FROM versions WHERE reflection = c.id) \
             FROM ({CURRENT}) c WHERE (?1 IS NULL OR coalesce(c.verdict, 'pending') = ?1) AND (?3 = 0 OR flagged) \
             AND (?4 = '' OR EXISTS (SELECT 1 FROM versions v JOIN trajectories j ON j.id = c.trajectory \
             WHERE v.reflection = c.id AND v.n = c.version AND instr(lower(j.kind || ' ' || j.task || ' ' || v.text), ?4) > 0)) \
             ORDER BY c.id LIMIT ?2"
        ))?;
        let words = filter.words.trim().to_lowercase();
        let values = params![filter.verdict.map(Verdict::word), limit as i64, filter.flagged, words];
        let found = rows.query_map(values, |row| {
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
                    flagged: row.get(8)?,
                    draft: row.get(9)?,
                    written: row.get::<_, i64>(10)? as usize,
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

    /// Explorations of a suite and split (either may be left open) that carry an approved reflection.
    pub fn reflected_explorations(&self, suite: Option<&str>, split: Option<&str>) -> Result<Vec<i64>> {
        let mut rows = self.db.prepare_cached(&format!(
            "SELECT DISTINCT c.trajectory FROM ({CURRENT} WHERE d.verdict = 'approved' AND j.purpose = 'exploration' \
             AND (?1 IS NULL OR j.suite = ?1) AND (?2 IS NULL OR j.split = ?2)) c ORDER BY 1"
        ))?;
        let found = rows.query_map(params![suite, split], |row| row.get(0))?;
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
