use std::time::Duration;

use foretaste::agent::endpoint::{CompletionRequest, Finish, Prompt};

use super::*;

#[test]
fn a_question_is_answered_whole_or_as_a_stream() {
    for who in [As::Vllm, As::SgLang, As::LlamaCpp, As::Ollama, As::Hosted] {
        let stub = Stub::new(who);
        let endpoint = open(&stub);
        let whole = ask(&endpoint, Draw::default()).unwrap();
        let mut shown = String::new();
        let stream = ask_seeing(&endpoint, streamed(), &mut |request, choice, text| {
            assert_eq!((request, choice), (0, 0));
            shown.push_str(text);
        });
        let stream = stream.unwrap();
        assert_eq!(whole.choices, stream.choices);
        assert_eq!(shown, "echo: hi");
        assert_eq!(stream.choices[0].finished, Finish::Stop);
        assert_eq!((whole.usage, stream.usage), (Some((2, 5)), Some((2, 5))));
        assert_eq!((whole.model.as_str(), whole.attempts), ("toy", 1));
        assert!(whole.raw.contains("chat.completion") && stream.raw.contains("delta"));
    }
}

#[test]
fn the_limit_of_an_answer_is_said() {
    let stub = Stub::new(As::Vllm);
    let draw = Draw { max_tokens: 1, ..Draw::default() };
    let reply = ask(&open(&stub), draw).unwrap();
    assert_eq!(
        (reply.choices[0].text.as_str(), &reply.choices[0].finished),
        ("echo", &Finish::Length)
    );
}

#[test]
fn several_answers_come_whether_the_server_gives_several_or_not() {
    for (who, posts) in [(As::Vllm, 1), (As::LlamaCpp, 3), (As::Ollama, 3)] {
        for stream in [false, true] {
            let stub = Stub::new(who);
            let endpoint = open(&stub);
            let draw = Draw { n: 3, seed: Some(7), stream, ..Draw::default() };
            let mut shown = [String::new(), String::new(), String::new()];
            let reply = ask_seeing(&endpoint, draw.clone(), &mut |_, choice, text| {
                shown[choice].push_str(text);
            });
            let reply = reply.unwrap();
            assert_eq!((reply.choices.len(), reply.attempts), (3, posts));
            let said: Vec<_> = reply.choices.iter().map(|choice| choice.text.clone()).collect();
            if posts == 3 {
                assert_eq!(said, ["echo: hi #7", "echo: hi #8", "echo: hi #9"]);
                assert!(endpoint.is_one_by_one());
                assert_eq!(reply.usage, Some((6, 15)));
            }
            if stream {
                assert_eq!(said, shown);
            }
            // It is not asked for several again.
            ask(&endpoint, draw).unwrap();
            assert_eq!(stub.chats().len(), 2 * posts as usize);
            let asked_for: Vec<_> =
                stub.chats().iter().map(|chat| chat.body["n"].as_u64()).collect();
            assert_eq!(asked_for.iter().flatten().count(), if posts == 3 { 1 } else { 2 });
        }
    }
}

#[test]
fn logprobs_come_with_their_tokens() {
    let stub = Stub::new(As::Vllm);
    let endpoint = open(&stub);
    let reply = ask(&endpoint, Draw { logprobs: true, ..Draw::default() }).unwrap();
    assert_eq!(reply.choices[0].tokens, [("e".into(), -0.25)]);
    let prompt = Prompt::Tokens(stub::toy::tokenize("a", true));
    let draw = Draw { logprobs: true, max_tokens: 1, ..Draw::default() };
    let (found, error) = endpoint.complete(
        vec![CompletionRequest { prompt, draw }],
        &Cancel::default(),
        &mut |_, _, _| {},
    );
    assert_eq!(error, None);
    let choice = &found[0].as_ref().unwrap().choices[0];
    let (token, logp) = stub::toy::top(u32::from(b'a'), 1)[0];
    assert_eq!(choice.text, stub::toy::text_of(token));
    assert!((choice.tokens[0].1 - logp as f32).abs() < 1e-6);
    assert_eq!(stub.posted("/v1/completions")[0].body["prompt"], serde_json::json!([256, 97]));
}

