//! Evaluations: what played, how, which games, and how each ended.

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use serde_json::{Value, json};

use super::listing::shown;
use super::{Store, now_ms};
use crate::error::{Error, Result};

/// An evaluation as a whole. What older programs did not write down is absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvalRow {
    /// Row id; 0 before it is saved.
    pub id: i64,
    /// What was evaluated.
    pub checkpoint: String,
    /// The suite.
    pub suite: String,
    /// The split.
    pub split: String,
    /// Seed that chose the games.
    pub games_seed: Option<u64>,
    /// Seed of the sampling.
    pub seed: u64,
    /// Temperature.
    pub temperature: Option<f64>,
    /// Steps an episode may take.
    pub step_limit: Option<u64>,
    /// Whether a thought came before every action.
    pub think: Option<bool>,
    /// How actions came about: chosen from the `list`, written (`free`), or `both`.
    pub restriction: Option<String>,
    /// Hash of the list of games.
    pub games: Option<String>,
    /// Digest of what the checkpoint's run trained on.
    pub record: Option<String>,
    /// Games played to their ends.
    pub n: u64,
    /// Games that their world broke off, which count neither way.
    pub broke_off: u64,
    /// Games won.
    pub successes: u64,
    /// Mean steps an episode.
    pub mean_steps: f64,
    /// Mean reward an episode.
    pub mean_reward: Option<f64>,
    /// Games among them that the checkpoint was trained on, as far as was known.
    pub trained_on: Option<u64>,
    /// Whether actions that had been tried in the same state were left out.
    pub no_repeat: Option<bool>,
}

impl EvalRow {
    /// Where and how it was played, as far as that was written down.
    pub fn how(&self) -> String {
        let temperature = self.temperature.map_or("?".to_string(), |t| t.to_string());
        let mut text = format!("{} T {temperature} seed {}", self.split, self.seed);
        // First what takes the figure its meaning.
        if let Some(n) = self.trained_on.filter(|n| *n > 0) {
            text = format!("trained on {n} of them! {text}");
        }
        for (is_so, word) in [
            (self.think == Some(true), ", thinking"),
            (self.restriction.as_deref() == Some("free"), ", free text"),
            (self.restriction.as_deref() == Some("both"), ", written or listed"),
            (self.no_repeat == Some(true), ", no repeats"),
        ] {
            text += if is_so { word } else { "" };
        }
        let games = self.games_seed.map(|seed| format!(", games by seed {seed}"));
        text + &games.unwrap_or_default()
    }
}

/// One game of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlayedGame {
    /// The task.
    pub task_id: String,
    /// Whether it was won.
    pub success: bool,
    /// What it was worth.
    pub reward: f64,
    /// Steps taken.
    pub steps: usize,
    /// The stored trajectory.
    pub trajectory: i64,
}

const EVALUATION: &str = "SELECT id, checkpoint, suite, split, games_seed, seed, temperature, \
     step_limit, think, restriction, games, record, n, successes, mean_steps, mean_reward, broke_off, \
     trained_on, no_repeat FROM evaluations";

fn eval_row(row: &Row<'_>) -> rusqlite::Result<EvalRow> {
    Ok(EvalRow {
        id: row.get(0)?,
        checkpoint: row.get(1)?,
        suite: row.get(2)?,
        split: row.get(3)?,
        games_seed: row.get::<_, Option<i64>>(4)?.map(|seed| seed as u64),
        seed: row.get::<_, i64>(5)? as u64,
        temperature: row.get(6)?,
        step_limit: row.get::<_, Option<i64>>(7)?.map(|limit| limit as u64),
        think: row.get(8)?,
        restriction: row.get(9)?,
        games: row.get(10)?,
        record: row.get(11)?,
        n: row.get::<_, i64>(12)? as u64,
        successes: row.get::<_, i64>(13)? as u64,
        mean_steps: row.get(14)?,
        mean_reward: row.get(15)?,
        broke_off: row.get::<_, i64>(16)? as u64,
        trained_on: row.get::<_, Option<i64>>(17)?.map(|n| n as u64),
        no_repeat: row.get(18)?,
    })
}

