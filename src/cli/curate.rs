//! `foretaste curate`: the decisions of the Curate screen, one a line or one a command.

use clap::{Args, Subcommand};
use serde_json::json;

use super::Common;
use crate::curation::judged;
use crate::error::{Error, Result};
use crate::experience::REASONS;
use crate::paths;
use crate::store::{Decision, Filter, Place, Store, Undone};

/// Arguments of `foretaste curate`.
#[derive(Debug, Args)]
pub struct CurateArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Fit for training
    Approve {
        /// Reflection numbers (see data list reflections)
        #[arg(required = true)]
        ids: Vec<i64>,
    },
    /// Not fit; the reason is one of the codes
    Reject {
        /// Reflection number
        id: i64,
        /// Why
        #[arg(value_parser = REASONS.map(|(code, _)| code))]
        reason: String,
    },
    /// A new version beside the old ones, approved
    Edit {
        /// Reflection number
        id: i64,
        /// The new text
        text: String,
    },
    /// Back to pending
    Requeue {
        /// Reflection number
        id: i64,
    },
    /// Flag for a second look (or take the flag off with --off)
    Flag {
        /// Reflection number
        id: i64,
        /// Take the flag off
        #[arg(long)]
        off: bool,
    },
    /// What the rules point at, one line a reflection
    Suspect,
    /// Take back the latest decision
    Undo,
    /// Do again what undo took back
    Redo,
    /// Read decisions from stdin: `approve ID`, `reject ID CODE`, `edit ID TEXT`, `requeue ID`,
    /// `undo`
    Apply,
}

/// Runs the command.
pub fn run(common: &Common, args: CurateArgs) -> Result<()> {
    let mut store = common.store()?;
    match args.act {
        Act::Approve { ids } => {
            ids.into_iter().try_for_each(|id| decide(common, &mut store, id, &Decision::Approve))
        }
        Act::Reject { id, reason } => decide(common, &mut store, id, &Decision::Reject(reason)),
        Act::Edit { id, text } => decide(common, &mut store, id, &Decision::Edit(text)),
        Act::Requeue { id } => decide(common, &mut store, id, &Decision::Requeue),
        Act::Flag { id, off } => decide(common, &mut store, id, &Decision::Flag(!off)),
        Act::Suspect => suspect(common, &store),
        Act::Undo => undo(common, store.undo()?, "undo"),
        Act::Redo => undo(common, store.redo()?, "redo"),
        Act::Apply => {
            for (n, line) in std::iter::from_fn(|| paths::stdin_line().transpose()).enumerate() {
                let line = line.map_err(|e| Error::new(format!("stdin line {}: {e}", n + 1)))?;
                let line = if n == 0 { line.trim_start_matches('\u{feff}') } else { &line };
                apply(common, &mut store, line.trim())
                    .map_err(|error| error.at(format_args!("stdin line {}", n + 1)))?;
            }
            Ok(())
        }
    }
}

fn apply(common: &Common, store: &mut Store, line: &str) -> Result<()> {
    let mut words = line.splitn(3, ' ');
    let act = words.next().unwrap_or_default();
    let id = words.next();
    let rest = words.next();
    if act == "undo" {
        return undo(common, store.undo()?, "undo");
    }
    let wrong = || {
        Error::new(format!("cannot read `{line}`"))
            .hint("one of: approve ID, reject ID CODE, edit ID TEXT, requeue ID, undo")
    };
    let id: i64 = id.and_then(|id| id.parse().ok()).ok_or_else(wrong)?;
    let decision = match (act, rest) {
        ("approve", None) => Decision::Approve,
        ("requeue", None) => Decision::Requeue,
        ("edit", Some(text)) => Decision::Edit(text.to_string()),
        ("reject", Some(code)) if REASONS.iter().any(|(known, _)| *known == code) => {
            Decision::Reject(code.to_string())
        }
        _ => return Err(wrong()),
    };
    decide(common, store, id, &decision)
}

fn decide(common: &Common, store: &mut Store, id: i64, decision: &Decision) -> Result<()> {
    store.decide(id, decision)?;
    let act = decision.as_str();
    common.out().line(&json!({"reflection": id, "act": act}), || format!("{act} {id}"));
    Ok(())
}

fn undo(common: &Common, turned: Option<Undone>, did: &str) -> Result<()> {
    let turned = turned.ok_or_else(|| Error::new(format!("there is no decision to {did}")))?;
    let key = if did == "undo" { "undone" } else { "redone" };
    common.out().line(
        &json!({"reflection": turned.reflection, key: turned.act, "count": turned.count}),
        || format!("{did}: {} {}", turned.act, turned.reflection),
    );
    Ok(())
}

fn suspect(common: &Common, store: &Store) -> Result<()> {
    for item in store.queue(&Filter::default(), Place::Start, usize::MAX >> 1)?.items {
        let found = judged(store, &item)?.findings;
        if !found.is_empty() {
            let codes: Vec<&str> = found.iter().map(|s| s.code).collect();
            common.out().line(
                &json!({"reflection": item.id, "verdict": item.verdict, "suspicions": found}),
                || format!("{} {} {}", item.id, item.verdict.as_str(), codes.join(" ")),
            );
        }
    }
    Ok(())
}
