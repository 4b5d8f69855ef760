//! What this program says of its own trajectories beyond the format: it stands in `extra`, where
//! other tools leave it alone, and is read back as it was filed.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::episode::{Done, Filed};
use super::super::turns::field;
use super::VERSION;
use crate::error::{Error, Result};
use crate::experience::{Membership, Purpose, Step};
use crate::store::Record;

/// Who wrote it, where this program did.
const WRITER: &str = "foretaste";

/// What stands between what is seen first and what is to be done.
const TASK: &str = "Your task is to: ";

fn needed<T>(said: Option<T>, name: &str) -> Result<T> {
    said.ok_or_else(|| Error::new(format!("{name}: what foretaste wrote says it")))
}

/// What this program says of a trajectory of its own, and what it calls its task.
pub fn filed(item: &Value) -> Result<Option<(Filed, String)>> {
    let agent = &item["agent"]["extra"];
    if agent["writer"] != WRITER {
        return Ok(None);
    }
    let extra = &item["extra"];
    let text = |of: &Value, name: &str| needed(field::<String>(of, name)?, name);
    let purpose = text(extra, "purpose")?;
    let purpose = Purpose::from_name(&purpose)
        .ok_or_else(|| Error::new(format!("purpose: there is no {purpose}")))?;
    let filed = Filed {
        suite: text(agent, "suite")?,
        split: text(agent, "split")?,
        kind: text(extra, "kind")?,
        purpose,
        seed: field(extra, "seed")?.unwrap_or_default(),
        admissible: field(extra, "admissible")?,
        free: field(extra, "free")?.unwrap_or_default(),
        created_ms: field(extra, "created_ms")?.unwrap_or_default(),
        world: field(extra, "world")?,
    };
    Ok(Some((filed, text(agent, "task")?)))
}

/// The task of one of its own and what is seen first. Older files have both in the first message
/// alone.
pub fn opening(item: &Value, told: &str) -> Result<Option<(String, String)>> {
    let extra = &item["extra"];
    if let Some(task) = field(extra, "task")? {
        return Ok(Some((task, needed(field(extra, "observation")?, "observation")?)));
    }
    let older = told.rsplit_once(&format!("\n\n{TASK}"));
    let older = older.or_else(|| told.strip_prefix(TASK).map(|task| ("", task)));
    Ok(older.map(|(seen, task)| (task.to_string(), seen.to_string())))
}

/// A step of one of its own, whole; older files say too little of it.
pub fn step(extra: &Value, done: &Done) -> Result<Option<Step>> {
    let Some(source) = field(extra, "source")? else { return Ok(None) };
    let said = |name: &str| needed(field::<bool>(extra, name)?, name);
    Ok(Some(Step {
        action: done.action.clone(),
        source,
        observation: done.observation.clone(),
        admissible: field(extra, "admissible")?,
        free: field(extra, "free")?.unwrap_or_default(),
        reward: done.reward,
        done: said("done")?,
        success: said("success")?,
        truncated: said("truncated")?,
    }))
}

/// Adds what can be sent in a state: nothing where nothing is said of it.
fn add_listed(extra: &mut Value, admissible: Option<&[String]>, free: &[String]) {
    if let Some(admissible) = admissible {
        extra["admissible"] = json!(admissible);
    }
    if !free.is_empty() {
        extra["free"] = json!(free);
    }
}

/// The executed alternatives of a record by their states, each with its places in pools.
fn alternatives(record: &Record) -> HashMap<usize, Vec<Value>> {
    let mut pools = HashMap::<(usize, &str), Vec<&Membership>>::new();
    for placed in &record.pools {
        pools.entry((placed.t, &placed.action)).or_default().push(&placed.place);
    }
    let mut all = HashMap::<usize, Vec<Value>>::new();
    for branch in &record.branches {
        let places = pools.remove(&(branch.t, branch.action.as_str())).unwrap_or_default();
        all.entry(branch.t).or_default().push(json!({
            "action": branch.action, "next_observation": branch.observation,
            "reward": branch.reward, "done": branch.done, "effect": branch.effect,
            "success": branch.success, "source": branch.source, "pools": places,
            "created_ms": branch.created_ms,
        }));
    }
    all
}

/// Writes one: what was told first as a user's step, then a call of `act` with its observation a
/// step.
pub fn written(record: &Record) -> Value {
    let Record { trajectory: tr, thoughts, .. } = record;
    let mut others = alternatives(record);
    let mut thought = HashMap::new();
    for one in thoughts {
        thought.entry(one.t).or_insert(&one.text);
    }
    let told = format!("{}\n\n{TASK}{}", tr.observation, tr.task);
    let mut steps = vec![json!({"step_id": 1, "source": "user", "message": told.trim()})];
    for (t, step) in tr.steps.iter().enumerate() {
        let call = format!("a{t}");
        let mut extra = json!({"reward": step.reward, "done": step.done, "success": step.success,
            "truncated": step.truncated, "source": step.source});
        add_listed(&mut extra, step.admissible.as_deref(), &step.free);
        if let Some(others) = others.remove(&t) {
            extra["alternatives"] = Value::Array(others);
        }
        let mut one = json!({
            "step_id": t + 2, "source": "agent", "message": step.action,
            "tool_calls": [{"tool_call_id": call, "function_name": "act",
                "arguments": {"action": step.action}}],
            "observation": {"results": [{"source_call_id": call, "content": step.observation}]},
            "extra": extra,
        });
        if let Some(thought) = thought.get(&t) {
            one["reasoning_content"] = json!(thought);
        }
        steps.push(one);
    }
    let mut extra = json!({"success": tr.success(), "purpose": tr.purpose, "kind": tr.kind,
        "task": tr.task, "observation": tr.observation, "seed": tr.seed,
        "created_ms": tr.created_ms});
    add_listed(&mut extra, tr.admissible.as_deref(), &tr.free);
    if let Some(world) = tr.world {
        extra["world"] = json!(world);
    }
    json!({
        "schema_version": VERSION,
        "session_id": format!("foretaste-{}", tr.id),
        "trajectory_id": format!("foretaste-{}", tr.id),
        "agent": {"name": tr.actor, "version": env!("CARGO_PKG_VERSION"),
            "extra": {"writer": WRITER, "suite": tr.suite, "split": tr.split, "task": tr.task_id}},
        "steps": steps,
        "final_metrics": {"total_steps": tr.steps.len() + 1, "extra": {"reward": tr.reward()}},
        "extra": extra,
    })
}
