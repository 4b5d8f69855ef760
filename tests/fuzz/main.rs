//! Hostile input to every reader of the engine: nothing may panic, hang or grow without bound.
//!
//! [`bent`] mutates real files; [`grow`] makes inputs that grow by structure, and [`supervise`]
//! runs them in processes of their own under limits of time and memory. CI runs some seconds of
//! each. For longer: `FORETASTE_FUZZ=10000000 cargo test --release --test fuzz structure --
//! --nocapture` runs that many inputs, spread over the targets; FORETASTE_FUZZ_TARGET=NAME picks
//! one, FORETASTE_FUZZ_FROM=SEED starts elsewhere. `fuzz/` has the same generators as targets of
//! cargo-fuzz.

#[path = "../common/mod.rs"]
mod common;

mod bent;
mod grow;
mod sick;
mod supervise;

use std::sync::Mutex;

use grow::{TARGETS, Target, named};
use supervise::{ORDER, Outcome};

/// Inputs in CI, over all targets.
const MAX_ROWS: u64 = 30_000;
/// No target gets fewer: with less, nothing can be said about the share that is accepted.
const LEAST: u64 = 200;

#[test]
#[ignore = "run by the test below, in processes of its own"]
fn child() {
    if let Ok(order) = std::env::var(ORDER) {
        supervise::child(&order);
    }
}

#[test]
fn structure_of_every_kind_is_read_or_refused_in_time_and_space() {
    static ALL: &[Target] = &TARGETS;
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let asked = number("FORETASTE_FUZZ");
    let first = number("FORETASTE_FUZZ_FROM").unwrap_or_default();
    let one = std::env::var("FORETASTE_FUZZ_TARGET")
        .ok()
        .map(|name| named(&name).expect("no target of that name"));
    let targets: Vec<&'static Target> = one.map_or_else(|| ALL.iter().collect(), |one| vec![one]);
    let total = asked.unwrap_or(MAX_ROWS);
    let weights = targets.iter().map(|target| target.weight).sum::<u64>();
    let least = if asked.is_some() { 1 } else { LEAST };
    // Two at a time, each a process with one thread.
    let queue = Mutex::new(targets.iter().collect::<Vec<_>>());
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(target) = queue.lock().unwrap().pop() else { return };
                    let count = (total * target.weight / weights).max(least);
                    let outcome = supervise::run(target, first, count, asked.is_some());
                    outcomes.lock().unwrap().push(outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    eprintln!("\n{}", Outcome::HEAD);
    for target in ALL {
        outcomes
            .iter()
            .filter(|outcome| outcome.target.name == target.name)
            .for_each(|o| eprintln!("{}", o.row()));
    }
    let findings: Vec<String> =
        outcomes.iter().flat_map(|o| &o.findings).map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
    for Outcome { target, done, accepted, .. } in
        outcomes.iter().filter(|outcome| outcome.done >= LEAST)
    {
        let share = 100 * accepted / done;
        assert!(
            (3..=97).contains(&share),
            "{share} % of {} accepted: too tame or too wild",
            target.name
        );
    }
}
