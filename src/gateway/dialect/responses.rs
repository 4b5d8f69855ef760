//! OpenAI's responses: a list of items in, a list of items out.

use serde_json::{Map, Value, json};

use super::{Event, Reply, known, list, parts, renamed};
use crate::gateway::Refused;

const FIELDS: [&str; 25] = [
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "max_output_tokens",
    "temperature",
    "top_p",
    "top_logprobs",
    "stream",
    "stream_options",
    "metadata",
    "store",
    "parallel_tool_calls",
    "previous_response_id",
    "include",
    "truncation",
    "user",
    "text",
    "reasoning",
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "background",
];

/// What the answer to an earlier call is named by; the gateway puts what was said before in its place.
pub const BEFORE: &str = "previous_response_id";

pub fn read(body: &Map<String, Value>) -> Result<Map<String, Value>, Refused> {
    known(body, &FIELDS)?;
    if body.get("background") == Some(&Value::Bool(true)) {
        return Err(Refused::bad("background: an answer is waited for"));
    }
    let mut said = Vec::new();
    match body.get("input") {
        Some(Value::String(text)) => said.push(json!({"role": "user", "content": text})),
        Some(Value::Array(items)) => {
            for one in items {
                item(one, &mut said)?;
            }
        }
        _ => return Err(Refused::bad("input: neither text nor a list of items")),
    }
    if let Some(system) = body.get("instructions").filter(|system| !system.is_null()) {
        said.insert(0, json!({"role": "system", "content": system}));
    }
    let mut read = Map::new();
    read.insert("messages".into(), Value::Array(said));
    let same = [
        ("model", "model"),
        ("max_output_tokens", "max_tokens"),
        ("temperature", "temperature"),
        ("top_p", "top_p"),
        ("parallel_tool_calls", "parallel_tool_calls"),
        (BEFORE, BEFORE),
    ];
    renamed(body, &mut read, &same);
    let tools: Vec<Value> = list(body, "tools")?.iter().map(tool).collect::<Result<_, _>>()?;
    if !tools.is_empty() {
        read.insert("tools".into(), Value::Array(tools));
    }
    if let Some(effort) = body.get("reasoning").and_then(|reasoning| reasoning["effort"].as_str()) {
        read.insert("reasoning_effort".into(), effort.into());
    }
    let format = body.get("text").map_or(&Value::Null, |text| &text["format"]);
    if format["type"] == "json_schema" {
        let schema =
            json!({"name": format["name"], "schema": format["schema"], "strict": format["strict"]});
        read.insert(
            "response_format".into(),
            json!({"type": "json_schema", "json_schema": schema}),
        );
    }
    if let Some(choice) = body.get("tool_choice").filter(|choice| !choice.is_null()) {
        let chosen = match (choice.as_str(), choice["name"].as_str()) {
            (Some(word), _) => json!(word),
            (None, Some(name)) => json!({"type": "function", "function": {"name": name}}),
            _ => return Err(Refused::bad("tool_choice: neither a word nor a function")),
        };
        read.insert("tool_choice".into(), chosen);
    }
    Ok(read)
}

fn tool(tool: &Value) -> Result<Value, Refused> {
    if tool["type"] != "function" {
        return Err(Refused::bad(format!(
            "tools: {} is hosted elsewhere; functions of the agent's own are taken",
            tool["type"]
        )));
    }
    let mut function = Map::new();
    if let Some(tool) = tool.as_object() {
        let same = ["name", "description", "parameters", "strict"].map(|name| (name, name));
        renamed(tool, &mut function, &same);
    }
    Ok(json!({"type": "function", "function": function}))
}

