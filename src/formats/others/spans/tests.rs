//! Traces of every form, and what is no trace.

use serde_json::{Value, json};

use super::super::read;
use crate::error::Result;
use crate::store::Record;

fn records(text: &str) -> Result<Vec<Record>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("traces.jsonl");
    std::fs::write(&path, text).unwrap();
    read(&path, None)
}

/// What was thought, done and seen.
fn told(record: &Record) -> Vec<(Option<&str>, &str, &str)> {
    let thought =
        |t: usize| record.thoughts.iter().find(|one| one.t == t).map(|one| one.text.as_str());
    let steps = record.trajectory.steps.iter().enumerate();
    steps.map(|(t, step)| (thought(t), step.action.as_str(), step.observation.as_str())).collect()
}

fn text(role: &str, said: &str) -> Value {
    json!({"role": role, "parts": [{"type": "text", "content": said}]})
}

/// A call of the tool that acts, thought about or not.
fn call(thought: Option<&str>, command: &str) -> Value {
    let mut parts: Vec<Value> =
        thought.iter().map(|text| json!({"type": "reasoning", "content": text})).collect();
    let arguments = json!({"command": command});
    parts.push(json!({"type": "tool_call", "id": command, "name": "act", "arguments": arguments}));
    json!({"role": "assistant", "parts": parts, "finish_reason": "tool_call"})
}

fn seen(command: &str, said: &str) -> Value {
    json!({"role": "tool", "parts": [{"type": "tool_call_response", "id": command, "response": said}]})
}

fn span(trace: &str, start: u64, input: &Value, output: &Value) -> Value {
    json!({"name": "chat m", "context": {"trace_id": trace}, "start_time": start, "end_time": start as f64 + 0.5,
        "attributes": {"gen_ai.operation.name": "chat", "gen_ai.response.model": "m",
            "gen_ai.input.messages": input.to_string(), "gen_ai.output.messages": output.to_string()}})
}

const GAME: &str = "You are in a room. You see a desk 1.\n\nYour task is to: look at a mug.";

fn lines(spans: &[Value]) -> String {
    spans.iter().map(|span| format!("{span}\n")).collect()
}

#[test]
fn the_calls_of_a_trace_are_one_episode_and_what_was_thought_stays() {
    let first = json!([text("system", "Play."), text("user", GAME)]);
    let thoughtful = call(Some("A desk."), "go to desk 1");
    // What is sent back is the answer without what was thought; arguments may come as a text.
    let mut echo = call(None, "go to desk 1");
    echo["parts"][0]["arguments"] = json!({"command": "go to desk 1"}).to_string().into();
    let then = json!([first[0], first[1], echo, seen("go to desk 1", "You see a mug 1.")]);
    // What came of the last call of a tool its own span says alone.
    let tool = json!({"name": "execute_tool act", "context": {"trace_id": "t"}, "attributes": {"gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.call.id": "take mug 1", "gen_ai.tool.call.result": "You take it."}});
    let worth = json!({"name": "reward", "context": {"trace_id": "t"}, "attributes": {"agentlightning.reward.0.value": 1.0}});
    let agent = json!({"name": "invoke_agent", "context": {"trace_id": "t"}, "attributes": {"gen_ai.operation.name": "invoke_agent",
        "gen_ai.input.messages": [text("user", GAME)], "gen_ai.output.messages": [text("assistant", "Done.")]}});
    let after = span("t", 20, &then, &json!([call(None, "take mug 1")]));
    let before = span("t", 9, &first, &json!([thoughtful]));
    // In whatever order they were written.
    let all = [after, tool.clone(), worth, before, agent];
    let found = records(&lines(&all)).unwrap();
    assert_eq!(found.len(), 1);
    let Record { trajectory, origin, .. } = &found[0];
    assert_eq!(
        told(&found[0]),
        [
            (Some("A desk."), "go to desk 1", "You see a mug 1."),
            (None, "take mug 1", "You take it.")
        ]
    );
    assert_eq!((trajectory.suite.as_str(), trajectory.task_id.as_str()), ("otel", "t"));
    assert_eq!((trajectory.actor.as_str(), trajectory.task.as_str()), ("m", "look at a mug."));
    assert!(trajectory.success());
    let source: Value = serde_json::from_str(&origin.as_ref().unwrap().source).unwrap();
    assert!(all.iter().all(|span| source["spans"].as_array().unwrap().contains(span)), "{source}");
}

