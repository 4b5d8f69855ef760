//! Everything that decides what a run does, and the stages that follow from it.

use serde::{Deserialize, Serialize};

use super::examples::Roles;
use super::preferred::Preferences;
use super::rl::{self, Method, Rl};
pub use super::stages::{Budget, Found, Moments, Stage};
use super::torchrun;
use super::tuning::{RUINOUS, Tuning};
use super::{Mixture, Objective};
use crate::error::{Error, Result};
use crate::model::config::Config;
use crate::model::device::Device;
use crate::model::lora::{Adapter, LINEARS};
use crate::model::step::Products;
use crate::model::weights::Trainable;
use crate::place::Place;
use crate::selection::Criteria;

/// Everything that decides what a run does; stored with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Plan {
    /// What is optimised.
    pub objective: Objective,
    /// Updates; of world modelling, what [`Budget`] makes of them.
    pub steps: u64,
    /// Passes over the trees that imitation (or the only stage) finds, in place of `steps`.
    #[serde(default)]
    pub epochs: Option<f64>,
    /// Trajectories an update.
    pub batch: usize,
    /// Peak learning rate of a stage.
    pub rate: f64,
    /// How it rises and falls, decay and clipping.
    #[serde(default)]
    pub tuning: Tuning,
    /// Seed of the data order.
    pub seed: u64,
    /// Threads.
    pub workers: usize,
    /// Updates between checkpoints; without it a quarter of the run, at least 25.
    pub save_every: Option<u64>,
    /// Updates between validations, beside the one at every checkpoint.
    #[serde(default)]
    pub validate_every: Option<u64>,
    /// What it may be trained on.
    pub data: Criteria,
    /// The rank of an adapter, trained in place of the weights.
    pub lora: Option<usize>,
    /// What its output is multiplied with, times the rank; without it twice the rank.
    #[serde(default)]
    pub alpha: Option<f64>,
    /// The linear layers that it stands beside; none named are all of [`LINEARS`].
    #[serde(default)]
    pub modules: Vec<String>,
    /// Tokens of one pass at most; an update's trees are packed into as many passes as they need.
    /// Without it, as many as the largest tree has, within reason and memory.
    pub budget: Option<usize>,
    /// Compute layers again on the way back instead of keeping what they computed.
    pub recompute: bool,
    /// What the operands of products are; validation is in f32 in any case.
    #[serde(default)]
    pub products: Products,
    /// Bytes of memory that the run may take; without it, what the machine has free when it starts.
    pub memory_limit: Option<u64>,
    /// How many updates the stages get.
    pub matched: Budget,
    /// Passes over the data of world modelling.
    pub world_epochs: f64,
    /// What becomes of the optimiser between the stages.
    pub moments: Moments,
    /// A control: next states are dealt out among the alternatives of their trajectory, so that
    /// they teach the words of the world and not what follows from what.
    pub shuffled: bool,
    /// World modelling without the next states of the expert's own steps (and of a visiting
    /// policy's): those of alternatives alone. The paper's data has both in most environments
    /// (`method.md` 1.3).
    #[serde(default)]
    pub alternatives_only: bool,
    /// Whether checkpoints that nothing needs are kept all the same.
    #[serde(default)]
    pub keep_all: bool,
    /// How much the distance from the start counts, of preferences: `β`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beta: Option<f64>,
    /// Of preferences: those that a person stated among captured answers, in place of stored data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferences: Option<Preferences>,
    /// What makes the updates in place of this program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub torchrun: Option<torchrun::Settings>,
    /// The device that candle computes batches on, in place of the kernels here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Place>,
    /// What is played and how it is learnt from, of reinforcement learning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rl: Option<Rl>,
}

/// The usual `β` of preferences.
const BETA: f64 = 0.1;

