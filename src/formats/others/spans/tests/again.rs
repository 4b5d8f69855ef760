//! What is told twice, and what is done again.

use serde_json::{Value, json};

use super::{GAME, call, lines, records, seen, span, text, told};

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
