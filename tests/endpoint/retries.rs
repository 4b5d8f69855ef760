use std::time::{Duration, Instant};

use super::*;

#[test]
fn what_may_pass_is_asked_again() {
    for fault in [
        Fault::status("500 Internal Server Error", "oops"),
        Fault::status("502 Bad Gateway", "<html>"),
        Fault::status("503 Service Unavailable", "{}"),
        Fault::status("504 Gateway Timeout", ""),
        Fault::status("408 Request Timeout", ""),
        Fault::status("425 Too Early", ""),
        Fault::later("429 Too Many Requests", "0"),
        Fault::Reset,
        Fault::json("{\"error\":{\"message\":\"busy\",\"code\":503}}"),
    ] {
        let stub = Stub::new(As::Hosted);
        stub.then([fault.clone()]);
        let reply = ask(&open(&stub), Draw::default());
        assert_eq!(reply.unwrap().attempts, 2, "{fault:?}");
        assert_eq!(stub.chats().len(), 2);
    }
}

#[test]
fn what_would_fail_again_is_not() {
    for (status, hint) in [
        ("400 Bad Request", ""),
        ("401 Unauthorized", "key"),
        ("403 Forbidden", "key"),
        ("404 Not Found", "/v1"),
        ("422 Unprocessable Entity", ""),
        ("501 Not Implemented", ""),
    ] {
        let stub = Stub::new(As::Hosted);
        let said = "{\"error\":{\"message\":\"no\\u001b[2J such \\nthing\"}}";
        stub.then([Fault::status(status, said)]);
        let error = ask(&open(&stub), Draw::default()).unwrap_err();
        assert!(error.message().contains(status), "{error}");
        assert!(error.message().contains("no\\u{1b}[2J such \\nthing"), "{error}");
        assert!(error.to_string().contains(hint));
        assert!(lasting(&error));
        assert_eq!(stub.chats().len(), 1);
    }
}

#[test]
fn there_is_an_end_to_trying() {
    let stub = Stub::new(As::Hosted);
    stub.then(vec![Fault::status("500 Internal Server Error", "oops"); 5]);
    let error = ask(&open(&stub), Draw::default()).unwrap_err();
    assert!(error.message().contains("oops (tried 3 times)"), "{error}");
    assert_eq!(error.kind(), Kind::Remote { retry: true });
    assert_eq!(stub.chats().len(), 3);
}

#[test]
fn a_server_that_asks_for_time_gets_it_up_to_a_minute() {
    let stub = Stub::new(As::Hosted);
    stub.then([Fault::later("429 Too Many Requests", "0.4")]);
    let began = Instant::now();
    ask(&open(&stub), Draw::default()).unwrap();
    assert!(began.elapsed() >= Duration::from_millis(400));

    let date = httpdate::fmt_http_date(std::time::SystemTime::now() + Duration::from_hours(1));
    for after in ["90", date.as_str()] {
        let stub = Stub::new(As::Hosted);
        stub.then([Fault::later("503 Service Unavailable", after)]);
        let began = Instant::now();
        let error = ask(&open(&stub), Draw::default()).unwrap_err();
        assert!(error.message().contains("more than 60 s"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(2));
        assert_eq!(stub.chats().len(), 1);
    }
}

#[test]
fn nobody_there_is_said_with_the_place() {
    let stub = Stub::new(As::Hosted);
    let gone = Profile { retries: 1, ..Profile::at("http://127.0.0.1:1/v1") };
    let endpoint = Endpoint::open(Profile { model: Some("m".into()), ..gone }).unwrap();
    let error = ask(&endpoint, Draw::default()).unwrap_err();
    assert!(error.message().contains("http://127.0.0.1:1/v1"), "{error}");
    assert!(error.message().contains("tried 2 times"), "{error}");
    assert!(error.next_step().unwrap().contains("running"));
    drop(stub);
}

#[test]
fn a_stream_that_is_cut_before_it_showed_anything_is_asked_again() {
    let stub = Stub::new(As::Hosted);
    let first = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n";
    stub.then([Fault::cut(first)]);
    let reply = ask(&open(&stub), streamed()).unwrap();
    assert_eq!((reply.attempts, reply.choices[0].text.as_str()), (2, "echo: hi"));
}

#[test]
fn a_stream_that_is_cut_later_is_an_error_and_no_answer() {
    let part = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"go \"}}]}\n\n";
    let whole_but_unsaid = Fault::stream(part);
    for fault in [Fault::cut(part), whole_but_unsaid] {
        let stub = Stub::new(As::Hosted);
        stub.then([fault]);
        let endpoint = open(&stub);
        let mut shown = String::new();
        let reply = ask_seeing(&endpoint, streamed(), &mut |_, _, text| shown.push_str(text));
        let error = reply.unwrap_err();
        assert_eq!(shown, "go ");
        assert!(error.message().contains("cut"), "{error}");
        assert!(error.next_step().unwrap().contains("not the whole answer"));
        assert_eq!(stub.chats().len(), 1);
        // The server did some work, and it is counted.
        let spent = endpoint.spent();
        assert_eq!((spent.asks, spent.answer_tokens, spent.estimated), (0, 1, true));
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Stub::new(As::Hosted);
    for status in ["301 Moved Permanently", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let stub = Stub::new(As::Hosted);
        let place = format!("{}/v1/chat/completions", other.url);
        stub.then([Fault::Status(status, vec![("location", place.clone())], String::new())]);
        let error = ask(&open(&stub), Draw::default()).unwrap_err();
        assert!(error.message().contains(&place), "{error}");
        assert!(lasting(&error));
    }
    assert!(other.asked().is_empty());
}

#[test]
fn silence_has_an_end_and_is_told_apart_from_slowness() {
    let stub = Stub::new(As::Hosted);
    stub.then([Fault::Silence]);
    let quick = Profile { timeout_s: 0.3, retries: 0, ..profile(&stub) };
    let error = ask(&Endpoint::open(quick.clone()).unwrap(), Draw::default()).unwrap_err();
    assert!(error.message().contains("timeout_s"), "{error}");
    stub.then([Fault::Silence]);
    let patient = Profile { retries: 1, ..quick.clone() };
    assert_eq!(ask(&Endpoint::open(patient).unwrap(), Draw::default()).unwrap().attempts, 2);

    let part = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"go \"}}]}\n\n";
    stub.then([Fault::Hang { kind: "text/event-stream", pieces: vec![part.into()] }]);
    let idle = Profile { idle_timeout_s: 0.2, timeout_s: 5.0, ..quick };
    let endpoint = Endpoint::open(idle).unwrap();
    let error = ask(&endpoint, streamed()).unwrap_err();
    assert!(error.message().contains("idle_timeout_s"), "{error}");

    // Slow, and never silent for long.
    let text =
        "data: {\"choices\":[{\"text\":\"go\",\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let pieces = text.as_bytes().chunks(8).map(<[u8]>::to_vec).collect();
    let pause = Duration::from_millis(40);
    stub.then([Fault::Pieces { kind: "text/event-stream", pieces, pause, cut: false }]);
    assert_eq!(ask(&endpoint, streamed()).unwrap().choices[0].text, "go");
}

#[test]
fn a_line_that_is_not_encrypted_where_it_should_be_is_an_error() {
    let stub = Stub::new(As::Hosted);
    let url = stub.url.replace("http://", "https://");
    let endpoint = Endpoint::open(Profile { url, retries: 0, ..profile(&stub) });
    let Ok(endpoint) = endpoint else { return };
    assert!(matches!(ask(&endpoint, Draw::default()).unwrap_err().kind(), Kind::Remote { .. }));
}
