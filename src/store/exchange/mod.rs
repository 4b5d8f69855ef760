//! Whole trajectories with everything that hangs off them, to leave one store and come into
//! another.

mod lacking;
mod leaving;
mod taking;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

pub use taking::Intake;

use super::{Prediction, Thought};
use crate::digest::{self, hex};
use crate::error::{Error, Result};
use crate::experience::{Branch, Membership, Purpose, RATIONALE, Trajectory, Verdict};

/// A trajectory with everything that hangs off it: one line of an exchange file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The trajectory. Its number means nothing in another store.
    pub trajectory: Trajectory,
    /// The executed alternatives.
    pub branches: Vec<Branch>,
    /// Their places in pools; older files have none, and each alternative is taken to be in its
    /// source's.
    #[serde(default)]
    pub pools: Vec<Placed>,
    /// The reflections.
    pub reflections: Vec<Reflected>,
    /// What models expected of its actions.
    #[serde(default)]
    pub predictions: Vec<Prediction>,
    /// What was thought in its states.
    #[serde(default)]
    pub thoughts: Vec<Thought>,
    /// What it was read from, where it is another tool's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// An item of another tool's file, as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The format.
    pub format: String,
    /// The item, as JSON.
    pub source: String,
}

impl Origin {
    /// What an item is called that has no name of its own: after its format and what is in it alone,
    /// so that it is the same one on another line and in another file. Two of the same are told
    /// apart by their number, as all episodes are that are the same.
    pub fn name(&self) -> String {
        format!("{} {}", self.format, self.mark())
    }

    fn mark(&self) -> String {
        hex(digest::of([self.source.as_str()]))
    }

    /// Whether a name is one that older programs gave such an item: after its file and its line, and
    /// the beginning of its mark.
    fn has_older(&self, name: &str) -> bool {
        let given = name.rsplit_once(' ').map(|(_, mark)| mark);
        given.is_some_and(|mark| mark.len() == OLDER && self.mark().starts_with(mark))
    }
}

/// Digits of a mark in older names.
const OLDER: usize = 8;

/// The place of an alternative, named by its state and action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The state.
    pub t: usize,
    /// The alternative.
    pub action: String,
    /// Its place.
    #[serde(flatten)]
    pub place: Membership,
}

/// A reflection with its versions, every act about it, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reflected {
    /// The state it is about.
    pub t: usize,
    /// What wrote it.
    pub generator: String,
    /// The executed alternatives it may cite.
    pub cites: Vec<String>,
    /// Who wrote each version, and the text; the oldest first.
    pub versions: Vec<(String, String)>,
    /// When each was written, in milliseconds since 1970; older files do not say.
    #[serde(default)]
    pub written_ms: Vec<i64>,
    /// Which of them stands, from 1.
    pub version: usize,
    /// How it stands.
    pub verdict: Verdict,
    /// The code of a rejection.
    pub reason: Option<String>,
    /// Decisions, flags and second opinions, the oldest first; older files have only how it
    /// stands.
    #[serde(default)]
    pub history: Vec<Act>,
    /// An edit that was begun and not saved.
    #[serde(default)]
    pub draft: Option<String>,
}

/// One act of a person about a reflection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Act {
    /// What was done ("approve", "second reject GENERIC").
    pub act: String,
    /// How the reflection stood then.
    pub verdict: Verdict,
    /// The code of a rejection.
    pub reason: Option<String>,
    /// What was written beside it.
    pub note: Option<String>,
    /// The version that counted, from 1.
    pub version: usize,
    /// When, in milliseconds since 1970.
    pub created_ms: i64,
    /// Whether it was taken back.
    pub undone: bool,
    /// The store in which it was done; older files do not say.
    #[serde(default)]
    pub origin: Option<String>,
}

/// Who wrote a version, the text, and when, where that is known.
type Version = ((String, String), Option<i64>);

/// Times beyond this (in milliseconds since 1970: the year 2200) are none.
const LATEST: i64 = 7_258_118_400_000;

impl Reflected {
    /// How it stands, by what was done: the verdict, the reason and the version.
    fn by_history(&self) -> Option<(Verdict, Option<&str>, usize)> {
        let last = self.history.iter().rev().find(|act| !act.undone);
        let last = last.map(|act| (act.verdict, act.reason.as_deref(), act.version));
        (!self.history.is_empty()).then(|| last.unwrap_or((Verdict::Pending, None, 1)))
    }

