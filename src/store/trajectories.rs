//! Demonstrations, explorations, visits, alternatives, and the reflections written about them.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::decisions::insert_version;
use super::listing::{SUMMARY, TrajectorySummary, summary};
use super::pools::insert_membership;
use super::reading::{json, known};
use super::{Drawn, Store, list_json, now_ms, to_json};
use crate::digest::hex;
use crate::error::{Error, Result};
use crate::experience::{ActionEffect, Branch, Purpose, RATIONALE, Step, Trajectory};

/// A reflection about to be saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReflection {
    /// The state it is about.
    pub trajectory: i64,
    /// The state's index.
    pub t: usize,
    /// What wrote it.
    pub generator: String,
    /// The executed branches it may cite; empty for a rationale only.
    pub cites: Vec<i64>,
    /// The text.
    pub text: String,
}

/// How much of everything the store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Demonstrations and their steps (`D_expert`).
    pub demonstrations: u64,
    /// Steps of demonstrations.
    pub demonstration_steps: u64,
    /// Executed alternatives (`D_rollout`).
    pub branches: u64,
    /// Reflections (`D_refl`) by standing.
    pub pending: u64,
    /// Approved ones.
    pub approved: u64,
    /// Rejected ones.
    pub rejected: u64,
    /// Explorations kept in the store.
    pub explorations: u64,
    /// Visits: episodes of a policy in whose states an expert was asked.
    pub visits: u64,
    /// Training runs.
    pub runs: u64,
    /// Checkpoints.
    pub checkpoints: u64,
}

/// Writes a visit with the expert's answers in its states, as of a moment; returns its id.
pub(super) fn insert_visit(
    db: &Connection,
    visit: &Trajectory,
    answers: &[Drawn],
    when: i64,
) -> Result<i64> {
    let id = insert_trajectory(db, visit, when)?;
    for Drawn { branch, place } in answers {
        let branch = Branch { trajectory: id, ..branch.clone() };
        insert_membership(db, insert_branch(db, &branch, when)?, place)?;
    }
    Ok(id)
}

/// Writes a trajectory with its steps, as of a moment; returns its id.
pub(super) fn insert_trajectory(db: &Connection, tr: &Trajectory, when: i64) -> Result<i64> {
    db.prepare_cached(
        "INSERT INTO trajectories (suite, split, task_id, kind, task, purpose, actor, seed, \
         observation, admissible, \
         success, length, created_ms, world, free, reward) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute(params![
        tr.suite,
        tr.split,
        tr.task_id,
        tr.kind,
        tr.task,
        tr.purpose.as_str(),
        tr.actor,
        tr.seed as i64,
        tr.observation,
        list_json(tr.admissible.as_deref()),
        tr.success(),
        tr.steps.len() as i64,
        when,
        tr.world.map(hex),
        to_json(&tr.free),
        tr.reward()
    ])?;
    let id = db.last_insert_rowid();
    for (t, step) in tr.steps.iter().enumerate() {
        let insert = "INSERT INTO steps (trajectory, t, action, source, observation, admissible, \
                      done, success, free, \
                      reward, truncated) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        db.prepare_cached(insert)?.execute(params![
            id,
            t as i64,
            step.action,
            step.source,
            step.observation,
            list_json(step.admissible.as_deref()),
            step.done,
            step.success,
            to_json(&step.free),
            step.reward,
            step.truncated
        ])?;
    }
    Ok(id)
}

/// An executed alternative from the columns id, t, action, source, observation, effect, done,
/// success, reward, created_ms.
pub(super) fn branch(trajectory: i64, row: &Row<'_>) -> rusqlite::Result<Branch> {
    Ok(Branch {
        id: row.get(0)?,
        trajectory,
        t: row.get::<_, i64>(1)? as usize,
        action: row.get(2)?,
        source: row.get(3)?,
        observation: row.get(4)?,
        effect: known(row, 5, ActionEffect::from_name)?,
        done: row.get(6)?,
        success: row.get(7)?,
        reward: row.get(8)?,
        created_ms: row.get(9)?,
    })
}

