//! What a face is shown of an exploration.

use crate::env::{Advice, Forks, Form, NoAdvice};
use crate::experience::{ActionEffect, State};

/// An executed what-if: an action, who proposed it, and what it really led to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The action.
    pub action: String,
    /// Who proposed it.
    pub source: String,
    /// The real next observation.
    pub observation: String,
    /// What it did.
    pub effect: ActionEffect,
    /// What it is worth.
    pub reward: f64,
    /// Whether it ends the episode in success.
    pub success: bool,
    /// Steps to the goal from there along a shortest way, where the planner knows.
    pub steps_left: Option<usize>,
    /// The action that it was held against, if there was one.
    pub against: Option<String>,
}

/// One line of the tree walked so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkLine {
    /// The node.
    pub node: usize,
    /// Steps from the start.
    pub depth: usize,
    /// What led to it; empty for the start.
    pub action: String,
    /// Who chose that.
    pub source: String,
    /// What a person calls it; mostly empty.
    pub name: String,
    /// What was seen there.
    pub observation: String,
    /// Whether it lies on the path to the current node.
    pub on_path: bool,
}

/// Everything a face shows of the current node.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Suite, split and task.
    pub suite: String,
    /// The split.
    pub split: String,
    /// The task's identifier.
    pub task_id: String,
    /// Its kind.
    pub kind: String,
    /// The goal in words.
    pub task: String,
    /// The current node.
    pub node: usize,
    /// Steps taken to it.
    pub depth: usize,
    /// Steps an episode may take.
    pub limit: usize,
    /// The observation exactly as given.
    pub observation: String,
    /// Admissible actions, in the environment's order.
    pub admissible: Vec<String>,
    /// Forms of free text that it takes beside them.
    pub forms: Vec<String>,
    /// Whether a world is copied or led along its way again when an action is tried.
    pub forks: Forks,
    /// Who speaks as the expert here, and what it says; none when a person is the expert, or
    /// everyone is silent.
    pub expert: Option<(String, Advice)>,
    /// Who was asked to speak ("fair", "human"): another speaks where this one has no answer.
    pub asked: String,
    /// Why the one who was asked is silent.
    pub silence: Option<NoAdvice>,
    /// Steps to the goal along a shortest way, or why the planner does not know.
    pub distance: Result<usize, NoAdvice>,
    /// What the expert's action leads to.
    pub expert_outcome: Option<Outcome>,
    /// The tree.
    pub trunk: Vec<TrunkLine>,
    /// Whether the episode is over here, and won.
    pub done: bool,
    /// What the end is worth and why, in words, where the world says more than a number.
    pub worth: Option<String>,
    /// Whether the goal is reached here.
    pub success: bool,
    /// The state as the policy is shown it.
    pub state: State,
}

impl View {
    /// Whether a text is of a form that can be sent here.
    pub fn takes(&self, text: &str) -> bool {
        self.forms.iter().any(|form| Form::new(form.as_str()).admits(text))
    }
}
