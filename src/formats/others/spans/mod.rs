//! Calls of a model that were traced: spans of OpenTelemetry, by its conventions for generative AI
//! (`gen_ai.input.messages`, `gen_ai.output.messages`) or by the numbered attributes before those
//! (`gen_ai.prompt.0.role`), as OTLP's JSON or one object a span.
//!
//! Each call has the conversation up to it. Those of one trace in which a call goes on from another's answer
//! are one episode.

mod attributes;
mod conversation;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde_json::{Value, json};

use self::attributes::Span;
use self::conversation::{Conversation, joined};
use super::episode::Episode;
use super::{Item, UNPACKED, turns};
use crate::budget;
use crate::error::{Error, Result};

/// Where a trace says what it was worth (Agent Lightning's `emit_reward`).
const REWARD: &str = "agentlightning.reward.0.value";

/// Whether an item is a span, or a batch of them.
pub(super) fn is_one(item: &Value) -> bool {
    item["resourceSpans"].is_array() || item["name"].is_string() && item.get("attributes").is_some()
}

/// The episodes of a file's spans, each with where it begins and the spans that it came from.
pub(super) fn read(items: Vec<Item>) -> Result<Vec<(String, Episode, Value)>> {
    let mut all = Vec::new();
    for (place, item) in items {
        budget::cancel().check()?;
        all.extend(Span::all(&place, item)?);
    }
    let Some(first) = all.first().map(|span| span.place.clone()) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for trace in by_trace(all) {
        found.extend(of_trace(trace)?);
    }
    if found.is_empty() {
        let what = "spans, and none of them says an answer's messages";
        return Err(Error::new(what).at(first).hint(
            "gen_ai.input.messages and gen_ai.output.messages are written where an instrumentation is told to \
             (OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY, with OTEL_SEMCONV_STABILITY_OPT_IN=\
             gen_ai_latest_experimental)",
        ));
    }
    Ok(found)
}

/// Spans by what they belong to, each in order of time; one that belongs to nothing is by itself.
fn by_trace(spans: Vec<Span>) -> Vec<Vec<Span>> {
    let mut traces: Vec<Vec<Span>> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for span in spans {
        let next = traces.len();
        let at = span.trace.clone().map_or(next, |trace| *known.entry(trace).or_insert(next));
        if at == next {
            traces.push(Vec::new());
        }
        if let Some(trace) = traces.get_mut(at) {
            trace.push(span);
        }
    }
    for trace in &mut traces {
        trace.sort_by(|a, b| a.start.cmp(&b.start));
    }
    traces
}

/// The episodes of a trace: of its calls; where it has none, of what its agents were asked and said.
fn of_trace(spans: Vec<Span>) -> Result<Vec<(String, Episode, Value)>> {
    let reward = spans.iter().rev().find_map(|span| span.attributes.get(REWARD)?.as_f64());
    let has_calls = spans.iter().any(Span::is_call);
    let is_turn = |span: &Span| if has_calls { span.is_call() } else { span.is_agent() };
    let (calls, others): (Vec<Span>, Vec<Span>) = spans.into_iter().partition(is_turn);
    let others: Vec<Value> = others.into_iter().map(Span::whole).collect();
    let conversations = joined(calls)?;
    let beside: u64 = others.iter().map(|span| span.to_string().len() as u64).sum();
    if beside.saturating_mul(conversations.len() as u64) > UNPACKED {
        let what = format!(
            "a trace of {} conversations, with {beside} bytes of other spans that are kept with each",
            conversations.len()
        );
        return Err(Error::new(what).hint("leave out spans that say nothing of a model"));
    }
    let count = conversations.len();
    let one = |(n, conversation): (usize, Conversation)| {
        let Conversation { first, messages, answers, calls, .. } = conversation;
        let place = first.place.clone();
        let actor = ["gen_ai.agent.name", "gen_ai.response.model", "gen_ai.request.model"];
        let actor = actor.iter().find_map(|key| first.attributes.get(*key)?.as_str());
        let [answer] = &answers[..] else {
            let what = format!("{} answers, and nobody says which was taken", answers.len());
            return Err(Error::new(what).at(place));
        };
        let messages: Vec<Value> = messages.into_iter().chain([answer.clone()]).collect();
        let episode = turns::read("otel", &messages, actor);
        let episode = episode.map_err(|error| error.at(place.clone()))?;
        let id = first.trace.map(|id| if count > 1 { format!("{id} {}", n + 1) } else { id });
        let success = reward.is_some_and(|reward| reward >= 1.0);
        let whole = [calls, others.clone()].concat();
        let source = json!({"spans": whole});
        Ok((place, Episode { id, success, reward, ..episode }, source))
    };
    conversations.into_iter().enumerate().map(one).collect()
}
