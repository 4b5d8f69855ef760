//! The routes of each server, as far as they are asked for.

use std::io::Write;

use serde_json::{Value, json};

use super::{As, Asked, Shared, chat, reply, toy};

pub(crate) type Found = Result<Value, (&'static str, String)>;

fn missing() -> Found {
    Err(("404 Not Found", json!({ "detail": "Not Found" }).to_string()))
}

pub(crate) fn bad(why: &str) -> Found {
    Err(("400 Bad Request", json!({ "error": { "message": why, "code": 400 } }).to_string()))
}

pub(crate) fn answer(
    shared: &Shared,
    asked: &Asked,
    writer: &mut impl Write,
) -> std::io::Result<()> {
    let is_stream = asked.body["stream"] == true;
    let own = shared.model.as_ref().and_then(|model| model(asked));
    let found = if let Some(value) = own { Ok(value) } else { from_toy(shared, asked) };
    match found {
        Err((status, text)) => reply(writer, status, &[], "application/json", text.as_bytes()),
        Ok(value) if is_stream => {
            let text = chat::as_stream(&value);
            reply(writer, "200 OK", &[], "text/event-stream", text.as_bytes())
        }
        Ok(value) => reply(writer, "200 OK", &[], "application/json", value.to_string().as_bytes()),
    }
}

fn from_toy(shared: &Shared, asked: &Asked) -> Found {
    match (shared.who, asked.path.as_str()) {
        (_, "/v1/models") if shared.quirks.lists_nothing => missing(),
        (_, "/v1/models") => Ok(chat::models(shared.who)),
        (_, "/v1/chat/completions") => chat::answer(shared, asked),
        (As::Vllm | As::SgLang | As::LlamaCpp | As::Hosted, "/v1/completions") => {
            completions(shared, asked)
        }
        (As::Vllm, "/tokenize") if asked.body["messages"].is_array() => {
            Ok(json!({ "tokens": toy::tokenize(&template(&asked.body), true) }))
        }
        (As::Vllm, "/tokenize") => {
            let special = asked.body["add_special_tokens"] != false;
            let tokens = toy::tokenize(text(&asked.body["prompt"]), special);
            Ok(json!({ "count": tokens.len(), "max_model_len": 4096, "tokens": tokens }))
        }
        (As::Vllm, "/detokenize") => {
            let tokens = numbers(&asked.body["tokens"]);
            // As the real one does, what a text begins with is written out.
            Ok(json!({ "prompt": joined(&tokens) }))
        }
        (As::LlamaCpp, "/tokenize") => {
            let special = asked.body["add_special"] == true;
            Ok(json!({ "tokens": toy::tokenize(text(&asked.body["content"]), special) }))
        }
        (As::LlamaCpp, "/props") => Ok(json!({
            "default_generation_settings": { "n_ctx": 2048 }, "total_slots": 1,
        })),
        (As::LlamaCpp, "/apply-template") => Ok(json!({ "prompt": template(&asked.body) })),
        (As::LlamaCpp, "/completion") => native_completion(shared, asked),
        (As::SgLang, "/generate") => Ok(generate(shared, asked)),
        (As::SgLang, "/get_model_info") => Ok(json!({ "model_path": "toy" })),
        (As::Ollama, "/api/version") => Ok(json!({ "version": "0.13.0" })),
        (As::Ollama, "/api/show") => Ok(json!({
            "parameters": "stop \"x\"\nnum_ctx   8192",
            "model_info": { "toy.context_length": 32768 },
        })),
        _ => missing(),
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn numbers(value: &Value) -> Vec<u32> {
    let all = value.as_array().map_or(&[][..], Vec::as_slice);
    all.iter().map(|id| id.as_u64().unwrap_or(0) as u32).collect()
}

fn joined(tokens: &[u32]) -> String {
    tokens.iter().map(|token| toy::text_of(*token)).collect()
}

fn template(body: &Value) -> String {
    let all = body["messages"].as_array().cloned().unwrap_or_default();
    let one =
        |message: &Value| format!("[{}] {}\n", text(&message["role"]), text(&message["content"]));
    all.iter().map(one).collect::<String>() + "[assistant] "
}

pub(crate) fn model_name(shared: &Shared, asked: &Asked) -> String {
    if shared.quirks.other_model { "another".into() } else { text(&asked.body["model"]).into() }
}

fn lie(shared: &Shared) -> f64 {
    if shared.quirks.lies { 0.2 } else { 0.0 }
}

fn completions(shared: &Shared, asked: &Asked) -> Found {
    let body = &asked.body;
    let prompt = match &body["prompt"] {
        Value::String(text) => toy::tokenize(text, true),
        tokens => numbers(tokens),
    };
    let next = toy::top(*prompt.last().unwrap_or(&toy::BOS), 2);
    let mut choice =
        json!({ "index": 0, "text": toy::text_of(next[0].0), "finish_reason": "length" });
    let knows_prompts = matches!(shared.who, As::Vllm) && !shared.quirks.only_echo;
    let at = |i: usize| toy::logp(prompt[i - 1], prompt[i]) - lie(shared);
    if body["prompt_logprobs"].is_u64() && knows_prompts {
        let one = |i: usize| match i {
            0 => Value::Null,
            _ => json!({ prompt[i].to_string(): { "logprob": at(i), "rank": 1 } }),
        };
        choice["prompt_logprobs"] = (0..prompt.len()).map(one).collect();
    }
    let echoes = body["echo"] == true && matches!(shared.who, As::Vllm | As::Hosted);
    if echoes && matches!(shared.who, As::Hosted) && !shared.quirks.only_echo {
        return bad("echo is not supported");
    }
    if body["logprobs"].is_u64() {
        let mut tokens: Vec<String> = Vec::new();
        let mut logps: Vec<Value> = Vec::new();
        if echoes {
            tokens.extend(prompt.iter().map(|token| toy::text_of(*token)));
            logps.push(Value::Null);
            logps.extend((1..prompt.len()).map(|i| json!(at(i))));
        }
        tokens.push(toy::text_of(next[0].0));
        logps.push(json!(next[0].1));
        let tops: serde_json::Map<String, Value> =
            next.iter().map(|(token, logp)| (toy::text_of(*token), json!(logp))).collect();
        choice["logprobs"] =
            json!({ "tokens": tokens, "token_logprobs": logps, "top_logprobs": [tops] });
    }
    Ok(json!({
        "object": "text_completion", "model": model_name(shared, asked), "choices": [choice],
        "usage": { "prompt_tokens": prompt.len(), "completion_tokens": 1 },
    }))
}

/// llama.cpp: writes what a grammar allows, and says how likely it was without it.
fn native_completion(shared: &Shared, asked: &Asked) -> Found {
    let body = &asked.body;
    let prompt = match &body["prompt"] {
        Value::String(text) => toy::tokenize(text, true),
        tokens => numbers(tokens),
    };
    let mut last = *prompt.last().unwrap_or(&toy::BOS);
    let written = match body["grammar"].as_str() {
        None => vec![toy::top(last, 1)[0].0],
        Some(grammar) => {
            let rule = grammar.strip_prefix("root ::= ").unwrap_or_default();
            if let Some(literal) = rule.strip_prefix('"') {
                toy::tokenize(&literal[..literal.len() - 1].replace("\\n", "\n"), false)
            } else if shared.quirks.old_grammar {
                return bad("failed to parse grammar");
            } else {
                let ids = rule.split_whitespace();
                ids.map(|id| id.trim_matches(['<', '>', '[', ']']).parse().unwrap()).collect()
            }
        }
    };
    let mut known = Vec::new();
    for token in &written {
        let tops: Vec<Value> = toy::top(last, body["n_probs"].as_u64().unwrap_or(0) as usize)
            .into_iter()
            .map(|(id, logp)| json!({ "id": id, "token": toy::text_of(id), "logprob": logp }))
            .collect();
        // One that lies gives the figure after the grammar has had its say.
        let logp = if shared.quirks.lies { 0.0 } else { toy::logp(last, *token) };
        known.push(json!({
            "id": token, "token": toy::text_of(*token), "logprob": logp, "top_logprobs": tops,
        }));
        last = *token;
    }
    Ok(json!({
        "content": joined(&written), "tokens": written, "completion_probabilities": known,
        "tokens_evaluated": prompt.len(), "tokens_predicted": written.len(),
    }))
}

fn generate(shared: &Shared, asked: &Asked) -> Value {
    let body = &asked.body;
    let prompt = toy::tokenize(text(&body["text"]), true);
    let from = body["logprob_start_len"].as_u64().map_or(prompt.len(), |from| from as usize);
    let input: Vec<Value> = (from..prompt.len())
        .map(|i| {
            let logp = (i > from).then(|| toy::logp(prompt[i - 1], prompt[i]) - lie(shared));
            json!([logp, prompt[i], null])
        })
        .collect();
    let tops = toy::top(*prompt.last().unwrap_or(&toy::BOS), 2);
    let tops: Vec<Value> =
        tops.into_iter().map(|(id, logp)| json!([logp, id, toy::text_of(id)])).collect();
    json!({
        "text": tops[0][2],
        "meta_info": {
            "prompt_tokens": prompt.len(), "completion_tokens": 1,
            "input_token_logprobs": input, "output_token_logprobs": [tops[0]],
            "output_top_logprobs": [tops],
        },
    })
}
