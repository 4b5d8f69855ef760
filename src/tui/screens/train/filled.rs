//! Train, the plan that the fields of the form make, and the other way round.

use super::fields::AUTO;
use crate::error::{Error, Result};
use crate::experience::ActionEffect;
use crate::model::step::Products;
use crate::place::Place;
use crate::selection::{ALL, Criteria};
use crate::train::rl::{Method, Rl};
use crate::train::torchrun::Settings;
use crate::train::{Budget, Moments, Objective, Plan, Schedule, Tuning};
use crate::tui::sheet::Sheet;

/// A number of a field; none where the program chooses.
fn number<T: std::str::FromStr>(sheet: &Sheet, name: &str) -> Result<Option<T>> {
    let value = sheet.value(name);
    if [AUTO, "all", "none"].contains(&value) {
        return Ok(None);
    }
    let label = sheet.fields.iter().find(|f| f.name == name).map_or(name, |f| f.label.trim());
    value
        .parse()
        .map(Some)
        .map_err(|_| Error::new(format!("{label}: `{value}` is no number that can be meant")))
}

fn needed<T: std::str::FromStr>(sheet: &Sheet, name: &str) -> Result<T> {
    number(sheet, name)?.ok_or_else(|| Error::new(format!("{name}: a number is needed")))
}

/// The effects that are named with commas.
fn effects(named: &str) -> Result<Vec<ActionEffect>> {
    let words = named.split(',').map(str::trim).filter(|word| !word.is_empty() && *word != "none");
    let effect = |word: &str| {
        ActionEffect::parse(word).map_err(|error| Error::new(format!("without: {error}")))
    };
    words.map(effect).collect()
}

/// What is played and how it is learnt from: what no field shows is as the method has it, or as the
/// run has it that is played again.
fn rl(sheet: &Sheet) -> Result<Rl> {
    let method = Method::from_name(sheet.value("method"))?;
    let again = serde_json::from_str::<Rl>(sheet.value("rl")).ok();
    let usual = again.filter(|rl| rl.method == method).unwrap_or_else(|| Rl::new(method));
    let own = Rl::new(method);
    let forks = method.forks();
    // What is not shown of a method that knows it not stays as that has it.
    let gamma = number(sheet, "gamma")?.filter(|_| method.discount().is_some());
    Ok(Rl {
        group: number(sheet, "group")?.unwrap_or(own.group),
        forks: number(sheet, "forks")?.filter(|_| forks).unwrap_or(own.forks),
        width: number(sheet, "width")?.filter(|_| forks).unwrap_or(own.width),
        gamma: gamma.unwrap_or(own.gamma),
        kl: number(sheet, "kl")?.unwrap_or(own.kl),
        tokens: number(sheet, "ends")?,
        limit: needed(sheet, "limit")?,
        temperature: needed(sheet, "acts")?,
        ..usual
    })
}

/// What makes the updates, where that is not this program.
fn torchrun(sheet: &Sheet) -> Result<Option<Settings>> {
    if sheet.value("engine") != "torchrun" {
        return Ok(None);
    }
    let named =
        |name: &str, none: &str| Some(sheet.value(name).to_string()).filter(|value| value != none);
    let usual = Settings::new(needed(sheet, "processes")?, named("ssh", HERE));
    Ok(Some(Settings {
        python: sheet.value("python").to_string(),
        weights: named("weights", SENT),
        trainer: match sheet.value("trainer") {
            "none" => serde_json::Map::new(),
            said => serde_json::from_str(said)
                .map_err(|e| Error::new(format!("the trainer's arguments: {e}")))?,
        },
        ..usual
    }))
}

/// The device of candle, where it makes the updates.
fn device(sheet: &Sheet) -> Result<Option<Place>> {
    (sheet.value("engine") == "candle").then(|| sheet.value("device").parse()).transpose()
}

/// What the field says where the run is not of another machine.
const HERE: &str = "this one";

/// What it says where the weights are sent.
const SENT: &str = "the start's";

