//! A mind of this program on a thread of its own: it is asked by many, and what waits together is
//! answered together, so that the weights are read once for all of it.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tokio::sync::oneshot;

use super::Refused;
use crate::agent::Completion;
use crate::control::Cancel;
use crate::error::{Error, Kind, Result};
use crate::guard::guarded;

/// Questions that may wait.
const WAITING: usize = 512;

/// How long one that could be asked at once waits for others to be asked with it.
const GATHER: Duration = Duration::from_millis(1);

/// What answers questions.
pub(super) trait Answers: Send + 'static {
    /// What it is asked.
    type Question: Send + 'static;
    /// What questions share that are answered together.
    type Kind: PartialEq;

    /// How many are best answered together.
    fn at_once(&self) -> usize;

    /// The kind of a question.
    fn kind(question: &Self::Question) -> Self::Kind;

    /// Answers questions of one kind, one for each.
    fn answer(&mut self, questions: &[&Self::Question], cancel: &Cancel)
    -> Result<Vec<Completion>>;
}

/// A question, and where its answer goes.
struct Asked<Q> {
    question: Q,
    done: oneshot::Sender<Result<Completion>>,
}

/// The thread.
#[derive(Debug)]
pub(super) struct Thread<Q> {
    asking: Option<SyncSender<Asked<Q>>>,
    handle: Option<std::thread::JoinHandle<()>>,
    cancel: Cancel,
}

impl<Q: Send + 'static> Thread<Q> {
    pub fn start<A: Answers<Question = Q>>(answers: A) -> Result<Self> {
        let (asking, asked) = sync_channel(WAITING);
        let cancel = Cancel::default();
        let ended = cancel.clone();
        let handle = std::thread::Builder::new()
            .name("gateway mind".into())
            .spawn(move || work(answers, &asked, &ended))
            .map_err(|e| Error::new(format!("the mind's thread: {e}")).of(Kind::Io))?;
        Ok(Self { asking: Some(asking), handle: Some(handle), cancel })
    }

    pub async fn ask(&self, question: Q) -> Result<Completion, Refused> {
        let (done, answer) = oneshot::channel();
        let Some(asking) = &self.asking else { return Err(Refused::with(503, "it is closing")) };
        asking.try_send(Asked { question, done }).map_err(|error| match error {
            TrySendError::Full(_) => Refused::busy("more questions than the mind can answer"),
            TrySendError::Disconnected(_) => Refused::with(503, "the mind is gone"),
        })?;
        let written = answer.await.map_err(|_| Refused::with(503, "the mind is gone"))?;
        written.map_err(|error| Refused::upstream(&error.into()))
    }
}

impl<Q> Drop for Thread<Q> {
    fn drop(&mut self) {
        self.cancel.cancel();
        drop(self.asking.take());
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}

fn work<A: Answers>(mut answers: A, asked: &Receiver<Asked<A::Question>>, cancel: &Cancel) {
    let at_once = answers.at_once().max(1);
    while let Ok(first) = asked.recv() {
        let mut waiting = vec![first];
        while waiting.len() < at_once {
            let Ok(next) = asked.recv_timeout(GATHER) else { break };
            waiting.push(next);
        }
        while let Some(first) = waiting.first() {
            let kind = A::kind(&first.question);
            let (together, rest): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|asked| A::kind(&asked.question) == kind);
            waiting = rest;
            answer(&mut answers, together, cancel);
        }
    }
}

/// Has questions of one kind answered.
fn answer<A: Answers>(answers: &mut A, asked: Vec<Asked<A::Question>>, cancel: &Cancel) {
    let questions: Vec<&A::Question> = asked.iter().map(|asked| &asked.question).collect();
    let found = guarded("a mind that answers agents", || answers.answer(&questions, cancel));
    match found {
        Ok(written) => {
            for (asked, written) in asked.into_iter().zip(written) {
                let _ = asked.done.send(Ok(written));
            }
        }
        Err(error) => {
            for asked in asked {
                let _ = asked.done.send(Err(error.clone()));
            }
        }
    }
}
