//! How actions and thoughts are asked for, and answers that come each in its own time.

use std::collections::HashSet;

use super::RemoteAgent;
use super::answers::{action_in, thought_in};
use crate::agent::dealt::drawn;
use crate::agent::endpoint::{self, ChatReply, ChatRequest, Draw, Finish};
use crate::agent::prompt::chat::Question;
use crate::agent::{Ask, Completion, Flow};
use crate::control::Cancel;
use crate::error::Result;
use crate::model::sampler::Sampling;

/// How many tokens an action and a thought may take; the first leaves room for a thought before the
/// action.
const ACTION: u32 = 384;
const THOUGHT: u32 = 512;

/// What was written of a choice.
pub(super) fn written(choice: &endpoint::Choice, read: fn(&str) -> String) -> Completion {
    Completion {
        text: read(&choice.text),
        ended: choice.finished == Finish::Stop,
        ..Completion::default()
    }
}

/// How a kind of answer is asked for and read.
pub(super) struct Way {
    pub max_tokens: u32,
    /// What comes after it is of no use, and a small model goes on and on.
    pub stop: &'static str,
    pub read: fn(&str) -> String,
}

pub(super) const TO_ACT: Way = Way { max_tokens: ACTION, stop: "</action>", read: action_in };
pub(super) const TO_THINK: Way = Way { max_tokens: THOUGHT, stop: "<action>", read: thought_in };

/// Answers of an endpoint, each in its own time.
pub(super) struct Flowing<'a> {
    agent: &'a RemoteAgent,
    under_way: endpoint::UnderWay<'a>,
    /// Those that think.
    thinking: HashSet<usize>,
}

impl<'a> Flowing<'a> {
    /// Nothing is asked yet.
    pub fn of(agent: &'a RemoteAgent) -> Self {
        Self { agent, under_way: agent.endpoint.under_way(), thinking: HashSet::new() }
    }
}

impl Flow for Flowing<'_> {
    fn ask(&mut self, number: usize, ask: Ask<'_>, thinks: bool, how: Sampling) {
        let (messages, way) = if thinks {
            self.thinking.insert(number);
            (self.agent.asked(ask.state, Question::Think), TO_THINK)
        } else {
            (self.agent.acting(ask.state, ask.thought), TO_ACT)
        };
        let seed = ask.seeds.first().copied();
        let draw = Draw { seed, stop: vec![way.stop.into()], ..drawn(how, way.max_tokens) };
        self.under_way.ask(number, ChatRequest { messages, draw });
    }

    fn answers(&mut self, cancel: &Cancel) -> Result<Vec<(usize, Completion)>> {
        let found = self.under_way.answers(cancel).map_err(|error| self.agent.named(error))?;
        let read = |(number, reply): (usize, ChatReply)| {
            let way = if self.thinking.remove(&number) { TO_THINK } else { TO_ACT };
            let first = reply.choices.first().map(|choice| written(choice, way.read));
            (number, first.unwrap_or_default())
        };
        let found = found.into_iter().map(read).collect();
        self.agent.warns();
        Ok(found)
    }
}
