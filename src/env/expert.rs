//! Experts: who knows what to do in a state.

use std::fmt;
use std::sync::Arc;

use super::Environment;
use crate::control::Cancel;
use crate::error::{Error, Result};

/// What an expert says about a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// The action it would take.
    pub action: String,
    /// Steps to the goal along its plan, this one included, where it has one.
    pub steps_left: Option<usize>,
}

/// Why an expert says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAdvice {
    /// The episode is over.
    Done,
    /// The state is not one that the stored walkthrough passes through.
    OffPath,
    /// It is proved that the goal cannot be reached from here any more.
    Unsolvable,
    /// There is no planner, or it does not say, so that nobody knows how far the goal is.
    NoPlanner,
    /// The search reached that many nodes, its limit.
    GaveUp(usize),
    /// The person asked to stop.
    Cancelled,
    /// Anything else, in words.
    Other(String),
}

impl fmt::Display for NoAdvice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => write!(f, "the episode is over"),
            Self::OffPath => write!(f, "this state is off the walkthrough"),
            Self::Unsolvable => write!(f, "the goal cannot be reached from here any more"),
            Self::NoPlanner => write!(f, "nobody here knows how far the goal is"),
            Self::GaveUp(nodes) => write!(f, "no plan found within {nodes} nodes"),
            Self::Cancelled => write!(f, "cancelled"),
            Self::Other(why) => write!(f, "{why}"),
        }
    }
}

impl From<Error> for NoAdvice {
    fn from(error: Error) -> Self {
        Self::Other(error.to_string())
    }
}

/// Something that knows what to do in some or all states of a task.
pub trait Expert: Send + Sync {
    /// A short name for screens and records.
    fn name(&self) -> &'static str;

    /// The action for this state.
    fn advise(&self, env: &dyn Environment, cancel: &Cancel) -> Result<Advice, NoAdvice>;

    /// All admissible actions that start a shortest way to the goal, for an expert that knows the
    /// world; one that does not only knows its own.
    fn optimal_actions(
        &self,
        env: &dyn Environment,
        cancel: &Cancel,
    ) -> Result<Vec<Arc<str>>, NoAdvice> {
        self.advise(env, cancel).map(|advice| vec![advice.action.into()])
    }
}

/// An expert that speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenAdvice {
    /// Who.
    pub name: &'static str,
    /// What it says.
    pub advice: Advice,
    /// Why the one who was asked is silent, if that is another one.
    pub silence: Option<NoAdvice>,
}

/// The expert that knows the world, and therefore how far the goal is.
pub const PLANNER: &str = "planner";

/// The experts that a suite offers for a task; the first is the one that speaks unless another is
/// asked for.
#[derive(Default)]
pub struct Experts(Vec<Box<dyn Expert>>);

impl Experts {
    /// These, in this order.
    pub fn new(list: Vec<Box<dyn Expert>>) -> Self {
        Self(list)
    }

    /// Their names.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|expert| expert.name()).collect()
    }

    /// The one of that name, or the first.
    pub fn get(&self, name: Option<&str>) -> Result<&dyn Expert> {
        let found = match name {
            Some(name) => self.0.iter().find(|expert| expert.name() == name),
            None => self.0.first(),
        };
        found.map(AsRef::as_ref).ok_or_else(|| match name {
            Some(name) => Error::usage(format!("there is no expert `{name}` here"))
                .hint(format!("experts of this suite: {}, and human", self.names().join(", "))),
            None => Error::new("this suite offers no expert")
                .hint("play games by hand in Explore and keep them"),
        })
    }

    /// What the expert of that name says, or where it has no answer what another one says: who
    /// speaks, and why the one asked does not. Where everyone is silent, the silence of the one
    /// asked.
    pub fn advise(
        &self,
        name: Option<&str>,
        env: &dyn Environment,
        cancel: &Cancel,
    ) -> Result<GivenAdvice, NoAdvice> {
        let asked = self.get(name)?;
        let why = match asked.advise(env, cancel) {
            Ok(advice) => return Ok(GivenAdvice { name: asked.name(), advice, silence: None }),
            Err(why) => why,
        };
        for other in self.0.iter().filter(|other| other.name() != asked.name()) {
            if let Ok(advice) = other.advise(env, cancel) {
                return Ok(GivenAdvice { name: other.name(), advice, silence: Some(why) });
            }
        }
        Err(why)
    }

    /// Steps of a shortest way to the goal, where something knows the world.
    pub fn distance(&self, env: &dyn Environment, cancel: &Cancel) -> Result<usize, NoAdvice> {
        if env.turn().success {
            return Ok(0);
        }
        let planner = self.get(Some(PLANNER)).map_err(|_| NoAdvice::NoPlanner)?;
        planner.advise(env, cancel)?.steps_left.ok_or(NoAdvice::NoPlanner)
    }

    /// All admissible actions that start a shortest way to the goal, where something knows the
    /// world.
    pub fn optimal_actions(
        &self,
        env: &dyn Environment,
        cancel: &Cancel,
    ) -> Result<Vec<Arc<str>>, NoAdvice> {
        self.get(Some(PLANNER))?.optimal_actions(env, cancel)
    }
}
