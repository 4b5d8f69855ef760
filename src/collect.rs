//! Bulk collection: demonstrations, executed alternatives, reflections.
//!
//! Each job works through units (games), commits one transaction a unit and only then reports it, and skips what is
//! already there, so running it again resumes it.

use serde_json::json;

use crate::agent::{Case, Policy, Reflector};
use crate::control::{Cancel, Control, Meter, Progress};
use crate::env::{Environment, Expert, Experts, Opened, Silence, Suite, TaskRef};
use crate::error::{Error, Result};
use crate::experience::{Branch, Effect, Purpose, Step, Trajectory};
use crate::rng::Rng;
use crate::store::{NewReflection, Store, TrajectorySummary};

/// What a job says while it works: a unit that is safely in the store, and how far the job is.
pub type Report<'a> = &'a mut dyn FnMut(serde_json::Value, Progress);

/// Which games a job covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The split.
    pub split: String,
    /// How many games.
    pub games: usize,
    /// The seed that chose them, and of whatever is random below.
    pub seed: u64,
}

fn strings(list: Option<&std::sync::Arc<[std::sync::Arc<str>]>>) -> Vec<String> {
    list.map(|list| list.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

/// The step that an environment has just made.
pub fn step_of(env: &dyn Environment, action: &str, source: &str) -> Step {
    let turn = env.turn();
    Step {
        action: action.to_string(),
        source: source.to_string(),
        observation: turn.observation.to_string(),
        admissible: strings(turn.admissible.as_ref()),
        done: turn.done,
        success: turn.success,
    }
}

/// A trajectory without steps, at the start of an opened task.
pub fn trajectory_at(opened: &Opened, split: &str, purpose: Purpose, actor: &str, seed: u64) -> Trajectory {
    let turn = opened.env.turn();
    Trajectory {
        id: 0,
        suite: opened.suite.clone(),
        split: split.to_string(),
        task_id: opened.task.id.clone(),
        kind: opened.task.kind.clone(),
        task: opened.env.task().to_string(),
        purpose,
        actor: actor.to_string(),
        seed,
        observation: turn.observation.to_string(),
        admissible: strings(turn.admissible.as_ref()),
        steps: Vec::new(),
        created_ms: 0,
    }
}

/// Plays an expert to the end of an episode; the reason if it does not get there.
pub fn play_expert(
    env: &mut dyn Environment,
    expert: &dyn Expert,
    limit: usize,
    cancel: &Cancel,
    mut each: impl FnMut(&dyn Environment, &str),
) -> Result<Result<(), Silence>> {
    for _ in 0..limit {
        if env.turn().success {
            return Ok(Ok(()));
        }
        let advice = match expert.advise(env, cancel) {
            Ok(advice) => advice,
            Err(Silence::Cancelled) => return Err(Error::cancelled()),
            Err(why) => return Ok(Err(why)),
        };
        env.step(&advice.action)?;
        each(env, &advice.action);
    }
    let late = || Silence::Other(format!("the goal was not reached within {limit} steps"));
    Ok(if env.turn().success { Ok(()) } else { Err(late()) })
}

/// Who demonstrates.
#[derive(Clone, Copy)]
pub enum Teacher<'a> {
    /// The suite's expert of that name, or the one it puts first.
    Suite(Option<&'a str>),
    /// Someone else, like a person at the keyboard.
    Other(&'a dyn Expert),
}

impl<'a> Teacher<'a> {
    /// The expert for an opened task.
    pub fn expert<'b>(&self, experts: &'b Experts) -> Result<&'b dyn Expert>
    where
        'a: 'b,
    {
        match self {
            Self::Suite(name) => experts.get(*name),
            Self::Other(expert) => Ok(*expert),
        }
    }
}

/// The games of a scope: the split's tasks in an order drawn from the seed.
pub fn choose(suite: &dyn Suite, scope: &Scope) -> Result<Vec<TaskRef>> {
    let mut tasks = suite.tasks(&scope.split)?;
    Rng::stream(scope.seed, &scope.split).shuffle(&mut tasks);
    tasks.truncate(scope.games);
    Ok(tasks)
}

/// Expert trajectories.
pub fn demonstrations(
    store: &mut Store,
    suite: &dyn Suite,
    scope: &Scope,
    teacher: Teacher<'_>,
    control: &Control,
    report: Report<'_>,
) -> Result<()> {
    let have = store.demonstrations(Some(suite.name()), Some(&scope.split))?;
    let tasks = choose(suite, scope)?;
    let total = tasks.len() as u64;
    let meter = Meter::new("demonstrations", 0, total);
    // Who demonstrates; the suite's first expert is known by name once a game is open.
    let mut by: Option<String> = None;
    for (i, task) in tasks.iter().enumerate() {
        control.checkpoint()?;
        let there = |by: &str| have.iter().any(|known| known.task_id == task.id && known.actor == by);
        if by.as_deref().is_some_and(there) {
            continue; // without opening the game: a job is resumed by going past thousands
        }
        let mut opened = suite.open(&task.id)?;
        let expert = teacher.expert(&opened.experts)?;
        by = Some(expert.name().to_string());
        if there(expert.name()) {
            continue;
        }
        let mut trajectory = trajectory_at(&opened, &scope.split, Purpose::Demonstration, expert.name(), scope.seed);
        let won = play_expert(opened.env.as_mut(), expert, opened.limit, &control.cancel, |env, action| {
            trajectory.steps.push(step_of(env, action, expert.name()));
        })?;
        let progress = meter.at(i as u64 + 1);
        if let Err(why) = won {
            report(json!({"skipped": task.id, "why": format!("{}: {why}", expert.name())}), progress);
            continue;
        }
        let id = store.add_trajectory(&trajectory)?;
        let steps = trajectory.steps.len();
        let row = json!({"trajectory": id, "task_id": task.id, "kind": task.kind, "expert": expert.name(), "steps": steps});
        report(row, progress);
    }
    Ok(())
}

/// Where alternatives come from.
pub enum Proposer<'a> {
    /// Uniformly from the admissible list without replacement (what the paper does for world modelling).
    Uniform,
    /// Sampled from the policy at temperature 1, inadmissible ones replaced from the list (for self-reflection).
    Policy(&'a mut dyn Policy),
}

impl Proposer<'_> {
    /// Up to `k` distinct alternatives to `expert`, each with its source.
    pub fn propose(
        &mut self,
        state: &crate::experience::State,
        admissible: &[String],
        expert: Option<&str>,
        k: usize,
        seed: u64,
    ) -> Result<Vec<(String, String)>> {
        let mut rng = Rng::stream(seed, "alternatives");
        let mut left: Vec<&String> = admissible.iter().filter(|a| Some(a.as_str()) != expert).collect();
        rng.shuffle(&mut left);
        let mut chosen: Vec<(String, String)> = Vec::new();
        if let Self::Policy(policy) = self {
            for action in policy.propose(state, k, seed)? {
                if let Some(at) = left.iter().position(|known| **known == action) {
                    left.remove(at);
                    chosen.push((action, "policy".into()));
                }
            }
        }
        let missing = k.saturating_sub(chosen.len());
        chosen.extend(left.into_iter().take(missing).map(|action| (action.clone(), "uniform".into())));
        Ok(chosen)
    }
}

/// What alternatives in a state are held against: where the expert's action leads, and how far the goal is.
pub struct Yardstick<'a> {
    experts: &'a Experts,
    /// The state the expert's action leads to.
    next: u64,
    /// Steps to the goal, where something knows.
    left: Option<usize>,
}

