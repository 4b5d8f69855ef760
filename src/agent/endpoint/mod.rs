//! A model behind an OpenAI-compatible endpoint that a person names.
//!
//! [`Endpoint`] is for plain threads that wait: what goes over the line is done by a thread of its
//! own, and given up at once when the one who waits is told to end. [`Endpoint::probe`] finds out
//! what is on the other side, and how it says how likely a text is.
//!
//! Everything that comes from there is strange until it is read: its length, its time, its form and
//! its words each have a limit, and what is not understood is refused by name. Nobody is sent on to
//! another place, and the key goes into one header and nowhere else.

mod batch;
mod calls;
mod choose;
mod found;
mod gather;
mod key;
mod native;
mod pass;
mod probe;
mod profile;
mod reply;
mod request;
mod retry;
mod score;
mod scorer;
mod shared;
mod spent;
mod sse;
mod stream;
mod think;
mod verify;
mod wire;
mod words;

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;

pub use batch::UnderWay;
pub use choose::MOST_OPTIONS;
pub use found::{Found, Server};
pub use key::{Key, Secret};
pub use pass::Unanswered;
pub use profile::{Profile, SystemTo};
pub use reply::{ChatReply, Choice, Finish, UNSAID};
use request::Question;
pub use request::{ChatRequest, CompletionRequest, Draw, Prompt};
pub use score::Prefix;
use shared::Core;
pub use spent::{Estimate, Spent};

use crate::control::Cancel;
use crate::error::{Error, Kind, Result};

/// How long a thread that was told to end is waited for.
const PARTING: Duration = Duration::from_secs(1);

/// Sees an answer grow: `each(request, choice, text)`.
pub type Each<'a> = &'a mut dyn FnMut(usize, usize, &str);

/// What a batch came to: the answers that arrived, and what ended it early.
pub type Batch<T> = (Vec<Option<T>>, Option<Error>);

/// All answers of a batch, or what ended it.
pub fn whole<T>((answers, error): Batch<T>) -> Result<Vec<T>> {
    error.map_or_else(|| Ok(answers.into_iter().flatten().collect()), Err)
}

/// An endpoint, open for questions. It may be asked from several threads.
#[derive(Debug)]
pub struct Endpoint {
    core: Arc<Core>,
    runtime: tokio::runtime::Handle,
    /// Dropped, it ends the thread.
    ends: Option<oneshot::Sender<()>>,
    ended: Mutex<Receiver<()>>,
}

impl Endpoint {
    /// Checks a profile, reads its key and starts the thread. Nothing is sent yet.
    pub fn open(profile: Profile) -> Result<Self> {
        let base = profile.check()?;
        let wire = wire::Wire::open(&profile, base)?;
        let failed = |error: std::io::Error| {
            Error::new(format!("the endpoint's thread: {error}")).of(Kind::Io)
        };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (ends, until) = oneshot::channel();
        let (leaves, ended) = channel();
        std::thread::Builder::new()
            .name("endpoint".into())
            .spawn(move || {
                let body = || {
                    let _ = runtime.block_on(until);
                    // A look-up of a name may hang; it is not waited for.
                    runtime.shutdown_background();
                    Ok(())
                };
                // A panic ends this thread, and everyone who waits is told so by their channel.
                let _ = crate::guard::guarded("the endpoint's thread", body);
                drop(leaves);
            })
            .map_err(failed)?;
        let core = Arc::new(Core::new(profile, wire));
        Ok(Self { core, runtime: handle, ends: Some(ends), ended: Mutex::new(ended) })
    }

    /// The profile that it was opened with.
    pub fn profile(&self) -> &Profile {
        &self.core.profile
    }

    /// Has conversations answered, up to the profile's `concurrency` at once. The first error ends
    /// the rest; what had arrived is given back beside it. A stream that breaks off is an error,
    /// and is asked for again only if nothing of it was shown.
    pub fn chat(
        &self,
        requests: Vec<ChatRequest>,
        cancel: &Cancel,
        each: Each<'_>,
    ) -> Batch<ChatReply> {
        let profile = &self.core.profile;
        let questions =
            requests.into_iter().map(|request| Question::chat(request, profile)).collect();
        self.answer(questions, cancel, each)
    }

    /// The same for texts that are gone on with, without a template.
    pub fn complete(
        &self,
        requests: Vec<CompletionRequest>,
        cancel: &Cancel,
        each: Each<'_>,
    ) -> Batch<ChatReply> {
        let profile = &self.core.profile;
        let questions =
            requests.into_iter().map(|request| Question::completion(request, profile)).collect();
        self.answer(questions, cancel, each)
    }

    fn answer(
        &self,
        questions: Vec<Question>,
        cancel: &Cancel,
        each: Each<'_>,
    ) -> Batch<ChatReply> {
        self.batch(questions, cancel, each, |core, number, question, show| {
            Box::pin(async move { core.answer(&question, number, &show).await })
        })
    }

    /// The models that the server lists.
    pub fn models(&self, cancel: &Cancel) -> Result<Vec<String>> {
        self.one(cancel, |core| Box::pin(async move { Ok(probe::listed(&core.models().await?)) }))
    }

    /// What was spent so far.
    pub fn spent(&self) -> Spent {
        self.core.account.spent()
    }

    /// What `asks` questions of so many characters would take, with answers of that many tokens.
    pub fn estimate(&self, prompt_characters: usize, reply_tokens: u64, asks: u64) -> Estimate {
        self.core.account.estimate(prompt_characters, reply_tokens, asks)
    }

    /// What a person should know of this server and was not told yet: that another model answers
    /// than was asked.
    pub fn surprise(&self) -> Option<String> {
        self.core.surprise()
    }

    /// Whether the server was seen to give one answer where several were asked for.
    pub fn is_one_by_one(&self) -> bool {
        self.core.one_by_one.load(Ordering::Relaxed)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        drop(self.ends.take());
        if let Ok(ended) = self.ended.get_mut() {
            let _ = ended.recv_timeout(PARTING);
        }
    }
}
