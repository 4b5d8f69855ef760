//! A chat model of this process that answers agents as it was trained to: their conversation and their
//! tools, written by its own template ([`crate::agent::Voice`]).
//!
//! One whose template writes no tools is asked about a state where there are some, as every other model
//! here ([`super::playing`]).

use serde_json::{Map, Value, json};

use super::drawn;
use super::playing::{Playing, called};
use super::thread::{Answers, Thread};
use super::{Answered, Asked, Refused, Tokens};
use crate::agent::{self, Asking, Calls, Completion, Prompted, Speaker, Voice};
use crate::control::Cancel;
use crate::error::Result;
use crate::model::Model;
use crate::model::calling::Reply;
use crate::model::sampler::Sampling;
use crate::model::team::Priority;

/// Tokens of an answer where the request says nothing.
const LONGEST: usize = 1024;

/// A question.
#[derive(Debug)]
pub(super) struct Question {
    prompt: Vec<u32>,
    how: Sampling,
    limit: usize,
    stops: Vec<String>,
    seed: u64,
}

impl Answers for Speaker {
    type Question = Question;
    /// How the answer is drawn, how far it goes, and what ends it.
    type Kind = (Sampling, usize, Vec<String>);

    fn at_once(&self) -> usize {
        Self::at_once(self)
    }

    fn kind(question: &Question) -> Self::Kind {
        (question.how, question.limit, question.stops.clone())
    }

    fn answer(&mut self, questions: &[&Question], cancel: &Cancel) -> Result<Vec<Completion>> {
        let Some(first) = questions.first() else { return Ok(Vec::new()) };
        let prompts: Vec<Vec<u32>> =
            questions.iter().map(|question| question.prompt.clone()).collect();
        let seeds: Vec<u64> = questions.iter().map(|question| question.seed).collect();
        Self::answer(self, &prompts, &seeds, (first.how, first.limit, &first.stops), cancel)
    }
}

/// The model on a thread of its own.
#[derive(Debug)]
pub(super) struct Speaking {
    voice: Voice,
    thread: Thread<Question>,
    /// Who is asked about a state in its place, where its template has no tools.
    playing: Option<Playing>,
}

impl Speaking {
    pub fn start(model: Model, voice: Voice) -> Result<Self> {
        let playing = match voice.calls_nothing() {
            Some(_) => Some(Playing::start(agent::local(model.clone(), Priority::Interactive)?)?),
            None => None,
        };
        Ok(Self { voice, thread: Thread::start(Speaker::new(model)?)?, playing })
    }

    /// Whether it reads what an agent is told to be, in every conversation.
    pub fn reads_a_system_message(&self) -> bool {
        self.playing.is_none()
    }

    pub async fn answer(&self, asked: &Asked) -> Result<Answered, Refused> {
        if let Some(playing) = self.playing.as_ref().filter(|_| !asked.tools().is_empty()) {
            return playing.answer(asked).await;
        }
        drawn::known(asked, takes)?;
        let (how, stops, seed) =
            (drawn::sampling(asked)?, drawn::stops(asked)?, drawn::seed(asked)?);
        let prompted = self.prompted(asked).await?;
        let limit = self.limit(asked, &prompted)?;
        let prompt = prompted.tokens.clone();
        let question = Question { prompt, how, limit, stops: stops.clone(), seed };
        let mut written = self.thread.ask(question).await?;
        let tokens = Tokens {
            ids: std::mem::take(&mut written.tokens),
            logps: std::mem::take(&mut written.logps),
            temperature: how.temperature,
            prompt: prompted.tokens.clone(),
        };
        let stopped = drawn::stopped(&written.text, &stops);
        if let Some(at) = stopped {
            written.text.truncate(at);
        }
        let mut reply = self.voice.read(&prompted, &written.text);
        let one = asked.body.get("parallel_tool_calls") == Some(&Value::Bool(false));
        let left_out = one && reply.calls.len() > 1;
        if left_out {
            reply.calls.truncate(1);
        }
        let finish = match (written.ended || stopped.is_some(), reply.calls.is_empty()) {
            (false, _) => "length",
            (true, false) => "tool_calls",
            (true, true) => "stop",
        };
        Ok(Answered {
            message: message(reply, asked.messages().len()),
            finish: finish.into(),
            usage: (tokens.prompt.len() as u64, tokens.ids.len() as u64),
            // The tokens of what is cut off are not said to have been said.
            tokens: Some(tokens).filter(|_| stopped.is_none() && !left_out),
            cost: None,
            seed: Some(seed),
        })
    }

