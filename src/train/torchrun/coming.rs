//! Checkpoints on their way here: brought by a thread of their own, so that what is told and wished for meanwhile
//! is heard.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use super::place::Place;
use crate::error::{Error, Result};
use crate::guard::guarded;

/// How long is waited before a checkpoint is brought again that could not be, in seconds: a line that broke once is
/// no reason to end a job that works.
const AGAIN: [u64; 5] = [1, 4, 10, 20, 40];

/// Brings one on a thread of its own.
fn bring(place: &Place, step: u64) -> Result<Receiver<Result<()>>> {
    let (place, (done, bringing)) = (place.clone(), channel());
    let body = move || done.send(guarded("bringing a checkpoint", || place.bring(step)));
    let thread = std::thread::Builder::new().name("checkpoint".into()).spawn(body);
    thread.map_err(|e| Error::new(format!("the thread that brings a checkpoint: {e}")))?;
    Ok(bringing)
}

/// Checkpoints that torchrun saved and that are not recorded here yet, in their order.
pub(super) struct Coming {
    place: Place,
    waiting: VecDeque<u64>,
    bringing: Option<Receiver<Result<()>>>,
    /// How often the first of them could not be brought, and when it is tried again.
    failed: usize,
    not_before: Instant,
}

impl Coming {
    /// None yet.
    pub fn to(place: &Place) -> Self {
        let (waiting, bringing) = (VecDeque::new(), None);
        Self { place: place.clone(), waiting, bringing, failed: 0, not_before: Instant::now() }
    }

    /// One more was saved.
    pub fn add(&mut self, step: u64) {
        self.waiting.push_back(step);
    }

    /// Whether all are here.
    pub fn is_done(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next one that is here by now.
    ///
    /// # Errors
    /// Where it could not be brought, several times over.
    pub fn here(&mut self) -> Result<Option<u64>> {
        let Some(step) = self.waiting.front().copied() else { return Ok(None) };
        if self.place.of.host.is_none() {
            return Ok(self.waiting.pop_front());
        }
        let Some(bringing) = &self.bringing else {
            if Instant::now() >= self.not_before {
                self.bringing = Some(bring(&self.place, step)?);
            }
            return Ok(None);
        };
        let brought = match bringing.try_recv() {
            Ok(brought) => brought,
            Err(TryRecvError::Empty) => return Ok(None),
            Err(TryRecvError::Disconnected) => Err(Error::new("bringing a checkpoint broke off")),
        };
        self.bringing = None;
        match (brought, AGAIN.get(self.failed)) {
            (Ok(()), _) => {
                self.failed = 0;
                Ok(self.waiting.pop_front())
            }
            (Err(error), Some(seconds)) => {
                tracing::warn!("checkpoint {step} is brought again in {seconds} s: {error}");
                self.failed += 1;
                self.not_before = Instant::now() + Duration::from_secs(*seconds);
                Ok(None)
            }
            (Err(error), None) => Err(error),
        }
    }
}
