//! A chat model in this process, asked as it was trained to be: a conversation with its tools, written
//! by the model's own template, and what it writes read as what it says, thinks and calls.
//!
//! An [`Agent`](super::Agent) reads a state and acts; this reads whatever was said.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Completion;
use super::local::LocalAgent;
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::calling::{self, Calling, Reply};
use crate::model::sampler::Sampling;
use crate::model::team::Priority;
use crate::model::template::{Conversation, Template};
use crate::model::tokenizer::Tokenizer;
use crate::model::weights::ModelFiles;

/// How a model is spoken to.
#[derive(Debug, Clone)]
pub struct Voice {
    template: Template,
    /// How it calls tools; else why it cannot.
    calling: std::result::Result<Calling, String>,
    tokenizer: Arc<Tokenizer>,
    /// Tokens that it reads and writes together.
    pub context: usize,
}

/// Which tools a model has to call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Calls<'a> {
    /// None, unless it wants to.
    #[default]
    Any,
    /// One of them.
    One,
    /// This one.
    Named(&'a str),
}

/// What is asked of a model in its own form.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asking<'a> {
    /// Messages as chat completions have them.
    pub messages: &'a [Value],
    /// The tools that it may call.
    pub tools: &'a [Value],
    /// Whether it has to call one.
    pub calls: Calls<'a>,
    /// Whether it is to think at length first.
    pub thinks: bool,
}

/// A conversation as the model reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompted {
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// Its end as text, up to where the model is to speak.
    opened: String,
    /// What the model is made to begin with.
    begun: String,
    /// The tools that it was given.
    tools: Vec<String>,
}

impl Voice {
    /// That of a model whose files have a chat template; none where they have none, or where the model
    /// was made here and reads states.
    ///
    /// # Errors
    /// Where the template cannot be read.
    pub fn of(files: &ModelFiles, model: &Model) -> Result<Option<Self>> {
        let template = Template::find(&files.beside).map_err(|error| error.at(&model.source))?;
        let Some(template) = template.filter(|_| model.tokenizer.foreign) else { return Ok(None) };
        let calling = Calling::of(&template).map_err(|error| error.message().to_string());
        let tokenizer = Arc::clone(&model.tokenizer);
        Ok(Some(Self { template, calling, tokenizer, context: model.decoder.config.context }))
    }

    /// Why it cannot be given tools, where that is so.
    pub fn calls_nothing(&self) -> Option<&str> {
        self.calling.as_ref().err().map(String::as_str)
    }

