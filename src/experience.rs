//! The domain's own types, pure: trajectories, branches, reflections, decisions, runs. No I/O, no
//! model, no screen.

mod by;
mod names;
mod rates;
mod reflection;

use serde::{Deserialize, Serialize};

pub use by::{HUMAN, by, called};
pub use names::{ANSWERS, EXPERTS, EXPLORED, MIXTURE, PERTURBED, POLICY, UNIFORM, is_answers};
pub use rates::{Share, at_least, newcombe, wilson};
pub use reflection::Reflection;

/// What a trajectory is kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Expert data (`D_expert`).
    Demonstration,
    /// A person's wandering; not trained on unless kept.
    Exploration,
    /// A policy's episode under evaluation.
    Evaluation,
    /// A policy's episode among training games, in whose states an expert was asked.
    Visit,
    /// A policy's episode from which it learns by what came of it (reinforcement learning).
    Rollout,
}

impl Purpose {
    /// The word used in the store and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Demonstration => "demonstration",
            Self::Exploration => "exploration",
            Self::Evaluation => "evaluation",
            Self::Visit => "visit",
            Self::Rollout => "rollout",
        }
    }

    /// The purpose of that word.
    pub fn from_name(word: &str) -> Option<Self> {
        [Self::Demonstration, Self::Exploration, Self::Evaluation, Self::Visit, Self::Rollout]
            .into_iter()
            .find(|p| p.as_str() == word)
    }
}

/// Who chose an action: "walkthrough", "human", "policy", "uniform".
pub type Source = String;

/// One executed action and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What was sent.
    pub action: String,
    /// Who chose it.
    pub source: Source,
    /// The next observation.
    pub observation: String,
    /// Admissible actions in the next state, where the environment lists them: none listed is not
    /// an empty list.
    pub admissible: Option<Vec<String>>,
    /// Forms of free text that it takes there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub free: Vec<String>,
    /// What the step was worth.
    #[serde(default)]
    pub reward: f64,
    /// Whether the episode ended.
    pub done: bool,
    /// Whether it ended in success.
    pub success: bool,
    /// Whether it was cut off there.
    #[serde(default)]
    pub truncated: bool,
}

/// An episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trajectory {
    /// Row id; 0 before it is saved.
    pub id: i64,
    /// Suite, split, task and kind of task.
    pub suite: String,
    /// The split.
    pub split: String,
    /// The task's identifier in the suite.
    pub task_id: String,
    /// The kind of task.
    pub kind: String,
    /// The goal in words.
    pub task: String,
    /// What it is kept for.
    pub purpose: Purpose,
    /// Who acted: an expert's name, "human", a checkpoint.
    pub actor: String,
    /// Seed of whatever was random.
    pub seed: u64,
    /// The first observation.
    pub observation: String,
    /// Admissible actions at the start, where the environment lists them.
    pub admissible: Option<Vec<String>>,
    /// Forms of free text that it takes there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub free: Vec<String>,
    /// The steps.
    pub steps: Vec<Step>,
    /// When it was saved, in milliseconds since 1970.
    pub created_ms: i64,
    /// What the world is, down to what no observation on the way tells, where it can say so: what
    /// is executed later is executed in the same one or not at all.
    #[serde(default)]
    pub world: Option<u64>,
}

impl Trajectory {
    /// Whether the goal was reached.
    pub fn success(&self) -> bool {
        self.steps.last().is_some_and(|step| step.success)
    }

    /// The observation of state `t` (0 = the start).
    pub fn observation_at(&self, t: usize) -> &str {
        if t == 0 {
            &self.observation
        } else {
            self.steps.get(t - 1).map_or("", |step| &step.observation)
        }
    }

    /// The admissible actions of state `t`; none where they are not listed.
    pub fn admissible_at(&self, t: usize) -> Option<&[String]> {
        if t == 0 {
            self.admissible.as_deref()
        } else {
            self.steps.get(t - 1)?.admissible.as_deref()
        }
    }

    /// The forms of free text that are taken in state `t`.
    pub fn forms_at(&self, t: usize) -> &[String] {
        if t == 0 { &self.free } else { self.steps.get(t - 1).map_or(&[], |step| &step.free) }
    }

