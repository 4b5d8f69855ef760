//! What stands around the engine of a run: its lock, how it stands, when it stops, what is kept and
//! what is told.

use std::path::Path;
use std::time::Instant;

use super::checkpoint;
use super::data::DataSummary;
use super::engine::{Engine, Wish, Wrapper};
use super::figures::TOKENS;
use super::plan::{Plan, Stage};
use super::rl::kept::keep;
use super::source::{KeptGroup, Source};
use super::update::Metrics;
use crate::control::{Cancel, Control, Meter, Progress};
use crate::error::Result;
use crate::model::adamw::AdamW;
use crate::model::memory;
use crate::model::weights::Trainable;
use crate::store::{RunLock, RunStatus, Store};

/// What a run tells while it works.
#[derive(Debug)]
pub enum Event<'a> {
    /// The run exists and what it trains on.
    Begun {
        /// Row id of the run.
        run: i64,
        /// The model it started from.
        start: &'a str,
        /// What was planned.
        plan: &'a Plan,
        /// What it trains on.
        data: &'a DataSummary,
        /// Its stages.
        stages: &'a [Stage],
        /// What it needs.
        memory: memory::MemoryPlan,
        /// What a person should know about it.
        warnings: &'a [String],
    },
    /// An update is done and its metrics are in the store.
    Update {
        /// The update, counted from 1.
        step: u64,
        /// Metric names and values.
        metrics: &'a [(String, f64)],
        /// How far the run is.
        progress: Progress,
    },
    /// Something is done that is no update.
    Doing(Progress),
    /// A checkpoint is on disk and in the store.
    Saved {
        /// The update.
        step: u64,
        /// Its folder.
        folder: &'a Path,
        /// Whether its weights are in it, and not only an adapter beside others that lie elsewhere.
        whole: bool,
        /// What stood in its place and was set aside.
        set_aside: Option<&'a Path>,
        /// Updates whose checkpoints were removed: nothing needs them any more.
        removed: &'a [u64],
    },
}

impl Event<'_> {
    /// What became of other checkpoints when one was saved, to stand after that; nothing of other
    /// events.
    pub fn besides(&self) -> String {
        let Event::Saved { set_aside, removed, .. } = self else { return String::new() };
        let mut text = String::new();
        if let Some(aside) = set_aside {
            text += &format!("; another run's stood in its place and is now {}", aside.display());
        }
        if !removed.is_empty() {
            let steps: Vec<String> = removed.iter().map(ToString::to_string).collect();
            text += &format!("; removed step {}, which nothing needs", steps.join(", "));
        }
        text
    }
}

/// A run under way.
pub(super) struct Run<'a> {
    store: &'a mut Store,
    control: &'a Control,
    each: &'a mut dyn FnMut(Event<'_>),
    id: i64,
    _lock: RunLock,
    /// Whether all checkpoints are kept.
    keep_all: bool,
    stages: Vec<Stage>,
    /// The last update of each stage.
    stage_ends: Vec<u64>,
    meter: Meter,
    /// Tokens so far, of a run that ends by them: how many updates it will make nobody knows.
    tokens: Option<u64>,
    began: Instant,
    /// Milliseconds that it took before: time goes on where it was, so that a resumed run's curve
    /// by minutes does not fold back.
    before_ms: i64,
    step: u64,
}

