use clap::builder::ValueParser;

use super::*;

/// Numbers of these are no amounts of anything: seeds, rows of a store, updates that can be
/// stopped, counts of what is there, of which there is not more than there is, and those of a
/// training plan, which is checked as a whole.
const ANY: [&str; 25] = [
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
