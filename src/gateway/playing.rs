//! A mind of this program that answers agents: it reads their conversation as a state, and acts.
//!
//! One thread asks it. What waits together is asked together, so that the weights are read once for
//! all of it.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::reading::{FINAL, Reading, Saying, acting_tools, state_of};
use super::{Answered, Asked, Refused, Tokens};
use crate::agent::{Agent, Ask, Completion};
use crate::control::Cancel;
use crate::digest::{self, hex};
use crate::error::{Error, Kind, Result};
use crate::guard::guarded;
use crate::model::sampler::Sampling;

/// Questions that may wait.
const WAITING: usize = 512;

/// How long one that could be asked at once waits for others to be asked with it.
const GATHER: Duration = Duration::from_millis(1);

/// Fields of a request that change nothing here. Others are honoured, or refused by name.
const HARMLESS: [&str; 13] = [
    "model",
    "messages",
    "tools",
    "user",
    "metadata",
    "store",
    "parallel_tool_calls",
    "return_token_ids",
    "service_tier",
    "prompt_cache_key",
    "safety_identifier",
    "previous_response_id",
    "verbosity",
];

/// A question.
struct Question {
    reading: Reading,
    how: Sampling,
    seed: u64,
    done: oneshot::Sender<Result<Completion>>,
}

impl Question {
    /// What questions share that are asked together: how the answer is drawn, and whether one thinks.
    fn kind(&self) -> (Sampling, bool) {
        (self.how, self.reading.saying == Saying::Nothing)
    }
}

/// A mind on a thread of its own.
#[derive(Debug)]
pub(super) struct Playing {
    /// What the mind calls itself.
    pub name: String,
    asking: Option<SyncSender<Question>>,
    thread: Option<std::thread::JoinHandle<()>>,
    cancel: Cancel,
}

impl Playing {
    pub fn start(agent: Box<dyn Agent>) -> Result<Self> {
        let name = agent.name();
        let (asking, asked) = sync_channel(WAITING);
        let cancel = Cancel::default();
        let ended = cancel.clone();
        let thread = std::thread::Builder::new()
            .name("gateway mind".into())
            .spawn(move || work(agent, &asked, &ended))
            .map_err(|e| Error::new(format!("the mind's thread: {e}")).of(Kind::Io))?;
        Ok(Self { name, asking: Some(asking), thread: Some(thread), cancel })
    }

    pub async fn answer(&self, asked: &Asked) -> Result<Answered, Refused> {
        let how = drawn(asked)?;
        let reading = read(asked).await?;
        let saying = reading.saying.clone();
        if reading.over {
            return Ok(parted(asked));
        }
        let (done, answer) = oneshot::channel();
        let seed = asked.number("seed").map_or_else(fresh, |seed| seed as u64);
        let question = Question { reading, how, seed, done };
        let Some(asking) = &self.asking else { return Err(Refused::with(503, "it is closing")) };
        asking.try_send(question).map_err(|error| match error {
            TrySendError::Full(_) => Refused::busy("more questions than the mind can answer"),
            TrySendError::Disconnected(_) => Refused::with(503, "the mind is gone"),
        })?;
        let written = answer.await.map_err(|_| Refused::with(503, "the mind is gone"))?;
        let written = written.map_err(|error| Refused::upstream(&error.into()))?;
        let written = cut(asked, written)?;
        Ok(Answered {
            seed: Some(seed),
            ..said(written, &saying, (asked.messages().len(), how.temperature))
        })
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        self.cancel.cancel();
        drop(self.asking.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
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
    let stops: Vec<String> = match asked.body.get("stop") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(stop)) => vec![stop.clone()],
        Some(list) => serde_json::from_value(list.clone())
            .map_err(|_| Refused::bad("stop: neither a text nor some"))?,
    };
    let ends = stops.iter().filter(|stop| !stop.is_empty());
    if let Some(at) = ends.filter_map(|stop| written.text.find(stop.as_str())).min() {
        // The tokens of what is cut off are not said to have been said.
        written.text.truncate(at);
        (written.tokens, written.logps) = (Vec::new(), Vec::new());
    }
    let most = asked.number("max_completion_tokens").or_else(|| asked.number("max_tokens"));
    if most.is_some_and(|most| (written.tokens.len() as f64) > most.max(0.0) + 1.0) {
        return Err(Refused::bad(
            "max_tokens: what this mind says is longer, and half of an action is none",
        ));
    }
    Ok(written)
}

/// A number that nobody knows beforehand; it is written down where it decides something.
fn fresh() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

