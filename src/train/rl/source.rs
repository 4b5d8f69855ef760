//! Batches of a policy that learns from its own play: rollouts with the weights as they are, their
//! worth, and the weights of the tokens that follow from it.

use std::time::Instant;

use super::Method;
use super::estimate::{Estimator, Rollout, Term, has_spread};
use super::sample::{Sampled, Sampler, entropy as of_visit, validate};
use super::tree::{Costs, Grown, How, Known, Sums, grow};
use crate::agent::prompt::Framing;
use crate::agent::{self, Agent};
use crate::budget;
use crate::control::Control;
use crate::env::{Suite, TaskRef};
use crate::error::{Error, Result};
use crate::model::step::Net;
use crate::model::team::{Priority, Team};
use crate::model::weights::Trainable;
use crate::rng::Rng;
use crate::train::examples::Example;
use crate::train::figures::OF_PLAY;
use crate::train::plan::Plan;
use crate::train::rl::Rl;
use crate::train::source::{Batch, KeptGroup, Source};
use crate::train::update::{Metrics, costs};

/// Tasks that are drawn for one update at most, in multiples of those that are asked for, where a
/// method takes others in place of those without spread.
const DRAWN: usize = 3;

/// See the module.
pub struct Playing<'a> {
    plan: &'a Plan,
    rl: &'a Rl,
    suite: &'a dyn Suite,
    split: String,
    tasks: Vec<TaskRef>,
    /// Games that are played at validations, and their split.
    validation: (String, Vec<TaskRef>),
    /// The weights that the run started from, where the distance from them counts.
    start: Option<Trainable>,
    /// Tokens of a pass at most.
    budget: usize,
    team: Team,
    control: Control,
    /// The rollouts of the update under way, for its later passes.
    under_way: Option<UnderWay>,
}

/// What an update has sampled.
struct UnderWay {
    update: u64,
    groups: Vec<Sampled>,
    trees: Vec<Tree>,
    /// What was measured in sampling.
    measured: Metrics,
    tokens: usize,
}

impl UnderWay {
    /// Whether actions were written, and not chosen from a list.
    fn has_written(&self) -> bool {
        let visits = self.trees.iter().flat_map(|tree| &tree.rollouts).flat_map(|one| &one.visits);
        visits.map(|visit| &visit.logs).any(Vec::is_empty)
    }
}

/// A group's tree with all that is asked of it.
struct Tree {
    grown: Grown,
    terms: Vec<Term>,
    rollouts: Vec<Rollout>,
    /// What tokens cost the policy that acted, and the start.
    old: Option<Costs>,
    start: Option<Costs>,
}

impl<'a> Playing<'a> {
    /// For a plan with [`Plan::rl`]; `start` is what the run started from.
    pub fn new(
        plan: &'a Plan,
        rl: &'a Rl,
        suite: &'a dyn Suite,
        start: Option<Trainable>,
        budget: usize,
        control: &Control,
    ) -> Result<Self> {
        let split = plan.data.split.clone().unwrap_or_else(|| "train".to_string());
        let tasks = tasks_of(suite, plan, &split)?;
        let other = suite.evaluated_on().unwrap_or_else(|| split.clone());
        let mut held = if rl.validation == 0 { Vec::new() } else { suite.tasks(&other)? };
        Rng::stream(1, &other).shuffle(&mut held);
        held.truncate(rl.validation);
        let team = Team::new(plan.workers, Priority::Background)?;
        let validation = (other, held);
        let under_way = None;
        Ok(Self {
            plan,
            rl,
            suite,
            split,
            tasks,
            validation,
            start,
            budget,
            team,
            control: control.clone(),
            under_way,
        })
    }

    fn sampler<'b>(&'b self, split: &'b str) -> Sampler<'b> {
        Sampler { suite: self.suite, split, rl: self.rl, seed: self.plan.seed }
    }

    /// So many tasks of a run from number `from` on: all of them in an order drawn for each round.
    fn draws(&self, from: u64, count: usize) -> Vec<TaskRef> {
        let all = self.tasks.len() as u64;
        let (mut round, mut order) = (None, Vec::new());
        let mut task = |n: u64| {
            if round != Some(n / all) {
                round = Some(n / all);
                order = (0..self.tasks.len()).collect::<Vec<_>>();
                let name = format!("tasks of round {}", n / all);
                Rng::stream(self.plan.seed, &name).shuffle(&mut order);
            }
            self.tasks[order[(n % all) as usize]].clone()
        };
        (from..from + count as u64).map(&mut task).collect()
    }

    fn estimator(&self) -> Estimator {
        let Rl { method, gamma, limit, kl, .. } = *self.rl;
        Estimator { method, gamma, limit, holds: kl > 0.0 }
    }

