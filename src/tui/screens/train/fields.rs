//! Train, the fields of the form before a run: what can be set.

use crate::experience::{ANSWERS, ActionEffect, UNIFORM};
use crate::model::device::Device;
use crate::model::lora::LINEARS;
use crate::selection::HELD_OUT;
use crate::train::rl::Method;
use crate::train::torchrun::Settings;
use crate::train::{Forecast, Objective, Schedule, built_in};
use crate::tui::sheet::Takes::{Choice, Name, Number, Text};
use crate::tui::sheet::{Field, Sheet};

/// What a field is set to where the program chooses.
pub(super) const AUTO: &str = "auto";

/// What a run can optimise, and how the form says it.
pub const OBJECTIVES: [(Objective, &str); 8] = [
    (Objective::Imitation, "the expert's actions"),
    (Objective::WorldModel, "next states of executed actions, then imitation"),
    (Objective::Reflection, "approved reflections mixed with imitation"),
    (Objective::Both, "world modelling, then reflection; not in the paper"),
    (Objective::List, "the expert's action among all listed ones; not in the paper"),
    (Objective::Dpo, "the expert's action above each worse alternative; not in the paper"),
    (Objective::Joint, "all at once; not in the paper"),
    (Objective::Rl, "what came of its own play: groups of rollouts and forks"),
];

/// Ready-made settings, and what they are for.
pub const PRESETS: [(&str, &str); 6] = [
    ("usual", "200 updates of all weights"),
    ("quick look", "50 updates, to see whether it learns at all"),
    ("three epochs", "the data three times, whatever there is"),
    ("adapter", "LoRA of rank 16 at 2e-3: a tenth of the memory for moments"),
    ("play", "of rl: 60 updates at a constant 1e-4, playing at temperature 0.6"),
    ("paper", "one epoch of world modelling, two of imitation, a cosine from 1e-4 to 0"),
];

/// A number that is worked out where none is given.
fn auto(name: &'static str, label: &'static str, more: &[&str], hint: &str) -> Field {
    Field::new(name, label, Number, &[&[AUTO], more].concat()).hint(hint)
}

fn number(name: &'static str, label: &'static str, choices: &[&str], hint: &str) -> Field {
    Field::new(name, label, Number, choices).hint(hint)
}

/// What is played and how it is learnt from.
fn of_play() -> Vec<Field> {
    // As without a word: the usual one first.
    let mut methods = Method::ALL.map(Method::as_str);
    methods.rotate_right(1);
    vec![
        Field::new("method", "method", Choice, &methods),
        auto("group", "  rollouts", &["4", "8", "16"], "of each task from its beginning"),
        number("limit", "  steps", &["30", "20", "50"], "of an episode at most"),
        auto("forks", "  forks", &["1", "2", "4"], "states of a rollout that are forked, at most"),
        auto("width", "  of each", &["2", "3", "4"], "actions or continuations at such a state"),
        auto("gamma", "  discount", &["0.95", "1"], "what a step later counts less"),
        auto("kl", "  KL", &["0", "0.01", "0.04"], "what the distance from the start counts (k3)"),
        number(
            "ends",
            "  tokens",
            &["none", "3000000"],
            "after which it ends, before its updates do",
        ),
        number("acts", "  temperature", &["1", "0.6", "0.4"], "of who plays and is trained"),
    ]
}

