//! What several programs may be about to save at once: the first one's stands.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use super::pools::Drawn;
use super::trajectories::{insert_trajectory, insert_visit};
use super::{Store, now_ms};
use crate::error::Result;
use crate::experience::{Purpose, Trajectory};

/// What was saved since a job looked at what there is, by itself and by others: by task and actor, and of
/// visits by seed.
#[derive(Debug)]
pub struct Meanwhile {
    /// The newest trajectory that was looked at.
    seen: i64,
    saved: HashSet<(String, String, i64)>,
}

impl Meanwhile {
    /// Whether something of the same task by the same actor (and seed, where these differ) was saved;
    /// looks at what is new.
    fn has(&mut self, db: &Connection, own: &Trajectory) -> Result<bool> {
        let by_seed = own.purpose == Purpose::Visit;
        let mut rows = db.prepare_cached(
            "SELECT id, task_id, actor, seed FROM trajectories WHERE purpose = ?1 AND suite = ?2 AND \
             split = ?3 AND deleted = 0 AND id > ?4 ORDER BY id",
        )?;
        let values = params![own.purpose.as_str(), own.suite, own.split, self.seen];
        let found = rows.query_map(values, |row| {
            Ok((row.get::<_, i64>(0)?, (row.get(1)?, row.get(2)?, row.get(3)?)))
        })?;
        for row in found {
            let (id, (task, actor, seed)): (i64, (String, String, i64)) = row?;
            self.seen = id;
            self.saved.insert((task, actor, if by_seed { seed } else { 0 }));
        }
        let seed = if by_seed { own.seed as i64 } else { 0 };
        Ok(self.saved.contains(&(own.task_id.clone(), own.actor.clone(), seed)))
    }
}

impl Store {
    /// Begins to look at what others save; before what there is is read.
    pub fn meanwhile(&self) -> Result<Meanwhile> {
        let sql = "SELECT coalesce(max(id), 0) FROM trajectories";
        let seen = self.db.query_row(sql, [], |row| row.get(0))?;
        Ok(Meanwhile { seen, saved: HashSet::new() })
    }

    /// Saves a demonstration and returns its number; none where another program saved the same
    /// meanwhile.
    pub fn add_demonstration(
        &mut self,
        own: &Trajectory,
        meanwhile: &mut Meanwhile,
    ) -> Result<Option<i64>> {
        let tx = self.write()?;
        if meanwhile.has(&tx, own)? {
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
        meanwhile: &mut Meanwhile,
    ) -> Result<Option<i64>> {
        let tx = self.write()?;
        if meanwhile.has(&tx, visit)? {
            return Ok(None);
        }
        let id = insert_visit(&tx, visit, answers, now_ms())?;
        tx.commit()?;
        Ok(Some(id))
    }
}
