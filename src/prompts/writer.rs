//! Who writes new texts: a mind behind an endpoint.

use serde_json::json;

use crate::agent::endpoint::Endpoint;
use crate::agent::minds::{self, Named};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::store::Store;

/// Tokens that a new text may take.
const LONGEST: u32 = 2048;

/// The endpoint of that name.
pub(super) fn endpoint(store: &Store, name: &str) -> Result<Named> {
    let found = minds::find(store.root(), name)?;
    found.filter(|mind| mind.tokens_of.is_none()).ok_or_else(|| {
        Error::usage(format!("{name}: not an endpoint that is asked in messages")).hint(
            "a prompt is read by a mind that follows instructions: name an endpoint's URL, or a mind of config.toml \
             without tokens_of",
        )
    })
}

/// See the module.
pub(super) struct Writer {
    endpoint: Endpoint,
    control: Control,
}

impl Writer {
    pub fn open(store: &Store, name: &str, control: &Control) -> Result<Self> {
        let endpoint = Endpoint::open(endpoint(store, name)?.profile)?;
        Ok(Self { endpoint, control: control.clone() })
    }

    /// Answers a request for a new text. It is taken as it came: a text may well speak of `<think>`
    /// itself.
    pub fn write(&self, request: &str) -> Result<String> {
        let body = json!({
            "messages": [{"role": "user", "content": request}],
            "max_tokens": LONGEST,
            "temperature": 1.0,
        });
        let body = body.as_object().cloned().unwrap_or_default();
        let reply = self.endpoint.pass_now("/chat/completions", body, &self.control.cancel)?;
        let text = reply["choices"][0]["message"]["content"].as_str();
        let text = text.ok_or_else(|| Error::new("the writer answered no text"))?.trim();
        // What it thought before it answered.
        let thought = text.strip_prefix("<think>").and_then(|rest| rest.split_once("</think>"));
        Ok(thought.map_or(text, |(_, answer)| answer).trim().to_string())
    }
}
