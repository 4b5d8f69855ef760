//! Reinforcement learning from groups of rollouts and exact forks (`rl.md` of the project's notes on the
//! paper, which ends where this begins: early experience as a better start).
//!
//! An update plays some tasks several times with the weights as they are ([`sample`]), works out what
//! each choice was worth against what else came of its state ([`estimate`]), and hangs that on one
//! tree of tokens a task ([`tree`]): rollouts of a task share their beginning, a fork all of its way.

pub mod alerts;
pub mod captured;
mod credit;
pub mod estimate;
pub mod kept;
mod method;
pub mod noise;
pub mod now;
pub mod sample;
pub mod source;
pub mod timed;
pub mod tree;

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use captured::Captured;
pub use method::Method;

use super::{Objective, Plan};
use crate::env::{Suite, open_suite};
use crate::error::{Error, Result};
use crate::selection::Criteria;

/// Everything that decides what an update plays and learns; stored with the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rl {
    /// How a choice's worth is estimated.
    pub method: Method,
    /// Rollouts of each task from its beginning.
    pub group: usize,
    /// Steps of an episode at most, or fewer where the world says so.
    pub limit: usize,
    /// What a step later is worth less, where a method counts what comes after a state; 1 elsewhere.
    pub gamma: f64,
    /// How far an action's probability may go down and up before its gradient ends: the ratio of
    /// new to old stays in `[1 - low, 1 + high]`.
    pub clip: (f64, f64),
    /// What the distance from the start counts (k3); 0 is without.
    pub kl: f64,
    /// Temperature of the policy that acts, and of the one that is trained.
    pub temperature: f64,
    /// What an action costs that could not be sent.
    pub invalid: f64,
    /// Optimiser steps over the same rollouts.
    pub passes: usize,
    /// States of a rollout at which a method forks, at most.
    pub forks: usize,
    /// Continuations at such a state: distinct actions where it compares those.
    pub width: usize,
    /// Tokens after which the run ends: sampled, trained on, and read by the start; none is all of its updates.
    pub tokens: Option<u64>,
    /// Games of another split that are played at every validation.
    pub validation: usize,
    /// Groups of an update that are kept to be looked at.
    pub kept: usize,
    /// The folder of the suite's games, where it needs one.
    pub data: Option<PathBuf>,
    /// What is learnt from in place of its own play.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captured: Option<Captured>,
}

impl Rl {
    /// The usual settings of a method.
    pub fn new(method: Method) -> Self {
        let (clip, kl) = method.usual();
        // A fork's continuations are rollouts too.
        let group = if method.forks() { 4 } else { 8 };
        Self {
            method,
            group,
            limit: 30,
            gamma: method.discount().unwrap_or(1.0),
            clip,
            kl,
            temperature: 1.0,
            invalid: 0.0,
            passes: 1,
            forks: 2,
            width: 3,
            tokens: None,
            validation: 40,
            kept: 2,
            data: None,
            captured: None,
        }
    }

    /// What an update of so many tasks plays, in words.
    pub fn in_words(&self, tasks: usize) -> String {
        let forks = if self.method.forks() {
            format!(", each with up to {} forks of {}", self.forks, self.width)
        } else {
            String::new()
        };
        let Self { method, group, limit, temperature, captured, .. } = self;
        if let Some(Captured { agent, upto, .. }) = captured {
            let method = method.as_str();
            return format!(
                "{method}: what {agent} did until call {upto}, at most {tasks} tasks an update"
            );
        }
        format!(
            "{}: {tasks} tasks x {group} rollouts{forks}, at most {limit} steps, temperature {temperature}",
            method.as_str()
        )
    }

