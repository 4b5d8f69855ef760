//! `foretaste replay`.

use clap::Args;
use serde_json::json;

use super::{Common, out};
use crate::agent::prompt::rightness;
use crate::error::Result;
use crate::formats::transcript::{Transcript, plain};
use crate::store::Told;

/// Arguments of `foretaste replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The trajectory's number (see data list)
    id: i64,
    /// Write it as a whole: text, a web page, an asciinema cast
    #[arg(long, value_enum)]
    format: Option<Transcript>,
}

/// Runs the command.
pub fn run(common: &Common, args: &ReplayArgs) -> Result<()> {
    let store = common.store()?;
    let out = common.out();
    let told = store.told(args.id)?;
    if let Some(transcript) = args.format {
        out::page(&transcript.tell(&told));
        return Ok(());
    }
    for t in 0..=told.trajectory.steps.len() {
        out.line(&row(&told, t), || plain(&told, t).trim_matches('\n').to_string() + "\n");
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