    /// Plays the tasks of an update, and more where the method wants others in place of those without
    /// spread.
    fn played(&self, agent: &mut dyn Agent, update: u64) -> Result<Vec<Sampled>> {
        let wanted = self.plan.batch;
        let sampler = self.sampler(&self.split);
        let most = if self.rl.method.draws_again() { DRAWN } else { 1 };
        let how = self.estimator();
        let teaches =
            |one: &Sampled| has_spread(&how.terms(std::slice::from_ref(&one.rollouts))[0]);
        let (mut groups, mut drawn) = (Vec::new(), 0);
        while drawn < wanted * most {
            let lacking = wanted - groups.iter().filter(|one| teaches(one)).count();
            if lacking == 0 {
                break;
            }
            let count = lacking.min(wanted * most - drawn);
            let from = update * (wanted * most) as u64 + drawn as u64;
            let tasks = self.draws(from, count);
            drawn += count;
            let mut found = sampler.sample(agent, &tasks, from, &self.control)?;
            self.check(&found)?;
            // One whose world failed in every rollout says nothing.
            found.retain(|group| !group.rollouts.is_empty());
            groups.extend(found);
        }
        Ok(groups)
    }

    /// Refuses what a method cannot learn from: actions that are written.
    fn check(&self, groups: &[Sampled]) -> Result<()> {
        let visits = || groups.iter().flat_map(|group| &group.rollouts).flat_map(|one| &one.visits);
        let written = visits().filter(|visit| visit.logs.is_empty()).count();
        let Rl { method, temperature, .. } = self.rl;
        if written > 0
            && matches!(method, Method::Forks | Method::Tree)
            && written == visits().count()
        {
            return Err(Error::usage(format!(
                "{} forks where a list of actions is chosen from, and in this world actions are written",
                method.as_str()
            ))
            .hint("vine-ppo forks anywhere; rloo, grpo and the others need no forks"));
        }
        if written > 0 && (temperature - 1.0).abs() > 1e-9 {
            return Err(Error::usage(format!(
                "a temperature of {temperature}, where actions are written: what is trained would not be what acts"
            ))
            .hint("--temperature 1"));
        }
        Ok(())
    }

    /// Samples the rollouts of an update and grows their trees.
    fn sampled(&self, update: u64, weights: &Trainable) -> Result<UnderWay> {
        let began = Instant::now();
        let mut agent = agent::local(weights.model("the policy")?, Priority::Background)?;
        let groups = self.played(agent.as_mut(), update)?;
        let framing = Framing::new(&weights.tokenizer)?;
        let context = weights.config.context;
        let rollouts: Vec<Vec<Rollout>> =
            groups.iter().map(|group| group.rollouts.clone()).collect();
        let terms = self.estimator().terms(&rollouts);
        let (mut trees, mut tokens) = (Vec::new(), 0);
        for ((group, terms), rollouts) in groups.iter().zip(terms).zip(rollouts) {
            let all: Vec<_> = group.trajectories.iter().collect();
            let Some(grown) = grow(&framing, &all, context)? else {
                return Err(Error::new(format!(
                    "{}: too long for the model to read",
                    group.task.id
                )));
            };
            // What had to be computed to sample it, were nothing computed twice.
            tokens += grown.example.tree.len();
            let (old, start) = (None, None);
            trees.push(Tree { grown, terms, rollouts, old, start });
        }
        let seconds = began.elapsed().as_secs_f64();
        let measured = measured(&groups, &trees, seconds);
        Ok(UnderWay { update, groups, trees, measured, tokens })
    }

    /// What the tokens of actions cost some weights.
    fn costs(&self, trees: &[Tree], net: Net<'_>) -> Result<Vec<Costs>> {
        let examples: Vec<Example> = trees.iter().map(|tree| tree.grown.example.clone()).collect();
        let net = Net { products: self.plan.products, ..net };
        costs(&self.team, net, self.budget, &examples, &self.control.cancel)
    }
}

/// The games that a run plays.
pub fn tasks_of(suite: &dyn Suite, plan: &Plan, split: &str) -> Result<Vec<TaskRef>> {
    let mut tasks = suite.tasks(split)?;
    if let Some(share) = plan.data.share {
        tasks.retain(|task| share.holds(suite.name(), &task.id));
    }
    if tasks.is_empty() {
        return Err(Error::usage(format!("{} / {split} has no games to play", suite.name()))
            .hint("see what there is with: foretaste env list"));
    }
    Ok(tasks)
}

