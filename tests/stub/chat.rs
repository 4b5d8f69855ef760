//! The routes that all servers share: models and conversations.

use serde_json::{Value, json};

use super::routes::{Found, bad, model_name, text};
use super::{As, Asked, Shared, toy};

pub(crate) fn models(who: As) -> Value {
    let mut model = json!({ "id": "toy", "object": "model", "created": 1 });
    match who {
        As::Vllm => {
            model["owned_by"] = json!("vllm");
            model["max_model_len"] = json!(4096);
        }
        As::SgLang => {
            model["owned_by"] = json!("sglang");
            model["max_model_len"] = json!(1024);
        }
        As::LlamaCpp => {
            model["owned_by"] = json!("llamacpp");
            model["meta"] = json!({ "n_ctx_train": 131_072 });
        }
        As::Ollama => model["owned_by"] = json!("library"),
        As::Hosted => model["owned_by"] = json!("somebody"),
    }
    json!({ "object": "list", "data": [model] })
}

/// Says what was asked, and what number of answer this is.
pub(crate) fn answer(shared: &Shared, asked: &Asked) -> Found {
    let body = &asked.body;
    let all = body["messages"].as_array().cloned().unwrap_or_default();
    let last = text(&all.last().cloned().unwrap_or_default()["content"]).to_string();
    let top = body["top_logprobs"].as_u64().unwrap_or(0) as usize;
    if shared.quirks.few_logprobs && top > 5 {
        return bad("top_logprobs must be at most 5");
    }
    if shared.quirks.refuses_n && body["n"].as_u64().is_some_and(|n| n > 1) {
        let why =
            "{\"error\":{\"code\":500,\"message\":\"Only one completion choice is allowed\"}}";
        return Err(("500 Internal Server Error", why.into()));
    }
    let one_only = matches!(shared.who, As::LlamaCpp | As::Ollama);
    let n = if one_only { 1 } else { body["n"].as_u64().unwrap_or(1) };
    let limit = body["max_tokens"].as_u64().unwrap_or(16) as usize;
    let said = format!("echo: {last}");
    let cut: String = said.chars().take(limit * 4).collect();
    let finish = if cut.len() < said.len() { "length" } else { "stop" };
    let seed = body["seed"].as_u64().map_or(String::new(), |seed| format!(" #{seed}"));
    let choices: Vec<Value> = (0..n)
        .map(|index| {
            let mut choice = json!({
                "index": index, "finish_reason": finish,
                "message": { "role": "assistant", "content": format!("{cut}{seed}") },
            });
            if body["logprobs"] == true && !shared.quirks.no_logprobs {
                let tops: Vec<Value> = toy::top(toy::GO, if top == 0 { 0 } else { 97 })
                    .into_iter()
                    .filter(|(token, _)| top == 20 || *token < 70)
                    .filter(|(token, _)| (32..127).contains(token))
                    .take(top)
                    .map(|(token, logp)| json!({ "token": toy::text_of(token), "logprob": logp }))
                    .collect();
                choice["logprobs"] = json!({ "content": [
                    { "token": "e", "logprob": -0.25, "top_logprobs": tops },
                ] });
            }
            choice
        })
        .collect();
    let mut value = json!({
        "id": "x", "object": "chat.completion", "model": model_name(shared, asked),
        "choices": choices,
    });
    if !shared.quirks.no_usage {
        value["usage"] = json!({ "prompt_tokens": last.len(), "completion_tokens": 5 * n });
    }
    Ok(value)
}

/// The same as a stream: a word an event, with what it cost in one of its own.
pub(crate) fn as_stream(value: &Value) -> String {
    let mut events = Vec::new();
    let head = |choices: Value| json!({ "id": "x", "model": value["model"], "choices": choices });
    for choice in value["choices"].as_array().into_iter().flatten() {
        let index = &choice["index"];
        let said = text(&choice["message"]["content"]).to_string() + text(&choice["text"]);
        let is_text = choice["text"].is_string();
        let mut piece = |word: &str, finish: &Value| {
            let mut one = json!({ "index": index, "finish_reason": finish });
            match (is_text, word) {
                (true, _) => one["text"] = json!(word),
                (false, "") => one["delta"] = json!({}),
                (false, _) => one["delta"] = json!({ "content": word }),
            }
            events.push(head(json!([one])));
        };
        for word in said.split_inclusive(' ') {
            piece(word, &Value::Null);
        }
        piece("", &choice["finish_reason"]);
    }
    let mut usage = head(json!([]));
    usage["usage"] = value["usage"].clone();
    events.push(usage);
    let lines: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    lines + "data: [DONE]\n\n"
}