#[test]
fn what_does_not_go_on_is_an_episode_of_its_own() {
    let asked = json!([text("user", GAME)]);
    let went = |command: &str| json!([asked[0], call(None, command), seen(command, "Seen.")]);
    let answer = |command: &str| json!([call(None, command)]);
    let spans = [
        span("t", 1, &asked, &answer("go")),
        span("t", 2, &went("go"), &answer("take")),
        // Asked once more, told by two at a time, and another conversation of that trace.
        span("t", 3, &asked, &answer("wait")),
        span("t", 3, &asked, &answer("wait")),
        span("t", 4, &json!([text("user", "Sum up.")]), &json!([text("assistant", "It went.")])),
        span("u", 1, &asked, &answer("go")),
    ];
    let found = records(&lines(&spans)).unwrap();
    let all: Vec<(&str, usize)> = found
        .iter()
        .map(|record| (record.trajectory.task_id.as_str(), record.trajectory.steps.len()))
        .collect();
    assert_eq!(all, [("t", 2), ("t 2", 1), ("t 3", 1), ("u", 1)]);
    // Nothing says what it came to.
    assert!(found.iter().all(|record| !record.trajectory.success()));
    // Of several answers the one that was gone on from was taken; at the end nobody says which.
    let both = json!([call(None, "wait"), call(None, "go")]);
    let mut first = span("t", 1, &asked, &both);
    first["attributes"]["gen_ai.request.choice.count"] = 2.into();
    let spans = [first, span("t", 2, &went("go"), &answer("take"))];
    assert_eq!(told(&records(&lines(&spans)).unwrap()[0])[0].1, "go");
    assert!(records(&lines(&spans[..1])).is_err());
}

#[test]
fn what_was_said_of_one_conversation_is_not_said_of_another() {
    let asked = json!([text("user", GAME)]);
    let within = |span: Value, id: &str, parent: &str| {
        let mut span = span;
        span["context"]["span_id"] = id.into();
        span["parent_id"] = parent.into();
        span
    };
    let worth = |parent: &str, value: Value| {
        let said = json!({"name": "reward", "context": {"trace_id": "t"}, "attributes": {"agentlightning.reward.0.value": value}});
        within(said, "", parent)
    };
    let call = |at: u64, parent: &str, command: &str| {
        within(span("t", at, &asked, &json!([call(None, command)])), &format!("c{at}"), parent)
    };
    let won = |spans: &[Value]| -> Vec<bool> {
        let found = records(&lines(spans)).unwrap();
        found.iter().map(|record| record.trajectory.success()).collect()
    };
    // Two tries of one agent: nobody says which was worth it.
    let agent = within(span("t", 1, &json!([]), &json!([])), "a", "");
    let tries = [agent.clone(), call(2, "a", "go"), call(3, "a", "take"), worth("a", json!(1))];
    assert_eq!(won(&tries), [false, false]);
    let other = within(span("t", 1, &json!([]), &json!([])), "b", "");
    let two = [agent, other, call(2, "a", "go"), call(3, "b", "take"), worth("b", json!("1.0"))];
    assert_eq!(won(&two), [false, true]);
    assert_eq!(won(&[call(2, "", "go"), worth("", json!(1))]), [true]);
    let error = records(&lines(&[call(2, "", "go"), worth("", json!("good"))])).unwrap_err();
    assert!(error.to_string().contains("is no number"), "{error}");
}

#[test]
fn a_conversation_has_one_name_and_what_is_told_twice_is_one() {
    let first = json!([text("system", "It is 9:00."), text("user", GAME)]);
    let later = json!([
        text("system", "It is 9:05."),
        text("user", GAME),
        call(None, "go"),
        seen("go", "Seen.")
    ]);
    let named = |trace: &str, at: u64, input: &Value, output: Value| {
        let mut span = span(trace, at, input, &output);
        span["attributes"]["gen_ai.conversation.id"] = "c".into();
        span
    };
    // Each in a trace of its own; the reward has the first one's trace alone.
    let worth = json!({"name": "reward", "context": {"trace_id": "t"}, "attributes": {"agentlightning.reward.0.value": 1}});
    let mut over = named("u", 2, &later, json!([call(None, "take")]));
    over["context"]["span_id"] = "framework".into();
    let mut under = span("u", 3, &later, &json!([call(None, "take")]));
    under["parent_id"] = "framework".into();
    let found =
        records(&lines(&[named("t", 1, &first, json!([call(None, "go")])), worth, over, under]))
            .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(told(&found[0]), [(None, "go", "Seen."), (None, "take", "")]);
    assert_eq!(found[0].trajectory.task_id, "c");
    assert!(found[0].trajectory.success());
}