impl<'a> Yardstick<'a> {
    /// For the expert's action in a state.
    pub fn new(experts: &'a Experts, env: &dyn Environment, action: &str) -> Result<Self> {
        let next = try_action(env, action, None)?.0.fingerprint();
        Ok(Self { experts, next, left: experts.distance(env, &Cancel::default()).ok() })
    }

    /// Whether the action that led to `next` starts a shortest way to the goal. An expert that does not know the world
    /// may itself do worse: then this action was better.
    fn as_good(&self, next: &dyn Environment) -> bool {
        let left = || self.experts.distance(next, &Cancel::default()).ok();
        self.left.is_some_and(|before| left().is_some_and(|after| after < before))
    }
}

/// Executes an alternative on a fork and says what it did, held against the expert's action where there is one.
pub fn try_action(
    env: &dyn Environment,
    action: &str,
    expert: Option<&Yardstick<'_>>,
) -> Result<(Box<dyn Environment>, Effect)> {
    let mut fork = env.fork()?;
    let refused = !env.turn().admits(action);
    fork.step(action)?;
    let after = fork.fingerprint();
    let effect = match () {
        () if refused => Effect::Error,
        () if fork.turn().done => Effect::Ends,
        () if after == env.fingerprint() => Effect::NoOp,
        () if expert.is_some_and(|expert| expert.next == after) => Effect::SameAsExpert,
        () if expert.is_some_and(|expert| expert.as_good(fork.as_ref())) => Effect::EquallyGood,
        () => Effect::Changed,
    };
    Ok((fork, effect))
}