impl<'a> Run<'a> {
    /// Marks a run as running.
    #[expect(clippy::too_many_arguments, reason = "each is a part of its own")]
    pub fn new(
        store: &'a mut Store,
        control: &'a Control,
        each: &'a mut dyn FnMut(Event<'_>),
        id: i64,
        lock: RunLock,
        plan: &Plan,
        stages: &[Stage],
        step: u64,
    ) -> Result<Self> {
        store.set_run(id, RunStatus::Running, step, None)?;
        let earlier = store.metric(id, "loss")?;
        let before_ms = earlier
            .iter()
            .filter(|point| point.step <= step)
            .map(|point| point.wall_ms)
            .max()
            .unwrap_or(0);
        let mut end = 0;
        let stage_ends: Vec<u64> =
            stages.iter().map(|stage| (end += stage.updates, end).1).collect();
        let meter = Meter::new(plan.objective.as_str(), step, end);
        let (meter, tokens) = match plan.rl.as_ref().and_then(|rl| rl.tokens) {
            None => (meter, None),
            Some(most) => {
                let so_far = store.metric(id, TOKENS)?;
                let before = so_far.iter().rev().find(|point| point.step <= step);
                let before = before.and_then(|point| point.value).unwrap_or_default() as u64;
                let doing = format!("{}, tokens", plan.objective.as_str());
                (Meter::new(doing, before, most), Some(before))
            }
        };
        let keep_all = plan.keep_all;
        let began = Instant::now();
        Ok(Self {
            store,
            control,
            each,
            id,
            _lock: lock,
            keep_all,
            stages: stages.to_vec(),
            stage_ends,
            meter,
            tokens,
            began,
            before_ms,
            step,
        })
    }

    /// How long it has worked.
    fn wall_ms(&self) -> i64 {
        self.before_ms + self.began.elapsed().as_millis() as i64
    }

    /// How far it is: in updates, or in tokens where those end it.
    fn progress(&self) -> Progress {
        match self.tokens {
            Some(tokens) => self.meter.at(tokens),
            None => self.meter.weighed(self.step, |updates| Stage::work(&self.stages, updates)),
        }
    }

    /// Lets an engine work to the end, or until it is cancelled; the store says how it ended.
    pub fn work(mut self, engine: &mut dyn Engine, source: &mut dyn Source) -> Result<i64> {
        match engine.train(self.step, source, &mut self) {
            Ok(()) => self.store.set_run(self.id, RunStatus::Finished, self.step, None)?,
            Err(error) if error.is_cancelled() => {
                // A clean stop keeps what was learned since the last checkpoint.
                let step = self.step;
                let saved = self.store.latest_checkpoint(Some(self.id))?;
                if step > 0 && saved.is_none_or(|saved| saved.step != step) {
                    engine.save(step, &mut self)?;
                }
                self.store.set_run(self.id, RunStatus::Stopped, step, None)?;
                return Err(error);
            }
            Err(error) => {
                self.store.set_run(self.id, RunStatus::Failed, self.step, Some(error.message()))?;
                return Err(error);
            }
        }
        Ok(self.id)
    }
}

impl Wrapper for Run<'_> {
    fn wish(&mut self) -> Result<Wish> {
        if self.store.stop_requested(self.id)? {
            self.control.cancel.cancel();
        }
        Ok(match (self.control.cancel.is_cancelled(), self.control.is_paused()) {
            (true, _) => Wish::Stop,
            (false, true) => Wish::Pause,
            (false, false) => Wish::GoOn,
        })
    }

    fn cancel(&self) -> Cancel {
        self.control.cancel.clone()
    }

    fn doing(&mut self, what: &str) {
        let mut progress = self.progress();
        progress.doing = format!("{what}, {}", progress.doing);
        (self.each)(Event::Doing(progress));
    }

    fn measured(&mut self, step: u64, metrics: &Metrics) -> Result<()> {
        let wall = if step == 0 { self.before_ms } else { self.wall_ms() };
        self.store.add_metrics(self.id, step, wall, metrics)?;
        // What comes after an update is told like the update itself.
        if step > 0 && !metrics.is_empty() {
            let progress = self.progress();
            (self.each)(Event::Update { step, metrics, progress });
        }
        Ok(())
    }

    fn updated(&mut self, step: u64, metrics: &Metrics, kept: &[KeptGroup]) -> Result<()> {
        self.step = step;
        let wall = self.wall_ms();
        keep(self.store, self.id, step, kept)?;
        self.store.add_metrics(self.id, step, wall, metrics)?;
        if let Some(tokens) = &mut self.tokens {
            let now = metrics.iter().find(|(name, _)| name == TOKENS);
            *tokens = now.map_or(*tokens, |(_, count)| *count as u64);
        }
        let progress = self.progress();
        (self.each)(Event::Update { step, metrics, progress });
        Ok(())
    }

    /// Also says so, and removes what nothing needs any more.
    fn save(&mut self, step: u64, weights: &Trainable, optimiser: Option<&AdamW>) -> Result<()> {
        let saved = checkpoint::save(self.store, self.id, step, weights, optimiser)?;
        let removed = if self.keep_all {
            Vec::new()
        } else {
            checkpoint::prune(self.store, self.id, &self.stage_ends)?
        };
        (self.each)(Event::Saved {
            step,
            folder: &saved.folder,
            whole: weights.away.is_none(),
            set_aside: saved.set_aside.as_deref(),
            removed: &removed,
        });
        Ok(())
    }
}
