//! What makes the updates of a run.

use std::time::Duration;

use super::examples::TARGETS;
use super::figures::TOKENS;
use super::plan::{Moments, Plan, Stage};
use super::source::{KeptGroup, Source};
use super::update::{Metrics, Sums, Update, validate};
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::model::adamw::AdamW;
use crate::model::team::{Priority, Team};
use crate::model::weights::Trainable;
use crate::store::Store;

/// What is wished for of a run that works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// To go on.
    GoOn,
    /// To wait.
    Pause,
    /// To end at a checkpoint.
    Stop,
}

/// What stands around an engine: it is asked whether to go on, told of every update, and keeps the
/// checkpoints.
pub trait Wrapper {
    /// What is wished for now; also another program may have asked, through the store.
    fn wish(&mut self) -> Result<Wish>;

    /// A place between updates: waits while the run is paused, fails once it is to end.
    fn safe_point(&mut self) -> Result<()> {
        loop {
            match self.wish()? {
                Wish::GoOn => return Ok(()),
                Wish::Pause => std::thread::sleep(Duration::from_millis(50)),
                Wish::Stop => return Err(Error::cancelled()),
            }
        }
    }

    /// What ends an update that is under way.
    fn cancel(&self) -> Cancel;

    /// Something is done that takes a while and is no update.
    fn doing(&mut self, what: &str);

    /// What was measured after an update, beside what it told itself; 0 is before the first.
    fn measured(&mut self, step: u64, metrics: &Metrics) -> Result<()>;

    /// An update was made, counted from 1; some of what it learnt from is kept.
    fn updated(&mut self, step: u64, metrics: &Metrics, kept: &[KeptGroup]) -> Result<()>;

    /// Keeps the weights as they are after an update, and the optimiser where it is kept here.
    fn save(&mut self, step: u64, weights: &Trainable, optimiser: Option<&AdamW>) -> Result<()>;
}

/// Makes updates: the one here computes them in this process.
pub trait Engine {
    /// Goes on from an update to the end of the last stage.
    fn train(&mut self, from: u64, source: &mut dyn Source, run: &mut dyn Wrapper) -> Result<()>;

    /// Has what was learned so far kept, as far as it is here.
    fn save(&self, step: u64, run: &mut dyn Wrapper) -> Result<()>;
}

/// The update loop in this process, on threads of the lowest priority.
pub(super) struct Local<'a> {
    pub plan: &'a Plan,
    pub stages: &'a [Stage],
    /// Tokens of a pass at most.
    pub budget: usize,
    pub weights: Trainable,
    pub optimiser: AdamW,
    pub realised: Realised,
}

impl Engine for Local<'_> {
    fn train(&mut self, from: u64, source: &mut dyn Source, run: &mut dyn Wrapper) -> Result<()> {
        let plan = self.plan;
        let cancel = run.cancel();
        let team = Team::new(plan.workers, Priority::Background)?;
        let every = plan.save_interval(self.stages.iter().map(|stage| stage.updates).sum());
        if from == 0 {
            run.doing("validating");
            let mut metrics = self.validate(source, &team)?;
            if !metrics.is_empty() {
                metrics.extend(self.realised.metrics());
                run.measured(0, &metrics)?;
            }
        }
        let mut step = from;
        let mut start = 0;
        for (n, stage) in self.stages.iter().enumerate() {
            let end = start + stage.updates;
            while step < end {
                run.safe_point()?;
                let within = step - start;
                if n > 0 && within == 0 && plan.moments == Moments::Reset {
                    self.optimiser = AdamW::new(&self.weights.net().shapes());
                }
                let rate = plan.rate_at(within, stage.updates);
                let (mut metrics, kept) =
                    self.update((n, within, step + 1), rate, source, (&team, &cancel))?;
                // Unless the source knows better how often it has been through its data.
                if !metrics.iter().any(|(name, _)| name == "epochs") {
                    metrics.push(("epochs".into(), stage.seen(within + 1, plan.batch)));
                }
                step += 1;
                metrics.extend(self.realised.metrics());
                let over = plan
                    .rl
                    .as_ref()
                    .and_then(|rl| rl.tokens)
                    .is_some_and(|most| self.realised.computed >= most as f64);
                let saves = step.is_multiple_of(every) || step == end || over;
                let validates = plan.validate_every.is_some_and(|n| step.is_multiple_of(n));
                if saves || validates {
                    run.doing("validating");
                    metrics.extend(self.validate(source, &team)?);
                }
                run.updated(step, &metrics, &kept)?;
                if saves {
                    self.save(step, run)?;
                }
                if over {
                    return Ok(());
                }
            }
            start = end;
        }
        Ok(())
    }

    fn save(&self, step: u64, run: &mut dyn Wrapper) -> Result<()> {
        run.save(step, &self.weights, Some(&self.optimiser))
    }
}