/// The environment of a stored trajectory, ready to be led along its steps; every observation is checked against the
/// recorded one, so that no alternative is ever executed in another world than the one it is recorded in.
pub struct Retrace {
    env: Box<dyn Environment>,
    /// The task's experts.
    pub experts: Experts,
    at: usize,
}

impl Retrace {
    /// Opens the trajectory's task at its start.
    pub fn open(suite: &dyn Suite, trajectory: &Trajectory) -> Result<Self> {
        let Opened { env, experts, .. } = suite.open(&trajectory.task_id)?;
        let retrace = Self { env, experts, at: 0 };
        retrace.verify(trajectory)?;
        Ok(retrace)
    }

    fn verify(&self, trajectory: &Trajectory) -> Result<()> {
        if *self.env.turn().observation == *trajectory.observation_at(self.at) {
            return Ok(());
        }
        Err(Error::new(format!(
            "STATE_MISMATCH: trajectory {} at step {}: the world answers differently now than when it was recorded",
            trajectory.id, self.at
        ))
        .hint("the game files or the suite changed; collect its demonstrations again"))
    }

    /// Goes to state `t`.
    pub fn to(&mut self, trajectory: &Trajectory, t: usize) -> Result<&dyn Environment> {
        while self.at < t {
            let step = trajectory.steps.get(self.at).ok_or_else(|| Error::new(format!("there is no step {t}")))?;
            self.env.step(&step.action)?;
            self.at += 1;
            self.verify(trajectory)?;
        }
        Ok(self.env.as_ref())
    }
}

fn covered(store: &Store, suite: &dyn Suite, scope: &Scope) -> Result<Vec<TrajectorySummary>> {
    let mut demos = store.demonstrations(Some(suite.name()), Some(&scope.split))?;
    if demos.is_empty() {
        return Err(Error::new(format!("there are no demonstrations of {} / {}", suite.name(), scope.split))
            .hint(format!("run: foretaste collect demos --suite {} --split {} --games N", suite.name(), scope.split)));
    }
    demos.truncate(scope.games);
    Ok(demos)
}

