use serde_json::{Map, Value, json};

use super::*;
use crate::gateway::{Answered, Tokens};

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn answered(message: Value, finish: &str) -> Answered {
    Answered { message, finish: finish.into(), usage: (7, 3), tokens: None, cost: None, seed: None }
}

fn act() -> Answered {
    let function = json!({"name": "act", "arguments": "{\"command\":\"look\"}"});
    let call = json!({"id": "call_1", "type": "function", "function": function});
    answered(json!({"role": "assistant", "content": null, "tool_calls": [call]}), "tool_calls")
}

/// A game of two turns, as each of three dialects says it.
fn games() -> [(Dialect, Value); 3] {
    let schema = json!({"type": "object", "properties": {"command": {"type": "string"}}});
    let call = json!({"id": "c1", "type": "function", "function": {"name": "act", "arguments": "{\"command\":\"look\"}"}});
    let chat = json!({"model": "m", "temperature": 0.5, "max_tokens": 9,
        "tools": [{"type": "function", "function": {"name": "act", "description": "d", "parameters": schema}}],
        "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "U"},
            {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "seen"}]});
    let responses = json!({"model": "m", "temperature": 0.5, "max_output_tokens": 9, "instructions": "S",
        "tools": [{"type": "function", "name": "act", "description": "d", "parameters": schema}],
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "U"}]},
            {"type": "reasoning", "summary": []},
            {"type": "function_call", "call_id": "c1", "name": "act", "arguments": "{\"command\":\"look\"}"},
            {"type": "function_call_output", "call_id": "c1", "output": "seen"}]});
    let messages = json!({"model": "m", "temperature": 0.5, "max_tokens": 9, "system": [{"type": "text", "text": "S"}],
        "tools": [{"name": "act", "description": "d", "input_schema": schema}],
        "messages": [{"role": "user", "content": "U"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "act", "input": {"command": "look"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "seen"}]}]}]});
    [(Dialect::Chat, chat), (Dialect::Responses, responses), (Dialect::Messages, messages)]
}

#[test]
fn one_game_is_the_same_in_every_dialect() {
    let read = games().map(|(dialect, body)| dialect.read(object(&body)).unwrap());
    for asked in &read {
        assert_eq!(asked.messages(), read[0].messages(), "{:?}", asked.dialect);
        assert_eq!(asked.tools(), read[0].tools());
        for field in ["temperature", "max_tokens", "model"] {
            assert_eq!(asked.body.get(field), read[0].body.get(field), "{:?}", asked.dialect);
        }
    }
}

#[test]
fn an_answer_says_the_same_whole_and_as_a_stream() {
    let games = games().map(|(dialect, body)| (dialect, dialect.read(object(&body)).unwrap()));
    let words = answered(json!({"role": "assistant", "content": "It is \"done\"."}), "stop");
    for answered in [act(), words] {
        for (dialect, asked) in &games {
            let reply = Reply { asked, answered: &answered, call: 5, now: 1 };
            let whole = dialect.whole(&reply);
            let events = dialect.events(&reply);
            match dialect {
                Dialect::Chat => {
                    let pieces: Vec<&Value> =
                        events.iter().map(|(_, event)| &event["choices"][0]["delta"]).collect();
                    let message = &whole["choices"][0]["message"];
                    let text: String =
                        pieces.iter().filter_map(|piece| piece["content"].as_str()).collect();
                    assert_eq!(text, message["content"].as_str().unwrap_or_default());
                    let mut call =
                        pieces.iter().find_map(|piece| piece["tool_calls"][0].as_object()).cloned();
                    if let Some(call) = &mut call {
                        assert_eq!(call.remove("index"), Some(json!(0)));
                    }
                    assert_eq!(call.map_or(Value::Null, Value::Object), message["tool_calls"][0]);
                    let last = &events[events.len() - 2].1["choices"][0]["finish_reason"];
                    assert_eq!(*last, whole["choices"][0]["finish_reason"]);
                }
                Dialect::Responses => {
                    let numbers: Vec<u64> = events
                        .iter()
                        .map(|(_, event)| event["sequence_number"].as_u64().unwrap())
                        .collect();
                    assert!(numbers.iter().enumerate().all(|(i, n)| i as u64 == *n));
                    assert_eq!(events.last().unwrap().1["response"], whole);
                    let done =
                        events.iter().find(|(name, _)| *name == Some("response.output_item.done"));
                    assert_eq!(done.unwrap().1["item"], whole["output"][0]);
                }
                Dialect::Messages => {
                    let block = &whole["content"][0];
                    let deltas: Vec<&Value> =
                        events.iter().map(|(_, event)| &event["delta"]).collect();
                    let json: String =
                        deltas.iter().filter_map(|delta| delta["partial_json"].as_str()).collect();
                    let text: String =
                        deltas.iter().filter_map(|delta| delta["text"].as_str()).collect();
                    if block["type"] == "tool_use" {
                        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), block["input"]);
                    } else {
                        assert_eq!(text, block["text"].as_str().unwrap());
                    }
                    let ended = &events[events.len() - 2].1["delta"]["stop_reason"];
                    assert_eq!(*ended, whole["stop_reason"]);
                }
                Dialect::Completions => unreachable!("not among the games"),
            }
        }
    }
}

#[test]
fn tokens_are_said_where_they_are_asked_for() {
    let tokens =
        Tokens { ids: vec![4, 5], logps: vec![-0.5, -0.25], temperature: 1.0, prompt: Vec::new() };
    let answered = Answered { tokens: Some(tokens), ..act() };
    let body = json!({"messages": [{"role": "user", "content": "U"}], "return_token_ids": true});
    let asked = Dialect::Chat.read(object(&body)).unwrap();
    let whole = Dialect::Chat.whole(&Reply { asked: &asked, answered: &answered, call: 1, now: 1 });
    assert_eq!(whole["choices"][0]["token_ids"], json!([4, 5]));
    assert_eq!(whole["choices"][0]["token_logprobs"], json!([-0.5, -0.25]));
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    let messages = json!([{"role": "user", "content": "U"}]);
    for (dialect, body, named) in [
        (Dialect::Chat, json!({"messages": messages, "n": 2}), "n:"),
        (Dialect::Chat, json!({"messages": []}), "messages"),
        (Dialect::Chat, json!({"messages": [{"content": "x"}]}), "role"),
        (Dialect::Chat, json!({"messages": messages, "stream": "yes"}), "stream"),
        (Dialect::Completions, json!({"prompt": ["a", "b"]}), "prompt"),
        (Dialect::Completions, json!({"prompt": "a", "echo": true}), "echo"),
        (Dialect::Responses, json!({"input": 3}), "input"),
        (Dialect::Responses, json!({"input": "a", "colour": 1}), "colour"),
        (
            Dialect::Responses,
            json!({"input": "a", "tools": [{"type": "web_search"}]}),
            "web_search",
        ),
        (
            Dialect::Responses,
            json!({"input": [{"type": "item_reference", "id": "x"}]}),
            "item_reference",
        ),
        (Dialect::Messages, json!({"messages": messages, "colour": 1}), "colour"),
        (
            Dialect::Messages,
            json!({"messages": messages, "tools": [{"type": "bash_20250124", "name": "bash"}]}),
            "bash",
        ),
        (Dialect::Messages, json!({"messages": [{"role": "tool", "content": "x"}]}), "role"),
    ] {
        let refused = dialect.read(object(&body)).unwrap_err();
        assert_eq!(refused.status, 400);
        assert!(refused.message.contains(named), "{body}: {}", refused.message);
    }
}