/// The plan that the fields make; an error names the field.
pub fn plan(sheet: &Sheet) -> Result<Plan> {
    let objective = Objective::from_name(sheet.value("objective"))?;
    let named = |name: &str| {
        Some(sheet.value(name).to_string()).filter(|value| value != AUTO && !value.is_empty())
    };
    let usual = Plan::new(objective, needed(sheet, "updates")?, needed(sheet, "seed")?);
    let mut data = Criteria {
        suite: named("suite"),
        split: named("split").filter(|split| split != ALL),
        expert: named("expert"),
        share: named("share")
            .filter(|share| share != ALL)
            .map(|share| share.parse().map_err(Error::new))
            .transpose()?,
        held_out: needed(sheet, "held")?,
        ..Criteria::default()
    };
    if objective.carry().branches {
        data.pool = sheet.value("pool").to_string();
        data.k = number(sheet, "k")?;
        data.errors = number(sheet, "errors")?;
        data.without = effects(sheet.value("without"))?;
    }
    if !objective.compares() && objective != Objective::Rl {
        data.visits = named("visits").filter(|pool| pool != "none");
    }
    if objective.carry().reflections {
        data.writer = named("writer");
        data.rationales = sheet.value("rationales") == "yes";
    }
    if objective == Objective::Rl {
        let Criteria { suite, split, share, .. } = data;
        data = Criteria { suite, split, share, ..Criteria::default() };
    }
    let schedule = match sheet.value("schedule") {
        "linear" => Schedule::Linear,
        "constant" => Schedule::Constant,
        _ => Schedule::Cosine,
    };
    let floor = match schedule {
        Schedule::Constant => Tuning::default().floor,
        _ => needed(sheet, "floor")?,
    };
    let lora: Option<usize> = number(sheet, "lora")?;
    let modules = Some(sheet.value("modules")).filter(|named| *named != "all" && lora.is_some());
    let modules = modules.map_or(Vec::new(), |named| {
        named.split(',').map(|name| name.trim().to_string()).filter(|n| !n.is_empty()).collect()
    });
    let apart = torchrun(sheet)?;
    let device = device(sheet)?;
    // What only means something of updates that are made here.
    let here = |value: Option<u64>| value.filter(|_| apart.is_none());
    let mut plan = Plan {
        epochs: if objective == Objective::Rl { None } else { number(sheet, "epochs")? },
        beta: if objective == Objective::Dpo { Some(needed(sheet, "beta")?) } else { None },
        rl: if objective == Objective::Rl { Some(rl(sheet)?) } else { None },
        preferences: serde_json::from_str(sheet.value("captured"))
            .ok()
            .filter(|_| objective == Objective::Dpo),
        batch: needed(sheet, "batch")?,
        rate: needed(sheet, "rate")?,
        tuning: Tuning {
            schedule,
            floor,
            warmup: needed(sheet, "warmup")?,
            decay: needed(sheet, "decay")?,
            clip: needed(sheet, "clip")?,
        },
        lora,
        alpha: if lora.is_some() { number(sheet, "alpha")? } else { None },
        modules,
        workers: needed(sheet, "workers")?,
        budget: number(sheet, "tokens")?,
        memory_limit: here(number::<u64>(sheet, "memory")?.map(|mb| mb.saturating_mul(1_000_000))),
        save_every: number(sheet, "save")?,
        validate_every: here(number(sheet, "validate")?),
        recompute: sheet.value("recompute") == "yes" && device.is_none(),
        keep_all: sheet.value("keep") == "yes",
        // Other engines' operands are their own.
        products: if sheet.value("products") == "bf16" && apart.is_none() && device.is_none() {
            Products::Bf16
        } else {
            Products::F32
        },
        data,
        torchrun: apart,
        device,
        ..usual
    };
    if objective.foresees_first() {
        plan.matched = match sheet.value("match") {
            "total" => Budget::Total,
            "tokens" => Budget::Tokens,
            _ => Budget::Stage2,
        };
        plan.world_epochs = needed(sheet, "world")?;
        plan.shuffled = sheet.value("shuffled") == "yes";
        plan.alternatives_only = sheet.value("own") == "no";
        plan.moments =
            if sheet.value("moments") == "keep" { Moments::Keep } else { Moments::Reset };
    }
    plan.check()?;
    Ok(plan)
}

