//! The curation queue: reflections, their versions, and every act of a person, undoable across
//! restarts.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::reading::known;
use super::{Store, now_ms};
use crate::error::{Error, Result};
use crate::experience::Verdict;

/// What a person does with a reflection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Fit for training as it stands.
    Approve,
    /// Not fit; the code says why.
    Reject(String),
    /// A new version beside the old ones, approved.
    Edit(String),
    /// A new version beside the old ones, pending: it is to be looked at before it counts.
    Revise(String),
    /// Back to pending.
    Requeue,
    /// Wanted for a second look, or no longer; how it stands does not change.
    Flag(bool),
    /// Another generated attempt, pending; who wrote it, and the text.
    Attempt(String, String),
    /// A second opinion, given without knowing the first: fit, or not fit for this reason. How it
    /// stands does not change.
    Second(Option<String>),
    /// Words beside how it stands, which does not change.
    Note(String),
}

impl Decision {
    /// The word in the store.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Second(None) => "second approve",
            Self::Second(Some(_)) => "second reject",
            Self::Approve => "approve",
            Self::Reject(_) => "reject",
            Self::Edit(_) => "edit",
            Self::Revise(_) => "revise",
            Self::Note(_) => "note",
            Self::Requeue => "requeue",
            Self::Flag(true) => "flag",
            Self::Flag(false) => "unflag",
            Self::Attempt(..) => "attempt",
        }
    }
}

/// What a person saw of a reflection when deciding on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The text that stood.
    pub text: String,
    /// How it stood; none where that was withheld.
    pub verdict: Option<Verdict>,
}

impl Seen {
    fn check(&self, db: &Connection, reflection: i64) -> Result<()> {
        let (verdict, _, version) = current(db, reflection)?;
        let text = "SELECT text FROM versions WHERE reflection = ?1 AND n = ?2";
        let text: Option<String> =
            db.query_row(text, [reflection, version], |row| row.get(0)).optional()?;
        let what = if text.is_some_and(|text| text != self.text) {
            "has another text"
        } else if self.verdict.is_some_and(|seen| seen != verdict) {
            "was decided"
        } else {
            return Ok(());
        };
        Err(Error::new(format!(
            "reflection {reflection} {what} by now, from another program: nothing was decided"
        ))
        .hint("look at it again"))
    }
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

/// How one reflection stands, for what reason, and which version counts.
fn current(db: &Connection, reflection: i64) -> Result<(Verdict, Option<String>, i64)> {
    let latest = "SELECT verdict, reason, version FROM decisions WHERE reflection = ?1 AND undone \
                  = 0 ORDER BY id DESC LIMIT 1";
    let read = |row: &Row<'_>| Ok((known(row, 0, Verdict::from_name)?, row.get(1)?, row.get(2)?));
    Ok(db.query_row(latest, [reflection], read).optional()?.unwrap_or((Verdict::Pending, None, 1)))
}

/// Writes the version of a reflection with this number, as of a moment.
pub(super) fn insert_version(
    db: &Connection,
    reflection: i64,
    n: i64,
    (author, text): (&str, &str),
    when: i64,
) -> Result<()> {
    let values = params![reflection, n, author, text, when];
    db.prepare_cached("INSERT INTO versions VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(values)?;
    Ok(())
}

/// Writes one act with the words beside it, and the version that it brings.
fn record(
    db: &Connection,
    reflection: i64,
    decision: &Decision,
    note: Option<&str>,
    batch: Option<i64>,
) -> Result<()> {
    let versions: i64 =
        db.query_row("SELECT count(*) FROM versions WHERE reflection = ?1", [reflection], |row| {
            row.get(0)
        })?;
    if versions == 0 {
        return Err(Error::new(format!("there is no reflection {reflection}"))
            .hint("list them with: foretaste data list reflections"));
    }
    let (standing, why, version) = current(db, reflection)?;
    let (verdict, reason) = match decision {
        Decision::Approve | Decision::Edit(_) => (Verdict::Approved, None),
        Decision::Reject(code) => (Verdict::Rejected, Some(code.clone())),
        Decision::Requeue | Decision::Attempt(..) | Decision::Revise(_) => (Verdict::Pending, None),
        Decision::Flag(_) | Decision::Second(_) | Decision::Note(_) => (standing, why),
    };
    let note = if let Decision::Note(words) = decision { Some(words.as_str()) } else { note };
    let written = match decision {
        Decision::Edit(text) | Decision::Revise(text) => Some(("you", text)),
        Decision::Attempt(author, text) => Some((author.as_str(), text)),
        _ => None,
    };
    if let Some((author, text)) = written {
        insert_version(db, reflection, versions + 1, (author, text), now_ms())?;
    }
    let act = match decision {
        Decision::Second(Some(code)) => format!("{} {code}", decision.as_str()),
        _ => decision.as_str().to_string(),
    };
    db.execute(
        "INSERT INTO decisions (reflection, act, verdict, reason, version, created_ms, batch, \
         note) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            reflection,
            act,
            verdict.as_str(),
            reason,
            if written.is_some() { versions + 1 } else { version },
            now_ms(),
            batch,
            note
        ],
    )?;
    Ok(())
}

impl Store {
    /// Records a decision in one transaction; when it returns, the decision survives any crash.
    pub fn decide(&mut self, reflection: i64, decision: &Decision) -> Result<i64> {
        self.decide_all(&[reflection], decision)
    }

