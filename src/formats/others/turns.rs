//! Conversations: chat messages (OpenAI, TRL, LLaMA-Factory), ShareGPT with AgentGym's marks, ETO's lists.
//!
//! What the assistant says is an action: by a call of a tool, after `Action:`, or all of it. What
//! stands before the first one is the task; what it is told after one is what was seen.

use serde_json::Value;

use super::episode::{Done, Episode};
use crate::error::{Error, Result};
use crate::gateway::opening;

/// A message: who says it, and what.
struct Turn<'a> {
    role: &'a str,
    text: String,
    message: &'a Value,
}

/// The text of a message, whatever the field is called; parts that are no text count as they are.
pub(super) fn text_of(content: &Value) -> String {
    match content {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let part = |part: &Value| match part["text"].as_str() {
                Some(text) => text.to_string(),
                None => part.to_string(),
            };
            parts.iter().map(part).collect::<Vec<_>>().join("\n")
        }
        other => other.to_string(),
    }
}

impl<'a> Turn<'a> {
    fn of(message: &'a Value) -> Result<Self> {
        let role = message.get("role").or_else(|| message.get("from")).and_then(Value::as_str);
        let role = match role {
            Some("assistant" | "gpt" | "model" | "bot" | "function_call") => "assistant",
            Some("user" | "human") => "user",
            Some("system" | "developer") => "system",
            Some("tool" | "function" | "observation" | "function_response") => "tool",
            Some(other) => return Err(Error::new(format!("a message of `{other}`"))),
            None => return Err(Error::new("a message of nobody: no role and no from")),
        };
        let content = message.get("content").or_else(|| message.get("value"));
        Ok(Self { role, text: text_of(content.unwrap_or(&Value::Null)), message })
    }

    /// Whether a harness has the assistant only agree, before anything is done.
    fn agrees(&self) -> bool {
        let said = self.text.trim().to_lowercase();
        let agrees = ["ok", "ok.", "okay", "okay.", "i understand.", "understood."];
        self.is_context() || agrees.contains(&said.as_str())
    }

    /// Whether it says of itself that it is not to be trained on.
    fn is_context(&self) -> bool {
        self.message["loss"] == Value::Bool(false) || self.message["weight"].as_f64() == Some(0.0)
    }

    /// What was thought, and done.
    fn act(&self) -> Result<(Option<String>, String)> {
        let said = self.text.trim();
        let thought = |text: &str| {
            let text = text.trim().trim_start_matches("Thought:").trim();
            (!text.is_empty()).then(|| text.to_string())
        };
        let calls = list(self.message, "tool_calls")?;
        let old = self.message.get("function_call").filter(|call| !call.is_null());
        let calls: Vec<String> = calls.iter().chain(old).map(called).collect();
        let (thought, action) = if !calls.is_empty() {
            (thought(said), calls.join("\n"))
        } else if let Some(at) = action_at(said) {
            (thought(&said[..at]), said[at + ACTION.len()..].trim().to_string())
        } else {
            (None, said.to_string())
        };
        if action.is_empty() {
            return Err(Error::new("the assistant does nothing in it"));
        }
        Ok((thought, action))
    }
}

/// What stands before an action that is written.
const ACTION: &str = "Action:";

/// Where the last line begins that says an action: a text within an action may say the word too.
fn action_at(said: &str) -> Option<usize> {
    let mut starts = said.match_indices('\n').map(|(at, _)| at + 1).rev().chain([0]);
    starts.find(|at| said[*at..].starts_with(ACTION))
}

/// A field that is a list, or not there.
pub(super) fn list<'a>(of: &'a Value, field: &str) -> Result<&'a [Value]> {
    match of.get(field) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(all)) => Ok(all),
        Some(_) => Err(Error::new(format!("{field}: no list"))),
    }
}

