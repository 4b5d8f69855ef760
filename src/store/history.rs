//! What was done with reflections: the audit log of all of them, and the history of one.

use rusqlite::{Row, params};
use serde::Serialize;

use super::Store;
use crate::error::Result;

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
    /// What was said beside it.
    pub note: Option<String>,
}

/// Something that happened to one reflection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When, by the clock of this place: "2026-11-28 09:41".
    pub when: String,
    /// When, in milliseconds since 1970.
    pub created_ms: i64,
    /// What was done: "written" for a version, else the act.
    pub act: String,
    /// Who did it: a version's author; "you" for decisions, "another store" for imported ones.
    pub by: String,
    /// The version that counted.
    pub version: i64,
    /// How the reflection stood then; none for a version that was only written.
    pub verdict: Option<String>,
    /// The code of a rejection.
    pub reason: Option<String>,
    /// What was said beside it.
    pub note: Option<String>,
    /// Whether it was taken back.
    pub undone: bool,
}

const AUDIT: &str = "SELECT id, reflection, act, verdict, reason, version, batch, created_ms, \
                     undone, note FROM decisions ORDER BY id DESC LIMIT ?1";

/// Versions before the acts that brought them.
const HISTORY: &str = "\
    SELECT strftime('%Y-%m-%d %H:%M', created_ms / 1000, 'unixepoch', 'localtime'), * FROM ( \
    SELECT created_ms, 'written' AS act, author AS by, n AS version, NULL AS verdict, \
    NULL AS reason, NULL AS note, 0 AS undone, 0 AS id FROM versions WHERE reflection = ?1 \
    UNION ALL SELECT created_ms, act, \
    CASE WHEN origin = 'rules' THEN 'the rules' \
    WHEN origin IS NOT NULL OR act = 'import' THEN 'another store' ELSE 'you' END, version, verdict, reason, \
    note, undone <> 0, id FROM decisions WHERE reflection = ?1) ORDER BY created_ms, id";

impl Store {
    /// The latest acts, newest first.
    pub fn audit(&self, limit: usize) -> Result<Vec<AuditRow>> {
        let mut rows = self.db.prepare_cached(AUDIT)?;
        let found = rows.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], act)?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// All that happened to one reflection, the oldest first.
    pub fn history(&self, reflection: i64) -> Result<Vec<Event>> {
        let mut rows = self.db.prepare_cached(HISTORY)?;
        let found = rows.query_map(params![reflection], event)?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}

fn act(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
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
        note: row.get(9)?,
    })
}

fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event {
        when: row.get(0)?,
        created_ms: row.get(1)?,
        act: row.get(2)?,
        by: row.get(3)?,
        version: row.get(4)?,
        verdict: row.get(5)?,
        reason: row.get(6)?,
        note: row.get(7)?,
        undone: row.get(8)?,
    })
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
