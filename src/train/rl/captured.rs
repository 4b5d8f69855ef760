//! Batches of what agents of others did and were told it was worth: captured conversations of one task
//! are a group of rollouts, as if they had been sampled, and the log-probabilities that were written
//! down with them are those of the policy that acted.
//!
//! Nothing is played. The ratio of an action's tokens is `exp(l_new - l_old)` with `l_old` as it was
//! captured, so that it is 1 at the first update of the mind that answered (to the rounding of its
//! batches), and what has moved too far is clipped as in any other run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::estimate::{Estimator, Rollout, Term, Visit, has_spread};
use super::tree::{Costs, Grown, How, Known, Listed, Sums, merged};
use super::{Method, Rl};
use crate::agent::prompt::{Framing, ROOM};
use crate::control::Control;
use crate::digest;
use crate::error::{Error, Result};
use crate::experience::{Step, Trajectory};
use crate::gateway::{self, Unfit, Worth, Written};
use crate::model::step::Net;
use crate::model::team::{Priority, Team};
use crate::model::tokenizer::Tokenizer;
use crate::model::weights::Trainable;
use crate::rng::Rng;
use crate::store::Store;
use crate::text::counted;
use crate::train::examples::{Example, TokenRole};
use crate::train::plan::Plan;
use crate::train::source::{Batch, KeptGroup, Source};
use crate::train::update::{Metrics, costs};

/// Whose conversations are learnt from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Captured {
    /// The agent, as the gateway called it then.
    pub agent: String,
    /// Its number, whatever it is called later.
    pub id: i64,
    /// The last call that is learnt from: what comes later is for another run.
    pub upto: i64,
}

/// Refuses what cannot be learnt from conversations that are over.
pub(super) fn check(rl: &Rl) -> Result<()> {
    let refuse = |what: String, hint: &str| Err(Error::usage(what).hint(hint.to_string()));
    let Rl { method, temperature, validation, .. } = rl;
    if method.forks() || *method == Method::Gigpo {
        return refuse(
            format!("{} needs exact states, and a conversation has none", method.as_str()),
            "grpo, dr-grpo, rloo, dapo and expert-iteration learn from what was captured",
        );
    }
    if (temperature - 1.0).abs() > 1e-9 {
        return refuse(
            format!("a temperature of {temperature} of what was captured"),
            "--temperature 1: what was drawn otherwise is left out",
        );
    }
    if *validation > 0 {
        return refuse("validation by play of what was captured".into(), "--validation 0");
    }
    Ok(())
}

/// Conversations of one task.
struct Group {
    grown: Grown,
    rollouts: Vec<Rollout>,
    trajectories: Vec<Trajectory>,
}

/// All that was captured, read for a tokenizer.
pub struct Read {
    groups: Vec<Group>,
    /// What each conversation was worth, by its last call: with this a run goes on, whatever is said
    /// later.
    pub worth: Worth,
    /// What a person should know of it.
    pub warnings: Vec<String>,
}

impl Read {
    /// Reads an agent's conversations; `start` is the mind that is trained, and `known` what they were
    /// worth when the run began, if it did.
    pub fn of(
        store: &Store,
        rl: &Rl,
        (tokenizer, context): (&Tokenizer, usize),
        start: &str,
        known: Option<&Worth>,
    ) -> Result<Self> {
        let Some(of) = &rl.captured else {
            return Err(Error::new("a run of what was captured that says not of whom"));
        };
        let (all, mut unfit) = gateway::rollouts(store, &store.agent(of.id)?, of.upto, known)?;
        let framing = Framing::new(tokenizer)?;
        let mut by_task: BTreeMap<String, Vec<gateway::Rollout>> = BTreeMap::new();
        let (mut others, mut worth) = (0, Worth::new());
        for one in all {
            worth.insert(one.call, one.trajectory.reward());
            others += usize::from(!is_same(&one.mind, start));
            by_task.entry(one.task.clone()).or_default().push(one);
        }
        let mut groups = Vec::new();
        for rollouts in by_task.into_values() {
            groups.extend(Group::of(&framing, rollouts, context, &mut unfit)?);
        }
        let how = estimator(rl);
        let teaches =
            |group: &Group| has_spread(&how.terms(std::slice::from_ref(&group.rollouts))[0]);
        if !groups.iter().any(teaches) {
            return Err(nothing(of, rl.method, &groups, unfit));
        }
        let mut warnings = unfit.told();
        if others > 0 {
            warnings.push(format!(
                "{others} of {} were answered by another mind than {start}: their ratios begin where the two differ",
                counted(worth.len() as u64, "conversation")
            ));
        }
        let single = groups.iter().filter(|group| group.rollouts.len() < 2).count();
        if single > 0 && rl.method.compares_rollouts() {
            warnings.push(format!(
                "{single} of {} have one conversation: beside no other it says nothing",
                counted(groups.len() as u64, "task")
            ));
        }
        Ok(Self { groups, worth, warnings })
    }

