//! Calls of a model that were traced: spans of OpenTelemetry, by its conventions for generative AI
//! (`gen_ai.input.messages`, `gen_ai.output.messages`) or by the numbered attributes before those
//! (`gen_ai.prompt.0.role`), as OTLP's JSON or one object a span.
//!
//! Each call has the conversation up to it. Those in which a call goes on from another's answer are one
//! episode.

mod attributes;
mod calls;
mod conversation;
mod parts;
mod plain;
#[cfg(test)]
mod tests;
mod tied;
mod when;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use serde_json::{Value, json};

use self::attributes::Span;
use self::calls::{calls, once};
use self::conversation::{Conversation, joined};
use self::tied::{Family, tied};
use super::episode::Episode;
use super::turns::text_of;
use super::{Item, turns};
use crate::budget;
use crate::error::{Error, Result};

/// An episode with where it ends in the file, and the spans that it came from.
type Found = (String, Episode, Value);

/// Whether an item is a span, or a batch of them.
pub(super) fn is_one(item: &Value) -> bool {
    let traced = ["traceId", "trace_id"].iter().any(|key| item[*key].is_string())
        || item["context"]["trace_id"].is_string();
    let plain = item["attributes"].as_object();
    let speaks = || plain.is_some_and(|all| all.keys().any(|key| key.starts_with("gen_ai.")));
    let chats = ["messages", "conversations"].iter().any(|key| item.get(*key).is_some());
    item["resourceSpans"].is_array() || item["name"].is_string() && !chats && (traced || speaks())
}

/// The episodes of a file's spans.
pub(super) fn read(items: Vec<Item>) -> Result<Vec<Found>> {
    let mut all = Vec::new();
    let first = items.first().map(|(place, _)| place.clone());
    for (place, item) in items {
        budget::cancel().check()?;
        all.extend(Span::all(&place, item)?);
    }
    let unread = all.iter().find_map(Span::unread);
    let unread = unread.map_or(String::new(), |key| format!(" in a way that is read (`{key}`)"));
    let mut found = Vec::new();
    for spans in tied(all) {
        found.extend(episodes(&spans)?);
    }
    if let Some(first) = first.filter(|_| found.is_empty()) {
        let what = format!("spans, and none of them says a whole answer's messages{unread}");
        return Err(Error::new(what).at(first).hint(
            "gen_ai.input.messages and gen_ai.output.messages are written where an instrumentation is told to \
             (OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY, with OTEL_SEMCONV_STABILITY_OPT_IN=\
             gen_ai_latest_experimental)",
        ));
    }
    Ok(found)
}

/// The episodes of spans that belong together: of their calls; where they have none, of what their agents
/// were asked and said.
fn episodes(spans: &[Span]) -> Result<Vec<Found>> {
    let family = Family::of(spans);
    let has_calls = spans.iter().any(Span::is_call);
    let speaks = |span: &&Span| if has_calls { span.is_call() } else { span.is_agent() };
    let calls = once(calls(spans.iter().filter(speaks))?, &family);
    let conversations = joined(calls)?;
    let rewards = rewards(spans, &family, &conversations)?;
    let results = results(spans);
    let own = conversations.iter().flat_map(|of| of.calls.iter().chain(&of.again));
    let own: HashSet<*const Span> = own.map(|span| std::ptr::from_ref(*span)).collect();
    let others = spans.iter().filter(|span| !own.contains(&std::ptr::from_ref(*span)));
    let mut others: Vec<&Span> = others.collect();
    let mut named: HashMap<String, usize> = HashMap::new();
    let mut found = Vec::with_capacity(conversations.len());
    for (conversation, reward) in conversations.into_iter().zip(rewards) {
        let place = conversation.calls.last().map(|call| call.place.clone()).unwrap_or_default();
        // The other spans are kept with the first of them.
        let source = conversation.calls.iter().chain(&conversation.again).copied();
        let source = whole(source.chain(others.drain(..)));
        let id = conversation.id().map(|id| {
            let known = named.entry(id.clone()).or_default();
            *known += 1;
            if *known > 1 { format!("{id} {known}") } else { id }
        });
        let episode = episode(conversation, &results).map_err(|error| error.at(&place))?;
        let success = reward.is_some_and(|reward| reward >= 1.0);
        let episode = Episode { id, success, reward, ..episode };
        found.push((place, episode, source));
    }
    Ok(found)
}

