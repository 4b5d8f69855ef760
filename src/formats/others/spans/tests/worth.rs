//! What an episode was worth, and what an answer is.

use serde_json::{Value, json};

use super::{GAME, call, lines, records, seen, span, text, told};

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
fn an_answer_may_be_several_messages_and_one_that_was_cut_off_is_none() {
    let asked = json!([text("user", GAME)]);
    let parts = json!([{"role": "assistant", "parts": [{"type": "reasoning", "content": "Look."}]}, call(None, "go")]);
    let found = records(&lines(&[span("t", 1, &asked, &parts)])).unwrap();
    assert_eq!(told(&found[0]), [(Some("Look."), "go", "")]);
    let mut cut = text("assistant", "I would go to the");
    cut["finish_reason"] = "length".into();
    let history = json!([asked[0], call(None, "go"), seen("go", "Seen.")]);
    let first = span("t", 1, &asked, &json!([call(None, "go")]));
    let mut anthropic = cut.clone();
    anthropic["finish_reason"] = "max_tokens".into();
    let thought = json!([{"role": "thinking", "content": "Hm."}, cut]);
    let mut of_span = span("t", 2, &history, &json!([text("assistant", "I would go to the")]));
    of_span["attributes"]["gen_ai.response.finish_reasons"] = json!(["MAX_TOKENS"]);
    let empty = json!([{"role": "assistant", "parts": [{"type": "reasoning", "content": "Hm."}]}]);
    for second in [
        span("t", 2, &history, &json!([cut])),
        span("t", 2, &history, &json!([anthropic])),
        span("t", 2, &history, &thought),
        span("t", 2, &history, &empty),
        of_span,
    ] {
        let found = records(&lines(&[first.clone(), second.clone()])).unwrap();
        assert_eq!((found.len(), told(&found[0])), (1, vec![(None, "go", "")]), "{second}");
    }
    let odd = span("t", 1, &asked, &json!(["b", {"role": "assistant", "content": "x"}]));
    let error = records(&lines(&[odd])).unwrap_err().to_string();
    assert!(error.contains("a message that is no object"), "{error}");
    // Other operations than the convention's are calls as well; an agent's turn counts where there are none.
    for (operation, count) in [("ponder", 1), ("invoke_agent", 1), ("execute_tool", 0)] {
        let mut one = span("t", 1, &asked, &json!([call(None, "go")]));
        one["attributes"]["gen_ai.operation.name"] = operation.into();
        assert_eq!(records(&lines(&[one])).map_or(0, |found| found.len()), count, "{operation}");
    }
}
