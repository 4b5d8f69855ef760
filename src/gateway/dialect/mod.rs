//! The four ways in which agents ask, each read into one form and answered in its own.
//!
//! Inside there is one form, that of chat completions: a body with `messages` and `tools`, which an
//! endpoint understands as it is.

mod chat;
mod completions;
mod messages;
mod responses;

use serde_json::{Map, Value, json};

use super::{Answered, Asked, Refused};
pub(super) use responses::BEFORE;

/// A way of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `POST /v1/chat/completions`.
    Chat,
    /// `POST /v1/completions`: a text to be gone on with.
    Completions,
    /// `POST /v1/responses`.
    Responses,
    /// `POST /v1/messages`.
    Messages,
}

/// An event of a stream: its name, where the dialect names them, and what it says.
pub(super) type Event = (Option<&'static str>, Value);

/// A reply as it is sent: who was asked, what was answered, and the number of the call that it is
/// written down as.
pub(super) struct Reply<'a> {
    pub asked: &'a Asked,
    pub answered: &'a Answered,
    pub call: i64,
    /// Seconds since 1970.
    pub now: i64,
}

impl Reply<'_> {
    /// What was said, an empty text where nothing was.
    fn text(&self) -> &str {
        self.answered.message["content"].as_str().unwrap_or_default()
    }

    /// Whether the text is said: also an empty one, where nothing else is.
    fn speaks(&self) -> bool {
        !self.text().is_empty() || self.tools().is_empty()
    }

    /// The calls of tools.
    fn tools(&self) -> &[Value] {
        self.answered.message["tool_calls"].as_array().map_or(&[], Vec::as_slice)
    }
}

impl Dialect {
    /// What it is called in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Messages => "messages",
        }
    }

    /// Reads a request.
    ///
    /// # Errors
    /// For what cannot be understood, by the name of the field.
    pub fn read(self, body: Map<String, Value>) -> Result<Asked, Refused> {
        let stream = match &body.get("stream") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(stream)) => *stream,
            Some(_) => return Err(Refused::bad("stream: neither true nor false")),
        };
        let body = match self {
            Self::Chat => chat::read(body)?,
            Self::Completions => completions::read(body)?,
            Self::Responses => responses::read(&body)?,
            Self::Messages => messages::read(&body)?,
        };
        Asked::of(self, body, stream)
    }

    /// The reply in one piece.
    pub fn whole(self, reply: &Reply<'_>) -> Value {
        match self {
            Self::Chat => chat::whole(reply),
            Self::Completions => completions::whole(reply),
            Self::Responses => responses::whole(reply),
            Self::Messages => messages::whole(reply),
        }
    }

    /// The reply as a stream.
    pub fn events(self, reply: &Reply<'_>) -> Vec<Event> {
        match self {
            Self::Chat => chat::events(reply),
            Self::Completions => completions::events(reply),
            Self::Responses => responses::events(reply),
            Self::Messages => messages::events(reply),
        }
    }

    /// Whether a stream ends with `[DONE]`.
    pub fn is_done_said(self) -> bool {
        matches!(self, Self::Chat | Self::Completions)
    }

    /// What is said where there is no answer.
    pub fn refusal(self, refused: &Refused) -> Value {
        let kind = match refused.status {
            400 | 404 | 413 => "invalid_request_error",
            401 => "authentication_error",
            403 => "permission_error",
            429 => "rate_limit_error",
            _ => "api_error",
        };
        let error = json!({"type": kind, "message": refused.message, "param": null, "code": null});
        match self {
            Self::Messages => {
                json!({"type": "error", "error": {"type": kind, "message": refused.message}})
            }
            _ => json!({"error": error}),
        }
    }
}

/// A text, or the texts of parts; what is no text stays a part as it is ("unread").
fn parts(content: &Value, kinds: &[&str]) -> Result<Value, Refused> {
    match content {
        Value::Null | Value::String(_) => Ok(content.clone()),
        Value::Array(parts) => {
            let text = |part: &Value| {
                let kind = part["type"].as_str().unwrap_or_default();
                kinds.contains(&kind).then(|| part["text"].as_str().map(str::to_string)).flatten()
            };
            if let Some(texts) = parts.iter().map(text).collect::<Option<Vec<_>>>() {
                return Ok(Value::String(texts.join("\n")));
            }
            let kept = parts.iter().map(|part| match text(part) {
                Some(text) => json!({"type": "text", "text": text}),
                None => part.clone(),
            });
            Ok(Value::Array(kept.collect()))
        }
        _ => Err(Refused::bad("a message's content is neither text nor parts")),
    }
}

/// A list of a body.
fn list(body: &Map<String, Value>, field: &str) -> Result<Vec<Value>, Refused> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(all)) => Ok(all.clone()),
        Some(_) => Err(Refused::bad(format!("{field}: not a list"))),
    }
}

/// Fields that mean the same under another name.
fn renamed(from: &Map<String, Value>, to: &mut Map<String, Value>, names: &[(&str, &str)]) {
    for (theirs, ours) in names {
        if let Some(value) = from.get(*theirs).filter(|value| !value.is_null()) {
            to.insert((*ours).into(), value.clone());
        }
    }
}

/// Refuses a field that is not understood.
fn known(body: &Map<String, Value>, fields: &[&str]) -> Result<(), Refused> {
    match body.keys().find(|field| !fields.contains(&field.as_str())) {
        Some(field) => Err(Refused::bad(format!("{field}: not understood by this gateway"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