    /// The list of state `t`, empty where there is none.
    pub fn listed_at(&self, t: usize) -> &[String] {
        self.admissible_at(t).unwrap_or_default()
    }

    /// Whether step `t` is to be imitated: of a game that a person kept, only what the person or an
    /// expert chose, and not what a policy did on the way before.
    pub fn is_imitated(&self, t: usize) -> bool {
        let by = self.steps.get(t).map_or("", |step| &step.source);
        self.actor != HUMAN || by == HUMAN || EXPERTS.contains(&by)
    }

    /// What all steps were worth together.
    pub fn reward(&self) -> f64 {
        // The empty sum is -0.0, which nobody has earned.
        self.steps.iter().map(|step| step.reward).sum::<f64>() + 0.0
    }

    /// The state before step `t`, as a policy is shown it.
    pub fn state(&self, t: usize) -> State {
        let history = self
            .steps
            .iter()
            .take(t)
            .map(|step| (step.action.clone(), step.observation.clone()))
            .collect();
        State { task: self.task.clone(), observation: self.observation.clone(), history }
    }
}

/// A reward for people, where it says more than whether the goal was reached.
pub fn worth(reward: f64, success: bool) -> Option<String> {
    let plain = if success { 1.0 } else { 0.0 };
    ((reward - plain).abs() > 1e-9).then(|| format!("{reward:+.2}"))
}

/// What a policy conditions on: the task, the first observation and every (action, observation)
/// since.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct State {
    /// The goal in words.
    pub task: String,
    /// The first observation.
    pub observation: String,
    /// What was done and seen since.
    pub history: Vec<(String, String)>,
}

impl State {
    /// What tells it from other states, in a line: of which draws of its own follow.
    pub fn place(&self) -> String {
        let actions = self.history.iter().map(|(action, _)| action.as_str());
        std::iter::once(self.task.as_str()).chain(actions).collect::<Vec<_>>().join("\n")
    }
}

/// What executing an alternative did, compared with the state it was tried in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionEffect {
    /// The world is another one now.
    Changed,
    /// The world is the same to everything that can be done or said in it.
    NoOp,
    /// The environment refused the action.
    Error,
    /// The same state that the expert's action leads to.
    SameAsExpert,
    /// Another state, but the action starts a shortest way to the goal: nothing is better than it.
    EquallyGood,
    /// Another state, from which the goal is no farther than from where the expert's action leads.
    NoWorse,
    /// The episode ended.
    Ends,
}

impl ActionEffect {
    /// All of them, those first that one leaves out.
    pub const ALL: [Self; 7] = [
        Self::NoOp,
        Self::Error,
        Self::SameAsExpert,
        Self::EquallyGood,
        Self::NoWorse,
        Self::Changed,
        Self::Ends,
    ];

    /// The word used in the store, in JSON and on screens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::NoOp => "no-op",
            Self::Error => "error",
            Self::SameAsExpert => "same-as-expert",
            Self::EquallyGood => "equally-good",
            Self::NoWorse => "no-worse",
            Self::Ends => "ends",
        }
    }

    /// The effect of that word.
    pub fn from_name(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.as_str() == word)
    }

    /// The words of all of them, with commas.
    pub fn words() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }

    /// The effect of a word that a person wrote.
    ///
    /// # Errors
    /// For another word; it says which there are.
    pub fn parse(word: &str) -> std::result::Result<Self, String> {
        let unknown = || format!("an alternative has no effect `{word}`: {}", Self::words());
        Self::from_name(word).ok_or_else(unknown)
    }
}

/// An executed alternative hanging off one state of a trajectory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Branch {
    /// Row id; 0 before it is saved.
    pub id: i64,
    /// The trajectory and the state it hangs off.
    pub trajectory: i64,
    /// The state's index.
    pub t: usize,
    /// The alternative.
    pub action: String,
    /// Who proposed it.
    pub source: Source,
    /// The real next observation.
    pub observation: String,
    /// What it did.
    pub effect: ActionEffect,
    /// What it was worth.
    #[serde(default)]
    pub reward: f64,
    /// Whether the episode ended there.
    pub done: bool,
    /// Whether it ended in success.
    pub success: bool,
    /// When it was executed, in milliseconds since 1970; 0 before it is saved.
    #[serde(default)]
    pub created_ms: i64,
}

