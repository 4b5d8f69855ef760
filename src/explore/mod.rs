//! One person's exploration of a task: a tree of states, each a running world of its own, and where they stand in it.
//!
//! Going back is choosing another node; trying an alternative is a step on a fork. Knows nothing of screens.

mod keep;
mod nodes;
mod reflect;
mod view;

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use keep::{Kept, Tried, keep};
pub use reflect::reflect;
pub use view::{Outcome, TrunkLine, View};

use crate::collect::{Yardstick, step_of, trajectory_at, try_action};
use crate::control::Cancel;
use crate::env::{Environment, Expert, Experts, Opened, Silence, Suite, Turn, Voice};
use crate::error::{Error, Result};
use crate::experience::{Branch, Effect, Purpose, State, Trajectory};

/// How many steps policy or expert play on from a what-if.
pub const ON: usize = 20;

/// The name under which a person acts, and is the expert.
pub const HUMAN: &str = "human";

/// A state that was visited.
struct Node {
    parent: Option<usize>,
    action: String,
    source: String,
    name: String,
    depth: usize,
    env: Box<dyn Environment>,
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
    experts: Experts,
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
    /// Opens a task at its start. `asked` is who speaks as the expert (the suite's first without it); `human` is nobody.
    pub fn open(suite: &dyn Suite, split: &str, task_id: &str, asked: Option<&str>) -> Result<Self> {
        let opened: Opened = suite.open(task_id)?;
        let start = trajectory_at(&opened, split, Purpose::Exploration, HUMAN, 0);
        let asked = match asked {
            Some(HUMAN) => HUMAN,
            name => opened.experts.get(name).or_else(|_| opened.experts.get(None)).map_or(HUMAN, Expert::name),
        };
        let Opened { env, experts, limit, warning, .. } = opened;
        let (action, source, name) = Default::default();
        let root = Node { parent: None, action, source, name, depth: 0, env };
        Ok(Self { start, experts, asked: asked.to_string(), limit, warning, nodes: vec![root], gone: Vec::new(), at: 0 })
    }

    /// Who is asked to speak as the expert.
    pub fn asked(&self) -> &str {
        &self.asked
    }

    /// The next expert speaks; after the last, nobody: a person is the expert then.
    pub fn next_expert(&mut self) {
        let mut names = self.experts.names();
        names.push(HUMAN);
        let at = names.iter().position(|name| *name == self.asked).unwrap_or_default();
        self.asked = names[(at + 1) % names.len()].to_string();
    }

    /// Opens a remembered session and replays it.
    pub fn restore(suite: &dyn Suite, remembered: &Remembered, asked: Option<&str>) -> Result<Self> {
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
        session.gone = remembered.gone.iter().copied().filter(|node| *node < session.nodes.len()).collect();
        Ok(session)
    }

    /// What to remember.
    pub fn remember(&self) -> Remembered {
        let steps = self.nodes.iter().filter_map(|n| Some((n.parent?, n.action.clone(), n.source.clone())));
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

    fn env(&self) -> &dyn Environment {
        self.nodes[self.at].env.as_ref()
    }

    /// Takes an action on a fork of the current state and goes there. The same action from the same state is the same
    /// node.
    pub fn step(&mut self, action: &str, source: &str) -> Result<()> {
        if self.env().turn().done {
            return Err(Error::new("the episode is over here").hint("go back with u, or to the next task with ]"));
        }
        if self.nodes[self.at].depth >= self.limit {
            return Err(Error::new(format!("the step limit of {} is reached", self.limit)).hint("go back with u"));
        }
        let action = action.trim();
        let known = self.nodes.iter().position(|node| node.parent == Some(self.at) && node.action == action);
        if let Some(known) = known {
            self.gone.retain(|gone| *gone != known);
            self.at = known;
            return Ok(());
        }
        let mut env = self.env().fork()?;
        env.step(action)?;
        let depth = self.nodes[self.at].depth + 1;
        let (action, source, name) = (action.to_string(), source.to_string(), String::new());
        self.nodes.push(Node { parent: Some(self.at), action, source, name, depth, env });
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
            trajectory.steps.push(step_of(node.env.as_ref(), &node.action, &node.source));
        }
        trajectory
    }

