//! Traces of every form, and what is no trace.

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
    json!({"name": "chat m", "context": {"trace_id": trace, "span_id": start.to_string()}, "start_time": start,
        "attributes": {"gen_ai.operation.name": "chat", "gen_ai.response.model": "m",
            "gen_ai.input.messages": input.to_string(), "gen_ai.output.messages": output.to_string()}})
}

const GAME: &str = "You are in a room. You see a desk 1.\n\nYour task is to: look at a mug.";

fn lines(spans: &[Value]) -> String {
    spans.iter().map(|span| format!("{span}\n")).collect()
}

#[test]
fn the_calls_of_a_trace_are_one_episode_and_what_was_thought_stays() {
    let first = json!([text("system", "Play."), text("user", GAME)]);
    let thoughtful = call(Some("A desk."), "go to desk 1");
    // What is sent back is the answer without what was thought; arguments may come as a text.
    let mut echo = call(None, "go to desk 1");
    echo["parts"][0]["arguments"] = json!({"command": "go to desk 1"}).to_string().into();
    let then = json!([first[0], first[1], echo, seen("go to desk 1", "You see a mug 1.")]);
    let tool = json!({"name": "execute_tool act", "context": {"trace_id": "t"}, "attributes": {"gen_ai.operation.name": "execute_tool"}});
    let worth = json!({"name": "reward", "context": {"trace_id": "t"}, "attributes": {"agentlightning.reward.0.value": 1.0}});
    let agent = json!({"name": "invoke_agent", "context": {"trace_id": "t"}, "attributes": {"gen_ai.operation.name": "invoke_agent",
        "gen_ai.input.messages": [text("user", GAME)], "gen_ai.output.messages": [text("assistant", "Done.")]}});
    let after = span("t", 20, &then, &json!([call(None, "take mug 1")]));
    let before = span("t", 9, &first, &json!([thoughtful]));
    // In whatever order they were written.
    let all = [after, tool.clone(), worth, before, agent];
    let found = records(&lines(&all)).unwrap();
    assert_eq!(found.len(), 1);
    let Record { trajectory, origin, .. } = &found[0];
    assert_eq!(
        told(&found[0]),
        [(Some("A desk."), "go to desk 1", "You see a mug 1."), (None, "take mug 1", "")]
    );
    assert_eq!((trajectory.suite.as_str(), trajectory.task_id.as_str()), ("otel", "t"));
    assert_eq!((trajectory.actor.as_str(), trajectory.task.as_str()), ("m", "look at a mug."));
    assert!(trajectory.success());
    let source: Value = serde_json::from_str(&origin.as_ref().unwrap().source).unwrap();
    assert!(all.iter().all(|span| source["spans"].as_array().unwrap().contains(span)), "{source}");
}

#[test]
fn what_does_not_go_on_is_an_episode_of_its_own() {
    let asked = json!([text("user", GAME)]);
    let went = |command: &str| json!([asked[0], call(None, command), seen(command, "Seen.")]);
    let answer = |command: &str| json!([call(None, command)]);
    let spans = [
        span("t", 1, &asked, &answer("go")),
        span("t", 2, &went("go"), &answer("take")),
        // Asked once more, and another conversation of that trace.
        span("t", 3, &asked, &answer("wait")),
        span("t", 4, &json!([text("user", "Sum up.")]), &json!([text("assistant", "It went.")])),
        span("u", 1, &asked, &answer("go")),
    ];
    let found = records(&lines(&spans)).unwrap();
    let all: Vec<(&str, usize)> = found
        .iter()
        .map(|record| (record.trajectory.task_id.as_str(), record.trajectory.steps.len()))
        .collect();
    assert_eq!(all, [("t 1", 2), ("t 2", 1), ("t 3", 1), ("u", 1)]);
    // Nothing says what it came to.
    assert!(found.iter().all(|record| !record.trajectory.success()));
    // Of several answers the one that was gone on from was taken; at the end nobody says which.
    let both = json!([call(None, "wait"), call(None, "go")]);
    let spans = [span("t", 1, &asked, &both), span("t", 2, &went("go"), &answer("take"))];
    assert_eq!(told(&records(&lines(&spans)).unwrap()[0])[0].1, "go");
    let error = records(&lines(&spans[..1])).unwrap_err().to_string();
    assert!(error.contains("2 answers") && error.contains("traces.jsonl"), "{error}");
}