    /// Refuses numbers that mean nothing.
    pub fn check(&self) -> Result<()> {
        let refuse = |what: String, hint: &str| Err(Error::usage(what).hint(hint.to_string()));
        if self.captured.is_some() {
            captured::check(self)?;
        }
        let alone = self.method.compares_rollouts() && self.group < 2;
        if alone || self.group == 0 || self.group > 1024 {
            let least = if alone { 2 } else { 1 };
            return refuse(
                format!("groups of {} rollouts", self.group),
                &format!("{} takes {least} to 1,024", self.method.as_str()),
            );
        }
        if self.limit == 0 || self.limit > 10_000 {
            return refuse(format!("episodes of {} steps", self.limit), "between 1 and 10,000");
        }
        let in_unit = |value: f64| (0.0..=1.0).contains(&value);
        if !in_unit(self.gamma) || !in_unit(self.clip.0) || !(0.0..=100.0).contains(&self.clip.1) {
            let (low, high) = self.clip;
            return refuse(
                format!("gamma {}, clip {low} and {high}", self.gamma),
                "gamma and the lower clip lie between 0 and 1",
            );
        }
        if !(0.0..=100.0).contains(&self.kl) || !(0.0..=100.0).contains(&self.invalid) {
            let what = format!("kl {}, cost of an invalid action {}", self.kl, self.invalid);
            return refuse(what, "both lie between 0 and 100");
        }
        if !(0.01..=100.0).contains(&self.temperature) {
            let what = format!("a temperature of {}", self.temperature);
            return refuse(what, "between 0.01 and 100; usual: 1");
        }
        if self.passes == 0 || self.passes > 64 {
            return refuse(format!("{} passes", self.passes), "between 1 and 64; usual: 1");
        }
        // Of distinct actions the rollout's own is one.
        let least = if self.method == Method::Forks { 2 } else { 1 };
        if self.method.forks() && (self.forks == 0 || self.width < least) {
            let what = format!("{} forks of {}", self.forks, self.width);
            let hint =
                format!("{} needs --forks 1, --width {least} at least", self.method.as_str());
            return refuse(what, &hint);
        }
        if self.forks > 1000 || self.width > 1000 || self.validation > 100_000 {
            return refuse(
                format!(
                    "{} forks, {} continuations, {} validation games",
                    self.forks, self.width, self.validation
                ),
                "at most 1,000 of each, and 100,000 games",
            );
        }
        if self.tokens == Some(0) {
            return refuse("a run of no tokens".into(), "1 or more, or leave it out");
        }
        Ok(())
    }
}

/// Refuses a plan of reinforcement learning without a suite to play, or with what is not played; and
/// one of another objective with its settings.
pub(super) fn check(plan: &Plan) -> Result<()> {
    let Some(rl) = &plan.rl else {
        return match plan.objective {
            Objective::Rl => Err(Error::new("a plan of rl without its settings")),
            _ => Ok(()),
        };
    };
    if plan.objective != Objective::Rl {
        return Err(Error::new("settings of rl in a plan of another objective"));
    }
    let Criteria { suite, split, share, .. } = &plan.data;
    if rl.captured.is_some() {
        let usual = Criteria { suite: suite.clone(), ..Criteria::default() };
        if plan.data != usual || plan.epochs.is_some() {
            return Err(Error::usage("what was captured is all that is learnt from")
                .hint("leave out what chooses stored data, and --epochs"));
        }
        return rl.check();
    }
    if suite.is_none() {
        return Err(Error::usage("a suite is to be named that is played").hint("--suite household"));
    }
    if split.is_none() {
        return Err(Error::usage("one split is played, and not all").hint("--split train"));
    }
    let (suite, split) = (suite.clone(), split.clone());
    let played = Criteria { suite, split, share: *share, ..Criteria::default() };
    if plan.data != played || plan.epochs.is_some() {
        return Err(Error::usage(
            "reinforcement learning plays games: it takes no stored data, holds none out, and makes no epochs",
        )
        .hint("only --suite, --split and --share say which games"));
    }
    rl.check()
}

/// The suite that a plan plays; none where it is the one that is open here.
pub(super) fn suite(
    plan: &Plan,
    rl: &Rl,
    open: Option<&dyn Suite>,
) -> Result<Option<Arc<dyn Suite>>> {
    let name = plan.data.suite.as_deref().unwrap_or_default();
    if rl.data.is_none() && open.is_some_and(|open| open.name() == name) {
        return Ok(None);
    }
    open_suite(name, rl.data.as_deref()).map(Some)
}

/// What a person should know of the games that are played: those of other splits than the one for
/// training are there to judge models by.
pub(super) fn warnings(plan: &Plan, suite: &dyn Suite) -> Vec<String> {
    let split = plan.data.split.as_deref().unwrap_or_default();
    let mut said = Vec::new();
    if !["train", "other_rooms"].contains(&split) {
        said.push(format!(
            "{split} is not a training split: success on its games says nothing once a model has \
             learnt from them"
        ));
    }
    let validated = suite.evaluated_on().unwrap_or_else(|| split.to_string());
    if validated == split && plan.rl.as_ref().is_some_and(|rl| rl.validation > 0) {
        said.push(format!(
            "validation is on {split} too: valid_* is of games that are learnt from"
        ));
    }
    said
}
