//! Attributes as plain JSON, however they were written.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// An attribute that is a list: many can only be texts, which have it as JSON.
pub(super) fn list(key: &str, said: &Value) -> Result<Vec<Value>> {
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
pub(super) fn plain(attributes: &Value) -> Result<Map<String, Value>> {
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
pub(super) fn numbered(
    attributes: &Map<String, Value>,
    key: &str,
    usual: Option<&str>,
) -> Result<Vec<Value>> {
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
        let of_call = of_call.map(|(m, field)| match field.strip_prefix("function.") {
            Some(inner) => (m, inner.to_string()),
            None => (m, field),
        });
        let old = field.strip_prefix("function_call.").map(|field| (0, field.to_string()));
        let of_call = of_call.or(old);
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
    // A limit on attributes takes away the first ones that were set.
    for (n, (own, (message, _))) in messages.iter_mut().enumerate() {
        if let Some(role) = usual {
            message.entry("role").or_insert_with(|| role.into());
        }
        let lacks = if n == *own { ".role" } else { "" };
        if n != *own || !message.contains_key("role") {
            return Err(Error::new(format!("{key}.{n}{lacks} is not there, and others of it are"))
                .hint("trace with a higher limit (OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT)"));
        }
    }
    Ok(messages.into_values().map(whole).collect())
}

/// Whether a message is only what was thought before the next one.
pub(super) fn is_thought(message: &Value) -> bool {
    message["role"] == "thinking"
}
