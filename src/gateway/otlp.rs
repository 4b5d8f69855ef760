//! Rewards that come as spans of OpenTelemetry (OTLP over HTTP), as `emit_reward` of Agent Lightning 0.2
//! and 0.3 says them: what of a trace is needed for that, and nothing else of it.

use prost::Message;
use serde_json::Value;

use super::Refused;

/// How attributes of a reward begin: `agentlightning.reward.0.value` is the first one's.
const FIRST: &str = "agentlightning.reward.0.value";

/// The span of 0.2 that says a reward in one attribute.
const ANNOTATION: &str = "agentlightning.annotation";

/// `ExportTraceServiceRequest` of opentelemetry-proto 1.
#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<OfResource>,
}

#[derive(Clone, PartialEq, Message)]
struct OfResource {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<OfScope>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct OfScope {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(string, tag = "5")]
    name: String,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Any", tags = "1, 2, 3, 4")]
    value: Option<Any>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Any {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Flag(bool),
    #[prost(int64, tag = "3")]
    Whole(i64),
    #[prost(double, tag = "4")]
    Real(f64),
}

/// A reward, and the attempt that it is said of, where the span says that.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    /// Rollout and attempt.
    pub attempt: Option<(String, String)>,
    pub reward: f64,
}

/// What a span and its resource say, by key: of those keys alone that are asked for.
type Attributes = Vec<(String, Any)>;

const ROLLOUT: &str = "agentlightning.rollout_id";
const ATTEMPT: &str = "agentlightning.attempt_id";

/// Whether a key is asked for: what else a span says is not kept, for it says it of every span.
fn is_asked(key: &str) -> bool {
    [FIRST, "reward", ROLLOUT, ATTEMPT].contains(&key)
}

