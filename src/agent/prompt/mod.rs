//! How a state becomes tokens: the same in training, in evaluation and on the screen.
//!
//! ```text
//! <|task|>GOAL<|obs|>FIRST OBSERVATION<|end|> (<|act|>ACTION<|end|><|obs|>OBSERVATION<|end|>)*
//! ```
//! A model that was not made here has no such tokens: it is asked in turns of a conversation if it
//! has a chat template, else in words ([`Dialect`]); one that is asked over a line, and an export,
//! in messages ([`chat`]).
//!
//! To act, `<|act|>` follows; to predict, `<|act|>ACTION<|end|><|obs|>`; to explain, `<|think|>`,
//! and the action after the explanation. The control tokens keep the three apart (a checkpoint that
//! learned to predict must not answer with an observation where an action is due), and a trajectory
//! with its alternatives is one token tree.

pub mod chat;
mod dialect;
mod questions;

use crate::error::{Error, Result};
use crate::experience::{State, word_f1};
use crate::model::tokenizer::Tokenizer;
pub use dialect::{Dialect, Part};
pub use questions::Questions;

/// Tokens kept free for what the model is to write.
pub const ROOM: usize = 192;

/// How many tokens a predicted observation, a proposed action (a search may be a whole sentence) and a
/// reflection may take.
pub const PREDICTION: usize = 96;
/// See [`PREDICTION`].
pub const PROPOSAL: usize = 96;
/// See [`PREDICTION`].
pub const REFLECTION: usize = 160;

/// Writes framed tokens.
#[derive(Debug)]
pub struct Framing<'a> {
    dialect: Dialect<'a>,
}

impl<'a> Framing<'a> {
    /// The framing of a tokenizer.
    pub fn new(tokenizer: &'a Tokenizer) -> Result<Self> {
        Ok(Self { dialect: Dialect::of(tokenizer)? })
    }

    /// A text after its mark, with its end.
    fn ended(&self, part: Part, text: &str) -> Result<Vec<u32>> {
        let mut tokens = self.dialect.text(part, text.trim())?;
        tokens.push(self.dialect.end());
        Ok(tokens)
    }

    /// What stands before an action.
    pub fn act(&self) -> Vec<u32> {
        self.dialect.mark(Part::Action).to_vec()
    }

    /// What stands before a reflection.
    pub fn think(&self) -> Vec<u32> {
        self.dialect.mark(Part::Thought).to_vec()
    }

    /// What stands before an observation.
    pub fn observe(&self) -> Vec<u32> {
        self.dialect.mark(Part::Observation).to_vec()
    }

    /// An action with what stands before it, and its end.
    pub fn acted(&self, action: &str) -> Result<Vec<u32>> {
        Ok([self.act(), self.action(action)?].concat())
    }

    /// An action after what stands before it, with its end.
    pub fn action(&self, action: &str) -> Result<Vec<u32>> {
        self.ended(Part::Action, action)
    }

    /// An observation after what stands before it, with its end.
    pub fn observation(&self, observation: &str) -> Result<Vec<u32>> {
        self.ended(Part::Observation, told(observation))
    }

    /// An action and what it led to, each with its end: what a history is made of.
    pub fn turn(&self, action: &str, observation: &str) -> Result<Vec<u32>> {
        Ok([self.acted(action)?, self.observe(), self.observation(observation)?].concat())
    }

    /// A reflection after what stands before it, with its end.
    pub fn reflection(&self, text: &str) -> Result<Vec<u32>> {
        self.ended(Part::Thought, text)
    }

    /// The task and the first observation.
    pub fn opening(&self, state: &State) -> Result<Vec<u32>> {
        let first = first_observation(&state.observation, &state.task);
        if self.dialect.has_turns() {
            let message = format!("Task: {}\n\n{first}", state.task.trim());
            return Ok(
                [self.dialect.beginning().to_vec(), self.ended(Part::Task, &message)?].concat()
            );
        }
        let parts = [
            self.dialect.beginning().to_vec(),
            self.dialect.mark(Part::Task).to_vec(),
            self.dialect.text(Part::Task, state.task.trim())?,
            self.observe(),
            self.ended(Part::Observation, &first)?,
        ];
        Ok(parts.concat())
    }

    /// A state as a model of so many tokens is asked about it, with a thought about it if there is one.
    pub fn asked(&self, state: &State, thought: Option<&str>, context: usize) -> Result<Vec<u32>> {
        let limit = context.saturating_sub(ROOM);
        let Some(thought) = thought else { return self.state(state, limit) };
        // A thought that was written token by token may read back as more of them: the history has
        // the less room then, and no thought has more than half.
        let mut after = self.think();
        after.extend(self.reflection(thought)?);
        after.truncate(context / 2);
        let room = context.saturating_sub(after.len() + ROOM - REFLECTION);
        let mut tokens = self.state(state, limit.min(room))?;
        tokens.extend(after);
        Ok(tokens)
    }

    /// A whole state within `limit` tokens. If it is too long, the oldest steps are left out, the
    /// opening never.
    pub fn state(&self, state: &State, limit: usize) -> Result<Vec<u32>> {
        let mut tokens = self.opening(state)?;
        let turns: Vec<Vec<u32>> = state
            .history
            .iter()
            .map(|(action, observation)| self.turn(action, observation))
            .collect::<Result<_>>()?;
        let room = limit.checked_sub(tokens.len()).ok_or_else(|| {
            Error::new(format!(
                "the first observation alone takes {} tokens; the model reads {limit}",
                tokens.len()
            ))
            .hint("use a model with a longer context")
        })?;
        let lengths: Vec<usize> = turns.iter().map(Vec::len).collect();
        tokens.extend(turns[window(&lengths, room)..].iter().flatten());
        Ok(tokens)
    }
}

/// The first of some turns that a state keeps when there is room for so many tokens: the oldest go
/// first. Training cuts by the same rule as acting, so that late states look the same in both.
pub fn window(lengths: &[usize], mut room: usize) -> usize {
    let mut kept = lengths.len();
    while kept > 0 && lengths[kept - 1] <= room {
        room -= lengths[kept - 1];
        kept -= 1;
    }
    kept
}

/// An observation as it stands in a prompt, in training and exports: without the location's number
/// that the older wording puts in front of an arrival, which common agent harnesses leave out.
pub fn told(observation: &str) -> &str {
    let arrival =
        observation.strip_prefix("You arrive at loc ").and_then(|rest| rest.split_once(". "));
    match arrival {
        Some((number, rest)) if number.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => observation,
    }
}

/// How right a prediction is: word F1 with what really came, as a model is told it.
pub fn rightness(predicted: &str, actual: &str) -> f64 {
    word_f1(predicted.trim(), told(actual).trim())
}

/// The first observation without the engine's banner and without the line that repeats the task.
pub fn first_observation(observation: &str, task: &str) -> String {
    let kept = observation
        .lines()
        .filter(|line| !line.starts_with("-= ") && (task.is_empty() || !line.contains(task)));
    kept.collect::<Vec<_>>().join("\n").trim().to_string()
}

#[cfg(test)]
mod tests;