impl Plan {
    /// The usual plan for an objective.
    pub fn new(objective: Objective, steps: u64, seed: u64) -> Self {
        Self {
            objective,
            steps,
            epochs: None,
            batch: 8,
            rate: 1e-3,
            tuning: Tuning::default(),
            seed,
            workers: 2,
            save_every: None,
            validate_every: None,
            data: Criteria::default(),
            lora: None,
            alpha: None,
            modules: Vec::new(),
            budget: None,
            recompute: false,
            products: Products::F32,
            memory_limit: None,
            matched: Budget::default(),
            world_epochs: 1.0,
            moments: Moments::default(),
            shuffled: false,
            alternatives_only: false,
            keep_all: false,
            beta: (objective == Objective::Dpo).then_some(BETA),
            preferences: None,
            torchrun: None,
            device: None,
            rl: (objective == Objective::Rl).then(|| Rl::new(Method::Forks)),
        }
    }

    /// Refuses numbers that mean nothing before anything is made of them.
    pub fn check(&self) -> Result<()> {
        let refuse = |what: String, hint: &str| Err(Error::new(what).hint(hint.to_string()));
        if !(self.rate.is_finite() && (0.0..=1.0).contains(&self.rate)) {
            return refuse(
                format!("a learning rate of {} is not between 0 and 1", self.rate),
                "usual ones: 1e-4 to 2e-3",
            );
        }
        if self.rate > RUINOUS {
            return refuse(
                format!("a learning rate of {} would ruin the weights", self.rate),
                "at most 0.03: AdamW moves each weight by about the rate at every update; usual \
                 ones: 1e-4 to 2e-3",
            );
        }
        if self.epochs.is_some_and(|epochs| !(1e-4..=1e5).contains(&epochs)) {
            return refuse(
                format!("{} epochs", self.epochs.unwrap_or_default()),
                "at least 0.0001, at most 100,000",
            );
        }
        if self.save_every == Some(0) || self.validate_every == Some(0) {
            return refuse("an interval of 0 updates".into(), "1 or more, or leave it out");
        }
        if self.steps == 0 || self.steps > 100_000_000 {
            return refuse(format!("{} updates", self.steps), "between 1 and 100,000,000");
        }
        if self.batch == 0 || self.batch > 4096 {
            return refuse(format!("{} trajectories an update", self.batch), "between 1 and 4,096");
        }
        if self.workers == 0 || self.workers > 1024 {
            return refuse(format!("{} threads", self.workers), "between 1 and 1,024");
        }
        if self.lora.is_some_and(|rank| rank == 0 || rank > 1024) {
            return refuse(
                format!("an adapter of rank {}", self.lora.unwrap_or_default()),
                "between 1 and 1,024; usual: 8",
            );
        }
        if let Some(alpha) = self.alpha.filter(|alpha| !(1e-6..=1e6).contains(alpha)) {
            return refuse(format!("an alpha of {alpha}"), "usual: twice the rank");
        }
        if let Some(odd) = self.modules.iter().find(|name| !LINEARS.contains(&name.as_str())) {
            return refuse(
                format!("there is no linear layer `{odd}`"),
                &format!("layers: {}", LINEARS.join(", ")),
            );
        }
        if self.beta.is_some() != (self.objective == Objective::Dpo) {
            return refuse(
                format!("beta (--beta) beside the objective {}", self.objective.as_str()),
                "dpo needs it, and nothing else knows it",
            );
        }
        if self.beta.is_some_and(|beta| !(1e-4..=100.0).contains(&beta)) {
            return refuse(
                format!("a beta of {}", self.beta.unwrap_or_default()),
                "between 0.0001 and 100; usual: 0.1",
            );
        }
        if !(self.world_epochs.is_finite() && self.world_epochs >= 1e-4 && self.world_epochs <= 1e4)
        {
            return refuse(
                format!("{} epochs of world modelling", self.world_epochs),
                "at least 0.0001, at most 10,000",
            );
        }
        self.check_meaning()?;
        rl::check(self)?;
        self.preferences.as_ref().map_or(Ok(()), |_| Preferences::check(self))?;
        self.torchrun.as_ref().map_or(Ok(()), |of| of.check(self))?;
        self.check_device()?;
        self.tuning.check()?;
        self.data.check()
    }