/// The rewards of a request, in its order; other spans are no affair of this program's.
pub(super) fn rewards(bytes: &[u8], as_json: bool) -> Result<Vec<Said>, Refused> {
    let spans = if as_json { from_json(bytes)? } else { from_wire(bytes)? };
    let said = |(name, attributes): (String, Attributes)| {
        let of = |key: &str| attributes.iter().rev().find(|(own, _)| own == key).map(|(_, of)| of);
        let old = || (name == ANNOTATION).then(|| of("reward")).flatten();
        let reward = match of(FIRST).or_else(old)? {
            Any::Real(value) => *value,
            Any::Whole(value) => *value as f64,
            Any::Flag(value) => f64::from(u8::from(*value)),
            Any::Text(_) => f64::NAN,
        };
        let text = |key: &str| match of(key)? {
            // An empty one is none.
            Any::Text(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            _ => None,
        };
        let attempt = text(ROLLOUT).zip(text(ATTEMPT));
        let odd = || Refused::bad(format!("{FIRST}: not a number"));
        Some(if reward.is_finite() { Ok(Said { attempt, reward }) } else { Err(odd()) })
    };
    spans.into_iter().filter_map(said).collect()
}

fn from_wire(bytes: &[u8]) -> Result<Vec<(String, Attributes)>, Refused> {
    let export = Export::decode(bytes)
        .map_err(|e| Refused::bad(format!("the body is no trace of OpenTelemetry: {e}")))?;
    let pairs = |all: Vec<KeyValue>| -> Attributes {
        let asked = all.into_iter().filter(|pair| is_asked(&pair.key));
        asked.filter_map(|pair| Some((pair.key, pair.value?.value?))).collect()
    };
    let mut found = Vec::new();
    for OfResource { resource, scopes } in export.resources {
        let shared = pairs(resource.map_or_else(Vec::new, |resource| resource.attributes));
        for span in scopes.into_iter().flat_map(|scope| scope.spans) {
            found.push((span.name, [shared.clone(), pairs(span.attributes)].concat()));
        }
    }
    Ok(found)
}

fn from_json(bytes: &[u8]) -> Result<Vec<(String, Attributes)>, Refused> {
    let all: Value = serde_json::from_slice(bytes)
        .map_err(|e| Refused::bad(format!("the body is not JSON: {e}")))?;
    if !all["resourceSpans"].is_array() {
        return Err(Refused::bad("resourceSpans: no list"));
    }
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let pairs = |of: &Value| -> Attributes {
        let one = |pair: &Value| {
            let key = pair["key"].as_str().filter(|key| is_asked(key))?;
            let value = &pair["value"];
            // Whole numbers are texts in this form.
            let whole = || value["intValue"].as_str().and_then(|text| text.parse().ok());
            let value = if let Some(text) = value["stringValue"].as_str() {
                Any::Text(text.into())
            } else if value.get("doubleValue").is_some() {
                Any::Real(value["doubleValue"].as_f64().unwrap_or(f64::NAN))
            } else if let Some(flag) = value["boolValue"].as_bool() {
                Any::Flag(flag)
            } else {
                Any::Whole(value["intValue"].as_i64().or_else(whole)?)
            };
            Some((key.to_string(), value))
        };
        list(&of["attributes"]).iter().filter_map(one).collect()
    };
    let mut found = Vec::new();
    for resource in list(&all["resourceSpans"]) {
        let shared = pairs(&resource["resource"]);
        let scopes = list(&resource["scopeSpans"]);
        for span in scopes.iter().flat_map(|scope| list(&scope["spans"])) {
            let name = span["name"].as_str().unwrap_or_default().to_string();
            found.push((name, [shared.clone(), pairs(&span)].concat()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pair(key: &str, value: Any) -> KeyValue {
        KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }) }
    }

    #[test]
    fn a_reward_is_read_from_either_form_and_other_spans_are_left() {
        let span = |name: &str, attributes: Vec<KeyValue>| Span { name: name.into(), attributes };
        let spans = vec![
            span("chat", vec![pair("gen_ai.usage.input_tokens", Any::Whole(4))]),
            span(
                ANNOTATION,
                vec![
                    pair("agentlightning.reward.0.name", Any::Text("primary".into())),
                    pair(FIRST, Any::Real(0.5)),
                    pair("agentlightning.reward.1.value", Any::Real(9.0)),
                ],
            ),
            span(ANNOTATION, vec![pair("reward", Any::Real(0.25))]),
        ];
        let attributes = vec![
            pair("agentlightning.rollout_id", Any::Text("ro-1".into())),
            pair("agentlightning.attempt_id", Any::Text("at-2".into())),
        ];
        let resource = Some(Resource { attributes });
        let resources = vec![OfResource { resource, scopes: vec![OfScope { spans }] }];
        let bytes = Export { resources }.encode_to_vec();
        let attempt = Some(("ro-1".to_string(), "at-2".to_string()));
        let said = |reward: f64| Said { attempt: attempt.clone(), reward };
        assert_eq!(rewards(&bytes, false).unwrap(), [said(0.5), said(0.25)]);
        let text = json!({"resourceSpans": [{"scopeSpans": [{"spans": [
            {"name": ANNOTATION, "attributes": [{"key": FIRST, "value": {"intValue": "1"}}]}]}]}]});
        let found = rewards(text.to_string().as_bytes(), true).unwrap();
        assert_eq!(found, [Said { attempt: None, reward: 1.0 }]);
        assert_eq!(rewards(&[], false).unwrap(), []);
        let spans = vec![span(ANNOTATION, vec![pair(FIRST, Any::Real(f64::NAN))])];
        let odd = vec![OfResource { resource: None, scopes: vec![OfScope { spans }] }];
        let bytes = Export { resources: odd }.encode_to_vec();
        assert_eq!(rewards(&bytes, false).unwrap_err().status, 400);
        for odd in [&b"3"[..], b"[1]", b"{\"resourceSpans\": \"no\"}"] {
            assert_eq!(rewards(odd, true).unwrap_err().status, 400);
        }
        for odd in [&b"\xff\xff\xff"[..], b"hello"] {
            assert_eq!(rewards(odd, false).unwrap_err().status, 400);
        }
    }
}
