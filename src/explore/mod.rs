//! One person's exploration of a task: a tree of states as they were seen, and where they stand in
//! it.
//!
//! Going back is choosing another node, and costs nothing. A world is needed to go on, to try an
//! action and to ask an expert: [`Worlds`] has one at the node, by a fork or by leading one there
//! again. Knows nothing of screens.

mod evaluate;
mod keep;
mod nodes;
mod reflect;
mod score;
mod trying;
mod view;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use evaluate::{
    CompareModels, EvaluateState, Evaluated, LookBeside, compare_models, evaluate_state,
    look_beside, play_on, prompt_and_replies, write,
};
pub use keep::{Keeping, Kept, Tried, keep};
pub use reflect::reflect;
pub use score::{ScoreState, score_state};
use trying::against;
pub use view::{Outcome, TrunkLine, View};

use crate::control::Cancel;
use crate::env::{Expert, GivenAdvice, Opened, Suite, Turn};
use crate::episode::{Leg, Worlds, step_of, trajectory_at};
use crate::error::{Error, Result};
pub use crate::experience::HUMAN;
use crate::experience::{ActionEffect, Branch, Purpose, Step, Trajectory};

/// How many steps policy or expert play on from a what-if.
pub const CONTINUATION_STEPS: usize = 20;

/// A state that was visited, as it was seen.
struct Node {
    parent: Option<usize>,
    action: String,
    source: String,
    name: String,
    depth: usize,
    turn: Turn,
    /// See [`Environment::fingerprint`].
    state: u64,
}

/// The way from the start to a node.
fn way_to(nodes: &[Node], node: usize) -> Vec<Leg<'_>> {
    let mut way = Vec::with_capacity(nodes[node].depth);
    let mut at = node;
    while let Some(parent) = nodes[at].parent {
        way.push(Leg { action: &nodes[at].action, observation: &nodes[at].turn.observation });
        at = parent;
    }
    way.reverse();
    way
}

/// A session as it is remembered between starts: enough to replay it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    suite: String,
    split: String,
    task_id: String,
    #[serde(default)]
    asked: Option<String>,
    /// Parent, action and source of each node after the first.
    steps: Vec<(usize, String, String)>,
    /// Nodes with names.
    #[serde(default)]
    names: Vec<(usize, String)>,
    /// Nodes that were taken out.
    #[serde(default)]
    gone: Vec<usize>,
    at: usize,
}

impl Remembered {
    /// The suite it was in.
    pub fn suite(&self) -> &str {
        &self.suite
    }

    /// The split it was in.
    pub fn split(&self) -> &str {
        &self.split
    }
}

/// An exploration of one task.
pub struct Session {
    start: Trajectory,
    worlds: Worlds<'static>,
    /// Who is to speak.
    asked: String,
    limit: usize,
    /// What a person should know about the task.
    pub warning: Option<String>,
    nodes: Vec<Node>,
    /// Nodes taken out with all below them, the latest last.
    gone: Vec<usize>,
    at: usize,
}

impl Session {
    /// Opens a task at its start. `asked` is who speaks as the expert (the suite's first without
    /// it); `human` is nobody.
    pub fn open(
        suite: &Arc<dyn Suite>,
        split: &str,
        task_id: &str,
        asked: Option<&str>,
    ) -> Result<Self> {
        let opened: Opened = suite.open(task_id)?;
        let mut start = trajectory_at(&opened, split, Purpose::Exploration, 0);
        start.actor = HUMAN.to_string();
        let asked = match asked {
            Some(HUMAN) => HUMAN,
            name => opened
                .experts
                .get(name)
                .or_else(|_| opened.experts.get(None))
                .map_or(HUMAN, Expert::name),
        };
        let limit = opened.limit;
        let warning = opened.warning.clone();
        let turn = opened.env.turn().clone();
        let state = opened.env.fingerprint();
        let again = Arc::clone(suite);
        let id = task_id.to_string();
        let worlds = Worlds::new(opened, move || again.open(&id), suite.instances(), &start);
        let (action, source, name) = Default::default();
        let root = Node { parent: None, action, source, name, depth: 0, turn, state };
        let asked = asked.to_string();
        Ok(Self {
            start,
            worlds,
            asked,
            limit,
            warning,
            nodes: vec![root],
            gone: Vec::new(),
            at: 0,
        })
    }