    /// Tasks.
    pub fn tasks(&self) -> usize {
        self.groups.len()
    }
}

/// Whether two names are of one mind: a folder has more than one.
fn is_same(a: &str, b: &str) -> bool {
    let whole = |name: &str| std::fs::canonicalize(name).ok();
    a == b || whole(a).is_some_and(|a| Some(a) == whole(b))
}

fn estimator(rl: &Rl) -> Estimator {
    let Rl { method, gamma, limit, kl, .. } = *rl;
    Estimator { method, gamma, limit, holds: kl > 0.0 }
}

/// Why nothing can be learnt, which is known before anything is.
fn nothing(of: &Captured, method: Method, groups: &[Group], unfit: Unfit) -> Error {
    let mut why = unfit.told();
    let all: usize = groups.iter().map(|group| group.rollouts.len()).sum();
    if all > 0 {
        why.push(format!(
            "{} of {} are left, and within none of these do two differ in what they were worth",
            counted(all as u64, "conversation"),
            counted(groups.len() as u64, "task")
        ));
    }
    Error::usage(format!(
        "{} has nothing to learn from what {} did: {}",
        method.as_str(),
        of.agent,
        why.join("; ")
    ))
    .hint(
        "a mind of this program has to answer at temperature 1, the same game several times, and somebody to say what \
         each was worth; what was worth 1 can be imitated whoever answered (foretaste gateway take)",
    )
}

/// A conversation as a tree: every action as it was written, which may be other tokens than its text has
/// when it is read as a part of what came before.
fn written(
    framing: &Framing<'_>,
    of: &gateway::Rollout,
    context: usize,
) -> Result<Option<(Example, Listed)>> {
    let tr = &of.trajectory;
    if of.written.iter().all(|one| !one.prompt.is_empty()) {
        return Ok(spoken(of, context));
    }
    let opening = framing.opening(&tr.state(0))?;
    let mut example = Example { trajectory: tr.id, ..Example::default() };
    let mut at = example.add(None, &opening, TokenRole::Context);
    let mut depth = opening.len();
    let mut states = Vec::with_capacity(tr.steps.len());
    for (step, written) in tr.steps.iter().zip(&of.written) {
        // Whoever acts there drops the oldest turns, and reads something else than stands here.
        if depth + ROOM > context {
            return Ok(None);
        }
        let act = framing.act();
        let read = framing.action(&step.action)?;
        let mark = example.add(at, &act, TokenRole::Context);
        let first = example.tree.len();
        let mut end = example.add(mark, &written.ids, TokenRole::Action);
        states.push(Some(vec![(first..example.tree.len()).collect()]));
        if read != written.ids {
            end = example.add(mark, &read, TokenRole::Context);
        }
        let seen = framing.observation(&step.observation)?;
        let next = [framing.observe(), seen].concat();
        at = example.add(end, &next, TokenRole::Context);
        depth += act.len() + read.len() + next.len();
    }
    Ok(Some((example, states)))
}

/// A conversation in the model's own form: each answer stands after exactly what it was written to.
/// (Harnesses and templates write earlier answers in their own way, so that one is seldom the beginning
/// of the next.)
fn spoken(of: &gateway::Rollout, context: usize) -> Option<(Example, Listed)> {
    let mut example = Example { trajectory: of.trajectory.id, ..Example::default() };
    let mut states = Vec::with_capacity(of.written.len());
    for Written { ids, prompt, .. } in &of.written {
        if prompt.len() + ids.len() > context {
            return None;
        }
        let at = example.add(None, prompt, TokenRole::Context);
        let first = example.tree.len();
        example.add(at, ids, TokenRole::Action);
        states.push(Some(vec![(first..example.tree.len()).collect()]));
    }
    Some((example, states))
}

impl Group {
    /// None where all of them are longer than the model reads.
    fn of(
        framing: &Framing<'_>,
        all: Vec<gateway::Rollout>,
        context: usize,
        unfit: &mut Unfit,
    ) -> Result<Option<Self>> {
        let (mut trees, mut rollouts, mut trajectories) = (Vec::new(), Vec::new(), Vec::new());
        for one in all {
            let Some(tree) = written(framing, &one, context)? else {
                unfit.too_long += 1;
                continue;
            };
            trees.push(tree);
            let tr = one.trajectory;
            let visit = |((t, step), written): ((usize, &Step), &Written)| Visit {
                state: digest::of([tr.observation_at(t)]),
                logs: Vec::new(),
                chosen: digest::of([step.action.as_str()]) as usize,
                reward: step.reward,
                written: written.logps.clone(),
            };
            let visits = tr.steps.iter().enumerate().zip(&one.written).map(visit).collect();
            rollouts.push(Rollout { visits, won: tr.success(), fork: None });
            trajectories.push(tr);
        }
        if trees.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { grown: merged(trees), rollouts, trajectories }))
    }
}

