//! An endpoint that answers agents: it is sent what the agent asked, and its answer is the answer.

use serde_json::{Map, Value, json};

use super::{Answered, Asked, Refused};
use crate::agent::endpoint::{Endpoint, Profile};
use crate::error::Result;

/// An endpoint. Only those of `config.toml` and of the command line are ever asked: no request names
/// one.
#[derive(Debug)]
pub(super) struct Relay {
    endpoint: Endpoint,
}

impl Relay {
    pub fn open(profile: Profile) -> Result<Self> {
        Ok(Self { endpoint: Endpoint::open(profile)? })
    }

    pub async fn answer(&self, asked: &Asked) -> Result<Answered, Refused> {
        let mut body = asked.body.clone();
        // The model is the profile's: what an agent calls it decides nothing.
        for ours in ["model", "previous_response_id", "store", "user", "metadata"] {
            body.remove(ours);
        }
        let failed = |error| Refused::upstream(&error);
        let value = self.endpoint.pass("/chat/completions", body).await.map_err(failed)?;
        let odd = |what: &str| Refused::with(502, format!("the endpoint's answer has no {what}"));
        let choice = &value["choices"][0];
        let message =
            vetted(&choice["message"]).ok_or_else(|| odd("message that could be understood"))?;
        // No prompt and no answer has so many: a server that counts nonsense has not counted.
        let count = |name: &str| {
            value["usage"][name].as_u64().filter(|count| *count < 1 << 32).unwrap_or_default()
        };
        let usage = (count("prompt_tokens"), count("completion_tokens"));
        let finish = choice["finish_reason"].as_str().unwrap_or("stop").to_string();
        let cost = self.endpoint.cost(usage);
        Ok(Answered { message, finish, usage, tokens: None, cost, seed: None })
    }

    /// A request of another route, as it is.
    pub async fn embeddings(&self, mut body: Map<String, Value>) -> Result<Value, Refused> {
        body.remove("model");
        self.endpoint.pass("/embeddings", body).await.map_err(|error| Refused::upstream(&error))
    }

    /// About how many tokens a request takes.
    pub fn count(asked: &Asked) -> u64 {
        let characters = json!(asked.messages()).to_string().chars().count();
        (characters as u64).div_ceil(4)
    }
}

/// The message of an answer in the one form that the dialects are written from: its content a text or
/// nothing, its calls with a name and arguments as a text.
fn vetted(message: &Value) -> Option<Value> {
    let mut vetted = message.as_object()?.clone();
    vetted.insert("role".into(), "assistant".into());
    let content = match message.get("content") {
        None | Some(Value::Null) => Value::Null,
        Some(Value::String(text)) => json!(text),
        Some(Value::Array(parts)) => {
            let texts: Option<Vec<&str>> = parts.iter().map(|part| part["text"].as_str()).collect();
            json!(texts?.concat())
        }
        Some(_) => return None,
    };
    vetted.insert("content".into(), content);
    match vetted.remove("tool_calls") {
        None | Some(Value::Null) => {}
        Some(Value::Array(calls)) if calls.is_empty() => {}
        Some(Value::Array(calls)) => {
            let call = |(place, call): (usize, &Value)| {
                let name = call["function"]["name"].as_str()?;
                let arguments = match &call["function"]["arguments"] {
                    Value::String(text) => text.clone(),
                    Value::Null => "{}".into(),
                    other => other.to_string(),
                };
                let id = call["id"].as_str().map_or_else(|| format!("call_{place}"), Into::into);
                let function = json!({"name": name, "arguments": arguments});
                Some(json!({"id": id, "type": "function", "function": function}))
            };
            let calls: Option<Vec<Value>> = calls.iter().enumerate().map(call).collect();
            vetted.insert("tool_calls".into(), Value::Array(calls?));
        }
        Some(_) => return None,
    }
    Some(Value::Object(vetted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_endpoint_answers_is_one_form_or_none() {
        let call = json!({"function": {"name": "act", "arguments": {"x": 1}}});
        let found =
            vetted(&json!({"content": [{"type": "text", "text": "a"}], "tool_calls": [call]}))
                .unwrap();
        assert_eq!(found["content"], "a");
        assert_eq!(found["tool_calls"][0]["function"]["arguments"], "{\"x\":1}");
        assert_eq!(found["tool_calls"][0]["id"], "call_0");
        for odd in [
            json!("a"),
            json!({"content": 3}),
            json!({"tool_calls": ["a", 3]}),
            json!({"content": [{"image": 1}]}),
        ] {
            assert_eq!(vetted(&odd), None, "{odd}");
        }
        assert_eq!(
            vetted(&json!({"tool_calls": []})).unwrap(),
            json!({"role": "assistant", "content": null})
        );
    }
}