/// One item; calls of tools that follow each other are one message.
fn item(item: &Value, said: &mut Vec<Value>) -> Result<(), Refused> {
    const TEXTS: [&str; 3] = ["input_text", "output_text", "text"];
    match item["type"].as_str() {
        None | Some("message") => {
            let role = match item["role"].as_str() {
                Some("developer") => "system",
                Some(role @ ("user" | "assistant" | "system")) => role,
                _ => return Err(Refused::bad("input: a message's role is not known")),
            };
            said.push(json!({"role": role, "content": parts(&item["content"], &TEXTS)?}));
        }
        Some("function_call") => {
            let call = json!({
                "id": item["call_id"],
                "type": "function",
                "function": {"name": item["name"], "arguments": item["arguments"]},
            });
            let answers = said.last_mut().filter(|last| last["role"] == "assistant");
            match answers {
                Some(last) if last["tool_calls"].is_array() => {
                    if let Some(calls) = last["tool_calls"].as_array_mut() {
                        calls.push(call);
                    }
                }
                Some(last) => last["tool_calls"] = json!([call]),
                None => {
                    said.push(json!({"role": "assistant", "content": null, "tool_calls": [call]}));
                }
            }
        }
        Some("function_call_output") => said.push(json!({
            "role": "tool",
            "tool_call_id": item["call_id"],
            "content": parts(&item["output"], &TEXTS)?,
        })),
        // What was thought is not said again.
        Some("reasoning") => {}
        Some(kind) => {
            return Err(Refused::bad(format!("input: items of type {kind} are not taken")));
        }
    }
    Ok(())
}

fn items(reply: &Reply<'_>) -> Vec<Value> {
    let text = reply.speaks().then(|| {
        json!({
            "id": format!("msg_{}", reply.call),
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": reply.text(), "annotations": []}],
        })
    });
    let calls = reply.tools().iter().enumerate().map(|(place, call)| {
        json!({
            "id": format!("fc_{}_{place}", reply.call),
            "type": "function_call",
            "status": "completed",
            "call_id": call["id"],
            "name": call["function"]["name"],
            "arguments": call["function"]["arguments"],
        })
    });
    text.into_iter().chain(calls).collect()
}

fn frame(reply: &Reply<'_>, output: &[Value], status: &str) -> Value {
    let (input, answer) = reply.answered.usage;
    let cut = status == "completed" && reply.answered.finish == "length";
    json!({
        "id": format!("resp_{}", reply.call),
        "object": "response",
        "created_at": reply.now,
        "status": if cut { "incomplete" } else { status },
        "incomplete_details": if cut { json!({"reason": "max_output_tokens"}) } else { Value::Null },
        "error": null,
        "model": reply.asked.model,
        "output": output,
        "instructions": null,
        "metadata": {},
        "parallel_tool_calls": true,
        "temperature": reply.asked.body.get("temperature"),
        "top_p": reply.asked.body.get("top_p"),
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": input,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": answer,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": input + answer,
        },
    })
}

pub fn whole(reply: &Reply<'_>) -> Value {
    frame(reply, &items(reply), "completed")
}

pub fn events(reply: &Reply<'_>) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut say = |name: &'static str, mut said: Value| {
        said["type"] = name.into();
        said["sequence_number"] = events.len().into();
        events.push((Some(name), said));
    };
    say("response.created", json!({"response": frame(reply, &[], "in_progress")}));
    say("response.in_progress", json!({"response": frame(reply, &[], "in_progress")}));
    let items = items(reply);
    for (at, item) in items.iter().enumerate() {
        let mut begun = item.clone();
        begun["status"] = "in_progress".into();
        let id = &item["id"];
        if item["type"] == "message" {
            begun["content"] = json!([]);
            let (text, part) = (&item["content"][0]["text"], &item["content"][0]);
            let empty = json!({"type": "output_text", "text": "", "annotations": []});
            let place = |mut said: Value| {
                said["item_id"] = id.clone();
                said["output_index"] = at.into();
                said["content_index"] = 0.into();
                said
            };
            say("response.output_item.added", json!({"output_index": at, "item": begun}));
            say("response.content_part.added", place(json!({"part": empty})));
            say("response.output_text.delta", place(json!({"delta": text, "logprobs": []})));
            say("response.output_text.done", place(json!({"text": text, "logprobs": []})));
            say("response.content_part.done", place(json!({"part": part})));
        } else {
            let arguments = &item["arguments"];
            begun["arguments"] = "".into();
            let place = |mut said: Value| {
                said["item_id"] = id.clone();
                said["output_index"] = at.into();
                said
            };
            say("response.output_item.added", json!({"output_index": at, "item": begun}));
            say("response.function_call_arguments.delta", place(json!({"delta": arguments})));
            say(
                "response.function_call_arguments.done",
                place(json!({"arguments": arguments, "name": item["name"]})),
            );
        }
        say("response.output_item.done", json!({"output_index": at, "item": item}));
    }
    let end = if reply.answered.finish == "length" {
        "response.incomplete"
    } else {
        "response.completed"
    };
    say(end, json!({"response": frame(reply, &items, "completed")}));
    events
}
