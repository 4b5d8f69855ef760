//! How long the embedded model takes in Explore: exact probabilities after a step, predictions for the expert's action and
//! the likeliest alternatives.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Sample, spread};
use crate::agent::local::LocalAgent;
use crate::agent::{Policy, WorldModel};
use crate::collect::{play_expert, step_of, trajectory_at};
use crate::control::Cancel;
use crate::env::Suite;
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

/// Plays experts' episodes and asks at each state what Explore asks: all probabilities, then what the expert's action and
/// the `k` likeliest others lead to.
pub fn run(suite: &dyn Suite, sample: &Sample, model: Model, k: usize, cancel: &Cancel) -> Result<Value> {
    let mut agent = LocalAgent::new(model, cancel.clone(), Priority::Interactive)?;
    let mut figures = Figures::default();
    for task in sample.draw(sample.all(suite)?) {
        let opened = suite.open(&task.id)?;
        let mut episode = trajectory_at(&opened, "", Purpose::Exploration, "expert", sample.seed);
        let mut env = opened.env.fork()?;
        let expert = opened.experts.get(None)?;
        _ = play_expert(env.as_mut(), expert, opened.limit, cancel, |env, action| {
            episode.steps.push(step_of(env, action, "expert"));
        })?;
        for (t, step) in episode.steps.iter().enumerate() {
            ask(&mut agent, &episode.state(t), episode.listed_at(t), &step.action, k, &mut figures)?;
        }
    }
    Ok(json!({
        "states": figures.score.len(), "alternatives": k, "admissible": spread(figures.admissible),
        "probabilities_ms": spread(figures.score), "first_predicted_token_ms": spread(figures.first),
        "all_predictions_ms": spread(figures.all),
    }))
}

fn ask(
    agent: &mut LocalAgent,
    state: &State,
    admissible: &[String],
    expert: &str,
    k: usize,
    figures: &mut Figures,
) -> Result<()> {
    let _waiting = interactive();
    let started = Instant::now();
    let since = || 1e3 * started.elapsed().as_secs_f64();
    let scores = agent.score(state, None, admissible)?;
    figures.score.push(since());
    figures.admissible.push(admissible.len() as f64);
    let mut order: Vec<usize> = (0..scores.len()).filter(|i| admissible[*i] != expert).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let likeliest = order.into_iter().take(k).map(|i| admissible[i].clone());
    let asked: Vec<String> = std::iter::once(expert.to_string()).chain(likeliest).collect();
    let mut first = None;
    agent.predict(state, &asked, &mut |_, _| {
        first.get_or_insert_with(since);
        true
    })?;
    figures.first.extend(first);
    figures.all.push(since());
    Ok(())
}
