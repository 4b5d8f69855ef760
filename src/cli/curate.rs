//! `foretaste curate`: the decisions of the Curate screen, one a line or one a command.

use clap::{Args, Subcommand};
use serde_json::json;

use super::Common;
use crate::curation::{self, Finding, judged};
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
        /// Words beside the decision
        #[arg(long)]
        note: Option<String>,
    },
    /// Not fit; the reason is one of the codes
    Reject {
        /// Reflection number
        id: i64,
        /// Why
        #[arg(value_parser = REASONS.map(|(code, _)| code))]
        reason: String,
        /// Words beside the decision
        #[arg(long)]
        note: Option<String>,
    },
    /// A new version beside the old ones, approved; says what the rules point at in it
    Edit {
        /// Reflection number
        id: i64,
        /// The new text
        text: String,
        /// Words beside the decision
        #[arg(long)]
        note: Option<String>,
    },
    /// A new version beside the old ones, pending; says what the rules point at in it
    Revise {
        /// Reflection number
        id: i64,
        /// The new text
        text: String,
        /// Words beside the decision
        #[arg(long)]
        note: Option<String>,
    },
    /// Back to pending
    Requeue {
        /// Reflection number
        id: i64,
        /// Words beside the decision
        #[arg(long)]
        note: Option<String>,
    },
    /// Words beside how a reflection stands, which does not change
    Note {
        /// Reflection number
        id: i64,
        /// The words
        text: String,
    },
    /// Its versions and decisions: by whom, when, what was said
    History {
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
    /// Read decisions from stdin: `approve ID`, `reject ID CODE`, `edit ID TEXT`, `revise ID TEXT`,
    /// `requeue ID`, `note ID TEXT`, `undo`
    Apply,
}

/// Runs the command.
pub fn run(common: &Common, args: CurateArgs) -> Result<()> {
    let mut store = common.store()?;
    match args.act {
        Act::Approve { ids, note } => ids
            .into_iter()
            .try_for_each(|id| decide(common, &mut store, id, &Decision::Approve, note.as_deref())),
        Act::Reject { id, reason, note } => {
            decide(common, &mut store, id, &Decision::Reject(reason), note.as_deref())
        }
        Act::Edit { id, text, note } => {
            decide(common, &mut store, id, &Decision::Edit(text), note.as_deref())
        }
        Act::Revise { id, text, note } => {
            decide(common, &mut store, id, &Decision::Revise(text), note.as_deref())
        }
        Act::Requeue { id, note } => {
            decide(common, &mut store, id, &Decision::Requeue, note.as_deref())
        }
        Act::Note { id, text } => decide(common, &mut store, id, &Decision::Note(text), None),
        Act::Flag { id, off } => decide(common, &mut store, id, &Decision::Flag(!off), None),
        Act::History { id } => history(common, &store, id),
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
        Error::new(format!("cannot read `{line}`")).hint(
            "one of: approve ID, reject ID CODE, edit ID TEXT, revise ID TEXT, requeue ID, \
                   note ID TEXT, undo",
        )
    };
    let id: i64 = id.and_then(|id| id.parse().ok()).ok_or_else(wrong)?;
    let decision = match (act, rest) {
        ("approve", None) => Decision::Approve,
        ("requeue", None) => Decision::Requeue,
        ("edit", Some(text)) => Decision::Edit(text.to_string()),
        ("revise", Some(text)) => Decision::Revise(text.to_string()),
        ("note", Some(text)) => Decision::Note(text.to_string()),
        ("reject", Some(code)) if REASONS.iter().any(|(known, _)| *known == code) => {
            Decision::Reject(code.to_string())
        }
        _ => return Err(wrong()),
    };
    decide(common, store, id, &decision, None)
}

fn decide(
    common: &Common,
    store: &mut Store,
    id: i64,
    decision: &Decision,
    note: Option<&str>,
) -> Result<()> {
    store.decide_noted(&[id], decision, note)?;
    let act = decision.as_str();
    let mut row = json!({"reflection": id, "act": act});
    let mut said = format!("{act} {id}");
    // Who writes a text is told what a reader should look at twice: this is no reader's screen.
    if let Decision::Edit(_) | Decision::Revise(_) = decision {
        let found = pointed_at(store, id)?;
        for finding in &found {
            said += &format!("\n  {}: {}", finding.code, finding.why);
        }
        row["suspicions"] = json!(found);
    }
    common.out().line(&row, || said);
    Ok(())
}

/// What rules point at in the version of a reflection that stands.
fn pointed_at(store: &Store, id: i64) -> Result<Vec<Finding>> {
    let found = store.queue(&Filter::default(), Place::After(id - 1), 1)?.items;
    let item = found.into_iter().find(|item| item.id == id);
    item.map_or(Ok(Vec::new()), |item| Ok(judged(store, &item)?.findings))
}

fn history(common: &Common, store: &Store, id: i64) -> Result<()> {
    let events = store.history(id)?;
    if events.is_empty() {
        return Err(Error::new(format!("there is no reflection {id}"))
            .hint("list them with: foretaste data list reflections"));
    }
    for (event, line) in events.iter().zip(curation::history(&events)) {
        common.out().line(&json!(event), || line);
    }
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
