//! Reading a trajectory with everything that hangs off it.

use rusqlite::{OptionalExtension, params};

use super::super::Store;
use super::super::listing::{SUMMARY, TrajectorySummary, summary};
use super::super::reading::{json, known};
use super::{Act, Origin, Placed, Record, Reflected};
use crate::error::Result;
use crate::experience::{Branch, Verdict};

impl Store {
    /// Demonstrations and explorations of a suite and split (either may be left open), oldest
    /// first.
    pub fn experiences(
        &self,
        suite: Option<&str>,
        split: Option<&str>,
    ) -> Result<Vec<TrajectorySummary>> {
        let mut rows = self.db.prepare_cached(&format!(
            "{SUMMARY} WHERE deleted = 0 AND purpose <> 'evaluation' AND (?1 IS NULL OR suite = \
             ?1) AND (?2 IS NULL OR split = ?2) ORDER BY id"
        ))?;
        let found = rows.query_map(params![suite, split], summary)?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Suites and splits that there are demonstrations or explorations of.
    pub fn origins(&self) -> Result<Vec<(String, String)>> {
        let mut rows = self.db.prepare_cached(
            "SELECT DISTINCT suite, split FROM trajectories WHERE deleted = 0 AND purpose <> \
             'evaluation' ORDER BY 1, 2",
        )?;
        let found = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// A trajectory with everything that hangs off it; its reflections in the order of their
    /// numbers.
    pub fn record(&self, id: i64) -> Result<Record> {
        let trajectory = self.trajectory(id)?;
        let branches = self.branches(id)?;
        let drawn = self.drawn(id, None)?.into_iter();
        let pools = drawn
            .map(|drawn| Placed {
                t: drawn.branch.t,
                action: drawn.branch.action,
                place: drawn.place,
            })
            .collect();
        let reflections = self.reflected_with_history(id, &branches)?;
        let predictions = self.predictions(id)?;
        let thoughts = self.thoughts(id)?;
        let origin = self.imported_from(id)?;
        Ok(Record { trajectory, branches, pools, reflections, predictions, thoughts, origin })
    }

    /// What a trajectory of another tool was read from.
    pub fn imported_from(&self, id: i64) -> Result<Option<Origin>> {
        let ask = "SELECT format, source FROM imported WHERE trajectory = ?1";
        let read =
            |row: &rusqlite::Row<'_>| Ok(Origin { format: row.get(0)?, source: row.get(1)? });
        Ok(self.db.prepare_cached(ask)?.query_row([id], read).optional()?)
    }

    fn reflected_with_history(&self, id: i64, branches: &[Branch]) -> Result<Vec<Reflected>> {
        let mut rows = self.db.prepare_cached(
            "SELECT r.id, r.t, r.generator, r.cites, r.verdict, f.text FROM reflections r LEFT \
             JOIN drafts f ON f.reflection = r.id WHERE r.trajectory = ?1 ORDER BY r.id",
        )?;
        let found = rows.query_map([id], |row| {
            let cites: Vec<i64> = json(row, 3)?;
            let cited = branches.iter().filter(|b| cites.contains(&b.id));
            let reflected = Reflected {
                t: row.get::<_, i64>(1)? as usize,
                generator: row.get(2)?,
                cites: cited.map(|b| b.action.clone()).collect(),
                versions: Vec::new(),
                written_ms: Vec::new(),
                version: 1,
                verdict: known(row, 4, Verdict::from_name)?,
                reason: None,
                history: Vec::new(),
                draft: row.get(5)?,
            };
            Ok((row.get::<_, i64>(0)?, reflected))
        })?;
        let mut reflections = Vec::new();
        for pair in found {
            let (reflection, mut reflected) = pair?;
            reflected.versions = self.attempts(reflection)?;
            reflected.written_ms = self.written_ms(reflection)?;
            reflected.history = self.acts(reflection)?;
            if let Some(last) = reflected.history.iter().rev().find(|act| !act.undone) {
                (reflected.version, reflected.reason) = (last.version, last.reason.clone());
            }
            reflections.push(reflected);
        }
        Ok(reflections)
    }

    fn written_ms(&self, reflection: i64) -> Result<Vec<i64>> {
        let mut rows = self
            .db
            .prepare_cached("SELECT created_ms FROM versions WHERE reflection = ?1 ORDER BY n")?;
        let found = rows.query_map([reflection], |row| row.get(0))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Every act about a reflection, the oldest first, also those that were taken back.
    fn acts(&self, reflection: i64) -> Result<Vec<Act>> {
        let mut rows = self.db.prepare_cached(
            "SELECT act, verdict, reason, note, version, created_ms, undone <> 0, coalesce(origin, ?2) \
             FROM decisions WHERE reflection = ?1 ORDER BY id",
        )?;
        let own = self.identity()?;
        let found = rows.query_map(params![reflection, own], |row| {
            Ok(Act {
                act: row.get(0)?,
                verdict: known(row, 1, Verdict::from_name)?,
                reason: row.get(2)?,
                note: row.get(3)?,
                version: row.get::<_, i64>(4)? as usize,
                created_ms: row.get(5)?,
                undone: row.get(6)?,
                origin: row.get(7)?,
            })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}
