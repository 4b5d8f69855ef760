//! The engine: starts torchrun, tells it what is wished for, and takes in what it tells.

use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use super::Settings;
use super::coming::Coming;
use super::job::{Job, LOG, OUT, TOLD, checkpoint, needed};
use super::place::Place;
use super::told::Told;
use crate::budget::under;
use crate::env::foreign::{Heard, Process};
use crate::error::{Error, Result};
use crate::model::weights::{ModelFiles, Trainable};
use crate::store::Store;
use crate::train::checkpoint::peft;
use crate::train::engine::{Engine, Realised, Wish, Wrapper};
use crate::train::plan::{Plan, Stage};
use crate::train::source::Source;

/// Between two looks at what is wished for.
const LOOK: Duration = Duration::from_millis(100);

/// How long nothing may be heard after a stop, at least, and in times of the last update: what hangs is
/// ended then.
const PATIENCE: (Duration, u32) = (Duration::from_mins(2), 10);

/// How long an earlier start of the same job is waited for.
const EARLIER: Duration = Duration::from_mins(10);

/// See the module above.
pub(in crate::train) struct Torchrun<'a> {
    plan: &'a Plan,
    stages: &'a [Stage],
    place: Place,
    coming: Coming,
    /// The weights as they are known here: those of the run's start, or of its last checkpoint.
    weights: Trainable,
    realised: Realised,
    /// The last update that is in the store, and how long it took.
    step: u64,
    took: Duration,
    /// Whether anything is held out, and after which update that was measured last.
    holds_out: bool,
    measured: Option<u64>,
}

