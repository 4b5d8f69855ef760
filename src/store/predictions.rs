//! What models expected of actions, beside what came of them.

use rusqlite::params;
use serde::Serialize;

use super::{Store, now_ms};
use crate::error::Result;

/// The next state that a model expected of an action in state `t` of a trajectory, before it was
/// executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Prediction {
    /// The trajectory.
    pub trajectory: i64,
    /// The state's index.
    pub t: usize,
    /// The action: the step's own, or an alternative's.
    pub action: String,
    /// The model ("embedded", "run 3 step 200").
    pub model: String,
    /// The text it expected.
    pub text: String,
}

/// What a policy thought in state `t` of a trajectory before it acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Thought {
    /// The trajectory.
    pub trajectory: i64,
    /// The state's index.
    pub t: usize,
    /// The text.
    pub text: String,
}

impl Store {
    /// Saves thoughts in one transaction.
    pub fn add_thoughts(&mut self, thoughts: &[Thought]) -> Result<()> {
        let tx = self.write()?;
        for thought in thoughts {
            let values = params![thought.trajectory, thought.t as i64, thought.text];
            tx.prepare_cached("INSERT OR REPLACE INTO thoughts VALUES (?1, ?2, ?3)")?
                .execute(values)?;
        }
        tx.commit()?;
        Ok(())
    }

    /// What was thought in the states of a trajectory.
    pub fn thoughts(&self, trajectory: i64) -> Result<Vec<Thought>> {
        let mut rows = self
            .db
            .prepare_cached("SELECT t, text FROM thoughts WHERE trajectory = ?1 ORDER BY t")?;
        let found = rows.query_map([trajectory], |row| {
            Ok(Thought { trajectory, t: row.get::<_, i64>(0)? as usize, text: row.get(1)? })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Saves predictions in one transaction; a newer one of the same model takes the place of the
    /// older.
    pub fn add_predictions(&mut self, predictions: &[Prediction]) -> Result<()> {
        let tx = self.write()?;
        for p in predictions {
            tx.prepare_cached(
                "INSERT OR REPLACE INTO predictions VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                p.trajectory,
                p.t as i64,
                p.action,
                p.model,
                p.text,
                now_ms()
            ])?;
        }
        tx.commit()?;
        Ok(())
    }

    /// What was expected in the states of a trajectory, the newest model's last.
    pub fn predictions(&self, trajectory: i64) -> Result<Vec<Prediction>> {
        let mut rows = self.db.prepare_cached(
            "SELECT t, action, model, text FROM predictions WHERE trajectory = ?1 ORDER BY t, \
             created_ms, action",
        )?;
        let found = rows.query_map([trajectory], |row| {
            Ok(Prediction {
                trajectory,
                t: row.get::<_, i64>(0)? as usize,
                action: row.get(1)?,
                model: row.get(2)?,
                text: row.get(3)?,
            })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}