    /// Records the same decision about several reflections as one act: all of them or none, and one
    /// undo. Returns the number of its last row.
    pub fn decide_all(&mut self, reflections: &[i64], decision: &Decision) -> Result<i64> {
        self.decide_noted(reflections, decision, None)
    }

    /// The same with words beside it.
    pub fn decide_noted(
        &mut self,
        reflections: &[i64],
        decision: &Decision,
        note: Option<&str>,
    ) -> Result<i64> {
        let tx = self.write()?;
        let last = Self::act(&tx, reflections, decision, note)?;
        tx.commit()?;
        Ok(last)
    }

    /// Approves what no person has looked at, as far as rules go: it stands so that nobody did.
    pub fn approve_by_rules(&mut self, reflections: &[i64]) -> Result<()> {
        let tx = self.write()?;
        for reflection in reflections {
            record(&tx, *reflection, &Decision::Approve, None, None)?;
            let id = tx.last_insert_rowid();
            tx.execute("UPDATE decisions SET origin = 'rules' WHERE id = ?1", [id])?;
        }
        tx.commit()
    }

    /// The same as a person decides who has seen them, with what they say beside it.
    ///
    /// # Errors
    /// Where one of them is another by now: somebody has edited it, or decided on it.
    pub fn decide_seen(
        &mut self,
        reflections: &[(i64, Seen)],
        decision: &Decision,
        note: Option<&str>,
    ) -> Result<i64> {
        let tx = self.write()?;
        for (reflection, seen) in reflections {
            seen.check(&tx, *reflection)?;
        }
        let ids: Vec<i64> = reflections.iter().map(|(id, _)| *id).collect();
        let last = Self::act(&tx, &ids, decision, note)?;
        tx.commit()?;
        Ok(last)
    }

    /// Another generated attempt at what was seen so: pending, if it still stands so. What was
    /// decided meanwhile stays decided; the text is a version beside it then. Returns the
    /// act, where it stands.
    pub fn attempt(
        &mut self,
        reflection: i64,
        seen: &Seen,
        author: &str,
        text: &str,
    ) -> Result<Option<i64>> {
        let tx = self.write()?;
        let act = if seen.check(&tx, reflection).is_ok() {
            let decision = Decision::Attempt(author.to_string(), text.to_string());
            Some(Self::act(&tx, &[reflection], &decision, None)?)
        } else {
            let versions = "SELECT count(*) FROM versions WHERE reflection = ?1";
            let versions: i64 = tx.query_row(versions, [reflection], |row| row.get(0))?;
            insert_version(&tx, reflection, versions + 1, (author, text), now_ms())?;
            None
        };
        tx.commit()?;
        Ok(act)
    }

    fn act(
        tx: &Connection,
        reflections: &[i64],
        decision: &Decision,
        note: Option<&str>,
    ) -> Result<i64> {
        let mut batch: Option<i64> = None;
        let mut last: i64 = 0;
        for &reflection in reflections {
            record(tx, reflection, decision, note, batch)?;
            let id = tx.last_insert_rowid();
            last = id;
            if reflections.len() > 1 && batch.is_none() {
                tx.execute("UPDATE decisions SET batch = ?1 WHERE id = ?1", [id])?;
                batch = Some(id);
            }
            // A text that someone began stays until it is a version itself.
            if let Decision::Edit(text) | Decision::Revise(text) = decision {
                tx.execute(
                    "DELETE FROM drafts WHERE reflection = ?1 AND text = ?2",
                    params![reflection, text],
                )?;
            }
        }
        Ok(last)
    }

    /// The latest act that was not undone: its number, what was done, and the reflection.
    pub fn latest_act(&self) -> Result<Option<(i64, String, i64)>> {
        let latest = "SELECT id, iif(origin IS NULL, act, 'import'), reflection FROM decisions WHERE undone \
             = 0 ORDER BY id DESC LIMIT 1";
        Ok(self
            .db
            .query_row(latest, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?)
    }

    /// Removes a draft, if it still is this text.
    pub fn forget_draft(&self, reflection: i64, text: &str) -> Result<()> {
        self.execute(
            "DELETE FROM drafts WHERE reflection = ?1 AND text = ?2",
            params![reflection, text],
        )?;
        Ok(())
    }

    /// Takes back the latest act that was not undone yet; none if there is nothing to undo.
    /// Versions stay.
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
        let tx = self.write()?;
        let id: Option<i64> = tx.query_row(which, [], |row| row.get(0)).optional()?.flatten();
        let Some(id) = id else { return Ok(None) };
        let (act, reflection, batch): (String, i64, Option<i64>) = tx.query_row(
            // What came from another store is one act here, whatever its last line is.
            "SELECT iif(origin IS NULL, act, 'import'), reflection, batch FROM decisions WHERE id \
             = ?1",
            [id],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let count = tx.execute(
            "UPDATE decisions SET undone = ?3 WHERE id = ?1 OR batch = ?2",
            params![id, batch, undone],
        )? as u64;
        let (verdict, _, _) = current(&tx, reflection)?;
        tx.commit()?;
        Ok(Some(Undone { act, reflection, verdict, count }))
    }

    /// Keeps an unfinished edit; none forgets it.
    pub fn set_draft(&self, reflection: i64, text: Option<&str>) -> Result<()> {
        match text {
            Some(text) => self.execute(
                "INSERT OR REPLACE INTO drafts VALUES (?1, ?2, ?3)",
                params![reflection, text, now_ms()],
            )?,
            None => self.execute("DELETE FROM drafts WHERE reflection = ?1", [reflection])?,
        };
        Ok(())
    }
}