    /// How it calls a tool that is called NAME, for people; up to its arguments.
    pub fn called(&self) -> String {
        let form = self.calling.as_ref().map(|calling| calling.begun(Some("NAME")));
        format!("{}…", form.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// A conversation as it is read.
    ///
    /// # Errors
    /// For parts that are no text, for tools where it writes no calls, and where the template refuses it.
    pub fn prompt(&self, asking: Asking<'_>) -> Result<Prompted> {
        let Asking { messages, tools, calls, thinks } = asking;
        if let (Some(why), false) = (self.calls_nothing(), tools.is_empty()) {
            return Err(Error::usage(why.to_string()));
        }
        let messages = messages.iter().map(|one| self.message(one)).collect::<Result<_>>()?;
        let name = |tool: &Value| tool["function"]["name"].as_str().map(str::to_string);
        let Some(names) = tools.iter().map(name).collect::<Option<Vec<_>>>() else {
            return Err(Error::usage("tools: one of them is no function with a name"));
        };
        let tools = tools.iter().map(|tool| self.defused(tool)).collect::<Result<Vec<_>>>()?;
        let opened =
            self.template.converse(&Conversation { messages, tools, answer: true, thinks })?;
        let begun = match (&self.calling, calls) {
            (Ok(calling), Calls::One | Calls::Named(_)) if !names.is_empty() => {
                let tool = if let Calls::Named(tool) = calls { Some(tool) } else { None };
                let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
                if let Some(odd) = tool.filter(|name| !name.chars().all(plain)) {
                    let what = format!("tool_choice: {odd:?} is no name of a function");
                    return Err(Error::usage(what));
                }
                // A thought that the template has begun is ended first.
                let thought = calling::opens_a_thought(&opened);
                let ended = if thought { calling::THOUGHT_ENDS } else { "" };
                format!("{ended}{}", calling.begun(tool))
            }
            _ => String::new(),
        };
        let mut tokens = self.tokenizer.encode(&opened)?;
        tokens.extend(self.tokenizer.encode(&begun)?);
        Ok(Prompted { tokens, opened, begun, tools: names })
    }

    /// What it wrote to a prompt.
    pub fn read(&self, to: &Prompted, written: &str) -> Reply {
        let calling = self.calling.as_ref().ok().filter(|_| !to.tools.is_empty());
        let calling = calling.map(|calling| (calling, to.tools.as_slice()));
        let whole = calling::reply(calling, &to.opened, &format!("{}{written}", to.begun));
        if whole.calls.is_empty() && !to.begun.is_empty() {
            // What it was made to begin with is none of its words.
            return calling::reply(None, "", written);
        }
        whole
    }

    /// A message as templates are given one: its content a text, the arguments of its calls objects, and
    /// no control tokens in what was said.
    fn message(&self, message: &Value) -> Result<Value> {
        let mut own = Map::new();
        let role = match message["role"].as_str().unwrap_or_default() {
            // The newer word for the same, and an older one.
            "developer" => "system",
            "function" => "tool",
            role @ ("system" | "user" | "assistant" | "tool") => role,
            odd => return Err(Error::usage(format!("a message's role is {odd:?}"))),
        };
        own.insert("role".into(), role.into());
        own.insert("content".into(), self.tokenizer.outside(&content(message)?)?.into());
        for field in ["name", "tool_call_id", "reasoning_content"] {
            if let Some(text) = message[field].as_str() {
                own.insert(field.into(), self.tokenizer.outside(text)?.into());
            }
        }
        let calls = message["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
        let calls = calls.iter().map(|call| self.call(call)).collect::<Result<Vec<_>>>()?;
        if !calls.is_empty() {
            own.insert("tool_calls".into(), calls.into());
        }
        Ok(Value::Object(own))
    }

    fn call(&self, call: &Value) -> Result<Value> {
        let mut call = call.clone();
        let arguments = &mut call["function"]["arguments"];
        if let Some(text) = arguments.as_str() {
            *arguments = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
        }
        // Only now: an escaped control token is one once it is read.
        self.defused(&call)
    }

    /// A value whose texts hold no control tokens.
    fn defused(&self, value: &Value) -> Result<Value> {
        Ok(match value {
            Value::String(text) => self.tokenizer.outside(text)?.into(),
            Value::Array(all) => {
                all.iter().map(|one| self.defused(one)).collect::<Result<Vec<_>>>()?.into()
            }
            Value::Object(fields) => {
                let own = |(name, of): (&String, &Value)| {
                    Ok((self.tokenizer.outside(name)?, self.defused(of)?))
                };
                Value::Object(fields.iter().map(own).collect::<Result<_>>()?)
            }
            other => other.clone(),
        })
    }
}

/// The text of a message.
fn content(message: &Value) -> Result<String> {
    match &message["content"] {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Array(parts) => {
            let text = |part: &Value| {
                part["text"].as_str().map(str::to_string).ok_or_else(|| {
                    let kind = part["type"].as_str().unwrap_or("without a type");
                    Error::usage(format!(
                        "a part of a message is {kind}, and this model reads text"
                    ))
                })
            };
            Ok(parts.iter().map(text).collect::<Result<Vec<_>>>()?.join("\n"))
        }
        other => Err(Error::usage(format!("a message's content is {other}, and not a text"))),
    }
}

/// A model that speaks.
#[derive(Debug)]
pub struct Speaker(LocalAgent);

impl Speaker {
    /// On threads of its own.
    pub fn new(model: Model) -> Result<Self> {
        Ok(Self(LocalAgent::new(model, Priority::Interactive)?))
    }

    /// Prompts that are best answered at once.
    pub fn at_once(&self) -> usize {
        super::Agent::can(&self.0).at_once
    }

    /// Goes on from each prompt by its seed, with at most so many tokens, up to a text of `stops`.
    pub fn answer(
        &mut self,
        prompts: &[Vec<u32>],
        seeds: &[u64],
        how: (Sampling, usize, &[String]),
        cancel: &Cancel,
    ) -> Result<Vec<Completion>> {
        self.0.go_on(prompts, seeds, how, cancel)
    }
}
