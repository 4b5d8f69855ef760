//! Requests of others, sent on as they are: what an agent asks at the gateway.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Endpoint;
use super::batch::Abort;
use super::profile::SystemTo;
use super::reply::usage;
use super::shared::Core;
use super::spent::tokens_of;
use super::wire::To;
use crate::control::Cancel;
use crate::error::{Error, Kind, Result};

/// Why there is no answer.
#[derive(Debug)]
pub struct Unanswered {
    /// What failed.
    pub error: Error,
    /// The status that the server answered with, where it did.
    pub status: Option<u16>,
    /// How long it asked to be left alone.
    pub after: Option<std::time::Duration>,
}

impl From<Error> for Unanswered {
    fn from(error: Error) -> Self {
        Self { error, status: None, after: None }
    }
}

impl Endpoint {
    /// Sends a body to a route that servers share, with the profile's model and `extra`, tried as
    /// often as the profile says and within its budget. What comes back is free of the key.
    pub async fn pass(
        &self,
        path: &'static str,
        body: Map<String, Value>,
    ) -> Result<Value, Unanswered> {
        let core = Arc::clone(&self.core);
        let task = self.runtime.spawn(async move { core.pass(path, body).await });
        let _abort = Abort(task.abort_handle());
        let broke = |_| Error::new("the endpoint's thread broke off").of(Kind::Defect);
        task.await.map_err(broke)?
    }

    /// The same for a thread that waits, until `cancel` is asked for.
    pub fn pass_now(
        &self,
        path: &'static str,
        body: Map<String, Value>,
        cancel: &Cancel,
    ) -> Result<Value> {
        self.one(cancel, move |core| {
            Box::pin(
                async move { core.pass(path, body).await.map_err(|unanswered| unanswered.error) },
            )
        })
    }

    /// What so many tokens of prompts and answers cost, where the profile says prices.
    pub fn cost(&self, (prompt, answer): (u64, u64)) -> Option<f64> {
        self.core.account.cost(prompt, answer)
    }
}

impl Core {
    async fn pass(
        &self,
        path: &'static str,
        mut body: Map<String, Value>,
    ) -> Result<Value, Unanswered> {
        body.insert("model".into(), self.model().await?.into());
        body.extend(self.profile.extra.clone());
        let most = u64::from(self.profile.max_reply_tokens);
        if path == "/chat/completions" {
            let names = ["max_completion_tokens", "max_tokens"];
            let asked = names.iter().find_map(|name| body.remove(*name)?.as_u64());
            let name = names[usize::from(!self.profile.completion_limit)];
            body.insert(name.into(), asked.unwrap_or(most).clamp(1, most).into());
            if self.profile.system == SystemTo::User {
                placed(&mut body);
            }
        }
        let body = Value::Object(body);
        let characters = body.to_string().chars().count();
        let mut tried = 0;
        loop {
            tried += 1;
            let place = self.wire.enter().await?;
            let mut promise = self.account.promise(tokens_of(characters), most)?;
            match self.wire.json_once(To::Api(path), Some(&body)).await {
                Ok(value) => {
                    let text = value.to_string();
                    promise.seen = text.chars().count();
                    promise.keep(usage(&value));
                    self.compare(value["model"].as_str().unwrap_or_default());
                    let clean = self.wire.clean(&text);
                    return Ok(if clean == text {
                        value
                    } else {
                        serde_json::from_str(&clean).unwrap_or_default()
                    });
                }
                Err(failure) => {
                    drop((place, promise));
                    let (status, after) = (failure.status, failure.after);
                    let paused = self.wire.pause(failure, tried).await;
                    paused.map_err(|error| Unanswered { error, status, after })?;
                }
            }
        }
    }
}

/// What the system says, in front of the first message of the user.
fn placed(body: &mut Map<String, Value>) {
    let Some(Value::Array(messages)) = body.get_mut("messages") else { return };
    let is_system =
        |message: &Value| matches!(message["role"].as_str(), Some("system" | "developer"));
    let told: Vec<String> = messages
        .iter()
        .filter(|message| is_system(message))
        .filter_map(|message| message["content"].as_str().map(str::to_string))
        .collect();
    if told.is_empty() {
        return;
    }
    messages.retain(|message| !is_system(message));
    let told = told.join("\n\n");
    match messages.iter_mut().find(|message| message["role"] == "user") {
        Some(first) if first["content"].is_string() => {
            let said = first["content"].as_str().unwrap_or_default();
            first["content"] = format!("{told}\n\n{said}").into();
        }
        _ => messages.insert(0, serde_json::json!({"role": "user", "content": told})),
    }
}
