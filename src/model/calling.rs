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
    /// What ends a call, or a list of them.
    after: String,
    /// Whether an answer may have several.
    several: bool,
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
        let mut two = call.clone();
        if let Some(calls) = two["tool_calls"].as_array_mut() {
            calls.extend(calls.first().cloned());
        }
        let to_answer = render(&[&asked], true)?;
        let called = render(&[&asked, &call], false)?;
        let several =
            render(&[&asked, &two], false).is_ok_and(|text| text.matches(VALUE).count() > 1);
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
        // A thought that the template opens is none of the call's beginning.
        let to_answer = to_answer.trim_end();
        let to_answer = to_answer.strip_suffix(THOUGHT.0).unwrap_or(to_answer).trim_end();
        let common = to_answer.bytes().zip(called.bytes()).take_while(|(a, b)| a == b).count();
        let common = (0..=common).rev().find(|at| called.is_char_boundary(*at)).unwrap_or(0);
        let found = Self::read(&called[common..]).map(|found| Self { several, ..found });
        found.ok_or_else(|| {
            none("calls of tools as objects of JSON, which is how they are read here")
        })
    }

    /// The form of the one call that a template wrote.
    fn read(called: &str) -> Option<Self> {
        let name = called.find(NAME)?;
        let mut begins = called[..name].match_indices('{').map(|(at, _)| at);
        let (at, fields) = begins.find_map(|at| Some((at, fields(called, at)?)))?;
        // An empty thought that stands in the history too.
        let before = called[..at].rsplit(THOUGHT.1).next().unwrap_or_default().trim_start();
        let mark = before.split_whitespace().next().unwrap_or_default();
        let arguments = name + called[name..].find(FIELD)?;
        let arguments = called[..arguments].rfind('{')?;
        let (_, length) = object(&called[at..])?;
        let after = called[at + length..].split_whitespace().next().unwrap_or_default();
        Some(Self {
            before: before.to_string(),
            // The bracket of a list of calls may stand there or not.
            mark: mark.strip_suffix('[').unwrap_or(mark).to_string(),
            opening: (
                called[at..name].to_string(),
                called[name + NAME.len()..arguments].to_string(),
            ),
            fields,
            // With the end of the turn behind it where nothing parts them.
            after: after.to_string(),
            several: true,
        })
    }

    /// What has to stand at the beginning of an answer that is to be a call; of one tool, where it is
    /// named.
    pub fn begun(&self, tool: Option<&str>) -> String {
        let (object, to_arguments) = &self.opening;
        let named = tool.map(|tool| format!("{tool}{to_arguments}")).unwrap_or_default();
        format!("{}{object}{named}", self.before)
    }

    /// The calls in a text, and what stands beside them. What looks like a call and is none, of a tool
    /// that was given, is text.
    fn calls(&self, text: &str, tools: &[String]) -> (String, Vec<Call>) {
        let (mut said, mut calls) = (String::new(), Vec::new());
        let mut rest = text;
        while let Some(at) = self.next_mark(rest) {
            let (before, marked) = rest.split_at(at);
            said.push_str(before);
            match self.listed(&marked[self.mark.len()..], tools) {
                Some((found, left)) => {
                    calls.extend(found);
                    rest = left;
                }
                None if self.mark.is_empty() => {
                    rest = marked;
                    break;
                }
                None => {
                    said.push_str(&self.mark);
                    rest = &marked[self.mark.len()..];
                }
            }
            if self.mark.is_empty() {
                break;
            }
        }
        said.push_str(rest);
        if !self.several {
            calls.truncate(1);
        }
        (said, calls)
    }

    /// Where the next call may begin: at a mark, or at the text's beginning where calls stand alone.
    fn next_mark(&self, text: &str) -> Option<usize> {
        if self.mark.is_empty() {
            let at = text.len() - text.trim_start().len();
            return text[at..].starts_with('{').then_some(at);
        }
        text.find(&self.mark)
    }

    /// The calls behind a mark, one or a list of them, and what is left after them; none where the first
    /// of them is none.
    fn listed<'a>(&self, text: &'a str, tools: &[String]) -> Option<(Vec<Call>, &'a str)> {
        let mut calls = Vec::new();
        let mut rest = text.trim_start().trim_start_matches('[');
        loop {
            let next = rest.trim_start();
            let Some(call) =
                object(next).and_then(|(value, n)| Some((self.call(&value, tools)?, n)))
            else {
                break;
            };
            calls.push(call.0);
            rest = &next[call.1..];
            match rest.trim_start().strip_prefix([',', ';']) {
                Some(more) if more.trim_start().starts_with('{') => rest = more,
                _ => break,
            }
        }
        if calls.is_empty() {
            return None;
        }
        // What ends a call may have the end of the turn behind it in the template, and not here.
        let trimmed = rest.trim_start();
        let ends = self.after.bytes().zip(trimmed.bytes()).take_while(|(a, b)| a == b).count();
        let whole = trimmed.get(..ends).is_some_and(|end| end.ends_with(['>', ']', ')', '}']));
        Some((calls, if whole { &trimmed[ends..] } else { rest }))
    }

    fn call(&self, value: &Value, tools: &[String]) -> Option<Call> {
        let (name, arguments) = &self.fields;
        let name =
            value[name.as_str()].as_str().filter(|name| tools.iter().any(|own| own == name))?;
        let arguments = match value.get(arguments) {
            Some(object @ Value::Object(_)) => object.clone(),
            // Written twice over, as small models do.
            Some(Value::String(text)) => {
                serde_json::from_str(text).ok().filter(Value::is_object)?
            }
            // What stands behind a mark is a call, of a tool without arguments.
            None | Some(Value::Null) if !self.mark.is_empty() => json!({}),
            _ => return None,
        };
        Some(Call { name: name.to_string(), arguments })
    }
}

/// The object of JSON that a text begins with, and its length.
fn object(text: &str) -> Option<(Value, usize)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let value = values.next()?.ok().filter(Value::is_object)?;
    Some((value, values.byte_offset()))
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

/// Whether a prompt ends in a thought that its template has begun.
pub fn opens_a_thought(prompt: &str) -> bool {
    prompt.trim_end().ends_with(THOUGHT.0)
}

/// What ends such a thought.
pub const THOUGHT_ENDS: &str = "</think>\n\n";

/// Reads what a model wrote to a prompt that ends so; calls only of the tools that it was given.
pub fn reply(calling: Option<(&Calling, &[String])>, prompt: &str, text: &str) -> Reply {
    let (opens, ends) = THOUGHT;
    let (before, inner) = match text.split_once(opens) {
        _ if opens_a_thought(prompt) => ("", Some(text)),
        // A mark that stands before it is a call's.
        Some((before, inner)) if calling.is_none_or(|(own, _)| own.next_mark(before).is_none()) => {
            (before, Some(inner))
        }
        _ => (text, None),
    };
    let (thought, after) = match inner.map(|inner| inner.split_once(ends).unwrap_or((inner, ""))) {
        Some((thought, after)) => (Some(thought.trim()).filter(|text| !text.is_empty()), after),
        None => (None, ""),
    };
    let said = format!("{before}{after}");
    let (content, calls) = match calling {
        Some((calling, tools)) => calling.calls(&said, tools),
        None => (said, Vec::new()),
    };
    Reply { thought: thought.map(Into::into), content: content.trim().to_string(), calls }
}

#[cfg(test)]
#[path = "calling_tests.rs"]
mod tests;
