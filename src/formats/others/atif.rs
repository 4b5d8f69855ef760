//! Agent Trajectory Interchange Format 1.7 and 1.8 (harbor): steps of a system, a user and an agent.

use serde_json::{Value, json};

use super::episode::{Done, Episode};
use super::turns::{list, text_of, typed};
use crate::error::{Error, Result};
use crate::experience::Purpose;
use crate::gateway::opening;
use crate::store::Record;

/// The version that is written.
const VERSION: &str = "ATIF-v1.8";

/// Reads one.
pub fn read(item: &Value) -> Result<Episode> {
    let version = item["schema_version"].as_str().unwrap_or_default();
    if !["ATIF-v1.7", VERSION].contains(&version) {
        return Err(Error::new(format!("schema_version {version}"))
            .hint("ATIF-v1.7 and ATIF-v1.8 are read"));
    }
    let Some(all) = item["steps"].as_array() else {
        return Err(Error::new("steps: there are none"));
    };
    let (mut before, mut steps) = (Vec::new(), Vec::<Done>::new());
    for (n, step) in all.iter().enumerate() {
        let place = |error: Error| error.at(format!("step {}", n + 1));
        let text = text_of(&step["message"]);
        match step["source"].as_str() {
            // What another trajectory did is copied for the context alone.
            _ if step["is_copied_context"] == Value::Bool(true) => before.push(text),
            Some("system") => {}
            Some("user") => match steps.last_mut() {
                None => before.push(text),
                Some(done) => done.see(&text),
            },
            Some("agent") => steps.push(done(step, text).map_err(place)?),
            other => {
                let what = format!("source: {}", other.unwrap_or("none"));
                return Err(place(Error::new(what).hint("system, user or agent")));
            }
        }
    }
    let (task, observation) = opening(&before.join("\n\n"));
    let name = |value: &Value| value.as_str().map(str::to_string);
    let actor = name(&item["agent"]["name"]).unwrap_or_else(|| "atif".into());
    let reward = item["final_metrics"]["extra"]["reward"].as_f64();
    let success = item["extra"]["success"].as_bool();
    let success = success.or(reward.map(|reward| reward >= 1.0)).unwrap_or(false);
    let id = name(&item["trajectory_id"]).or_else(|| name(&item["session_id"]));
    let format = "atif";
    let filed = filed(item)?;
    let id = match &filed {
        Some(_) => name(&item["agent"]["extra"]["task"]),
        None => id,
    };
    Ok(Episode { id, filed, format, actor, task, observation, steps, success, reward })
}

/// What this program says of its own: suite, split, kind, and what it was for.
fn filed(item: &Value) -> Result<Option<(String, String, String, Purpose)>> {
    let extra = &item["agent"]["extra"];
    if extra["writer"] != WRITER {
        return Ok(None);
    }
    let text = |value: &Value, field: &str| {
        let text = value[field].as_str().map(str::to_string);
        text.ok_or_else(|| Error::new(format!("{field}: what foretaste wrote says it")))
    };
    let purpose = text(&item["extra"], "purpose")?;
    let purpose = Purpose::from_name(&purpose)
        .ok_or_else(|| Error::new(format!("purpose: there is no {purpose}")))?;
    Ok(Some((text(extra, "suite")?, text(extra, "split")?, text(&item["extra"], "kind")?, purpose)))
}

/// Who wrote it, where this program did.
const WRITER: &str = "foretaste";

fn done(step: &Value, text: String) -> Result<Done> {
    let calls = list(step, "tool_calls")?;
    let call = |call: &Value| {
        let name = call["function_name"].as_str().unwrap_or_default();
        typed(name, &call["arguments"], &["act"])
    };
    let calls: Vec<String> = calls.iter().map(call).collect();
    let reasoning = step["reasoning_content"].as_str().map(str::to_string);
    let (action, said) =
        if calls.is_empty() { (text, None) } else { (calls.join("\n"), Some(text)) };
    let thought = reasoning.or(said.filter(|said| *said != action));
    if action.trim().is_empty() {
        return Err(Error::new("the agent does nothing in it"));
    }
    let mut done = Done { action, thought, ..Done::default() };
    if step.get("observation").is_some_and(|seen| !seen.is_object() && !seen.is_null()) {
        return Err(Error::new("observation: not {results: […]}"));
    }
    for result in list(&step["observation"], "results")? {
        done.see(&text_of(&result["content"]));
    }
    let extra = &step["extra"];
    for other in list(extra, "alternatives")? {
        let action = other["action"].as_str().filter(|action| !action.trim().is_empty());
        let action = action.ok_or_else(|| Error::new("an alternative without an action"))?;
        done.others.push((
            action.to_string(),
            text_of(&other["next_observation"]),
            other["reward"].as_f64().unwrap_or_default(),
            other["done"].as_bool().unwrap_or_default(),
        ));
    }
    done.reward = extra["reward"].as_f64().unwrap_or_default();
    Ok(done)
}

/// Writes one: what was told first as a user's step, then a call of `act` with its observation a step.
pub fn written(record: &Record) -> Value {
    let Record { trajectory: tr, branches, thoughts, .. } = record;
    let task = format!("{}\n\nYour task is to: {}", tr.observation, tr.task);
    let mut steps = vec![json!({"step_id": 1, "source": "user", "message": task.trim()})];
    for (t, step) in tr.steps.iter().enumerate() {
        let call = format!("a{t}");
        let mut one = json!({
            "step_id": t + 2, "source": "agent", "message": step.action,
            "tool_calls": [{"tool_call_id": call, "function_name": "act",
                "arguments": {"action": step.action}}],
            "observation": {"results": [{"source_call_id": call, "content": step.observation}]},
            "extra": {"reward": step.reward, "done": step.done},
        });
        if let Some(thought) = thoughts.iter().find(|thought| thought.t == t) {
            one["reasoning_content"] = json!(thought.text);
        }
        let others = branches.iter().filter(|branch| branch.t == t).map(|branch| {
            json!({"action": branch.action, "next_observation": branch.observation,
                "reward": branch.reward, "done": branch.done, "effect": branch.effect})
        });
        let others: Vec<Value> = others.collect();
        if !others.is_empty() {
            one["extra"]["alternatives"] = json!(others);
        }
        steps.push(one);
    }
    json!({
        "schema_version": VERSION,
        "session_id": format!("foretaste-{}", tr.id),
        "trajectory_id": format!("foretaste-{}", tr.id),
        "agent": {"name": tr.actor, "version": env!("CARGO_PKG_VERSION"),
            "extra": {"writer": WRITER, "suite": tr.suite, "split": tr.split, "task": tr.task_id}},
        "steps": steps,
        "final_metrics": {"total_steps": tr.steps.len() + 1, "extra": {"reward": tr.reward()}},
        "extra": {"success": tr.success(), "purpose": tr.purpose.as_str(), "kind": tr.kind},
    })
}
