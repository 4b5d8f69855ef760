use foretaste::agent::endpoint::{Finish, Profile};
use serde_json::json;

use super::*;

fn delta(text: &str) -> String {
    json!({ "choices": [{ "index": 0, "delta": { "content": text } }] }).to_string()
}

fn end() -> String {
    json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }).to_string()
}

fn said(fault: Fault) -> String {
    streams(fault).unwrap().choices.remove(0).text
}

#[test]
fn events_may_be_written_in_many_ways() {
    let (a, b, z) = (delta("gé "), delta("😀"), end());
    for text in [
        format!("data: {a}\n\ndata: {b}\n\ndata: {z}\n\ndata: [DONE]\n\n"),
        format!("data:{a}\r\n\r\ndata:{b}\r\n\r\ndata:{z}\r\n\r\ndata:[DONE]\r\n\r\n"),
        format!("\u{feff}: hello\n\ndata: {a}\n\n: ping\n\n: ping\n\ndata: {b}\n\ndata: {z}\n\n"),
        // Data on two lines.
        format!("data: {}\ndata: {}\n\ndata: {b}\n\ndata: {z}\n\n", &a[..12], &a[12..]),
        // No end is said but the last word.
        format!("data: {a}\n\ndata: {b}\n\ndata: [DONE]\n\n"),
        // The same event twice, by its number.
        format!("id: 1\ndata: {a}\n\nid: 1\ndata: {a}\n\nid: 2\ndata: {b}\n\ndata: {z}\n\n"),
        // The last one twice.
        format!("data: {a}\n\ndata: {b}\n\ndata: {z}\n\ndata: {z}\n\ndata: [DONE]\n\n"),
        format!("event: message\nretry: 3\ndata: {a}\n\ndata: {b}\n\ndata: {z}\n\ndata: {b}\n\n"),
    ] {
        assert_eq!(said(Fault::stream(&text)), "gé 😀", "{text}");
        // A character may be cut anywhere.
        for size in [1, 3, 7] {
            assert_eq!(said(Fault::in_pieces(&text, size)), "gé 😀", "{size} {text}");
        }
    }
}

#[test]
fn an_end_that_is_not_said_is_called_so() {
    let text = format!("data: {}\n\ndata: [DONE]\n\n", delta("go"));
    let reply = streams(Fault::stream(&text)).unwrap();
    assert_eq!(reply.choices[0].finished, Finish::Other("unsaid".into()));
}

#[test]
fn a_stream_that_said_all_and_does_not_hang_up_is_not_waited_for() {
    let text = format!("data: {}\n\ndata: {}\n\n", delta("go"), end());
    let began = std::time::Instant::now();
    assert_eq!(said(Fault::Hang { kind: "text/event-stream", pieces: vec![text.into()] }), "go");
    assert!(began.elapsed().as_millis() < 1500);
}

#[test]
fn a_thought_in_a_stream_is_not_shown() {
    let mut text = String::new();
    for piece in ["<th", "ink>\nwh", "y</th", "ink>\n\n", "go", " on"] {
        text.push_str(&format!("data: {}\n\n", delta(piece)));
    }
    text.push_str(&format!("data: {}\n\n", end()));
    let stub = Stub::new(As::Hosted);
    stub.then([Fault::stream(&text)]);
    let mut shown = String::new();
    let reply = ask_seeing(&open(&stub), streamed(), &mut |_, _, text| shown.push_str(text));
    let choice = reply.unwrap().choices.remove(0);
    assert_eq!((shown.as_str(), choice.text.as_str()), ("go on", "go on"));
    assert_eq!(choice.reasoning.as_deref(), Some("why"));
}

#[test]
fn a_thought_that_the_template_opened_is_not_shown_where_the_profile_says_so() {
    let text =
        format!("data: {}\n\ndata: {}\n\ndata: {}\n\n", delta("why</th"), delta("ink>go"), end());
    for thinks_first in [false, true] {
        let stub = Stub::new(As::Hosted);
        stub.then([Fault::stream(&text)]);
        let endpoint = Endpoint::open(Profile { thinks_first, ..profile(&stub) }).unwrap();
        let mut shown = String::new();
        let reply = ask_seeing(&endpoint, streamed(), &mut |_, _, text| shown.push_str(text));
        let choice = reply.unwrap().choices.remove(0);
        assert_eq!((choice.text.as_str(), choice.reasoning.as_deref()), ("go", Some("why")));
        assert_eq!(shown == "go", thinks_first);
    }
}

#[test]
fn thoughts_in_fields_of_a_stream_are_put_together() {
    for name in ["reasoning_content", "reasoning", "thinking"] {
        let thought = |text: &str| json!({ "choices": [{ "delta": { name: text } }] });
        let text = format!(
            "data: {}\n\ndata: {}\n\ndata: {}\n\ndata: {}\n\n",
            thought("wh"),
            thought("y"),
            delta("go"),
            end()
        );
        let choice = streams(Fault::stream(&text)).unwrap().choices.remove(0);
        assert_eq!((choice.text.as_str(), choice.reasoning.as_deref()), ("go", Some("why")));
    }
}

#[test]
fn an_error_in_a_stream_is_one() {
    for (text, why) in [
        ("data: {\"error\":{\"message\":\"out of memory\"}}\n\n", "out of memory"),
        ("event: error\ndata: {\"message\":\"out of memory\"}\n\n", "out of memory"),
        ("data: {\"choi\n\n", "not JSON"),
        ("data: 3\n\n", "no choices"),
        ("data: {\"choices\":[{\"index\":0}]}\n\n", "neither message"),
    ] {
        let error = streams(Fault::stream(text)).unwrap_err();
        assert!(error.message().contains(why), "{error}");
        assert!(lasting(&error), "{error}");
    }
    let stub = Stub::new(As::Hosted);
    stub.then(vec![Fault::stream(": ping\n\ndata: [DONE]\n\n"); 3]);
    let error = ask(&open(&stub), streamed()).unwrap_err();
    assert!(error.message().contains("no answer in it"), "{error}");
}

#[test]
fn a_server_that_does_not_stream_answers_all_the_same() {
    let text = "{\"choices\":[{\"message\":{\"content\":\"go\"},\"finish_reason\":\"stop\"}]}";
    let stub = Stub::new(As::Hosted);
    stub.then([Fault::json(text)]);
    let mut shown = String::new();
    ask_seeing(&open(&stub), streamed(), &mut |_, _, text| shown.push_str(text)).unwrap();
    assert_eq!(shown, "go");
    // And one that always does.
    let text = format!("data: {}\n\ndata: {}\n\n", delta("go"), end());
    assert_eq!(meets(Fault::stream(&text)).unwrap().choices[0].text, "go");
}

#[test]
fn answers_may_come_one_after_the_other_with_a_pause_between_them() {
    let choice = |index: usize, finish: &str| {
        let choice = json!({ "index": index, "text": "go", "finish_reason": finish });
        format!("data: {}\n\n", json!({ "choices": [choice] })).into_bytes()
    };
    let pieces = vec![choice(0, "stop"), choice(1, "length")];
    let pause = std::time::Duration::from_millis(700);
    let stub = Stub::new(As::Hosted);
    stub.then([Fault::Pieces { kind: "text/event-stream", pieces, pause, cut: false }]);
    let reply = ask(&open(&stub), Draw { n: 2, ..streamed() }).unwrap();
    assert_eq!((reply.choices.len(), reply.attempts), (2, 1));
    assert_eq!(reply.choices[1].finished, Finish::Length);
}
