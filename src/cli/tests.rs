use clap::builder::ValueParser;

use super::*;
use crate::experience::REASONS;
use crate::formats::{Layout, Observations, Order, Questions, Set};
use crate::selection::Criteria;

/// Numbers of these are no amounts of anything: seeds, rows of a store, updates that can be
/// stopped, counts of what is there, of which there is not more than there is, and those of a
/// training plan, which is checked as a whole.
const ANY: [&str; 26] = [
    "seed",
    "games_seed",
    "games",
    "resume",
    "queued",
    "steps",
    "step_limit",
    "memory_limit",
    "top_k",
    "limit",
    "lora",
    "batch",
    "rate",
    "epochs",
    "warmup",
    "floor",
    "decay",
    "clip",
    "alpha",
    "world_epochs",
    "held_out",
    "workers",
    "checkpoint",
    "save_every",
    "validate_every",
    "run",
];

#[test]
fn every_number_has_a_range_or_a_reason_for_none() {
    let mut unlimited = Vec::new();
    walk(&Cli::command(), &mut vec!["foretaste".to_string()], &mut unlimited);
    assert!(unlimited.is_empty(), "{unlimited:#?}");
}

fn walk(command: &clap::Command, path: &mut Vec<String>, unlimited: &mut Vec<String>) {
    let kinds: [ValueParser; 3] = [
        clap::value_parser!(u64).into(),
        clap::value_parser!(i64).into(),
        clap::value_parser!(usize).into(),
    ];
    let fraction: ValueParser = clap::value_parser!(f64).into();
    for arg in command.get_arguments().filter(|arg| !ANY.contains(&arg.get_id().as_str())) {
        let kind = arg.get_value_parser().type_id();
        let absurd = if kinds.iter().any(|number| number.type_id() == kind) {
            "1000000000000"
        } else if fraction.type_id() == kind {
            "NaN"
        } else {
            continue;
        };
        let flag = match (arg.get_long(), arg.get_short()) {
            (Some(long), _) => format!("--{long}"),
            (None, Some(short)) => format!("-{short}"),
            _ => continue, // by its place: the number of a row
        };
        let typed = path.iter().cloned().chain([flag.clone()]);
        let many = arg.get_num_args().map_or(1, |range| range.min_values().max(1));
        let typed = typed.chain(vec![absurd.to_string(); many]);
        let refused = Cli::command().try_get_matches_from(typed).map_err(|error| error.kind());
        if refused.err() != Some(ErrorKind::ValueValidation) {
            unlimited.push(format!("{} {flag}", path.join(" ")));
        }
    }
    for command in command.get_subcommands() {
        path.push(command.get_name().to_string());
        walk(command, path, unlimited);
        path.pop();
    }
}

/// An export.
fn order(set: Set) -> Order {
    Order {
        set,
        layout: Layout::default(),
        criteria: Criteria { expert: Some("it's me".into()), ..Criteria::default() },
        held_out: true,
        alternatives_only: false,
        observations: Observations::default(),
        questions: Questions::default(),
        model: None,
    }
}

#[test]
fn what_the_command_log_says_is_a_command_of_this_program() {
    use crate::store::{Decision, Seen};
    use crate::train::torchrun::Settings;
    use crate::train::{Budget, Objective, Plan};
    use crate::tui::commands::{Commands, Done, Place};
    use crate::tui::effect::{
        AgentsCmd, CollectOrder, Effect, EvalOrder, JobCmd, RunCmd, StoreCmd,
    };
    use crate::tui::screens::train::About;

    let scope = crate::episode::Scope { split: "train".into(), games: 3, seed: 7, share: None };
    let data = Criteria { suite: Some("my suite".into()), k: Some(2), ..Criteria::default() };
    let plan = Plan {
        matched: Budget::Total,
        data,
        lora: Some(4),
        torchrun: Some(Settings::new(2, Some("user@a box".into()))),
        ..Plan::new(Objective::WorldModel, 9, 2)
    };
    let plan = || Box::new(plan.clone());
    let decide = |decision| Effect::Store(StoreCmd::Decide(4, Seen::default(), decision, None));
    let run = |command| Effect::Store(StoreCmd::Run(command));
    let effects = [
        Effect::Job(JobCmd::Collect(Box::new(CollectOrder {
            scope,
            kinds: vec!["heat".into(), "cool".into()],
            expert: Some("fair".into()),
            k: 4,
            asked: 0,
            policy: "first try".into(),
            think: true,
            writer: Some("writer".into()),
            attempts: 2,
            sample: Some(5),
        }))),
        Effect::Job(JobCmd::Train(plan(), "run 3 step 40".into())),
        run(RunCmd::Queue(plan(), "embedded".into())),
        Effect::Job(JobCmd::Resume(3)),
        Effect::Job(JobCmd::Evaluate(Box::new(EvalOrder {
            models: vec!["embedded".into(), "first try".into()],
            split: None,
            games: 20,
            games_seed: 1,
            seed: 2,
            temperature: 0.4,
            think: Some(false),
            no_repeat: true,
        }))),
        run(RunCmd::Write(About::RunTags(3), "-odd words".into())),
        run(RunCmd::Write(About::Label(4), "first try".into())),
        run(RunCmd::DeleteCheckpoints(vec![4])),
        run(RunCmd::BringBack(vec![4])),
        run(RunCmd::Curves(3)),
        Effect::Store(StoreCmd::Decide(
            4,
            Seen::default(),
            Decision::Revise("so, then".into()),
            Some("-- why not".into()),
        )),
        Effect::Job(JobCmd::Survey("train".into())),
        Effect::Job(JobCmd::Export(Set::ALL.map(|(set, _)| order(set)).to_vec())),
        Effect::Agents(AgentsCmd::Prefer(3, Some((2, 0, false)))),
        Effect::Job(JobCmd::Import("a file.jsonl".into(), true)),
        decide(Decision::Approve),
        decide(Decision::Reject(REASONS[0].0.into())),
        decide(Decision::Edit("-I say \"it's\"\nso".into())),
        decide(Decision::Requeue),
        decide(Decision::Flag(true)),
        decide(Decision::Flag(false)),
        Effect::Store(StoreCmd::DecideAll(
            vec![(1, Seen::default()), (2, Seen::default())],
            Decision::Approve,
            None,
        )),
        Effect::Store(StoreCmd::Undo),
        Effect::Store(StoreCmd::Redo),
        Effect::Store(StoreCmd::Delete(3, true)),
        Effect::Store(StoreCmd::Delete(3, false)),
        Effect::Store(StoreCmd::ExportOne(3)),
    ];
    let mut commands = Commands::of("household");
    commands.place = Place {
        files: Some("/games of mine".into()),
        evaluated_on: Some("unseen".into()),
        data_dir: Some("/data here".into()),
        ..commands.place
    };
    commands.note(&effects);
    assert_eq!(commands.done().count(), effects.len() + 5, "one a set, and one a model");
    for done in commands.done() {
        let Done::Command(line) = done else { panic!("{done:?}") };
        let words = crate::text::words(line).unwrap();
        let parsed = Cli::try_parse_from(&words);
        assert!(parsed.is_ok_and(|cli| cli.command.is_some()), "{line}");
        assert!(line.starts_with("foretaste --data-dir '/data here' "), "{line}");
    }
}
