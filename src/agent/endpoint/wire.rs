//! One exchange over HTTP, with a limit to everything that the other side decides.

use std::time::Duration;

use reqwest::{Client, Response, header, redirect};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::key::Secret;
use super::profile::{Base, Profile};
use super::retry::Failure;
use super::words;
use crate::error::{Error, Kind, Result};

/// Bytes of a reply in one piece at most.
const WHOLE: usize = 64 << 20;

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    /// A route that all servers share.
    Api(&'static str),
    /// A route that only one server knows.
    Root(&'static str),
}

/// What comes.
#[derive(Debug)]
pub(super) enum Incoming<'a> {
    /// A reply in one piece, and its text.
    Whole(&'a Value, &'a str),
    /// An event of a stream, and its text.
    Event(&'a Value, &'a str),
    /// The stream says that it is at its end.
    Done,
}

/// Whether more is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// Yes.
    More,
    /// What has begun has ended; should nothing more come, that is all.
    Maybe,
    /// Only what comes at once.
    Linger,
}

/// Takes what comes.
pub(super) type Take<'a> = &'a mut (dyn FnMut(Incoming<'_>) -> Result<Flow, Failure> + Send);

/// The line to a server.
#[derive(Debug)]
pub(super) struct Wire {
    client: Client,
    base: Base,
    secret: Option<Secret>,
    timeout: Duration,
    /// The longest silence of a stream.
    pub idle: Duration,
    retries: u32,
    gate: Semaphore,
}

/// Files beside connections: the store, the log, what is being read.
const FILES: u64 = 128;

/// Has the system allow so many connections at once, each of which is an open file.
fn room_for(connections: usize) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = connections as u64 + FILES;
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let few = |most: u64| {
        Error::usage(format!("concurrency = {connections}: this system allows {most} open files"))
            .hint("ask for fewer at once, or allow more: ulimit -n")
    };
    match limit.maximum {
        Some(most) if most < wanted => Err(few(most)),
        maximum => setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
            .map_err(|_| few(limit.current.unwrap_or_default())),
    }
}

impl Wire {
    pub fn open(profile: &Profile, base: Base) -> Result<Self> {
        let secret = profile.key.read()?;
        room_for(profile.concurrency)?;
        // Whoever was first has chosen for the whole process, and that is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = header::HeaderMap::new();
        if let Some(secret) = &secret {
            headers.insert(header::AUTHORIZATION, secret.bearer()?);
        }
        let mut client = Client::builder()
            .default_headers(headers)
            .user_agent(concat!("foretaste/", env!("CARGO_PKG_VERSION")))
            // A place that was not named gets neither the key nor what is asked.
            .redirect(redirect::Policy::none())
            .referer(false)
            .http1_only()
            .connect_timeout(Duration::from_secs_f64(profile.connect_timeout_s));
        if base.is_local {
            client = client.no_proxy();
        }
        if base.is_open {
            // Nothing is ever encrypted here, so a machine without certificates is no reason to
            // fail.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| {
            Error::new(format!("the HTTP client: {}", words::chain(&error))).of(Kind::Io)
        })?;
        Ok(Self {
            client,
            base,
            secret,
            timeout: profile.timeout(),
            idle: Duration::from_secs_f64(profile.idle_timeout_s),
            retries: profile.retries,
            gate: Semaphore::new(profile.concurrency),
        })
    }

    /// Whether the key can be read by who stands between.
    pub fn gives_the_key_away(&self) -> bool {
        self.secret.is_some() && self.base.is_open && !self.base.is_local
    }

    /// A text from outside as it may stand in an error.
    pub fn shown(&self, text: &str) -> String {
        words::shown(&self.clean(text))
    }

    /// A text without the key.
    pub fn clean(&self, text: &str) -> String {
        self.secret.as_ref().map_or_else(|| text.to_string(), |secret| secret.scrub(text))
    }

    /// An error without the key, that says who failed.
    fn told(&self, error: &Error, tried: u32) -> Error {
        let tries = if tried > 1 { format!(" (tried {tried} times)") } else { String::new() };
        let what = format!("the endpoint {}: {}{tries}", self.base.api, error.message());
        let told = Error::new(self.clean(&what)).of(error.kind());
        match error.next_step() {
            Some(hint) => told.hint(self.clean(hint)),
            None => told,
        }
    }

    /// After attempt `tried` failed: waits for the next one, or says that there is none.
    pub async fn pause(&self, failure: Failure, tried: u32) -> Result<()> {
        match failure.wait(tried).filter(|_| tried <= self.retries) {
            Some(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            None => Err(self.told(&failure.error, tried)),
        }
    }

    /// A place among the questions that are under way.
    pub async fn enter(&self) -> Result<SemaphorePermit<'_>> {
        let permit = self.gate.acquire().await;
        permit.map_err(|_| Error::new("the endpoint is closed").of(Kind::Defect))
    }

    /// A reply in one piece, tried as often as the profile says.
    pub async fn json(&self, to: To, body: Option<&Value>) -> Result<Value> {
        Ok(self.json_with(to, body, || Ok(())).await?.0)
    }

    /// The same with what is held while it is asked for: had anew for each try, once there is a
    /// place for it.
    pub async fn json_with<T>(
        &self,
        to: To,
        body: Option<&Value>,
        held: impl Fn() -> Result<T>,
    ) -> Result<(Value, T)> {
        let mut tried = 0;
        loop {
            tried += 1;
            let place = self.enter().await?;
            let holds = held()?;
            let asked = self.json_once(to, body).await;
            drop(place);
            match asked {
                Ok(value) => return Ok((value, holds)),
                Err(failure) => self.pause(failure, tried).await?,
            }
        }
    }

    /// A reply in one piece.
    pub async fn json_once(&self, to: To, body: Option<&Value>) -> Result<Value, Failure> {
        let mut found = Value::Null;
        let mut take = |incoming: Incoming<'_>| {
            if let Incoming::Whole(value, _) = incoming {
                found = value.clone();
                return Ok(Flow::More);
            }
            Err(Failure::lasting("it streams what was asked for in one piece"))
        };
        self.exchange(to, body, &mut take).await?;
        Ok(found)
    }

    /// Asks, and gives what comes to `take`.
    pub async fn exchange(
        &self,
        to: To,
        body: Option<&Value>,
        take: Take<'_>,
    ) -> Result<(), Failure> {
        match timeout(self.timeout, self.converse(to, body, take)).await {
            Ok(done) => done,
            Err(_) => Err(Failure::passing(format!(
                "no whole answer in {} s (timeout_s)",
                self.timeout.as_secs_f64()
            ))),
        }
    }

    async fn converse(&self, to: To, body: Option<&Value>, take: Take<'_>) -> Result<(), Failure> {
        let url = match to {
            To::Api(path) => format!("{}{path}", self.base.api),
            To::Root(path) => format!("{}{path}", self.base.root),
        };
        let request = match body {
            Some(body) => self
                .client
                .post(url)
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.to_string()),
            None => self.client.get(url),
        };
        let response = request.send().await.map_err(words::of_line)?;
        if !response.status().is_success() {
            return Err(self.refusal(to, response).await);
        }
        let kind = header_of(&response, header::CONTENT_TYPE).to_ascii_lowercase();
        if kind.starts_with("text/event-stream") {
            return self.stream(response, take).await;
        }
        let bytes = read(response, WHOLE).await?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Failure::lasting("the answer is not UTF-8"))?
            .trim_start_matches('\u{feff}')
            .trim();
        if kind.starts_with("text/html") || text.starts_with('<') {
            return Err(words::web_page());
        }
        let value: Value = serde_json::from_str(text).map_err(|error| {
            Failure::lasting(format!("the answer is not JSON ({error}): {}", self.shown(text)))
        })?;
        self.check(&value)?;
        take(Incoming::Whole(&value, text)).map(|_| ())
    }
}

pub(super) fn header_of(response: &Response, name: header::HeaderName) -> &str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// All bytes of a reply, or an error as soon as it is too long.
async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, Failure> {
    let too_long = || Failure::lasting(format!("the answer is longer than {} MiB", most >> 20));
    if response.content_length().is_some_and(|length| length > most as u64) {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(words::of_line)? {
        if bytes.len() + piece.len() > most {
            return Err(too_long());
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}