#[test]
fn a_thought_is_read_wherever_it_stands() {
    let message = |inner: &str| {
        Fault::json(&format!(
            "{{\"choices\":[{{\"message\":{{{inner}}},\"finish_reason\":\"stop\"}}]}}"
        ))
    };
    for inner in [
        r#""content":"go","reasoning_content":"why""#,
        r#""content":"go","reasoning":"why""#,
        r#""content":"go","thinking":"why""#,
        r#""content":"<think>\nwhy\n</think>\n\ngo""#,
        r#""content":"why</think>go""#,
    ] {
        let choice = meets(message(inner)).unwrap().choices.remove(0);
        assert_eq!(
            (choice.text.as_str(), choice.reasoning.as_deref()),
            ("go", Some("why")),
            "{inner}"
        );
    }
    let choice = meets(message(r#""content":null"#)).unwrap().choices.remove(0);
    assert_eq!((choice.text.as_str(), choice.reasoning), ("", None));
}

#[test]
fn many_questions_run_together_up_to_the_limit_and_keep_their_places() {
    let stub = Stub::new(As::Vllm);
    stub.slow(Duration::from_millis(60));
    let endpoint = Endpoint::open(Profile { concurrency: 3, ..profile(&stub) }).unwrap();
    let requests = (0..9).map(|i| request(&format!("q{i}"), Draw::default())).collect();
    let (found, error) = endpoint.chat(requests, &Cancel::default(), &mut |_, _, _| {});
    assert_eq!(error, None);
    for (i, reply) in found.into_iter().enumerate() {
        assert_eq!(reply.unwrap().choices[0].text, format!("echo: q{i}"));
    }
    assert_eq!(stub.shared.busiest.load(std::sync::atomic::Ordering::SeqCst), 3);
}

#[test]
fn the_first_error_ends_a_batch_and_what_had_arrived_stays() {
    let stub = Stub::new(As::Vllm);
    stub.then([Fault::None, Fault::status("400 Bad Request", "{\"error\":\"too long\"}")]);
    let endpoint = Endpoint::open(Profile { concurrency: 1, ..profile(&stub) }).unwrap();
    let requests = (0..4).map(|_| request("hi", Draw::default())).collect();
    let (found, error) = endpoint.chat(requests, &Cancel::default(), &mut |_, _, _| {});
    assert!(error.unwrap().message().contains("too long"));
    assert_eq!(found.iter().flatten().count(), 1);
    assert!(stub.chats().len() <= 3);
}

#[test]
fn the_first_model_is_asked_where_none_is_named() {
    let stub = Stub::new(As::Vllm);
    let endpoint = Endpoint::open(Profile { model: None, ..profile(&stub) }).unwrap();
    assert_eq!(ask(&endpoint, Draw::default()).unwrap().model, "toy");
    assert_eq!(endpoint.models(&Cancel::default()).unwrap(), ["toy"]);
    assert_eq!(endpoint.surprise(), None);
}

#[test]
fn another_model_than_asked_is_said_once() {
    let stub = Stub::with(As::Hosted, Quirks { other_model: true, ..Quirks::default() });
    let endpoint = open(&stub);
    assert_eq!(endpoint.surprise(), None);
    for _ in 0..2 {
        assert_eq!(ask(&endpoint, Draw::default()).unwrap().model, "another");
    }
    let said = endpoint.surprise().unwrap();
    assert!(said.contains("toy") && said.contains("another"), "{said}");
    ask(&endpoint, Draw::default()).unwrap();
    assert_eq!(endpoint.surprise(), None);
}

#[test]
fn a_server_that_refuses_to_give_several_is_asked_for_one_after_the_other() {
    let stub = Stub::with(As::LlamaCpp, Quirks { refuses_n: true, ..Quirks::default() });
    let endpoint = open(&stub);
    for posts in [4, 7] {
        let reply = ask(&endpoint, Draw { n: 3, seed: Some(7), ..Draw::default() }).unwrap();
        let said: Vec<_> = reply.choices.iter().map(|choice| choice.text.as_str()).collect();
        assert_eq!(said, ["echo: hi #7", "echo: hi #8", "echo: hi #9"]);
        assert_eq!(stub.chats().len(), posts);
    }
    let found = open(&stub).probe(&Cancel::default()).unwrap();
    assert!(found.chat && !found.n, "{found:?}");
    assert!(found.notes.iter().any(|note| note.contains("Only one")));
}