/// K executed alternatives at every state of the demonstrations (`D_rollout`).
pub fn branches(
    store: &mut Store,
    suite: &dyn Suite,
    scope: &Scope,
    k: usize,
    proposer: &mut Proposer<'_>,
    control: &Control,
    report: Report<'_>,
) -> Result<()> {
    let demos = covered(store, suite, scope)?;
    let meter = Meter::new("alternatives", 0, demos.len() as u64);
    for (i, demo) in demos.iter().enumerate() {
        control.checkpoint()?;
        let trajectory = store.trajectory(demo.id)?;
        let have = store.branches(demo.id)?;
        let mut retrace = Retrace::open(suite, &trajectory)?;
        let mut fresh = Vec::new();
        for (t, step) in trajectory.steps.iter().enumerate() {
            control.cancel.check()?;
            let missing = k.saturating_sub(have.iter().filter(|branch| branch.t == t).count());
            retrace.to(&trajectory, t)?;
            if missing == 0 {
                continue;
            }
            let env = retrace.env.as_ref();
            let expert = Yardstick::new(&retrace.experts, env, &step.action)?;
            let open: Vec<String> = trajectory
                .admissible_at(t)
                .iter()
                .filter(|a| !have.iter().any(|branch| branch.t == t && branch.action == **a))
                .cloned()
                .collect();
            let seed = scope.seed ^ (demo.id as u64) << 16 ^ t as u64;
            for (action, source) in proposer.propose(&trajectory.state(t), &open, Some(&step.action), missing, seed)? {
                let (fork, effect) = try_action(env, &action, Some(&expert))?;
                let turn = fork.turn();
                let observation = turn.observation.to_string();
                let (done, success) = (turn.done, turn.success);
                fresh.push(Branch { id: 0, trajectory: demo.id, t, action, source, observation, effect, done, success });
            }
        }
        let ids = store.add_branches(&fresh)?;
        report(json!({"trajectory": demo.id, "branches": ids}), meter.at(i as u64 + 1));
    }
    Ok(())
}

/// A reflection for every state of the demonstrations that has executed alternatives (`D_refl`), pending review.
pub fn reflections(
    store: &mut Store,
    suite: &dyn Suite,
    scope: &Scope,
    reflector: &mut dyn Reflector,
    control: &Control,
    report: Report<'_>,
) -> Result<()> {
    let demos = covered(store, suite, scope)?;
    let meter = Meter::new("reflections", 0, demos.len() as u64);
    let generator = reflector.generator();
    let mut found_any = false;
    for (i, demo) in demos.iter().enumerate() {
        control.checkpoint()?;
        let trajectory = store.trajectory(demo.id)?;
        let branches = store.branches(demo.id)?;
        let written = store.reflected(demo.id, &generator)?;
        let mut fresh = Vec::new();
        for t in 0..trajectory.steps.len() {
            control.cancel.check()?;
            let Some(case) = case_at(&trajectory, &branches, t) else { continue };
            found_any = true;
            if written.contains(&t) {
                continue;
            }
            let text = reflector.reflect(&case, scope.seed ^ (demo.id as u64) << 16 ^ t as u64)?;
            let cites = case.alternatives.iter().map(|branch| branch.id).collect();
            fresh.push(NewReflection { trajectory: demo.id, t, generator: generator.clone(), cites, text });
        }
        let ids = store.add_reflections(&fresh)?;
        report(json!({"trajectory": demo.id, "reflections": ids}), meter.at(i as u64 + 1));
    }
    if found_any {
        return Ok(());
    }
    Err(Error::new("no state has executed alternatives yet, so there is nothing to reflect on").hint(format!(
        "run: foretaste collect branches --suite {} --split {} --games N",
        suite.name(),
        scope.split
    )))
}

/// Whether an alternative may be argued against: one that is as good as the expert's action must not be.
fn worse(branch: &Branch) -> bool {
    !branch.success && !matches!(branch.effect, Effect::SameAsExpert | Effect::EquallyGood)
}

/// What there is to reflect on at a state; none where no worse alternative was executed.
pub fn case_at(trajectory: &Trajectory, branches: &[Branch], t: usize) -> Option<Case> {
    let step = trajectory.steps.get(t)?;
    let alternatives: Vec<Branch> = branches.iter().filter(|branch| branch.t == t && worse(branch)).cloned().collect();
    if alternatives.is_empty() {
        return None;
    }
    Some(Case { state: trajectory.state(t), action: step.action.clone(), outcome: step.observation.clone(), alternatives })
}
