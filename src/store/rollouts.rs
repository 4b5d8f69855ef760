//! Rollouts that a run of reinforcement learning has learnt from, as far as they are kept.

use rusqlite::{OptionalExtension, Row, params};

use super::trajectories::insert_trajectory;
use super::{Store, now_ms};
use crate::error::Result;
use crate::experience::Trajectory;

/// Where a kept rollout stands, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutRow {
    /// The run.
    pub run: i64,
    /// The update that learnt from it.
    pub step: u64,
    /// Its group in that update.
    pub group: usize,
    /// Its place in the group: those from the task's beginning come first.
    pub place: usize,
    /// What happened in it.
    pub trajectory: i64,
    /// What each choice was worth, as whoever wrote it reads it.
    pub body: String,
}

/// A rollout to be kept: its group, what happened in it, and what each choice was worth.
pub type NewRollout<'a> = (usize, &'a Trajectory, &'a str);

const ROLLOUT: &str = "SELECT run, step, grp, place, trajectory, body FROM rollouts";

fn rollout_row(row: &Row<'_>) -> rusqlite::Result<RolloutRow> {
    Ok(RolloutRow {
        run: row.get(0)?,
        step: row.get::<_, i64>(1)? as u64,
        group: row.get::<_, i64>(2)? as usize,
        place: row.get::<_, i64>(3)? as usize,
        trajectory: row.get(4)?,
        body: row.get(5)?,
    })
}

impl Store {
    /// Keeps the rollouts of an update in one transaction, in the place of those that a run kept
    /// when it came this far before.
    pub fn keep_rollouts(&mut self, run: i64, step: u64, all: &[NewRollout<'_>]) -> Result<()> {
        let tx = self.write()?;
        let (now, at) = (now_ms(), params![run, step as i64]);
        tx.execute(
            "UPDATE trajectories SET deleted = 1 WHERE id IN \
             (SELECT trajectory FROM rollouts WHERE run = ?1 AND step = ?2)",
            at,
        )?;
        tx.execute("DELETE FROM rollouts WHERE run = ?1 AND step = ?2", at)?;
        let mut last = None;
        let mut place = 0;
        for (group, trajectory, body) in all {
            place = if last == Some(*group) { place + 1 } else { 0 };
            last = Some(*group);
            let id = insert_trajectory(&tx, trajectory, now)?;
            let values = params![run, step as i64, *group as i64, place, id, body];
            tx.prepare_cached("INSERT INTO rollouts VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
                .execute(values)?;
        }
        tx.commit()?;
        Ok(())
    }

    /// The rollouts of a group, in order.
    pub fn group(&self, run: i64, step: u64, group: usize) -> Result<Vec<RolloutRow>> {
        let ask = format!("{ROLLOUT} WHERE run = ?1 AND step = ?2 AND grp = ?3 ORDER BY place");
        let mut rows = self.db.prepare_cached(&ask)?;
        let found = rows.query_map(params![run, step as i64, group as i64], rollout_row)?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// What a run learnt from a trajectory, if one did and it is kept.
    pub fn rollout_of(&self, trajectory: i64) -> Result<Option<RolloutRow>> {
        let ask = format!("{ROLLOUT} WHERE trajectory = ?1 LIMIT 1");
        Ok(self.db.query_row(&ask, [trajectory], rollout_row).optional()?)
    }
}
