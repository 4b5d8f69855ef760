//! How a request wants its answer drawn, of a mind of this program: what such a mind does not do is
//! refused by name.

use serde_json::Value;

use super::{Asked, Refused};
use crate::model::sampler::Sampling;

/// Fields of a request that change nothing here. Others are honoured, or refused by name.
const HARMLESS: [&str; 12] = [
    "model",
    "messages",
    "tools",
    "user",
    "metadata",
    "store",
    "return_token_ids",
    "service_tier",
    "prompt_cache_key",
    "safety_identifier",
    "previous_response_id",
    "verbosity",
];

/// Fields that every mind here honours.
const HONOURED: [&str; 8] = [
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "stop",
    "max_tokens",
    "max_completion_tokens",
];

/// Refuses what a mind here does not know; `takes` says which fields this one takes beside those that all
/// do.
pub(super) fn known(asked: &Asked, takes: impl Fn(&str, &Value) -> bool) -> Result<(), Refused> {
    for (field, value) in &asked.body {
        let nothing = match field.as_str() {
            "frequency_penalty" | "presence_penalty" => value.as_f64() == Some(0.0),
            "n" => value.as_u64() == Some(1),
            "logprobs" => value == &Value::Bool(false),
            "response_format" => value["type"] == "text",
            name => HARMLESS.contains(&name) || HONOURED.contains(&name) || takes(name, value),
        };
        if !nothing && !value.is_null() {
            return Err(Refused::bad(format!(
                "{field}: a mind of this program does not know it; leave it out, or have an endpoint answer"
            )));
        }
    }
    Ok(())
}

/// How tokens are drawn.
pub(super) fn sampling(asked: &Asked) -> Result<Sampling, Refused> {
    let within = |field: &str, usual: f64, low: f64, high: f64| match asked.body.get(field) {
        None | Some(Value::Null) => Ok(usual),
        Some(value) => value
            .as_f64()
            .filter(|value| (low..=high).contains(value))
            .ok_or_else(|| Refused::bad(format!("{field}: not between {low} and {high}"))),
    };
    Ok(Sampling {
        temperature: within("temperature", 1.0, 0.0, 100.0)?,
        top_p: within("top_p", 1.0, 0.0, 1.0)?,
        top_k: within("top_k", 0.0, 0.0, 1e9)? as usize,
        min_p: within("min_p", 0.0, 0.0, 1.0)?,
        ..Sampling::GREEDY
    })
}

/// Texts that end the answer.
pub(super) fn stops(asked: &Asked) -> Result<Vec<String>, Refused> {
    let mut stops: Vec<String> = match asked.body.get("stop") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(stop)) => vec![stop.clone()],
        Some(list) => serde_json::from_value(list.clone())
            .map_err(|_| Refused::bad("stop: neither a text nor some"))?,
    };
    stops.retain(|stop| !stop.is_empty());
    Ok(stops)
}

/// Where the first of some texts begins.
pub(super) fn stopped(text: &str, stops: &[String]) -> Option<usize> {
    stops.iter().filter_map(|stop| text.find(stop.as_str())).min()
}

/// Tokens that the answer may have, where that is said.
pub(super) fn most(asked: &Asked) -> Result<Option<usize>, Refused> {
    let said = ["max_completion_tokens", "max_tokens"].into_iter().find_map(|field| {
        asked.body.get(field).filter(|value| !value.is_null()).map(|value| (field, value))
    });
    let Some((field, value)) = said else { return Ok(None) };
    let most = value.as_u64().filter(|most| *most > 0);
    let most =
        most.ok_or_else(|| Refused::bad(format!("{field}: {value} is no number of tokens")))?;
    Ok(Some(usize::try_from(most).unwrap_or(usize::MAX)))
}

/// The seed of the request, else a number that nobody knows beforehand; it is written down.
pub(super) fn seed(asked: &Asked) -> Result<u64, Refused> {
    use std::hash::{BuildHasher, RandomState};
    match asked.body.get("seed") {
        // As many clients can say again.
        None | Some(Value::Null) => Ok(RandomState::new().hash_one(0) >> 11),
        Some(value) => {
            let whole = value.as_u64().or_else(|| value.as_i64().map(i64::cast_unsigned));
            whole.ok_or_else(|| Refused::bad(format!("seed: {value} is no whole number")))
        }
    }
}
