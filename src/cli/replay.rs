//! `foretaste replay`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{Common, interruptible, number, out, real};
use crate::agent;
use crate::agent::prompt::rightness;
use crate::env::open_suite;
use crate::episode::Play;
use crate::error::{Error, Result};
use crate::eval::{Chance, blame, who_plays_on};
use crate::formats::transcript::{Transcript, plain};
use crate::model::team::Priority;
use crate::store::Told;
use crate::text::clean;
use crate::train::rl::kept::{self, Choice, Learnt, Member, signed};
use crate::train::rl::now::{Now, now};

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
    /// Who plays on (default: who played, or the nearest checkpoint of that run, or what it started from;
    /// else the newest checkpoint or the embedded model)
    #[arg(long, requires = "blame")]
    mind: Option<String>,
    /// Temperature of who plays on
    #[arg(long, default_value_t = 0.4, requires = "blame", value_parser = real(0.0..=100.0))]
    temperature: f64,
    /// Of a rollout: beside what its choices were worth, the share of each now, of the newest checkpoint of
    /// the run that learnt from it
    #[arg(long, conflicts_with_all = ["blame", "format"])]
    now: bool,
    /// Of a rollout: its group as a tree, with what each rollout and fork was worth
    #[arg(long, conflicts_with_all = ["blame", "format", "now"])]
    group: bool,
    /// The folder of the suite's games, where it needs one
    #[arg(long, value_name = "DIR", requires = "blame")]
    data: Option<PathBuf>,
}

/// Says where a trajectory was lost.
fn whom_to_blame(common: &Common, args: &ReplayArgs, forks: usize) -> Result<()> {
    let store = common.store()?;
    let trajectory = store.trajectory(args.id)?;
    let suite = open_suite(&trajectory.suite, args.data.as_deref())?;
    let mind = args.mind.clone().or_else(|| agent::played_by(&store, &trajectory));
    let name = Some(trajectory.suite.as_str());
    let mut agent = agent::open(&store, mind.as_deref(), name, Priority::Interactive)?;
    out::tell(&who_plays_on(&agent.name(), forks, &trajectory.actor));
    let play = Play { temperature: args.temperature, seed: 1, ..Play::default() };
    let (out, mut live) = (common.out(), common.out());
    let control = interruptible()?;
    let mut each = |chance: Option<&Chance>, progress| {
        live.progress(&progress);
        let Some(chance) = chance else { return };
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
    let kept = store.rollout_of(args.id)?;
    if kept.is_none() && (args.now || args.group) {
        return Err(Error::new(format!("no run has learnt from trajectory {}", args.id))
            .hint("rollouts that were learnt from: foretaste data list rollouts"));
    }
    if let (Some(of), true) = (&kept, args.group) {
        kept::read(&store, of.run, of.step, of.group)?.members().iter().for_each(|one| {
            out.line(&json!(one), || member(one));
        });
        return Ok(());
    }
    let asked = kept.as_ref().filter(|_| args.now);
    let cancel = interruptible()?.cancel;
    let asked = asked.map(|of| now(&store, of, &told.trajectory, &cancel)).transpose()?;
    let learnt = kept.map(|row| Learnt::read(&row)).transpose()?;
    for t in 0..=told.trajectory.steps.len() {
        let choice = learnt.as_ref().and_then(|learnt| learnt.choices.get(t));
        let mut row = row(&told, t);
        if let Some(choice) = choice {
            row["learnt"] = json!(choice);
        }
        if let Some(Now { policy, shares }) = &asked {
            row["now"] = json!({"policy": policy, "shares": shares.get(t)});
        }
        out.line(&row, || {
            let learnt = choice.map(|choice| choice_of(choice, asked.as_ref(), t));
            let state = plain(&told, t);
            format!("{}{}\n", state.trim_matches('\n'), learnt.unwrap_or_default())
        });
    }
    Ok(())
}

/// What the choice in a state was worth, and its share then and now, as far as it is known.
fn choice_of(choice: &Choice, now: Option<&Now>, t: usize) -> String {
    let worth = choice.advantage.map(|a| format!("A {}", signed(a)));
    let then = choice.share().filter(|_| now.is_some());
    let then = then.map(|share| format!("{:.0} % when it was drawn", 100.0 * share));
    let now = now.and_then(|now| {
        let share = now.shares.get(t)?.get(choice.chosen)?;
        Some(format!("{:.0} % of {}", 100.0 * share, now.policy))
    });
    let all: Vec<String> = [worth, then, now].into_iter().flatten().collect();
    if all.is_empty() { String::new() } else { format!("\nlearnt: {}\n", all.join(", ")) }
}

/// A rollout of a group in a line.
fn member(one: &Member) -> String {
    let branch = one.fork.map_or_else(|| "start".into(), |(_, at)| format!("  └ step {}", at + 1));
    let won = if one.success { "won" } else { "lost" };
    let worth = one.advantage.map_or_else(|| "–".into(), signed);
    let left = one.left.as_ref().map_or_else(String::new, |left| {
        let worth = left.advantage.map_or_else(|| "–".into(), signed);
        format!(" (not {}, A {worth})", clean(&left.action))
    });
    format!(
        "{:>6}  {branch:<12} {won:<4} {:>3} steps  A {worth:>5}  {}{left}",
        one.trajectory,
        one.steps,
        clean(&one.action)
    )
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