    /// Who is asked to speak as the expert.
    pub fn asked(&self) -> &str {
        &self.asked
    }

    /// Lets somebody speak as the expert, if the task has such a one.
    pub fn ask(&mut self, name: &str) {
        if name == HUMAN || self.worlds.experts.names().contains(&name) {
            self.asked = name.to_string();
        }
    }

    /// The next expert speaks; after the last, nobody: a person is the expert then.
    pub fn next_expert(&mut self) {
        let mut names = self.worlds.experts.names();
        names.push(HUMAN);
        let at = names.iter().position(|name| *name == self.asked).unwrap_or_default();
        self.asked = names[(at + 1) % names.len()].to_string();
    }

    /// Opens a remembered session and replays it.
    pub fn restore(
        suite: &Arc<dyn Suite>,
        remembered: &Remembered,
        asked: Option<&str>,
    ) -> Result<Self> {
        let asked = asked.or(remembered.asked.as_deref());
        let mut session = Self::open(suite, &remembered.split, &remembered.task_id, asked)?;
        for (parent, action, source) in &remembered.steps {
            session.goto(*parent)?;
            session.step(action, source)?;
        }
        for (node, name) in &remembered.names {
            session.name(*node, name)?;
        }
        session.goto(remembered.at)?;
        session.gone =
            remembered.gone.iter().copied().filter(|node| *node < session.nodes.len()).collect();
        Ok(session)
    }

    /// Lets go of the worlds, where there cannot be many: what was seen stays, and one is led there
    /// again when it is wanted.
    pub fn release(&mut self) {
        self.worlds.release();
    }

    /// What to remember.
    pub fn remember(&self) -> Remembered {
        let steps =
            self.nodes.iter().filter_map(|n| Some((n.parent?, n.action.clone(), n.source.clone())));
        let names = self.nodes.iter().enumerate().filter(|(_, node)| !node.name.is_empty());
        Remembered {
            suite: self.start.suite.clone(),
            split: self.start.split.clone(),
            task_id: self.start.task_id.clone(),
            asked: Some(self.asked.clone()),
            steps: steps.collect(),
            names: names.map(|(node, n)| (node, n.name.clone())).collect(),
            gone: self.gone.clone(),
            at: self.at,
        }
    }

    fn here(&self) -> &Node {
        &self.nodes[self.at]
    }

    /// Takes an action in the current state and goes there. The same action from the same state is
    /// the same node.
    pub fn step(&mut self, action: &str, source: &str) -> Result<()> {
        if self.here().turn.done {
            return Err(Error::new("the episode is over here")
                .hint("go back with u, or to the next task with ]"));
        }
        if self.nodes[self.at].depth >= self.limit {
            return Err(Error::new(format!("the step limit of {} is reached", self.limit))
                .hint("go back with u"));
        }
        let action = action.trim();
        let known = self
            .nodes
            .iter()
            .position(|node| node.parent == Some(self.at) && node.action == action);
        if let Some(known) = known {
            self.gone.retain(|gone| *gone != known);
            self.at = known;
            return Ok(());
        }
        let (executed, ()) =
            self.worlds.execute(&way_to(&self.nodes, self.at), action, |_, _, _| ())?;
        let depth = self.here().depth + 1;
        let action = action.to_string();
        let source = source.to_string();
        let name = String::new();
        let turn = executed.turn;
        let state = executed.after;
        self.nodes.push(Node { parent: Some(self.at), action, source, name, depth, turn, state });
        self.at = self.nodes.len() - 1;
        Ok(())
    }

    /// Goes back one step; false at the start.
    pub fn back(&mut self) -> bool {
        let parent = self.nodes[self.at].parent;
        self.at = parent.unwrap_or(self.at);
        parent.is_some()
    }

    /// Goes to any node.
    pub fn goto(&mut self, node: usize) -> Result<()> {
        self.at = self.known(node)?;
        Ok(())
    }

    /// Whether it explores this task.
    pub fn is_of(&self, split: &str, task: &str) -> bool {
        self.start.split == split && self.start.task_id == task
    }

    /// Goes along recorded steps from the start; where that fails it stays where it was.
    pub fn walk(&mut self, steps: &[Step]) -> Result<()> {
        let stood = std::mem::replace(&mut self.at, 0);
        let walked = steps.iter().try_for_each(|step| self.step(&step.action, &step.source));
        if walked.is_err() {
            self.at = stood;
        }
        walked
    }

