use foretaste::agent::Scores;
use foretaste::agent::endpoint::{Found, Prefix, Server};

use super::stub::toy;
use super::*;

fn probe(stub: &Stub) -> (Endpoint, Found) {
    let endpoint = open(stub);
    let found = endpoint.probe(&Cancel::default()).unwrap();
    (endpoint, found)
}

fn lying(who: As) -> Stub {
    Stub::with(who, Quirks { lies: true, ..Quirks::default() })
}

#[test]
fn each_server_is_known_for_what_it_is() {
    for (who, server, scores, context, n) in [
        (As::Vllm, Server::Vllm, Scores::Exact, Some(4096), true),
        (As::SgLang, Server::SgLang, Scores::Exact, Some(1024), true),
        (As::LlamaCpp, Server::LlamaCpp, Scores::Forced, Some(2048), false),
        (As::Ollama, Server::Ollama, Scores::Choice, Some(8192), false),
        (As::Hosted, Server::Other, Scores::Choice, None, true),
    ] {
        let (endpoint, found) = probe(&Stub::new(who));
        assert_eq!(
            (found.server, found.scores, found.context, found.n),
            (server, scores, context, n),
            "{found:?}"
        );
        assert!(found.chat && found.logprobs);
        assert_eq!((found.most_options, found.models), (20, vec!["toy".to_string()]));
        assert_eq!(endpoint.is_one_by_one(), !n);
        let spent = endpoint.spent();
        assert!(spent.prompt_tokens + spent.answer_tokens < 1000, "{spent:?}");
    }
}

#[test]
fn scores_are_those_of_the_model() {
    let prefix = "You are here.\n> ";
    let texts = ["look", "go north", "a \"b\"", ""].map(String::from).to_vec();
    for who in [As::Vllm, As::SgLang, As::LlamaCpp] {
        let stub = Stub::new(who);
        let (endpoint, found) = probe(&stub);
        let asks = vec![(Prefix::of(prefix), texts.clone()), (Prefix::of("x"), vec!["y".into()])];
        let scores = endpoint.score(&found, asks, &Cancel::default()).unwrap();
        for (text, score) in texts.iter().zip(&scores[0]) {
            let known = toy::score(prefix, text);
            assert!((score.unwrap() - known).abs() < 1e-6, "{who:?} {text}: {score:?} {known}");
        }
        assert!((scores[1][0].unwrap() - toy::score("x", "y")).abs() < 1e-6);
    }
    // Where the server only gives the prompt back, or a grammar of tokens is not known to it.
    for (who, quirks) in [
        (As::Vllm, Quirks { only_echo: true, ..Quirks::default() }),
        (As::Hosted, Quirks { only_echo: true, ..Quirks::default() }),
        (As::LlamaCpp, Quirks { old_grammar: true, ..Quirks::default() }),
    ] {
        let (endpoint, found) = probe(&Stub::with(who, quirks));
        assert!(matches!(found.scores, Scores::Exact | Scores::Forced), "{found:?}");
        let asks = vec![(Prefix::of(prefix), vec!["go north".into()])];
        let scores = endpoint.score(&found, asks, &Cancel::default()).unwrap();
        assert!((scores[0][0].unwrap() - toy::score(prefix, "go north")).abs() < 1e-6, "{who:?}");
    }
}

#[test]
fn a_text_that_begins_inside_a_token_has_no_figure() {
    for (who, only_echo) in
        [(As::Vllm, false), (As::Vllm, true), (As::SgLang, false), (As::LlamaCpp, false)]
    {
        let (endpoint, found) = probe(&Stub::with(who, Quirks { only_echo, ..Quirks::default() }));
        // "g" and "o" are one token together.
        let asks = vec![(Prefix::of("> g"), vec!["o north".into(), "et".into()])];
        let scores = endpoint.score(&found, asks, &Cancel::default()).unwrap();
        assert_eq!(scores[0][0], None, "{who:?}");
        assert!((scores[0][1].unwrap() - toy::score("> g", "et")).abs() < 1e-6);
    }
}

