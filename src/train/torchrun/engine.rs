//! The engine: starts torchrun, tells it what is wished for, and takes in what it tells.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use super::Settings;
use super::job::{LOG, TOLD, checkpoint, prepare};
use super::place::Place;
use super::told::{Sums, Told};
use crate::env::foreign::{Heard, Process};
use crate::error::{Error, Result};
use crate::model::team::{Priority, Team};
use crate::model::weights::{ModelFiles, Trainable};
use crate::store::Store;
use crate::train::checkpoint::peft;
use crate::train::engine::{Engine, Wish, Wrapper};
use crate::train::examples::TARGETS;
use crate::train::figures::TOKENS;
use crate::train::plan::{Plan, Stage};
use crate::train::source::Source;
use crate::train::update::{Metrics, validate};

/// Between two looks at what is wished for.
const LOOK: Duration = Duration::from_millis(100);

/// See the module above.
pub(in crate::train) struct Torchrun<'a> {
    plan: &'a Plan,
    stages: &'a [Stage],
    place: Place<'a>,
    /// Tokens of a pass here, which measures what is held out.
    budget: usize,
    /// The weights that the run began from, with its fresh adapter if it trains one; only its latest
    /// checkpoint's in what they hold of them, where that is what is trained.
    weights: Trainable,
    sums: Sums,
    /// The last update that is in the store.
    step: u64,
}

impl<'a> Torchrun<'a> {
    /// Of a run that was recorded up to an update; `weights` are those that it began from.
    pub fn new(
        store: &Store,
        run: i64,
        (plan, of, stages): (&'a Plan, &'a Settings, &'a [Stage]),
        budget: usize,
        weights: Trainable,
        step: u64,
    ) -> Result<Self> {
        let folder = store.root().join(format!("torchrun/run-{run}"));
        let name = format!("run-{run}-{}", store.run_token(run)?.unwrap_or_default());
        let last = |name: &str| -> Result<f64> {
            let points = store.metric(run, name)?;
            let before = points.iter().rev().find(|point| point.step <= step);
            Ok(before.and_then(|point| point.value).unwrap_or_default())
        };
        let mut sums = Sums { tokens: last(TOKENS)?, ..Sums::default() };
        for (sum, (_, name)) in sums.counts.iter_mut().zip(TARGETS) {
            *sum = last(&format!("targets_{name}"))?;
        }
        let place = Place { of, folder, name };
        Ok(Self { plan, stages, place, budget, weights, sums, step })
    }

    /// The stage of an update that was made, and how many of it.
    fn within(&self, step: u64) -> (&Stage, u64) {
        let mut before = 0;
        for stage in self.stages {
            if step <= before + stage.updates {
                return (stage, step - before);
            }
            before += stage.updates;
        }
        (&self.stages[self.stages.len() - 1], step)
    }

    /// Takes in a line; whether it is the last one.
    fn take(&mut self, told: &Told, source: &dyn Source, run: &mut dyn Wrapper) -> Result<bool> {
        match told {
            Told::Begun { torch, processes, .. } => {
                run.doing(&format!("torch {torch}, {processes} processes"));
            }
            Told::Update(made) => {
                let mut metrics = made.metrics(&mut self.sums)?;
                let (stage, within) = self.within(made.step);
                let seen = (within * self.plan.batch as u64) as f64;
                metrics.push(("epochs".into(), seen / stage.trees.max(1) as f64));
                metrics.push((TOKENS.into(), self.sums.tokens));
                let kinds = TARGETS.into_iter().zip(self.sums.counts);
                let kinds = kinds.filter(|(_, count)| *count > 0.0);
                metrics.extend(kinds.map(|((_, name), count)| (format!("targets_{name}"), count)));
                run.updated(made.step, &metrics, &[])?;
                self.step = made.step;
            }
            Told::Saved { step } => self.keep(*step, source, run)?,
            Told::Ended { .. } => return Ok(true),
        }
        Ok(false)
    }

    /// Makes a checkpoint of one of torchrun's: read, measured on what is held out, and recorded.
    fn keep(&mut self, step: u64, source: &dyn Source, run: &mut dyn Wrapper) -> Result<()> {
        run.doing("reading a checkpoint");
        let part = checkpoint(step);
        self.place.fetch(&part)?;
        let folder = self.place.folder.join(&part);
        if self.weights.adapter.is_some() {
            self.weights.adapter = Some(peft(&folder, &self.weights.config)?);
        } else {
            let network = ModelFiles::network(&folder)?;
            let (config, weights) = network.weights().map_err(|e| e.at(folder.display()))?;
            if config.tensors() != self.weights.config.tensors() {
                return Err(Error::new("torchrun gave back another model than it was given"));
            }
            self.weights.weights = weights;
        }
        self.weights.check_finite()?;
        let valid = self.validate(source, run)?;
        run.measured(step, &valid)?;
        run.save(step, &self.weights, None)?;
        // The one to go on from is enough.
        let older =
            std::fs::read_dir(self.place.folder.join(super::job::OUT)).into_iter().flatten();
        for entry in older.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let other = name.strip_prefix("checkpoint-").and_then(|n| n.parse::<u64>().ok());
            if let Some(other) = other.filter(|other| *other < step) {
                self.place.remove(&checkpoint(other));
            }
        }
        Ok(())
    }

    /// What the weights are worth on what is held out, computed here.
    fn validate(&self, source: &dyn Source, run: &mut dyn Wrapper) -> Result<Metrics> {
        if source.held_out().is_empty() {
            return Ok(Metrics::new());
        }
        run.doing("validating");
        let team = Team::new(self.plan.workers, Priority::Background)?;
        validate(source.held_out(), self.budget, &self.weights, &team)
    }

