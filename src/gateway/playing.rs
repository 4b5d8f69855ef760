//! A mind of this program that answers agents: it reads their conversation as a state, and acts.

use serde_json::{Value, json};

use super::drawn;
use super::reading::{FINAL, Reading, Saying, acting_tools, state_of};
use super::thread::{Answers, Thread};
use super::{Answered, Asked, Refused, Tokens};
use crate::agent::{Agent, Ask, Completion};
use crate::control::Cancel;
use crate::digest::{self, hex};
use crate::error::Result;
use crate::model::sampler::Sampling;

/// A question.
#[derive(Debug)]
struct Question {
    reading: Reading,
    how: Sampling,
    seed: u64,
}

/// A mind that reads states, and acts.
struct Acting(Box<dyn Agent>);

impl Answers for Acting {
    type Question = Question;
    /// How the answer is drawn, and whether one thinks.
    type Kind = (Sampling, bool);

    fn at_once(&self) -> usize {
        self.0.can().at_once
    }

    fn kind(question: &Question) -> Self::Kind {
        (question.how, question.reading.saying == Saying::Nothing)
    }

    fn answer(&mut self, questions: &[&Question], cancel: &Cancel) -> Result<Vec<Completion>> {
        let seeds: Vec<[u64; 1]> = questions.iter().map(|question| [question.seed]).collect();
        let asks: Vec<Ask<'_>> = questions
            .iter()
            .zip(&seeds)
            .map(|(question, seed)| Ask::about(&question.reading.state, seed))
            .collect();
        let Some(first) = questions.first() else { return Ok(Vec::new()) };
        let (how, thinks) = Self::kind(first);
        let agent = &mut self.0;
        let found =
            if thinks { agent.think(&asks, how, cancel) } else { agent.act(&asks, how, cancel) }?;
        let one = |written: Vec<Completion>| written.into_iter().next().unwrap_or_default();
        Ok(found.into_iter().map(one).collect())
    }
}

/// The mind on a thread of its own.
#[derive(Debug)]
pub(super) struct Playing {
    /// What the mind calls itself.
    pub name: String,
    thread: Thread<Question>,
}

impl Playing {
    pub fn start(agent: Box<dyn Agent>) -> Result<Self> {
        Ok(Self { name: agent.name(), thread: Thread::start(Acting(agent))? })
    }

    pub async fn answer(&self, asked: &Asked) -> Result<Answered, Refused> {
        let how = drawn(asked)?;
        let reading = read(asked).await?;
        let saying = reading.saying.clone();
        if reading.over {
            return Ok(parted(asked));
        }
        let seed = drawn::seed(asked)?;
        let written = self.thread.ask(Question { reading, how, seed }).await?;
        let written = cut(asked, written)?;
        Ok(Answered {
            seed: Some(seed),
            ..said(written, &saying, (asked.messages().len(), how.temperature))
        })
    }
}

/// A longer conversation than this is read aside: others are answered meanwhile.
const LONG: usize = 64;

/// The state that a request's conversation stands for.
async fn read(asked: &Asked) -> Result<Reading, Refused> {
    if asked.messages().len() <= LONG {
        return Ok(state_of(asked.messages(), asked.tools()));
    }
    let (messages, tools) = (asked.messages().to_vec(), asked.tools().to_vec());
    let read = tokio::task::spawn_blocking(move || state_of(&messages, &tools)).await;
    read.map_err(|_| Refused::with(500, "the conversation could not be read"))
}

/// What was written, as far as the request's `stop` and `max_tokens` go.
fn cut(asked: &Asked, mut written: Completion) -> Result<Completion, Refused> {
    if let Some(at) = drawn::stopped(&written.text, &drawn::stops(asked)?) {
        // The tokens of what is cut off are not said to have been said.
        written.text.truncate(at);
        (written.tokens, written.logps) = (Vec::new(), Vec::new());
    }
    if drawn::most(asked)?.is_some_and(|most| written.tokens.len() > most.saturating_add(1)) {
        return Err(Refused::bad(
            "max_tokens: what this mind says is longer, and half of an action is none",
        ));
    }
    Ok(written)
}

/// How the request wants the answer drawn.
///
/// # Errors
/// For what a mind that acts does not do.
fn drawn(asked: &Asked) -> Result<Sampling, Refused> {
    let acting = acting_tools(asked.tools());
    if let [(one, _), (other, _), ..] = &acting[..] {
        return Err(Refused::bad(format!(
            "tools: {one} and {other} take one text each, and a mind of this program acts by one; have an endpoint answer"
        )));
    }
    drawn::known(asked, |field, value| match field {
        "reasoning_effort" | "parallel_tool_calls" => true,
        "tool_choice" => {
            let named = &value["function"]["name"];
            matches!(value.as_str(), Some("auto" | "required"))
                || acting.iter().any(|(name, _)| named == name.as_str())
        }
        _ => false,
    })?;
    drawn::sampling(asked)
}

/// A call of a tool. The same answer at the same place of a conversation is the same call.
pub(super) fn called(name: &str, arguments: &Value, place: &str) -> Value {
    let arguments = arguments.to_string();
    let id = format!("call_{}", hex(digest::of([arguments.as_str(), place])));
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

/// What the mind wrote, as a message.
fn said(written: Completion, saying: &Saying, (place, temperature): (usize, f64)) -> Answered {
    let finish = match (written.ended, saying) {
        (false, _) => "length",
        (true, Saying::Tool(..)) => "tool_calls",
        (true, _) => "stop",
    };
    let message = match saying {
        Saying::Tool(name, field) => {
            let call = called(name, &json!({field.as_str(): written.text}), &place.to_string());
            json!({"role": "assistant", "content": null, "tool_calls": [call]})
        }
        Saying::Text => {
            json!({"role": "assistant", "content": format!("Action: {}", written.text)})
        }
        Saying::Nothing => json!({"role": "assistant", "content": written.text}),
    };
    let finish = if matches!(saying, Saying::Tool(..)) { "tool_calls" } else { finish };
    let tokens =
        Tokens { ids: written.tokens, logps: written.logps, temperature, prompt: Vec::new() };
    Answered {
        message,
        finish: finish.into(),
        usage: (written.prompt as u64, tokens.ids.len() as u64),
        tokens: (!tokens.ids.is_empty()).then_some(tokens),
        cost: None,
        seed: None,
    }
}

/// The last word, once the episode is over: by the tool that is there for it, or in words.
fn parted(asked: &Asked) -> Answered {
    let ends = asked.tools().iter().find(|tool| tool["function"]["name"] == FINAL);
    let fields = ends.and_then(|tool| tool["function"]["parameters"]["properties"].as_object());
    let (message, finish) = match fields.and_then(|fields| fields.keys().next()) {
        Some(field) => {
            let function =
                json!({"name": FINAL, "arguments": json!({field.as_str(): "done"}).to_string()});
            let call = json!({"id": "call_end", "type": "function", "function": function});
            (json!({"role": "assistant", "content": null, "tool_calls": [call]}), "tool_calls")
        }
        None => (json!({"role": "assistant", "content": "The episode is over."}), "stop"),
    };
    Answered { message, finish: finish.into(), usage: (0, 0), tokens: None, cost: None, seed: None }
}
