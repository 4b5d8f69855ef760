//! Traces of every form, and what is no trace.

mod again;
mod forms;
mod joined;
mod worth;

use serde_json::{Value, json};

use super::super::read;
use crate::error::Result;
use crate::store::Record;

fn records(text: &str) -> Result<Vec<Record>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("traces.jsonl");
    std::fs::write(&path, text).unwrap();
    read(&path, None)
}

/// What was thought, done and seen.
fn told(record: &Record) -> Vec<(Option<&str>, &str, &str)> {
    let thought =
        |t: usize| record.thoughts.iter().find(|one| one.t == t).map(|one| one.text.as_str());
    let steps = record.trajectory.steps.iter().enumerate();
    steps.map(|(t, step)| (thought(t), step.action.as_str(), step.observation.as_str())).collect()
}

fn text(role: &str, said: &str) -> Value {
    json!({"role": role, "parts": [{"type": "text", "content": said}]})
}

/// A call of the tool that acts, thought about or not.
fn call(thought: Option<&str>, command: &str) -> Value {
    let mut parts: Vec<Value> =
        thought.iter().map(|text| json!({"type": "reasoning", "content": text})).collect();
    let arguments = json!({"command": command});
    parts.push(json!({"type": "tool_call", "id": command, "name": "act", "arguments": arguments}));
    json!({"role": "assistant", "parts": parts, "finish_reason": "tool_call"})
}

fn seen(command: &str, said: &str) -> Value {
    json!({"role": "tool", "parts": [{"type": "tool_call_response", "id": command, "response": said}]})
}

fn span(trace: &str, start: u64, input: &Value, output: &Value) -> Value {
    json!({"name": "chat m", "context": {"trace_id": trace}, "start_time": start, "end_time": start as f64 + 0.5,
        "attributes": {"gen_ai.operation.name": "chat", "gen_ai.response.model": "m",
            "gen_ai.input.messages": input.to_string(), "gen_ai.output.messages": output.to_string()}})
}

const GAME: &str = "You are in a room. You see a desk 1.\n\nYour task is to: look at a mug.";

fn lines(spans: &[Value]) -> String {
    spans.iter().map(|span| format!("{span}\n")).collect()
}
