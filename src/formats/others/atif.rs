//! Agent Trajectory Interchange Format 1.7 and 1.8 (harbor): steps of a system, a user and an agent.

use serde_json::{Value, json};

use super::episode::{Done, Episode};
use super::turns::text_of;
use crate::error::{Error, Result};
use crate::experience::Trajectory;
use crate::gateway::opening;

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
                Some(done) => add(&mut done.observation, &text),
            },
            Some("agent") => steps.push(done(step, text)),
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
    Ok(Episode { id, format, actor, task, observation, steps, success, reward })
}

fn add(to: &mut String, text: &str) {
    if !to.is_empty() && !text.is_empty() {
        to.push('\n');
    }
    to.push_str(text);
}

fn done(step: &Value, text: String) -> Done {
    let calls = step["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
    let call = |call: &Value| {
        let arguments = &call["arguments"];
        let only = arguments.as_object().filter(|all| all.len() == 1);
        let text = only.and_then(|all| all.values().next()).and_then(Value::as_str);
        let name = call["function_name"].as_str().unwrap_or_default();
        match text.filter(|_| name == "act") {
            Some(text) => text.to_string(),
            None => format!("{name} {arguments}"),
        }
    };
    let calls: Vec<String> = calls.iter().map(call).collect();
    let reasoning = step["reasoning_content"].as_str().map(str::to_string);
    let (action, said) =
        if calls.is_empty() { (text, None) } else { (calls.join("\n"), Some(text)) };
    let thought = reasoning.or(said.filter(|said| *said != action));
    let mut observation = String::new();
    let results = step["observation"]["results"].as_array().map_or(&[][..], Vec::as_slice);
    results.iter().for_each(|result| add(&mut observation, &text_of(&result["content"])));
    let extra = &step["extra"];
    let others = extra["alternatives"].as_array().map_or(&[][..], Vec::as_slice);
    let other = |other: &Value| {
        Some((
            other["action"].as_str()?.to_string(),
            text_of(&other["next_observation"]),
            other["reward"].as_f64().unwrap_or_default(),
            other["done"].as_bool().unwrap_or_default(),
        ))
    };
    let others = others.iter().filter_map(other).collect();
    let reward = extra["reward"].as_f64().unwrap_or_default();
    Done { action, observation, thought, reward, others }
}

/// Writes one: what was told first as a user's step, then a call of `act` with its observation a step.
pub fn written(trajectory: &Trajectory, thoughts: &[(usize, String)]) -> Value {
    let tr = trajectory;
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
        let thought = thoughts.iter().find(|(at, _)| *at == t);
        if let Some((_, text)) = thought {
            one["reasoning_content"] = json!(text);
        }
        steps.push(one);
    }
    json!({
        "schema_version": VERSION,
        "session_id": format!("foretaste-{}", tr.id),
        "trajectory_id": format!("foretaste-{}", tr.id),
        "agent": {"name": tr.actor, "version": env!("CARGO_PKG_VERSION"),
            "extra": {"suite": tr.suite, "split": tr.split, "task": tr.task_id}},
        "steps": steps,
        "final_metrics": {"total_steps": tr.steps.len() + 1, "extra": {"reward": tr.reward()}},
        "extra": {"success": tr.success(), "purpose": tr.purpose.as_str(), "kind": tr.kind},
    })
}
