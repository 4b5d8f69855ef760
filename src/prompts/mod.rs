//! Prompts that are rewritten by reflection on what came of them: GEPA (arXiv 2507.19457; the loop as in
//! gepa 0.1.4), with a beam as the other way of choosing what is rewritten (APO, arXiv 2305.03495).
//!
//! A candidate is a text. It is tried on items, each of which gives a score and words about what
//! happened; a mind reads some of them and writes a new text; that is kept if it does strictly better on
//! those, and then tried on all items for validation. Each item keeps the candidates that are best on it,
//! and whichever are best somewhere go on being rewritten (`front`).
//!
//! Every answer of a trial and of the writer is kept as it comes, under a name that says what was asked
//! ([`Journal`]). The loop is a function of its plan and of these answers alone, so that one that was
//! stopped goes on by being run again.

mod front;
mod optimise;
mod outside;
mod playing;
mod rewrite;
mod writer;

use crate::error::{Error, Result};

pub use optimise::{Known, Outcome, Written, optimise};
pub use outside::{OfAgent, Outside};
pub use playing::{Game, Playing, profile, unfit};

/// How a prompt is optimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Items that texts are rewritten by.
    pub train: usize,
    /// Items that candidates are compared on.
    pub validation: usize,
    /// Trials of an item at most, all together.
    pub budget: u64,
    /// Items that a rewriting is made by.
    pub minibatch: usize,
    /// What is rewritten next.
    pub select: Select,
    /// Decides everything that is drawn.
    pub seed: u64,
}

impl Plan {
    /// An error for what makes no sense.
    pub fn vet(&self) -> Result<()> {
        if self.train < self.minibatch || self.minibatch == 0 || self.validation == 0 {
            return Err(Error::usage(format!(
                "{} items to rewrite by and {} to compare on, {} at a time",
                self.train, self.validation, self.minibatch
            ))
            .hint("at least one to compare on, and as many to rewrite by as are taken at a time"));
        }
        if self.budget < self.validation as u64 {
            return Err(Error::usage(format!(
                "a budget of {} trials is not enough for one text on {} items",
                self.budget, self.validation
            )));
        }
        Ok(())
    }
}

/// What is rewritten next.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Select {
    /// A candidate that is best on some item, by the number of items that it is best on (GEPA).
    Front,
    /// One of the four best on average (APO).
    Beam,
    /// The best on average.
    Best,
}

/// An item to be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// One that texts are rewritten by.
    Train(usize),
    /// One that candidates are compared on.
    Validation(usize),
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Scored {
    /// 1 for success, 0 for none; what it was worth between them.
    pub score: f64,
    /// What the item asked.
    pub input: String,
    /// What happened.
    pub output: String,
    /// What is said about it.
    pub feedback: String,
}

/// Who tries candidates, and rewrites them.
pub trait Trial {
    /// Tries a text on some items; `each` is told what came of an item as soon as it is known.
    fn run(
        &mut self,
        text: &str,
        items: &[Item],
        each: &mut dyn FnMut(usize, Scored) -> Result<()>,
    ) -> Result<()>;

    /// Answers a request for a new text.
    fn rewrite(&mut self, request: &str) -> Result<String>;

    /// Why a new text cannot be used, if it cannot.
    fn vet(&self, _text: &str) -> Option<String> {
        None
    }
}

/// Answers by the names of what was asked, kept as they come.
pub trait Journal {
    /// The answer of that name, if it is known.
    fn known(&self, name: &str) -> Result<Option<String>>;

    /// Keeps an answer; when this returns, it survives.
    fn keep(&mut self, name: &str, answer: &str) -> Result<()>;
}

#[cfg(test)]
mod tests;
