//! A span, with its attributes as plain JSON however they were written.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// What a span says.
pub(super) struct Span {
    /// Where it stands.
    pub place: String,
    /// Its conversation, else its trace.
    pub trace: Option<String>,
    /// When it began: by number where it is one (nanoseconds), else by its text.
    pub start: (u128, String),
    pub attributes: Map<String, Value>,
    /// All of it, its attributes apart.
    rest: Value,
}

impl Span {
    /// The spans of an item: of OTLP's batch, or the one that it is.
    pub fn all(place: &str, item: Value) -> Result<Vec<Self>> {
        let Some(resources) = item["resourceSpans"].as_array() else {
            return Ok(vec![Self::of(place, item)?]);
        };
        let mut found = Vec::new();
        for of in resources {
            let resource = plain(&of["resource"]["attributes"]);
            let resource = resource.map_err(|error| error.at(place))?;
            for scope in of["scopeSpans"].as_array().into_iter().flatten() {
                for span in scope["spans"].as_array().into_iter().flatten() {
                    let mut span = span.clone();
                    if let (Value::Object(fields), false) = (&mut span, resource.is_empty()) {
                        fields.insert("resource".into(), json!({"attributes": resource.clone()}));
                    }
                    found.push(Self::of(&format!("{place}, span {}", found.len() + 1), span)?);
                }
            }
        }
        Ok(found)
    }