#[test]
fn an_answer_may_be_several_messages_and_one_that_was_cut_off_is_none() {
    let asked = json!([text("user", GAME)]);
    let parts = json!([{"role": "assistant", "parts": [{"type": "reasoning", "content": "Look."}]}, call(None, "go")]);
    let found = records(&lines(&[span("t", 1, &asked, &parts)])).unwrap();
    assert_eq!(told(&found[0]), [(Some("Look."), "go", "")]);
    let mut cut = text("assistant", "I would go to the");
    cut["finish_reason"] = "length".into();
    let history = json!([asked[0], call(None, "go"), seen("go", "Seen.")]);
    let spans =
        [span("t", 1, &asked, &json!([call(None, "go")])), span("t", 2, &history, &json!([cut]))];
    assert_eq!(told(&records(&lines(&spans)).unwrap()[0]), [(None, "go", "")]);
    // Other operations than the convention's are calls as well; an agent's turn counts where there are none.
    for (operation, count) in [("ponder", 1), ("invoke_agent", 1), ("execute_tool", 0)] {
        let mut one = span("t", 1, &asked, &json!([call(None, "go")]));
        one["attributes"]["gen_ai.operation.name"] = operation.into();
        assert_eq!(records(&lines(&[one])).map_or(0, |found| found.len()), count, "{operation}");
    }
}

#[test]
fn messages_are_the_same_however_they_were_written() {
    let asked = json!([text("user", GAME)]);
    let act =
        |arguments: Value| json!({"type": "tool_call", "name": "act", "arguments": arguments});
    let says = |parts: Value| json!({"role": "assistant", "parts": parts});
    let block = |text: &str| json!({"type": "text", "content": text});
    for (answer, echo) in [
        (says(json!([act(json!({"x": 1}))])), says(json!([act(json!("{\"x\": 1.0}"))]))),
        (says(json!([act(Value::Null)])), says(json!([act(json!(""))]))),
        (says(json!([block("go"), block("on")])), says(json!([block("go on")]))),
        (says(json!([block("<think>Hm.</think>go")])), says(json!([block("go")]))),
        (says(json!([block("go")])), json!({"role": "model", "content": "go"})),
    ] {
        let history = json!([asked[0], echo, text("user", "Seen.")]);
        let spans = [
            span("t", 1, &asked, &json!([answer])),
            span("t", 2, &history, &json!([text("assistant", "end")])),
        ];
        let found = records(&lines(&spans)).unwrap();
        assert_eq!((found.len(), found[0].trajectory.steps.len()), (1, 2), "{answer} {echo}");
    }
    // A window on what was said, and a batch that was exported twice.
    let one = |n: usize| [call(None, &format!("go {n}")), seen("", &format!("Seen {n}."))];
    let history: Vec<Value> = (0..6).flat_map(one).collect();
    let whole = [asked.as_array().unwrap().clone(), history].concat();
    let windows: Vec<Value> = (0..5_usize)
        .map(|n| {
            let end = 1 + 2 * n;
            let input = json!(whole[end.saturating_sub(5)..end]);
            let mut span = span("t", n as u64, &input, &json!([whole[end]]));
            span["context"]["span_id"] = n.to_string().into();
            span
        })
        .collect();
    let found = records(&lines(&[windows.clone(), windows].concat())).unwrap();
    assert_eq!((found.len(), found[0].trajectory.steps.len()), (1, 5));
}

#[test]
fn who_does_the_same_again_does_it_again() {
    let act = || call(None, "look");
    let nothing = || seen("look", "Nothing.");
    let whole: Vec<Value> =
        [text("user", GAME)].into_iter().chain((0..10).flat_map(|_| [act(), nothing()])).collect();
    // A window of three messages.
    let spans: Vec<Value> = (0..10)
        .map(|n| {
            let end = 1 + 2 * n;
            span("t", n as u64, &json!(whole[end.max(3) - 3..end]), &json!([act()]))
        })
        .collect();
    let found = records(&lines(&spans)).unwrap();
    assert_eq!((found.len(), found[0].trajectory.steps.len()), (1, 10));
    // Other words are other ones, and old calls of functions are calls.
    let asked = json!([text("user", GAME)]);
    let old = |name: &str| json!([{"role": "assistant", "content": "So.", "function_call": {"name": name, "arguments": "{}"}}]);
    let spans = [
        span("t", 1, &asked, &json!([text("assistant", "press 1 2")])),
        span("t", 1, &asked, &json!([text("assistant", "press 12")])),
        span("t", 1, &asked, &old("go")),
        span("t", 1, &asked, &old("take")),
    ];
    let found = records(&lines(&spans)).unwrap();
    let done: Vec<_> = found.iter().map(|one| told(one)[0].1.to_string()).collect();
    assert_eq!(done, ["press 1 2", "press 12", "go {}", "take {}"]);
}

