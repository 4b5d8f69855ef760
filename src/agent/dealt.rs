//! How minds behind an endpoint deal what comes back out to what was asked, whether they ask in messages
//! ([`super::remote`]) or in tokens ([`super::served`]).

use super::endpoint::{self, ChatReply, Choice, Draw};
use super::{Among, Completion, Each};
use crate::error::Result;
use crate::model::sampler::Sampling;

/// How an answer is drawn.
pub(super) fn drawn(how: Sampling, max_tokens: u32) -> Draw {
    Draw { max_tokens, temperature: how.temperature, top_p: how.top_p, ..Draw::default() }
}

/// The same for an answer a seed, of which the first has the first seed. The likeliest words are the same
/// whatever the seed.
pub(super) fn drawn_by(seeds: &[u64], how: Sampling, max_tokens: u32) -> Draw {
    let n = if how.temperature > 0.0 { seeds.len() } else { 1 };
    Draw { seed: seeds.first().copied(), n, ..drawn(how, max_tokens) }
}

/// Replies to those who wanted any, as completions of each: as many as were wanted.
pub(super) fn dealt(
    wanted: &[usize],
    replies: Vec<ChatReply>,
    how: Sampling,
    read: impl Fn(&Choice) -> Completion,
) -> Vec<Vec<Completion>> {
    let mut replies = replies.into_iter();
    let each = wanted.iter().map(|wanted| {
        let reply = (*wanted > 0).then(|| replies.next()).flatten();
        let choices = reply.map(|reply| reply.choices).unwrap_or_default();
        let written: Vec<Completion> = choices.iter().map(&read).collect();
        match written.first() {
            Some(first) if how.temperature <= 0.0 => vec![first.clone(); *wanted],
            _ => written,
        }
    });
    each.collect()
}

/// What some actions lead to in some states: a request for each (of the ask of that place), whose texts are
/// seen as they grow.
pub(super) fn foreseen<R>(
    asks: &[Among<'_>],
    mut request: impl FnMut(usize, &str) -> Result<R>,
    read: impl Fn(&str) -> String,
    send: impl FnOnce(Vec<R>, endpoint::Each<'_>) -> Result<Vec<ChatReply>>,
    each: Each<'_>,
) -> Result<Vec<Vec<String>>> {
    let (mut places, mut requests) = (Vec::new(), Vec::new());
    for (a, ask) in asks.iter().enumerate() {
        for (i, action) in ask.actions.iter().enumerate() {
            places.push((a, i));
            requests.push(request(a, action)?);
        }
    }
    let mut partial = vec![String::new(); requests.len()];
    let replies = send(requests, &mut |request, _, more| {
        partial[request].push_str(more);
        let (ask, action) = places[request];
        each(ask, action, &read(&partial[request]));
    })?;
    let mut found: Vec<Vec<String>> =
        asks.iter().map(|ask| vec![String::new(); ask.actions.len()]).collect();
    for ((ask, action), reply) in places.into_iter().zip(replies) {
        let first = reply.choices.first().map(|choice| read(&choice.text));
        found[ask][action] = first.unwrap_or_default();
    }
    Ok(found)
}
