//! What an item of another tool comes to, before it is one of this program's trajectories.

use std::collections::HashSet;

use crate::budget;
use crate::error::Result;
use crate::experience::{Branch, Membership, Purpose, Step, Trajectory};
use crate::store::{Origin, Placed, Record, Thought};

/// Something that was done, and what was seen then.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Done {
    pub action: String,
    pub observation: String,
    /// What was thought before it.
    pub thought: Option<String>,
    pub reward: f64,
    /// What else was executed there.
    pub others: Vec<Other>,
    /// The step as it was filed, where this program wrote it.
    pub filed: Option<Step>,
}

/// An executed alternative of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Other {
    pub branch: Branch,
    /// Its places in pools; where an episode says none, each is in its source's.
    pub pools: Vec<Membership>,
}

impl Done {
    /// Adds what is seen then, below what was seen before.
    pub fn see(&mut self, text: &str) {
        if !self.observation.is_empty() && !text.is_empty() {
            self.observation.push('\n');
        }
        self.observation.push_str(text);
    }
}

/// Where an episode belongs, as this program says of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Filed {
    pub suite: String,
    pub split: String,
    pub kind: String,
    pub purpose: Purpose,
    pub seed: u64,
    pub admissible: Option<Vec<String>>,
    pub free: Vec<String>,
    pub created_ms: i64,
    pub world: Option<u64>,
}

impl Filed {
    /// Where one of another tool belongs.
    fn usual(format: &str) -> Self {
        Self {
            suite: format.into(),
            split: "train".into(),
            kind: format.into(),
            purpose: Purpose::Demonstration,
            seed: 0,
            admissible: None,
            free: Vec::new(),
            created_ms: 0,
            world: None,
        }
    }
}

/// An episode.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Episode {
    /// What its tool calls it, where it does.
    pub id: Option<String>,
    /// Where it says that it belongs: what this program wrote says so.
    pub filed: Option<Filed>,
    /// The format, and who acted.
    pub format: &'static str,
    pub actor: String,
    pub task: String,
    pub observation: String,
    pub steps: Vec<Done>,
    /// Whether it came to what was wanted: a file of examples is one of successes, a log says.
    pub success: bool,
    /// What it was worth, where that is said of the whole.
    pub reward: Option<f64>,
}

impl Episode {
    /// As a store takes it in, with the item that it came from.
    ///
    /// # Errors
    /// When whoever waits for it asked to stop.
    pub fn record(self, suite: Option<&str>, source: &str) -> Result<Record> {
        let Self { id, filed, format, actor, task, observation, steps, success, reward } = self;
        let (mut thoughts, mut branches, mut pools) = (Vec::new(), Vec::new(), Vec::new());
        let last = steps.len().saturating_sub(1);
        let whole: f64 = steps.iter().map(|done| done.reward).sum();
        let mut made = Vec::with_capacity(steps.len());
        for (t, done) in steps.into_iter().enumerate() {
            budget::cancel().check()?;
            let text = done.thought.filter(|text| !text.trim().is_empty());
            thoughts.extend(text.map(|text| Thought { trajectory: 0, t, text }));
            // The same action twice is executed once, and the expert's own is no alternative; but
            // an expert that is asked about a policy's step may answer with just that.
            let mut known = HashSet::new();
            if done.filed.is_none() {
                known.insert(done.action.clone());
            }
            for Other { branch, pools: places } in done.others {
                if known.insert(branch.action.clone()) {
                    let placed = |place| Placed { t, action: branch.action.clone(), place };
                    pools.extend(places.into_iter().map(placed));
                    branches.push(Branch { t, ..branch });
                }
            }
            // What is said of the whole is the last step's, unless the steps say as much themselves.
            let rest = reward.filter(|_| t == last && whole == 0.0).unwrap_or_default();
            let usual = Step {
                action: done.action,
                source: actor.clone(),
                observation: done.observation,
                admissible: None,
                free: Vec::new(),
                reward: done.reward + rest,
                done: t == last,
                success: t == last && success,
                truncated: false,
            };
            made.push(done.filed.unwrap_or(usual));
        }
        let filed = filed.unwrap_or_else(|| Filed::usual(format));
        let origin = Origin { format: format.into(), source: source.into() };
        let trajectory = Trajectory {
            id: 0,
            suite: suite.map_or(filed.suite, str::to_string),
            split: filed.split,
            task_id: id.unwrap_or_else(|| origin.name()),
            kind: filed.kind,
            task,
            purpose: filed.purpose,
            actor,
            seed: filed.seed,
            observation,
            admissible: filed.admissible,
            free: filed.free,
            steps: made,
            created_ms: filed.created_ms,
            world: filed.world,
        };
        let origin = Some(origin);
        let (reflections, predictions) = (Vec::new(), Vec::new());
        Ok(Record { trajectory, branches, pools, reflections, predictions, thoughts, origin })
    }
}