    /// The conversation as the model reads it; that takes some milliseconds, and others are answered
    /// meanwhile.
    async fn prompted(&self, asked: &Asked) -> Result<Prompted, Refused> {
        let (voice, body) = (self.voice.clone(), asked.clone());
        let read = tokio::task::spawn_blocking(move || {
            let calls = has_to_call(&body)?;
            let tools = if calls_none(&body) { &[] } else { body.tools() };
            let asking = Asking { messages: body.messages(), tools, calls, thinks: thinks(&body) };
            voice.prompt(asking).map_err(|error| Refused::bad(error.message().to_string()))
        });
        read.await.map_err(|_| Refused::with(500, "the conversation could not be read"))?
    }

    /// Tokens that the answer may have.
    fn limit(&self, asked: &Asked, prompted: &Prompted) -> Result<usize, Refused> {
        let (length, context) = (prompted.tokens.len(), self.voice.context);
        let room = context.saturating_sub(length);
        if room == 0 {
            return Err(Refused::bad(format!(
                "messages: context_length_exceeded: the conversation has {length} tokens, and this model reads at most {context}"
            )));
        }
        Ok(drawn::most(asked)?.unwrap_or(LONGEST).min(room))
    }
}

/// Fields of a request that it takes beside those that every mind here does.
fn takes(field: &str, value: &Value) -> bool {
    match field {
        "parallel_tool_calls" => value.is_boolean(),
        "reasoning_effort" => value.is_string(),
        "tool_choice" => {
            matches!(value.as_str(), Some("auto" | "none" | "required"))
                || value["function"]["name"].is_string()
        }
        "chat_template_kwargs" => value.as_object().is_some_and(|own| {
            own.iter().all(|(name, value)| name == "enable_thinking" && value.is_boolean())
        }),
        _ => false,
    }
}

/// Whether the model is to think at length first: only where that is asked for.
fn thinks(asked: &Asked) -> bool {
    let own =
        asked.body.get("chat_template_kwargs").and_then(|own| own["enable_thinking"].as_bool());
    let effort = asked.body.get("reasoning_effort").and_then(Value::as_str);
    own.unwrap_or_else(|| effort.is_some_and(|effort| !matches!(effort, "none" | "minimal")))
}

fn calls_none(asked: &Asked) -> bool {
    asked.body.get("tool_choice").is_some_and(|choice| choice == "none")
}

/// Whether a tool has to be called, and which.
fn has_to_call(asked: &Asked) -> Result<Calls<'_>, Refused> {
    let Some(choice) = asked.body.get("tool_choice") else { return Ok(Calls::Any) };
    if choice == "required" {
        let none = asked.tools().is_empty();
        return if none {
            Err(Refused::bad("tool_choice: there are no tools"))
        } else {
            Ok(Calls::One)
        };
    }
    let Some(name) = choice["function"]["name"].as_str() else { return Ok(Calls::Any) };
    if !asked.tools().iter().any(|tool| tool["function"]["name"] == name) {
        return Err(Refused::bad(format!("tool_choice: {name} is none of the tools")));
    }
    Ok(Calls::Named(name))
}

/// What was read of it, as a message.
fn message(reply: Reply, place: usize) -> Value {
    let Reply { thought, content, calls } = reply;
    let mut message = Map::new();
    message.insert("role".into(), "assistant".into());
    let silent = content.is_empty() && !calls.is_empty();
    message.insert("content".into(), if silent { Value::Null } else { content.into() });
    if let Some(thought) = thought {
        message.insert("reasoning_content".into(), thought.into());
    }
    if !calls.is_empty() {
        let calls = calls.iter().enumerate().map(|(i, call)| {
            let mut own =
                called(&call.name, &call.arguments, &format!("{place} {i} {}", call.name));
            // Some templates want nine letters and digits.
            let id = own["id"].as_str().map(|id| id.chars().rev().take(9).collect::<String>());
            own["id"] = json!(id);
            own
        });
        message.insert("tool_calls".into(), json!(calls.collect::<Vec<_>>()));
    }
    Value::Object(message)
}
