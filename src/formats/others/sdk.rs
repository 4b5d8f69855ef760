//! OpenHands' SDK: the events of a conversation, by their kinds, as its folder has them (`events/event-*.json`)
//! or an evaluation's `history`.

use std::collections::HashMap;

use serde_json::Value;

use super::episode::{Done, Episode};
use super::turns::typed;
use crate::budget;
use crate::error::{Error, Result};
use crate::gateway::opening;

/// Kinds in which something is said, done or seen.
const TOLD: [&str; 5] =
    ["MessageEvent", "ActionEvent", "ObservationEvent", "AgentErrorEvent", "UserRejectObservation"];

/// Kinds in which nothing is done and nothing is seen by the model.
const BESIDE: [&str; 11] = [
    "SystemPromptEvent",
    "Condensation",
    "CondensationRequest",
    "CondensationSummaryEvent",
    "ConversationStateUpdateEvent",
    "ConversationErrorEvent",
    "HookExecutionEvent",
    "InterruptEvent",
    "LLMCompletionLogEvent",
    "PauseEvent",
    "TokenEvent",
];

/// Fields of an event that says, does or sees something.
const TELLING: [&str; 4] = ["llm_message", "tool_call_id", "action", "observation"];

/// What a model says of its call for others, which is not given to the tool.
const SAID_OF_IT: [&str; 2] = ["security_risk", "summary"];

/// Tools that are given what is typed.
const TERMINALS: [&str; 4] = ["execute_bash", "terminal", "bash", "run"];

/// Whether an event is one of the SDK's.
pub fn is_one(event: &Value) -> bool {
    let kind = event["kind"].as_str().unwrap_or_default();
    let dated = ["source", "timestamp"].iter().all(|field| event[*field].is_string());
    TOLD.contains(&kind)
        || BESIDE.contains(&kind)
        || (dated && !kind.is_empty() && event.get("args").is_none())
}

/// The texts of a message; what is no text is said to have been there.
fn text_of(content: &Value) -> String {
    let part = |part: &Value| match (part["text"].as_str(), part["type"].as_str()) {
        (Some(text), _) => text.to_string(),
        (None, kind) => format!("[{}]", kind.unwrap_or("something that is no text")),
    };
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(part).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

/// Reads the events of a conversation. `actor` is who acted, where the file says.
pub fn read(events: &[Value], actor: Option<&str>) -> Result<Episode> {
    let mut told = Told::default();
    for (n, event) in events.iter().enumerate() {
        budget::cancel().check()?;
        told.take(event).map_err(|error| error.at(format!("event {}", n + 1)))?;
    }
    let Told { before, steps, .. } = told;
    let (task, observation) = opening(&before.join("\n\n"));
    let actor = actor.unwrap_or("openhands").to_string();
    Ok(Episode { format: "openhands", actor, task, observation, steps, ..Episode::default() })
}

/// What a conversation came to so far.
#[derive(Default)]
struct Told<'a> {
    before: Vec<String>,
    steps: Vec<Done>,
    /// By the id of its call, the step that an event was.
    calls: HashMap<&'a str, usize>,
}

impl<'a> Told<'a> {
    fn take(&mut self, event: &'a Value) -> Result<()> {
        match event["kind"].as_str().unwrap_or_default() {
            "MessageEvent" => {
                let text = text_of(&event["llm_message"]["content"]);
                if event["source"] != "agent" {
                    return self.see(event, &text);
                }
                if text.trim().is_empty() {
                    return Err(Error::new("the agent says nothing in it"));
                }
                self.steps.push(Done { action: text, ..Done::default() });
            }
            "ActionEvent" => self.act(event)?,
            "ObservationEvent" => {
                let observed = &event["observation"];
                let told = ["content", "output", "error"].iter().find_map(|field| {
                    Some(text_of(&observed[*field])).filter(|text| !text.is_empty())
                });
                self.see(event, &told.unwrap_or_default())?;
            }
            "AgentErrorEvent" => self.see(event, &text_of(&event["error"]))?,
            "UserRejectObservation" => {
                let why = event["rejection_reason"].as_str().unwrap_or_default();
                self.see(event, &format!("Action rejected: {why}"))?;
            }
            kind if BESIDE.contains(&kind) => {}
            // A kind that came later, in which nothing is said, done or seen.
            _ if TELLING.iter().all(|field| event.get(field).is_none()) => {}
            kind => {
                return Err(Error::new(format!(
                    "`{kind}` is no kind of OpenHands' SDK that is known here"
                ))
                .hint("ATIF, or messages of the same conversation, can be read"));
            }
        }
        Ok(())
    }

    fn act(&mut self, event: &'a Value) -> Result<()> {
        let name = event["tool_name"].as_str().ok_or_else(|| Error::new("a call of no tool"))?;
        if let Some(call) = event["tool_call_id"].as_str()
            && self.calls.insert(call, self.steps.len()).is_some()
        {
            return Err(Error::new(format!("`{call}` is the id of two calls")));
        }
        let thought = Some(text_of(&event["thought"])).filter(|text| !text.is_empty());
        let thought = thought.or_else(|| event["reasoning_content"].as_str().map(Into::into));
        self.steps.push(Done { action: called(name, event), thought, ..Done::default() });
        Ok(())
    }

    /// What is seen: of the call that it answers, else of the last step.
    fn see(&mut self, event: &Value, text: &str) -> Result<()> {
        let at = match event["tool_call_id"].as_str() {
            Some(call) => Some(*self.calls.get(call).ok_or_else(|| {
                Error::new(format!("it answers the call `{call}`, which was not made before it"))
            })?),
            None => self.steps.len().checked_sub(1),
        };
        match at.and_then(|at| self.steps.get_mut(at)) {
            Some(done) => done.see(text),
            None => self.before.push(text.to_string()),
        }
        Ok(())
    }
}

/// A call as it is typed: what was executed, or where nothing was what was asked for.
fn called(name: &str, event: &Value) -> String {
    // What was executed has its class beside what the tool was given.
    let executed = event["action"].is_object();
    let mut arguments = match (&event["action"], &event["tool_call"]["arguments"]) {
        (Value::Object(action), _) => Value::Object(action.clone()),
        (_, Value::String(text)) => {
            serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into())
        }
        (_, other) => other.clone(),
    };
    if let Value::Object(fields) = &mut arguments {
        let apart = |name: &str| if executed { name == "kind" } else { SAID_OF_IT.contains(&name) };
        fields.retain(|name, value| !apart(name) && !value.is_null());
        // A terminal's settings that are as usual say nothing.
        let set = |value: &Value| *value != Value::Bool(false);
        fields.retain(|_, value| !TERMINALS.contains(&name) || set(value));
    }
    typed(name, &arguments, &TERMINALS)
}
