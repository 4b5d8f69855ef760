//! A conversation read as the state of an episode: what the task is, what was seen, what was done.
//!
//! An agent that plays through a tool of one text (`act(command)`) calls it with its action and is
//! given the observation; one without tools writes `Action: …` and is told the observation by the
//! user. Both are what [`crate::experience::State`] holds, so that every mind of this program can
//! answer, and what was played can be learnt from.

use std::collections::VecDeque;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::said::{arguments, text_of};
use crate::experience::State;

/// How an action is said in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saying {
    /// By calling this tool with the action in this field.
    Tool(String, String),
    /// As a line `Action: …`.
    Text,
    /// Not at all: without tools and without being told to act, one only thinks.
    Nothing,
}

/// A conversation, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Task, first observation, and what was done and seen since.
    pub state: State,
    /// How an action is said.
    pub saying: Saying,
    /// Whether the last thing seen says that the episode is over.
    pub over: bool,
    /// An action that was said and of which nothing is seen yet.
    pub open: Option<String>,
}

fn regex(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

static TASK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(r"(?im)^[^\S\n]*your (?:task is(?: to)?|errand|task):?[^\S\n]*(\S[^\n]*)$")
});
static OVER: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"(?im)^[^\S\n]*(?:the game is over|you won|\*\*\* the end)[^\n]*$"));
static ACTION: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"(?m)^[^\S\n]*Action:[^\S\n]*(\S[^\n]*)$"));

/// The tools by which an agent may act: those that take one text. What ends an agent's work
/// (`final_answer`) is none.
pub(super) fn acting_tools(tools: &[Value]) -> Vec<(String, String)> {
    let one_text = |tool: &Value| {
        let function = &tool["function"];
        let name = function["name"].as_str().filter(|name| *name != FINAL)?;
        let fields = function["parameters"]["properties"].as_object()?;
        let (field, about) = fields.iter().next().filter(|_| fields.len() == 1)?;
        (about["type"] == "string").then(|| (name.to_string(), field.clone()))
    };
    tools.iter().filter_map(one_text).collect()
}

/// The tool by which some agents end their work.
pub(super) const FINAL: &str = "final_answer";

