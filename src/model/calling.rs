//! How a chat model calls tools. Nobody writes that down but its template, which is asked: it is
//! given a call, and what it makes of it is what the model was trained to write.
//!
//! Known are the forms in which a call is an object of JSON with the tool's name and its arguments,
//! behind a mark (`<tool_call>`, `[TOOL_CALLS]`) or alone.

use serde_json::{Value, json};

use super::template::{Conversation, Template};
use crate::error::{Error, Result};

/// Words that no template writes of itself.
const NAME: &str = "qnameq";
const FIELD: &str = "qfieldq";
const VALUE: &str = "qvalueq";
const ASKED: &str = "qaskedq";
const RESULT: &str = "qresultq";

/// What opens and ends a thought.
const THOUGHT: (&str, &str) = ("<think>", "</think>");

/// How calls are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calling {
    /// What stands before a call, up to its object.
    before: String,
    /// The first word of that, by which a call is found in what was written; empty where a call stands
    /// alone.
    mark: String,
    /// The object up to the tool's name, and from there to the arguments.
    opening: (String, String),
    /// The fields of the name and of the arguments.
    fields: (String, String),
}

/// A call that was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The tool.
    pub name: String,
    /// An object.
    pub arguments: Value,
}

/// What a model wrote.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reply {
    /// What it thought first, where it did.
    pub thought: Option<String>,
    /// What it said, but for its calls.
    pub content: String,
    /// The calls.
    pub calls: Vec<Call>,
}

impl Calling {
    /// How a template has calls written.
    ///
    /// # Errors
    /// Where it leaves out tools, calls or results, or writes calls in another form.
    pub fn of(template: &Template) -> Result<Self> {
        let tool = json!({"type": "function", "function": {"name": NAME, "description": "It does.",
            "parameters": {"type": "object", "properties": {FIELD: {"type": "string"}}, "required": [FIELD]}}});
        let asked = json!({"role": "user", "content": ASKED});
        // Some want nine characters.
        let id = "q12345678";
        let call = json!({"role": "assistant", "content": "", "tool_calls": [{"id": id, "type": "function",
            "function": {"name": NAME, "arguments": {FIELD: VALUE}}}]});
        let result = json!({"role": "tool", "tool_call_id": id, "name": NAME, "content": RESULT});
        let render = |messages: &[&Value], answer: bool| {
            let messages = messages.iter().map(|message| (*message).clone()).collect();
            template.converse(&Conversation {
                messages,
                tools: vec![tool.clone()],
                answer,
                thinks: false,
            })
        };
        let to_answer = render(&[&asked], true)?;
        let called = render(&[&asked, &call], false)?;
        let with_result = render(&[&asked, &call, &result], true)?;
        let none = |what: &str| Error::new(format!("the chat template writes no {what}"));
        if !to_answer.contains(NAME) {
            return Err(none("tools"));
        }
        if !with_result.contains(RESULT) {
            return Err(none("results of tools"));
        }
        let after = |text: &str| text.rsplit_once(ASKED).map(|(_, after)| after.to_string());
        let (Some(to_answer), Some(called)) = (after(&to_answer), after(&called)) else {
            return Err(none("message of a user"));
        };
        let common = to_answer.bytes().zip(called.bytes()).take_while(|(a, b)| a == b).count();
        let common = (0..=common).rev().find(|at| called.is_char_boundary(*at)).unwrap_or(0);
        Self::read(&called[common..]).ok_or_else(|| {
            none("calls of tools as objects of JSON, which is how they are read here")
        })
    }

    /// The form of the one call that a template wrote.
    fn read(called: &str) -> Option<Self> {
        let name = called.find(NAME)?;
        let begins = called[..name].match_indices('{').map(|(at, _)| at);
        let (at, fields) = begins.filter_map(|at| Some((at, fields(called, at)?))).next()?;
        let before = &called[..at];
        let mark = before.split_whitespace().next().unwrap_or_default();
        let arguments = name + called[name..].find(FIELD)?;
        let arguments = called[..arguments].rfind('{')?;
        Some(Self {
            before: before.to_string(),
            // The bracket of a list of calls may stand there or not.
            mark: mark.strip_suffix('[').unwrap_or(mark).to_string(),
            opening: (
                called[at..name].to_string(),
                called[name + NAME.len()..arguments].to_string(),
            ),
            fields,
        })
    }

    /// What has to stand at the beginning of an answer that is to be a call; of one tool, where it is
    /// named.
    pub fn begun(&self, tool: Option<&str>) -> String {
        let (object, to_arguments) = &self.opening;
        let named = tool.map(|tool| format!("{tool}{to_arguments}")).unwrap_or_default();
        format!("{}{object}{named}", self.before)
    }

    /// The calls in a text, and what stands before the first of them. What looks like a call and is none
    /// is text.
    fn calls(&self, text: &str) -> (String, Vec<Call>) {
        let found = if self.mark.is_empty() {
            text.trim_start().starts_with('{').then_some(("", text))
        } else {
            text.split_once(&self.mark)
        };
        let Some((said, mut rest)) = found else { return (text.to_string(), Vec::new()) };
        let mut calls = Vec::new();
        loop {
            // What stands between calls: brackets and commas of a list, the mark again, its end.
            let Some(at) = rest.find('{') else { break };
            let mut values = serde_json::Deserializer::from_str(&rest[at..]).into_iter::<Value>();
            let Some(Ok(value)) = values.next() else { break };
            let Some(call) = self.call(&value) else { break };
            calls.push(call);
            rest = &rest[at + values.byte_offset()..];
        }
        if calls.is_empty() { (text.to_string(), calls) } else { (said.to_string(), calls) }
    }

    fn call(&self, value: &Value) -> Option<Call> {
        let (name, arguments) = &self.fields;
        let arguments = match &value[arguments.as_str()] {
            Value::Null => json!({}),
            object @ Value::Object(_) => object.clone(),
            _ => return None,
        };
        Some(Call { name: value[name.as_str()].as_str()?.to_string(), arguments })
    }
}

/// The fields of the name and of the arguments of the object that begins there, if it is the call.
fn fields(text: &str, at: usize) -> Option<(String, String)> {
    let value =
        serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>().next()?.ok()?;
    let own = value.as_object()?;
    let named = |is: &dyn Fn(&Value) -> bool| {
        own.iter().find(|(_, value)| is(value)).map(|(name, _)| name.clone())
    };
    let name = named(&|value| value == NAME)?;
    Some((name, named(&|value| value[FIELD] == VALUE)?))
}

/// Reads what a model wrote to a prompt that ends so; calls only where it was given tools.
pub fn reply(calling: Option<&Calling>, prompt: &str, text: &str) -> Reply {
    let (opens, ends) = THOUGHT;
    // Some templates begin the thought.
    let begun = prompt.trim_end().ends_with(opens);
    let own = text.trim_start().strip_prefix(opens);
    let (thought, said) = match (own.or(begun.then_some(text)), text) {
        (Some(inner), _) => match inner.split_once(ends) {
            Some((thought, said)) => (Some(thought), said),
            None => (Some(inner), ""),
        },
        (None, text) => (None, text),
    };
    let thought = thought.map(|text| text.trim().to_string()).filter(|text| !text.is_empty());
    let (content, calls) = match calling {
        Some(calling) => calling.calls(said),
        None => (said.to_string(), Vec::new()),
    };
    Reply { thought, content: content.trim().to_string(), calls }
}

#[cfg(test)]
#[path = "calling_tests.rs"]
mod tests;