/// The fields of a new form.
pub fn sheet() -> Sheet {
    let objectives = OBJECTIVES.map(|(objective, _)| objective.as_str());
    let presets = PRESETS.map(|(name, _)| name);
    let share = HELD_OUT.to_string();
    let python = Settings::new(1, None).python;
    let device = Device::best().to_string();
    let devices: &[&str] = if device == "cpu" { &["cpu"] } else { &[&device, "cpu"] };
    let schedules = [Schedule::Cosine, Schedule::Linear, Schedule::Constant].map(Schedule::as_str);
    let mut fields = vec![
        Field::new("objective", "objective", Choice, &objectives),
        Field::new("preset", "preset", Choice, &presets),
        number("beta", "  beta", &["0.1", "0.5", "0.02"], "what the distance from the start counts"),
        // What the fields do not show of a run that is played again.
        Field::new("rl", "", Text, &[""]),
        Field::new("suite", "suite", Choice, &[]),
        Field::new("split", "split", Choice, &["train"]),
        Field::new("expert", "expert", Choice, &[AUTO]),
        Field::new("share", "share", Choice, &["all", "1/8", "1/4", "1/2"])
            .hint("of the instances; 1/8@3 draws it by the seed 3"),
        Field::new("pool", "alternatives", Choice, &[UNIFORM]).hint("the pool that they are of"),
        Field::new("k", "  a state", Number, &["all", "0", "1", "2", "4", "8"])
            .hint("how many at most; 0 leaves the expert's own next states"),
        Field::new("without", "  without", Name, &["none", "no-op", "error,no-op"])
            .hint(&format!("these effects: {}", ActionEffect::words())),
        Field::new("errors", "  refused", Number, &["all", "0.25", "0.1"])
            .hint("at most this share of a trajectory's alternatives"),
        Field::new("match", "  budget", Choice, &["stage2", "total", "tokens"])
            .hint("how many updates world modelling and the imitation after it get"),
        number("world", "  epochs", &["1", "2", "3"], "passes over the data of world modelling"),
        Field::new("own", "  own steps", Choice, &["yes", "no"])
            .hint("whether it learns the next states of the expert's own steps too"),
        Field::new("start", "start", Name, &built_in())
            .hint("or a checkpoint's name, a folder, a name of the hub"),
        number("updates", "updates", &["200", "50", "100", "400", "1000"], ""),
        auto("epochs", "epochs", &["1", "2", "3"], "passes over the trees, in place of updates"),
        Field::new("visits", "visits", Name, &["none", ANSWERS])
            .hint("also the expert's answers where a policy came (collect visits): DAgger"),
        number("batch", "batch", &["8", "16", "32", "1", "2", "4"], "trees, or tasks, an update"),
        number("rate", "rate", &["5e-4", "1e-3", "2e-3", "5e-5", "1e-4", "2e-4"], "its peak"),
        Field::new("schedule", "schedule", Choice, &schedules).hint("how it falls"),
        number(
            "warmup",
            "warm-up",
            &["0.05", "0.1", "0"],
            "share of the updates in which it rises",
        ),
        number("floor", "floor", &["0.1", "0"], "what it falls to, as a share of its peak"),
        number("decay", "weight decay", &["0.01", "0.1", "0"], ""),
        number("clip", "clipping", &["1", "0.5", "10"], "the norm that gradients are cut to"),
        number("lora", "LoRA rank", &["none", "4", "8", "16", "32"], "none trains all weights"),
        auto("alpha", "  alpha", &["16", "32"], "auto: twice the rank"),
        Field::new("modules", "  modules", Text, &["all", "q_proj,v_proj"])
            .hint("linear layers, with commas"),
        number("seed", "seed", &["1", "2", "3", "4", "5"], "of the order of the data"),
        number("held", "held out", &[&share, "0.1", "0.2", "0"], "share of games for validation"),
        auto("validate", "validate every", &["10", "25", "50"], "updates; auto: at checkpoints"),
        auto(
            "save",
            "save every",
            &["25", "50", "100"],
            "updates; auto: a quarter of the run, 25 at least, of rl 10",
        ),
        auto("tokens", "tokens a pass", &["2048", "8192"], "auto: as the largest tree has"),
        auto("memory", "memory (MB)", &["4000", "8000"], "at most; auto: what is free"),
        Field::new("recompute", "recompute", Choice, &["no", "yes"])
            .hint("a third more work for a fraction of the memory"),
        Field::new("products", "products", Choice, &["f32", "bf16"])
            .hint("bf16 is quick where there is a matrix unit"),
        number("workers", "workers", &["2", "1", "4"], "threads; results do not depend on them"),
        Field::new("engine", "engine", Choice, &["here", "torchrun", "candle"])
            .hint("torchrun: transformers and PEFT make the updates; candle: a GPU does (docs/engines.md)"),
        Field::new("device", "  device", Name, devices)
            .hint("of candle; foretaste doctor says which this build has"),
        number("processes", "  processes", &["2", "1", "4", "8"], "each with a GPU of its own, if any"),
        Field::new("python", "  python", Name, &[&python])
            .hint("the one that has torch; foretaste doctor says what is missing"),
        Field::new("ssh", "  machine", Name, &["this one"]).hint("or USER@HOST, as ssh knows it"),
        Field::new("weights", "  weights", Name, &["the start's"])
            .hint("or a folder of that machine, or a name of the hub; with an adapter (docs/engines.md)"),
        Field::new("trainer", "  arguments", Name, &["none", "{\"bf16\": true}"])
            .hint("more of its trainer, that change where and how it computes: fsdp, deepspeed, bf16"),
        Field::new("captured", "", Text, &[""]),
        Field::new("moments", "moments", Choice, &["reset", "keep"]).hint("between two stages"),
        Field::new("shuffled", "shuffled", Choice, &["no", "yes"])
            .hint("a control: next states dealt out among the alternatives"),
        Field::new("rationales", "rationales", Choice, &["no", "yes"])
            .hint("also texts written without sight of any outcome"),
        Field::new("writer", "texts by", Choice, &[AUTO, "template"]).hint("auto: by anyone"),
        Field::new("keep", "keep all", Choice, &["no", "yes"])
            .hint("also checkpoints that are neither best, newest nor in use (none go without validation)"),
    ];
    // Under what is optimised and its preset.
    fields.splice(2..2, of_play());
    Sheet::new(fields)
}