    /// The task being explored.
    pub fn task_id(&self) -> &str {
        &self.start.task_id
    }

    /// The current node.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The nodes from the start to the current one.
    fn path(&self) -> Vec<usize> {
        self.path_to(self.at)
    }

    fn path_to(&self, node: usize) -> Vec<usize> {
        let mut path = vec![node];
        while let Some(parent) = self.nodes[path[path.len() - 1]].parent {
            path.push(parent);
        }
        path.reverse();
        path
    }

    /// The episode from the start to the current node.
    pub fn trajectory(&self) -> Trajectory {
        let mut trajectory = self.start.clone();
        for node in &self.path()[1..] {
            let node = &self.nodes[*node];
            trajectory.steps.push(step_of(&node.turn, &node.action, &node.source));
        }
        trajectory
    }

    /// The same, as a demonstration with whoever acted as its expert. Refused unless it reached the
    /// goal: what is imitated must be worth imitating.
    pub fn demonstration(&self) -> Result<Trajectory> {
        if !self.here().turn.success {
            return Err(Error::new(
                "the goal is not reached here, so there is nothing to imitate yet",
            )
            .hint("play on until the task is solved, then keep it"));
        }
        let mut trajectory = self.trajectory();
        trajectory.purpose = Purpose::Demonstration;
        let mut sources: Vec<&str> =
            trajectory.steps.iter().map(|step| step.source.as_str()).collect();
        sources.dedup();
        trajectory.actor = match sources[..] {
            [one] if self.worlds.experts.names().contains(&one) => one.to_string(),
            _ => HUMAN.to_string(),
        };
        Ok(trajectory)
    }

    /// Everything to be shown of the current node.
    pub fn view(&mut self) -> Result<View> {
        let (expert, silence) = match self.advice()? {
            Some(Ok(GivenAdvice { name, advice, silence })) => {
                (Some((name.to_string(), advice)), silence)
            }
            Some(Err(why)) => (None, Some(why)),
            None => (None, None),
        };
        let way = way_to(&self.nodes, self.at);
        let (distance, forks, worth) = self.worlds.look(&way, |env, experts| {
            (experts.distance(env, &Cancel::default()), env.forks(), env.worth())
        })?;
        let expert_outcome = match &expert {
            Some((name, advice)) => {
                against(&mut self.worlds, &way, None, &[(advice.action.clone(), name.clone())])?
                    .pop()
            }
            None => None,
        };
        let trajectory = self.trajectory();
        let Node { depth, turn, .. } = self.here();
        Ok(View {
            suite: self.start.suite.clone(),
            split: self.start.split.clone(),
            task_id: self.start.task_id.clone(),
            kind: self.start.kind.clone(),
            task: self.start.task.clone(),
            node: self.at,
            depth: *depth,
            limit: self.limit,
            observation: turn.observation.to_string(),
            admissible: trajectory.listed_at(trajectory.steps.len()).to_vec(),
            forms: turn.actions.texts().1,
            forks,
            expert,
            asked: self.asked.clone(),
            silence,
            distance,
            expert_outcome,
            trunk: self.trunk(&self.path()),
            worth,
            done: turn.done,
            success: turn.success,
            state: trajectory.state(trajectory.steps.len()),
        })
    }
}

/// How an episode that was played on stands after so many steps, in words.
pub fn went(turn: &Turn, steps: usize) -> String {
    match (turn.success, turn.done) {
        (true, _) => format!("solved in {steps} more"),
        (_, true) => format!("over, not solved, after {steps} more"),
        _ => format!("not solved in {steps} more"),
    }
}

/// A what-if as a branch of a stored trajectory.
pub fn branch(outcome: &Outcome, trajectory: i64, t: usize) -> Branch {
    Branch {
        id: 0,
        trajectory,
        t,
        action: outcome.action.clone(),
        source: outcome.source.clone(),
        observation: outcome.observation.clone(),
        effect: outcome.effect,
        reward: outcome.reward,
        done: outcome.effect == ActionEffect::Ends,
        success: outcome.success,
        created_ms: 0,
    }
}

#[cfg(test)]
mod tests;