    /// The same, as a demonstration with whoever acted as its expert. Refused unless it reached the goal: what is
    /// imitated must be worth imitating.
    pub fn demonstration(&self) -> Result<Trajectory> {
        if !self.env().turn().success {
            return Err(Error::new("the goal is not reached here, so there is nothing to imitate yet")
                .hint("play on until the task is solved, then keep it"));
        }
        let mut trajectory = self.trajectory();
        trajectory.purpose = Purpose::Demonstration;
        let mut sources: Vec<&str> = trajectory.steps.iter().map(|step| step.source.as_str()).collect();
        sources.dedup();
        trajectory.actor = match sources[..] {
            [one] if self.experts.names().contains(&one) => one.to_string(),
            _ => HUMAN.to_string(),
        };
        Ok(trajectory)
    }

    fn advice(&self) -> Option<Result<Voice, Silence>> {
        (self.asked != HUMAN).then(|| self.experts.advise(Some(&self.asked), self.env(), &Cancel::default()))
    }

    /// Executes actions on forks of the current state.
    pub fn outcomes(&self, actions: &[(String, String)]) -> Result<Vec<Outcome>> {
        let expert = match self.advice() {
            Some(Ok(voice)) => Some(Yardstick::new(&self.experts, self.env(), &voice.advice.action)?),
            _ => None,
        };
        actions.iter().map(|(action, source)| self.outcome(action, source, expert.as_ref())).collect()
    }

    /// A fork of the world after an action of the current state, and the state it is in then.
    pub fn after(&self, action: &str) -> Result<(Box<dyn Environment>, State)> {
        let mut env = self.env().fork()?;
        env.step(action)?;
        let mut trajectory = self.trajectory();
        trajectory.steps.push(step_of(env.as_ref(), action, HUMAN));
        let state = trajectory.state(trajectory.steps.len());
        Ok((env, state))
    }

    /// How the expert would go on from what an action leads to, in words: at most [`ON`] steps, and two seconds.
    pub fn expert_goes_on(&self, action: &str) -> Result<String> {
        let (mut env, began) = (self.env().fork()?, Instant::now());
        env.step(action)?;
        let asked = Some(self.asked.as_str()).filter(|asked| *asked != HUMAN);
        let mut done = 0;
        while !env.turn().done && done < ON && began.elapsed() < Duration::from_secs(2) {
            match self.experts.advise(asked, env.as_ref(), &Cancel::default()) {
                Ok(voice) => env.step(&voice.advice.action)?,
                Err(why) => return Ok(format!("expert on from there: silent after {done} more ({why})")),
            }
            done += 1;
        }
        Ok(format!("expert on from there: {}", went(env.turn(), done)))
    }

    /// The way here and the expert's step from here, with what was executed beside it: what a reflection is written
    /// about. Refused where no expert speaks.
    pub fn with_advice(&self) -> Result<Trajectory> {
        let Some(Ok(voice)) = self.advice() else {
            return Err(Error::new("no expert speaks here, so there is nothing to explain").hint("e lets another speak"));
        };
        let mut trajectory = self.trajectory();
        let mut env = self.env().fork()?;
        env.step(&voice.advice.action)?;
        trajectory.steps.push(step_of(env.as_ref(), &voice.advice.action, voice.name));
        trajectory.actor = voice.name.to_string();
        Ok(trajectory)
    }

    fn outcome(&self, action: &str, source: &str, expert: Option<&Yardstick<'_>>) -> Result<Outcome> {
        let (fork, effect) = try_action(self.env(), action, expert)?;
        let turn = fork.turn();
        let observation = turn.observation.to_string();
        let steps_left = self.experts.distance(fork.as_ref(), &Cancel::default()).ok();
        let (action, source) = (action.to_string(), source.to_string());
        let (success, reward) = (turn.success, turn.reward);
        Ok(Outcome { action, source, observation, effect, reward, success, steps_left })
    }