impl Store {
    /// Records an evaluation with its games in one transaction; returns its id.
    pub fn add_evaluation(&mut self, eval: &EvalRow, games: &[PlayedGame]) -> Result<i64> {
        let tx = self.write()?;
        tx.execute(
            "INSERT INTO evaluations (checkpoint, suite, split, games_seed, seed, temperature, \
             step_limit, think, restriction, games, record, n, successes, mean_steps, created_ms, \
             mean_reward, broke_off, trained_on, no_repeat) VALUES \
             (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
            params![
                eval.checkpoint,
                eval.suite,
                eval.split,
                eval.games_seed.map(|seed| seed as i64),
                eval.seed as i64,
                eval.temperature,
                eval.step_limit.map(|limit| limit as i64),
                eval.think,
                eval.restriction,
                eval.games,
                eval.record,
                eval.n as i64,
                eval.successes as i64,
                eval.mean_steps,
                now_ms(),
                eval.mean_reward,
                eval.broke_off as i64,
                eval.trained_on.map(|n| n as i64),
                eval.no_repeat
            ],
        )?;
        let id = tx.last_insert_rowid();
        for game in games {
            let values = params![
                id,
                game.task_id,
                game.success,
                game.steps as i64,
                game.trajectory,
                game.reward
            ];
            let insert = "INSERT INTO evaluation_games (evaluation, task_id, success, steps, \
                          trajectory, reward) \
                          VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            tx.prepare_cached(insert)?.execute(values)?;
        }
        tx.commit()?;
        Ok(id)
    }

    /// Records how right a model's predictions are: the means over games, and how they were asked
    /// for.
    pub fn add_foresight(
        &self,
        checkpoint: &str,
        suite: &str,
        split: &str,
        result: &Value,
    ) -> Result<()> {
        let values = params![checkpoint, suite, split, result.to_string(), now_ms()];
        self.execute(
            "INSERT INTO foresights (checkpoint, suite, split, result, created_ms) VALUES (?1, \
             ?2, ?3, ?4, ?5)",
            values,
        )?;
        Ok(())
    }

    /// How right predictions were, the newest first.
    pub fn foresights(&self) -> Result<Vec<Value>> {
        let mut rows = self.db.prepare_cached(
            "SELECT id, checkpoint, suite, split, result FROM foresights ORDER BY \
                             id DESC LIMIT 500",
        )?;
        let found = rows.query_map([], |row| {
            let result: Value = serde_json::from_str(&row.get::<_, String>(4)?).unwrap_or_default();
            let [checkpoint, suite, split] = [1, 2, 3].map(|i| row.get::<_, String>(i));
            Ok(json!({
                "id": row.get::<_, i64>(0)?, "checkpoint": checkpoint?, "suite": suite?,
                "split": split?, "asked": result,
            }))
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Evaluations, newest first.
    pub fn evaluations(&self) -> Result<Vec<EvalRow>> {
        let mut rows =
            self.db.prepare_cached(&format!("{EVALUATION} ORDER BY id DESC LIMIT 500"))?;
        Ok(rows.query_map([], eval_row)?.collect::<rusqlite::Result<_>>()?)
    }

    /// Kinds of task among an evaluation's games, with games won and played of each.
    pub fn evaluated_by_kind(&self, id: i64) -> Result<Vec<(String, u64, u64)>> {
        let mut rows = self.db.prepare_cached(
            "SELECT t.kind, sum(g.success), count(*) FROM evaluation_games g \
             JOIN trajectories t ON t.id = g.trajectory WHERE g.evaluation = ?1 \
             GROUP BY t.kind ORDER BY t.kind",
        )?;
        let found = rows.query_map([id], |row| {
            let [won, of] = [1, 2].map(|i| row.get::<_, i64>(i).map(|n| n as u64));
            Ok((shown(row, 0)?, won?, of?))
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// One evaluation with its games.
    pub fn evaluation(&self, id: i64) -> Result<(EvalRow, Vec<PlayedGame>)> {
        let found =
            self.db.query_row(&format!("{EVALUATION} WHERE id = ?1"), [id], eval_row).optional()?;
        let eval = found.ok_or_else(|| {
            Error::new(format!("there is no evaluation {id}"))
                .hint("list them with: foretaste data list evaluations")
        })?;
        let mut rows = self.db.prepare_cached(
            "SELECT task_id, success, steps, trajectory, coalesce(reward, success) FROM \
             evaluation_games \
             WHERE evaluation = ?1 ORDER BY task_id",
        )?;
        let games = rows.query_map([id], |row| {
            let steps = row.get::<_, i64>(2)? as usize;
            Ok(PlayedGame {
                task_id: row.get(0)?,
                success: row.get(1)?,
                steps,
                trajectory: row.get(3)?,
                reward: row.get(4)?,
            })
        })?;
        Ok((eval, games.collect::<rusqlite::Result<_>>()?))
    }
}
