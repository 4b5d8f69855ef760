//! What may be used of a store.

use serde::{Deserialize, Serialize};

use crate::env::Share;
use crate::error::{Error, Result};
use crate::experience::{ActionEffect, UNIFORM, is_answers};

/// The share of instances that is held out unless a run asks for another.
pub const HELD_OUT: f64 = 0.05;

/// Fewer games than this are not held out at all: what a model costs on them says nothing.
pub const LEAST_HELD_OUT: usize = 10;

/// Which alternatives: a pool, or whatever was executed.
pub const ALL: &str = "all";

/// What may be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criteria {
    /// Only this suite.
    pub suite: Option<String>,
    /// Only this split: what is collected on the others is for testing.
    pub split: Option<String>,
    /// Only demonstrations by this expert, or [`ALL`]; without it, there must be one only, beside
    /// what a person played, which is left out then.
    pub expert: Option<String>,
    /// Only tasks of this part of the split.
    #[serde(default)]
    pub share: Option<Share>,
    /// Only texts by this writer, as it is recorded with them ("template").
    #[serde(default)]
    pub writer: Option<String>,
    /// The pool of alternatives, or [`ALL`].
    pub pool: String,
    /// At most so many alternatives a state, the first ones drawn.
    pub k: Option<usize>,
    /// Also texts that were written without sight of any outcome.
    pub rationales: bool,
    /// Also the states of visits whose answers stand in this pool, whatever the share: there the
    /// expert's answer is what is imitated (DAgger).
    #[serde(default)]
    pub visits: Option<String>,
    /// Effects of alternatives that are left out (of [`ActionEffect`]).
    #[serde(default)]
    pub without: Vec<ActionEffect>,
    /// At most this share of a trajectory's alternatives may be refused actions (`error`): the
    /// others of those are left out, the last drawn first.
    #[serde(default)]
    pub errors: Option<f64>,
    /// The share of instances that is kept out of training, for validation: none where that are
    /// fewer than [`LEAST_HELD_OUT`].
    pub held_out: f64,
}

impl Default for Criteria {
    fn default() -> Self {
        let suite = None;
        let split = Some("train".into());
        let expert = None;
        Self {
            suite,
            split,
            expert,
            share: None,
            writer: None,
            pool: UNIFORM.into(),
            k: None,
            rationales: false,
            visits: None,
            without: Vec::new(),
            errors: None,
            held_out: HELD_OUT,
        }
    }
}

impl Criteria {
    /// Refuses numbers that mean nothing.
    pub fn check(&self) -> Result<()> {
        if self.errors.is_some_and(|most| !(0.0..=1.0).contains(&most)) {
            let most = self.errors.unwrap_or_default();
            return Err(
                Error::new(format!("a share of {most} refused actions")).hint("between 0 and 1")
            );
        }
        if self.visits.as_deref().is_some_and(|pool| !is_answers(pool)) {
            let pool = self.visits.clone().unwrap_or_default();
            return Err(Error::new(format!("the pool `{pool}` is not of an expert's answers"))
                .hint("`answers`, or one that was named so: `answers: second round`"));
        }
        if (0.0..=0.5).contains(&self.held_out) {
            return self.share.map_or(Ok(()), |share| share.check());
        }
        Err(Error::new(format!("a held-out share of {}", self.held_out)).hint("between 0 and 0.5"))
    }
}
