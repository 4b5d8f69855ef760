//! Messages of spans as those of chat, and what they say however it is written.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::attributes::Span;
use super::plain::is_thought;
use crate::error::{Error, Result};
use crate::formats::others::turns::{list, text_of};

/// What a call was asked, and what was answered.
pub(super) struct Said {
    /// What was said beside the conversation: a clock in it makes no other one.
    pub system: Vec<Value>,
    /// The conversation up to it.
    pub asked: Vec<Value>,
    /// The answer.
    pub answer: Value,
}

/// What a call says, as chat messages; nothing of one whose answer is empty.
pub(super) fn said(call: &Span) -> Result<Option<Said>> {
    let told = call.instructions()?;
    let told = (!told.is_empty()).then(|| json!({"role": "system", "parts": told}));
    let (mut system, mut asked, mut answer) = (Vec::new(), Vec::new(), Vec::new());
    for message in call.messages("output")? {
        answer.extend(chat(&message, "assistant")?);
    }
    let answer = answer.into_iter().reduce(|first, next| both(first, &next));
    let Some(answer) = answer.filter(|answer| !is_empty(answer)) else { return Ok(None) };
    for message in told.iter().chain(&call.messages("input")?) {
        for one in chat(message, "user")? {
            match asked.pop_if(|last| role(last) == "assistant" && role(&one) == "assistant") {
                Some(last) => asked.push(both(last, &one)),
                None if role(&one) == "system" => system.push(one),
                // Nothing was done by it.
                None if role(&one) == "assistant" && is_empty(&one) => {}
                None => asked.push(one),
            }
        }
    }
    if asked.is_empty() && system.is_empty() {
        return Err(Error::new("a call of which is not said what was asked").hint(
            "gen_ai.input.messages is written where gen_ai.output.messages is, unless it was taken out",
        ));
    }
    Ok(Some(Said { system, asked, answer }))
}

/// Whether a message says and calls nothing.
fn is_empty(of: &Value) -> bool {
    let calls = of["tool_calls"].as_array().is_some_and(|calls| !calls.is_empty());
    !calls && text_of(&of["content"]).trim().is_empty()
}

/// Two messages of one answer as one: what was thought, what was said, what was called.
fn both(mut first: Value, next: &Value) -> Value {
    for field in ["content", "reasoning"] {
        let texts = [&first[field], &next[field]].map(text_of);
        let texts = texts.iter().map(String::as_str).filter(|text| !text.is_empty());
        first[field] = texts.collect::<Vec<_>>().join("\n").into();
    }
    let calls = [&first["tool_calls"], &next["tool_calls"]];
    let calls = calls.iter().filter_map(|of| of.as_array()).flatten();
    first["tool_calls"] = calls.cloned().collect::<Vec<_>>().into();
    first
}

/// The parts of a message: its own, or those that its content is the JSON of (Anthropic's blocks).
fn parts(message: &Value) -> Result<Option<Vec<Value>>> {
    if message.get("parts").is_some_and(|parts| !parts.is_null()) {
        return Ok(Some(list(message, "parts")?.to_vec()));
    }
    let inner = match &message["content"] {
        Value::Array(all) => Some(all.clone()),
        // What a tool said may look like them.
        Value::String(text) if text.trim_start().starts_with("[{") && role(message) != "tool" => {
            serde_json::from_str(text).ok()
        }
        _ => None,
    };
    let known =
        ["text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking"];
    let is_known = |part: &Value| part["type"].as_str().is_some_and(|kind| known.contains(&kind));
    Ok(inner.filter(|all: &Vec<Value>| all.iter().all(is_known)))
}

