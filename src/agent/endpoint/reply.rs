//! What comes back, whole or in pieces, read into one form.

use serde_json::Value;

use super::retry::{Failure, is_passing};

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// By itself, or at what was to end it.
    Stop,
    /// At the limit of tokens.
    Length,
    /// As the server calls it; `unsaid` where it says nothing.
    Other(String),
}

/// What a server that does not say how an answer ended is taken to say.
pub const UNSAID: &str = "unsaid";

impl Finish {
    fn named(name: &str) -> Self {
        match name {
            "stop" => Self::Stop,
            "length" => Self::Length,
            other => Self::Other(other.into()),
        }
    }
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The answer, without a thought.
    pub text: String,
    /// What was thought before it, where the server gives that or the text has it in itself.
    pub reasoning: Option<String>,
    /// How it ended.
    pub finished: Finish,
    /// Its tokens and their log-probabilities in nats, where they were asked for and are given.
    pub tokens: Vec<(String, f32)>,
}

/// The answers to one request.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatReply {
    /// As many as were asked for.
    pub choices: Vec<Choice>,
    /// Tokens of the prompt and of the answers, where the server counts them.
    pub usage: Option<(u64, u64)>,
    /// The model that the server says answered.
    pub model: String,
    /// The reply as it came, or its beginning, without the key.
    pub raw: String,
    /// Requests that were sent for it, those that failed and those for further answers among them.
    pub attempts: u32,
    /// How long it all took.
    pub ms: u64,
}

/// What one piece says of one answer.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub index: usize,
    pub text: String,
    pub reasoning: String,
    pub finish: Option<Finish>,
    pub tokens: Vec<(String, f32)>,
}

fn odd(what: &str) -> Failure {
    Failure::lasting(format!("the answer is not what was agreed: {what}"))
}

/// Reads one element of `choices`, of any of the four kinds.
pub(super) fn said(choice: &Value, place: usize) -> Result<Said, Failure> {
    let index = match &choice["index"] {
        Value::Null => place,
        index => index.as_u64().ok_or_else(|| odd("an index is no number"))? as usize,
    };
    let mut said = Said { index, ..Said::default() };
    let message = [&choice["message"], &choice["delta"]].into_iter().find(|part| part.is_object());
    if let Some(message) = message {
        let thoughts = ["reasoning_content", "reasoning", "thinking"];
        // Some servers say the same under two names.
        if let Some(thought) = thoughts.iter().find_map(|name| message[*name].as_str()) {
            said.reasoning.push_str(thought);
        }
        content(&message["content"], &mut said)?;
        if message["content"].is_null() && message["refusal"].is_string() {
            said.finish = Some(Finish::Other("refusal".into()));
        }
    } else if let Some(text) = choice["text"].as_str() {
        said.text.push_str(text);
    } else if choice["finish_reason"].is_null() {
        return Err(odd("a choice has neither message, delta nor text"));
    }
    if let Some(name) = choice["finish_reason"].as_str() {
        said.finish.get_or_insert_with(|| Finish::named(name));
    }
    said.tokens = tokens(&choice["logprobs"])?;
    Ok(said)
}

/// A text, or parts of which some are thoughts.
fn content(value: &Value, said: &mut Said) -> Result<(), Failure> {
    match value {
        Value::Null => {}
        Value::String(text) => said.text.push_str(text),
        Value::Array(parts) => {
            for part in parts {
                match (part["type"].as_str(), &part["text"], &part["thinking"]) {
                    (Some("text"), Value::String(text), _) => said.text.push_str(text),
                    (Some("thinking"), _, Value::String(text)) => said.reasoning.push_str(text),
                    (Some("thinking"), _, Value::Array(texts)) => {
                        said.reasoning
                            .extend(texts.iter().filter_map(|text| text["text"].as_str()));
                    }
                    (kind, ..) => {
                        let kind = kind.unwrap_or("without a type");
                        return Err(odd(&format!("a part of its content is {kind}, not text")));
                    }
                }
            }
        }
        _ => return Err(odd("its content is neither text nor parts")),
    }
    Ok(())
}

/// Log-probabilities in the form of conversations, or in that of completions.
fn tokens(value: &Value) -> Result<Vec<(String, f32)>, Failure> {
    let number = |value: &Value| {
        value.as_f64().map(|value| value as f32).ok_or_else(|| odd("a logprob is no number"))
    };
    if let Some(content) = value["content"].as_array() {
        let one = |token: &Value| {
            let text = token["token"].as_str().unwrap_or_default().to_string();
            Ok((text, number(&token["logprob"])?))
        };
        return content.iter().map(one).collect();
    }
    let (Some(texts), Some(logps)) =
        (value["tokens"].as_array(), value["token_logprobs"].as_array())
    else {
        return Ok(Vec::new());
    };
    if texts.len() != logps.len() {
        return Err(odd("it has more tokens than logprobs, or fewer"));
    }
    // The first token of a prompt that is given back has none.
    texts
        .iter()
        .zip(logps)
        .filter(|(_, logp)| !logp.is_null())
        .map(|(text, logp)| Ok((text.as_str().unwrap_or_default().into(), number(logp)?)))
        .collect()
}

/// Tokens of the prompt and of the answer.
pub(super) fn usage(value: &Value) -> Option<(u64, u64)> {
    let usage = &value["usage"];
    let prompt = usage["prompt_tokens"].as_u64()?;
    // Of a prompt alone some servers leave this out.
    Some((prompt, usage["completion_tokens"].as_u64().unwrap_or(0)))
}

/// What a server says is wrong, in any of the forms that are in use.
pub(super) fn complaint(value: &Value) -> Option<String> {
    let error = &value["error"];
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    if error.is_object() {
        return text(&error["message"]).or_else(|| text(error));
    }
    let is_error = value["object"] == "error";
    text(error)
        .or_else(|| text(&value["detail"]))
        .or_else(|| text(&value["message"]).filter(|_| is_error || value["choices"].is_null()))
}

/// The error that stands where an answer should.
pub(super) fn error_inside(value: &Value) -> Option<(String, bool)> {
    if value["error"].is_null() && value["object"] != "error" {
        return None;
    }
    let code = [&value["error"]["code"], &value["error"]["status"], &value["code"]]
        .into_iter()
        .find_map(|code| code.as_u64().or_else(|| code.as_str()?.parse().ok()));
    let passing = code.is_some_and(|code| u16::try_from(code).is_ok_and(is_passing));
    Some((complaint(value).unwrap_or_else(|| "an error without words".into()), passing))
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
