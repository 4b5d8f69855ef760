//! `foretaste replay`.

use clap::Args;
use serde_json::json;

use super::{Common, out};
use crate::error::Result;
use crate::formats::transcript::Transcript;

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
    let trajectory = store.trajectory(args.id)?;
    let branches = store.branches(args.id)?;
    if let Some(transcript) = args.format {
        out::page(&transcript.tell(&trajectory, &branches));
        return Ok(());
    }
    for t in 0..=trajectory.steps.len() {
        let step = t.checked_sub(1).and_then(|before| trajectory.steps.get(before));
        let here: Vec<_> = branches.iter().filter(|branch| branch.t == t).collect();
        let row = json!({
            "t": t,
            "action": step.map(|s| &s.action),
            "source": step.map(|s| &s.source),
            "observation": trajectory.observation_at(t),
            "admissible": trajectory.admissible_at(t),
            "done": step.is_some_and(|s| s.done),
            "success": step.is_some_and(|s| s.success),
            "reward": step.map_or(0.0, |s| s.reward),
            "truncated": step.is_some_and(|s| s.truncated),
            "alternatives": here,
        });
        out.line(&row, || {
            let head =
                step.map_or("start".to_string(), |s| format!("> {}  ({})", s.action, s.source));
            let tried = here
                .iter()
                .map(|b| format!("\n     {} [{}] {}", b.action, b.effect.as_str(), b.observation));
            format!(
                "{t:3} {head}\n    {}{}",
                trajectory.observation_at(t).replace('\n', "\n    "),
                tried.collect::<String>()
            )
        });
    }
    Ok(())
}
