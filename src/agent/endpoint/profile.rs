//! What a person says of an endpoint.

use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::key::Key;
use crate::error::{Error, Result};

/// Fields of a request that are written here, so that `extra` cannot say them otherwise.
const OURS: [&str; 20] = [
    "model",
    "messages",
    "prompt",
    "input_ids",
    "text",
    "max_tokens",
    "max_completion_tokens",
    "n_predict",
    "temperature",
    "top_p",
    "seed",
    "n",
    "stop",
    "logprobs",
    "top_logprobs",
    "prompt_logprobs",
    "stream",
    "stream_options",
    "echo",
    "grammar",
];

/// Where a message of the system goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SystemTo {
    /// In a message of its own.
    #[default]
    System,
    /// In front of the first message of the user: some templates know no other place.
    User,
}

/// An OpenAI-compatible endpoint that a person names, as a table of TOML says it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// Where it is: `http://127.0.0.1:8080/v1`, with `/v1` or without it.
    pub url: String,
    /// The model that is asked; the first that the server lists where none is named.
    pub model: Option<String>,
    /// Where its key is.
    pub key: Key,
    /// Seconds that one answer may take, all of it.
    pub timeout_s: f64,
    /// Seconds until there is a connection.
    pub connect_timeout_s: f64,
    /// The longest silence between two pieces of an answer that has begun to stream.
    pub idle_timeout_s: f64,
    /// Questions that are under way at once.
    pub concurrency: usize,
    /// How often a question is asked again when the server or the line fails.
    pub retries: u32,
    /// Tokens of one answer at most, whatever is asked for.
    pub max_reply_tokens: u32,
    /// Tokens that may be spent in the endpoint's life, prompts and answers together.
    pub budget_tokens: Option<u64>,
    /// What a million tokens of prompts cost.
    pub price_in: Option<f64>,
    /// What a million tokens of answers cost.
    pub price_out: Option<f64>,
    /// Whether the model's template opens a thought, so that answers begin in one.
    pub thinks_first: bool,
    /// Where messages of the system go.
    pub system: SystemTo,
    /// Whether the limit of an answer is called `max_completion_tokens`, as new hosted models ask.
    pub completion_limit: bool,
    /// Merged into the body of every question.
    pub extra: Map<String, Value>,
}

/// Questions at once, at most.
const AT_ONCE: usize = 4096;

impl Default for Profile {
    fn default() -> Self {
        Self {
            url: String::new(),
            model: None,
            key: Key::None,
            timeout_s: 300.0,
            connect_timeout_s: 10.0,
            idle_timeout_s: 60.0,
            concurrency: 4,
            retries: 4,
            max_reply_tokens: 2048,
            budget_tokens: None,
            price_in: None,
            price_out: None,
            thinks_first: false,
            system: SystemTo::System,
            completion_limit: false,
            extra: Map::new(),
        }
    }
}

/// Where the routes of a server begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    /// Of the routes that all servers share, ending in `/v1` mostly.
    pub api: String,
    /// Of those that only one server knows.
    pub root: String,
    /// Whether it is this machine.
    pub is_local: bool,
    /// Whether the line is not encrypted.
    pub is_open: bool,
}

impl Profile {
    /// A profile of which only the place is said.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// An error for what cannot be; nothing is asked, and no key is read.
    pub fn vet(&self) -> Result<()> {
        self.check().map(|_| ())
    }

    /// Whether everything that it says can be so.
    pub(super) fn check(&self) -> Result<Base> {
        let seconds = [
            ("timeout_s", self.timeout_s),
            ("connect_timeout_s", self.connect_timeout_s),
            ("idle_timeout_s", self.idle_timeout_s),
        ];
        for (name, value) in seconds {
            if !(value > 0.0 && value <= 86_400.0) {
                return Err(Error::usage(format!("{name} = {value}: not between 0 and a day")));
            }
        }
        for (name, value) in [("price_in", self.price_in), ("price_out", self.price_out)] {
            if value.is_some_and(|price| !(price.is_finite() && price >= 0.0)) {
                return Err(Error::usage(format!("{name} is no price")));
            }
        }
        if !(1..=AT_ONCE).contains(&self.concurrency) {
            return Err(Error::usage(format!(
                "concurrency = {}: not between 1 and {AT_ONCE}",
                self.concurrency
            )));
        }
        if self.retries > 20 {
            return Err(Error::usage(format!("retries = {}: more than 20", self.retries)));
        }
        if self.max_reply_tokens == 0 {
            return Err(Error::usage("max_reply_tokens = 0: no answer could be given"));
        }
        if let Some(key) = OURS.iter().find(|key| self.extra.contains_key(**key)) {
            return Err(Error::usage(format!("extra.{key} is set by this program"))
                .hint("leave it out of extra; what can be chosen has a setting of its own"));
        }
        base(&self.url)
    }

    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs_f64(self.timeout_s)
    }
}

/// Where the routes of the server at a URL begin.
fn base(text: &str) -> Result<Base> {
    let refused = |why: &str| {
        // A password may be in it, so it is not repeated here.
        Error::usage(format!("the endpoint's URL {why}"))
            .hint("an example: http://127.0.0.1:8080/v1")
    };
    let url = Url::parse(text.trim()).map_err(|error| refused(&format!("is none: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("does not begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("has a name or a password in it; a key goes into the profile's key"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("has a query or a fragment; it is only where the routes begin"));
    }
    let path = url.path().trim_end_matches('/');
    for route in ["/chat/completions", "/completions", "/models"] {
        if path.ends_with(route) {
            return Err(refused(&format!("names the route {route}; leave that out")));
        }
    }
    let is_version = |name: &str| {
        name.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let origin = url.origin().ascii_serialization();
    let (before, last) = path.rsplit_once('/').unwrap_or(("", ""));
    let (api, root) = if is_version(last) {
        (format!("{origin}{path}"), format!("{origin}{before}"))
    } else {
        (format!("{origin}{path}/v1"), format!("{origin}{path}"))
    };
    let Some(host) = url.host_str() else { return Err(refused("names no host")) };
    let is_local = match host.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
        Ok(ip) => ip.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    };
    Ok(Base { api, root, is_local, is_open: url.scheme() == "http" })
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
