//! Conversations: chat messages (OpenAI, TRL, LLaMA-Factory), ShareGPT with AgentGym's marks, ETO's lists.
//!
//! What the assistant says is an action: by a call of a tool, in `<action></action>`, after
//! `Action:`, or all of it. What stands before the first one is the task; what it is told after one
//! is what was seen.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::episode::{Done, Episode};
use crate::agent::prompt::Questions;
use crate::budget;
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
    fn agrees(&self) -> Result<bool> {
        let said = self.text.trim().to_lowercase();
        let agrees = ["ok", "ok.", "okay", "okay.", "i understand.", "understood."];
        Ok(self.is_context()? || agrees.contains(&said.as_str()))
    }

    /// Whether it says of itself that it is not to be trained on.
    fn is_context(&self) -> Result<bool> {
        for field in IN_PART {
            if !list(self.message, field)?.is_empty() {
                let what = format!("{field}: an answer that is learnt in part");
                return Err(Error::new(what).hint("mark the whole answer: training true or false"));
            }
        }
        for field in LEARNT {
            if number(self.message, field)? == Some(0.0) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What was thought, and done.
    fn act(&self) -> Result<(Option<String>, String)> {
        let calls = list(self.message, "tool_calls")?;
        let old = self.message.get("function_call").filter(|call| !call.is_null());
        let calls = calls.iter().chain(old).map(called).collect::<Result<Vec<String>>>()?;
        let text = self.text.trim();
        // A thought may go on until the call.
        let unended = text.strip_prefix(THINK.0).filter(|inner| !inner.contains(THINK.1));
        let (thought, said) = match unended.filter(|_| !calls.is_empty()) {
            Some(inner) => (inner.trim(), ""),
            None => thought_apart(text)?,
        };
        let (before, action) = if !calls.is_empty() {
            (said, calls.join("\n"))
        } else if let Some(action) = said.strip_prefix(DO.0) {
            ("", marked(action)?.to_string())
        } else if let Some(at) = action_at(said) {
            (&said[..at], said[at + ACTION.len()..].trim().to_string())
        } else if let Some((before, action)) = said.split_once(DO.0)
            && action.ends_with(DO.1)
        {
            (before, marked(action)?.to_string())
        } else {
            ("", said.to_string())
        };
        if action.is_empty() {
            return Err(Error::new("the assistant does nothing in it"));
        }
        // Some models are given the beginning of a thought, and write its end.
        let before = before.trim();
        let before = before.strip_suffix(THINK.1).unwrap_or(before);
        let before = before.trim_start_matches("Thought:").trim();
        let apart = REASONING.iter().filter_map(|field| self.message[*field].as_str());
        let apart = apart.map(str::trim).find(|text| !text.is_empty()).unwrap_or_default();
        let apart = if thought.contains(apart) { "" } else { apart };
        let thought = [apart, thought, before].into_iter().filter(|text| !text.is_empty());
        let thought = thought.collect::<Vec<_>>().join("\n");
        Ok(((!thought.is_empty()).then_some(thought), action))
    }
}

/// Fields of an answer that say whether it is learnt: AgentGym's, OpenAI's, axolotl's.
const LEARNT: [&str; 4] = ["loss", "weight", "training", "train"];

/// Those that say it of parts of one (axolotl's).
const IN_PART: [&str; 2] = ["training_detail", "train_detail"];

/// Fields of an answer in which some servers say what was thought.
const REASONING: [&str; 2] = ["reasoning_content", "reasoning"];

/// What stands around a thought and an action in this program's exports and the authors' layout.
const THINK: (&str, &str) = ("<think>", "</think>");
const DO: (&str, &str) = ("<action>", "</action>");

/// The thought that an answer begins with, where it is marked as one, and the rest.
fn thought_apart(said: &str) -> Result<(&str, &str)> {
    let Some(inner) = said.strip_prefix(THINK.0) else { return Ok(("", said)) };
    let after = |at: usize| inner[at + THINK.1.len()..].trim_start();
    let mut ends = inner.match_indices(THINK.1).map(|(at, _)| at);
    let first = ends.clone().next();
    // A thought may say the word too.
    let Some(end) = ends.find(|at| after(*at).starts_with(DO.0)).or(first) else {
        return Err(Error::new("a <think> that does not end: nothing is done after it")
            .hint("leave out answers that were cut off"));
    };
    Ok((inner[..end].trim(), after(end)))
}

/// The one action that a mark begins.
fn marked(rest: &str) -> Result<&str> {
    let Some(action) = rest.strip_suffix(DO.1) else {
        return Err(Error::new("an <action> that does not end, or not with the answer")
            .hint("an answer ends with its one </action>"));
    };
    // An action may have the marks in itself, as long as they belong together.
    let mut open = 0_i64;
    for (at, _) in action.match_indices(&DO.0[1..]) {
        match &action[..at] {
            before if before.ends_with("</") => open -= 1,
            before if before.ends_with('<') => open += 1,
            _ => {}
        }
        if open < 0 {
            return Err(Error::new("an answer with more than one <action>")
                .hint("write each action as an answer of its own"));
        }
    }
    Ok(action.trim())
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

/// A field of a kind, or not there; another is refused by name.
pub(super) fn field<T: DeserializeOwned>(of: &Value, name: &str) -> Result<Option<T>> {
    let value = of.get(name).filter(|value| !value.is_null());
    let read = |value| T::deserialize(value).map_err(|e| Error::new(format!("{name}: {e}")));
    value.map(read).transpose()
}

/// A field that is a number or says yes or no, or not there.
pub(super) fn number(of: &Value, field: &str) -> Result<Option<f64>> {
    match of.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(said)) => Ok(Some(f64::from(u8::from(*said)))),
        Some(Value::Number(number)) => Ok(number.as_f64()),
        Some(other) => {
            Err(Error::new(format!("{field}: {other} is no number, and neither true nor false")))
        }
    }
}

/// A call as it is typed: the text of its only argument, or its name and arguments.
fn called(call: &Value) -> Result<String> {
    let function = call.get("function").filter(|function| function.is_object()).unwrap_or(call);
    let name = function["name"].as_str().or_else(|| call["function"].as_str()).unwrap_or_default();
    let arguments = match &function["arguments"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or(Value::String(text.clone())),
        other => other.clone(),
    };
    if name.is_empty() {
        return Err(Error::new("a call of a tool without its name"));
    }
    Ok(typed(name, &arguments, &["act", "action", "command", "execute", "step"]))
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
    // What this program asks of a world model; a person may have asked it in other words.
    let foretells = Questions::default().predict;
    for (n, message) in messages.iter().enumerate() {
        budget::cancel().check()?;
        let turn = Turn::of(message).map_err(place(n))?;
        match turn.role {
            "system" if turn.text.trim() == foretells => {
                let what = "an example of world modelling: its answer was seen, and not done";
                return Err(place(n)(
                    Error::new(what)
                        .hint("export --set trajectories: they come back with all that was seen"),
                ));
            }
            "system" => system.push(turn.text),
            "assistant" if steps.is_empty() && turn.agrees().map_err(place(n))? => {}
            "assistant" => {
                if turn.is_context().map_err(place(n))? {
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
