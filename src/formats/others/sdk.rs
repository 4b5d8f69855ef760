//! OpenHands' SDK: the events of a conversation, by their kinds, as its folder has them (`events/event-*.json`)
//! or an evaluation's `history`.

use std::collections::HashMap;

use serde_json::Value;

use super::episode::{Done, Episode};
use super::turns::{text_of, typed};
use crate::error::{Error, Result};
use crate::gateway::opening;

/// Kinds of events in which nothing is done and nothing is seen by the model.
const BESIDE: [&str; 12] = [
    "SystemPromptEvent",
    "Condensation",
    "CondensationRequest",
    "CondensationSummaryEvent",
    "ConversationStateUpdateEvent",
    "ConversationErrorEvent",
    "PauseEvent",
    "TokenEvent",
    "LLMCompletionLogEvent",
    "StreamingDeltaEvent",
    "HookExecutionEvent",
    "WarningEvent",
];

/// What a model says of its call for others, and what is not given to the tool.
const SAID_OF_IT: [&str; 3] = ["kind", "security_risk", "summary"];

/// Tools that are given what is typed.
const TERMINALS: [&str; 4] = ["execute_bash", "terminal", "bash", "run"];

/// Whether an event is one of the SDK's.
pub fn is_one(event: &Value) -> bool {
    event.get("kind").is_some_and(Value::is_string) && event.get("args").is_none()
}

/// Reads the events of a conversation. `actor` is who acted, where the file says.
pub fn read(events: &[Value], actor: Option<&str>) -> Result<Episode> {
    let (mut before, mut steps) = (Vec::new(), Vec::<Done>::new());
    // By the id of its call, the step that an event was.
    let mut of: HashMap<&str, usize> = HashMap::new();
    for (n, event) in events.iter().enumerate() {
        let odd = |what: &str| Error::new(format!("event {}: {what}", n + 1));
        let kind = event["kind"].as_str().unwrap_or_default();
        let mut seen = |text: &str, steps: &mut Vec<Done>| {
            let call = event["tool_call_id"].as_str().and_then(|call| of.get(call).copied());
            match call.or(steps.len().checked_sub(1)).and_then(|at| steps.get_mut(at)) {
                Some(done) => done.see(text),
                None => before.push(text.to_string()),
            }
        };
        match kind {
            "MessageEvent" => {
                let text = text_of(&event["llm_message"]["content"]);
                if event["source"] == "agent" {
                    steps.push(Done { action: text, ..Done::default() });
                } else {
                    seen(&text, &mut steps);
                }
            }
            "ActionEvent" => {
                let name = event["tool_name"].as_str().ok_or_else(|| odd("a call of no tool"))?;
                if let Some(call) = event["tool_call_id"].as_str() {
                    of.insert(call, steps.len());
                }
                let thought = Some(text_of(&event["thought"])).filter(|text| !text.is_empty());
                let thought = thought.or_else(|| event["reasoning_content"].as_str().map(Into::into));
                steps.push(Done { action: called(name, event), thought, ..Done::default() });
            }
            "ObservationEvent" => {
                let observed = &event["observation"];
                let told = ["content", "output", "error"].iter().find_map(|field| {
                    Some(text_of(&observed[*field])).filter(|text| !text.is_empty())
                });
                seen(&told.unwrap_or_default(), &mut steps);
            }
            "AgentErrorEvent" => seen(&text_of(&event["error"]), &mut steps),
            "UserRejectObservation" => {
                let why = event["rejection_reason"].as_str().unwrap_or_default();
                seen(&format!("Action rejected: {why}"), &mut steps);
            }
            _ if BESIDE.contains(&kind) => {}
            _ => {
                return Err(odd(&format!("`{kind}` is no kind of OpenHands' SDK that is known here"))
                    .hint("take it out of the file, if nothing is done in it"));
            }
        }
    }
    let (task, observation) = opening(&before.join("\n\n"));
    let actor = actor.unwrap_or("openhands").to_string();
    Ok(Episode { format: "openhands", actor, task, observation, steps, ..Episode::default() })
}

/// A call as it is typed: what was executed, or where nothing was what was asked for.
fn called(name: &str, event: &Value) -> String {
    let mut arguments = match (&event["action"], &event["tool_call"]["arguments"]) {
        (Value::Object(action), _) => Value::Object(action.clone()),
        (_, Value::String(text)) => serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into()),
        (_, other) => other.clone(),
    };
    if let Value::Object(fields) = &mut arguments {
        fields.retain(|name, value| !SAID_OF_IT.contains(&name.as_str()) && !value.is_null());
        // A terminal's settings that are as usual say nothing.
        let set = |value: &Value| *value != Value::Bool(false);
        fields.retain(|_, value| !TERMINALS.contains(&name) || set(value));
    }
    typed(name, &arguments, &TERMINALS)
}
