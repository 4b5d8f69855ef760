//! How the parts of a prompt are told apart in the tokens of a model: by control tokens of its own,
//! or in words.

use crate::error::{Error, Result};
use crate::model::tokenizer::{ACTION, OBSERVATION, TASK, THINK, Tokenizer};

/// What a part of a prompt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The goal.
    Task,
    /// What the environment said.
    Observation,
    /// What was sent.
    Action,
    /// What was thought before that.
    Thought,
}

impl Part {
    /// The control token before it.
    fn control(self) -> &'static str {
        match self {
            Self::Task => TASK,
            Self::Observation => OBSERVATION,
            Self::Action => ACTION,
            Self::Thought => THINK,
        }
    }

    /// The words before it, in a model that has no such token. The space after them belongs to the
    /// text: that is how models have read it everywhere else.
    fn words(self) -> &'static str {
        match self {
            Self::Task => "Task:",
            Self::Observation => "\nObservation:",
            Self::Action => "\nAction:",
            Self::Thought => "\nThought:",
        }
    }
}

/// A model's way of telling parts apart: by control tokens of its own, or in words if it was not
/// made here.
#[derive(Debug)]
pub struct Dialect<'a> {
    tokenizer: &'a Tokenizer,
    /// What stands before each part, in the order of [`Part`].
    marks: [Vec<u32>; 4],
}

impl<'a> Dialect<'a> {
    /// That of a tokenizer.
    pub fn of(tokenizer: &'a Tokenizer) -> Result<Self> {
        let mark = |part: Part| {
            if tokenizer.foreign {
                return tokenizer.encode_plain(part.words());
            }
            let id = tokenizer.control(part.control());
            let id = id.ok_or_else(|| {
                Error::new(format!("tokenizer.json: no token {}", part.control()))
            })?;
            Ok(vec![id])
        };
        let marks = [
            mark(Part::Task)?,
            mark(Part::Observation)?,
            mark(Part::Action)?,
            mark(Part::Thought)?,
        ];
        Ok(Self { tokenizer, marks })
    }

    /// What every prompt begins with.
    pub fn beginning(&self) -> &[u32] {
        &self.tokenizer.opening
    }

    /// The token that ends what was begun.
    pub fn end(&self) -> u32 {
        self.tokenizer.end
    }

    /// What stands before a part.
    pub fn mark(&self, part: Part) -> &[u32] {
        &self.marks[part as usize]
    }

    /// Text from outside as it stands after its mark. Words and text are tokenized as a whole, and
    /// parted where the words end, as far as they are the same tokens alone.
    pub fn text(&self, part: Part, text: &str) -> Result<Vec<u32>> {
        if !self.tokenizer.foreign {
            return self.tokenizer.encode_plain(text);
        }
        let whole = self.tokenizer.encode_plain(&format!("{} {text}", part.words()))?;
        match whole.strip_prefix(self.mark(part)) {
            Some(rest) => Ok(rest.to_vec()),
            None => self.tokenizer.encode_plain(&format!(" {text}")),
        }
    }
}