    /// Refuses what candle is not asked to do.
    fn check_device(&self) -> Result<()> {
        let refuse = |what: &str, hint: &str| {
            Err(Error::usage(format!("{what} with candle (--engine)")).hint(hint.to_string()))
        };
        match self.device {
            Some(_) if self.torchrun.is_some() => {
                refuse("torchrun", "one engine makes the updates")
            }
            Some(_) if self.products != Products::F32 => {
                refuse("rounded operands (--bf16)", "it computes in f32; leave it out")
            }
            Some(_) if self.recompute => refuse(
                "--recompute",
                "there every layer is computed again in any case; leave it out",
            ),
            _ => Ok(()),
        }
    }

    /// What a person should know about where batches are computed.
    pub(super) fn slow(&self) -> Option<String> {
        (self.device == Some(Place::Cpu)).then(|| {
            "candle on the processor is some ten times slower than the engine here (--engine here): it is \
             there to be tried, and to be tested"
                .to_string()
        })
    }

    /// Opens the device that batches are computed on, if that is not here.
    pub(super) fn open_device(&self) -> Result<Option<Device>> {
        self.device.map(Device::open).transpose()
    }

    /// Refuses settings that mean nothing beside the others.
    fn check_meaning(&self) -> Result<()> {
        let refuse = |what: String, hint: &str| Err(Error::new(what).hint(hint.to_string()));
        let usual = Criteria::default();
        let world = self.objective.foresees_first();
        let meant = [
            (
                self.shuffled && self.data.k == Some(0),
                "shuffled outcomes (--shuffled) without any alternative (-k 0)",
            ),
            (
                self.objective == Objective::Dpo && self.data.k == Some(0),
                "preferences without any alternative (-k 0)",
            ),
            (self.shuffled && !world, "shuffled outcomes (--shuffled)"),
            (
                self.alternatives_only && self.data.k == Some(0),
                "alternatives only (--alternatives-only) without any (-k 0)",
            ),
            (self.alternatives_only && !world, "alternatives only (--alternatives-only)"),
            (
                self.objective.compares() && self.data.visits.is_some(),
                "the expert's answers on visits (--visits)",
            ),
            (
                !self.objective.carry().branches && !self.data.without.is_empty(),
                "effects of alternatives (--without)",
            ),
            (
                !self.objective.carry().branches && self.data.errors.is_some(),
                "a share of refused alternatives (--errors)",
            ),
            (
                self.epochs.is_some() && self.matched != Budget::Stage2,
                "a number of epochs (--epochs) under a budget of both stages (--match)",
            ),
            (
                !self.objective.carry().branches && self.data.pool != usual.pool,
                "a pool of alternatives (--branches)",
            ),
            (
                !self.objective.carry().branches && self.data.k.is_some(),
                "a number of alternatives (-k)",
            ),
            (!world && self.matched != Budget::default(), "a budget of two stages (--match)"),
            (
                !world && (self.world_epochs - 1.0).abs() > 0.0,
                "epochs of world modelling (--world-epochs)",
            ),
            (!world && self.moments != Moments::default(), "moments between stages (--moments)"),
            (
                !self.objective.carry().reflections && self.data.rationales,
                "rationales (--rationales)",
            ),
            (
                !self.objective.carry().reflections && self.data.writer.is_some(),
                "a writer of texts (--writer)",
            ),
        ];
        let of_adapter =
            [(self.alpha.is_some(), "--alpha"), (!self.modules.is_empty(), "--modules")];
        if let Some((_, what)) = of_adapter.iter().find(|(given, _)| *given && self.lora.is_none())
        {
            return refuse(
                format!("{what} means nothing without an adapter"),
                "--lora R trains one, or leave it out",
            );
        }
        if let Some((_, what)) = meant.iter().find(|(given, _)| *given) {
            return refuse(
                format!("{what} means nothing for {}", self.objective.as_str()),
                "leave it out",
            );
        }
        if world && self.matched != Budget::Stage2 && self.steps < 2 {
            return refuse(
                "one update cannot be shared by two stages".into(),
                "--steps 2 or more, or --match stage2",
            );
        }
        Ok(())
    }