    /// What torchrun did and nobody heard: up to its last checkpoint, if that is newer than the run's.
    fn heard_nothing_of(&self, from: u64) -> Vec<Told> {
        let text = std::fs::read_to_string(self.place.folder.join(TOLD)).unwrap_or_default();
        let all: Vec<Told> = text.lines().filter_map(|line| Told::parse(line).ok()).collect();
        let saved = |told: &&Told| {
            matches!(told, Told::Saved { step } if *step > from)
                && self
                    .place
                    .folder
                    .join(checkpoint(told.step()))
                    .join("trainer_state.json")
                    .exists()
        };
        let Some(last) = all.iter().rev().find(saved).map(Told::step) else { return Vec::new() };
        let mut own: Vec<Told> = Vec::new();
        for told in all {
            let step = told.step();
            let counts = match &told {
                Told::Update(_) => step > from && step <= last,
                Told::Saved { .. } => step == last,
                Told::Begun { .. } | Told::Ended { .. } => false,
            };
            if counts {
                // Made again after it was cut off: what came of it counts.
                own.retain(|known| {
                    known.step() != step
                        || std::mem::discriminant(known) != std::mem::discriminant(&told)
                });
                own.push(told);
            }
        }
        own.sort_by_key(|told| (told.step(), matches!(told, Told::Saved { .. })));
        own
    }

    /// Until it ends: says what is wished for, takes in what is told.
    fn listen(
        &mut self,
        process: &mut Process,
        source: &dyn Source,
        run: &mut dyn Wrapper,
    ) -> Result<()> {
        let mut said = Wish::GoOn;
        let mut ended = false;
        loop {
            let wish = run.wish()?;
            if wish != said && said != Wish::Stop {
                let word = match wish {
                    Wish::GoOn => "go\n",
                    Wish::Pause => "pause\n",
                    Wish::Stop => "stop\n",
                };
                // One that has gone is heard of below.
                _ = process.say.send(word.into());
                said = wish;
            }
            match process.heard.recv_timeout(LOOK) {
                Ok(Heard::Line(line)) => {
                    if let Some(told) = Told::read(&line)? {
                        ended |= self.take(&told, source, run)?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Heard::Ended(_)) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        match (ended, said) {
            (true, Wish::Stop) if self.step < self.updates() => Err(Error::cancelled()),
            (true, _) => Ok(()),
            (false, _) => Err(self.broken(&process.obituary())),
        }
    }

    fn updates(&self) -> u64 {
        self.stages.iter().map(|stage| stage.updates).sum()
    }

    /// Why it ended before it was done: what its processes wrote last that is a reason.
    fn broken(&self, how: &str) -> Error {
        let log = self.place.folder.join(LOG);
        let text = std::fs::read(&log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text[text.len().saturating_sub(1 << 18)..]).to_string();
        let is_reason = |line: &&str| {
            let line = line.trim_start_matches(|c: char| c != ']').trim_start_matches("]: ");
            let word = line.split(':').next().unwrap_or_default();
            let named = word.ends_with("Error") || word.ends_with("Exception");
            named && !word.contains(' ') && !word.ends_with("ChildFailedError")
        };
        let reason = text
            .lines()
            .rev()
            .find(|line| is_reason(line) || is_reason(&format!("]: {line}").as_str()));
        let reason = reason.or_else(|| text.lines().rev().find(|line| !line.trim().is_empty()));
        let reason = reason.map(|line| format!(": {}", line.trim())).unwrap_or_default();
        let next = match self.place.of.host {
            None => self
                .place
                .of
                .installed()
                .err()
                .and_then(|error| Some(format!("{}: {}", error.message(), error.next_step()?))),
            Some(_) => None,
        };
        Error::new(format!("torchrun ended before its last update{how}{reason}")).hint(
            next.unwrap_or_else(|| {
                format!("all that it wrote is in {}; the last checkpoint is whole", log.display())
            }),
        )
    }
}

impl Engine for Torchrun<'_> {
    fn train(&mut self, from: u64, source: &mut dyn Source, run: &mut dyn Wrapper) -> Result<()> {
        let mut from = from;
        run.doing("writing rows");
        prepare(&self.place.folder, (self.plan, self.stages), &self.weights, source, from)?;
        if from == 0 {
            let valid = self.validate(source, run)?;
            if !valid.is_empty() {
                run.measured(0, &valid)?;
            }
        }
        for told in self.heard_nothing_of(from) {
            self.take(&told, source, run)?;
            from = told.step();
        }
        self.step = from;
        if from >= self.updates() {
            return Ok(());
        }
        if from > 0 && !self.place.has(&checkpoint(from)) {
            return Err(Error::new(format!(
                "torchrun's own checkpoint of update {from} is gone ({})",
                self.place.folder.join(checkpoint(from)).display()
            ))
            .hint("start another run from the run's checkpoint with --from"));
        }
        prepare(&self.place.folder, (self.plan, self.stages), &self.weights, source, from)?;
        if self.place.of.host.is_some() {
            run.doing("sending rows");
            self.place.send()?;
        }
        run.doing("starting torchrun");
        let threads = (self.plan.workers / self.place.of.processes).max(1);
        let mut process = Process::run(&self.place.command(threads))?;
        self.listen(&mut process, source, run)?;
        // What it was made of is in the run's checkpoints now.
        self.place.clear();
        Ok(())
    }

    /// Nothing: what torchrun has not saved by itself is gone with it.
    fn save(&self, _: u64, _: &mut dyn Wrapper) -> Result<()> {
        Ok(())
    }
}