impl<'a> Torchrun<'a> {
    /// Of a run that was recorded up to an update; `weights` are those that it began from, or its last
    /// checkpoint's.
    pub fn new(
        store: &Store,
        run: i64,
        (plan, of, stages): (&'a Plan, &'a Settings, &'a [Stage]),
        weights: Trainable,
        step: u64,
    ) -> Result<Self> {
        let name = super::job_of(store, run)?;
        let folder = store.root().join(super::FOLDER).join(&name);
        let folder = std::path::absolute(&folder).map_err(|e| Error::io("finding", &folder, &e))?;
        let realised = Realised::read(store, run, step)?;
        let place = Place { of: of.clone(), folder, name };
        let (coming, took) = (Coming::to(&place), Duration::ZERO);
        let (holds_out, measured) = (false, None);
        Ok(Self { plan, stages, place, coming, weights, realised, step, took, holds_out, measured })
    }

    fn updates(&self) -> u64 {
        self.stages.iter().map(|stage| stage.updates).sum()
    }

    /// Whether every update was made, and what came of the last one was measured.
    fn is_done(&self) -> bool {
        self.step >= self.updates() && (!self.holds_out || self.measured == Some(self.step))
    }

    /// How often the stage of an update has been through its trees then.
    fn seen(&self, step: u64) -> f64 {
        let mut before = 0;
        for stage in self.stages {
            if step <= before + stage.updates {
                return stage.seen(step - before, self.plan.batch);
            }
            before += stage.updates;
        }
        0.0
    }

    /// Takes in a line; whether it is the last one.
    fn take(&mut self, told: &Told, run: &mut dyn Wrapper) -> Result<bool> {
        match told {
            Told::Begun { torch, processes, weights } => {
                self.beside(weights.as_deref());
                run.doing(&format!("torch {torch}, {processes} at work"));
            }
            Told::Update(made) => {
                let mut metrics = made.metrics()?;
                self.realised.made(made.tokens, made.counts);
                metrics.push(("epochs".into(), self.seen(made.step)));
                metrics.extend(self.realised.metrics());
                run.updated(made.step, &metrics, &[])?;
                self.step = made.step;
                self.took = Duration::from_secs_f64(made.seconds.clamp(0.0, 1e6));
            }
            Told::Measuring { done, passes } => {
                run.doing(&format!("measuring what is held out, pass {done} of {passes}"));
            }
            Told::Measured(of) => {
                run.measured(of.step, &of.metrics())?;
                self.measured = Some(of.step);
            }
            Told::Saved { step } => self.coming.add(*step),
            Told::Ended => return Ok(true),
        }
        Ok(false)
    }

    /// Knows what tells the weights that are trained beside from others.
    fn beside(&mut self, digest: Option<&str>) {
        if let (Some(place), Some(digest)) = (&mut self.weights.away, digest) {
            place.digest = Some(digest.into());
        }
    }

    /// Makes a checkpoint of one of torchrun's: read, and recorded.
    fn keep(&mut self, step: u64, run: &mut dyn Wrapper) -> Result<()> {
        run.doing("reading a checkpoint");
        let folder = self.place.folder.join(checkpoint(step));
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
        run.save(step, &self.weights, None)?;
        // The one to go on from is enough.
        let all = std::fs::read_dir(self.place.folder.join(OUT)).into_iter().flatten().flatten();
        for entry in all {
            let name = entry.file_name().to_string_lossy().into_owned();
            let other = name.strip_prefix("checkpoint-").and_then(|n| n.parse::<u64>().ok());
            if let Some(other) = other.filter(|other| *other < step) {
                _ = std::fs::remove_dir_all(self.place.folder.join(checkpoint(other)));
            }
        }
        Ok(())
    }

    /// All that torchrun told, of what is in the job's folder here.
    fn told(&self) -> Vec<Told> {
        let text = std::fs::read_to_string(self.place.folder.join(TOLD)).unwrap_or_default();
        text.lines().filter_map(|line| Told::parse(line).ok()).collect()
    }

    /// What torchrun did and nobody heard: up to its last checkpoint, if that is newer than the run's, and what was
    /// measured of the run's own.
    fn heard_nothing_of(&self, from: u64) -> Result<Vec<Told>> {
        self.place.fetch_told()?;
        let all = self.told();
        let measured = all.iter().rev().find(|told| is_measured(told, from)).cloned();
        let saved = all.iter().rev().filter_map(|told| match told {
            Told::Saved { step } if *step > from => Some(*step),
            _ => None,
        });
        let mut last = None;
        for step in saved {
            if self.place.has(&needed(step, &self.place.of))? {
                last = Some(step);
                break;
            }
        }
        let Some(last) = last else { return Ok(measured.into_iter().collect()) };
        let mut own: Vec<(u64, Told)> = Vec::new();
        for told in all {
            let Some(step) = told.step().filter(|step| *step > from && *step <= last) else {
                continue;
            };
            if matches!(told, Told::Saved { .. }) && step != last {
                continue;
            }
            // Made again after it was cut off: what came of it counts.
            own.retain(|(known, other)| *known != step || other.rank() != told.rank());
            own.push((step, told));
        }
        own.sort_by_key(|(step, told)| (*step, told.rank()));
        Ok(measured.into_iter().chain(own.into_iter().map(|(_, told)| told)).collect())
    }

    /// Waits until an earlier start of the job has ended, which may be saving still.
    fn settle(&self, run: &mut dyn Wrapper) -> Result<()> {
        let begun = Instant::now();
        while !self.place.is_quiet()? {
            run.doing("waiting for an earlier start to end");
            run.safe_point()?;
            // One whose line is dead has not heard that nobody listens; one that is starting hears it later.
            self.place.ask_to_leave()?;
            if begun.elapsed() > EARLIER {
                return Err(Error::new("an earlier start of this run has not ended")
                    .hint(format!("end it ({}), then resume", self.place.named(Path::new("")))));
            }
            std::thread::sleep(Duration::from_secs(1));
        }
        Ok(())
    }

    /// Records the checkpoints that have come.
    fn record(&mut self, run: &mut dyn Wrapper) -> Result<()> {
        while let Some(step) = self.coming.here()? {
            self.keep(step, run)?;
        }
        Ok(())
    }

    /// Records all of them; a run that is to stop is asked no more whether it should.
    fn record_all(&mut self, stops: bool, run: &mut dyn Wrapper) -> Result<()> {
        loop {
            self.record(run)?;
            if self.coming.is_done() {
                return Ok(());
            }
            run.doing("bringing a checkpoint");
            if !stops {
                run.safe_point()?;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Until it ends: says what is wished for, takes in what is told.
    fn listen(&mut self, process: &mut Process, run: &mut dyn Wrapper) -> Result<()> {
        let (mut said, mut ended, mut heard) = (Wish::GoOn, false, Instant::now());
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
                (said, heard) = (wish, Instant::now());
            }
            match process.heard.recv_timeout(LOOK) {
                Ok(Heard::Line(line)) => {
                    if let Some(told) = Told::read(&line)? {
                        ended |= self.take(&told, run)?;
                    }
                    heard = Instant::now();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Heard::Ended(_)) | Err(RecvTimeoutError::Disconnected) => break,
            }
            self.record(run)?;
            let patience = PATIENCE.0.max(self.took * PATIENCE.1);
            if said == Wish::Stop && heard.elapsed() > patience {
                tracing::warn!("torchrun does not stop: its processes are ended");
                return Err(Error::cancelled());
            }
        }
        if ended && let Err(error) = self.record_all(said == Wish::Stop, run) {
            if said != Wish::Stop {
                return Err(error);
            }
            // It is there still, and is brought when the run is resumed.
            tracing::warn!("the last checkpoint: {error}");
            return Err(Error::cancelled());
        }
        match (ended, said) {
            (true, _) if self.is_done() => Ok(()),
            (true, Wish::Stop) => Err(Error::cancelled()),
            // Nobody here wished for it.
            (true, _) => Err(Error::new(
                "it ended before its last update was made and measured, as if another start of this run had asked \
                 it to leave",
            )
            .hint("see that nothing else trains it; train --resume goes on from what it saved")),
            (false, _) => Err(self.broken(&process.obituary())),
        }
    }

    /// Why it ended before it was done: what its processes wrote last that is a reason.
    fn broken(&self, how: &str) -> Error {
        let log = self.place.folder.join(LOG);
        let text = std::fs::read(&log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text[text.len().saturating_sub(1 << 18)..]).to_string();
        let reason = reason(&text).map(|line| format!(": {line}")).unwrap_or_default();
        let next = if log.exists() {
            format!("all that it wrote is in {}; ", log.display())
        } else {
            String::new()
        };
        let whole = match self.step {
            0 => "nothing was learnt yet",
            _ => "train --resume goes on from its last checkpoint, if it saved one",
        };
        Error::new(format!("torchrun ended before its last update{how}{reason}"))
            .hint(format!("{next}{whole}"))
    }
}

/// Whether it is what was held out after that update.
fn is_measured(told: &Told, of: u64) -> bool {
    matches!(told, Told::Measured(measured) if measured.step == of)
}

/// The last line that names an error, of a process and not of torchrun about it; else the last line.
fn reason(text: &str) -> Option<String> {
    let names = |line: &&str| {
        let line = line.trim();
        // `[rank0]: ` stands before what a process writes.
        let line =
            line.split_once("]: ").filter(|_| line.starts_with('[')).map_or(line, |(_, l)| l);
        let word = line.split(':').next().unwrap_or_default();
        let named = word.ends_with("Error") || word.ends_with("Exception");
        named && !word.contains(' ') && !word.ends_with("ChildFailedError")
    };
    let lines = || text.lines().rev();
    let last = || lines().find(|line| !line.trim().is_empty());
    let owned = |line: &str| line.trim().to_string();
    lines().find(names).map(owned).or_else(|| killed(text)).or_else(|| last().map(owned))
}

/// Which process a signal ended, as torchrun says it: that one wrote no error of its own.
fn killed(text: &str) -> Option<String> {
    let of = |line: &str, name: &str| {
        let (known, value) = line.split_once(" : ")?;
        (known.trim() == name).then(|| value.trim().to_string())
    };
    let mut rank = None;
    for line in text.lines() {
        rank = of(line, "rank").or(rank);
        if let Some(why) = of(line, "traceback").filter(|why| why.starts_with("Signal ")) {
            return Some(format!("rank {}: {why}", rank.unwrap_or_else(|| "?".into())));
        }
    }
    None
}

impl Engine for Torchrun<'_> {
    fn train(&mut self, from: u64, source: &mut dyn Source, run: &mut dyn Wrapper) -> Result<()> {
        let cancel = run.cancel();
        // Whatever fails of a run that is to end: it is ended, and can be resumed.
        self.work(from, source, run)
            .map_err(|error| if cancel.is_cancelled() { Error::cancelled() } else { error })
    }

    /// Nothing: torchrun saves by itself when it is told to stop; what it has not saved is gone with it.
    fn save(&self, _: u64, _: &mut dyn Wrapper) -> Result<()> {
        Ok(())
    }
}

impl Torchrun<'_> {
    fn work(&mut self, from: u64, source: &mut dyn Source, run: &mut dyn Wrapper) -> Result<()> {
        self.settle(run)?;
        run.doing("writing rows");
        let folder = self.place.folder.clone();
        let cancel = run.cancel();
        let whole = (self.plan, self.stages);
        let job = under(&cancel, || Job::prepare(&folder, whole, &self.weights, source))?;
        self.holds_out = job.holds_out();
        let unheard = self.heard_nothing_of(from)?;
        let of = self.told().into_iter().rev().find_map(|told| match told {
            Told::Begun { weights, .. } => weights,
            _ => None,
        });
        self.beside(of.as_deref());
        for told in unheard {
            self.take(&told, run)?;
        }
        self.record_all(false, run)?;
        let from = self.step;
        if self.is_done() {
            self.place.clear();
            return Ok(());
        }
        if from > 0 && !self.place.has(&needed(from, &self.place.of))? {
            return Err(Error::new(format!(
                "torchrun's own checkpoint of update {from} is gone, or is not whole ({})",
                self.place.named(&checkpoint(from))
            ))
            .hint("start another run from the run's checkpoint with --from"));
        }
        job.goes_on(from)?;
        if self.place.of.host.is_some() {
            run.doing("sending rows");
            self.place.send()?;
        }
        run.doing("starting torchrun");
        let threads = (self.plan.workers / self.place.of.processes).max(1);
        let mut process = Process::run(&self.place.command(threads))?;
        self.listen(&mut process, run)?;
        // What it was made of is in the run's checkpoints now.
        self.place.clear();
        Ok(())
    }
}

