//! What models expected of actions, beside what came of them.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::{Store, now_ms};
use crate::error::Result;

/// The next state that a model expected of an action in state `t` of a trajectory, before it was
/// executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prediction {
    /// The trajectory. Its number means nothing in another store.
    #[serde(default)]
    pub trajectory: i64,
    /// The state's index.
    pub t: usize,
    /// The action: the step's own, or an alternative's.
    pub action: String,
    /// The model ("embedded", "run 3 step 200").
    pub model: String,
    /// The text it expected.
    pub text: String,
    /// When, in milliseconds since 1970; 0 before it is saved.
    #[serde(default)]
    pub created_ms: i64,
}

/// What a policy thought in state `t` of a trajectory before it acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thought {
    /// The trajectory. Its number means nothing in another store.
    #[serde(default)]
    pub trajectory: i64,
    /// The state's index.
    pub t: usize,
    /// The text.
    pub text: String,
}

/// Writes a thought, in the place of what the state had.
pub(super) fn insert_thought(db: &Connection, thought: &Thought) -> Result<()> {
    let values = params![thought.trajectory, thought.t as i64, thought.text];
    db.prepare_cached("INSERT OR REPLACE INTO thoughts VALUES (?1, ?2, ?3)")?.execute(values)?;
    Ok(())
}

/// Writes a prediction as of a moment, in the place of an older one of the same model.
pub(super) fn insert_prediction(db: &Connection, p: &Prediction, when: i64) -> Result<()> {
    let values = params![p.trajectory, p.t as i64, p.action, p.model, p.text, when];
    db.prepare_cached("INSERT OR REPLACE INTO predictions VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(values)?;
    Ok(())
}

impl Store {
    /// Saves thoughts in one transaction.
    pub fn add_thoughts(&mut self, thoughts: &[Thought]) -> Result<()> {
        let tx = self.write()?;
        for thought in thoughts {
            insert_thought(&tx, thought)?;
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
            insert_prediction(&tx, p, now_ms())?;
        }
        tx.commit()?;
        Ok(())
    }

    /// What was expected in the states of a trajectory, the newest model's last.
    pub fn predictions(&self, trajectory: i64) -> Result<Vec<Prediction>> {
        let mut rows = self.db.prepare_cached(
            "SELECT t, action, model, text, created_ms FROM predictions WHERE trajectory = ?1 ORDER BY t, \
             created_ms, action",
        )?;
        let found = rows.query_map([trajectory], |row| {
            Ok(Prediction {
                trajectory,
                t: row.get::<_, i64>(0)? as usize,
                action: row.get(1)?,
                model: row.get(2)?,
                text: row.get(3)?,
                created_ms: row.get(4)?,
            })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}