#[test]
fn a_call_may_say_what_it_goes_on_from_and_send_only_what_is_new() {
    let named = |at: u64, own: &str, before: Option<&str>, input: Value, output: Value| {
        let mut span = span("t", at, &input, &output);
        span["attributes"]["gen_ai.response.id"] = own.into();
        let told = json!([{"type": "text", "content": "Play."}]);
        span["attributes"]["gen_ai.system_instructions"] = told.to_string().into();
        if let Some(before) = before {
            span["attributes"]["gen_ai.request.previous_response.id"] = before.into();
        }
        span
    };
    let first = named(1, "r1", None, json!([text("user", GAME)]), json!([call(None, "go")]));
    let next =
        named(2, "r2", Some("r1"), json!([seen("go", "A mug.")]), json!([call(None, "take")]));
    let found = records(&lines(&[first, next.clone()])).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(told(&found[0]), [(None, "go", "A mug."), (None, "take", "")]);
    let error = records(&lines(&[next])).unwrap_err().to_string();
    assert!(error.contains("goes on from r1"), "{error}");
}

#[test]
fn otlp_and_numbered_attributes_are_read() {
    let pair = |key: &str, text: &str| json!({"key": key, "value": {"stringValue": text}});
    let part = |kind: &str, said: &str| json!({"kvlistValue": {"values": [pair("type", kind), pair("content", said)]}});
    let message = |role: &str, said: &str| {
        let parts =
            json!({"key": "parts", "value": {"arrayValue": {"values": [part("text", said)]}}});
        json!({"arrayValue": {"values": [{"kvlistValue": {"values": [pair("role", role), parts]}}]}})
    };
    let batch = json!({"resourceSpans": [{"resource": {"attributes": [pair("service.name", "game")]},
        "scopeSpans": [{"spans": [{"name": "chat", "traceId": "ab", "startTimeUnixNano": "17", "attributes": [
            {"key": "gen_ai.input.messages", "value": message("user", GAME)},
            {"key": "gen_ai.output.messages", "value": message("assistant", "Action: look")},
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}}]}]}]}]});
    let found = records(&format!("{batch}\n")).unwrap();
    assert_eq!(told(&found[0]), [(None, "look", "")]);
    let source: Value = serde_json::from_str(&found[0].origin.as_ref().unwrap().source).unwrap();
    let kept = &source["spans"][0];
    assert_eq!(kept["attributes"]["gen_ai.usage.input_tokens"], 12);
    assert_eq!(kept["resource"]["attributes"]["service.name"], "game");
    let old = json!({"name": "openai.chat", "trace_id": "x", "attributes": {
        "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": GAME,
        "gen_ai.prompt.1.role": "assistant", "gen_ai.prompt.1.tool_calls.0.name": "act",
        "gen_ai.prompt.1.tool_calls.0.arguments": "{\"command\": \"look\"}",
        "gen_ai.prompt.2.role": "tool", "gen_ai.prompt.2.content": "A mug.",
        "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "take mug 1"}});
    let found = records(&old.to_string()).unwrap();
    assert_eq!(told(&found[0]), [(None, "look", "A mug."), (None, "take mug 1", "")]);
}

#[test]
fn spans_without_words_or_with_half_of_them_are_refused() {
    let bare = json!({"name": "chat", "attributes": {"gen_ai.operation.name": "chat"}});
    let error = records(&bare.to_string()).unwrap_err();
    assert!(error.to_string().contains("none of them says"), "{error}");
    let cut =
        json!({"name": "chat", "attributes": {"gen_ai.output.messages": "[{\"role\": \"assist"}});
    let error = records(&cut.to_string()).unwrap_err().to_string();
    assert!(error.contains("gen_ai.output.messages: no list"), "{error}");
    let odd = json!({"name": "chat", "attributes": [{"key": "x", "value": {"newValue": 1}}]});
    let error = records(&odd.to_string()).unwrap_err().to_string();
    assert!(error.contains("attribute x") && error.contains("newValue"), "{error}");
}
