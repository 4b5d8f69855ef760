//! Calls that go on from one another: the conversations of a trace.

use serde_json::{Value, json};

use super::attributes::Span;
use crate::budget;
use crate::error::{Error, Result};
use crate::formats::others::turns::{list, text_of};

/// A conversation, as far as it was traced.
pub(super) struct Conversation {
    /// Its first call, without what that says.
    pub first: Head,
    /// What its last call was asked.
    pub messages: Vec<Value>,
    /// What was answered then: one message, or as many as were asked for.
    pub answers: Vec<Value>,
    /// Its calls as they came.
    pub calls: Vec<Value>,
    /// What its last answer is called, where that is said.
    response: Option<String>,
}

/// Where a conversation begins, and whose it is.
pub(super) struct Head {
    pub place: String,
    pub trace: Option<String>,
    pub attributes: serde_json::Map<String, Value>,
}

impl Conversation {
    fn of(call: Span, messages: Vec<Value>, answers: Vec<Value>) -> Self {
        let (place, trace) = (call.place.clone(), call.trace.clone());
        let first = Head { place, trace, attributes: call.attributes.clone() };
        let response = call.text("gen_ai.response.id");
        Self { first, messages, answers, calls: vec![call.whole()], response }
    }

    /// Where a call goes on from this one: how many of its messages this one has already, and which answer
    /// was taken.
    fn goes_on(&self, call: &Span, asked: &[Value]) -> Option<(usize, usize)> {
        let begins = || {
            let (before, rest) = asked.split_at_checked(self.messages.len())?;
            let answered = rest.first()?;
            let which = self.answers.iter().position(|answer| is_same(answer, answered))?;
            let mut pairs = before.iter().zip(&self.messages);
            pairs.all(|(a, b)| is_same(a, b)).then_some((before.len() + 1, which))
        };
        let said = || {
            let before = call.text(PREVIOUS)?;
            (self.response.as_ref() == Some(&before) && self.answers.len() == 1).then_some((0, 0))
        };
        begins().or_else(said)
    }

    fn add(&mut self, call: Span, asked: Vec<Value>, answers: Vec<Value>, at: (usize, usize)) {
        let (known, which) = at;
        // As it was answered: what is sent back lacks what was thought.
        self.messages.push(self.answers.swap_remove(which));
        // Where only what is new is sent, what it is told beside that comes again.
        let is_new = |message: &Value| known > 0 || message["role"] != "system";
        self.messages.extend(asked.into_iter().skip(known).filter(is_new));
        self.answers = answers;
        self.response = call.text("gen_ai.response.id");
        self.calls.push(call.whole());
    }
}

/// By what a call says which answer it goes on from, where only what is new is sent.
const PREVIOUS: &str = "gen_ai.request.previous_response.id";

/// The conversations of calls that stand in order of time.
pub(super) fn joined(calls: Vec<Span>) -> Result<Vec<Conversation>> {
    let mut found: Vec<Conversation> = Vec::new();
    for call in calls {
        budget::cancel().check()?;
        let read = asked(&call).and_then(|asked| Ok((asked, answered(&call)?)));
        let (asked, answers) = read.map_err(|error| error.at(call.place.clone()))?;
        // The longest that it goes on from, and of such ones the last.
        let all = found.iter().enumerate();
        let longest = all.filter_map(|(n, one)| Some((one.goes_on(&call, &asked)?, n))).max();
        match longest.and_then(|(at, n)| Some((at, found.get_mut(n)?))) {
            Some((at, one)) => one.add(call, asked, answers, at),
            None if call.text(PREVIOUS).is_some() => {
                let which = call.text(PREVIOUS).unwrap_or_default();
                let what = format!("a call that goes on from {which}, which is not in this trace");
                return Err(Error::new(what)
                    .at(call.place)
                    .hint("the answer that it goes on from has it as gen_ai.response.id"));
            }
            None => found.push(Conversation::of(call, asked, answers)),
        }
    }
    Ok(found)
}

/// What a call was asked, as chat messages.
fn asked(call: &Span) -> Result<Vec<Value>> {
    let told = call.instructions()?;
    let told = (!told.is_empty()).then(|| json!({"role": "system", "parts": told}));
    let asked = call.messages("input")?;
    let mut messages = Vec::new();
    for message in told.iter().chain(&asked) {
        messages.extend(chat(message, "user")?);
    }
    Ok(messages)
}

fn answered(call: &Span) -> Result<Vec<Value>> {
    let mut messages = Vec::new();
    for message in call.messages("output")? {
        messages.extend(chat(&message, "assistant")?);
    }
    Ok(messages)
}

/// A message of parts as one of chat; what several tools said is as many messages.
fn chat(message: &Value, usual: &str) -> Result<Vec<Value>> {
    let role = message["role"].as_str().unwrap_or(usual);
    if message.get("parts").is_none() {
        let mut plain = message.clone();
        if let Value::Object(fields) = &mut plain {
            fields.insert("role".into(), role.into());
        }
        return Ok(vec![plain]);
    }
    let (mut thought, mut said, mut calls, mut told) = (vec![], vec![], vec![], vec![]);
    for part in list(message, "parts")? {
        let content = || text_of(part.get("content").unwrap_or(&Value::Null));
        match part["type"].as_str() {
            Some("text") => said.push(content()),
            Some("reasoning") => thought.push(content()),
            Some("tool_call") => {
                let arguments = part.get("arguments").unwrap_or(&Value::Null);
                calls.push(json!({"name": part["name"], "arguments": read(arguments)}));
            }
            Some("tool_call_response") => {
                let response = ["response", "result"].iter().find_map(|key| part.get(*key));
                told.push(text_of(response.unwrap_or(&Value::Null)));
            }
            // What is no text counts as it is.
            _ => said.push(part.to_string()),
        }
    }
    let mut found: Vec<Value> =
        told.into_iter().map(|text| json!({"role": "tool", "content": text})).collect();
    if !(said.is_empty() && calls.is_empty() && thought.is_empty()) || found.is_empty() {
        let mut one = json!({"role": role, "content": said.join("\n")});
        if !thought.is_empty() {
            one["reasoning"] = thought.join("\n").into();
        }
        if !calls.is_empty() {
            one["tool_calls"] = calls.into();
        }
        found.push(one);
    }
    Ok(found)
}

/// Arguments that are a text of JSON, as that.
fn read(arguments: &Value) -> Value {
    let inner = arguments.as_str().and_then(|text| serde_json::from_str(text).ok());
    inner.unwrap_or_else(|| arguments.clone())
}

/// Whether two messages say the same, however they were written.
fn is_same(a: &Value, b: &Value) -> bool {
    let calls = |of: &Value| -> Vec<(String, Value)> {
        let all = of["tool_calls"].as_array().into_iter().flatten();
        let one = |call: &Value| {
            let call = call.get("function").filter(|inner| inner.is_object()).unwrap_or(call);
            (call["name"].as_str().unwrap_or_default().to_string(), read(&call["arguments"]))
        };
        all.map(one).collect()
    };
    let text = |of: &Value| text_of(&of["content"]).trim().to_string();
    a["role"] == b["role"] && text(a) == text(b) && calls(a) == calls(b)
}
