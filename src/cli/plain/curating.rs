//! Curation in plain lines: one reflection after the other, said once.

use super::super::out::say;
use super::{ask, complain, help};
use crate::curation::{self, Judged, judged};
use crate::error::{Error, Result};
use crate::experience::{REASONS, Reflection, Verdict};
use crate::store::{Decision, Filter, Place, Store};

/// What becomes of the reflection in front.
enum Next {
    /// It stays in front, and was said.
    Stay,
    /// It, or another, is to be said.
    Say,
    /// It was decided on.
    Decided,
    /// It is skipped.
    Skip,
    /// The prompt before this one; `true` leaves the program.
    Leave(bool),
}

/// Decides on what is pending; `true` to leave the program.
pub fn curate(store: &mut Store) -> Result<bool> {
    say("help lists the words.");
    let mut skipped = 0;
    let mut fresh = true;
    let mut decided = false;
    loop {
        let pending = Filter::verdict(Some(Verdict::Pending));
        let queue = store.queue(&pending, Place::Start, skipped + 1)?;
        let Some(item) = queue.items.get(skipped) else {
            say("No more reflections to decide on. collect all makes some, reflect one.");
            // The decision just made can be taken back before it is left.
            let word = if decided { ask("u takes the latest back, back leaves> ")? } else { None };
            match word.as_deref() {
                Some("u") => {
                    let done = store.undo()?;
                    say(done.as_ref().map_or("Nothing to undo.", |_| "Taken back."));
                    (decided, fresh) = (done.is_some(), true);
                    continue;
                }
                Some("quit") => return Ok(true),
                None if decided => return Ok(true), // the input ended
                _ => return Ok(false),
            }
        };
        if fresh {
            tell(store, item, queue.verdict_counts[0])?;
        }
        let Some(line) = ask("curate> ")? else { return Ok(true) };
        match obey(store, item, &line) {
            Ok(Next::Leave(quit)) => return Ok(quit),
            Ok(Next::Skip) => {
                skipped += 1;
                fresh = true;
            }
            Ok(Next::Say) => fresh = true,
            Ok(Next::Decided) => (fresh, decided) = (true, true),
            Ok(Next::Stay) => fresh = false,
            Err(error) => {
                complain(&error);
                fresh = false;
            }
        }
    }
}

/// Says a reflection with all that it is judged by.
fn tell(store: &Store, item: &Reflection, pending: u64) -> Result<()> {
    let Judged { trajectory, case, findings } = judged(store, item)?;
    say(&format!("Reflection {}, {pending} pending. Task: {}", item.id, trajectory.task));
    say(&format!("Before: {}", trajectory.observation_at(item.t).trim()));
    if let Some(case) = &case {
        say(&format!("Expert: {}, which led to: {}", case.action, case.outcome.trim()));
        for other in &case.alternatives {
            let led = other.observation.trim();
            say(&format!("Alternative: {}, which led to: {led}", other.action));
        }
    }
    for found in findings {
        say(&format!("Rule {}: {}.", found.code, found.why));
    }
    say(&format!("Text: {}", item.text()));
    Ok(())
}

fn obey(store: &mut Store, item: &Reflection, line: &str) -> Result<Next> {
    let id = item.id;
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim();
    let decision = match (word, rest) {
        ("", _) => return Ok(Next::Stay),
        ("quit", "") => return Ok(Next::Leave(true)),
        ("back", "") => return Ok(Next::Leave(false)),
        ("s", "") => return Ok(Next::Skip),
        ("look", "") => return Ok(Next::Say),
        ("help" | "?", "") => {
            help::curating();
            return Ok(Next::Stay);
        }
        ("codes", "") => {
            for (code, what) in REASONS {
                say(&format!("{code}: {what}"));
            }
            return Ok(Next::Stay);
        }
        ("figures", "") => {
            curation::figures(store)?.lines().iter().for_each(|line| say(line));
            return Ok(Next::Stay);
        }
        ("u", "") => {
            let done = store.undo()?;
            say(done.as_ref().map_or("Nothing to undo.", |_| "Taken back."));
            return Ok(if done.is_some() { Next::Say } else { Next::Stay });
        }
        ("r", "") => {
            let done = store.redo()?;
            say(done.as_ref().map_or("Nothing to do again.", |_| "Done again."));
            return Ok(if done.is_some() { Next::Say } else { Next::Stay });
        }
        ("a", "") => {
            let findings = judged(store, item)?.findings;
            if let Some(found) = findings.iter().find(|found| found.is_grave()) {
                return Err(Error::new(format!("{}: {}", found.code, found.why))
                    .hint("it would teach wrong; `a sure` approves it all the same"));
            }
            Decision::Approve
        }
        ("a", "sure") => Decision::Approve,
        ("x", code) if REASONS.iter().any(|(known, _)| *known == code) => {
            Decision::Reject(code.to_string())
        }
        ("x", code) => {
            return Err(Error::new(format!("`{code}` is no reason")).hint("codes lists them"));
        }
        ("e", text) if !text.is_empty() => Decision::Revise(text.to_string()),
        _ => {
            return Err(Error::new(format!("`{line}` is no word here")).hint("help lists them"));
        }
    };
    store.decide(id, &decision)?;
    say(&format!("{} {id}.", decision.as_str()));
    Ok(Next::Decided)
}