/// Writes an executed alternative, unless the state has it, as of a moment; returns its id.
pub(super) fn insert_branch(db: &Connection, b: &Branch, when: i64) -> Result<i64> {
    let insert = "INSERT INTO branches (trajectory, t, action, source, observation, effect, done, \
                  success, created_ms, \
                  reward) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
                  ON CONFLICT (trajectory, t, action) DO UPDATE SET source = source RETURNING id";
    let values = params![
        b.trajectory,
        b.t as i64,
        b.action,
        b.source,
        b.observation,
        b.effect.as_str(),
        b.done,
        b.success,
        when,
        b.reward
    ];
    Ok(db.prepare_cached(insert)?.query_row(values, |row| row.get(0))?)
}

/// Writes a generated reflection, if all that it cites was executed in its state, as of a moment;
/// returns its id.
/// Whether a writer has written about the same outcomes of the same state.
fn is_written(db: &Connection, r: &NewReflection) -> Result<bool> {
    let cites = serde_json::to_string(&r.cites).unwrap_or_default();
    let known = "SELECT 1 FROM reflections WHERE trajectory = ?1 AND t = ?2 AND generator = ?3 AND \
                 cites = ?4";
    let values = params![r.trajectory, r.t as i64, r.generator, cites];
    Ok(db.prepare_cached(known)?.exists(values)?)
}

