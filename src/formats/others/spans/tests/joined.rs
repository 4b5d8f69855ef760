//! Which calls are one episode.

use serde_json::{Value, json};

use super::{GAME, call, lines, records, seen, span, text, told};
use crate::store::Record;

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