/// Puts a preset's settings in.
pub fn preset(sheet: &mut Sheet) {
    let settings: &[(&str, &str)] = match sheet.value("preset") {
        "usual" => &[],
        "quick look" => &[("updates", "50")],
        "three epochs" => &[("epochs", "3")],
        "adapter" => &[("lora", "16"), ("rate", "2e-3")],
        "play" => &[("updates", "60"), ("rate", "1e-4"), ("schedule", "constant"), ("acts", "0.6")],
        _ => &[("epochs", "2"), ("rate", "1e-4"), ("floor", "0"), ("clip", "1")],
    };
    let usual = self::sheet();
    for name in [
        "updates", "epochs", "world", "match", "moments", "lora", "alpha", "modules", "rate",
        "schedule", "warmup", "floor", "decay", "clip", "acts",
    ] {
        let given = settings.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        sheet.set(name, given.unwrap_or_else(|| usual.value(name)));
    }
}

/// Shows the fields that mean something for what is chosen, with a word about it and about what is
/// known of the run.
pub fn refresh(sheet: &mut Sheet, forecast: Option<&Forecast>) {
    let objective = Objective::from_name(sheet.value("objective")).unwrap_or(Objective::Imitation);
    let branches = objective.carry().branches;
    let world = objective.foresees_first();
    let lora = sheet.value("lora") != "none";
    let constant = sheet.value("schedule") == "constant";
    let plays = objective == Objective::Rl;
    let method = Method::from_name(sheet.value("method")).ok();
    let engine = sheet.value("engine").to_string();
    let apart = engine == "torchrun";
    let device = engine == "candle";
    for (name, shown) in [
        ("pool", branches),
        ("k", branches),
        ("match", world),
        ("world", world),
        ("moments", world),
        ("shuffled", world),
        ("own", world),
        ("without", branches),
        ("errors", branches),
        ("visits", !objective.compares() && !plays),
        ("beta", objective == Objective::Dpo),
        ("expert", !plays),
        ("held", !plays),
        ("epochs", !plays),
        ("method", plays),
        ("group", plays),
        ("limit", plays),
        ("forks", plays && method.is_some_and(Method::forks)),
        ("width", plays && method.is_some_and(Method::forks)),
        ("gamma", plays && method.and_then(Method::discount).is_some()),
        ("kl", plays),
        ("ends", plays),
        ("acts", plays),
        ("rl", false),
        ("trainer", apart),
        ("captured", false),
        ("device", device),
        ("processes", apart),
        ("python", apart),
        ("ssh", apart),
        ("weights", apart),
        ("products", !apart && !device),
        ("recompute", !device),
        ("validate", !apart),
        ("memory", !apart),
        ("rationales", objective.carry().reflections),
        ("writer", objective.carry().reflections),
        ("alpha", lora),
        ("modules", lora),
        ("floor", !constant),
        ("updates", plays || sheet.value("epochs") == AUTO),
    ] {
        sheet.show(name, shown);
    }
    let what = |all: &[(&str, &str)], value: &str| {
        all.iter()
            .find(|(name, _)| *name == value)
            .map_or(String::new(), |(_, what)| (*what).into())
    };
    let objectives = OBJECTIVES.map(|(objective, what)| (objective.as_str(), what));
    let batch = sheet.value("batch").parse().unwrap_or(1);
    let last = forecast.and_then(|forecast| forecast.stages.last());
    let last = last.filter(|_| !plays); // what plays goes over no trees
    let [epochs, updates] = last.map_or([String::new(), String::new()], |stage| {
        [
            format!("{:.1} epochs over {} trees", stage.epochs(batch), stage.trees),
            format!("{} updates over {} trees", stage.updates, stage.trees),
        ]
    });
    let updates = if sheet.value("epochs") == AUTO {
        "passes over the trees, in place of updates".to_string()
    } else {
        updates
    };
    let hints = [
        ("updates", epochs),
        ("epochs", updates),
        ("objective", what(&objectives, sheet.value("objective"))),
        ("preset", what(&PRESETS, sheet.value("preset"))),
        ("method", method.map_or("", Method::about).to_string()),
        ("modules", format!("of {}", LINEARS.join(","))),
    ];
    for (name, hint) in hints {
        if let Some(field) = sheet.get_mut(name) {
            field.hint = hint;
        }
    }
}
