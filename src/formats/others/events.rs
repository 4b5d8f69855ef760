//! OpenHands of version 0: a list of events, actions and what came of them. (Those of its SDK: [`super::sdk`].)

use serde_json::Value;

use super::episode::{Done, Episode};
use super::sdk;
use super::turns::text_of;
use crate::budget;
use crate::error::Result;
use crate::gateway::opening;

/// Reads a list of events. `actor` is who acted, where the file says.
pub fn read(events: &[Value], actor: Option<&str>) -> Result<Episode> {
    let is_first = |event: &Value| event["action"].is_string() || event["observation"].is_string();
    if events.iter().any(sdk::is_one) && !events.iter().any(is_first) {
        return sdk::read(events, actor);
    }
    let (mut before, mut steps) = (Vec::new(), Vec::<Done>::new());
    // By its number, the step that an event was.
    let mut of = std::collections::HashMap::new();
    for event in events {
        budget::cancel().check()?;
        let source = event["source"].as_str().unwrap_or_default();
        let args = &event["args"];
        let Some(kind) = event["action"].as_str() else {
            let seen = text_of(&event["content"]);
            let cause = event["cause"].as_i64().and_then(|cause| of.get(&cause).copied());
            let at = cause.or(steps.len().checked_sub(1));
            if let Some(done) = at.and_then(|at: usize| steps.get_mut(at)) {
                done.see(&seen);
            }
            continue;
        };
        match (source, kind) {
            (_, "system" | "recall" | "change_agent_state" | "null") => {}
            ("user", _) => {
                let text = args["content"].as_str().or(event["message"].as_str());
                let text = text.unwrap_or_default().to_string();
                match steps.last_mut() {
                    None => before.push(text),
                    Some(done) => done.see(&text),
                }
            }
            (_, kind) => {
                let thought = args["thought"].as_str().filter(|text| !text.is_empty());
                let mut said = args.clone();
                if let Value::Object(fields) = &mut said {
                    fields.retain(|name, value| name != "thought" && !value.is_null());
                }
                let only = args["command"].as_str().filter(|_| kind == "run");
                let action = only.map_or_else(|| format!("{kind} {said}"), str::to_string);
                if let Some(id) = event["id"].as_i64() {
                    of.insert(id, steps.len());
                }
                let thought = thought.map(str::to_string);
                steps.push(Done { action, thought, ..Done::default() });
            }
        }
    }
    let (task, observation) = opening(&before.join("\n\n"));
    let actor = actor.unwrap_or("openhands").to_string();
    Ok(Episode { format: "openhands", actor, task, observation, steps, ..Episode::default() })
}