#[test]
fn a_span_over_others_is_the_same_call_or_their_summary() {
    let asked = json!([text("user", GAME)]);
    let within = |mut span: Value, id: &str, parent: &str| {
        span["context"]["span_id"] = id.into();
        span["parent_id"] = parent.into();
        span
    };
    let tool = |at: u64, parent: &str, said: &str| {
        within(
            json!({"name": "tool", "context": {"trace_id": "t"}, "start_time": at, "attributes": {"gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.call.id": "look", "gen_ai.tool.call.result": said}}),
            &format!("tool {at}"),
            parent,
        )
    };
    let history = json!([asked[0], call(None, "look"), seen("look", "A mug.")]);
    let end = json!([text("assistant", "Done.")]);
    let spans = [
        within(span("t", 1, &asked, &end), "whole", ""),
        within(span("t", 2, &asked, &json!([call(None, "look")])), "a", "whole"),
        within(span("t", 4, &history, &end), "b", "whole"),
        within(span("t", 5, &history, &end), "c", "b"),
    ];
    let found = records(&lines(&spans)).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(told(&found[0]), [(None, "look", "A mug."), (None, "Done.", "")]);
    // Two games in which calls have the same ids.
    let spans = [
        within(span("t", 1, &asked, &json!([call(None, "look")])), "a", "one"),
        tool(2, "one", "In one."),
        within(span("t", 3, &asked, &json!([call(None, "look")])), "b", "two"),
        tool(4, "two", "In two."),
    ];
    let found = records(&lines(&spans)).unwrap();
    let all: Vec<_> = found.iter().map(|one| told(one)[0].2.to_string()).collect();
    assert_eq!(all, ["In one.", "In two."]);
}

