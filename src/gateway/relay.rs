//! An endpoint that answers agents: it is sent what the agent asked, and its answer is the answer.

use serde_json::{Map, Value, json};

use super::{Answered, Asked, Refused};
use crate::agent::endpoint::{Endpoint, Profile};
use crate::error::Result;

/// An endpoint. Only those of `config.toml` and of the command line are ever asked: no request names
/// one.
#[derive(Debug)]
pub(super) struct Relay {
    endpoint: Endpoint,
}

impl Relay {
    pub fn open(profile: Profile) -> Result<Self> {
        Ok(Self { endpoint: Endpoint::open(profile)? })
    }

    pub async fn answer(&self, asked: &Asked) -> Result<Answered, Refused> {
        let mut body = asked.body.clone();
        // The model is the profile's: what an agent calls it decides nothing.
        for ours in ["model", "previous_response_id", "store", "user", "metadata"] {
            body.remove(ours);
        }
        let failed = |error| Refused::upstream(&error);
        let value = self.endpoint.pass("/chat/completions", body).await.map_err(failed)?;
        let odd = |what: &str| Refused::with(502, format!("the endpoint's answer has no {what}"));
        let choice = &value["choices"][0];
        let mut message = choice["message"].clone();
        if !message.is_object() {
            return Err(odd("message"));
        }
        message["role"] = "assistant".into();
        if message.get("content").is_none() {
            message["content"] = Value::Null;
        }
        if message["tool_calls"].as_array().is_some_and(Vec::is_empty) {
            message.as_object_mut().map(|fields| fields.remove("tool_calls"));
        }
        let count = |name: &str| value["usage"][name].as_u64().unwrap_or_default();
        let usage = (count("prompt_tokens"), count("completion_tokens"));
        let finish = choice["finish_reason"].as_str().unwrap_or("stop").to_string();
        let cost = self.endpoint.cost(usage);
        Ok(Answered { message, finish, usage, tokens: None, cost, seed: None })
    }

    /// A request of another route, as it is.
    pub async fn embeddings(&self, mut body: Map<String, Value>) -> Result<Value, Refused> {
        body.remove("model");
        self.endpoint.pass("/embeddings", body).await.map_err(|error| Refused::upstream(&error))
    }

    /// About how many tokens a request takes.
    pub fn count(asked: &Asked) -> u64 {
        let characters = json!(asked.messages()).to_string().chars().count();
        (characters as u64).div_ceil(4)
    }
}
