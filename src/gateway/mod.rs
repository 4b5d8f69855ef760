//! The gateway: agents of others ask their models through it, without a change but of `base_url`.
//!
//! What comes in one of four dialects (`dialect`) is answered by any mind of this program or by an
//! endpoint (`mind`), written down before it is answered (`writer`), and read again as the
//! episodes of which a policy learns (`reading`).
//!
//! A key names a session and, where it wants to, an agent: `fk-SESSION[.AGENT]` (`admit`). Only
//! this machine is listened to unless a person says otherwise; a web page is never answered.

mod admit;
mod again;
mod call;
mod compare;
mod dialect;
mod drawn;
mod http;
mod lightning;
mod mind;
mod otlp;
mod page;
mod played;
mod playing;
mod preferred;
mod reading;
mod relay;
mod replayed;
mod rollouts;
mod routes;
mod said;
mod serve;
mod speaking;
mod stretches;
mod system;
mod thread;
mod writer;

pub use again::{Again, again};
pub use compare::{Side, Sides, TRIALS, sides};
pub use mind::{Minds, Route};
pub use page::{lines, other, page};
pub use played::{Taken, Wanted, one_agent, take};
pub use preferred::{Left, Preferred, answers, preferred};
pub use reading::opening;
pub use rollouts::{Rollout, Unfit, Worth, Written, rollouts};
pub use routes::{PORT, Routed, USUAL, add_route, current, first_key, rename, routes, take_back};
pub use said::{line, told};
pub use serve::{Gateway, Limits, Seen};
pub use stretches::{Stretch, reward, stretches};
pub use system::{Named, prompt_file};

use serde_json::{Map, Value};

use crate::agent::endpoint::Unanswered;
use dialect::Dialect;

/// A request, in the form of chat completions whatever it came in.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(self) dialect: Dialect,
    /// The model that the agent asked for.
    pub model: String,
    /// What an endpoint would be sent: messages, tools, and how the answer is drawn.
    pub body: Map<String, Value>,
    /// Whether it is to come as a stream.
    pub stream: bool,
}

/// Messages of a request at most.
const MESSAGES: usize = 10_000;

impl Asked {
    fn of(dialect: Dialect, body: Map<String, Value>, stream: bool) -> Result<Self, Refused> {
        let model = match body.get("model") {
            Some(Value::String(model)) => model.clone(),
            None | Some(Value::Null) => String::new(),
            Some(_) => return Err(Refused::bad("model: not a name")),
        };
        let asked = Self { dialect, model, body, stream };
        let Some(Value::Array(messages)) = asked.body.get("messages") else {
            return Err(Refused::bad("messages: there are none"));
        };
        if messages.is_empty() || messages.len() > MESSAGES {
            return Err(Refused::bad(format!("messages: between 1 and {MESSAGES} are taken")));
        }
        if let Some(odd) = messages.iter().find(|message| !message["role"].is_string()) {
            let shown: String = odd.to_string().chars().take(60).collect();
            return Err(Refused::bad(format!("messages: one has no role: {shown}")));
        }
        Ok(asked)
    }

    /// What was said so far.
    pub fn messages(&self) -> &[Value] {
        self.body.get("messages").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The tools that may be called.
    pub fn tools(&self) -> &[Value] {
        self.body.get("tools").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

/// The tokens of an answer as they were written, and their log-probabilities in nats at temperature
/// 1.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) struct Tokens {
    pub ids: Vec<u32>,
    pub logps: Vec<f32>,
    /// The temperature that they were drawn at.
    pub temperature: f64,
    /// What they were written to, where that is other than the state that the conversation stands for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prompt: Vec<u32>,
}

/// An answer, in the form of chat completions.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    /// The message of the assistant.
    pub message: Value,
    /// `stop`, `length`, `tool_calls`, or as an endpoint calls it.
    pub finish: String,
    /// Tokens of the prompt and of the answer.
    pub usage: (u64, u64),
    /// Where the mind gives them.
    pub tokens: Option<Tokens>,
    /// What it cost, where that is known.
    pub cost: Option<f64>,
    /// The seed that it was drawn by, where one was.
    pub seed: Option<u64>,
}

/// Why there is no answer, as an agent is told it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refused {
    /// Of HTTP.
    pub status: u16,
    pub message: String,
    /// Seconds after which it may be asked again.
    pub after: Option<u32>,
    /// Whether nobody was asked: the request was refused here.
    pub unasked: bool,
}

impl Refused {
    fn with(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), after: None, unasked: status < 500 }
    }

    /// The request is at fault.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::with(400, message)
    }

    /// It may be asked again in a moment.
    pub fn busy(message: impl Into<String>) -> Self {
        Self { after: Some(1), ..Self::with(429, message) }
    }

    /// Whoever was asked failed: what the agent did wrong stays its fault, and what passes is said to.
    pub fn upstream(unanswered: &Unanswered) -> Self {
        let after = unanswered.after.map(|after| after.as_secs().clamp(1, 3600) as u32);
        let (status, after) = match unanswered.status {
            Some(429) => (429, after.or(Some(1))),
            Some(status @ (400 | 413 | 422)) => (status, None),
            _ => (502, None),
        };
        Self { after, unasked: false, ..Self::with(status, unanswered.error.message()) }
    }
}

#[cfg(test)]
mod tests;
