//! The routes that code written for Agent Lightning 1.0 calls beside its model's: events of an attempt at
//! a rollout, which is a session here, and what a trainer reads of them.

use serde_json::{Map, Value, json};

use super::Refused;
use super::admit::is_name;
use crate::error::Result;
use crate::store::{Called, REWARD, SessionEvent, Store, WholeCall};

/// The session below a key's of an attempt at a rollout: no name has the sign between them.
pub(super) fn session(rollout: &str, attempt: &str) -> String {
    format!("{rollout}/{attempt}")
}

/// An event as it was posted: what kind it is, what it is worth where it is a reward, and the rest.
pub(super) fn event(
    body: &Map<String, Value>,
) -> std::result::Result<(String, Option<f64>, Value), Refused> {
    let kind = body.get("event_type").and_then(Value::as_str);
    // Calls are written down by whoever answers them, and worlds are named at a route of their own.
    let kind = kind.filter(|kind| is_name(kind) && !["model_request", "world"].contains(kind));
    let kind = kind.ok_or_else(|| Refused::bad("event_type: reward, or another word"))?;
    let data = match body.get("data") {
        None | Some(Value::Null) => json!({}),
        Some(data @ Value::Object(_)) => data.clone(),
        Some(_) => return Err(Refused::bad("data: no object")),
    };
    if kind != REWARD {
        return Ok((kind.to_string(), None, data));
    }
    let value = data["value"].as_f64().filter(|value| value.is_finite());
    let value = value.ok_or_else(|| Refused::bad("data.value: not a number"))?;
    Ok((kind.to_string(), Some(value), data))
}

/// What a query asks of the events.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Only of this kind.
    pub kind: Option<String>,
    /// As a trainer needs them, without the texts.
    pub triplet: bool,
}

impl Wanted {
    pub fn of(query: &str) -> std::result::Result<Self, Refused> {
        let mut wanted = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("event_type", kind)) => wanted.kind = Some(kind.to_string()),
                Some(("format", "triplet")) => wanted.triplet = true,
                _ => return Err(Refused::bad(format!("{pair}: event_type=…, format=triplet"))),
            }
        }
        Ok(wanted)
    }
}

/// The events of a rollout's newest attempt, in their order; none where there is no such rollout.
pub(super) fn events(
    store: &Store,
    (key, rollout): (&str, &str),
    wanted: &Wanted,
) -> Result<Option<Vec<Value>>> {
    let prefix = format!("{key}/{rollout}/");
    let Some(session) = store.newest_session(&prefix)? else { return Ok(None) };
    let attempt = session[prefix.len()..].to_string();
    let told = store.session_events(&session)?;
    let which = Called { session: Some(session), ..Called::default() };
    let mut all = Vec::new();
    let shape = |kind: &str, data: Value, ms: i64| {
        json!({"event_type": kind, "rollout_id": rollout, "attempt_id": attempt,
            "timestamp": ms as f64 / 1000.0, "data": data})
    };
    let after = |call: i64| {
        let of = move |event: &&SessionEvent| event.after == call;
        told.iter().filter(of).map(move |event| {
            let mut data = event.body.clone();
            if let (Some(value), Value::Object(fields)) = (event.value, &mut data) {
                fields.insert("value".into(), value.into());
            }
            (event.kind.clone(), data)
        })
    };
    all.extend(after(0).map(|(kind, data)| shape(&kind, data, 0)));
    for row in store.calls(&which)? {
        let (id, ended) = (row.id, row.began_ms + row.ms);
        let call = store.call(id)?;
        let data = if wanted.triplet { trimmed(&call) } else { whole(&call) };
        all.push(shape("model_request", data, ended));
        all.extend(after(id).map(|(kind, data)| shape(&kind, data, ended)));
    }
    let is = |event: &Value| wanted.kind.as_deref().is_none_or(|kind| event["event_type"] == kind);
    all.retain(is);
    Ok(Some(all))
}

/// The tokens of an answer and their log-probabilities, where they are known.
fn tokens(call: &WholeCall) -> (Value, Value) {
    let of = |field: &str| call.tokens.as_ref().map_or(Value::Null, |tokens| tokens[field].clone());
    (of("ids"), of("logps"))
}

fn status(call: &WholeCall) -> &'static str {
    if call.answer.is_some() { "ok" } else { "error" }
}

/// A call as a trainer needs it. The tokens of the prompt are not written down here.
fn trimmed(call: &WholeCall) -> Value {
    let (ids, logps) = tokens(call);
    let ids = if ids.is_null() { json!([]) } else { ids };
    json!({"prompt_token_ids": [], "response_token_ids": ids, "response_log_probs": logps,
        "server": {"model": call.row.mind, "version": null}, "status": status(call)})
}

fn whole(call: &WholeCall) -> Value {
    let (ids, logps) = tokens(call);
    let mut request = call.request.clone();
    request["messages"] = json!(call.messages);
    let usage = json!({"prompt_tokens": call.row.prompt_tokens, "completion_tokens": call.row.answer_tokens});
    let content = logps
        .as_array()
        .map(|all| all.iter().map(|logp| json!({"logprob": logp})).collect::<Vec<_>>());
    let response = match &call.answer {
        None => json!({"error": call.reply["error"]}),
        Some(message) => json!({"usage": usage, "choices": [{"index": 0, "message": message,
            "finish_reason": call.reply["finish"], "token_ids": ids,
            "logprobs": content.map(|content| json!({"content": content}))}]}),
    };
    json!({"model": call.row.model, "request": request, "response": response, "usage": usage,
        "latency_ms": call.row.ms, "status": status(call), "server": {"model": call.row.mind},
        "finish_reason": call.reply["finish"]})
}
