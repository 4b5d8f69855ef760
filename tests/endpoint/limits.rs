use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::*;

#[test]
fn a_page_is_told_apart_from_an_answer() {
    for fault in [
        Fault::Body("text/html", "<!doctype html><title>hi".into()),
        Fault::json("\u{feff}  <html>"),
    ] {
        let error = meets(fault).unwrap_err();
        assert!(error.message().contains("web page"), "{error}");
        assert!(error.next_step().unwrap().contains("/v1"));
    }
    let page = Fault::Status("404 Not Found", vec![], "<html>not here".into());
    assert!(meets(page).unwrap_err().message().contains("(a web page)"));
}

#[test]
fn what_is_no_answer_is_refused_by_name() {
    for (text, why) in [
        ("", "not JSON"),
        ("{\"choices\":", "not JSON"),
        ("nonsense\u{1b}", "nonsense\\u{1b}"),
        ("[]", "no choices"),
        ("{}", "no choices"),
        ("{\"choices\":{}}", "no choices"),
        ("{\"choices\":[{\"index\":0}]}", "neither message"),
        ("{\"choices\":[{\"index\":5,\"text\":\"a\"}]}", "a choice 5"),
        ("{\"choices\":[{\"index\":-1,\"text\":\"a\"}]}", "index"),
        ("{\"error\":{\"message\":\"no such model\"}}", "no such model"),
        ("{\"error\":\"no such model\"}", "no such model"),
        ("{\"object\":\"error\",\"message\":\"no such model\"}", "no such model"),
    ] {
        let error = meets(Fault::json(text)).unwrap_err();
        assert!(error.message().contains(why), "{text}: {error}");
        assert!(lasting(&error));
    }
    let error = meets(Fault::Body("application/json", vec![b'"', 0xff, b'"'])).unwrap_err();
    assert!(error.message().contains("UTF-8"), "{error}");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(meets(Fault::json(&deep)).unwrap_err().message().contains("recursion"));
    let stub = Stub::new(As::Hosted);
    stub.then(vec![Fault::json("{\"choices\":[]}"); 3]);
    let error = ask(&open(&stub), Draw::default()).unwrap_err();
    assert!(error.message().contains("choices is empty"), "{error}");
}

#[test]
fn a_gigabyte_is_not_read() {
    let stub = Stub::new(As::Hosted);
    stub.then([Fault::Gigabyte]);
    let error = ask(&open(&stub), Draw::default()).unwrap_err();
    assert!(error.message().contains("64 MiB"), "{error}");
    assert!(stub.shared.written.load(Ordering::SeqCst) < 16 << 20);
}

#[test]
fn a_body_without_end_is_given_up() {
    let stub = Stub::new(As::Hosted);
    let piece = vec![b' '; 1 << 20];
    stub.then([Fault::Endless { kind: "application/json", piece }]);
    let error = ask(&open(&stub), Draw::default()).unwrap_err();
    assert!(error.message().contains("64 MiB"), "{error}");
    assert!(stub.shared.written.load(Ordering::SeqCst) < 96 << 20);
    assert!(lasting(&error));
}

#[test]
fn a_stream_without_end_is_given_up() {
    let event = format!(
        "data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n",
        "x".repeat(1 << 18)
    );
    for (piece, why) in [
        (event.into_bytes(), "16 MiB"),
        (vec![b':'; 1 << 20], "4 MiB"),
        ([vec![b':'; 1 << 18], vec![b'\n']].concat(), "16 MiB"),
    ] {
        let stub = Stub::new(As::Hosted);
        stub.then([Fault::Endless { kind: "text/event-stream", piece }]);
        let error = ask(&open(&stub), streamed()).unwrap_err();
        assert!(error.message().contains(why), "{error}");
        assert!(stub.shared.written.load(Ordering::SeqCst) < 32 << 20);
    }
}

#[test]
fn a_cancel_ends_what_is_under_way_at_once() {
    let stub = Stub::new(As::Hosted);
    stub.then([Fault::None]).then(vec![Fault::Silence; 3]);
    let endpoint = open(&stub);
    let cancel = Cancel::default();
    let later = cancel.clone();
    let asked = stub.shared.clone();
    let watch = std::thread::spawn(move || {
        while asked.asked.lock().unwrap().len() < 4 {
            std::thread::sleep(Duration::from_millis(5));
        }
        // The first answer is on its way.
        std::thread::sleep(Duration::from_millis(150));
        later.cancel();
        Instant::now()
    });
    let requests = (0..4).map(|_| request("hi", Draw::default())).collect();
    let (found, error) = endpoint.chat(requests, &cancel, &mut |_, _, _| {});
    let took = watch.join().unwrap().elapsed();
    assert!(error.unwrap().is_cancelled());
    assert!(took < Duration::from_millis(500), "{took:?}");
    assert_eq!(found.iter().flatten().count(), 1);
    // The lines are closed, and not only left alone.
    let until = Instant::now() + Duration::from_secs(1);
    while stub.shared.open.load(Ordering::SeqCst) > 1 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(stub.shared.open.load(Ordering::SeqCst) <= 1);
    // A question after that is not sent.
    let (_, error) =
        endpoint.chat(vec![request("hi", Draw::default())], &cancel, &mut |_, _, _| {});
    assert!(error.unwrap().is_cancelled());
    assert_eq!(stub.chats().len(), 4);
    assert!(ask(&endpoint, Draw::default()).is_ok());
}

