//! How long the embedded model takes in Explore: exact probabilities after a step, predictions for
//! the expert's action and the likeliest alternatives.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Sample, spread};
use crate::agent::{self, Agent, Among};
use crate::control::Cancel;
use crate::env::Suite;
use crate::episode::{Episode, Teacher};
use crate::error::Result;
use crate::experience::{Purpose, State};
use crate::model::Model;
use crate::model::team::{Priority, interactive};

/// Figures by what was asked.
#[derive(Default)]
struct Figures {
    admissible: Vec<f64>,
    score: Vec<f64>,
    first: Vec<f64>,
    all: Vec<f64>,
}

/// Plays experts' episodes and asks at each state what Explore asks: all probabilities, then what
/// the expert's action and the `k` likeliest others lead to.
pub fn run(
    suite: &dyn Suite,
    sample: &Sample,
    model: Model,
    k: usize,
    cancel: &Cancel,
) -> Result<Value> {
    let mut agent = agent::local(model, Priority::Interactive)?;
    let mut figures = Figures::default();
    for task in sample.draw(sample.all(suite)?) {
        let mut episode = Episode::open(suite, "", &task.id, Purpose::Exploration, sample.seed)?;
        _ = episode.demonstrate(Teacher::Suite(None), cancel)?;
        let episode = episode.trajectory;
        for (t, step) in episode.steps.iter().enumerate() {
            ask(
                agent.as_mut(),
                &episode.state(t),
                episode.listed_at(t),
                &step.action,
                (k, cancel),
                &mut figures,
            )?;
        }
    }
    Ok(json!({
        "states": figures.score.len(), "alternatives": k, "admissible": spread(figures.admissible),
        "probabilities_ms": spread(figures.score),
        "first_predicted_token_ms": spread(figures.first),
        "all_predictions_ms": spread(figures.all),
    }))
}

fn ask(
    agent: &mut dyn Agent,
    state: &State,
    admissible: &[String],
    expert: &str,
    (k, cancel): (usize, &Cancel),
    figures: &mut Figures,
) -> Result<()> {
    let _waiting = interactive();
    let started = Instant::now();
    let since = || 1e3 * started.elapsed().as_secs_f64();
    let scores = agent
        .score(&[Among::of(state, admissible)], cancel)?
        .into_iter()
        .flatten()
        .next()
        .unwrap_or_default();
    figures.score.push(since());
    figures.admissible.push(admissible.len() as f64);
    let mut order: Vec<usize> = (0..scores.len()).filter(|i| admissible[*i] != expert).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let likeliest = order.into_iter().take(k).map(|i| admissible[i].clone());
    let asked: Vec<String> = std::iter::once(expert.to_string()).chain(likeliest).collect();
    let mut first = None;
    agent.predict(&[Among::of(state, &asked)], cancel, &mut |_, _, _| {
        first.get_or_insert_with(since);
    })?;
    figures.first.extend(first);
    figures.all.push(since());
    Ok(())
}
