//! The command line that starts the run of a plan.

use clap::ValueEnum;

use super::rl::Rl;
use super::{Budget, Plan, Tuning};
use crate::model::step::Products;
use crate::selection::{ALL, Criteria};
use crate::text::quoted;

/// The word for a value on the command line.
fn word(value: &impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_string())
}

/// The command that starts the same run from the model of that name: what is as usual is left out.
pub fn command(plan: &Plan, start: &str) -> String {
    let usual = Plan::new(plan.objective, plan.steps, plan.seed);
    let mut said = vec![format!("foretaste train --objective {}", plan.objective.as_str())];
    let mut add = |flag: &str, value: Option<String>| {
        said.extend(value.map(|value| format!("{flag} {}", quoted(&value))));
    };
    match plan.epochs {
        Some(epochs) => add("--epochs", Some(epochs.to_string())),
        None => add("--steps", Some(plan.steps.to_string())),
    }
    add("--from", Some(start.to_string()));
    add("--rate", Some(plan.rate.to_string()));
    add("--beta", plan.beta.filter(|_| plan.beta != usual.beta).map(|beta| beta.to_string()));
    add("--captured", plan.preferences.as_ref().map(|of| of.agent.clone()));
    if let Some(rl) = &plan.rl {
        of_rl(rl, &mut add);
    }
    of_data(&plan.data, &usual.data, &mut add);
    add("--batch", (plan.batch != usual.batch).then(|| plan.batch.to_string()));
    add("--seed", (plan.seed != 1).then(|| plan.seed.to_string()));
    let by_tokens = plan.rl.as_ref().is_some_and(|rl| rl.tokens.is_some());
    of_tuning(&plan.tuning, by_tokens, &mut add);
    add("--lora", plan.lora.map(|rank| rank.to_string()));
    add("--alpha", plan.alpha.map(|alpha| alpha.to_string()));
    add("--modules", Some(plan.modules.join(",")).filter(|named| !named.is_empty()));
    add("--match", (plan.matched != Budget::default()).then(|| word(&plan.matched)));
    let world = (plan.world_epochs - usual.world_epochs).abs() > 0.0;
    add("--world-epochs", world.then(|| plan.world_epochs.to_string()));
    add("--moments", (plan.moments != usual.moments).then(|| word(&plan.moments)));
    add("--workers", (plan.workers != usual.workers).then(|| plan.workers.to_string()));
    add("--budget", plan.budget.map(|tokens| tokens.to_string()));
    add("--memory-limit", plan.memory_limit.map(|bytes| (bytes / 1_000_000).to_string()));
    add("--save-every", plan.save_every.map(|n| n.to_string()));
    add("--validate-every", plan.validate_every.map(|n| n.to_string()));
    if let Some(of) = &plan.torchrun {
        add("--engine", Some("torchrun".into()));
        add("--processes", (of.processes != 1).then(|| of.processes.to_string()));
        add("--python", Some(of.python.clone()));
        add("--ssh", of.host.clone());
        add("--weights", of.weights.clone());
        let more = (!of.trainer.is_empty()).then(|| serde_json::to_string(&of.trainer));
        add("--trainer-args", more.and_then(std::result::Result::ok));
    }
    if let Some(device) = plan.device {
        add("--engine", Some("candle".into()));
        add("--device", Some(device.to_string()));
    }
    let flags = [
        (plan.data.rationales, "--rationales"),
        (plan.shuffled, "--shuffled"),
        (plan.alternatives_only, "--alternatives-only"),
        (plan.recompute, "--recompute"),
        (plan.products == Products::Bf16, "--bf16"),
        (plan.keep_all, "--keep-all"),
    ];
    if let Some(Rl { method, clip: (low, high), .. }) = plan.rl
        && Rl::new(method).clip != (low, high)
    {
        said.push(format!("--ratio {low} {high}"));
    }
    said.extend(flags.iter().filter(|(set, _)| *set).map(|(_, flag)| (*flag).to_string()));
    said.join(" ")
}

fn of_data(data: &Criteria, usual: &Criteria, add: &mut impl FnMut(&str, Option<String>)) {
    let Criteria { suite, split, expert, share, writer, pool, k, held_out, .. } = data;
    let Criteria { visits, without, errors, .. } = data;
    add("--suite", suite.clone());
    let split = split.clone().unwrap_or_else(|| ALL.into());
    add("--split", Some(split).filter(|split| usual.split.as_ref() != Some(split)));
    add("--expert", expert.clone());
    add("--share", share.map(|share| share.to_string()));
    add("--writer", writer.clone());
    add("--branches", Some(pool.clone()).filter(|pool| *pool != usual.pool));
    add("-k", k.map(|k| k.to_string()));
    add("--visits", visits.clone());
    let effects: Vec<&str> = without.iter().map(|effect| effect.as_str()).collect();
    add("--without", Some(effects.join(",")).filter(|effects| !effects.is_empty()));
    add("--errors", errors.map(|most| most.to_string()));
    let other = held_out.to_bits() != usual.held_out.to_bits();
    add("--held-out", other.then(|| held_out.to_string()));
}

fn of_rl(rl: &Rl, add: &mut impl FnMut(&str, Option<String>)) {
    let usual = Rl::new(rl.method);
    let mut number = |flag: &str, own: f64, usual: f64| {
        add(flag, (own.to_bits() != usual.to_bits()).then(|| own.to_string()));
    };
    number("--gamma", rl.gamma, usual.gamma);
    number("--kl", rl.kl, usual.kl);
    number("--temperature", rl.temperature, usual.temperature);
    number("--invalid", rl.invalid, usual.invalid);
    let counts = [
        ("--group", rl.group, usual.group),
        ("--limit", rl.limit, usual.limit),
        ("--passes", rl.passes, usual.passes),
        ("--forks", rl.forks, usual.forks),
        ("--width", rl.width, usual.width),
        ("--validation", rl.validation, usual.validation),
        ("--kept", rl.kept, usual.kept),
    ];
    for (flag, own, usual) in counts {
        add(flag, (own != usual).then(|| own.to_string()));
    }
    add("--captured", rl.captured.as_ref().map(|of| of.agent.clone()));
    add("--method", Some(rl.method.as_str().to_string()));
    add("--tokens", rl.tokens.map(|tokens| tokens.to_string()));
    add("--data", rl.data.as_ref().map(|folder| folder.display().to_string()));
}

fn of_tuning(tuning: &Tuning, by_tokens: bool, add: &mut impl FnMut(&str, Option<String>)) {
    let usual = Tuning::usual(by_tokens);
    add("--schedule", (tuning.schedule != usual.schedule).then(|| word(&tuning.schedule)));
    for (flag, value, usual) in [
        ("--warmup", tuning.warmup, usual.warmup),
        ("--floor", tuning.floor, usual.floor),
        ("--decay", tuning.decay, usual.decay),
        ("--clip", tuning.clip, usual.clip),
    ] {
        add(flag, (value.to_bits() != usual.to_bits()).then(|| value.to_string()));
    }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
