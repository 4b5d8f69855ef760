//! Demonstrations of one task with the same actions: each of them would count in training.

use std::collections::HashMap;

use rusqlite::params;
use serde::Serialize;

use super::Store;
use crate::error::Result;
use crate::experience::Trajectory;

/// A demonstration that another one says already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Duplicate {
    /// Its number.
    pub trajectory: i64,
    /// The one that says the same: of them all the one with most decisions, reflections and
    /// alternatives, the oldest of those.
    pub same_as: i64,
    /// The suite.
    pub suite: String,
    /// The task.
    pub task_id: String,
    /// Who acted.
    pub actor: String,
    /// How many steps it has.
    pub steps: usize,
    /// Reflections that hang off it.
    pub reflections: u64,
    /// Those of them that were decided on.
    pub decided: u64,
}

/// How much would go out of sight with a demonstration.
type Weight = (u64, u64, u64);

impl Store {
    /// The oldest demonstration of the same task with the same actions, whoever acted, if there is
    /// one.
    pub fn same_demonstration(&self, of: &Trajectory) -> Result<Option<i64>> {
        let mut rows = self.db.prepare_cached(
            "SELECT id FROM trajectories WHERE deleted = 0 AND purpose = 'demonstration' AND \
             suite = ?1 AND task_id = ?2 AND length = ?3 ORDER BY id",
        )?;
        let values = params![of.suite, of.task_id, of.steps.len() as i64];
        let ids =
            rows.query_map(values, |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
        for id in ids {
            let known = self.trajectory(id)?;
            if known.steps.iter().zip(&of.steps).all(|(known, step)| known.action == step.action) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Demonstrations that can go: the same expert acts the same way in the same task in another
    /// one, which stays.
    pub fn duplicates(&self) -> Result<Vec<Duplicate>> {
        let mut rows = self.db.prepare_cached(
            "SELECT id, suite, task_id, actor, length, coalesce((SELECT group_concat(action, \
             char(10)) FROM (SELECT action FROM steps WHERE trajectory = j.id ORDER BY t)), '') \
             FROM trajectories j WHERE deleted = 0 AND purpose = 'demonstration' ORDER BY id",
        )?;
        let found = rows.query_map([], |row| {
            let one = Duplicate {
                trajectory: row.get(0)?,
                same_as: 0,
                suite: row.get(1)?,
                task_id: row.get(2)?,
                actor: row.get(3)?,
                steps: row.get::<_, i64>(4)? as usize,
                reflections: 0,
                decided: 0,
            };
            Ok((one, row.get::<_, String>(5)?))
        })?;
        let mut alike: HashMap<[String; 4], Vec<Duplicate>> = HashMap::new();
        for row in found {
            let (one, actions) = row?;
            let key = [one.suite.clone(), one.task_id.clone(), one.actor.clone(), actions];
            alike.entry(key).or_default().push(one);
        }
        let mut duplicates = Vec::new();
        for mut group in alike.into_values().filter(|group| group.len() > 1) {
            let mut weights = Vec::with_capacity(group.len());
            for one in &mut group {
                let weight = self.weight(one.trajectory)?;
                (one.decided, one.reflections, _) = weight;
                weights.push((weight, std::cmp::Reverse(one.trajectory)));
            }
            let Some((_, std::cmp::Reverse(stays))) = weights.into_iter().max() else { continue };
            let others = group.into_iter().filter(|one| one.trajectory != stays);
            duplicates.extend(others.map(|one| Duplicate { same_as: stays, ..one }));
        }
        duplicates.sort_by_key(|one| one.trajectory);
        Ok(duplicates)
    }

    fn weight(&self, trajectory: i64) -> Result<Weight> {
        let count = |sql: &str| -> Result<u64> {
            let mut rows = self.db.prepare_cached(sql)?;
            Ok(rows.query_row([trajectory], |row| row.get::<_, i64>(0))? as u64)
        };
        Ok((
            count(
                "SELECT count(*) FROM reflections WHERE trajectory = ?1 AND EXISTS (SELECT 1 FROM \
                 decisions WHERE reflection = reflections.id AND undone = 0)",
            )?,
            count("SELECT count(*) FROM reflections WHERE trajectory = ?1")?,
            count("SELECT count(*) FROM branches WHERE trajectory = ?1")?,
        ))
    }
}