pub(super) fn insert_reflection(db: &Connection, r: &NewReflection, when: i64) -> Result<i64> {
    for branch in &r.cites {
        let executed = db
            .prepare_cached("SELECT 1 FROM branches WHERE id = ?1 AND trajectory = ?2 AND t = ?3")?
            .exists(params![branch, r.trajectory, r.t as i64])?;
        if !executed {
            return Err(Error::new(format!(
                "UNEXECUTED: reflection on step {} cites branch {branch}",
                r.t
            )));
        }
    }
    if r.cites.is_empty() && !r.generator.starts_with(RATIONALE) {
        return Err(Error::new(format!(
            "UNEXECUTED: a reflection on step {} cites no executed alternative",
            r.t
        ))
        .hint("run: foretaste collect branches"));
    }
    let cites = serde_json::to_string(&r.cites).unwrap_or_default();
    db.prepare_cached(
        "INSERT INTO reflections (trajectory, t, generator, cites, created_ms) \
                       VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![r.trajectory, r.t as i64, r.generator, cites, when])?;
    let id = db.last_insert_rowid();
    insert_version(db, id, 1, (&r.generator, &r.text), when)?;
    Ok(id)
}

impl Store {
    /// Saves a trajectory with all its steps in one transaction; returns its id.
    pub fn add_trajectory(&mut self, trajectory: &Trajectory) -> Result<i64> {
        let tx = self.write()?;
        let id = insert_trajectory(&tx, trajectory, now_ms())?;
        tx.commit()?;
        Ok(id)
    }

    /// The tasks of a split that a mind has visited by a seed, with the newest visit of each.
    pub fn visited(
        &self,
        suite: &str,
        split: &str,
        (actor, seed): (&str, u64),
    ) -> Result<Vec<(String, i64)>> {
        let mut rows = self.db.prepare_cached(
            "SELECT task_id, max(id) FROM trajectories WHERE deleted = 0 AND purpose = 'visit' AND \
             suite = ?1 AND split = ?2 AND actor = ?3 AND seed = ?4 GROUP BY task_id",
        )?;
        let values = params![suite, split, actor, seed as i64];
        let found = rows.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// The tasks of a suite that some trajectories are of, also of those that were deleted.
    pub fn tasks_of(
        &self,
        suite: &str,
        ids: impl Iterator<Item = i64>,
    ) -> Result<BTreeSet<String>> {
        let mut row = self
            .db
            .prepare_cached("SELECT task_id FROM trajectories WHERE id = ?1 AND suite = ?2")?;
        let mut tasks = BTreeSet::new();
        for id in ids {
            let found = row.query_row(params![id, suite], |row| row.get::<_, String>(0));
            tasks.extend(found.optional()?);
        }
        Ok(tasks)
    }

    /// What was done in a trajectory, a line each.
    pub fn actions_of(&self, id: i64) -> Result<String> {
        let mut rows =
            self.db.prepare_cached("SELECT action FROM steps WHERE trajectory = ?1 ORDER BY t")?;
        let found = rows.query_map([id], |row| row.get::<_, String>(0))?;
        Ok(found.collect::<rusqlite::Result<Vec<_>>>()?.join("\n"))
    }

    /// A trajectory with its steps.
    pub fn trajectory(&self, id: i64) -> Result<Trajectory> {
        self.read_trajectory(id, false)
            .map_err(|error| error.at(format_args!("trajectory {id}")))?
            .ok_or_else(|| {
                Error::new(format!("there is no trajectory {id}"))
                    .hint("list them with: foretaste data list")
            })
    }

    /// A trajectory with its steps, also one that was taken out of every list: a run that trained
    /// on it can be repeated.
    pub fn trajectory_even_deleted(&self, id: i64) -> Result<Option<Trajectory>> {
        self.read_trajectory(id, true)
    }

    /// The splits of some trajectories, also of those that were deleted.
    pub fn splits_of(&self, ids: impl Iterator<Item = i64>) -> Result<BTreeSet<String>> {
        let mut row = self.db.prepare_cached("SELECT split FROM trajectories WHERE id = ?1")?;
        let mut splits = BTreeSet::new();
        for id in ids {
            splits.extend(row.query_row([id], |row| row.get::<_, String>(0)).optional()?);
        }
        Ok(splits)
    }

    fn read_trajectory(&self, id: i64, deleted: bool) -> Result<Option<Trajectory>> {
        let found = self
            .db
            .query_row(
                "SELECT suite, split, task_id, kind, task, purpose, actor, seed, observation, \
                 admissible, created_ms, world, free \
                 FROM trajectories WHERE id = ?1 AND (deleted = 0 OR ?2)",
                params![id, deleted],
                |row| {
                    Ok(Trajectory {
                        id,
                        suite: row.get(0)?,
                        split: row.get(1)?,
                        task_id: row.get(2)?,
                        kind: row.get(3)?,
                        task: row.get(4)?,
                        purpose: known(row, 5, Purpose::from_name)?,
                        actor: row.get(6)?,
                        seed: row.get::<_, i64>(7)? as u64,
                        observation: row.get(8)?,
                        admissible: json(row, 9)?,
                        free: json(row, 12)?,
                        created_ms: row.get(10)?,
                        world: row
                            .get::<_, Option<String>>(11)?
                            .map(|_| known(row, 11, |hex| u64::from_str_radix(hex, 16).ok()))
                            .transpose()?,
                        steps: Vec::new(),
                    })
                },
            )
            .optional()?;
        let Some(mut trajectory) = found else { return Ok(None) };
        let mut rows = self.db.prepare_cached(
            "SELECT action, source, observation, admissible, done, success, free, reward, \
             truncated FROM steps \
             WHERE trajectory = ?1 ORDER BY t",
        )?;
        let steps = rows.query_map([id], |row| {
            Ok(Step {
                action: row.get(0)?,
                source: row.get(1)?,
                observation: row.get(2)?,
                admissible: json(row, 3)?,
                done: row.get(4)?,
                success: row.get(5)?,
                free: json(row, 6)?,
                reward: row.get(7)?,
                truncated: row.get(8)?,
            })
        })?;
        trajectory.steps = steps.collect::<rusqlite::Result<_>>()?;
        Ok(Some(trajectory))
    }

    /// Demonstrations of a suite and split (either may be left open) that reached the goal, oldest
    /// first.
    pub fn demonstrations(
        &self,
        suite: Option<&str>,
        split: Option<&str>,
    ) -> Result<Vec<TrajectorySummary>> {
        self.summaries("purpose = 'demonstration' AND success = 1", suite, split)
    }

    /// Visits of a suite and split (either may be left open), oldest first.
    pub fn visits(
        &self,
        suite: Option<&str>,
        split: Option<&str>,
    ) -> Result<Vec<TrajectorySummary>> {
        self.summaries("purpose = 'visit'", suite, split)
    }

    fn summaries(
        &self,
        which: &str,
        suite: Option<&str>,
        split: Option<&str>,
    ) -> Result<Vec<TrajectorySummary>> {
        let mut rows = self.db.prepare_cached(&format!(
            "{SUMMARY} WHERE deleted = 0 AND {which} AND (?1 IS NULL OR suite = ?1) AND (?2 IS \
             NULL OR split = ?2) ORDER BY id"
        ))?;
        let found = rows.query_map(params![suite, split], summary)?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Takes a trajectory out of every list and training set, or puts it back.
    pub fn set_deleted(&self, trajectory: i64, deleted: bool) -> Result<()> {
        let changed = self.execute(
            "UPDATE trajectories SET deleted = ?2 WHERE id = ?1",
            params![trajectory, deleted],
        )?;
        if changed == 0 {
            return Err(Error::new(format!("there is no trajectory {trajectory}"))
                .hint("list them with: foretaste data list"));
        }
        Ok(())
    }

    /// The executed alternatives of a trajectory, by state.
    pub fn branches(&self, trajectory: i64) -> Result<Vec<Branch>> {
        let mut rows = self.db.prepare_cached(
            "SELECT id, t, action, source, observation, effect, done, success, reward, \
             created_ms FROM branches WHERE trajectory = ?1 ORDER BY t, id",
        )?;
        let found = rows.query_map([trajectory], |row| branch(trajectory, row))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Saves generated reflections as pending items in one transaction. Refused as a whole if one
    /// cites no executed alternative of its own state (`UNEXECUTED`): nothing is offered for
    /// approval that was not tried.
    pub fn add_reflections(&mut self, reflections: &[NewReflection]) -> Result<Vec<i64>> {
        self.add_attempts(reflections.iter().map(|reflection| (reflection, [].as_slice())))
    }

    /// The same where this writer has not written about the same outcomes of the same state, each
    /// with other attempts: versions that are kept beside the
    /// text that stands.
    pub fn add_attempts<'a>(
        &mut self,
        reflections: impl Iterator<Item = (&'a NewReflection, &'a [String])>,
    ) -> Result<Vec<i64>> {
        let tx = self.write()?;
        let mut ids = Vec::new();
        for (reflection, others) in reflections {
            // Another program may have written about the same meanwhile.
            if is_written(&tx, reflection)? {
                continue;
            }
            let id = insert_reflection(&tx, reflection, now_ms())?;
            for (n, text) in (2..).zip(others) {
                insert_version(&tx, id, n, (&reflection.generator, text), now_ms())?;
            }
            ids.push(id);
        }
        tx.commit()?;
        Ok(ids)
    }

    /// How much of everything there is.
    pub fn counts(&self) -> Result<Counts> {
        let count = |sql: &str| -> Result<u64> {
            Ok(self.db.query_row(sql, [], |row| row.get::<_, i64>(0))? as u64)
        };
        let [pending, approved, rejected] = self.verdict_counts()?;
        Ok(Counts {
            demonstrations: count(
                "SELECT count(*) FROM trajectories WHERE purpose = 'demonstration' AND deleted = 0",
            )?,
            demonstration_steps: count(
                "SELECT coalesce(sum(length), 0) FROM trajectories WHERE purpose = \
                 'demonstration' AND deleted = 0",
            )?,
            branches: count(
                "SELECT (SELECT count(*) FROM branches) - (SELECT count(*) FROM branches WHERE \
                 trajectory IN (SELECT id FROM trajectories WHERE deleted = 1))",
            )?,
            pending,
            approved,
            rejected,
            explorations: count(
                "SELECT count(*) FROM trajectories WHERE purpose = 'exploration' AND deleted = 0",
            )?,
            visits: count(
                "SELECT count(*) FROM trajectories WHERE purpose = 'visit' AND deleted = 0",
            )?,
            runs: count("SELECT count(*) FROM runs")?,
            checkpoints: count("SELECT count(*) FROM checkpoints WHERE deleted_ms IS NULL")?,
        })
    }
}
