//! Calls that go on from one another: the conversations of a trace.

use std::collections::HashMap;

use serde_json::Value;

use super::attributes::Span;
use super::calls::Call;
use super::parts::{Said, key, role};
use crate::budget;
use crate::error::{Error, Result};

/// A conversation, as far as it was traced.
pub(super) struct Conversation<'a> {
    /// Its calls, the first one first.
    pub calls: Vec<&'a Span>,
    /// Others that tell of the same calls.
    pub again: Vec<&'a Span>,
    /// What was said beside it, as its first call has it.
    pub system: Vec<Value>,
    /// All of it; the last message is its last call's answer.
    pub messages: Vec<Value>,
    /// What each message says.
    keys: Vec<u64>,
}

impl<'a> Conversation<'a> {
    /// A conversation of so far no calls.
    fn of(system: Vec<Value>, messages: Vec<Value>, keys: Vec<u64>) -> Self {
        Self { calls: Vec::new(), again: Vec::new(), system, messages, keys }
    }

    /// What it belongs to, by name.
    pub fn id(&self) -> Option<String> {
        self.calls.first().and_then(|call| call.belongs_to())
    }

    /// Adds what a call was asked that is new, and its answer.
    fn add(&mut self, call: &'a Span, asked: impl IntoIterator<Item = Value>, answer: Value) {
        for message in asked.into_iter().chain([answer]) {
            self.keys.push(key(&message));
            self.messages.push(message);
        }
        self.calls.push(call);
    }

    /// Whether these are its last messages: all of its own, those that a window left, or the first one and those.
    fn ends_with(&self, known: &[u64]) -> bool {
        let window =
            known.get(1..).filter(|rest| rest.len() > 1 && known.first() == self.keys.first());
        self.keys.ends_with(known) || window.is_some_and(|rest| self.keys.ends_with(rest))
    }

    /// The same up to one of its answers, to be gone on from otherwise.
    fn up_to(&self, length: usize) -> Self {
        let (system, messages) = (self.system.clone(), self.messages[..length].to_vec());
        Self::of(system, messages, self.keys[..length].to_vec())
    }
}

/// The conversations of calls that stand in order of time.
pub(super) fn joined(calls: Vec<Call<'_>>) -> Result<Vec<Conversation<'_>>> {
    let mut all = Joining::default();
    for call in calls {
        budget::cancel().check()?;
        all.add(call)?;
    }
    Ok(all.found)
}

/// Conversations that are being put together.
#[derive(Default)]
struct Joining<'a> {
    found: Vec<Conversation<'a>>,
    /// Which of them ended so, by what their last two messages say.
    ends: HashMap<[u64; 2], Vec<usize>>,
    /// Calls in which the same was asked and answered, and the conversation of each.
    told: HashMap<Vec<u64>, Vec<(&'a Span, usize)>>,
    /// In which an answer of that name is, and how many messages it has with it.
    named: HashMap<String, (usize, usize)>,
}

impl<'a> Joining<'a> {
    fn add(&mut self, Call { span, said, keys }: Call<'a>) -> Result<()> {
        let Said { system, asked, answer } = said;
        let mut same = self.told.get(&keys).into_iter().flatten();
        if let Some((_, at)) = same.find(|(other, _)| span.is_told_by(other)) {
            self.found[*at].again.push(span);
            return Ok(());
        }
        let (at, known) = match (self.by_words(span, &asked, &keys), span.previous()) {
            (Some(found), _) => found,
            (None, Some(before)) => (self.by_name(span, &before)?, 0),
            (None, None) => {
                self.found.push(Conversation::of(system, Vec::new(), Vec::new()));
                (self.found.len() - 1, 0)
            }
        };
        let of = &mut self.found[at];
        of.add(span, asked.into_iter().skip(known), answer);
        if let [.., before, answer] = of.keys[..] {
            self.ends.entry([before, answer]).or_default().push(at);
        }
        self.told.entry(keys).or_default().push((span, at));
        self.named.extend(span.response().map(|id| (id, (at, of.messages.len()))));
        Ok(())
    }

    /// Which conversation these messages go on from, and how many of them it has already: that which has most of
    /// them, all of its own or those that a window left; of such ones the last that is within the same span, else
    /// the last.
    fn by_words(&self, call: &Span, asked: &[Value], keys: &[u64]) -> Option<(usize, usize)> {
        let answers = asked.iter().enumerate().rev().filter(|(_, one)| role(one) == "assistant");
        answers.into_iter().find_map(|(n, _)| {
            let known = &keys[..=n];
            // An answer alone is in many conversations.
            let [.., before, answer] = *known else { return None };
            let ended = self.ends.get(&[before, answer])?.iter().rev();
            let mut ended = ended.filter(|at| self.found[**at].ends_with(known));
            let mut near = ended.clone();
            let beside = |at: &&usize| {
                self.found[**at].calls.last().is_some_and(|last| last.parent == call.parent)
            };
            let at = near.find(beside).or_else(|| ended.next())?;
            Some((*at, n + 1))
        })
    }

    /// The conversation that ends with the answer of that name: where it was gone on from before, another one.
    fn by_name(&mut self, call: &Span, name: &str) -> Result<usize> {
        let Some((at, length)) = self.named.get(name).copied() else {
            let what =
                format!("a call that goes on from the answer {name}, which is not in this file");
            return Err(Error::new(what)
                .at(&call.place)
                .hint("the answer that it goes on from has it as gen_ai.response.id"));
        };
        if self.found[at].messages.len() == length {
            return Ok(at);
        }
        let other = self.found[at].up_to(length);
        self.found.push(other);
        Ok(self.found.len() - 1)
    }
}
