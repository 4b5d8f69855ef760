//! `foretaste replay`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{Common, interruptible, number, out, real};
use crate::agent;
use crate::agent::prompt::rightness;
use crate::env::open_suite;
use crate::episode::Play;
use crate::error::Result;
use crate::eval::{Chance, blame};
use crate::formats::transcript::{Transcript, plain};
use crate::model::team::Priority;
use crate::store::Told;
use crate::train::rl::kept::Learnt;

/// Arguments of `foretaste replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The trajectory's number (see data list)
    id: i64,
    /// Write it as a whole: text, a web page, an asciinema cast
    #[arg(long, value_enum)]
    format: Option<Transcript>,
    /// Say where it was lost: a mind plays on so many times from each of its states
    #[arg(long, value_name = "FORKS", num_args = 0..=1, default_missing_value = "16",
          conflicts_with = "format", value_parser = number::<usize>(1..=10_000))]
    blame: Option<usize>,
    /// Who plays on (default: who played, where that is a model here, else the newest checkpoint or
    /// the embedded model)
    #[arg(long, requires = "blame")]
    mind: Option<String>,
    /// Temperature of who plays on
    #[arg(long, default_value_t = 0.4, requires = "blame", value_parser = real(0.0..=100.0))]
    temperature: f64,
    /// The folder of the suite's games, where it needs one
    #[arg(long, value_name = "DIR", requires = "blame")]
    data: Option<PathBuf>,
}

/// Says where a trajectory was lost.
fn whom_to_blame(common: &Common, args: &ReplayArgs, forks: usize) -> Result<()> {
    let store = common.store()?;
    let trajectory = store.trajectory(args.id)?;
    let suite = open_suite(&trajectory.suite, args.data.as_deref())?;
    let mind = args.mind.as_deref().or_else(|| agent::played_by(&store, &trajectory));
    let name = Some(trajectory.suite.as_str());
    let mut agent = agent::open(&store, mind, name, Priority::Interactive)?;
    let play = Play { temperature: args.temperature, seed: 1, ..Play::default() };
    let (out, mut live) = (common.out(), common.out());
    let control = interruptible()?;
    let mut each = |chance: &Chance, progress| {
        let Chance { t, won, n, interval: (low, high) } = chance;
        out.line(&json!(chance), || {
            let before = t.checked_sub(1).and_then(|t| trajectory.steps.get(t));
            let action = before.map_or("start", |step| step.action.as_str());
            format!(
                "{t:>3}  won {won:>3} of {n}  [{:.0}, {:.0}] %  {action}",
                100.0 * low,
                100.0 * high
            )
        });
        live.progress(&progress);
    };
    let found =
        blame(suite.as_ref(), &trajectory, agent.as_mut(), (forks, play), &control, &mut each)?;
    out.line(&json!({"blame": found.step, "mind": found.mind}), || found.in_words());
    Ok(())
}

/// Runs the command.
pub fn run(common: &Common, args: &ReplayArgs) -> Result<()> {
    if let Some(forks) = args.blame {
        return whom_to_blame(common, args, forks);
    }
    let store = common.store()?;
    let out = common.out();
    let told = store.told(args.id)?;
    if let Some(transcript) = args.format {
        out::page(&transcript.tell(&told));
        return Ok(());
    }
    let learnt = store.rollout_of(args.id)?.map(|row| Learnt::read(&row)).transpose()?;
    for t in 0..=told.trajectory.steps.len() {
        let choice = learnt.as_ref().and_then(|learnt| learnt.choices.get(t));
        let mut row = row(&told, t);
        if let Some(choice) = choice {
            row["learnt"] = json!(choice);
        }
        out.line(&row, || {
            let worth = choice.and_then(|choice| choice.advantage);
            let worth = worth.map_or_else(String::new, |a| format!("\nlearnt: A {a:+.2}\n"));
            plain(&told, t).trim_matches('\n').to_string() + &worth + "\n"
        });
    }
    Ok(())
}

/// A state for programs: the step that led there, what was expected of it, what was seen, what else
/// was executed, and the reflections.
fn row(told: &Told, t: usize) -> serde_json::Value {
    let trajectory = &told.trajectory;
    let before = t.checked_sub(1).and_then(|at| Some((at, trajectory.steps.get(at)?)));
    let step = before.map(|(_, step)| step);
    let expected = |t: usize, action: &str, actual: &str| -> Vec<serde_json::Value> {
        let one = |p: &crate::store::Prediction| json!({"model": p.model, "text": p.text, "right": rightness(&p.text, actual)});
        told.expected(t, action).map(one).collect()
    };
    let alternatives = told.branches_at(t).map(|branch| {
        let mut row = json!(branch);
        row["predictions"] = expected(t, &branch.action, &branch.observation).into();
        row
    });
    json!({
        "t": t,
        "action": step.map(|s| &s.action),
        "source": step.map(|s| &s.source),
        "thought": before.and_then(|(at, _)| told.thought(at)),
        "predictions": before.map(|(at, s)| expected(at, &s.action, &s.observation)),
        "observation": trajectory.observation_at(t),
        "admissible": trajectory.admissible_at(t),
        "done": step.is_some_and(|s| s.done),
        "success": step.is_some_and(|s| s.success),
        "reward": step.map_or(0.0, |s| s.reward),
        "truncated": step.is_some_and(|s| s.truncated),
        "alternatives": alternatives.collect::<Vec<_>>(),
        "reflections": told.reflections_at(t).collect::<Vec<_>>(),
    })
}
