//! A text that is gone on with, without a template. Inside, the text is what a user says.

use serde_json::{Map, Value, json};

use super::{Event, Reply};
use crate::gateway::Refused;

pub fn read(mut body: Map<String, Value>) -> Result<Map<String, Value>, Refused> {
    if body.get("echo") == Some(&Value::Bool(true)) {
        return Err(Refused::bad("echo: the prompt is not given back"));
    }
    body.remove("echo");
    let Some(Value::String(prompt)) = body.remove("prompt") else {
        return Err(Refused::bad("prompt: one text is taken, no list and no tokens"));
    };
    body.insert("messages".into(), json!([{"role": "user", "content": prompt}]));
    super::chat::read(body)
}

pub fn whole(reply: &Reply<'_>) -> Value {
    json!({
        "id": format!("cmpl-{}", reply.call),
        "object": "text_completion",
        "created": reply.now,
        "model": reply.asked.model,
        "choices": [{"index": 0, "text": reply.text(), "finish_reason": reply.answered.finish, "logprobs": null}],
        "usage": super::chat::usage(reply),
    })
}

pub fn events(reply: &Reply<'_>) -> Vec<Event> {
    vec![(None, whole(reply))]
}