#[test]
fn a_cancel_ends_a_wait_between_tries() {
    let stub = Stub::new(As::Hosted);
    stub.then([Fault::later("503 Service Unavailable", "50")]);
    let cancel = Cancel::default();
    let later = cancel.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(150));
        later.cancel();
    });
    let began = Instant::now();
    let (_, error) =
        open(&stub).chat(vec![request("hi", Draw::default())], &cancel, &mut |_, _, _| {});
    assert!(error.unwrap().is_cancelled());
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[test]
fn an_endpoint_may_be_asked_from_several_threads_and_closed() {
    let stub = Stub::new(As::Vllm);
    let endpoint = open(&stub);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| ask(&endpoint, Draw::default()).unwrap());
        }
    });
    assert_eq!(endpoint.spent().asks, 4);
    let began = Instant::now();
    drop(endpoint);
    assert!(began.elapsed() < Duration::from_millis(500));
}

#[test]
fn a_budget_is_a_limit_before_anything_is_sent() {
    let stub = Stub::new(As::Vllm);
    let limited = Profile {
        budget_tokens: Some(20),
        price_in: Some(1e6),
        price_out: Some(2e6),
        ..profile(&stub)
    };
    let endpoint = Endpoint::open(limited).unwrap();
    let draw = Draw { max_tokens: 10, ..Draw::default() };
    // Two prompt tokens and five of the answer each, as the server counts them.
    ask(&endpoint, draw.clone()).unwrap();
    let error = ask(&endpoint, Draw { max_tokens: 13, ..draw.clone() }).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    assert!(error.message().contains("budget_tokens = 20"), "{error}");
    assert!(error.next_step().unwrap().contains("budget_tokens"));
    assert_eq!(stub.chats().len(), 1);
    let spent = endpoint.spent();
    assert_eq!((spent.asks, spent.prompt_tokens, spent.answer_tokens), (1, 2, 5));
    assert_eq!((spent.estimated, spent.cost), (false, Some(12.0)));
    assert_eq!(endpoint.estimate(8, 5, 10).cost, Some(120.0));

    // Two at once may not pass it together.
    let endpoint = Endpoint::open(Profile { budget_tokens: Some(20), ..profile(&stub) }).unwrap();
    let requests = vec![request("hi", draw.clone()), request("hi", draw)];
    let (_, error) = endpoint.chat(requests, &Cancel::default(), &mut |_, _, _| {});
    assert!(error.unwrap().message().contains("promised"));

    // Those that only wait for a place promise nothing.
    let budget_tokens = Some(60);
    let endpoint =
        Endpoint::open(Profile { budget_tokens, concurrency: 1, ..profile(&stub) }).unwrap();
    let draw = Draw { max_tokens: 10, ..Draw::default() };
    let requests = (0..7).map(|_| request("hi", draw.clone())).collect();
    let (_, error) = endpoint.chat(requests, &Cancel::default(), &mut |_, _, _| {});
    assert_eq!(error, None);
    assert_eq!(endpoint.spent().asks, 7);
}

#[test]
fn tokens_that_nobody_counted_are_estimated_and_said_so() {
    let stub = Stub::with(As::Hosted, Quirks { no_usage: true, ..Quirks::default() });
    let endpoint = open(&stub);
    let reply = ask(&endpoint, Draw::default()).unwrap();
    let spent = endpoint.spent();
    assert_eq!(reply.usage, None);
    assert_eq!((spent.prompt_tokens, spent.answer_tokens, spent.estimated), (1, 2, true));
}

#[test]
fn what_came_before_a_cancel_was_paid_for() {
    let part = "data: {\"choices\":[{\"delta\":{\"content\":\"go north\"}}]}\n\n";
    let stub = Stub::new(As::Hosted);
    stub.then([Fault::Hang { kind: "text/event-stream", pieces: vec![part.into()] }]);
    let endpoint = open(&stub);
    let cancel = Cancel::default();
    let (_, error) =
        endpoint.chat(vec![request("hi", streamed())], &cancel, &mut |_, _, _| cancel.cancel());
    assert!(error.unwrap().is_cancelled());
    let spent = endpoint.spent();
    assert_eq!((spent.asks, spent.answer_tokens, spent.estimated), (0, 2, true));
}