#[test]
fn what_a_limit_took_away_is_missed() {
    let of = |attributes: Value, dropped: u64| json!({"name": "chat", "traceId": "t", "droppedAttributesCount": dropped, "attributes": attributes});
    let old = |n: usize| {
        json!({format!("gen_ai.prompt.{n}.role"): "user", format!("gen_ai.prompt.{n}.content"): GAME,
            "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "go"})
    };
    assert_eq!(told(&records(&of(old(0), 0).to_string()).unwrap()[0]), [(None, "go", "")]);
    let mut nobody = old(0);
    nobody.as_object_mut().unwrap().remove("gen_ai.prompt.0.role");
    for (span, said) in [
        (of(old(0), 3), "3 attributes"),
        (of(old(1), 0), "gen_ai.prompt.0 is not there"),
        (of(nobody, 0), "gen_ai.prompt.0.role is not there"),
    ] {
        let error = records(&span.to_string()).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn blocks_that_are_written_as_text_are_read() {
    let blocks = json!([{"type": "thinking", "thinking": "Hm."}, {"type": "tool_use", "id": "1", "name": "act", "input": {"command": "go"}}]);
    let result = json!([{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "Seen."}]}]);
    let old = json!({"name": "anthropic.chat", "trace_id": "x", "attributes": {
        "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": GAME,
        "gen_ai.prompt.1.role": "assistant", "gen_ai.prompt.1.content": blocks.to_string(),
        "gen_ai.prompt.2.role": "user", "gen_ai.prompt.2.content": result.to_string(),
        "gen_ai.completion.0.role": "thinking", "gen_ai.completion.0.content": "So.",
        "gen_ai.completion.1.role": "assistant", "gen_ai.completion.1.content": "",
        "gen_ai.completion.1.tool_calls.0.function.name": "act",
        "gen_ai.completion.1.tool_calls.0.function.arguments": "{\"command\": \"take\"}"}});
    // As some print them, over several lines.
    let text =
        format!("{old:#}\n{:#}\n", json!({"name": "other", "trace_id": "x", "attributes": {}}));
    let found = records(&text).unwrap();
    assert_eq!(told(&found[0]), [(Some("Hm."), "go", "Seen."), (Some("So."), "take", "")]);
}

#[test]
fn a_call_may_say_what_it_goes_on_from_and_send_only_what_is_new() {
    let named = |at: u64, own: &str, before: Option<&str>, input: Value, output: Value| {
        let mut span = span("t", at, &input, &output);
        span["attributes"]["gen_ai.response.id"] = own.into();
        let told = json!([{"type": "text", "content": "Play."}]);
        span["attributes"]["gen_ai.system_instructions"] = told.to_string().into();
        if let Some(before) = before {
            span["attributes"]["gen_ai.request.previous_response.id"] = before.into();
        }
        span
    };
    let first = named(1, "r1", None, json!([text("user", GAME)]), json!([call(None, "go")]));
    let next =
        named(2, "r2", Some("r1"), json!([seen("go", "A mug.")]), json!([call(None, "take")]));
    let found = records(&lines(&[first.clone(), next.clone()])).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(told(&found[0]), [(None, "go", "A mug."), (None, "take", "")]);
    // Gone on from again it is another one.
    let again =
        named(3, "r3", Some("r1"), json!([seen("go", "A cup.")]), json!([call(None, "wait")]));
    let found = records(&lines(&[first, next.clone(), again])).unwrap();
    assert_eq!(told(&found[1]), [(None, "go", "A cup."), (None, "wait", "")]);
    let error = records(&lines(&[next])).unwrap_err().to_string();
    assert!(error.contains("goes on from the answer r1"), "{error}");
}

#[test]
fn otlp_and_numbered_attributes_are_read() {
    let pair = |key: &str, text: &str| json!({"key": key, "value": {"stringValue": text}});
    let part = |kind: &str, said: &str| json!({"kvlistValue": {"values": [pair("type", kind), pair("content", said)]}});
    let message = |role: &str, said: &str| {
        let parts =
            json!({"key": "parts", "value": {"arrayValue": {"values": [part("text", said)]}}});
        json!({"arrayValue": {"values": [{"kvlistValue": {"values": [pair("role", role), parts]}}]}})
    };
    let batch = json!({"resourceSpans": [{"resource": {"attributes": [pair("service.name", "game")]},
        "scopeSpans": [{"spans": [{"name": "chat", "traceId": "ab", "startTimeUnixNano": "17", "attributes": [
            {"key": "gen_ai.input.messages", "value": message("user", GAME)},
            {"key": "gen_ai.output.messages", "value": message("assistant", "Action: look")},
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}}]}]}]}]});
    let found = records(&format!("{batch}\n")).unwrap();
    assert_eq!(told(&found[0]), [(None, "look", "")]);
    let source: Value = serde_json::from_str(&found[0].origin.as_ref().unwrap().source).unwrap();
    let kept = &source["spans"][0];
    assert_eq!(kept["attributes"]["gen_ai.usage.input_tokens"], 12);
    let resource = &source["resources"][kept["in_resource"].as_u64().unwrap() as usize];
    assert_eq!(resource["resource"]["attributes"]["service.name"], "game");
    let old = json!({"name": "openai.chat", "trace_id": "x", "attributes": {
        "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": GAME,
        "gen_ai.prompt.1.role": "assistant", "gen_ai.prompt.1.tool_calls.0.name": "act",
        "gen_ai.prompt.1.tool_calls.0.arguments": "{\"command\": \"look\"}",
        "gen_ai.prompt.2.role": "tool", "gen_ai.prompt.2.content": "A mug.",
        "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "take mug 1"}});
    let found = records(&old.to_string()).unwrap();
    assert_eq!(told(&found[0]), [(None, "look", "A mug."), (None, "take mug 1", "")]);
}

#[test]
fn spans_without_words_or_with_half_of_them_are_refused() {
    let bare = json!({"name": "chat", "attributes": {"gen_ai.operation.name": "chat"}});
    let error = records(&bare.to_string()).unwrap_err();
    assert!(error.to_string().contains("none of them says a whole answer"), "{error}");
    let cut =
        json!({"name": "chat", "attributes": {"gen_ai.output.messages": "[{\"role\": \"assist"}});
    let error = records(&cut.to_string()).unwrap_err().to_string();
    assert!(error.contains("gen_ai.output.messages: no list"), "{error}");
    let alone = json!({"name": "chat", "attributes": {"gen_ai.output.messages": [text("assistant", "Go.")]}});
    let error = records(&alone.to_string()).unwrap_err().to_string();
    assert!(error.contains("not said what was asked"), "{error}");
    // What has its messages in fields of its own is no span.
    let chat = json!({"name": "x", "attributes": {}, "messages": [{"role": "user", "content": "Go."}, {"role": "assistant", "content": "go"}]});
    assert_eq!(told(&records(&chat.to_string()).unwrap()[0]), [(None, "go", "")]);
    let odd = json!({"name": "chat", "trace_id": "t", "attributes": [{"key": "x", "value": {"newValue": 1}}]});
    let error = records(&odd.to_string()).unwrap_err().to_string();
    assert!(error.contains("attribute x") && error.contains("newValue"), "{error}");
}
