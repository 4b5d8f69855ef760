//! However spans are written, and what is no trace.

use serde_json::{Value, json};

use super::{GAME, records, text, told};

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
