//! How often each expert wins, and in how many steps.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Sample;
use crate::control::Control;
use crate::env::{STEP_LIMIT, Suite};
use crate::episode::follow;
use crate::error::Result;

/// Plays the games with every expert the suite offers, and returns, for each, games won within the
/// step limit and the spread of steps; `report` sees every game that was not won.
pub fn run(
    suite: &dyn Suite,
    sample: &Sample,
    control: &Control,
    report: &mut dyn FnMut(Value),
) -> Result<Value> {
    let tasks = sample.draw(sample.all(suite)?);
    let mut tallies = BTreeMap::<&'static str, Tally>::new();
    let mut limit = STEP_LIMIT;
    for task in &tasks {
        let opened = suite.open(&task.id)?;
        limit = opened.limit;
        for name in opened.experts.names() {
            control.cancel.check()?;
            let mut env = opened.env.fork()?;
            let mut steps = 0;
            let expert = opened.experts.get(Some(name))?;
            let won =
                follow(env.as_mut(), expert, opened.limit, &control.cancel, |_, _| steps += 1)?;
            let tally = tallies.entry(name).or_default();
            tally.games += 1;
            let kind = tally.kinds.entry(task.kind.clone()).or_default();
            kind.1 += 1;
            match won {
                Ok(()) => {
                    tally.steps.push(f64::from(steps));
                    kind.0 += 1;
                }
                Err(why) => {
                    report(json!({"expert": name, "lost": task.id, "why": why.to_string()}));
                }
            }
        }
    }
    let rows: Vec<Value> = tallies.into_iter().map(|(name, tally)| tally.row(name)).collect();
    Ok(json!({"suite": suite.name(), "split": sample.split, "games": tasks.len(),
        "step_limit": limit, "experts": rows}))
}

#[derive(Default)]
struct Tally {
    games: usize,
    /// Steps of the games won.
    steps: Vec<f64>,
    /// Won and played, by kind of task.
    kinds: BTreeMap<String, (usize, usize)>,
}

impl Tally {
    fn row(self, name: &str) -> Value {
        let won = self.steps.len();
        let mean = self.steps.iter().sum::<f64>() / won.max(1) as f64;
        let (low, high) = crate::experience::wilson(won as u64, self.games as u64);
        let kinds: BTreeMap<String, String> = self
            .kinds
            .into_iter()
            .map(|(kind, (won, all))| (kind, format!("{won}/{all}")))
            .collect();
        json!({
            "expert": name,
            "won": won,
            "success": won as f64 / self.games.max(1) as f64,
            "interval": [low, high],
            "steps_mean": mean,
            "steps": super::spread(self.steps),
            "kinds": kinds,
        })
    }
}