/// How the request wants the answer drawn.
///
/// # Errors
/// For what a mind here does not do.
fn drawn(asked: &Asked) -> Result<Sampling, Refused> {
    let acting = acting_tools(asked.tools());
    if let [(one, _), (other, _), ..] = &acting[..] {
        return Err(Refused::bad(format!(
            "tools: {one} and {other} take one text each, and a mind of this program acts by one; have an endpoint answer"
        )));
    }
    for (field, value) in &asked.body {
        let honoured = [
            "temperature",
            "top_p",
            "top_k",
            "min_p",
            "seed",
            "stop",
            "max_tokens",
            "max_completion_tokens",
        ];
        let nothing = match field.as_str() {
            "frequency_penalty" | "presence_penalty" => value.as_f64() == Some(0.0),
            "logprobs" => value == &Value::Bool(false),
            "response_format" => value["type"] == "text",
            "reasoning_effort" => true,
            "tool_choice" => {
                let named = &value["function"]["name"];
                matches!(value.as_str(), Some("auto" | "required"))
                    || acting.iter().any(|(name, _)| named == name.as_str())
            }
            name => HARMLESS.contains(&name) || honoured.contains(&name),
        };
        if !nothing && !value.is_null() {
            return Err(Refused::bad(format!(
                "{field}: a mind of this program does not know it; leave it out, or have an endpoint answer"
            )));
        }
    }
    let within = |field: &str, usual: f64, low: f64, high: f64| match asked.body.get(field) {
        None | Some(Value::Null) => Ok(usual),
        Some(value) => value
            .as_f64()
            .filter(|value| (low..=high).contains(value))
            .ok_or_else(|| Refused::bad(format!("{field}: not between {low} and {high}"))),
    };
    Ok(Sampling {
        temperature: within("temperature", 1.0, 0.0, 100.0)?,
        top_p: within("top_p", 1.0, 0.0, 1.0)?,
        top_k: within("top_k", 0.0, 0.0, 1e9)? as usize,
        min_p: within("min_p", 0.0, 0.0, 1.0)?,
        ..Sampling::GREEDY
    })
}

fn work(mut agent: Box<dyn Agent>, asked: &Receiver<Question>, cancel: &Cancel) {
    let at_once = agent.can().at_once.max(1);
    while let Ok(first) = asked.recv() {
        let mut questions = vec![first];
        while questions.len() < at_once {
            let Ok(next) = asked.recv_timeout(GATHER) else { break };
            questions.push(next);
        }
        // Those that are asked alike are asked together.
        while let Some(first) = questions.first() {
            let kind = first.kind();
            let (together, rest): (Vec<_>, Vec<_>) =
                questions.into_iter().partition(|question| question.kind() == kind);
            questions = rest;
            answer(agent.as_mut(), together, cancel);
        }
    }
}

/// Has questions of one kind answered.
fn answer(agent: &mut dyn Agent, questions: Vec<Question>, cancel: &Cancel) {
    let seeds: Vec<[u64; 1]> = questions.iter().map(|question| [question.seed]).collect();
    let asks: Vec<Ask<'_>> = questions
        .iter()
        .zip(&seeds)
        .map(|(question, seed)| Ask::about(&question.reading.state, seed))
        .collect();
    let Some(first) = questions.first() else { return };
    let (how, thinks) = first.kind();
    let found = guarded("a mind that answers agents", || {
        if thinks { agent.think(&asks, how, cancel) } else { agent.act(&asks, how, cancel) }
    });
    match found {
        Ok(written) => {
            for (question, written) in questions.into_iter().zip(written) {
                let _ = question.done.send(Ok(written.into_iter().next().unwrap_or_default()));
            }
        }
        Err(error) => {
            for question in questions {
                let _ = question.done.send(Err(error.clone()));
            }
        }
    }
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
            let arguments = json!({field.as_str(): written.text}).to_string();
            let function = json!({"name": name, "arguments": arguments});
            // The same answer to the same conversation is the same call.
            let id = format!("call_{}", hex(digest::of([arguments.as_str(), &place.to_string()])));
            let call = json!({"id": id, "type": "function", "function": function});
            json!({"role": "assistant", "content": null, "tool_calls": [call]})
        }
        Saying::Text => {
            json!({"role": "assistant", "content": format!("Action: {}", written.text)})
        }
        Saying::Nothing => json!({"role": "assistant", "content": written.text}),
    };
    let finish = if matches!(saying, Saying::Tool(..)) { "tool_calls" } else { finish };
    let tokens = Tokens { ids: written.tokens, logps: written.logps, temperature };
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