/// A conversation as an episode, with what its last calls of tools came to, where their spans say it.
fn episode(of: Conversation<'_>, results: &HashMap<&str, Vec<&Span>>) -> Result<Episode> {
    let actor = ["gen_ai.agent.name", "gen_ai.response.model", "gen_ai.request.model"];
    let actor = actor.iter().find_map(|key| of.calls.first()?.attributes.get(*key)?.as_str());
    let last = of.messages.last().and_then(|answer| answer["tool_calls"].as_array());
    let told = last.into_iter().flatten().filter_map(|call| {
        let (of, all) = (of.calls.last()?, results.get(call["id"].as_str()?)?);
        // Ids may be used again: what came next, of who is within the same.
        let after = all.iter().filter(|span| span.start.0 == 0 || span.start.0 >= of.start.0);
        after.min_by_key(|span| (span.parent != of.parent, span.start)).map(|span| span.result())
    });
    let told = told.flatten().map(|said| json!({"role": "tool", "content": text_of(said)}));
    let told: Vec<Value> = told.collect();
    let messages: Vec<Value> = of.system.into_iter().chain(of.messages).chain(told).collect();
    turns::read("otel", &messages, actor)
}

/// Spans that say what a call of a tool came to, by its id.
fn results(spans: &[Span]) -> HashMap<&str, Vec<&Span>> {
    let mut found: HashMap<&str, Vec<&Span>> = HashMap::new();
    for span in spans.iter().filter(|span| span.result().is_some()) {
        let id = span.attributes.get("gen_ai.tool.call.id").and_then(Value::as_str);
        if let Some(id) = id {
            found.entry(id).or_default().push(span);
        }
    }
    found
}

/// Spans as they are kept, each with the number of its resource among those of all.
fn whole<'a>(spans: impl Iterator<Item = &'a Span>) -> Value {
    let mut resources: Vec<Rc<Value>> = Vec::new();
    let mut all = Vec::new();
    for span in spans {
        let mut whole = span.whole();
        if let Some(beside) = &span.beside {
            let known = resources.iter().rposition(|known| Rc::ptr_eq(known, beside));
            whole["in_resource"] = known.unwrap_or(resources.len()).into();
            if known.is_none() {
                resources.push(Rc::clone(beside));
            }
        }
        all.push(whole);
    }
    let resources: Vec<Value> = resources.iter().map(|one| Value::clone(one)).collect();
    if resources.is_empty() {
        json!({"spans": all})
    } else {
        json!({"resources": resources, "spans": all})
    }
}

/// What each conversation was worth, where a span says so (Agent Lightning's `emit_reward`; the last one, as there)
/// and can mean one alone: the only one, or the only one of who said it.
fn rewards(
    spans: &[Span],
    family: &Family,
    conversations: &[Conversation<'_>],
) -> Result<Vec<Option<f64>>> {
    let mut all = vec![None; conversations.len()];
    for span in spans {
        let Some(reward) = span.reward()? else { continue };
        let sayer = family.over(span).next();
        let is_of = |conversation: &Conversation<'_>| {
            let own =
                |call: &&Span| sayer.is_some_and(|sayer| family.over(call).any(|at| at == sayer));
            conversations.len() == 1 || conversation.calls.iter().any(own)
        };
        let meant: Vec<usize> = (0..all.len()).filter(|n| is_of(&conversations[*n])).collect();
        if let [one] = meant[..] {
            all[one] = Some(reward);
        }
    }
    Ok(all)
}
