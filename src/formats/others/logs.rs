//! Logs of agents' runs: SWE-agent's trajectories, OpenHands' evaluations, Inspect's logs.

use serde_json::Value;

use super::episode::{Done, Episode};
use super::turns::text_of;
use super::{UNPACKED, events, turns};
use crate::budget;
use crate::error::{Error, Result};
use crate::gateway::opening;

/// A `.traj` of SWE-agent: what was done is in `trajectory`, what was asked in `history`. It says what
/// was submitted, and not whether that was right.
pub fn swe_agent(item: &Value) -> Result<Episode> {
    let mut steps = Vec::new();
    for (n, step) in item["trajectory"].as_array().into_iter().flatten().enumerate() {
        budget::cancel().check()?;
        let Some(action) = step["action"].as_str() else {
            return Err(Error::new(format!("step {}: no action", n + 1)));
        };
        let thought = Some(text_of(&step["thought"]));
        let observation = text_of(&step["observation"]);
        let action = action.trim().to_string();
        steps.push(Done { action, observation, thought, ..Done::default() });
    }
    let history = item["history"].as_array().map_or(&[][..], Vec::as_slice);
    let is_shown = |message: &&Value| message["is_demo"] == Value::Bool(true);
    let asked = history.iter().filter(|one| one["role"] == "user" && !is_shown(one));
    let asked = asked.map(|message| text_of(&message["content"])).next().unwrap_or_default();
    let (task, observation) = opening(&asked);
    let id = item["instance_id"].as_str().map(str::to_string);
    let actor = "swe-agent".to_string();
    let episode = Episode { id, actor, task, observation, steps, ..Episode::default() };
    Ok(Episode { format: "swe-agent", ..episode })
}

/// An item with a `history`: of messages (demonstrations of SWE-agent), or of events (evaluations of
/// OpenHands, which say whether it was right).
pub fn history(item: &Value) -> Result<Episode> {
    let history = item["history"].as_array().map_or(&[][..], Vec::as_slice);
    let id = item["instance_id"].as_str().map(str::to_string);
    if history.iter().any(|one| one.get("role").is_some()) {
        let mut messages = history.to_vec();
        for message in &mut messages {
            // Its own words for what was done stand beside the call.
            if let Some(action) = message["action"].as_str() {
                let thought = message["thought"].as_str().unwrap_or_default();
                message["content"] = Value::String(format!("{thought}\nAction: {action}"));
                message["tool_calls"] = Value::Null;
            }
        }
        return Ok(Episode { id, ..turns::read("swe-agent", &messages, None)? });
    }
    // Some have pairs of an action and what came of it.
    let flat: Vec<Value> = history
        .iter()
        .flat_map(|one| one.as_array().cloned().unwrap_or_else(|| vec![one.clone()]))
        .collect();
    let right = &item["test_result"];
    let said = |of: &Value| of["resolved"].as_bool().or(of["report"]["resolved"].as_bool());
    let success = said(right).or(right["result"].as_bool()).or(said(item)).unwrap_or(false);
    let actor = item["metadata"]["agent_class"].as_str();
    Ok(Episode { id, success, ..events::read(&flat, actor)? })
}

/// A log of Inspect: each sample is a conversation with its scores, and stays with the log's own words;
/// one in which nothing was answered (an error of an API) is none.
pub fn inspect(item: &Value) -> Result<Vec<(Episode, Value)>> {
    if item["version"].as_i64() != Some(2) {
        return Err(Error::new(format!("a log of Inspect of version {}", item["version"]))
            .hint("version 2 is read"));
    }
    let model = item["eval"]["model"].as_str().unwrap_or("inspect");
    let task = item["eval"]["task"].as_str().unwrap_or("task");
    let samples = item["samples"].as_array().map_or(&[][..], Vec::as_slice);
    let one = |(n, sample): (usize, &Value)| {
        let messages = sample["messages"].as_array().map_or(&[][..], Vec::as_slice);
        let read = turns::read("inspect", messages, Some(model));
        let episode = read.map_err(|error| error.at(format!("sample {}", n + 1)))?;
        let value = |score: &Value| match &score["value"] {
            Value::String(word) if word == "C" => Some(1.0),
            Value::String(word) if word == "I" => Some(0.0),
            Value::Bool(right) => Some(f64::from(u8::from(*right))),
            Value::Number(number) => number.as_f64(),
            _ => None,
        };
        let scores = sample["scores"].as_object();
        let reward = scores.and_then(|scores| scores.values().find_map(value));
        let id = match &sample["id"] {
            Value::String(id) => id.clone(),
            other => other.to_string(),
        };
        let epoch = sample["epoch"].as_i64().unwrap_or(1);
        let id = Some(format!("{task} {id} epoch {epoch}"));
        let success = reward.is_some_and(|reward| reward >= 1.0);
        let source = serde_json::json!({"version": 2, "eval": item["eval"], "sample": sample});
        Ok((Episode { id, success, reward, ..episode }, source))
    };
    let answered = |sample: &&Value| {
        let messages = sample["messages"].as_array().map_or(&[][..], Vec::as_slice);
        messages.iter().any(|message| message["role"] == "assistant")
    };
    let all = samples.iter().enumerate().filter(|(_, sample)| answered(sample));
    let all: Vec<(usize, &Value)> = all.collect();
    // Each sample is kept with the log's own words.
    let words = item["eval"].to_string().len() as u64;
    if words.saturating_mul(all.len() as u64) > UNPACKED {
        let samples = all.len();
        let what = format!("`eval` has {words} bytes, and is kept with each of {samples} samples");
        return Err(Error::new(what).hint("split the log into logs of fewer samples"));
    }
    all.into_iter().map(one).collect()
}