#[test]
fn a_scorer_that_is_wrong_about_a_known_pair_is_not_used() {
    for (who, tried) in [(As::Vllm, 2), (As::SgLang, 1), (As::LlamaCpp, 2)] {
        let (endpoint, found) = probe(&lying(who));
        assert_eq!(found.scores, Scores::Choice, "{found:?}");
        let told: Vec<_> =
            found.notes.iter().filter(|note| note.contains("when it writes it")).collect();
        assert_eq!(told.len(), tried, "{found:?}");
        let asks = vec![(Prefix::of("x"), vec!["y".into()])];
        let error = endpoint.score(&found, asks, &Cancel::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
    }
}

#[test]
fn without_log_probabilities_there_are_counts_and_without_answers_nothing() {
    let stub = Stub::with(As::Ollama, Quirks { no_logprobs: true, ..Quirks::default() });
    let (_, found) = probe(&stub);
    assert_eq!((found.scores, found.most_options, found.logprobs), (Scores::Frequency, 0, false));
    assert!(found.notes.iter().any(|note| note.contains("top_logprobs")), "{found:?}");

    let stub = Stub::new(As::Ollama);
    stub.then(vec![Fault::status("400 Bad Request", "{\"error\":\"no chat template\"}"); 9]);
    let (_, found) = probe(&stub);
    assert_eq!((found.scores, found.chat), (Scores::None, false));
    assert!(found.notes.iter().any(|note| note.contains("no chat template")));

    let stub = Stub::with(As::Hosted, Quirks { few_logprobs: true, ..Quirks::default() });
    assert_eq!(probe(&stub).1.most_options, 5);
}

#[test]
fn a_choice_is_made_among_letters() {
    let stub = Stub::new(As::Hosted);
    let (endpoint, found) = probe(&stub);
    let options: Vec<String> = (0..20).map(|i| format!("option {i}")).collect();
    let asks = vec![(user("What now?"), options.clone())];
    let scores = endpoint.choose(&found, asks, &Cancel::default()).unwrap().remove(0);
    let sum: f64 = scores.iter().map(|score| score.exp()).sum();
    assert!((sum - 1.0).abs() < 1e-9 && scores.len() == 20);
    // Among what was seen, in the model's own proportions; the rest is no likelier than the least.
    let seen: Vec<u32> = toy::top(toy::GO, 97)
        .iter()
        .map(|t| t.0)
        .filter(|t| (32..127).contains(t))
        .take(20)
        .collect();
    let is_seen = |place: usize| seen.contains(&(u32::from(b'A') + place as u32));
    let of = |seen: bool| (0..20).filter(move |place| is_seen(*place) == seen);
    let least = of(true).map(|place| scores[place]).fold(f64::INFINITY, f64::min);
    assert!(least.is_finite() && of(false).count() > 0);
    assert!(of(false).all(|place| scores[place].is_finite() && scores[place] <= least + 1e-9));
    let chats = stub.chats();
    let body = &chats.last().unwrap().body;
    assert_eq!((body["max_tokens"].as_u64(), body["top_logprobs"].as_u64()), (Some(1), Some(20)));
    let text = body["messages"][0]["content"].as_str().unwrap();
    assert!(text.starts_with("What now?\n\nA. option 0\n") && text.contains("\nT. option 19\n"));
    let many = vec![(user("?"), vec![String::new(); 21])];
    assert!(endpoint.choose(&found, many, &Cancel::default()).is_err());
    assert!(endpoint.choose(&found, vec![(user("?"), vec![])], &Cancel::default()).is_err());
}

#[test]
fn a_conversation_is_rendered_by_the_server_and_scored() {
    for who in [As::LlamaCpp, As::Vllm] {
        let (endpoint, found) = probe(&Stub::new(who));
        let prefix = endpoint.render(&found, user("hi"), &Cancel::default()).unwrap().unwrap();
        let text = "[user] hi\n[assistant] ";
        assert!(prefix.text.ends_with(text), "{prefix:?}");
        let asks = vec![(prefix, vec!["go".into()])];
        let scores = endpoint.score(&found, asks, &Cancel::default()).unwrap();
        assert!((scores[0][0].unwrap() - toy::score(text, "go")).abs() < 1e-6);
    }
    let (endpoint, found) = probe(&Stub::new(As::Hosted));
    assert_eq!(endpoint.render(&found, user("hi"), &Cancel::default()).unwrap(), None);
}

#[test]
fn a_probe_ends_with_its_cancel_and_fails_where_nothing_answers() {
    let stub = Stub::new(As::Vllm);
    let endpoint = open(&stub);
    let cancel = Cancel::default();
    cancel.cancel();
    assert!(endpoint.probe(&cancel).unwrap_err().is_cancelled());
    let gone = Profile { retries: 0, ..Profile::at("http://127.0.0.1:1") };
    let error = Endpoint::open(gone).unwrap().probe(&Cancel::default()).unwrap_err();
    assert!(matches!(error.kind(), Kind::Remote { .. }), "{error}");
}

#[test]
fn a_server_that_lists_no_models_is_asked_for_the_one_that_is_named() {
    let stub = Stub::with(As::Hosted, Quirks { lists_nothing: true, ..Quirks::default() });
    let (_, found) = probe(&stub);
    assert_eq!((found.model.as_str(), found.models.len()), ("toy", 0));
    assert!(found.notes.iter().any(|note| note.contains("lists no models")), "{found:?}");
    let endpoint = Endpoint::open(Profile { model: None, ..profile(&stub) }).unwrap();
    assert!(endpoint.probe(&Cancel::default()).is_err());
}
