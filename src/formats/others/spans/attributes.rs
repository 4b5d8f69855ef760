//! A span, with its attributes as plain JSON however they were written.

use std::rc::Rc;

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
    /// When it ended, in the same measure.
    pub end: i128,
    /// When it began; of equal ones (or where nobody says it) that which was asked less is before.
    pub start: (i128, usize),
    pub attributes: Map<String, Value>,
    /// The trace that it is of.
    pub trace: Option<String>,
    /// Its resource and scope, which it shares with others of a batch.
    pub beside: Option<Rc<Value>>,
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
                let beside = json!({"resource": {"attributes": resource}, "scope": scope["scope"]});
                let beside = Rc::new(beside);
                for span in scope["spans"].as_array().into_iter().flatten() {
                    let place = format!("{place}, span {}", found.len() + 1);
                    let span = Self::of(&place, span.clone())?;
                    found.push(Self { beside: Some(Rc::clone(&beside)), ..span });
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
        let ended = ["endTimeUnixNano", "end_time", "endTime"];
        let end = ended.iter().find_map(|key| span.get(*key)).map_or(0, nanoseconds);
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
        let (place, beside) = (place.into(), None);
        Ok(Self { place, id, parent, end, start, attributes, trace, beside, rest: span })
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

    /// What a call of a tool came to.
    pub fn result(&self) -> Option<&Value> {
        self.attributes.get("gen_ai.tool.call.result")
    }

    /// What was said to be the worth of something.
    pub fn reward(&self) -> Result<Option<f64>> {
        // Its first versions said it so.
        let old = || {
            let name = self.rest["name"].as_str().unwrap_or_default();
            self.attributes.get("reward").filter(|_| name.starts_with("agentlightning."))
        };
        let own = self.attributes.get(REWARD).map(|said| (REWARD, said));
        let said = own.or_else(|| Some(("reward", old()?)));
        let Some((key, said)) = said else { return Ok(None) };
        let number = said.as_f64().or_else(|| said.as_bool().map(f64::from));
        let number = number.or_else(|| said.as_str()?.parse().ok());
        let number = number.filter(|number: &f64| number.is_finite());
        let odd = || Error::new(format!("{key}: {said} is no number")).at(&self.place);
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

    /// Whether one answer is said: none that was cut off, and not several of which nobody says which was taken.
    /// What cannot be read is refused later.
    fn is_answered(&self) -> bool {
        let Ok(all) = self.messages("output") else { return true };
        let said: Vec<&Value> = all.iter().filter(|one| !is_thought(one)).collect();
        let why = self.attributes.get("gen_ai.response.finish_reasons").and_then(Value::as_array);
        let whole = why.is_none_or(|all| all.is_empty() || !all.iter().all(is_cut));
        let cut = said.iter().any(|one| is_cut(&one["finish_reason"]));
        !said.is_empty() && whole && !cut && (said.len() < 2 || !self.has_choices())
    }

    /// Whether it tells of the same call as another one that says the same: by its answer's name, or, where one of
    /// them says none, because neither had ended when the other began.
    pub fn is_told_by(&self, other: &Self) -> bool {
        if let (Some(one), Some(two)) = (self.response(), other.response()) {
            return one == two;
        }
        let begins_in = |a: &Self, b: &Self| b.start.0 <= a.start.0 && a.start.0 < b.end;
        begins_in(self, other) || begins_in(other, self)
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
        if side == "input" {
            return numbered(&self.attributes, "gen_ai.prompt", None);
        }
        numbered(&self.attributes, "gen_ai.completion", Some("assistant"))
    }

    /// What the model was told beside the conversation: parts of a message.
    pub fn instructions(&self) -> Result<Vec<Value>> {
        let key = "gen_ai.system_instructions";
        match self.attributes.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(text)) => {
                let plain = || vec![json!({"type": "text", "content": text})];
                Ok(serde_json::from_str(text).unwrap_or_else(|_| plain()))
            }
            Some(said) => list(key, said),
        }
    }

    /// What in it may be messages that are not read.
    pub fn unread(&self) -> Option<&str> {
        let may_be = ["message", "prompt", "completion"];
        let is_read = ["gen_ai.input.messages", "gen_ai.output.messages"];
        let known =
            |key: &str| is_read.contains(&key) || key.contains("usage") || key.contains("token");
        let mut keys = self.attributes.keys().map(String::as_str).filter(|key| !known(key));
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

/// Whether a reason why an answer ended is that it was cut off.
fn is_cut(why: &Value) -> bool {
    let cut = ["length", "max_tokens", "content_filter", "safety", "recitation", "error"];
    why.as_str().is_some_and(|why| cut.contains(&why.to_lowercase().as_str()))
}
