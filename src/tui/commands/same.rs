//! Which command does the same as something that a screen asked for. A test has the program's own
//! parser read every one.

use clap::ValueEnum;

use super::{Done, Place};
use crate::formats::{Order, Set};
use crate::selection::ALL;
use crate::store::Decision;
use crate::text::quoted;
use crate::train;
use crate::tui::effect::{
    AgentsCmd, CollectOrder, Effect, EvalOrder, JobCmd, MindCmd, RunCmd, StoreCmd, TEMPLATE,
    WorldCmd,
};
use crate::tui::screens::train::About;

/// What a person did by this, as commands; nothing for what is only looked at.
pub fn same(effect: &Effect, place: &Place) -> Vec<Done> {
    let alone = |what: &str| vec![Done::Alone(what.to_string())];
    match effect {
        Effect::Job(command) => job(command, place),
        Effect::Store(command) => store(command, place),
        Effect::Agents(command) => agents(command, place),
        Effect::World(WorldCmd::Keep(_)) => alone("asked to keep what was played here"),
        Effect::World(WorldCmd::Reflect(_)) => alone("asked for a reflection about this state"),
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

fn agents(command: &AgentsCmd, place: &Place) -> Vec<Done> {
    let one = |words: String| vec![place.command(&format!("gateway {words}"))];
    match command {
        AgentsCmd::Look
        | AgentsCmd::Calls(..)
        | AgentsCmd::Read(_)
        | AgentsCmd::Prefer(_, None) => Vec::new(),
        AgentsCmd::Prefer(call, Some((better, over, stands))) => {
            let neither = if *stands { "" } else { " --neither" };
            one(format!("prefer {call} {better} --over {over}{neither}"))
        }
        AgentsCmd::Reward(session, value) => one(format!("reward {} {value}", quoted(session))),
        AgentsCmd::Try(call, count) => one(format!("try {call} -k {count} --temperature 1")),
        AgentsCmd::Take(agent) => one(format!("take {agent}")),
        AgentsCmd::Compare(agent) => one(format!("compare {agent}")),
        AgentsCmd::Name(agent, name) => one(format!("name {agent} {}", quoted(name))),
        AgentsCmd::Route(route) => one(format!("route {}", quoted(route))),
        AgentsCmd::Back(agent) => one(format!("route --back {}", quoted(agent))),
    }
}

fn job(command: &JobCmd, place: &Place) -> Vec<Done> {
    let one = |words: String| vec![place.command(&words)];
    let suite = place.suite();
    match command {
        JobCmd::Collect(order) => one(collected(order, &suite)),
        JobCmd::Train(plan, start) => one(trained(&train::command(plan, start))),
        JobCmd::Blame(id) => one(format!("replay {id} --blame")),
        JobCmd::Policy(id) => one(format!("replay {id} --now")),
        JobCmd::Gateway => one("gateway".into()),
        JobCmd::Resume(run) => one(format!("train --resume {run}")),
        JobCmd::Evaluate(order) => {
            let models = order.models.iter();
            models.map(|model| place.command(&evaluated(order, model, place))).collect()
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

fn collected(order: &CollectOrder, suite: &str) -> String {
    let CollectOrder { scope, kinds, expert, k, asked, policy, think, writer, attempts, sample } =
        order;
    let mut said = vec![format!(
        "collect all {suite} --split {} --games {} --seed {} -k {k} --asked {asked}",
        quoted(&scope.split),
        scope.games,
        scope.seed
    )];
    said.extend(expert.as_ref().map(|name| format!("--expert {}", quoted(name))));
    said.extend((!kinds.is_empty()).then(|| format!("--kinds {}", quoted(&kinds.join(",")))));
    said.push(format!("--checkpoint {}", quoted(policy)));
    said.extend(think.then(|| "--think".to_string()));
    said.extend(match writer.as_deref() {
        None => Some("--no-reflections".to_string()),
        Some(TEMPLATE) => None,
        Some(mind) => {
            let sample = sample.map_or(String::new(), |n| format!(" --sample {n}"));
            Some(format!("--writer {} --attempts {attempts}{sample}", quoted(mind)))
        }
    });
    said.join(" ")
}

fn evaluated(order: &EvalOrder, model: &str, place: &Place) -> String {
    let split = order.split.as_ref().or(place.evaluated_on.as_ref());
    let split = split.map(|split| format!(" --split {}", quoted(split)));
    let think = match order.think {
        Some(true) => " --think",
        Some(false) => " --no-think",
        None => "",
    };
    let no_repeat = if order.no_repeat { " --no-repeat" } else { "" };
    format!(
        "eval {}{} --games {} --games-seed {} --seed {} --temperature {}{think}{no_repeat} \
         --checkpoint {}",
        place.suite(),
        split.unwrap_or_default(),
        order.games,
        order.games_seed,
        order.seed,
        order.temperature,
        quoted(model)
    )
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
        StoreCmd::Decide(id, _, decision, note) => {
            vec![decided(&[*id], decision, note.as_deref(), place)]
        }
        StoreCmd::DecideAll(seen, decision, note) => {
            let ids: Vec<i64> = seen.iter().map(|(id, _)| *id).collect();
            vec![decided(&ids, decision, note.as_deref(), place)]
        }
        StoreCmd::Undo => one("curate undo".into()),
        StoreCmd::Redo => one("curate redo".into()),
        StoreCmd::Delete(id, true) => one(format!("data delete {id}")),
        StoreCmd::Duplicates => one("data duplicates --delete".into()),
        StoreCmd::Delete(id, false) => one(format!("data undelete {id}")),
        StoreCmd::ExportOne(id) => one(format!("replay {id} --format html")),
        StoreCmd::Run(RunCmd::Queue(plan, start)) => {
            one(format!("{} --queue", trained(&train::command(plan, start))))
        }
        StoreCmd::Run(RunCmd::Write(about, text)) => one(written(*about, text)),
        StoreCmd::Run(RunCmd::DeleteCheckpoints(ids)) => {
            let each = |id: &i64| place.command(&format!("data delete --checkpoint {id}"));
            ids.iter().map(each).collect()
        }
        StoreCmd::Run(RunCmd::BringBack(ids)) => {
            let each = |id: &i64| place.command(&format!("data undelete --checkpoint {id}"));
            ids.iter().map(each).collect()
        }
        StoreCmd::Run(RunCmd::Curves(run)) => one(format!("data curves {run}")),
        StoreCmd::Run(RunCmd::StopElsewhere(run)) => {
            vec![Done::Alone(format!("asked the process that trains run {run} to stop"))]
        }
        StoreCmd::Run(RunCmd::Unqueue(run)) => {
            vec![Done::Alone(format!("took run {run} out of the queue"))]
        }
        _ => Vec::new(),
    }
}

/// What was said of a run or a checkpoint.
fn written(about: About, text: &str) -> String {
    let (what, id, flag) = match about {
        About::RunName(id) => ("run", id, "name"),
        About::RunTags(id) => ("run", id, "tags"),
        About::RunNote(id) => ("run", id, "note"),
        About::Label(id) => ("checkpoint", id, "name"),
        About::Note(id) => ("checkpoint", id, "note"),
    };
    format!("data label --{what} {id} --{flag}={}", quoted(text))
}

/// A decision about reflections.
fn decided(ids: &[i64], decision: &Decision, note: Option<&str>, place: &Place) -> Done {
    let about: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let said = note.map(|note| format!(" --note={}", quoted(note))).unwrap_or_default();
    let about = format!("{}{said}", about.join(" "));
    match (decision, ids) {
        (Decision::Approve, _) => place.command(&format!("curate approve {about}")),
        (Decision::Reject(code), [id]) => {
            place.command(&format!("curate reject {id} {}{said}", quoted(code)))
        }
        (Decision::Edit(text), [id]) => {
            // A text that begins like an option is none.
            let none = if text.starts_with('-') { "-- " } else { "" };
            place.command(&format!("curate edit {id}{said} {none}{}", quoted(text)))
        }
        (Decision::Revise(text), [id]) => {
            let none = if text.starts_with('-') { "-- " } else { "" };
            place.command(&format!("curate revise {id}{said} {none}{}", quoted(text)))
        }
        (Decision::Note(text), [id]) => {
            let none = if text.starts_with('-') { "-- " } else { "" };
            place.command(&format!("curate note {id} {none}{}", quoted(text)))
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