    /// Its versions, each with when it was written.
    fn written(&self) -> impl Iterator<Item = Version> + '_ {
        let times = self.written_ms.iter().copied().map(Some).chain(std::iter::repeat(None));
        self.versions.iter().cloned().zip(times)
    }

    /// When it was written and decided on.
    fn times(&self) -> impl Iterator<Item = i64> + '_ {
        self.written_ms.iter().copied().chain(self.history.iter().map(|act| act.created_ms))
    }

    /// Refuses what cannot be: versions that are not there, a history that comes to something else.
    fn check(&self) -> Result<()> {
        let Self { t, versions, version, verdict, reason, .. } = self;
        let count = versions.len();
        let acts = self.history.iter().map(|act| &act.version);
        if let Some(version) = acts.chain([version]).find(|n| !(1..=count).contains(*n)) {
            return Err(Error::new(format!(
                "version {version} of a reflection stands, but it has {count}"
            )));
        }
        if let Some(time) = self.times().find(|time| !(0..LATEST).contains(time)) {
            return Err(Error::new(format!(
                "a reflection of state {t} has a time of {time}: no milliseconds since 1970"
            )));
        }
        let empty = versions.iter().any(|(author, text)| author.is_empty() || text.is_empty());
        if empty || self.history.iter().any(|act| act.act.is_empty() || act.act.len() > 100) {
            return Err(Error::new(format!(
                "a reflection of state {t} has an empty text or author, or an act without a word"
            )));
        }
        if !self.written_ms.is_empty() && self.written_ms.len() != count {
            return Err(Error::new(format!(
                "a reflection of state {t} has {count} versions, and {} times at which they were \
                 written",
                self.written_ms.len()
            )));
        }
        let said = (*verdict, reason.as_deref(), *version);
        match self.by_history().filter(|found| *found != said) {
            Some((found, ..)) => Err(Error::new(format!(
                "a reflection of state {t} is said to be {} in version {version}, but what was \
                 decided makes it {}",
                verdict.as_str(),
                found.as_str()
            ))),
            None => Ok(()),
        }
    }
}

impl Record {
    /// Refuses what would come to grief later: indices beyond the steps, citations of what was not
    /// executed.
    pub fn check(&self) -> Result<()> {
        if self.trajectory.purpose == Purpose::Evaluation {
            return Err(Error::new(
                "an evaluation: only demonstrations and explorations are taken in",
            ));
        }
        let states = self.trajectory.steps.len();
        let beyond = |what: &str, t: usize| {
            Err(Error::new(format!("{what} of state {t}, but the trajectory has {states} steps")))
        };
        for branch in &self.branches {
            if branch.t >= states {
                return beyond("an alternative", branch.t);
            }
        }
        let executed: HashSet<(usize, &str)> =
            self.branches.iter().map(|b| (b.t, b.action.as_str())).collect();
        for Placed { t, action, .. } in &self.pools {
            if !executed.contains(&(*t, action.as_str())) {
                return Err(Error::new(format!(
                    "a pool holds `{action}` of state {t}, which is not among the alternatives"
                )));
            }
        }
        let expected = self.predictions.iter().map(|p| ("a prediction", p.t));
        let thought = self.thoughts.iter().map(|thought| ("a thought", thought.t));
        if let Some((what, t)) = expected.chain(thought).find(|(_, t)| *t >= states) {
            return beyond(what, t);
        }
        for reflected in &self.reflections {
            if reflected.t >= states {
                return beyond("a reflection", reflected.t);
            }
            reflected.check()?;
            let unexecuted = |action: &&String| !executed.contains(&(reflected.t, action.as_str()));
            if let Some(action) = reflected.cites.iter().find(unexecuted) {
                return Err(Error::new(format!(
                    "UNEXECUTED: a reflection of state {} cites `{action}`, which is not among the \
                     alternatives there",
                    reflected.t
                )));
            }
            let rationale =
                reflected.versions.first().is_some_and(|(author, _)| author.starts_with(RATIONALE));
            if reflected.cites.is_empty() && !rationale {
                return Err(Error::new(format!(
                    "UNEXECUTED: a reflection of state {} cites nothing",
                    reflected.t
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
