//! Training runs in plain lines: how they stand, and those in the background.

use std::time::{Duration, Instant};

use super::super::interruptible;
use super::super::out::say;
use crate::budget;
use crate::control::Cancel;
use crate::ends;
use crate::error::{Error, Result};
use crate::store::{RunRow, RunStatus, Store};
use crate::train::goes_on_apart;

/// How often a run is looked at, and how often it is spoken of.
const LOOK: Duration = Duration::from_millis(250);
const SPEAK: Duration = Duration::from_secs(10);

/// The number of a run that was typed.
pub fn number(text: &str) -> Result<i64> {
    text.trim().parse().map_err(|_| {
        Error::new(format!("`{}` is no run's number", text.trim())).hint("runs lists them")
    })
}

/// Says how all runs stand.
pub fn runs(store: &Store) -> Result<()> {
    let runs = store.runs()?;
    if runs.is_empty() {
        say("No runs yet. train --objective imitation --steps 200 starts one.");
    }
    for run in runs {
        say(&standing(store, &run)?);
    }
    Ok(())
}

/// Lets a run go on in a process of its own.
pub fn begin(store: &Store, run: i64) -> Result<()> {
    store.run(run)?;
    if store.is_alive(run) {
        return Err(
            Error::new(format!("run {run} is being trained already")).hint(format!("follow {run}"))
        );
    }
    goes_on_apart(store.root(), run)?;
    say(&format!("Run {run} goes on in the background. follow {run} says how far it is."));
    Ok(())
}

/// Asks the process that trains a run to end it cleanly.
pub fn stop(store: &Store, run: i64) -> Result<()> {
    store.run(run)?;
    if !store.is_alive(run) {
        return Err(Error::new(format!("nothing trains run {run} now")).hint("runs lists them"));
    }
    store.request_stop(run)?;
    say(&format!("Run {run} was asked to stop; it saves a checkpoint first."));
    Ok(())
}

/// Says how far a run is, now and then, until nothing trains it any more.
pub fn follow(store: &Store, run: i64) -> Result<()> {
    let control = interruptible()?;
    let mut said = store.run(run)?.step;
    let mut spoken = Instant::now();
    let followed = loop {
        if control.cancel.is_cancelled() {
            say(&format!("Run {run} is followed no longer; it goes on."));
            break Ok(());
        }
        let row = match store.run(run) {
            Ok(row) => row,
            Err(error) => break Err(error),
        };
        if !store.is_alive(run) {
            break standing(store, &row).map(|line| say(&line));
        }
        if row.step != said && spoken.elapsed() >= SPEAK {
            said = row.step;
            spoken = Instant::now();
            standing(store, &row).map(|line| say(&line))?;
        }
        std::thread::sleep(LOOK);
    };
    budget::obey(&Cancel::default());
    ends::at_rest();
    followed
}

/// A run in a sentence.
fn standing(store: &Store, run: &RunRow) -> Result<String> {
    let loss = store.metric(run.id, "loss")?.last().and_then(|point| point.value);
    let loss = loss.map_or(String::new(), |loss| format!(", loss {loss:.3}"));
    let why = run.error.as_ref().map_or(String::new(), |why| format!(": {why}"));
    let next = match run.status {
        RunStatus::Queued | RunStatus::Stopped | RunStatus::BrokeOff => {
            format!(" begin {} lets it go on.", run.id)
        }
        _ => String::new(),
    };
    Ok(format!(
        "Run {}, {}, {}: step {} of {}{loss}{why}.{next}",
        run.id,
        run.objective,
        run.status.as_str(),
        run.step,
        run.steps
    ))
}