/// A field that is a number or says yes or no, or not there.
fn number(of: &Value, field: &str) -> Result<Option<f64>> {
    match of.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(said)) => Ok(Some(f64::from(u8::from(*said)))),
        Some(Value::Number(number)) => Ok(number.as_f64()),
        Some(other) => Err(Error::new(format!("{field}: {other} is no number"))),
    }
}

/// A call as it is typed: the text of its only argument, or its name and arguments.
fn called(call: &Value) -> String {
    let function = call.get("function").filter(|function| function.is_object()).unwrap_or(call);
    let name = function["name"].as_str().or_else(|| call["function"].as_str()).unwrap_or_default();
    let arguments = match &function["arguments"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or(Value::String(text.clone())),
        other => other.clone(),
    };
    typed(name, &arguments, &["act", "action", "command", "execute", "step"])
}

/// A call of a tool as it is typed; of one by which actions are sent, the only text that it is given.
pub(super) fn typed(name: &str, arguments: &Value, acting: &[&str]) -> String {
    let only = arguments.as_object().filter(|all| all.len() == 1);
    let text = only.and_then(|all| all.values().next()).and_then(Value::as_str);
    match text.filter(|_| acting.contains(&name)) {
        Some(text) => text.to_string(),
        None => format!("{name} {arguments}"),
    }
}

/// A conversation as an episode.
pub fn read(format: &'static str, messages: &[Value], tools: Option<&str>) -> Result<Episode> {
    let (mut before, mut system) = (Vec::new(), Vec::new());
    let place = |n: usize| move |error: Error| error.at(format!("message {}", n + 1));
    let mut steps: Vec<Done> = Vec::new();
    for (n, message) in messages.iter().enumerate() {
        let turn = Turn::of(message).map_err(place(n))?;
        match turn.role {
            "system" => system.push(turn.text),
            "assistant" if steps.is_empty() && turn.agrees() => {}
            "assistant" => {
                if turn.is_context() {
                    let what = "an answer that is not to be trained on, after others that are";
                    return Err(place(n)(Error::new(what)));
                }
                let (thought, action) = turn.act().map_err(place(n))?;
                steps.push(Done { action, thought, ..Done::default() });
            }
            _ => match steps.last_mut() {
                None => before.push(turn.text),
                Some(done) => {
                    let seen = turn.text.trim();
                    done.see(seen.strip_prefix("Observation:").unwrap_or(seen).trim());
                }
            },
        }
    }
    let said = if before.is_empty() { &system } else { &before };
    let (task, observation) = opening(&said.join("\n\n"));
    let actor = tools.unwrap_or(format).to_string();
    // A file of examples is one of what is to be done.
    Ok(Episode { format, actor, task, observation, steps, success: true, ..Episode::default() })
}

/// An item with its conversation in a field.
pub fn item(format: &'static str, item: &Value, field: &str) -> Result<Episode> {
    let messages = item[field].as_array().map_or(&[][..], Vec::as_slice);
    let name = |field: &str| match &item[field] {
        Value::String(name) => Some(name.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let id = ["item_id", "id", "task_id", "session_id"].iter().find_map(|field| name(field));
    let id = id.filter(|id| !id.trim().is_empty());
    let mut reward = None;
    for place in [item, &item["metadata"], &item["extra"]] {
        for field in ["reward", "rewards", "score", "success", "resolved"] {
            reward = reward.or(number(place, field)?);
        }
    }
    let episode = read(format, messages, None)?;
    let success = reward.map_or(episode.success, |reward| reward >= 1.0);
    Ok(Episode { id, success, reward, ..episode })
}

/// A prompt and what was to be said then, each a text or messages.
pub fn pair(item: &Value) -> Result<Episode> {
    let as_messages = |value: &Value, role: &str| match value {
        Value::Array(messages) => messages.clone(),
        other => vec![serde_json::json!({"role": role, "content": text_of(other)})],
    };
    let mut all = as_messages(&item["prompt"], "user");
    all.extend(as_messages(&item["completion"], "assistant"));
    read("prompt-completion", &all, None)
}
