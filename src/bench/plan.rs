//! What the planner costs from states off the walkthrough, and whether it always has an answer.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Sample, any_action, spread};
use crate::control::Control;
use crate::env::Environment as _;
use crate::env::Suite;
use crate::env::tw_pddl::TwPddl;
use crate::env::tw_pddl::plan::{Limits, Planner, Solution};
use crate::error::{Error, Result};
use crate::rng::Rng;

#[derive(Default)]
struct Figures {
    ground_ms: Vec<f64>,
    plan_ms: Vec<f64>,
    starts_ms: Vec<f64>,
    steps: Vec<f64>,
    starts: Vec<f64>,
    unsolvable: usize,
    given_up: Vec<String>,
    /// Plans that did not win when they were played; always 0.
    failed: usize,
    slowest: (f64, String),
}

/// Measures `states` states of each game, and returns the figures by name.
pub fn run(suite: &dyn Suite, sample: &Sample, states: usize, control: &Control) -> Result<Value> {
    let tasks = sample.draw(sample.all(suite)?);
    let mut figures = Figures::default();
    for task in &tasks {
        control.cancel.check()?;
        let opened = suite.open(&task.id)?;
        let env = opened.env.as_any().downcast_ref::<TwPddl>();
        let env =
            env.ok_or_else(|| Error::new(format!("suite {} has no planner", suite.name())))?;
        game(env, &task.id, sample.seed, states, &mut figures)?;
    }
    let states = figures.plan_ms.len();
    Ok(json!({
        "suite": suite.name(),
        "games": tasks.len(),
        "states": states,
        "ground_ms": spread(figures.ground_ms),
        "plan_ms": spread(figures.plan_ms),
        "all_starts_ms": spread(figures.starts_ms),
        "plan_steps": spread(figures.steps),
        "equally_good": spread(figures.starts),
        "solved": states - figures.unsolvable - figures.given_up.len() - figures.failed,
        "proved_unsolvable": figures.unsolvable,
        "failed_plans": figures.failed,
        "given_up": figures.given_up,
        "slowest": {"ms": figures.slowest.0, "at": figures.slowest.1},
    }))
}

fn game(start: &TwPddl, id: &str, seed: u64, states: usize, figures: &mut Figures) -> Result<()> {
    let mut rng = Rng::stream(seed, id);
    let planner = Planner::new(std::sync::Arc::clone(start.world().game()));
    let started = Instant::now();
    planner.size()?;
    figures.ground_ms.push(started.elapsed().as_secs_f64() * 1e3);
    let walkthrough = &start.world().game().walkthrough;
    for _ in 0..states {
        let mut env = start.clone();
        for action in &walkthrough[..rng.below(walkthrough.len().max(1))] {
            env.step(action)?;
        }
        for _ in 0..rng.between(10, 50) {
            let Some(action) = any_action(&env, &mut rng) else { break };
            env.step(&action)?;
        }
        if env.turn().success {
            continue;
        }
        let started = Instant::now();
        let plan = planner.plan(env.world(), false, &Limits::default())?;
        let ms = started.elapsed().as_secs_f64() * 1e3;
        figures.plan_ms.push(ms);
        if ms > figures.slowest.0 {
            figures.slowest = (ms, id.to_string());
        }
        match plan {
            Solution::Found { steps, .. } => {
                let started = Instant::now();
                if let Solution::Found { starts, .. } =
                    planner.plan(env.world(), true, &Limits::default())?
                {
                    figures.starts_ms.push(started.elapsed().as_secs_f64() * 1e3);
                    figures.starts.push(starts.len() as f64);
                }
                figures.steps.push(steps.len() as f64);
                for (_, command) in &steps {
                    env.step(command)?;
                }
                figures.failed += usize::from(!env.turn().success);
            }
            Solution::Unsolvable => figures.unsolvable += 1,
            Solution::GaveUp(_) => figures.given_up.push(id.to_string()),
            Solution::Cancelled => return Err(Error::cancelled()),
        }
    }
    Ok(())
}