impl Branch {
    /// Whether it may be argued against: an alternative that is as good as the expert's action must
    /// not be.
    pub fn worse(&self) -> bool {
        !self.success
            && !matches!(
                self.effect,
                ActionEffect::SameAsExpert | ActionEffect::EquallyGood | ActionEffect::NoWorse
            )
    }

    /// Whether the step that the expert took there is to be preferred to it: it may be argued against,
    /// and was not worth more at once.
    pub fn is_below(&self, taken: &Step) -> bool {
        self.worse() && self.reward <= taken.reward
    }
}

/// An alternative's place in a pool: one draw of a proposer. The same alternative may stand in
/// several pools, and is executed once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The pool: who was asked, or a name of one's own.
    pub pool: String,
    /// Which draw it was, from 0: the first K of a state are its pool of K.
    pub rank: usize,
    /// Where this draw came from: an invalid proposal of a policy is replaced from the list
    /// ("uniform").
    pub source: Source,
    /// The model that was asked; empty where none was.
    #[serde(default)]
    pub model: String,
}

/// How a text begins to say who wrote it, where the writer saw the state alone and none of the
/// executed outcomes: a rationale (as STaR's), not a reflection. Such rationales made imitation
/// worse (paper, table 4).
pub const RATIONALE: &str = "rationale-only by ";

/// Whether a text by this author is a rationale. Older programs called a model that saw no outcome
/// "model NAME".
pub fn is_rationale(author: &str) -> bool {
    author.starts_with(RATIONALE) || author.starts_with("model ")
}

/// Where a reflection stands in review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nobody decided yet.
    Pending,
    /// Fit for training.
    Approved,
    /// Not fit, for a reason.
    Rejected,
}

impl Verdict {
    /// The word used in the store, in JSON and on screens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }

    /// The verdict of that word.
    pub fn from_name(word: &str) -> Option<Self> {
        [Self::Pending, Self::Approved, Self::Rejected].into_iter().find(|v| v.as_str() == word)
    }
}

/// Reasons to reject, in the order of their number keys (`method.md` 6.2 of the project's notes on
/// the paper).
pub const REASONS: [(&str, &str); 9] = [
    ("WRONG_CONCLUSION", "ends on another action, or contradicts the one taken"),
    ("LABEL_LEAK", "speaks of an expert, a correct or a numbered choice"),
    ("OUTCOME_LEAK", "tells a result as if it had already been seen"),
    ("HALLUCINATED", "names something that is not in the state or the outcomes"),
    ("CONTRADICTS_STATE", "claims what the state or an outcome denies"),
    ("MISSED_CONSTRAINT", "leaves out what the task demands"),
    ("GENERIC", "would fit any step; uses none of the evidence"),
    ("BAD_EXPERT", "the expert's step itself is poor"),
    ("BAD_ALTERNATIVE", "an alternative is as good, or not worth teaching against"),
];

/// How right a predicted text is: the harmonic mean of word precision and recall, 1 for the same
/// multiset of words.
pub fn word_f1(predicted: &str, actual: &str) -> f64 {
    let mut left: Vec<&str> = actual.split_whitespace().collect();
    let wanted = left.len();
    let given = predicted.split_whitespace().count();
    if wanted + given == 0 {
        return 1.0;
    }
    let hits = predicted
        .split_whitespace()
        .filter(|word| {
            left.iter().position(|other| other == word).map(|at| left.swap_remove(at)).is_some()
        })
        .count();
    2.0 * hits as f64 / (wanted + given) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_f1_counts_words_with_their_multiplicity() {
        assert!((word_f1("you see a mug 1", "you see a mug 1") - 1.0).abs() < 1e-12);
        assert!((word_f1("a a", "a b") - 0.5).abs() < 1e-12);
        assert!(word_f1("", "x").abs() < 1e-12);
    }
}
