//! What makes the updates of a run.

use super::examples::TARGETS;
use super::plan::{Moments, Plan, Stage};
use super::source::Source;
use super::update::{Metrics, Sums, Update, validate};
use crate::control::Cancel;
use crate::error::Result;
use crate::model::adamw::AdamW;
use crate::model::team::{Priority, Team};
use crate::model::weights::Trainable;
use crate::store::Store;

/// What stands around an engine: it is asked whether to go on, told of every update, and keeps the
/// checkpoints.
pub trait Wrapper {
    /// A place between updates: waits while the run is paused, fails once it is to end.
    fn safe_point(&mut self) -> Result<()>;

    /// What ends an update that is under way.
    fn cancel(&self) -> Cancel;

    /// What was measured before the first update.
    fn measured(&mut self, metrics: &Metrics) -> Result<()>;

    /// An update was made, counted from 1.
    fn updated(&mut self, step: u64, metrics: &Metrics) -> Result<()>;

    /// Keeps the weights and the optimiser as they are after an update.
    fn save(&mut self, step: u64, weights: &Trainable, optimiser: &AdamW) -> Result<()>;
}

/// Makes updates: the one here computes them in this process.
pub trait Engine {
    /// Goes on from an update to the end of the last stage.
    fn train(&mut self, from: u64, source: &mut dyn Source, run: &mut dyn Wrapper) -> Result<()>;

    /// Has what was learned so far kept.
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
        let budget = self.budget;
        let cancel = run.cancel();
        let team = Team::new(plan.workers, Priority::Background)?;
        let every = plan.save_interval(self.stages.iter().map(|stage| stage.updates).sum());
        if from == 0 {
            let mut metrics = self.validate(source, &team)?;
            if !metrics.is_empty() {
                metrics.extend(self.realised.metrics());
                run.measured(&metrics)?;
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
                let batch = source.batch(n, within, &self.weights)?;
                let rate = plan.rate_at(within, stage.updates);
                let update = Update {
                    number: step + 1,
                    batch: &batch,
                    rate,
                    tuning: plan.tuning,
                    budget,
                    recompute: plan.recompute,
                    products: plan.products,
                };
                let (mut metrics, sums) =
                    update.run(&mut self.weights, &mut self.optimiser, &team, &cancel)?;
                metrics.push((
                    "epochs".into(),
                    ((within + 1) * plan.batch as u64) as f64 / stage.trees.max(1) as f64,
                ));
                step += 1;
                self.realised.add(&sums);
                metrics.extend(self.realised.metrics());
                let saves = step.is_multiple_of(every) || step == end;
                let validates = plan.validate_every.is_some_and(|n| step.is_multiple_of(n));
                if saves || validates {
                    metrics.extend(self.validate(source, &team)?);
                }
                run.updated(step, &metrics)?;
                if saves {
                    self.save(step, run)?;
                }
            }
            start = end;
        }
        Ok(())
    }

    fn save(&self, step: u64, run: &mut dyn Wrapper) -> Result<()> {
        run.save(step, &self.weights, &self.optimiser)
    }
}

impl Local<'_> {
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
        Ok(Self { computed: last("tokens")?, unique: last("tokens_unique")?, targets })
    }

    pub fn add(&mut self, sums: &Sums) {
        self.computed += sums.computed as f64;
        self.unique += sums.unique as f64;
        self.targets.iter_mut().zip(sums.counts).for_each(|(sum, count)| *sum += count);
    }

    pub fn metrics(&self) -> impl Iterator<Item = (String, f64)> + use<'_> {
        let targets = TARGETS.into_iter().zip(self.targets).filter(|(_, count)| *count > 0.0);
        let targets = targets.map(|((_, name), count)| (format!("targets_{name}"), count));
        [("tokens".to_string(), self.computed), ("tokens_unique".to_string(), self.unique)]
            .into_iter()
            .chain(targets)
    }
}
