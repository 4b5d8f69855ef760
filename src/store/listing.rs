//! Lists of trajectories of any length, a page at a time.

use rusqlite::types::ValueRef;
use rusqlite::{Row, ToSql, params_from_iter};
use serde::{Deserialize, Serialize};

use super::Store;
use super::reading::known;
use crate::error::Result;
use crate::experience::{Purpose, by, called};

/// One line of a list of trajectories.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrajectorySummary {
    /// Row id.
    pub id: i64,
    /// Where it was played.
    pub suite: String,
    /// The split.
    pub split: String,
    /// The kind of task.
    pub kind: String,
    /// The goal in words.
    pub task: String,
    /// What it is kept for.
    pub purpose: Purpose,
    /// Who acted, by name: the model, the expert, or `human`.
    pub actor: String,
    /// Who acted, in words: who chose how many of the steps, where a list asks for it.
    pub by: String,
    /// Number of steps.
    pub length: usize,
    /// Whether the goal was reached.
    pub success: bool,
    /// What its steps were worth together.
    pub reward: f64,
    /// The task's identifier.
    pub task_id: String,
}

/// Which trajectories a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Listing {
    /// Only those kept for this.
    pub purpose: Option<Purpose>,
    /// Only those that reached the goal, or only those that did not.
    pub success: Option<bool>,
    /// Only those whose suite, split, kind, task, or actor contains this, whatever its case.
    pub words: String,
}

impl Listing {
    /// All that are kept for something.
    pub fn purpose(purpose: Option<Purpose>) -> Self {
        Self { purpose, ..Self::default() }
    }

    /// As a condition, and what its question marks stand for.
    fn condition(&self) -> (String, Vec<Box<dyn ToSql>>) {
        let mut sql = "deleted = 0".to_string();
        let mut values = Vec::<Box<dyn ToSql>>::new();
        if let Some(purpose) = self.purpose {
            sql += " AND purpose = ?";
            values.push(Box::new(purpose.as_str()));
        }
        if let Some(success) = self.success {
            sql += " AND success = ?";
            values.push(Box::new(success));
        }
        let words = self.words.trim().to_lowercase();
        if !words.is_empty() {
            sql += " AND instr(lower(purpose || ' ' || suite || ' ' || split || ' ' || kind || ' ' || \
                    task || ' ' || actor), ?) > 0";
            values.push(Box::new(words));
        }
        (sql, values)
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Near {
    /// Around this position, counted from 0.
    Position(usize),
    /// Around the row with this id, or the place where it would be.
    Row(i64),
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// How many rows the whole list has.
    pub total: usize,
    /// The position of the first row that is here.
    pub from: usize,
    /// The rows that are here.
    pub rows: Vec<T>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { total: 0, from: 0, rows: Vec::new() }
    }
}

pub(super) const SUMMARY: &str = "SELECT id, suite, split, kind, task, purpose, actor, length, \
                                  success, task_id, reward FROM trajectories";

/// A text of a list's row, what is not UTF-8 in it as `U+FFFD`: one row that another program
/// damaged must not hide all others. Whoever opens that row is told.
pub(super) fn shown(row: &Row<'_>, at: usize) -> rusqlite::Result<String> {
    match row.get_ref(at)? {
        ValueRef::Text(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        _ => row.get(at),
    }
}

pub(super) fn summary(row: &Row<'_>) -> rusqlite::Result<TrajectorySummary> {
    let actor = shown(row, 6)?;
    Ok(TrajectorySummary {
        by: called(&actor).to_string(),
        actor,
        id: row.get(0)?,
        suite: shown(row, 1)?,
        split: shown(row, 2)?,
        kind: shown(row, 3)?,
        task: shown(row, 4)?,
        purpose: known(row, 5, Purpose::from_name)?,
        length: row.get::<_, i64>(7)? as usize,
        success: row.get(8)?,
        task_id: shown(row, 9)?,
        reward: row.get(10)?,
    })
}

impl Store {
    /// At most `length` trajectories of a list, the newest first, around a place in it.
    pub fn list(
        &self,
        listing: &Listing,
        near: Near,
        length: usize,
    ) -> Result<Page<TrajectorySummary>> {
        let (condition, mut values) = listing.condition();
        let count = |condition: &str, values: &[Box<dyn ToSql>]| -> Result<usize> {
            let mut rows = self
                .db
                .prepare_cached(&format!("SELECT count(*) FROM trajectories WHERE {condition}"))?;
            Ok(rows.query_row(params_from_iter(values), |row| row.get::<_, i64>(0))? as usize)
        };
        let total = count(&condition, &values)?;
        let position = match near {
            Near::Position(position) => position,
            Near::Row(id) => {
                values.push(Box::new(id));
                let newer = count(&format!("{condition} AND id > ?"), &values)?;
                values.pop();
                newer
            }
        };
        let from = position.saturating_sub(length / 2).min(total.saturating_sub(length));
        values.extend(
            [length, from]
                .map(|n| Box::new(i64::try_from(n).unwrap_or(i64::MAX)) as Box<dyn ToSql>),
        );
        let mut rows = self.db.prepare_cached(&format!(
            "{SUMMARY} WHERE {condition} ORDER BY id DESC LIMIT ? OFFSET ?"
        ))?;
        let found = rows.query_map(params_from_iter(&values), summary)?;
        let mut rows: Vec<TrajectorySummary> = found.collect::<rusqlite::Result<_>>()?;
        for row in &mut rows {
            row.by = self.by(row)?;
        }
        Ok(Page { total, from, rows })
    }

    fn by(&self, of: &TrajectorySummary) -> Result<String> {
        let mut rows = self.db.prepare_cached(
            "SELECT source, count(*) FROM steps WHERE trajectory = ?1 GROUP BY source ORDER BY \
             min(t)",
        )?;
        let found = rows.query_map([of.id], |row| Ok((shown(row, 0)?, row.get::<_, i64>(1)?)))?;
        let shares: Vec<(String, i64)> = found.collect::<rusqlite::Result<_>>()?;
        Ok(by(&of.actor, shares.iter().map(|(who, n)| (who.as_str(), *n as usize)).collect()))
    }
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
