//! How the parts of a prompt are told apart in the tokens of a model: by control tokens of its own,
//! as turns of a conversation, or in words.

use crate::error::{Error, Result};
use crate::model::template::Turns;
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

/// What a model that speaks in turns is told before anything else, unless a person wrote another
/// (`system.txt` beside its files).
pub const SYSTEM: &str = "You act in a text environment. Each message of the user is what the \
                          environment shows. Answer with the next action alone, on one line. Where \
                          your answer begins with `Thought:`, think instead.";

/// A model's way of telling parts apart.
///
/// In a conversation the environment is the user and the agent the assistant: an action and what it
/// led to are turns of theirs, so that a state is a prefix of the next one, and what is foreseen is
/// what the user says next. A thought is a turn of the assistant that begins with `Thought:`.
#[derive(Debug)]
pub struct Dialect<'a> {
    tokenizer: &'a Tokenizer,
    /// What stands before each part, in the order of [`Part`].
    marks: [Vec<u32>; 4],
    /// What every prompt begins with.
    beginning: Vec<u32>,
    /// The token that ends what was begun.
    end: u32,
}

impl<'a> Dialect<'a> {
    /// That of a tokenizer.
    pub fn of(tokenizer: &'a Tokenizer) -> Result<Self> {
        if let (true, Ok(turns)) = (tokenizer.foreign, &tokenizer.turns) {
            return Self::of_turns(tokenizer, turns);
        }
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
        let beginning = tokenizer.opening.clone();
        Ok(Self { tokenizer, marks, beginning, end: tokenizer.end })
    }

    /// That of a model that speaks in turns.
    fn of_turns(tokenizer: &'a Tokenizer, turns: &Turns) -> Result<Self> {
        // What stands between two messages begins with the end of the first.
        let split = |between: &str| -> Result<(u32, Vec<u32>)> {
            let mut tokens = tokenizer.encode(between)?.into_iter();
            Ok((tokens.next().unwrap_or(tokenizer.end), tokens.collect()))
        };
        let (_, user) = split(&turns.to_user)?;
        let (end, assistant) = split(&turns.to_assistant)?;
        let thought = [assistant.as_slice(), &tokenizer.encode("Thought:")?].concat();
        // A template's text is the model's own; the system's message is ours.
        let beginning = [
            tokenizer.encode(&turns.opening)?,
            tokenizer.encode_plain(tokenizer.system.as_deref().unwrap_or(SYSTEM))?,
            tokenizer.encode(&turns.after_system)?,
        ];
        let marks = [Vec::new(), user, assistant, thought];
        Ok(Self { tokenizer, marks, beginning: beginning.concat(), end })
    }

    /// How it tells parts apart, for people.
    pub fn name(tokenizer: &Tokenizer) -> &'static str {
        match (tokenizer.foreign, &tokenizer.turns) {
            (false, _) => "control tokens",
            (true, Ok(_)) => "chat template",
            (true, Err(_)) => "words",
        }
    }

    /// Whether a first observation stands in a turn of its own, or in that of the task.
    pub fn has_turns(&self) -> bool {
        self.tokenizer.foreign && self.tokenizer.turns.is_ok()
    }

    /// What every prompt begins with.
    pub fn beginning(&self) -> &[u32] {
        &self.beginning
    }

    /// The token that ends what was begun.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// What stands before a part.
    pub fn mark(&self, part: Part) -> &[u32] {
        &self.marks[part as usize]
    }

    /// Text from outside as it stands after its mark. Words and text are tokenized as a whole, and
    /// parted where the words end, as far as they are the same tokens alone; what begins a turn
    /// keeps apart from its text by itself.
    pub fn text(&self, part: Part, text: &str) -> Result<Vec<u32>> {
        if self.has_turns() {
            let apart = if part == Part::Thought { " " } else { "" };
            return self.tokenizer.encode_plain(&format!("{apart}{text}"));
        }
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
