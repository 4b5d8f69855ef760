//! What an item of another tool comes to, before it is one of this program's trajectories.

use crate::experience::{ActionEffect, Branch, EXPLORED, Purpose, Step, Trajectory};
use crate::store::{Origin, Record, Thought};

/// Something that was done, and what was seen then.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Done {
    pub action: String,
    pub observation: String,
    /// What was thought before it.
    pub thought: Option<String>,
    pub reward: f64,
    /// What else was executed there: action, what was seen, what it was worth, whether it ended.
    pub others: Vec<(String, String, f64, bool)>,
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

/// An episode.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Episode {
    /// What its tool calls it, where it does.
    pub id: Option<String>,
    /// Of which suite, split and kind it says that it is, and what for: what this program wrote says so.
    pub filed: Option<(String, String, String, Purpose)>,
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
    pub fn record(self, suite: Option<&str>, name: &str, source: &str) -> Record {
        let Self { id, filed, format, actor, task, observation, steps, success, reward } = self;
        let (mut thoughts, mut branches) = (Vec::new(), Vec::new());
        let last = steps.len().saturating_sub(1);
        let whole: f64 = steps.iter().map(|done| done.reward).sum();
        let mut made = Vec::with_capacity(steps.len());
        for (t, done) in steps.into_iter().enumerate() {
            let text = done.thought.filter(|text| !text.trim().is_empty());
            thoughts.extend(text.map(|text| Thought { trajectory: 0, t, text }));
            for other in done.others {
                // The same action twice is executed once, and the expert's own is no alternative.
                let known = |own: &Branch| own.t == t && own.action == other.0;
                if other.0 != done.action && !branches.iter().any(known) {
                    branches.push(branch(t, other));
                }
            }
            // What is said of the whole is the last step's, unless the steps say as much themselves.
            let rest = reward.filter(|_| t == last && whole == 0.0).unwrap_or_default();
            made.push(Step {
                action: done.action,
                source: actor.clone(),
                observation: done.observation,
                admissible: None,
                free: Vec::new(),
                reward: done.reward + rest,
                done: t == last,
                success: t == last && success,
                truncated: false,
            });
        }
        let usual = || (format.into(), "train".into(), format.into(), Purpose::Demonstration);
        let (own, split, kind, purpose): (String, String, String, Purpose) =
            filed.unwrap_or_else(usual);
        let trajectory = Trajectory {
            id: 0,
            suite: suite.map_or(own, str::to_string),
            split,
            task_id: id.unwrap_or_else(|| name.to_string()),
            kind,
            task,
            purpose,
            actor,
            seed: 0,
            observation,
            admissible: None,
            free: Vec::new(),
            steps: made,
            created_ms: 0,
            world: None,
        };
        let origin = Some(Origin { format: format.into(), source: source.into() });
        let (pools, reflections, predictions) = (Vec::new(), Vec::new(), Vec::new());
        Record { trajectory, branches, pools, reflections, predictions, thoughts, origin }
    }
}

fn branch(t: usize, (action, observation, reward, done): (String, String, f64, bool)) -> Branch {
    Branch {
        id: 0,
        trajectory: 0,
        t,
        action,
        source: EXPLORED.into(),
        observation,
        effect: if done { ActionEffect::Ends } else { ActionEffect::Changed },
        reward,
        done,
        success: done && reward >= 1.0,
        created_ms: 0,
    }
}