/// A message of parts as one of chat; what several tools said is as many messages.
fn chat(message: &Value, usual: &str) -> Result<Vec<Value>> {
    if !message.is_object() {
        return Err(Error::new("a message that is no object"));
    }
    if is_thought(message) {
        let thought = text_of(&message["content"]);
        return Ok(vec![json!({"role": "assistant", "content": "", "reasoning": thought})]);
    }
    let who = message["role"].as_str().unwrap_or(usual);
    let (mut thought, mut said, mut told) = (vec![], vec![], vec![]);
    let mut calls = list(message, "tool_calls")?.to_vec();
    let old = message.get("function_call").filter(|call| !call.is_null());
    calls.extend(old.cloned());
    let Some(parts) = parts(message)? else {
        let mut plain = message.clone();
        if let Value::Object(fields) = &mut plain {
            fields.insert("role".into(), who.into());
            fields.insert("tool_calls".into(), calls.into());
            fields.remove("function_call");
        }
        return Ok(vec![plain]);
    };
    for part in parts {
        let of =
            |keys: [&str; 2]| keys.iter().find_map(|key| part.get(*key)).unwrap_or(&Value::Null);
        match part["type"].as_str() {
            Some("text") => said.push(text_of(of(["content", "text"]))),
            Some("reasoning" | "thinking") => thought.push(text_of(of(["content", "thinking"]))),
            // Some write it twice.
            Some("tool_call" | "tool_use") if calls.iter().any(|call| is_named(call, &part)) => {}
            Some("tool_call" | "tool_use") => {
                let arguments = read(of(["arguments", "input"]));
                calls.push(json!({"id": part["id"], "name": part["name"], "arguments": arguments}));
            }
            // What a server's own tool said is a part of the answer.
            Some("tool_call_response") if who != "assistant" => {
                told.push(text_of(of(["response", "result"])));
            }
            Some("tool_result") => told.push(text_of(of(["content", "result"]))),
            // What is no text counts as it is.
            _ => said.push(part.to_string()),
        }
    }
    let tool = |text: String| json!({"role": "tool", "content": text});
    let mut found: Vec<Value> = told.into_iter().map(tool).collect();
    if !(said.is_empty() && calls.is_empty() && thought.is_empty()) || found.is_empty() {
        let mut one = json!({"role": who, "content": said.join("\n")});
        if !thought.is_empty() {
            one["reasoning"] = thought.join("\n").into();
        }
        if !calls.is_empty() {
            one["tool_calls"] = calls.into();
        }
        found.push(one);
    }
    Ok(found)
}

/// Whether a call has the id of a part.
fn is_named(call: &Value, part: &Value) -> bool {
    part["id"].is_string() && call["id"] == part["id"]
}

/// Arguments that are a text of JSON, as that; none are no fields.
fn read(arguments: &Value) -> Value {
    let inner = arguments.as_str().and_then(|text| serde_json::from_str(text).ok());
    match inner.unwrap_or_else(|| arguments.clone()) {
        Value::Null => json!({}),
        Value::String(text) if text.is_empty() => json!({}),
        other => other,
    }
}

/// Who says a message, however they are called.
pub(super) fn role(of: &Value) -> &str {
    match of["role"].as_str().unwrap_or_default() {
        "developer" => "system",
        "human" => "user",
        "model" | "bot" | "ai" => "assistant",
        "function" => "tool",
        other => other,
    }
}

/// What a message says, as a number: the same for messages that say the same, however they were written
/// (in parts or joined, with what was thought or without, a number as `1` or `1.0`).
pub(super) fn key(of: &Value) -> u64 {
    let mut to = DefaultHasher::new();
    role(of).hash(&mut to);
    let text = text_of(&of["content"]);
    let text = text.trim_start();
    let said = text.strip_prefix("<think>").and_then(|rest| rest.split_once("</think>"));
    for word in said.map_or(text, |(_, said)| said).split_whitespace() {
        word.hash(&mut to);
    }
    for call in of["tool_calls"].as_array().into_iter().flatten() {
        let call = call.get("function").filter(|inner| inner.is_object()).unwrap_or(call);
        call["name"].as_str().hash(&mut to);
        value(&read(&call["arguments"]), &mut to);
    }
    to.finish()
}

fn value(of: &Value, to: &mut DefaultHasher) {
    match of {
        Value::Number(number) => number.as_f64().unwrap_or_default().to_bits().hash(to),
        Value::Array(all) => {
            all.len().hash(to);
            for one in all {
                value(one, to);
            }
        }
        Value::Object(fields) => {
            // In whatever order they stand.
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            fields.len().hash(to);
            for (name, inner) in fields {
                name.hash(to);
                value(inner, to);
            }
        }
        other => other.to_string().hash(to),
    }
}