    /// What of a trajectory's own steps this plan trains on, of what is usual.
    pub(super) fn roles(&self, usual: Roles) -> Roles {
        Roles {
            next_states: usual.next_states && !self.alternatives_only,
            listed: self.objective.compares(),
            ..usual
        }
    }

    /// A fresh adapter for a model, if the plan wants one.
    pub fn adapter(&self, config: &Config) -> Result<Option<Adapter>> {
        let named: Vec<&str> = self.modules.iter().map(String::as_str).collect();
        let layers = if named.is_empty() { &LINEARS[..] } else { &named };
        let fresh = |rank: usize| {
            let alpha = self.alpha.unwrap_or(2.0 * rank as f64);
            Adapter::new(config, rank, alpha, layers, self.seed)
        };
        self.lora.map(fresh).transpose()
    }

    /// Gives a model the adapter that is trained, if the plan wants one and it did not bring one.
    pub(super) fn equip(&self, weights: &mut Trainable) -> Result<()> {
        if weights.adapter.is_none() {
            weights.adapter = self.adapter(&weights.config)?;
        }
        Ok(())
    }

    /// The stages of the run, given what each mixture finds in the data.
    pub fn stages(&self, found: impl Fn(&Mixture) -> Found) -> Vec<Stage> {
        let stage = |name: &str, mixture: Mixture, updates: f64| {
            let Found { trees, tokens } = found(&mixture);
            let updates = updates.round().max(1.0) as u64;
            Stage { name: name.into(), mixture, updates, trees, tokens }
        };
        let batch = self.batch as f64;
        let last = match self.objective {
            Objective::Imitation
            | Objective::WorldModel
            | Objective::List
            | Objective::Dpo
            | Objective::Rl => Mixture::IMITATION,
            Objective::Reflection | Objective::Both => Mixture::REFLECTION,
            Objective::Joint => Mixture::JOINT,
        };
        let by_epochs =
            self.epochs.map(|epochs| (epochs * found(&last).trees as f64 / batch).ceil().max(1.0));
        let steps = by_epochs.unwrap_or(self.steps as f64);
        match self.objective {
            Objective::Imitation
            | Objective::Reflection
            | Objective::List
            | Objective::Dpo
            | Objective::Joint
            | Objective::Rl => {
                vec![stage(self.objective.as_str(), last, steps)]
            }
            Objective::WorldModel | Objective::Both => {
                let world = found(&Mixture::WORLD);
                let acting = found(&last);
                let wanted = (self.world_epochs * world.trees as f64 / batch).ceil();
                let (first, second) = match self.matched {
                    Budget::Stage2 => (wanted, steps),
                    Budget::Total => {
                        let first = wanted.min((steps / 2.0).floor()).max(1.0);
                        (first, steps - first)
                    }
                    Budget::Tokens => {
                        let each = world.tokens.max(1.0);
                        let whole = steps * acting.tokens;
                        let first = wanted.min((whole / 2.0 / each).floor()).max(1.0);
                        (first, (whole - first * each) / acting.tokens.max(1.0))
                    }
                };
                vec![
                    stage("world-model", Mixture::WORLD, first),
                    stage(
                        if self.objective.reflects() { "reflection" } else { "imitation" },
                        last,
                        second,
                    ),
                ]
            }
        }
    }

    /// The learning rate at an update of a stage, both counted from its beginning.
    pub fn rate_at(&self, step: u64, updates: u64) -> f64 {
        self.rate * self.tuning.share_at(step, updates)
    }

    /// Updates between checkpoints in a run of so many.
    pub fn save_interval(&self, updates: u64) -> u64 {
        // An update that plays takes seconds.
        let least = if self.rl.is_some() { 10 } else { 25 };
        self.save_every.unwrap_or((updates / 4).max(least))
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
