//! Pools of alternatives, and what objectives may choose from.

use rusqlite::{Connection, params};
use serde::Serialize;

use super::trajectories::{branch, insert_branch};
use super::{Store, now_ms};
use crate::error::Result;
use crate::experience::{Branch, Membership, is_answers};

/// An executed alternative and its place in a pool.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// The alternative.
    pub branch: Branch,
    /// Its place.
    pub place: Membership,
}

/// How many alternatives of a pool came from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PoolCount {
    /// The pool.
    pub pool: String,
    /// Where its draws came from.
    pub source: String,
    /// The model that was asked; empty where none was.
    pub model: String,
    /// How many.
    pub count: u64,
}

/// A trajectory that may be trained on, without its steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Row id.
    pub id: i64,
    /// Its suite.
    pub suite: String,
    /// The task in it.
    pub task_id: String,
    /// The kind of task.
    pub kind: String,
    /// The goal in words.
    pub task: String,
    /// Who acted.
    pub actor: String,
    /// The first observation.
    pub observation: String,
}

/// Writes an alternative's place in a pool, unless it has one.
pub(super) fn insert_membership(db: &Connection, branch: i64, place: &Membership) -> Result<()> {
    db.prepare_cached("INSERT INTO pools VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING")?
        .execute(params![branch, place.pool, place.rank as i64, place.source, place.model])?;
    Ok(())
}

impl Store {
    /// Saves executed alternatives with their places in pools, in one transaction; one that the
    /// state already has keeps its row. Returns the ids.
    pub fn add_branches(&mut self, drawn: &[Drawn]) -> Result<Vec<i64>> {
        let tx = self.write()?;
        let mut ids = Vec::with_capacity(drawn.len());
        for Drawn { branch, place } in drawn {
            let id = insert_branch(&tx, branch, now_ms())?;
            insert_membership(&tx, id, place)?;
            ids.push(id);
        }
        tx.commit()?;
        Ok(ids)
    }

    /// The alternatives of a trajectory with all their places (or those in one pool), by state and
    /// draw.
    pub fn drawn(&self, trajectory: i64, pool: Option<&str>) -> Result<Vec<Drawn>> {
        let mut rows = self.db.prepare_cached(
            "SELECT b.id, t, action, b.source, observation, effect, done, success, b.reward, \
             b.created_ms, p.pool, p.rank, p.source, p.model \
             FROM branches b JOIN pools p ON p.branch = b.id WHERE trajectory = ?1 AND (?2 IS \
             NULL OR p.pool = ?2) \
             ORDER BY t, p.pool, p.rank, b.id",
        )?;
        let found = rows.query_map(params![trajectory, pool], |row| {
            let rank = row.get::<_, i64>(11)? as usize;
            let place =
                Membership { pool: row.get(10)?, rank, source: row.get(12)?, model: row.get(13)? };
            Ok(Drawn { branch: branch(trajectory, row)?, place })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// What an expert would have done in the states of a visit, by state; in one pool of answers, or
    /// in all.
    pub fn answers(&self, trajectory: i64, pool: Option<&str>) -> Result<Vec<Drawn>> {
        let mut answers = self.drawn(trajectory, pool)?;
        answers.retain(|drawn| is_answers(&drawn.place.pool));
        Ok(answers)
    }

    /// Suites and splits that there are demonstrations of, and how many.
    pub fn demonstrated(&self) -> Result<Vec<(String, String, u64)>> {
        let mut rows = self.db.prepare_cached(
            "SELECT suite, split, count(*) FROM trajectories WHERE deleted = 0 AND purpose = \
             'demonstration' AND success = 1 GROUP BY 1, 2 ORDER BY 1, 2",
        )?;
        let found =
            rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)? as u64)))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Who demonstrated in a suite and split (either may be left open), and how often.
    pub fn actors(&self, suite: Option<&str>, split: Option<&str>) -> Result<Vec<(String, u64)>> {
        let mut rows = self.db.prepare_cached(
            "SELECT actor, count(*) FROM trajectories WHERE deleted = 0 AND purpose = \
             'demonstration' AND success = 1 \
             AND (?1 IS NULL OR suite = ?1) AND (?2 IS NULL OR split = ?2) GROUP BY 1 ORDER BY 1",
        )?;
        let found = rows.query_map(params![suite, split], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)? as u64))
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// The pools of demonstrations of a suite, split and expert (each may be left open), or of visits
    /// too: how many alternatives of each came from where.
    pub fn pools(
        &self,
        suite: Option<&str>,
        split: Option<&str>,
        expert: Option<&str>,
        visits: bool,
    ) -> Result<Vec<PoolCount>> {
        let mut rows = self.db.prepare_cached(
            "SELECT p.pool, p.source, p.model, count(*) FROM pools p JOIN branches b ON b.id = \
             p.branch \
             JOIN trajectories j ON j.id = b.trajectory WHERE j.deleted = 0 AND (j.purpose = \
             'demonstration' OR ?4 AND j.purpose = 'visit') \
             AND (?1 IS NULL OR j.suite = ?1) AND (?2 IS NULL OR j.split = ?2) AND (?3 IS NULL OR \
             j.actor = ?3) \
             GROUP BY 1, 2, 3 ORDER BY 1, 4 DESC",
        )?;
        let found = rows.query_map(params![suite, split, expert, visits], |row| {
            let count = row.get::<_, i64>(3)? as u64;
            Ok(PoolCount { pool: row.get(0)?, source: row.get(1)?, model: row.get(2)?, count })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Demonstrations of a suite and split (either may be left open) that reached the goal, oldest
    /// first.
    pub fn candidates(&self, suite: Option<&str>, split: Option<&str>) -> Result<Vec<Candidate>> {
        self.candidates_where("purpose = 'demonstration' AND success = 1", suite, split)
    }

    /// Visits of a suite and split (either may be left open), oldest first.
    pub fn visit_candidates(
        &self,
        suite: Option<&str>,
        split: Option<&str>,
    ) -> Result<Vec<Candidate>> {
        self.candidates_where("purpose = 'visit'", suite, split)
    }

    /// Explorations of a suite and split (either may be left open) that carry an approved
    /// reflection, oldest first.
    pub fn reflected_explorations(
        &self,
        suite: Option<&str>,
        split: Option<&str>,
    ) -> Result<Vec<Candidate>> {
        let reflected = "EXISTS (SELECT 1 FROM reflections r WHERE r.trajectory = j.id AND \
                         r.verdict = 'approved')";
        self.candidates_where(&format!("purpose = 'exploration' AND {reflected}"), suite, split)
    }

    fn candidates_where(
        &self,
        which: &str,
        suite: Option<&str>,
        split: Option<&str>,
    ) -> Result<Vec<Candidate>> {
        let mut rows = self.db.prepare_cached(&format!(
            "SELECT id, suite, task_id, kind, task, actor, observation FROM trajectories j WHERE \
             deleted = 0 AND {which} \
             AND (?1 IS NULL OR suite = ?1) AND (?2 IS NULL OR split = ?2) ORDER BY id"
        ))?;
        let found = rows.query_map(params![suite, split], |row| {
            Ok(Candidate {
                id: row.get(0)?,
                suite: row.get(1)?,
                task_id: row.get(2)?,
                kind: row.get(3)?,
                task: row.get(4)?,
                actor: row.get(5)?,
                observation: row.get(6)?,
            })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}
