use serde_json::json;

use super::*;

fn read(choice: &Value) -> Said {
    said(choice, 0).unwrap()
}

#[test]
fn a_thought_has_three_names_and_one_more_form() {
    for name in ["reasoning_content", "reasoning", "thinking"] {
        for part in ["message", "delta"] {
            let found = read(&json!({ part: { "content": "go", name: "why" } }));
            assert_eq!((found.text.as_str(), found.reasoning.as_str()), ("go", "why"));
        }
    }
    let both =
        json!({ "message": { "content": "go", "reasoning": "why", "reasoning_content": "why" } });
    assert_eq!(read(&both).reasoning, "why");
    let parts = json!({ "message": { "content": [
        { "type": "thinking", "thinking": [{ "type": "text", "text": "why" }] },
        { "type": "text", "text": "go" },
    ] } });
    assert_eq!((read(&parts).text, read(&parts).reasoning), ("go".into(), "why".into()));
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    for (choice, why) in [
        (json!({}), "neither message"),
        (json!({ "message": { "content": 3 } }), "neither text nor parts"),
        (json!({ "message": { "content": [{ "type": "image" }] } }), "image"),
        (json!({ "index": "x", "text": "" }), "index"),
        (json!({ "text": "a", "logprobs": { "tokens": ["a"], "token_logprobs": [] } }), "fewer"),
        (json!({ "text": "a", "logprobs": { "content": [{ "token": "a" }] } }), "logprob"),
    ] {
        let error = said(&choice, 0).unwrap_err().error;
        assert!(error.message().contains(why), "{error}");
    }
}

#[test]
fn logprobs_come_in_two_forms() {
    let chat =
        json!({ "text": "", "logprobs": { "content": [{ "token": "a", "logprob": -0.5 }] } });
    assert_eq!(read(&chat).tokens, [("a".into(), -0.5)]);
    let old =
        json!({ "text": "", "logprobs": { "tokens": ["x", "a"], "token_logprobs": [null, -0.5] } });
    assert_eq!(read(&old).tokens, [("a".into(), -0.5)]);
    assert_eq!(read(&json!({ "text": "", "logprobs": null })).tokens, []);
}

#[test]
fn complaints_are_found_in_all_forms() {
    for value in [
        json!({ "error": { "message": "no", "code": 500 } }),
        json!({ "error": "no" }),
        json!({ "object": "error", "message": "no" }),
        json!({ "detail": "no" }),
        json!({ "message": "no" }),
    ] {
        assert_eq!(complaint(&value).as_deref(), Some("no"), "{value}");
    }
    assert_eq!(complaint(&json!({ "detail": [{ "loc": 1 }] })).unwrap(), "[{\"loc\":1}]");
    assert_eq!(error_inside(&json!({ "choices": [], "message": "x" })), None);
    let coded = |code| error_inside(&json!({ "error": { "message": "no", "code": code } }));
    assert_eq!(coded(json!(503)), Some(("no".into(), true)));
    assert_eq!(coded(json!("429")), Some(("no".into(), true)));
    assert_eq!(coded(json!("context_length_exceeded")), Some(("no".into(), false)));
}