/// See the module.
pub struct Again<'a> {
    plan: &'a Plan,
    rl: &'a Rl,
    groups: Vec<Group>,
    /// The weights that the run started from, where the distance from them counts.
    start: Option<Trainable>,
    /// Tokens of a pass at most.
    budget: usize,
    team: Team,
    control: Control,
}

impl<'a> Again<'a> {
    /// Of what was read.
    pub fn new(
        plan: &'a Plan,
        rl: &'a Rl,
        read: Read,
        start: Option<Trainable>,
        budget: usize,
        control: &Control,
    ) -> Result<Self> {
        let team = Team::new(plan.workers, Priority::Background)?;
        let (groups, control) = (read.groups, control.clone());
        Ok(Self { plan, rl, groups, start, budget, team, control })
    }

    /// Groups of an update: as many as are asked for, or all.
    fn size(&self) -> u64 {
        (self.plan.batch as u64).min(self.groups.len() as u64)
    }

    /// The groups of an update: all of them in an order drawn for each round.
    fn drawn(&self, update: u64) -> Vec<usize> {
        let (all, batch) = (self.groups.len() as u64, self.size());
        let one = |n: u64| {
            let mut order: Vec<usize> = (0..self.groups.len()).collect();
            Rng::stream(self.plan.seed, &format!("captured, round {}", n / all))
                .shuffle(&mut order);
            order[(n % all) as usize]
        };
        (update * batch..(update + 1) * batch).map(one).collect()
    }

    fn costs(&self, examples: &[Example], net: Net<'_>) -> Result<Vec<Costs>> {
        let net = Net { products: self.plan.products, ..net };
        costs(&self.team, net, self.budget, examples, &self.control.cancel)
    }
}

impl Source for Again<'_> {
    fn passes(&self) -> usize {
        self.rl.passes
    }

    fn batch(&mut self, _: usize, update: u64, pass: usize, weights: &Trainable) -> Result<Batch> {
        let groups: Vec<&Group> = self.drawn(update).iter().map(|i| &self.groups[*i]).collect();
        let Rl { kl, clip, temperature, .. } = *self.rl;
        let rollouts: Vec<Vec<Rollout>> =
            groups.iter().map(|group| group.rollouts.clone()).collect();
        let terms = estimator(self.rl).terms(&rollouts);
        let examples: Vec<Example> =
            groups.iter().map(|group| group.grown.example.clone()).collect();
        let new = self.costs(&examples, weights.net())?;
        let start = match &self.start {
            Some(start) => Some(self.costs(&examples, start.net())?),
            None => None,
        };
        let (mut found, mut trees) = (Sums::default(), Vec::new());
        for (i, group) in groups.iter().enumerate() {
            let start = start.as_ref().map(|all| &all[i]);
            let known = Known { old: None, new: Some(&new[i]), start };
            let mut grown = group.grown.clone();
            let how = How { clip, kl, temperature };
            found = found.and(grown.weigh(&terms[i], &group.rollouts, known, how));
            trees.extend(grown.example.cut(|node| grown.example.tree.weights[node]));
        }
        let mut measured = measured(&groups, &terms);
        let ratios = found.ratios.max(1) as f64;
        let seen = (update + 1) * self.size();
        measured.push(("epochs".into(), seen as f64 / self.groups.len() as f64));
        measured.push(("loss".into(), found.loss));
        measured.push(("clip_share".into(), found.clipped as f64 / ratios));
        measured.push(("ratio_off".into(), found.off));
        if self.start.is_some() {
            measured.push(("kl".into(), found.kl / ratios));
        }
        let kept = if pass == 0 { kept(&groups, &terms, self.rl.kept) } else { Vec::new() };
        let size: usize = examples.iter().map(|example| example.tree.len()).sum();
        let computed = if start.is_some() { 2 * size } else { size };
        Ok(Batch { trees, normaliser: 1.0, measured, computed, kept })
    }

    fn held_out(&self) -> &[Example] {
        &[]
    }
}

fn measured(groups: &[&Group], terms: &[Vec<Term>]) -> Metrics {
    let all = || groups.iter().flat_map(|group| &group.rollouts);
    let n = all().count().max(1) as f64;
    let won = all().filter(|one| one.won).count() as f64;
    let steps = all().map(|one| one.visits.len()).sum::<usize>() as f64;
    let spread = terms.iter().filter(|terms| has_spread(terms)).count();
    let own = [
        ("success", won / n),
        ("spread", spread as f64 / groups.len().max(1) as f64),
        ("groups_dropped", (groups.len() - spread) as f64),
        ("length", steps / n),
    ];
    own.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

fn kept(groups: &[&Group], terms: &[Vec<Term>], most: usize) -> Vec<KeptGroup> {
    let with = groups.iter().zip(terms).filter(|(_, terms)| has_spread(terms));
    let keep = |(group, terms): (&&Group, &Vec<Term>)| KeptGroup {
        trajectories: group.trajectories.clone(),
        rollouts: group.rollouts.clone(),
        terms: terms.clone(),
    };
    with.take(most).map(keep).collect()
}
