//! Questions and their answers: tried again, topped up, counted.

use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::Instant;

use futures::future::try_join_all;
use serde_json::Value;

use super::gather::Gather;
use super::reply::ChatReply;
use super::request::Question;
use super::retry::Failure;
use super::shared::Core;
use super::spent::tokens_of;
use super::wire::{Flow, Incoming, To};
use crate::error::Result;

/// Bytes of a reply that are kept as they came.
const RAW: usize = 64 << 10;

/// Some text of an answer: of which request and choice.
pub(super) type Delta = (usize, usize, String);

impl Core {
    /// Answers a question, with as many choices as it wants.
    pub async fn answer(
        &self,
        question: &Question,
        request: usize,
        show: &Sender<Delta>,
    ) -> Result<ChatReply> {
        let began = Instant::now();
        let wanted = question.draw.n;
        let at_once = if self.one_by_one.load(Ordering::Relaxed) { 1 } else { wanted };
        let mut reply = self.ask(question, request, 0, at_once, show).await?;
        let have = reply.choices.len();
        if have < at_once {
            self.one_by_one.store(true, Ordering::Relaxed);
        }
        let more = (have..wanted).map(|first| self.ask(question, request, first, 1, show));
        for next in try_join_all(more).await? {
            reply.usage = match (reply.usage, next.usage) {
                (Some(a), Some(b)) => Some((a.0 + b.0, a.1 + b.1)),
                _ => None,
            };
            reply.attempts += next.attempts;
            reply.choices.extend(next.choices);
        }
        reply.ms = began.elapsed().as_millis() as u64;
        Ok(reply)
    }

    /// Asks once for `n` choices from `first` on, and again when that fails.
    async fn ask(
        &self,
        question: &Question,
        request: usize,
        first: usize,
        mut n: usize,
        show: &Sender<Delta>,
    ) -> Result<ChatReply> {
        let model = self.model().await?;
        let mut body = question.body(model, first, n);
        let mut tried = 0;
        loop {
            tried += 1;
            let mut shows = |choice: usize, text: &str| {
                // Nobody looks any more when the one who asked is gone.
                let _ = show.send((request, first + choice, text.to_string()));
            };
            match self.once(question, &body, n, &mut shows).await {
                Ok(mut reply) => {
                    reply.attempts = tried;
                    self.compare(&reply.model);
                    return Ok(reply);
                }
                Err(failure) if n > 1 && failure.is_about_n() => {
                    n = 1;
                    body = question.body(model, first, n);
                }
                Err(failure) => self.wire.pause(failure, tried).await?,
            }
        }
    }

    /// One attempt. One of which some text was shown is not made again: a person would read the
    /// beginning twice, and it need not be the same.
    async fn once(
        &self,
        question: &Question,
        body: &Value,
        n: usize,
        show: &mut (dyn FnMut(usize, &str) + Send),
    ) -> Result<ChatReply, Failure> {
        // Only who may ask now sets something aside, not who waits for a place.
        let _place = self.wire.enter().await?;
        let most = u64::from(question.draw.max_tokens) * n as u64;
        let mut promise = self.account.promise(tokens_of(question.characters), most)?;
        let mut gather = Gather::new(self.profile.thinks_first, n);
        let mut raw = String::new();
        let mut done = false;
        let mut streams = false;
        let mut take = |incoming: Incoming<'_>| {
            let (value, text) = match incoming {
                Incoming::Done => {
                    (streams, done) = (true, true);
                    return Ok(Flow::More);
                }
                Incoming::Whole(value, text) => (value, text),
                Incoming::Event(value, text) => {
                    streams = true;
                    (value, text)
                }
            };
            keep(&mut raw, text);
            let taken = gather.take(value, show);
            // What came was paid for, also if nobody waits for the rest.
            promise.seen = gather.seen;
            taken.map(|()| gather.flow())
        };
        let asked = self.wire.exchange(To::Api(question.path), Some(body), &mut take).await;
        let asked = asked.and_then(|()| complete(&gather, streams, done));
        if let Err(failure) = asked {
            return Err(if gather.shown { shown_already(failure) } else { failure });
        }
        promise.keep(gather.usage);
        Ok(ChatReply {
            usage: gather.usage,
            model: std::mem::take(&mut gather.model),
            choices: gather.choices(),
            raw: self.wire.clean(&raw),
            attempts: 1,
            ms: 0,
        })
    }
}

/// Whether what came is all: of a stream, each choice said how it ended, or the stream that it did.
fn complete(gather: &Gather, streams: bool, done: bool) -> Result<(), Failure> {
    if gather.is_empty() {
        let what = if streams { "the stream has no answer in it" } else { "the answer is empty" };
        return Err(Failure::passing(format!("{what}: choices is empty")));
    }
    if streams && !done && !gather.is_finished() {
        return Err(Failure::passing("the stream was cut before the answer ended"));
    }
    Ok(())
}

fn shown_already(failure: Failure) -> Failure {
    let hint = "what was shown of it is not the whole answer; ask again";
    let error = failure.error.hint(hint);
    Failure { again: false, error, ..failure }
}

/// Keeps the beginning of what came.
fn keep(raw: &mut String, text: &str) {
    if raw.len() >= RAW {
        return;
    }
    if !raw.is_empty() {
        raw.push('\n');
    }
    let room = (RAW - raw.len()).min(text.len());
    let end = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    raw.push_str(&text[..end]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_of_what_came_is_kept() {
        let mut raw = String::new();
        keep(&mut raw, "a");
        keep(&mut raw, &"é".repeat(RAW));
        keep(&mut raw, "b");
        assert!(raw.starts_with("a\né") && raw.len() <= RAW && raw.len() > RAW - 2);
    }
}