impl Local<'_> {
    /// Makes an update, all of its passes or none: `(stage, update of it, number)`.
    fn update(
        &mut self,
        (stage, within, number): (usize, u64, u64),
        rate: f64,
        source: &mut dyn Source,
        (team, cancel): (&Team, &Cancel),
    ) -> Result<(Metrics, Vec<KeptGroup>)> {
        let plan = self.plan;
        let passes = source.passes();
        // A checkpoint between two passes could not be gone on from.
        let before = (passes > 1).then(|| (self.weights.trained().clone(), self.optimiser.clone()));
        let (mut metrics, mut kept) = (Metrics::new(), Vec::new());
        for pass in 0..passes {
            let mut one = || -> Result<()> {
                let batch = source.batch(stage, within, pass, &self.weights)?;
                let update = Update {
                    number,
                    batch: &batch,
                    rate,
                    tuning: plan.tuning,
                    budget: self.budget,
                    recompute: plan.recompute,
                    products: plan.products,
                };
                let (measured, sums) =
                    update.run(&mut self.weights, &mut self.optimiser, team, cancel)?;
                self.realised.add(&sums, batch.computed);
                metrics = measured;
                kept.extend(batch.kept);
                Ok(())
            };
            if let Err(error) = one() {
                if let Some((weights, optimiser)) = before {
                    *self.weights.trained() = weights;
                    self.optimiser = optimiser;
                }
                return Err(error);
            }
        }
        Ok((metrics, kept))
    }

    /// What the weights are worth on what is held out.
    fn validate(&self, source: &dyn Source, team: &Team) -> Result<Metrics> {
        let mut metrics = validate(source.held_out(), self.budget, &self.weights, team)?;
        metrics.extend(source.measure(&self.weights)?);
        Ok(metrics)
    }
}

/// What was done so far, over all stages.
#[derive(Debug, Default)]
pub(super) struct Realised {
    computed: f64,
    unique: f64,
    targets: [f64; 4],
}

impl Realised {
    /// As a run recorded it up to an update.
    pub fn read(store: &Store, run: i64, step: u64) -> Result<Self> {
        let last = |name: &str| -> Result<f64> {
            let points = store.metric(run, name)?;
            let before = points.iter().rev().find(|point| point.step <= step);
            Ok(before.and_then(|point| point.value).unwrap_or_default())
        };
        let mut targets = [0.0; 4];
        for (sum, (_, name)) in targets.iter_mut().zip(TARGETS) {
            *sum = last(&format!("targets_{name}"))?;
        }
        Ok(Self { computed: last(TOKENS)?, unique: last("tokens_unique")?, targets })
    }

    /// What an update computed, and what was computed in making its batch.
    pub fn add(&mut self, sums: &Sums, before: usize) {
        self.unique += sums.unique as f64;
        self.made((sums.computed + before) as f64, sums.counts);
    }

    /// An update of so many tokens and targets, by kind.
    pub fn made(&mut self, computed: f64, targets: [f64; 4]) {
        self.computed += computed;
        self.targets.iter_mut().zip(targets).for_each(|(sum, count)| *sum += count);
    }

    /// All of it, as it is recorded; unique tokens where they are counted.
    pub fn metrics(&self) -> impl Iterator<Item = (String, f64)> + use<'_> {
        let targets = TARGETS.into_iter().zip(self.targets).filter(|(_, count)| *count > 0.0);
        let targets = targets.map(|((_, name), count)| (format!("targets_{name}"), count));
        let unique = ("tokens_unique".to_string(), self.unique);
        let unique = Some(unique).filter(|(_, count)| *count > 0.0);
        std::iter::once((TOKENS.to_string(), self.computed)).chain(unique).chain(targets)
    }
}
