//! Which command does the same as something that a screen asked for. A test has the program's own
//! parser read every one.

use clap::ValueEnum;

use super::{Done, Place};
use crate::formats::{Order, Set};
use crate::selection::ALL;
use crate::store::Decision;
use crate::text::quoted;
use crate::tui::effect::{Effect, JobCmd, MindCmd, RunCmd, StoreCmd, WorldCmd};
use crate::tui::screens::train;

/// What a person did by this, as commands; nothing for what is only looked at.
pub fn same(effect: &Effect, place: &Place) -> Vec<Done> {
    let alone = |what: &str| vec![Done::Alone(what.to_string())];
    match effect {
        Effect::Job(command) => job(command, place),
        Effect::Store(command) => store(command, place),
        Effect::World(WorldCmd::Keep(_)) => alone("kept what was played here as a demonstration"),
        Effect::World(WorldCmd::Reflect(_)) => alone("wrote a reflection about this state"),
        Effect::Mind(MindCmd::Load(Some(name))) => vec![Done::Alone(format!(
            "{name} answers in Explore; commands take it by --checkpoint {}",
            quoted(name)
        ))],
        Effect::Mind(MindCmd::Regenerate(id, ..)) => {
            vec![Done::Alone(format!("another attempt at reflection {id}"))]
        }
        _ => Vec::new(),
    }
}

fn job(command: &JobCmd, place: &Place) -> Vec<Done> {
    let one = |words: String| vec![place.command(&words)];
    let suite = place.suite();
    match command {
        JobCmd::Collect { scope, expert, k, .. } => {
            let expert = expert.as_ref().map(|name| format!(" --expert {}", quoted(name)));
            one(format!(
                "collect all {suite} --split {} --games {} --seed {}{} -k {k}",
                quoted(&scope.split),
                scope.games,
                scope.seed,
                expert.unwrap_or_default()
            ))
        }
        JobCmd::Train(plan, start) => one(trained(&train::command(plan, start))),
        JobCmd::Resume(run) => one(format!("train --resume {run}")),
        JobCmd::Evaluate { games, seed, .. } => {
            let split = place.evaluated_on.as_ref();
            let split = split.map(|split| format!(" --split {}", quoted(split)));
            one(format!(
                "eval {suite}{} --games {games} --games-seed {seed}",
                split.unwrap_or_default()
            ))
        }
        JobCmd::Survey(split) => {
            one(format!("eval {suite} --split {} --games 40 --surprise 200", quoted(split)))
        }
        JobCmd::Export(orders) => {
            orders.iter().map(|order| place.command(&exported(order))).collect()
        }
        JobCmd::Import(path, true) => {
            one(format!("data import {}", quoted(&path.display().to_string())))
        }
        JobCmd::Stop(kind) => {
            vec![Done::Alone(format!("stopped {kind:?} (a command is stopped by Ctrl-C)"))]
        }
        _ => Vec::new(),
    }
}

/// The words after the program's name.
fn trained(command: &str) -> String {
    command.strip_prefix("foretaste ").unwrap_or(command).to_string()
}

fn exported(order: &Order) -> String {
    let name = |set: Set| Set::ALL.iter().find(|(known, _)| *known == set).map(|(_, name)| *name);
    let word = |value: Option<clap::builder::PossibleValue>| {
        value.map(|value| value.get_name().to_string()).unwrap_or_default()
    };
    let mut said = vec![format!("data export --set {}", word(order.set.to_possible_value()))];
    let whole = order.set == Set::Trajectories;
    let criteria = &order.criteria;
    said.extend(criteria.suite.as_ref().map(|suite| format!("--suite {}", quoted(suite))));
    let split = criteria.split.as_deref().unwrap_or(ALL);
    said.push(format!("--split {}", quoted(split)));
    if !whole {
        let observations = word(order.observations.to_possible_value());
        said.push(format!("--observations {observations}"));
        said.extend(criteria.expert.as_ref().map(|name| format!("--expert {}", quoted(name))));
        said.push(format!("--branches {}", quoted(&criteria.pool)));
        said.extend(criteria.k.map(|k| format!("-k {k}")));
        said.extend(criteria.rationales.then(|| "--rationales".to_string()));
        said.push(format!("--held-out {}", criteria.held_out));
        said.extend(order.held_out.then(|| "--validation".to_string()));
    }
    said.push(format!("--out {}.jsonl", name(order.set).unwrap_or("export")));
    said.join(" ")
}

fn store(command: &StoreCmd, place: &Place) -> Vec<Done> {
    let one = |words: String| vec![place.command(&words)];
    match command {
        StoreCmd::Decide(id, _, decision) => vec![decided(&[*id], decision, place)],
        StoreCmd::DecideAll(seen, decision) => {
            let ids: Vec<i64> = seen.iter().map(|(id, _)| *id).collect();
            vec![decided(&ids, decision, place)]
        }
        StoreCmd::Undo => one("curate undo".into()),
        StoreCmd::Redo => one("curate redo".into()),
        StoreCmd::Delete(id, true) => one(format!("data delete {id}")),
        StoreCmd::Delete(id, false) => one(format!("data undelete {id}")),
        StoreCmd::ExportOne(id) => one(format!("replay {id} --format html")),
        StoreCmd::Run(RunCmd::Queue(plan, start)) => {
            one(format!("{} --queue", trained(&train::command(plan, start))))
        }
        StoreCmd::Run(RunCmd::StopElsewhere(run)) => {
            vec![Done::Alone(format!("asked the process that trains run {run} to stop"))]
        }
        StoreCmd::Run(RunCmd::Unqueue(run)) => {
            vec![Done::Alone(format!("took run {run} out of the queue"))]
        }
        _ => Vec::new(),
    }
}

/// A decision about reflections.
fn decided(ids: &[i64], decision: &Decision, place: &Place) -> Done {
    let about: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let about = about.join(" ");
    match (decision, ids) {
        (Decision::Approve, _) => place.command(&format!("curate approve {about}")),
        (Decision::Reject(code), [id]) => {
            place.command(&format!("curate reject {id} {}", quoted(code)))
        }
        (Decision::Edit(text), [id]) => {
            // A text that begins like an option is none.
            let none = if text.starts_with('-') { "-- " } else { "" };
            place.command(&format!("curate edit {id} {none}{}", quoted(text)))
        }
        (Decision::Requeue, [id]) => place.command(&format!("curate requeue {id}")),
        (Decision::Flag(true), [id]) => place.command(&format!("curate flag {id}")),
        (Decision::Flag(false), [id]) => place.command(&format!("curate flag --off {id}")),
        (_, [id]) => Done::Alone(format!("{} of reflection {id}", decision.as_str())),
        _ => Done::Alone(format!(
            "{} of {} reflections as one act (foretaste curate apply reads one a line)",
            decision.as_str(),
            ids.len()
        )),
    }
}
