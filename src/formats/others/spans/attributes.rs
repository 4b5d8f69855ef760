//! A span, with its attributes as plain JSON however they were written.

use serde_json::{Map, Value, json};

use super::plain::{is_thought, list, numbered, plain};
use super::when::nanoseconds;
use crate::error::{Error, Result};

/// Where a trace says what it was worth.
const REWARD: &str = "agentlightning.reward.0.value";

/// By what a call says which answer it goes on from, and how that is called.
const PREVIOUS: &str = "gen_ai.request.previous_response.id";
const RESPONSE: &str = "gen_ai.response.id";

/// What a span says.
pub(super) struct Span {
    /// Where it stands.
    pub place: String,
    /// Its own id, and that of the span that it is within.
    pub id: Option<String>,
    pub parent: Option<String>,
    /// When it began; of equal ones (or where nobody says it) that which was asked less is before.
    pub start: (i128, usize),
    pub attributes: Map<String, Value>,
    /// The trace that it is of.
    pub trace: Option<String>,
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
            // The second is what the first was called before OTLP 1.0.
            let scopes = ["scopeSpans", "instrumentationLibrarySpans"];
            let scopes = scopes.iter().filter_map(|key| of[*key].as_array()).flatten();
            for scope in scopes {
                for span in scope["spans"].as_array().into_iter().flatten() {
                    let mut span = span.clone();
                    if let Value::Object(fields) = &mut span {
                        fields.insert("resource".into(), json!({"attributes": resource.clone()}));
                        fields.insert("scope".into(), scope["scope"].clone());
                    }
                    found.push(Self::of(&format!("{place}, span {}", found.len() + 1), span)?);
                }
            }
        }
        Ok(found)
    }

    fn of(place: &str, mut span: Value) -> Result<Self> {
        let attributes = plain(&span["attributes"]).map_err(|error| error.at(place))?;
        let text = |value: &Value| {
            let text = value.as_str()?.trim_start_matches("0x");
            (!text.is_empty()).then(|| text.to_string())
        };
        let of = |keys: [&str; 2]| keys.iter().find_map(|key| text(&span[*key]));
        let trace = of(["traceId", "trace_id"]).or_else(|| text(&span["context"]["trace_id"]));
        let id = of(["spanId", "span_id"]).or_else(|| text(&span["context"]["span_id"]));
        let parent = of(["parentSpanId", "parent_id"]).or_else(|| text(&span["parent_span_id"]));
        let started = ["startTimeUnixNano", "start_time", "startTime"];
        let start = started.iter().find_map(|key| span.get(*key)).map_or(0, nanoseconds);
        let asked = match attributes.get("gen_ai.input.messages") {
            Some(Value::String(text)) => text.len(),
            Some(other) => other.to_string().len(),
            None => attributes.len(),
        };
        let start = (start, asked);
        let dropped = span["droppedAttributesCount"].as_u64().unwrap_or_default();
        if dropped > 0 && attributes.keys().any(|key| key.starts_with("gen_ai.")) {
            let what = format!("{dropped} attributes of it were dropped when it was traced");
            return Err(Error::new(what)
                .at(place)
                .hint("trace with a higher limit (OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT)"));
        }
        if let Value::Object(fields) = &mut span {
            fields.remove("attributes");
        }
        Ok(Self { place: place.into(), id, parent, start, attributes, trace, rest: span })
    }

    /// An attribute that is a text.
    fn text(&self, key: &str) -> Option<String> {
        self.attributes.get(key).and_then(Value::as_str).map(str::to_string)
    }

    /// The answer that a call goes on from, where it says so; and how its own is called.
    pub fn previous(&self) -> Option<String> {
        self.text(PREVIOUS)
    }

    /// See [`Self::previous`].
    pub fn response(&self) -> Option<String> {
        self.text(RESPONSE)
    }

    /// What it belongs to, by name: its conversation, or its trace.
    pub fn belongs_to(&self) -> Option<String> {
        self.text("gen_ai.conversation.id").or_else(|| self.trace.clone())
    }

    /// What ties it to others.
    pub fn ties(&self) -> impl Iterator<Item = String> {
        let conversation = self.text("gen_ai.conversation.id");
        let all = [("trace", self.trace.clone()), ("conversation", conversation)];
        let answers = [self.previous(), self.response()].map(|id| ("answer", id));
        let all = all.into_iter().chain(answers);
        all.filter_map(|(kind, id)| Some(format!("{kind} {}", id?)))
    }

    /// What was said to be the worth of something.
    pub fn reward(&self) -> Result<Option<f64>> {
        // Its first versions said it so.
        let old = || {
            let name = self.rest["name"].as_str().unwrap_or_default();
            self.attributes.get("reward").filter(|_| name.starts_with("agentlightning."))
        };
        let Some(said) = self.attributes.get(REWARD).or_else(old) else { return Ok(None) };
        let number = said.as_f64().or_else(|| said.as_bool().map(f64::from));
        let number = number.or_else(|| said.as_str()?.parse().ok());
        let number = number.filter(|number: &f64| number.is_finite());
        let odd = || Error::new(format!("{REWARD}: {said} is no number")).at(&self.place);
        number.map(Some).ok_or_else(odd)
    }

    fn operation(&self) -> &str {
        let said = self.attributes.get("gen_ai.operation.name").and_then(Value::as_str);
        said.unwrap_or_default()
    }

    /// Whether it is a call of a model, and its answer is said: the convention allows other operations' names
    /// than its own.
    pub fn is_call(&self) -> bool {
        let whole = ["invoke_agent", "create_agent", "invoke_workflow", "execute_tool"];
        !whole.contains(&self.operation()) && self.is_answered()
    }

    /// Whether it is an agent's whole turn, of which only the beginning and the end are said.
    pub fn is_agent(&self) -> bool {
        ["invoke_agent", "invoke_workflow"].contains(&self.operation()) && self.is_answered()
    }

    /// Whether one answer is said: none that was cut off or is empty, and not several of which nobody says
    /// which was taken. What cannot be read is refused later.
    fn is_answered(&self) -> bool {
        let cut = |message: &Value| {
            let why = message["finish_reason"].as_str();
            why.is_some_and(|why| ["length", "content_filter", "error"].contains(&why))
        };
        let is_empty = |message: &Value| {
            let parts = ["parts", "content"].iter().filter_map(|key| message[*key].as_array());
            let texts = ["content", "reasoning_content"].map(|key| message[key].as_str());
            let calls = ["tool_calls", "function_call"].map(|key| &message[key]);
            parts.flatten().next().is_none()
                && texts.iter().flatten().all(|text| text.trim().is_empty())
                && calls.iter().all(|of| of.is_null() || of.as_array().is_some_and(Vec::is_empty))
        };
        self.messages("output").map_or(true, |all| {
            let said = all.iter().filter(|one| !is_thought(one)).count();
            !all.iter().all(|one| cut(one) || is_empty(one)) && (said < 2 || !self.has_choices())
        })
    }

    /// Whether another says the same answer.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let said = |span: &Self| span.messages("output").ok();
        said(self).is_some_and(|said_here| Some(said_here) == said(other))
    }

    /// How many answers were asked for: by the convention one, unless it says another number; before it every
    /// message was one.
    pub fn has_choices(&self) -> bool {
        let count = self.attributes.get("gen_ai.request.choice.count").and_then(Value::as_u64);
        count.unwrap_or(1) > 1 || !self.attributes.contains_key("gen_ai.output.messages")
    }

    /// Its messages: `input` or `output`.
    pub fn messages(&self, side: &str) -> Result<Vec<Value>> {
        let key = format!("gen_ai.{side}.messages");
        if let Some(said) = self.attributes.get(&key).filter(|said| !said.is_null()) {
            let all = list(&key, said)?;
            if !all.is_empty() {
                return Ok(all);
            }
        }
        let old = if side == "input" { "gen_ai.prompt" } else { "gen_ai.completion" };
        numbered(&self.attributes, old)
    }

    /// What the model was told beside the conversation: parts of a message.
    pub fn instructions(&self) -> Result<Vec<Value>> {
        let key = "gen_ai.system_instructions";
        match self.attributes.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(text)) if !text.trim_start().starts_with('[') => {
                Ok(vec![json!({"type": "text", "content": text})])
            }
            Some(said) => list(key, said),
        }
    }

    /// What in it may be messages that are not read.
    pub fn unread(&self) -> Option<&str> {
        let may_be = ["message", "prompt", "completion"];
        let mut keys = self.attributes.keys().map(String::as_str);
        keys.find(|key| may_be.iter().any(|word| key.contains(word)))
    }

    /// All that it says.
    pub fn whole(&self) -> Value {
        let mut whole = self.rest.clone();
        if let Value::Object(fields) = &mut whole {
            fields.insert("attributes".into(), Value::Object(self.attributes.clone()));
        }
        whole
    }
}