/// The actions that a message of the assistant says.
fn actions(message: &Value, saying: &Saying, in_words: &InWords) -> Vec<String> {
    let text = text_of(&message["content"]);
    match saying {
        Saying::Nothing => Vec::new(),
        Saying::Text => ACTION
            .as_ref()
            .and_then(|action| action.captures_iter(&text).last())
            .map(|found| found[1].trim().to_string())
            .into_iter()
            .collect(),
        Saying::Tool(name, field) => {
            let calls = message["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
            let called = calls.iter().filter(|call| call["function"]["name"] == name.as_str());
            let said =
                called.filter_map(|call| arguments(call)[field].as_str().map(str::to_string));
            let said: Vec<String> = said.collect();
            // Some harnesses tell the model of its calls in words.
            if said.is_empty() { in_words.find(&text).into_iter().collect() } else { said }
        }
    }
}

/// How a call stands in a text: the tool's name, and then the field beside its value, in either kind of
/// quotation marks. Made once a conversation.
struct InWords([Option<Regex>; 2]);

impl InWords {
    fn of(saying: &Saying) -> Self {
        let Saying::Tool(name, field) = saying else { return Self([None, None]) };
        let (name, field) = (regex::escape(name), regex::escape(field));
        Self(['\'', '"'].map(|mark| {
            let pattern = format!(
                r"['\x22]{name}['\x22][\s\S]{{0,200}}?['\x22]{field}['\x22]\s*:\s*{mark}([^{mark}\n]*){mark}"
            );
            regex(&pattern)
        }))
    }

    fn find(&self, text: &str) -> Option<String> {
        let found = self.0.iter().flatten().find_map(|pattern| pattern.captures(text));
        found.map(|found| found[1].trim().to_string())
    }
}

/// What a result says, without how a harness introduces it and without what says that all is over.
fn seen(text: &str) -> (String, bool) {
    let text = text.trim();
    let text = text.strip_prefix("Observation:").unwrap_or(text).trim();
    let Some(over) = OVER.as_ref() else { return (text.to_string(), false) };
    (over.replace_all(text, "").trim().to_string(), over.is_match(text))
}

/// What a first message says to do, and what is seen there: the paragraph before the task's. In a
/// state as this program words it (`Task: …`), what stands below the task's paragraph; and what was
/// done since (`> …`) belongs to what is seen.
pub fn opening(text: &str) -> (String, String) {
    let text = text.replace("\r\n", "\n");
    let found = TASK.as_ref().and_then(|task| task.captures(&text));
    let Some(found) = found else {
        let Some(told) = text.trim().strip_prefix("Task:") else {
            return (text.trim().to_string(), String::new());
        };
        let (task, seen) = told.trim_start().split_once("\n\n").unwrap_or((told, ""));
        return (task.trim().to_string(), seen.trim().to_string());
    };
    let whole = found.get(0).map_or(0..0, |line| line.range());
    let (before, after) = (text[..whole.start].trim(), text[whole.end..].trim());
    let seen = before.rsplit("\n\n").next().unwrap_or_default().trim();
    let seen = match seen {
        "" => after.to_string(),
        seen if after.starts_with("> ") => format!("{seen}\n\n{after}"),
        seen => seen.to_string(),
    };
    (found[1].trim().to_string(), seen)
}

/// The state that a conversation stands for.
pub fn state_of(messages: &[Value], tools: &[Value]) -> Reading {
    let role = |message: &Value| message["role"].as_str().unwrap_or_default().to_string();
    let told_to_act = || {
        let told = messages.iter().filter(|message| role(message) != "assistant");
        told.take(3).any(|message| text_of(&message["content"]).contains("Action:"))
    };
    let saying = match acting_tools(tools).into_iter().next() {
        Some((name, field)) => Saying::Tool(name, field),
        None if told_to_act() => Saying::Text,
        None => Saying::Nothing,
    };
    let in_words = InWords::of(&saying);
    let mut state = State::default();
    let (mut waiting, mut over, mut begun) = (VecDeque::<String>::new(), false, false);
    for message in messages {
        match role(message).as_str() {
            "assistant" => {
                waiting.extend(actions(message, &saying, &in_words));
                begun |= !waiting.is_empty();
            }
            "system" | "developer" => {}
            _ if !waiting.is_empty() => {
                let (observation, ended) = seen(&text_of(&message["content"]));
                state.history.extend(waiting.pop_front().map(|action| (action, observation)));
                over = ended;
            }
            "user" if !begun => {
                let text = text_of(&message["content"]);
                if state.task.is_empty() || TASK.as_ref().is_some_and(|task| task.is_match(&text)) {
                    (state.task, state.observation) = opening(&text);
                }
            }
            _ => {}
        }
    }
    let open = waiting.into_iter().next();
    Reading { state, saying, over, open }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const GAME: &str = "Play this game.\n\nYou are in the middle of a room. You see a desk 1.\n\nYour task is to: look at a mug under the desklamp.";

    fn act(id: &str, command: &str) -> Value {
        let arguments = json!({"command": command}).to_string();
        json!({"role": "assistant", "content": null, "tool_calls": [{"id": id, "type": "function", "function": {"name": "act", "arguments": arguments}}]})
    }

    fn tools() -> Vec<Value> {
        let tool = |name: &str, properties: Value| json!({"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": properties}}});
        vec![
            tool("final_answer", json!({"answer": {"type": "string"}})),
            tool("act", json!({"command": {"type": "string"}})),
        ]
    }

    #[test]
    fn a_game_played_through_a_tool_is_a_state() {
        let messages = [
            json!({"role": "system", "content": "You play."}),
            json!({"role": "user", "content": GAME}),
            act("1", "go to desk 1"),
            json!({"role": "tool", "tool_call_id": "1", "content": "On the desk 1, you see a mug 1."}),
            act("2", "take mug 1 from desk 1"),
            json!({"role": "tool", "tool_call_id": "2", "content": "You pick up the mug 1.\nThe game is over: won."}),
        ];
        let read = state_of(&messages, &tools());
        assert_eq!(read.saying, Saying::Tool("act".into(), "command".into()));
        assert_eq!(read.state.task, "look at a mug under the desklamp.");
        assert_eq!(read.state.observation, "You are in the middle of a room. You see a desk 1.");
        assert_eq!(
            read.state.history[1],
            ("take mug 1 from desk 1".into(), "You pick up the mug 1.".into())
        );
        assert!(read.over && !state_of(&messages[..4], &tools()).over);
    }

    #[test]
    fn calls_in_words_and_actions_in_text_are_read_too() {
        let called = "Calling tools:\n[{'id': 'x', 'type': 'function', 'function': {'name': 'act', 'arguments': {'command': 'go to desk 1'}}}]";
        let messages = [
            json!({"role": "user", "content": GAME}),
            json!({"role": "assistant", "content": called}),
            json!({"role": "user", "content": "Observation:\nYou see a mug 1."}),
        ];
        let read = state_of(&messages, &tools());
        assert_eq!(
            read.state.history,
            [("go to desk 1".to_string(), "You see a mug 1.".to_string())]
        );
        let messages = [
            json!({"role": "system", "content": "Answer with a line `Action: …`."}),
            json!({"role": "user", "content": GAME}),
            json!({"role": "assistant", "content": "I go.\nAction: go to desk 1"}),
            json!({"role": "user", "content": "You see a mug 1."}),
        ];
        assert_eq!(state_of(&messages, &[]).state.history.len(), 1);
        assert_eq!(state_of(&messages[1..2], &[]).saying, Saying::Nothing);
    }
    #[test]
    fn a_state_in_the_words_of_this_program_is_its_task_and_what_was_seen() {
        let told = "Task: put a mug on the shelf.\n\nYou see a shelf.\n\n> go\nA mug 1.";
        let (task, seen) = opening(told);
        assert_eq!(task, "put a mug on the shelf.");
        assert_eq!(seen, "You see a shelf.\n\n> go\nA mug 1.");
        assert_eq!(opening("Task: look"), ("look".into(), String::new()));
        assert_eq!(opening("Look around."), ("Look around.".into(), String::new()));
        // As the engine printed it, with what was done since.
        let (task, seen) = opening("You see a desk 1.\n\nYour task is to: look.\n\n> go\nA mug 1.");
        assert_eq!(
            (task.as_str(), seen.as_str()),
            ("look.", "You see a desk 1.\n\n> go\nA mug 1.")
        );
        // What a harness says below the task is not seen.
        let (_, seen) = opening("You see a desk 1.\n\nYour task is to: look.\n\nAnswer in a line.");
        assert_eq!(seen, "You see a desk 1.");
    }
}
