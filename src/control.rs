//! Pausing and ending long work, and reporting how far it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// A flag by which a person, or a newer request, ends work that is under way.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks for the work to end.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether that was asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An error if it was.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }
}

/// The handle by which a person pauses or ends a job.
#[derive(Debug, Clone, Default)]
pub struct Control {
    /// Ends the job at its next safe point.
    pub cancel: Cancel,
    paused: Arc<AtomicBool>,
}

impl Control {
    /// For work that a cancel of someone else's ends, and that is not paused.
    pub fn ended_by(cancel: &Cancel) -> Self {
        Self { cancel: cancel.clone(), ..Self::default() }
    }

    /// Pauses or goes on; returns whether it is paused now.
    pub fn toggle_pause(&self) -> bool {
        !self.paused.fetch_xor(true, Ordering::Relaxed)
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    /// A safe point: waits while paused, fails once cancelled.
    pub fn checkpoint(&self) -> Result<()> {
        while self.is_paused() && !self.cancel.is_cancelled() {
            std::thread::sleep(Duration::from_millis(50));
        }
        self.cancel.check()
    }
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// What it is doing.
    pub doing: String,
    /// Units done and planned.
    pub done: u64,
    /// Units planned; 0 when unknown.
    pub total: u64,
    /// Units a second so far; 0 until that is known.
    pub rate: f64,
    /// Seconds left at that rate, once a rate is known.
    pub left_s: Option<f64>,
}

impl Progress {
    /// Units done, of those planned if that is known.
    pub fn far(&self) -> String {
        if self.total == 0 {
            self.done.to_string()
        } else {
            format!("{}/{}", self.done, self.total)
        }
    }

    /// Units a second, as far as that is known: with what stands before it.
    pub fn pace(&self, before: &str) -> String {
        if self.rate > 0.0 { format!("{before}{:.1}/s", self.rate) } else { String::new() }
    }

    /// The whole of it as a line.
    pub fn line(&self) -> String {
        let left = self.left_s.map_or(String::new(), |s| format!(" · {} left", seconds(s)));
        format!("{} {}{}{left}", self.doing, self.far(), self.pace(" · "))
    }
}

/// Seconds of work before which nothing can be said of its rate.
const TELLING: f64 = 0.1;

/// Measures a job's rate from its start.
#[derive(Debug)]
pub struct Meter {
    doing: String,
    started: Instant,
    first: u64,
    total: u64,
}

impl Meter {
    /// A job of `total` units of which `first` are already done.
    pub fn new(doing: impl Into<String>, first: u64, total: u64) -> Self {
        Self { doing: doing.into(), started: Instant::now(), first, total }
    }

    /// How far it is with `done` units done.
    pub fn at(&self, done: u64) -> Progress {
        self.weighed(done, |units| units as f64)
    }

    /// The same where units are not alike: `work` says what so many of them take together, in any measure.
    pub fn weighed(&self, done: u64, work: impl Fn(u64) -> f64) -> Progress {
        self.after(self.started.elapsed().as_secs_f64(), done, work)
    }

    /// The same so many seconds after its start.
    pub(crate) fn after(&self, seconds: f64, done: u64, work: impl Fn(u64) -> f64) -> Progress {
        let made = done.saturating_sub(self.first) as f64;
        let rate = if seconds >= TELLING { made / seconds } else { 0.0 };
        let left = (work(self.total) - work(done)) / (work(done) - work(self.first)) * seconds;
        let left_s = (rate > 0.0 && self.total >= done).then_some(left);
        Progress { doing: self.doing.clone(), done, total: self.total, rate, left_s }
    }
}

/// A duration for people.
pub fn seconds(s: f64) -> String {
    let s = s.max(0.0).round() as u64;
    if s < 60 {
        format!("{s}s")
    } else if s < 3600 {
        format!("{}m{:02}s", s / 60, s % 60)
    } else {
        format!("{}h{:02}m", s / 3600, s / 60 % 60)
    }
}