    fn of(place: &str, mut span: Value) -> Result<Self> {
        let attributes = plain(&span["attributes"]).map_err(|error| error.at(place))?;
        let text = |value: &Value| value.as_str().filter(|id| !id.is_empty()).map(str::to_string);
        let conversation = attributes.get("gen_ai.conversation.id").and_then(text);
        let trace = conversation
            .or_else(|| text(&span["traceId"]))
            .or_else(|| text(&span["context"]["trace_id"]))
            .or_else(|| text(&span["trace_id"]));
        let start = ["startTimeUnixNano", "start_time"].iter().find_map(|key| span.get(*key));
        let start = match start {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let start = (start.parse().unwrap_or_default(), start);
        if let Value::Object(fields) = &mut span {
            fields.remove("attributes");
        }
        Ok(Self { place: place.into(), trace, start, attributes, rest: span })
    }

    fn operation(&self) -> Option<&str> {
        self.attributes.get("gen_ai.operation.name").and_then(Value::as_str)
    }

    /// An attribute that is a text.
    pub fn text(&self, key: &str) -> Option<String> {
        self.attributes.get(key).and_then(Value::as_str).map(str::to_string)
    }

    /// Whether it is a call of a model whose answer is said.
    pub fn is_call(&self) -> bool {
        matches!(self.operation(), None | Some("chat" | "generate_content" | "text_completion"))
            && self.says_something()
    }

    /// Whether it is an agent's whole turn, of which only the beginning and the end are said.
    pub fn is_agent(&self) -> bool {
        self.operation() == Some("invoke_agent") && self.says_something()
    }

    fn says_something(&self) -> bool {
        self.messages("output").is_ok_and(|messages| !messages.is_empty())
            || self.messages("output").is_err()
    }

    /// Its messages: `input` or `output`.
    pub fn messages(&self, side: &str) -> Result<Vec<Value>> {
        let key = format!("gen_ai.{side}.messages");
        if let Some(said) = self.attributes.get(&key).filter(|said| !said.is_null()) {
            return list(&key, said);
        }
        let old = if side == "input" { "gen_ai.prompt" } else { "gen_ai.completion" };
        Ok(numbered(&self.attributes, old))
    }

    /// What the model was told beside the conversation: parts of a message.
    pub fn instructions(&self) -> Result<Vec<Value>> {
        let key = "gen_ai.system_instructions";
        self.attributes.get(key).map_or(Ok(Vec::new()), |said| list(key, said))
    }

    /// All that it says.
    pub fn whole(self) -> Value {
        let mut whole = self.rest;
        if let Value::Object(fields) = &mut whole {
            fields.insert("attributes".into(), Value::Object(self.attributes));
        }
        whole
    }
}

/// An attribute that is a list: many can only be texts, which have it as JSON.
fn list(key: &str, said: &Value) -> Result<Vec<Value>> {
    let read = match said {
        Value::Array(all) => return Ok(all.clone()),
        Value::String(text) => serde_json::from_str(text).ok(),
        _ => None,
    };
    read.ok_or_else(|| {
        Error::new(format!("{key}: no list of messages"))
            .hint("a text that was cut off at a limit of attributes' lengths is none")
    })
}

/// Attributes as an object; in OTLP they are a list of keys and values with their kinds.
fn plain(attributes: &Value) -> Result<Map<String, Value>> {
    match attributes {
        Value::Null => Ok(Map::new()),
        Value::Object(all) => Ok(all.clone()),
        Value::Array(pairs) => pairs
            .iter()
            .map(|pair| {
                let key = pair["key"].as_str();
                let key = key.ok_or_else(|| Error::new("attributes: one without a key"))?;
                let value = value_of(&pair["value"]);
                Ok((key.to_string(), value.map_err(|error| error.at(format!("attribute {key}")))?))
            })
            .collect(),
        _ => Err(Error::new("attributes: neither an object nor a list")),
    }
}

/// A value of OTLP without its kind; how deep it may be is the JSON reader's limit.
fn value_of(value: &Value) -> Result<Value> {
    let Some((kind, inner)) = value.as_object().and_then(|all| all.iter().next()) else {
        return Ok(Value::Null);
    };
    let each = |list: &Value| list.as_array().cloned().unwrap_or_default();
    Ok(match (kind.as_str(), inner) {
        // Whole numbers are texts in this form.
        ("intValue", Value::String(text)) => text.parse::<i64>().map_or(inner.clone(), Value::from),
        ("stringValue" | "boolValue" | "intValue" | "doubleValue" | "bytesValue", inner) => {
            inner.clone()
        }
        ("arrayValue", inner) => {
            let all = each(&inner["values"]);
            all.iter().map(value_of).collect::<Result<Vec<_>>>()?.into()
        }
        ("kvlistValue", inner) => {
            let mut all = Map::new();
            for pair in each(&inner["values"]) {
                let key = pair["key"].as_str().unwrap_or_default().to_string();
                all.insert(key, value_of(&pair["value"])?);
            }
            Value::Object(all)
        }
        (kind, _) => return Err(Error::new(format!("a value of kind `{kind}`"))),
    })
}

/// Messages whose fields are an attribute each: `KEY.0.role`, `KEY.0.tool_calls.0.name`.
fn numbered(attributes: &Map<String, Value>, key: &str) -> Vec<Value> {
    type Fields = Map<String, Value>;
    let mut messages: BTreeMap<usize, (Fields, BTreeMap<usize, Fields>)> = BTreeMap::new();
    let at = |text: &str| -> Option<(usize, String)> {
        let (n, field) = text.split_once('.')?;
        Some((n.parse().ok()?, field.into()))
    };
    for (name, value) in attributes {
        let rest = name.strip_prefix(key).and_then(|rest| rest.strip_prefix('.'));
        let Some((n, field)) = rest.and_then(at) else { continue };
        let (message, calls) = messages.entry(n).or_default();
        let of_call = field.strip_prefix("tool_calls.").and_then(at);
        let (fields, field) = match of_call {
            Some((m, field)) => (calls.entry(m).or_default(), field),
            None => (message, field),
        };
        fields.insert(field, value.clone());
    }
    let whole = |(mut message, calls): (Fields, BTreeMap<usize, Fields>)| {
        if !calls.is_empty() {
            let calls: Vec<Value> = calls.into_values().map(Value::Object).collect();
            message.insert("tool_calls".into(), calls.into());
        }
        Value::Object(message)
    };
    messages.into_values().map(whole).collect()
}
