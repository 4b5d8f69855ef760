//! The language model as an agent: asked to act, to predict, and to explain.
//!
//! [`Agent`] is what the rest of the program knows of a mind. [`open`] is where a name becomes one;
//! [`template::Template`] writes reflections with no model at all.

pub mod alternatives;
mod dealt;
pub mod endpoint;
mod hub;
mod local;
pub mod minds;
mod open;
pub mod prompt;
pub mod remote;
mod roles;
mod saved;
pub mod served;
mod shares;
mod speaking;
mod star;
pub mod template;

pub use endpoint::{Estimate, Spent};
pub use hub::HubName;

use crate::control::Cancel;
use crate::error::Result;
use crate::experience::{Branch, State};
use crate::model::sampler::Sampling;
pub use open::{
    Located, NEWEST, check, connect, find, knows, load, local, locate, named, no_weights, open,
    played_by, serving,
};
pub use roles::{Cast, Roles};
pub use saved::{AWAY, Held, distant, hold, is_held, lies_at, read};
pub use shares::{SAMPLES, Weighed, argmax, log_shares, scores_of, shares, weigh};
pub use speaking::{Asking, Calls, Prompted, Speaker, Voice};
pub use star::Star;

/// How a mind knows how likely actions are. Figures of different kinds are never compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scores {
    #[default]
    /// The log-probability of each action as a whole, from the model's own distribution.
    Exact,
    /// The same, by making it write each action (one generation an action).
    Forced,
    /// The first token of a numbered choice.
    Choice,
    /// How often each action is among some samples.
    Frequency,
    /// Not at all.
    None,
}

impl Scores {
    /// In words, as it stands beside every figure that is not exact.
    pub fn describe(self) -> String {
        match self {
            Self::Exact => "exact".into(),
            Self::Forced => "forced".into(),
            Self::Choice => "by choice".into(),
            Self::Frequency => format!("frequency of {SAMPLES}"),
            Self::None => "not scored".into(),
        }
    }
}

/// What a mind can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Can {
    /// How it scores actions by itself; [`Scores::None`] where it does not, and samples are counted
    /// ([`weigh`]).
    pub scores: Scores,
    /// Whether its completions carry the tokens that were written, and their log-probabilities.
    pub tokens: bool,
    /// Tokens that it reads and writes together, where that is known.
    pub context: Option<usize>,
    /// States that are best asked about at once.
    pub at_once: usize,
}

/// A state that a mind is asked about, with what it thought there if it did.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The state.
    pub state: &'a State,
    /// The thought that comes before the action.
    pub thought: Option<&'a str>,
    /// A completion is written for each. The text of a seed does not depend on the others.
    pub seeds: &'a [u64],
}

impl<'a> Ask<'a> {
    /// About a state as it is, without a thought.
    pub fn about(state: &'a State, seeds: &'a [u64]) -> Self {
        Self { state, thought: None, seeds }
    }
}

/// A state, and some actions to be scored or foreseen there.
#[derive(Debug, Clone, Copy)]
pub struct Among<'a> {
    /// The state.
    pub state: &'a State,
    /// The thought that comes before the action; predictions are made without one.
    pub thought: Option<&'a str>,
    /// The actions.
    pub actions: &'a [String],
}

impl<'a> Among<'a> {
    /// Some actions of a state, without a thought.
    pub fn of(state: &'a State, actions: &'a [String]) -> Self {
        Self { state, thought: None, actions }
    }
}

/// What a mind wrote.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Completion {
    /// The text, without white space around it.
    pub text: String,
    /// The tokens as they were written; empty where the mind gives none.
    pub tokens: Vec<u32>,
    /// The log-probability of each token in nats, and of the one that ended it, at temperature 1
    /// without any cut.
    pub logps: Vec<f32>,
    /// Whether it came to its end, and not to a limit.
    pub ended: bool,
    /// Tokens that it was written to; 0 where the mind does not say.
    pub prompt: usize,
}

impl Completion {
    /// The text, if it came to its end; half a text is worse than none.
    pub fn whole(self) -> String {
        if self.ended { self.text } else { String::new() }
    }
}

/// What was asked of a mind so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    /// States that it was asked about.
    pub asks: u64,
    /// Tokens of prompts.
    pub prompt_tokens: u64,
    /// Tokens of answers, and of actions that were scored.
    pub answer_tokens: u64,
}

impl Usage {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            asks: self.asks + other.asks,
            prompt_tokens: self.prompt_tokens + other.prompt_tokens,
            answer_tokens: self.answer_tokens + other.answer_tokens,
        }
    }

    /// What came after an earlier count.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            asks: self.asks - earlier.asks,
            prompt_tokens: self.prompt_tokens - earlier.prompt_tokens,
            answer_tokens: self.answer_tokens - earlier.answer_tokens,
        }
    }
}

/// Sees the text of prediction `action` of ask `ask` as it grows: `each(ask, action, text)`.
pub type Each<'a> = &'a mut (dyn FnMut(usize, usize, &str) + Send);

/// A mind: policy, world model and reflector in one. It is asked about many states at once, from
/// one thread at a time, and every call has a cancel of its own: once that is asked for, the answer
/// is an error that says so.
///
/// p(a | s), or p(c | s) and then p(a | s, c), which is what training on reflections makes (paper,
/// section 4.3).
pub trait Agent: Reflector {
    /// What it goes by ("embedded", "run 3 step 200").
    fn name(&self) -> String;

