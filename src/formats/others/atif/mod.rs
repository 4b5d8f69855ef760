//! Agent Trajectory Interchange Format 1.7 and 1.8 (harbor): steps of a system, a user and an
//! agent.

mod own;

use serde_json::Value;

pub use self::own::written;
use super::episode::{Done, Episode, Other};
use super::turns::{field, list, number, text_of, typed};
use crate::budget;
use crate::error::{Error, Result};
use crate::experience::{ActionEffect, Branch, EXPLORED};
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
    let filed = own::filed(item)?;
    let is_own = filed.is_some();
    let (mut before, mut steps) = (Vec::new(), Vec::<Done>::new());
    for (n, step) in all.iter().enumerate() {
        budget::cancel().check()?;
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
            Some("agent") => steps.push(done(step, text, is_own).map_err(place)?),
            other => {
                let what = format!("source: {}", other.unwrap_or("none"));
                return Err(place(Error::new(what).hint("system, user or agent")));
            }
        }
    }
    let told = before.join("\n\n");
    let own_opening = if is_own { own::opening(item, &told)? } else { None };
    let (task, observation) = own_opening.unwrap_or_else(|| opening(&told));
    let name = |value: &Value| value.as_str().map(str::to_string);
    let actor = name(&item["agent"]["name"]).unwrap_or_else(|| "atif".into());
    let reward = number(&item["final_metrics"]["extra"], "reward")?;
    let success = number(&item["extra"], "success")?;
    let success = success.or(reward).is_some_and(|reward| reward >= 1.0);
    let format = "atif";
    let (filed, id) = match filed {
        Some((filed, task)) => (Some(filed), Some(task)),
        None => (None, name(&item["trajectory_id"]).or_else(|| name(&item["session_id"]))),
    };
    Ok(Episode { id, filed, format, actor, task, observation, steps, success, reward })
}

fn done(step: &Value, text: String, is_own: bool) -> Result<Done> {
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
    for (n, one) in list(extra, "alternatives")?.iter().enumerate() {
        budget::cancel().check()?;
        let place = |error: Error| error.at(format!("alternative {}", n + 1));
        done.others.push(other(one, is_own).map_err(place)?);
    }
    done.reward = number(extra, "reward")?.unwrap_or_default();
    if is_own {
        done.filed = own::step(extra, &done)?;
    }
    Ok(done)
}

/// Something else that was executed in a step's state. By whom and in which pools is said of those
/// that this program wrote.
fn other(one: &Value, is_own: bool) -> Result<Other> {
    let action: Option<String> = field(one, "action")?;
    let action = action.filter(|action| !action.trim().is_empty());
    let action = action.ok_or_else(|| Error::new("it has no action"))?;
    let reward = number(one, "reward")?.unwrap_or_default();
    let done = field(one, "done")?.unwrap_or_default();
    let effect = match field::<String>(one, "effect")? {
        Some(word) => ActionEffect::parse(&word).map_err(|e| Error::new(format!("effect: {e}")))?,
        None if done => ActionEffect::Ends,
        None => ActionEffect::Changed,
    };
    let own = if is_own { one } else { &Value::Null };
    let branch = Branch {
        id: 0,
        trajectory: 0,
        t: 0,
        action,
        source: field(own, "source")?.unwrap_or_else(|| EXPLORED.into()),
        observation: text_of(&one["next_observation"]),
        effect,
        reward,
        done,
        success: field(one, "success")?.unwrap_or(done && reward >= 1.0),
        created_ms: field(own, "created_ms")?.unwrap_or_default(),
    };
    Ok(Other { branch, pools: field(own, "pools")?.unwrap_or_default() })
}