/// Fills the fields in with a plan and where it starts.
pub fn fill(sheet: &mut Sheet, plan: &Plan, start: &str) {
    let auto = |value: Option<String>, none: &str| value.unwrap_or_else(|| none.to_string());
    let Plan { data, tuning, .. } = plan;
    let modules = Some(plan.modules.join(",")).filter(|named| !named.is_empty());
    let without = data.without.iter().map(|effect| effect.as_str()).collect::<Vec<_>>().join(",");
    let without = Some(without).filter(|named| !named.is_empty());
    let yes = |set: bool| if set { "yes" } else { "no" }.to_string();
    let moments = if plan.moments == Moments::Keep { "keep" } else { "reset" };
    let matched = match plan.matched {
        Budget::Stage2 => "stage2",
        Budget::Total => "total",
        Budget::Tokens => "tokens",
    };
    let products = if plan.products == Products::Bf16 { "bf16" } else { "f32" };
    let values = [
        ("objective", plan.objective.as_str().to_string()),
        ("suite", data.suite.clone().unwrap_or_default()),
        ("split", auto(data.split.clone(), ALL)),
        ("expert", auto(data.expert.clone(), AUTO)),
        ("share", auto(data.share.map(|share| share.to_string()), ALL)),
        ("writer", auto(data.writer.clone(), AUTO)),
        ("pool", data.pool.clone()),
        ("k", auto(data.k.map(|k| k.to_string()), "all")),
        ("match", matched.to_string()),
        ("world", plan.world_epochs.to_string()),
        ("start", start.to_string()),
        ("updates", plan.steps.to_string()),
        ("epochs", auto(plan.epochs.map(|n| n.to_string()), AUTO)),
        ("batch", plan.batch.to_string()),
        ("rate", plan.rate.to_string()),
        ("schedule", tuning.schedule.as_str().to_string()),
        ("warmup", tuning.warmup.to_string()),
        ("floor", tuning.floor.to_string()),
        ("decay", tuning.decay.to_string()),
        ("clip", tuning.clip.to_string()),
        ("lora", auto(plan.lora.map(|n| n.to_string()), "none")),
        ("alpha", auto(plan.alpha.map(|n| n.to_string()), AUTO)),
        ("modules", auto(modules, "all")),
        ("seed", plan.seed.to_string()),
        ("held", data.held_out.to_string()),
        ("validate", auto(plan.validate_every.map(|n| n.to_string()), AUTO)),
        ("save", auto(plan.save_every.map(|n| n.to_string()), AUTO)),
        ("tokens", auto(plan.budget.map(|n| n.to_string()), AUTO)),
        ("memory", auto(plan.memory_limit.map(|n| (n / 1_000_000).to_string()), AUTO)),
        ("recompute", yes(plan.recompute)),
        ("products", products.to_string()),
        ("workers", plan.workers.to_string()),
        ("moments", moments.to_string()),
        ("shuffled", yes(plan.shuffled)),
        ("own", yes(!plan.alternatives_only)),
        ("without", auto(without, "none")),
        ("errors", auto(data.errors.map(|most| most.to_string()), "all")),
        ("visits", auto(data.visits.clone(), "none")),
        ("rationales", yes(data.rationales)),
        ("keep", yes(plan.keep_all)),
        ("preset", "another run's".to_string()),
    ];
    if let Some(rl) = &plan.rl {
        let usual = Rl::new(rl.method);
        let group = (rl.group != usual.group).then(|| rl.group.to_string());
        let count = |own: usize, usual: usize| auto((own != usual).then(|| own.to_string()), AUTO);
        let real = |own: f64, usual: f64| {
            auto((own.to_bits() != usual.to_bits()).then(|| own.to_string()), AUTO)
        };
        sheet.set("method", rl.method.as_str());
        sheet.set("forks", count(rl.forks, usual.forks));
        sheet.set("width", count(rl.width, usual.width));
        sheet.set("gamma", real(rl.gamma, usual.gamma));
        sheet.set("kl", real(rl.kl, usual.kl));
        sheet.set("ends", auto(rl.tokens.map(|n| n.to_string()), "none"));
        sheet.set("group", auto(group, AUTO));
        sheet.set("limit", rl.limit.to_string());
        sheet.set("acts", rl.temperature.to_string());
        sheet.set("rl", serde_json::to_string(rl).unwrap_or_default());
    }
    sheet.set(
        "engine",
        match (&plan.torchrun, plan.device) {
            (Some(_), _) => "torchrun",
            (None, Some(_)) => "candle",
            (None, None) => "here",
        },
    );
    if let Some(device) = plan.device {
        sheet.set("device", device.to_string());
    }
    if let Some(of) = &plan.torchrun {
        fill_torchrun(sheet, of);
    }
    let captured = plan.preferences.as_ref().and_then(|of| serde_json::to_string(of).ok());
    sheet.set("captured", captured.unwrap_or_default());
    if let Some(beta) = plan.beta {
        sheet.set("beta", beta.to_string());
    }
    for (name, value) in values {
        sheet.set(name, value);
    }
}

/// Another machine was named, or this one again: what this one calls its Python says nothing of another.
pub fn moved(sheet: &mut Sheet) {
    let host = Some(sheet.value("ssh").to_string()).filter(|host| host != HERE);
    let usual = [Settings::new(1, None).python, Settings::new(1, Some(String::new())).python];
    if usual.iter().any(|python| python == sheet.value("python")) {
        sheet.set("python", usual[usize::from(host.is_some())].as_str());
    }
}

fn fill_torchrun(sheet: &mut Sheet, of: &Settings) {
    sheet.set("processes", of.processes.to_string());
    sheet.set("python", of.python.clone());
    sheet.set("ssh", of.host.clone().unwrap_or_else(|| HERE.to_string()));
    sheet.set("weights", of.weights.clone().unwrap_or_else(|| SENT.to_string()));
    let trainer = serde_json::to_string(&of.trainer).unwrap_or_default();
    sheet.set("trainer", if of.trainer.is_empty() { "none".into() } else { trainer });
}

#[cfg(test)]
#[path = "filled_tests.rs"]
mod tests;
