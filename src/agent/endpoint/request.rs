//! What is asked, and how it is written for the server.

use serde_json::{Map, Value, json};

use super::profile::{Profile, SystemTo};
use crate::agent::prompt::chat::{Message, Role};

/// Servers count seeds in 31 bits at least; some refuse more.
const SEEDS: u64 = 0x7fff_ffff;

/// How an answer is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Draw {
    /// Tokens at most; the profile's `max_reply_tokens` is a limit to this.
    pub max_tokens: u32,
    /// 0 for the likeliest words.
    pub temperature: f64,
    /// The share of the likeliest tokens that is drawn from.
    pub top_p: f64,
    /// Servers may ignore it. Its lower 31 bits are sent.
    pub seed: Option<u64>,
    /// How many answers are wanted. Where the server gives fewer, it is asked again, with the next
    /// seeds.
    pub n: usize,
    /// What ends an answer.
    pub stop: Vec<String>,
    /// Whether the log-probability of each token is wanted.
    pub logprobs: bool,
    /// Whether the answer is to be seen while it is written.
    pub stream: bool,
}

impl Default for Draw {
    fn default() -> Self {
        Self {
            max_tokens: 256,
            temperature: 0.0,
            top_p: 1.0,
            seed: None,
            n: 1,
            stop: Vec::new(),
            logprobs: false,
            stream: false,
        }
    }
}

/// A conversation to be answered.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// What was said so far.
    pub messages: Vec<Message>,
    /// How the answer is drawn.
    pub draw: Draw,
}

/// What a text is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// A text, which the server takes apart into tokens.
    Text(String),
    /// The tokens themselves; not every server takes them.
    Tokens(Vec<u32>),
}

/// A text to be gone on with, without any template.
#[derive(Debug, Clone, PartialEq)]
pub struct CompletionRequest {
    /// The text.
    pub prompt: Prompt,
    /// How it goes on.
    pub draw: Draw,
}

/// A request as it will be sent, but for the model, the seed and the number of answers.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub path: &'static str,
    pub body: Map<String, Value>,
    /// Of the prompt, for estimates.
    pub characters: usize,
    pub draw: Draw,
}

impl Question {
    pub fn chat(request: ChatRequest, profile: &Profile) -> Self {
        let messages = placed(request.messages, profile.system);
        let characters = messages.iter().map(|message| message.content.chars().count()).sum();
        let draw = limited(request.draw, profile);
        let mut body = common(&draw, profile);
        body.insert("messages".into(), json!(messages));
        if draw.logprobs {
            body.insert("logprobs".into(), true.into());
        }
        Self { path: "/chat/completions", body, characters, draw }
    }

    pub fn completion(request: CompletionRequest, profile: &Profile) -> Self {
        let (prompt, characters) = match request.prompt {
            Prompt::Text(text) => (json!(text), text.chars().count()),
            // A token is about four characters, and is counted so.
            Prompt::Tokens(tokens) => (json!(tokens), tokens.len() * 4),
        };
        let draw = limited(request.draw, profile);
        let mut body = common(&draw, profile);
        body.insert("prompt".into(), prompt);
        if draw.logprobs {
            body.insert("logprobs".into(), 1.into());
        }
        // The old route has no other name for it.
        if let Some(limit) = body.remove("max_completion_tokens") {
            body.insert("max_tokens".into(), limit);
        }
        Self { path: "/completions", body, characters, draw }
    }

    /// The body that asks for `n` answers, the first of which is answer `first`.
    pub fn body(&self, model: &str, first: usize, n: usize) -> Value {
        let mut body = Map::new();
        body.insert("model".into(), model.into());
        body.extend(self.body.clone());
        if let Some(seed) = self.draw.seed {
            body.insert("seed".into(), (seed.wrapping_add(first as u64) & SEEDS).into());
        }
        if n > 1 {
            body.insert("n".into(), n.into());
        }
        Value::Object(body)
    }
}

fn limited(draw: Draw, profile: &Profile) -> Draw {
    let max_tokens = draw.max_tokens.clamp(1, profile.max_reply_tokens);
    Draw { max_tokens, n: draw.n.max(1), ..draw }
}

fn common(draw: &Draw, profile: &Profile) -> Map<String, Value> {
    let mut body = Map::new();
    let limit = if profile.completion_limit { "max_completion_tokens" } else { "max_tokens" };
    body.insert(limit.into(), draw.max_tokens.into());
    body.insert("temperature".into(), draw.temperature.into());
    body.insert("top_p".into(), draw.top_p.into());
    if !draw.stop.is_empty() {
        body.insert("stop".into(), json!(draw.stop));
    }
    if draw.stream {
        body.insert("stream".into(), true.into());
        body.insert("stream_options".into(), json!({ "include_usage": true }));
    }
    body.extend(profile.extra.clone());
    body
}

/// The messages as the profile wants those of the system.
pub(super) fn placed(messages: Vec<Message>, to: SystemTo) -> Vec<Message> {
    if to == SystemTo::System {
        return messages;
    }
    let (system, mut rest): (Vec<_>, Vec<_>) =
        messages.into_iter().partition(|message| message.role == Role::System);
    if system.is_empty() {
        return rest;
    }
    let text: Vec<String> = system.into_iter().map(|message| message.content).collect();
    let text = text.join("\n\n");
    match rest.iter_mut().find(|message| message.role == Role::User) {
        Some(first) => first.content = format!("{text}\n\n{}", first.content),
        None => rest.insert(0, Message { role: Role::User, content: text }),
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(role: Role, content: &str) -> Message {
        Message { role, content: content.into() }
    }

    #[test]
    fn a_system_message_may_have_to_go_into_the_first_of_the_user() {
        let messages = vec![said(Role::System, "be brief"), said(Role::User, "hi")];
        assert_eq!(placed(messages.clone(), SystemTo::System), messages);
        assert_eq!(placed(messages, SystemTo::User), [said(Role::User, "be brief\n\nhi")]);
        let alone = vec![said(Role::System, "be brief")];
        assert_eq!(placed(alone, SystemTo::User), [said(Role::User, "be brief")]);
    }

    #[test]
    fn a_body_has_the_profiles_extra_and_no_more_tokens_than_it_allows() {
        let mut profile = Profile { max_reply_tokens: 10, ..Profile::at("http://h") };
        profile.extra.insert("min_p".into(), json!(0.1));
        let draw = Draw { seed: Some(u64::MAX), n: 3, logprobs: true, ..Draw::default() };
        let request = ChatRequest { messages: vec![said(Role::User, "é")], draw };
        let question = Question::chat(request, &profile);
        assert_eq!(question.characters, 1);
        let body = question.body("m", 2, 3);
        assert_eq!(body["max_tokens"], 10);
        assert_eq!(body["min_p"], 0.1);
        assert_eq!((&body["n"], &body["seed"]), (&json!(3), &json!(1)));
        assert_eq!(body["messages"], json!([{ "role": "user", "content": "é" }]));
        assert_eq!(body["logprobs"], true);
    }
}