/// Removes the folders of jobs that nothing goes on with: their run is finished, or gone.
pub(in crate::train) fn sweep(store: &Store) -> usize {
    let folder = store.root().join(super::FOLDER);
    let mut removed = 0;
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let run = name.strip_prefix("run-").and_then(|rest| rest.split('-').next()?.parse().ok());
        let Some(run) = run else { continue };
        let needed = super::job_of(store, run).is_ok_and(|own| own == name)
            && store.run(run).is_ok_and(|row| row.status != crate::store::RunStatus::Finished);
        if !needed && is_job(&entry.path()) {
            removed += usize::from(std::fs::remove_dir_all(entry.path()).is_ok());
        }
    }
    removed
}

/// Whether a folder is one that was made here.
fn is_job(folder: &Path) -> bool {
    folder.join("train.py").is_file()
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn the_reason_is_a_processes_own() {
        let text = "Loading\n[rank1]: Traceback\n[rank1]: ValueError: no such thing\nW1 Sending\n\
                    torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \n====\n";
        let of = |text: &str| reason(text).unwrap_or_default();
        assert_eq!(of(text), "[rank1]: ValueError: no such thing");
        assert_eq!(of("sh: no python\n\n"), "sh: no python");
        assert_eq!(of(""), "");
        let signal = "[0]:\n  time      : 2026-11-30_08:00:00\n  rank      : 1 (local_rank: 1)\n  \
                      exitcode  : -9 (pid: 77)\n  traceback : Signal 9 (SIGKILL) received by PID 77\n====\n";
        assert_eq!(of(signal), "rank 1 (local_rank: 1): Signal 9 (SIGKILL) received by PID 77");
    }
}
