//! Between the threads that wait and the thread that asks.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};

use super::calls::Delta;
use super::request::{CompletionRequest, Question};
use super::shared::Core;
use super::{Batch, ChatReply, ChatRequest, Each, Endpoint, PARTING};
use crate::control::Cancel;
use crate::error::{Error, Kind, Result};

/// How often one who waits looks whether they still should.
const LOOK: Duration = Duration::from_millis(20);

/// Ends what is under way when the one who waits for it is gone, however that came.
pub(super) struct Abort(pub tokio::task::AbortHandle);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Endpoint {
    /// Does one thing on the thread.
    pub(super) fn one<T: Send + 'static>(
        &self,
        cancel: &Cancel,
        work: impl FnOnce(Arc<Core>) -> BoxFuture<'static, Result<T>>,
    ) -> Result<T> {
        let (mut found, error) =
            self.batch(vec![work], cancel, &mut |_, _, _| {}, |core, _, work, _| work(core));
        match (found.pop().flatten(), error) {
            (Some(found), None) => Ok(found),
            (_, Some(error)) => Err(error),
            (None, None) => Err(broken()),
        }
    }

    /// Does things on the thread, together, until one fails or `cancel` is asked for.
    pub(super) fn batch<Q, T: Send + 'static>(
        &self,
        things: Vec<Q>,
        cancel: &Cancel,
        each: Each<'_>,
        work: impl Fn(Arc<Core>, usize, Q, Sender<Delta>) -> BoxFuture<'static, Result<T>>,
    ) -> Batch<T> {
        let mut found: Vec<Option<T>> = things.iter().map(|_| None).collect();
        if let Err(error) = cancel.check() {
            return (found, Some(error));
        }
        let (show, shown) = channel();
        let (done, arrived) = channel();
        let works: FuturesUnordered<_> = things
            .into_iter()
            .enumerate()
            .map(|(number, thing)| {
                let work = work(self.core.clone(), number, thing, show.clone());
                async move { (number, work.await) }
            })
            .collect();
        drop(show);
        let task = self.runtime.spawn(async move {
            let mut works = works;
            while let Some((number, result)) = works.next().await {
                let failed = result.is_err();
                if done.send((number, result)).is_err() || failed {
                    break;
                }
            }
        });
        let abort = Abort(task.abort_handle());
        let error = wait(&mut found, cancel, each, &shown, &arrived);
        drop(abort);
        if error.is_some() {
            // Nothing is under way any more when this comes back.
            while let Ok((number, result)) = arrived.recv_timeout(PARTING) {
                found[number] = result.ok().or(found[number].take());
            }
        }
        (found, error)
    }
}

/// Questions under way, each answered in its own time.
pub struct UnderWay<'a> {
    endpoint: &'a Endpoint,
    done: Sender<(usize, Result<ChatReply>)>,
    arrived: Receiver<(usize, Result<ChatReply>)>,
    going: HashMap<usize, Abort>,
}

impl Endpoint {
    /// None yet.
    pub fn under_way(&self) -> UnderWay<'_> {
        let (done, arrived) = channel();
        UnderWay { endpoint: self, done, arrived, going: HashMap::new() }
    }
}

impl UnderWay<'_> {
    /// Asks one more; it waits for a place among the profile's `concurrency`.
    pub fn ask(&mut self, number: usize, request: ChatRequest) {
        let question = Question::chat(request, &self.endpoint.core.profile);
        self.begin(number, question);
    }

    /// The same for a text that is gone on with, without a template.
    pub fn go_on(&mut self, number: usize, request: CompletionRequest) {
        let question = Question::completion(request, &self.endpoint.core.profile);
        self.begin(number, question);
    }

    fn begin(&mut self, number: usize, question: Question) {
        let core = Arc::clone(&self.endpoint.core);
        let done = self.done.clone();
        let task = self.endpoint.runtime.spawn(async move {
            // Nobody looks on.
            let (show, _) = channel();
            let answer = core.answer(&question, number, &show);
            let answer = AssertUnwindSafe(answer).catch_unwind().await;
            let _ = done.send((number, answer.unwrap_or_else(|_| Err(broken()))));
        });
        self.going.insert(number, Abort(task.abort_handle()));
    }

    /// Those that have come; waits for one at least. What came before an error is lost with it.
    pub fn answers(&mut self, cancel: &Cancel) -> Result<Vec<(usize, ChatReply)>> {
        let first = loop {
            cancel.check()?;
            match self.arrived.recv_timeout(LOOK) {
                Ok(first) => break first,
                // Where the thread is gone nobody answers any more.
                Err(_) if self.going.values().all(|task| task.0.is_finished()) => {
                    break self.arrived.try_recv().map_err(|_| broken())?;
                }
                Err(_) => {}
            }
        };
        let all = std::iter::once(first).chain(self.arrived.try_iter());
        let all = all.map(|(number, answer)| {
            self.going.remove(&number);
            Ok((number, answer?))
        });
        all.collect()
    }
}

/// Waits for results, and shows what comes on the way.
fn wait<T>(
    found: &mut [Option<T>],
    cancel: &Cancel,
    each: Each<'_>,
    shown: &Receiver<Delta>,
    arrived: &Receiver<(usize, Result<T>)>,
) -> Option<Error> {
    while found.iter().any(Option::is_none) {
        let next = arrived.recv_timeout(LOOK);
        if cancel.is_cancelled() {
            return Some(Error::cancelled());
        }
        for (request, choice, text) in shown.try_iter() {
            each(request, choice, &text);
        }
        match next {
            Ok((number, Ok(value))) => found[number] = Some(value),
            Ok((_, Err(error))) => return Some(error),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Some(broken()),
        }
    }
    None
}

fn broken() -> Error {
    Error::new("the endpoint's thread broke off")
        .of(Kind::Defect)
        .hint("this is a defect of this program; the log says more")
}
