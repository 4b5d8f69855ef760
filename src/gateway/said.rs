//! Messages as they are written down: what stays the same when a harness writes one anew, and who
//! it is that asks.

use serde_json::{Value, json};

use crate::digest::{self, hex};
use crate::store::{NewAgent, NewMessage};

/// Characters of a system message by which agents are told apart: what comes later may be the day's.
const PREFIX: usize = 200;

/// The text of a message's content; parts that are no text count as they are.
pub(super) fn text_of(content: &Value) -> String {
    match content {
        Value::Null => String::new(),
        Value::String(text) => text.trim().to_string(),
        Value::Array(parts) => {
            let text = |part: &Value| match part["text"].as_str() {
                Some(text) => text.trim().to_string(),
                None => part.to_string(),
            };
            parts.iter().map(text).collect::<Vec<_>>().join("\n")
        }
        other => other.to_string(),
    }
}

/// The arguments of a call, whatever the order and the spaces that they are written with.
pub(super) fn arguments(call: &Value) -> Value {
    match &call["function"]["arguments"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        other => other.clone(),
    }
}

/// A message in a line, for people.
pub fn line(message: &Value) -> String {
    let calls = message["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
    let calls = calls.iter().map(|call| {
        let name = call["function"]["name"].as_str().unwrap_or_default();
        let arguments = match arguments(call) {
            Value::Object(fields) if fields.len() == 1 => fields
                .values()
                .map(|value| value.as_str().map_or(value.to_string(), Into::into))
                .collect(),
            other => other.to_string(),
        };
        format!("{name}({arguments})")
    });
    let text = text_of(&message["content"]);
    let parts: Vec<String> = calls.chain((!text.is_empty()).then_some(text)).collect();
    parts.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A message as it is, for people: its text, and then its calls.
pub fn told(message: &Value) -> String {
    let text = text_of(&message["content"]);
    let calls = message["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
    let calls = calls.iter().map(|call| {
        format!("{}({})", call["function"]["name"].as_str().unwrap_or_default(), arguments(call))
    });
    let parts: Vec<String> = (!text.is_empty()).then_some(text).into_iter().chain(calls).collect();
    parts.join("\n")
}

/// With the fields of all objects in the order of their names.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().map(|(name, of)| (name, sorted(of))).collect();
            fields.sort_by(|a, b| a.0.cmp(b.0));
            Value::Object(fields.into_iter().map(|(name, of)| (name.clone(), of)).collect())
        }
        Value::Array(all) => Value::Array(all.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// A message to be written down. Thoughts, the names of calls and spaces at the ends do not count
/// for what it is: harnesses leave them out, or give them anew.
pub(super) fn written(message: &Value) -> NewMessage {
    let role = match message["role"].as_str().unwrap_or_default() {
        "developer" => "system",
        role => role,
    };
    let calls = message["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
    let calls = calls.iter().map(|call| {
        let name = call["function"]["name"].as_str().unwrap_or_default();
        format!("{name} {}", sorted(&arguments(call)))
    });
    let parts: Vec<String> =
        [role.to_string(), text_of(&message["content"])].into_iter().chain(calls).collect();
    NewMessage {
        body: message.to_string(),
        digest: digest::of(parts.iter().map(String::as_str)),
        is_system: role == "system",
    }
}

/// Who asks: by the name in the key, else by how the system message begins and by the tools.
pub(super) fn agent(named: Option<&str>, messages: &[Value], tools: &[Value]) -> NewAgent {
    let is_system =
        |message: &&Value| matches!(message["role"].as_str(), Some("system" | "developer"));
    let system: Vec<String> =
        messages.iter().take_while(is_system).map(|message| text_of(&message["content"])).collect();
    let system = system.join("\n\n");
    let mut tools: Vec<&str> =
        tools.iter().filter_map(|tool| tool["function"]["name"].as_str()).collect();
    tools.sort_unstable();
    let tools = tools.join(", ");
    let mark = if let Some(name) = named {
        format!("named {name}")
    } else {
        // Numbers are the day's, however many digits they have.
        let words = system.split(|c: char| c.is_ascii_digit()).filter(|word| !word.is_empty());
        let prefix = words.collect::<Vec<_>>().join("#");
        let prefix: String = prefix.chars().take(PREFIX).collect();
        hex(digest::of([prefix.as_str(), tools.as_str()]))
    };
    NewAgent { mark, name: named.map(str::to_string), system, tools }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_written_anew_is_the_same() {
        let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "act", "arguments": arguments}});
        let came = json!({"role": "assistant", "content": "", "reasoning_content": "hm", "tool_calls": [call("a", "{\"x\": 1, \"y\": 2}")]});
        let anew = json!({"role": "assistant", "content": null, "tool_calls": [call("b", "{\"y\":2,\"x\":1}")]});
        assert_eq!(written(&came).digest, written(&anew).digest);
        let other = json!({"role": "assistant", "content": null, "tool_calls": [call("b", "{\"y\":2,\"x\":3}")]});
        assert_ne!(written(&came).digest, written(&other).digest);
        let parts = json!({"role": "user", "content": [{"type": "text", "text": "go "}]});
        assert_eq!(
            written(&parts).digest,
            written(&json!({"role": "user", "content": "go"})).digest
        );
    }

    #[test]
    fn agents_differ_by_how_they_are_told_to_be_and_by_their_tools() {
        let told = |system: &str| {
            vec![
                json!({"role": "system", "content": system}),
                json!({"role": "user", "content": "go"}),
            ]
        };
        let tool = |name: &str| json!({"type": "function", "function": {"name": name}});
        let mark = |system: &str, tools: &[Value]| agent(None, &told(system), tools).mark;
        assert_eq!(mark("You plan. Day 9 of it", &[]), mark("You plan. Day 10 of it", &[]));
        assert_ne!(mark("You plan.", &[]), mark("You act.", &[]));
        assert_eq!(
            mark("You act.", &[tool("a"), tool("b")]),
            mark("You act.", &[tool("b"), tool("a")])
        );
        assert_ne!(mark("You act.", &[tool("a")]), mark("You act.", &[tool("b")]));
        assert_eq!(agent(Some("player"), &told("x"), &[]).name.as_deref(), Some("player"));
    }
}