    /// Everything to be shown of the current node.
    pub fn view(&self) -> Result<View> {
        let turn = self.env().turn();
        let (expert, silence) = match self.advice() {
            Some(Ok(Voice { name, advice, silence })) => (Some((name.to_string(), advice)), silence),
            Some(Err(why)) => (None, Some(why)),
            None => (None, None),
        };
        let expert_outcome = match &expert {
            Some((name, advice)) => Some(self.outcome(&advice.action, name, None)?),
            None => None,
        };
        let path = self.path();
        let trajectory = self.trajectory();
        Ok(View {
            suite: self.start.suite.clone(),
            split: self.start.split.clone(),
            task_id: self.start.task_id.clone(),
            kind: self.start.kind.clone(),
            task: self.start.task.clone(),
            node: self.at,
            depth: self.nodes[self.at].depth,
            limit: self.limit,
            observation: turn.observation.to_string(),
            admissible: trajectory.listed_at(trajectory.steps.len()).to_vec(),
            expert,
            asked: self.asked.clone(),
            silence,
            distance: self.experts.distance(self.env(), &Cancel::default()),
            expert_outcome,
            trunk: self.trunk(&path),
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
        done: outcome.effect == Effect::Ends,
        success: outcome.success,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::household::Household;

    fn session(asked: &str) -> Session {
        Session::open(&Household, "train", "train/3", Some(asked)).unwrap()
    }

    #[test]
    fn going_back_and_on_keeps_every_branch_and_forks_do_not_meet() {
        let mut session = session("fair");
        let start = session.view().unwrap();
        let actions: Vec<String> = start.admissible.iter().filter(|a| a.starts_with("walk")).take(2).cloned().collect();
        session.step(&actions[0], "human").unwrap();
        let first = session.view().unwrap();
        assert!(session.back());
        assert_eq!(session.view().unwrap().observation, start.observation);
        session.step(&actions[1], "human").unwrap();
        session.goto(first.node).unwrap();
        assert_eq!(session.view().unwrap().observation, first.observation);
        assert_eq!(session.view().unwrap().trunk.len(), 3);
        session.back();
        session.step(&actions[0], "human").unwrap();
        assert_eq!(session.view().unwrap().trunk.len(), 3, "the same action from the same state is the same node");
    }

    #[test]
    fn a_session_comes_back_as_it_was_and_only_a_win_is_kept() {
        let mut session = session("fair");
        assert!(session.demonstration().is_err());
        while let Some((name, advice)) = session.view().unwrap().expert {
            session.step(&advice.action, &name).unwrap();
        }
        let kept = session.demonstration().unwrap();
        assert!(kept.success() && kept.actor == "fair");
        session.back();
        let again = Session::restore(&Household, &session.remember(), None).unwrap();
        assert_eq!(again.view().unwrap(), session.view().unwrap());
    }

    #[test]
    fn off_the_walkthrough_another_expert_speaks_and_the_view_says_so() {
        let mut session = session("walkthrough");
        let start = session.view().unwrap();
        let (name, advice) = start.expert.unwrap();
        assert!(name == "walkthrough" && start.silence.is_none());
        let other = start.admissible.iter().find(|a| a.starts_with("walk") && **a != advice.action).unwrap();
        session.step(other, "human").unwrap();
        let view = session.view().unwrap();
        assert_eq!(view.silence, Some(Silence::OffPath));
        assert_ne!(view.expert.unwrap().0, "walkthrough");
        assert!(view.distance.unwrap() >= start.distance.unwrap() - 1);
        for asked in ["human", "fair", "planner", "walkthrough"] {
            session.next_expert();
            assert_eq!(session.view().unwrap().asked, asked);
            assert_eq!(session.view().unwrap().expert.is_none(), asked == "human", "only a person leaves it open");
        }
    }

    #[test]
    fn an_alternative_is_held_against_the_expert_by_the_way_that_is_left() {
        let session = session("planner");
        let view = session.view().unwrap();
        let left = view.expert_outcome.unwrap().steps_left.unwrap();
        assert_eq!(left + 1, view.distance.unwrap(), "the planner's step brings the goal one step nearer");
        let actions: Vec<_> = view.admissible.iter().map(|a| (a.clone(), "uniform".to_string())).collect();
        let starts = session.experts.starts(session.env(), &Cancel::default()).unwrap();
        for outcome in session.outcomes(&actions).unwrap() {
            let good = matches!(outcome.effect, Effect::SameAsExpert | Effect::EquallyGood);
            assert_eq!(good, outcome.steps_left == Some(left), "{outcome:?}");
            assert_eq!(good, starts.iter().any(|a| **a == *outcome.action), "{outcome:?} {starts:?}");
        }
    }
}
