//! Chat completions, which is also the form inside.

use serde_json::{Map, Value, json};

use super::{Event, Reply};
use crate::gateway::Refused;

/// The body without what is about the line alone.
pub fn read(mut body: Map<String, Value>) -> Result<Map<String, Value>, Refused> {
    body.remove("stream");
    body.remove("stream_options");
    if body.get("n").is_some_and(|n| !n.is_null() && n != 1) {
        return Err(Refused::bad("n: one answer a call; ask again for another"));
    }
    body.remove("n");
    Ok(body)
}

pub fn usage(reply: &Reply<'_>) -> Value {
    let (prompt, answer) = reply.answered.usage;
    json!({"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer})
}

pub fn whole(reply: &Reply<'_>) -> Value {
    let mut choice = json!({
        "index": 0,
        "message": reply.answered.message,
        "finish_reason": reply.answered.finish,
        "logprobs": null,
    });
    let mut prompt = None;
    // As vLLM says them, where they are asked for and known.
    if reply.asked.body.get("return_token_ids") == Some(&Value::Bool(true))
        && let Some(tokens) = &reply.answered.tokens
    {
        choice["token_ids"] = json!(tokens.ids);
        choice["token_logprobs"] = json!(tokens.logps);
        prompt = (!tokens.prompt.is_empty()).then(|| tokens.prompt.clone());
    }
    let mut whole = json!({
        "id": format!("chatcmpl-{}", reply.call),
        "object": "chat.completion",
        "created": reply.now,
        "model": reply.asked.model,
        "choices": [choice],
        "usage": usage(reply),
    });
    if let Some(prompt) = prompt {
        whole["prompt_token_ids"] = json!(prompt);
    }
    whole
}

pub fn events(reply: &Reply<'_>) -> Vec<Event> {
    let piece = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let event = json!({
            "id": format!("chatcmpl-{}", reply.call),
            "object": "chat.completion.chunk",
            "created": reply.now,
            "model": reply.asked.model,
            "choices": [choice],
        });
        (None, event)
    };
    let mut events = vec![piece(json!({"role": "assistant", "content": ""}), Value::Null)];
    if let Some(thought) = reply.answered.message["reasoning_content"].as_str() {
        events.push(piece(json!({"reasoning_content": thought}), Value::Null));
    }
    if !reply.text().is_empty() {
        events.push(piece(json!({"content": reply.text()}), Value::Null));
    }
    for (index, call) in reply.tools().iter().enumerate() {
        let mut call = call.clone();
        call["index"] = index.into();
        events.push(piece(json!({"tool_calls": [call]}), Value::Null));
    }
    events.push(piece(json!({}), json!(reply.answered.finish)));
    // Asked for by some and understood by all.
    let mut last = piece(json!({}), Value::Null);
    last.1["choices"] = json!([]);
    last.1["usage"] = usage(reply);
    events.push(last);
    events
}
