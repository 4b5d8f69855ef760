//! Routes that only some servers know.

use serde_json::{Map, Value, json};

use super::found::Server;
use super::reply::usage;
use super::request::placed;
use super::score::Prefix;
use super::shared::Core;
use super::spent::tokens_of;
use super::wire::To;
use crate::agent::prompt::chat::Message;
use crate::error::{Error, Kind, Result};

/// An answer of a route that is not in the form that this program knows.
pub(super) fn unread(route: &str, what: &str) -> Error {
    Error::new(format!("{route} answers in a form that is not known here: {what}"))
        .of(Kind::Remote { retry: false })
        .hint("the server may be too old, or newer than this program")
}

/// The numbers of a list of tokens.
pub(super) fn ids(value: &Value) -> Option<Vec<u32>> {
    let one = |token: &Value| {
        let id = token.as_u64().or_else(|| token["id"].as_u64())?;
        u32::try_from(id).ok()
    };
    value.as_array()?.iter().map(one).collect()
}

impl Core {
    /// The fields that are merged into every question, and more.
    pub fn with_extra(&self, more: Value) -> Value {
        let mut body: Map<String, Value> = self.profile.extra.clone();
        if let Value::Object(more) = more {
            body.extend(more);
        }
        Value::Object(body)
    }

    /// Asks something that costs tokens: those of a prompt of so many characters, and `answer`.
    pub async fn counted(
        &self,
        to: To,
        body: &Value,
        characters: usize,
        answer: u64,
    ) -> Result<Value> {
        let promise = || self.account.promise(tokens_of(characters), answer);
        let (value, promise) = self.wire.json_with(to, Some(body), promise).await?;
        let pair = |prompt: &Value, answer: &Value| Some((prompt.as_u64()?, answer.as_u64()?));
        let meta = &value["meta_info"];
        let counted = usage(&value)
            .or_else(|| pair(&meta["prompt_tokens"], &meta["completion_tokens"]))
            .or_else(|| pair(&value["tokens_evaluated"], &value["tokens_predicted"]));
        promise.keep(counted);
        Ok(value)
    }

    /// The tokens of a text, as the server counts them.
    pub async fn tokens(&self, server: Server, text: &str, special: bool) -> Result<Vec<u32>> {
        let body = if server == Server::LlamaCpp {
            json!({ "content": text, "add_special": special, "parse_special": true })
        } else {
            let model = self.model().await?;
            json!({ "model": model, "prompt": text, "add_special_tokens": special })
        };
        let value = self.wire.json(To::Root("/tokenize"), Some(&body)).await?;
        ids(&value["tokens"]).ok_or_else(|| unread("/tokenize", "it has no tokens"))
    }

    /// A conversation as the model is given it, by the server's own template; none where the
    /// server does not say.
    pub async fn render(&self, server: Server, messages: Vec<Message>) -> Result<Option<Prefix>> {
        let messages = placed(messages, self.profile.system);
        let text = |value: &Value, route| {
            let text = value["prompt"].as_str().map(ToString::to_string);
            text.ok_or_else(|| unread(route, "it has no prompt"))
        };
        match server {
            Server::LlamaCpp => {
                let body = self.with_extra(json!({ "messages": messages }));
                let value = self.wire.json(To::Root("/apply-template"), Some(&body)).await?;
                let text = text(&value, "/apply-template")?;
                Ok(Some(Prefix { text, special: true }))
            }
            Server::Vllm => {
                let model = self.model().await?;
                let body = self.with_extra(json!({
                    "model": model, "messages": messages, "add_generation_prompt": true,
                }));
                let value = self.wire.json(To::Root("/tokenize"), Some(&body)).await?;
                let tokens = &value["tokens"];
                let body = json!({ "model": model, "tokens": tokens });
                let value = self.wire.json(To::Root("/detokenize"), Some(&body)).await?;
                // The template wrote what a text begins with; it does not come twice.
                Ok(Some(Prefix { text: text(&value, "/detokenize")?, special: false }))
            }
            Server::SgLang | Server::Ollama | Server::Other => Ok(None),
        }
    }
}