/// What the rollouts of an update say.
fn measured(groups: &[Sampled], trees: &[Tree], seconds: f64) -> Metrics {
    let (mut roots, mut won, mut steps, mut own, mut entropy, mut choices) = (0, 0, 0, 0, 0.0, 0);
    for group in groups {
        let (n, wins) = group.roots();
        roots += n;
        won += wins;
        for one in &group.rollouts {
            own += one.visits.len() - one.own();
            if one.fork.is_some() {
                continue;
            }
            steps += one.visits.len();
            for visit in one.visits.iter().filter(|visit| !visit.logs.is_empty()) {
                entropy += of_visit(visit);
                choices += 1;
            }
        }
    }
    let spread = trees.iter().filter(|tree| has_spread(&tree.terms)).count();
    let invalid: usize = groups.iter().map(|group| group.invalid).sum();
    let per = |x: f64, n: usize| x / n.max(1) as f64;
    let forks: usize = groups.iter().map(|group| group.rollouts.len()).sum::<usize>() - roots;
    let mut all = vec![
        ("success", per(won as f64, roots)),
        ("spread", per(spread as f64, groups.len())),
        ("groups_dropped", (groups.len() - spread) as f64),
        ("length", per(steps as f64, roots)),
        ("entropy", per(entropy, choices)),
        ("invalid", per(invalid as f64, own)),
        ("episodes_per_s", (roots + forks) as f64 / seconds.max(1e-9)),
        ("steps_per_s", own as f64 / seconds.max(1e-9)),
    ];
    if forks > 0 {
        all.push(("continuations", forks as f64));
    }
    let broken: usize = groups.iter().map(|group| group.broken).sum();
    if broken > 0 {
        all.push(("broken_off", broken as f64));
    }
    all.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

impl Source for Playing<'_> {
    fn passes(&self) -> usize {
        self.rl.passes
    }

    fn batch(&mut self, _: usize, update: u64, pass: usize, weights: &Trainable) -> Result<Batch> {
        let mut computed = 0;
        if pass == 0 {
            // Worlds are led, and trees written, under the run's cancel.
            let mut fresh = budget::under(&self.control.cancel, || self.sampled(update, weights))?;
            computed += fresh.tokens;
            if let Some(start) = &self.start {
                let costs = self.costs(&fresh.trees, start.net())?;
                fresh.trees.iter_mut().zip(costs).for_each(|(tree, of)| tree.start = Some(of));
                computed += fresh.tokens;
            }
            self.under_way = Some(fresh);
        }
        let now = self.under_way.take().filter(|now| now.update == update);
        let mut now = now.ok_or_else(|| Error::new("an update's second pass before its first"))?;
        // One pass over lists goes by the probabilities that were drawn by; of several each asks the
        // weights, and so does the distance from the start of what was written.
        let asks = self.rl.passes > 1 || self.start.is_some() && now.has_written();
        let new = if asks { Some(self.costs(&now.trees, weights.net())?) } else { None };
        computed += if asks { now.tokens } else { 0 };
        let how = How { clip: self.rl.clip, kl: self.rl.kl, temperature: self.rl.temperature };
        let mut found = Sums::default();
        let mut trees = Vec::new();
        for (i, tree) in now.trees.iter_mut().enumerate() {
            let new = new.as_ref().map(|all| &all[i]);
            if pass == 0 {
                tree.old = new.cloned();
            }
            let known = Known { old: tree.old.as_ref(), new, start: tree.start.as_ref() };
            let mut grown = tree.grown.clone();
            found = found.and(grown.weigh(&tree.terms, &tree.rollouts, known, how));
            trees.extend(grown.example.cut(|node| grown.example.tree.weights[node]));
        }
        let ratios = found.ratios.max(1) as f64;
        let mut measured = now.measured.clone();
        measured.push(("loss".into(), found.loss));
        if asks {
            measured.push(("clip_share".into(), found.clipped as f64 / ratios));
            measured.push(("ratio_off".into(), found.off));
            measured.push(("played_off".into(), found.played));
        }
        if self.start.is_some() {
            measured.push(("kl".into(), found.kl / ratios));
        }
        if found.lost > 0 {
            measured.push(("too_long".into(), found.lost as f64));
        }
        let kept = if pass == 0 { kept(&now, self.rl.kept) } else { Vec::new() };
        self.under_way = Some(now);
        Ok(Batch { trees, normaliser: 1.0, measured, computed, kept })
    }

    fn held_out(&self) -> &[Example] {
        &[]
    }

    fn measure(&self, weights: &Trainable) -> Result<Metrics> {
        let (split, tasks) = &self.validation;
        if tasks.is_empty() {
            return Ok(Metrics::new());
        }
        let mut agent = agent::local(weights.model("the policy")?, Priority::Background)?;
        let (won, n) = validate(&self.sampler(split), agent.as_mut(), tasks, &self.control)?;
        if n == 0 {
            return Ok(Metrics::new());
        }
        let success = won as f64 / n as f64;
        Ok(vec![("valid_success".into(), success), (OF_PLAY.into(), 1.0 - success)])
    }
}

/// The groups of an update that are kept to be looked at: those with spread first.
fn kept(now: &UnderWay, most: usize) -> Vec<KeptGroup> {
    let all = || now.groups.iter().zip(&now.trees);
    let with = all().filter(|(_, tree)| has_spread(&tree.terms));
    let without = all().filter(|(_, tree)| !has_spread(&tree.terms));
    let keep = |(group, tree): (&Sampled, &Tree)| KeptGroup {
        trajectories: group.trajectories.clone(),
        rollouts: tree.rollouts.clone(),
        terms: tree.terms.clone(),
    };
    with.chain(without).take(most).map(keep).collect()
}