    /// What the mind that predicts goes by, where that is another.
    fn world_name(&self) -> String {
        self.name()
    }

    /// What is said of it in a header: its name, and those of the minds beside it.
    fn described(&self) -> String {
        self.name()
    }

    /// What it can do.
    fn can(&self) -> Can;

    /// What was asked of it so far.
    fn usage(&self) -> Usage;

    /// Whether what a state begins with (the task and the first observation) is short enough for
    /// it; later steps are left out where there is no room for them.
    fn reads(&self, _state: &State) -> Result<bool> {
        Ok(true)
    }

    /// Actions as free text: for each ask a completion a seed.
    fn act(
        &mut self,
        asks: &[Ask<'_>],
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Completion>>>;

    /// What it thinks in each state before it acts: a completion a seed.
    fn think(
        &mut self,
        asks: &[Ask<'_>],
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Completion>>>;

    /// Log-probability in nats of each action as a whole; none where [`Can::scores`] says so.
    fn score(&mut self, asks: &[Among<'_>], cancel: &Cancel) -> Result<Option<Vec<Vec<f64>>>>;

    /// The next observation after each action, the likeliest words.
    fn predict(
        &mut self,
        asks: &[Among<'_>],
        cancel: &Cancel,
        each: Each<'_>,
    ) -> Result<Vec<Vec<String>>>;

    /// Has what it writes in states come each in its own time, where it answers so: none of a mind that
    /// is quickest about all of them together.
    fn flow(&self) -> Option<Box<dyn Flow + '_>> {
        None
    }

    /// What it is given to act, exactly, as text for a person.
    fn given(&self, state: &State, thought: Option<&str>) -> Result<String>;
}

/// States that a mind is asked about, each of which is answered in its own time.
pub trait Flow {
    /// Asks for an action, or for a thought, in a state; by the first seed.
    fn ask(&mut self, number: usize, ask: Ask<'_>, thinks: bool, how: Sampling);

    /// Those answers that are there, by the numbers they were asked under; waits for one at least.
    fn answers(&mut self, cancel: &Cancel) -> Result<Vec<(usize, Completion)>>;
}

impl dyn Agent + '_ {
    /// One thought about one state.
    pub fn think_once(
        &mut self,
        state: &State,
        how: Sampling,
        seed: u64,
        cancel: &Cancel,
    ) -> Result<String> {
        let found = self.think(&[Ask::about(state, &[seed])], how, cancel)?;
        Ok(found.into_iter().flatten().next().unwrap_or_default().text)
    }

    /// What some actions of one state lead to.
    pub fn foresee(
        &mut self,
        state: &State,
        actions: &[String],
        cancel: &Cancel,
    ) -> Result<Vec<String>> {
        let found = self.predict(&[Among::of(state, actions)], cancel, &mut |_, _, _| {})?;
        Ok(found.into_iter().next().unwrap_or_default())
    }
}

/// One state with everything that was executed in it, from which a reflection is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The state.
    pub state: State,
    /// The expert's action.
    pub action: String,
    /// What it led to.
    pub outcome: String,
    /// The executed alternatives that it is contrasted with; never empty.
    pub alternatives: Vec<Branch>,
    /// What else was executed here: alternatives that are as good, and those of other pools.
    pub others: Vec<Branch>,
    /// What could be done here, where it is listed.
    pub admissible: Vec<String>,
}

/// Explains why the expert's action is preferable.
pub trait Reflector: Send {
    /// What the reflection is labelled with; of a writer that does not see outcomes, it begins with
    /// [`crate::experience::RATIONALE`].
    fn generator(&self) -> String;

    /// Whether the writer is given the executed outcomes. What it writes without them is a
    /// rationale: it cites nothing, and no run trains on it unless asked to.
    fn sees_outcomes(&self) -> bool;

    /// Whether it finds anything in a case that tells the actions apart. What it writes of others
    /// says so, and is not collected.
    fn has_contrast(&self, _case: &Case) -> bool {
        true
    }

    /// What was spent on it so far, where tokens are counted and paid for.
    fn spent(&self) -> Option<Spent> {
        None
    }

    /// What reflections about these cases may come to, where that is paid for.
    fn expects(&self, _cases: &[&Case]) -> Option<Estimate> {
        None
    }

    /// Writes the monologue about each case, by its seed; `how` words are drawn, where they are. A
    /// text that did not come to its end is empty.
    fn reflect(
        &mut self,
        cases: &[(&Case, u64)],
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<String>>;
}

/// How the words of reflections are drawn unless another way is asked for.
pub const REFLECTING: Sampling = Sampling { temperature: 0.7, top_p: 0.95, ..Sampling::GREEDY };

/// Who may write another attempt at a reflection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// The model, at temperature 0.7.
    Model,
    /// The model, the likeliest words.
    Greedy,
    /// The model, at temperature 1.1.
    Bold,
    /// The template.
    Template,
}

impl Writer {
    /// All of them, with what a person should know.
    pub const ALL: [(Self, &str); 4] = [
        (Self::Model, "the model in Explore, temperature 0.7: a rationale, it sees no outcome"),
        (Self::Greedy, "the same, its likeliest words"),
        (Self::Bold, "the same, temperature 1.1"),
        (Self::Template, "the template, from the executed outcomes"),
    ];
}
