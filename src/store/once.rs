//! What several programs may be about to save at once: the first one's stands.

use rusqlite::{Connection, params};

use super::pools::Drawn;
use super::trajectories::{insert_trajectory, insert_visit};
use super::{Store, now_ms};
use crate::error::Result;
use crate::experience::Trajectory;

/// Whether another program saved the same since a row: of the same task by the same actor (and seed, of
/// visits).
fn is_there(db: &Connection, own: &Trajectory, since: i64, by_seed: bool) -> Result<bool> {
    let mut rows = db.prepare_cached(
        "SELECT 1 FROM trajectories WHERE purpose = ?1 AND suite = ?2 AND split = ?3 AND deleted = 0 \
         AND id > ?4 AND task_id = ?5 AND actor = ?6 AND (?7 IS NULL OR seed = ?7)",
    )?;
    let seed = by_seed.then_some(own.seed as i64);
    let values =
        params![own.purpose.as_str(), own.suite, own.split, since, own.task_id, own.actor, seed];
    Ok(rows.exists(values)?)
}

impl Store {
    /// The newest trajectory's number; 0 where there is none.
    pub fn newest_trajectory(&self) -> Result<i64> {
        let sql = "SELECT coalesce(max(id), 0) FROM trajectories";
        Ok(self.db.query_row(sql, [], |row| row.get(0))?)
    }

    /// Saves a demonstration and returns its number; none where another program saved one of the same
    /// task by the same expert after the trajectory `since`, which was the newest when this one looked
    /// at what there is.
    pub fn add_demonstration(&mut self, own: &Trajectory, since: i64) -> Result<Option<i64>> {
        let tx = self.write()?;
        if is_there(&tx, own, since, false)? {
            return Ok(None);
        }
        let id = insert_trajectory(&tx, own, now_ms())?;
        tx.commit()?;
        Ok(Some(id))
    }

    /// Saves a visit with the expert's answers in its states, in one transaction, in the same way.
    pub fn add_visit(
        &mut self,
        visit: &Trajectory,
        answers: &[Drawn],
        since: i64,
    ) -> Result<Option<i64>> {
        let tx = self.write()?;
        if is_there(&tx, visit, since, true)? {
            return Ok(None);
        }
        let id = insert_visit(&tx, visit, answers, now_ms())?;
        tx.commit()?;
        Ok(Some(id))
    }
}
