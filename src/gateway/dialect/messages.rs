//! Anthropic's messages: what the system says stands apart, tools are called and answered in blocks.

use serde_json::{Map, Value, json};

use super::{Event, Reply, known, list, parts, renamed};
use crate::gateway::Refused;

const FIELDS: [&str; 17] = [
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "stream",
    "metadata",
    "thinking",
    "service_tier",
    "context_management",
    "output_config",
    "cache_control",
];

pub fn read(body: &Map<String, Value>) -> Result<Map<String, Value>, Refused> {
    known(body, &FIELDS)?;
    let mut said = Vec::new();
    if let Some(system) = body.get("system").filter(|system| !system.is_null()) {
        said.push(json!({"role": "system", "content": parts(system, &["text"])?}));
    }
    for message in list(body, "messages")? {
        turn(&message, &mut said)?;
    }
    let mut read = Map::new();
    read.insert("messages".into(), Value::Array(said));
    let same = [
        ("model", "model"),
        ("max_tokens", "max_tokens"),
        ("temperature", "temperature"),
        ("top_p", "top_p"),
        ("top_k", "top_k"),
        ("stop_sequences", "stop"),
    ];
    renamed(body, &mut read, &same);
    let tools: Vec<Value> = list(body, "tools")?.iter().map(tool).collect::<Result<_, _>>()?;
    if !tools.is_empty() {
        read.insert("tools".into(), Value::Array(tools));
    }
    if let Some(choice) = body.get("tool_choice").filter(|choice| !choice.is_null()) {
        let chosen = match choice["type"].as_str() {
            Some("auto") => json!("auto"),
            Some("any") => json!("required"),
            Some("none") => json!("none"),
            Some("tool") => json!({"type": "function", "function": {"name": choice["name"]}}),
            _ => return Err(Refused::bad("tool_choice: none of auto, any, tool, none")),
        };
        read.insert("tool_choice".into(), chosen);
    }
    Ok(read)
}

fn tool(tool: &Value) -> Result<Value, Refused> {
    if !tool["input_schema"].is_object() {
        return Err(Refused::bad(format!("tools: {} is no tool of the agent's own", tool["name"])));
    }
    let (name, about) = (&tool["name"], &tool["description"]);
    let function = json!({"name": name, "description": about, "parameters": tool["input_schema"]});
    Ok(json!({"type": "function", "function": function}))
}

/// One turn: results of tools become messages of their own.
fn turn(message: &Value, said: &mut Vec<Value>) -> Result<(), Refused> {
    let Some(role @ ("user" | "assistant" | "system")) = message["role"].as_str() else {
        return Err(Refused::bad("messages: a role is neither user nor assistant"));
    };
    let Value::Array(blocks) = &message["content"] else {
        said.push(json!({"role": role, "content": parts(&message["content"], &[])?}));
        return Ok(());
    };
    let (mut rest, mut calls, mut thoughts) = (Vec::new(), Vec::new(), Vec::new());
    for block in blocks {
        match block["type"].as_str() {
            Some("tool_result") => said.push(json!({
                "role": "tool",
                "tool_call_id": block["tool_use_id"],
                "content": parts(&block["content"], &["text"])?,
            })),
            Some("tool_use") => calls.push(json!({
                "id": block["id"],
                "type": "function",
                "function": {"name": block["name"], "arguments": block["input"].to_string()},
            })),
            Some("thinking") => thoughts.push(block["thinking"].as_str().unwrap_or_default()),
            Some("redacted_thinking") => {}
            _ => rest.push(block.clone()),
        }
    }
    if !rest.is_empty() || !calls.is_empty() {
        let mut turn =
            json!({"role": role, "content": parts(&Value::Array(rest.clone()), &["text"])?});
        if rest.is_empty() {
            turn["content"] = Value::Null;
        }
        if !calls.is_empty() {
            turn["tool_calls"] = Value::Array(calls);
        }
        if !thoughts.is_empty() {
            turn["reasoning_content"] = json!(thoughts.join("\n"));
        }
        said.push(turn);
    }
    Ok(())
}

/// Why it ended, in this dialect's words.
fn stop_reason(reply: &Reply<'_>) -> &'static str {
    match reply.answered.finish.as_str() {
        "length" => "max_tokens",
        "tool_calls" => "tool_use",
        _ => "end_turn",
    }
}

fn blocks(reply: &Reply<'_>) -> Vec<Value> {
    let text = reply.speaks().then(|| json!({"type": "text", "text": reply.text()}));
    let calls = reply.tools().iter().map(|call| {
        let arguments = call["function"]["arguments"].as_str().unwrap_or("{}");
        let input: Value = serde_json::from_str(arguments).unwrap_or_else(|_| json!({}));
        json!({"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": input})
    });
    text.into_iter().chain(calls).collect()
}

fn frame(reply: &Reply<'_>, content: &[Value], ended: bool) -> Value {
    let (input, output) = reply.answered.usage;
    json!({
        "id": format!("msg_{}", reply.call),
        "type": "message",
        "role": "assistant",
        "model": reply.asked.model,
        "content": content,
        "stop_reason": if ended { json!(stop_reason(reply)) } else { Value::Null },
        "stop_sequence": null,
        "usage": {"input_tokens": input, "output_tokens": if ended { output } else { 0 }},
    })
}

pub fn whole(reply: &Reply<'_>) -> Value {
    frame(reply, &blocks(reply), true)
}

pub fn events(reply: &Reply<'_>) -> Vec<Event> {
    let event = |name: &'static str, mut said: Value| {
        said["type"] = name.into();
        (Some(name), said)
    };
    let mut events = vec![event("message_start", json!({"message": frame(reply, &[], false)}))];
    for (index, block) in blocks(reply).into_iter().enumerate() {
        let (empty, delta) = if block["type"] == "text" {
            (
                json!({"type": "text", "text": ""}),
                json!({"type": "text_delta", "text": block["text"]}),
            )
        } else {
            let mut empty = block.clone();
            empty["input"] = json!({});
            (empty, json!({"type": "input_json_delta", "partial_json": block["input"].to_string()}))
        };
        events.push(event("content_block_start", json!({"index": index, "content_block": empty})));
        events.push(event("content_block_delta", json!({"index": index, "delta": delta})));
        events.push(event("content_block_stop", json!({"index": index})));
    }
    let ended = json!({"stop_reason": stop_reason(reply), "stop_sequence": null});
    let usage = json!({"output_tokens": reply.answered.usage.1});
    events.push(event("message_delta", json!({"delta": ended, "usage": usage})));
    events.push(event("message_stop", json!({})));
    events
}
