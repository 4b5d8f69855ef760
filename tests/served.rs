//! A model behind an endpoint that was trained as models here are: given the tokens that it learnt from, it does
//! there what it does here.

mod common;
#[path = "stub/mod.rs"]
mod stub;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{failure, json, run};
use foretaste::agent::{self, Agent, Among, Ask, Case};
use foretaste::control::Cancel;
use foretaste::experience::State;
use foretaste::model::Model;
use foretaste::model::cache::PromptCache;
use foretaste::model::decode::{Decoding, Opening};
use foretaste::model::prompt::Prompt;
use foretaste::model::sampler::Sampling;
use foretaste::model::team::Priority;
use foretaste::store::Store;
use serde_json::{Value, json};
use stub::{As, Asked, Stub};

/// What a server of vLLM's kind answers for a model.
fn answers(model: &Model, asked: &Asked, cuts: bool) -> Option<Value> {
    let body = &asked.body;
    let tokens = match &body["prompt"] {
        Value::String(text) => model.tokenizer.encode(text).unwrap(),
        ids => serde_json::from_value(ids.clone()).ok()?,
    };
    match asked.path.as_str() {
        "/tokenize" => Some(json!({"tokens": tokens})),
        "/v1/completions" if body["prompt_logprobs"].is_u64() => Some(scored(model, body, &tokens)),
        "/v1/completions" => Some(written(model, body, &tokens, cuts)),
        _ => None,
    }
}

fn prompt(model: &Model, tokens: &[u32]) -> Prompt {
    Prompt::new(&model.decoder, tokens, &mut PromptCache::new(0), &Cancel::default()).unwrap()
}

/// The log-probability of each token of a prompt after those before it.
fn scored(model: &Model, body: &Value, tokens: &[u32]) -> Value {
    let first = prompt(model, &tokens[..1]);
    let parts: Vec<Vec<u32>> = (2..=tokens.len()).map(|n| tokens[1..n].to_vec()).collect();
    let all = [(&first, parts.as_slice())];
    let found = Prompt::score_all(&model.decoder, &all, &Cancel::default()).unwrap();
    let mut before = 0.0;
    let mut each = vec![Value::Null];
    for (score, token) in found[0].iter().zip(&tokens[1..]) {
        each.push(json!({token.to_string(): {"logprob": score.logp - before}}));
        before = score.logp;
    }
    json!({"model": body["model"], "choices": [{"index": 0, "text": "", "finish_reason": "length",
        "prompt_logprobs": each}]})
}

/// `cuts` says whether what is written after two steps is cut off.
fn written(model: &Model, body: &Value, tokens: &[u32], cuts: bool) -> Value {
    let n = body["n"].as_u64().unwrap_or(1);
    let seeds: Vec<u64> = (0..n).map(|i| body["seed"].as_u64().unwrap_or(0) + i).collect();
    let ends: Vec<u32> = serde_json::from_value(body["stop_token_ids"].clone()).unwrap_or_default();
    let temperature = body["temperature"].as_f64().unwrap();
    let said = model.tokenizer.decode(tokens).unwrap();
    let cut = cuts && said.contains("pick up the mug 1");
    let cancel = Cancel::default();
    let how = Decoding {
        ends: &ends,
        stops: None,
        only: None,
        limit: body["max_tokens"].as_u64().unwrap() as usize,
        sampling: Sampling { temperature, ..Sampling::GREEDY },
        logps: true,
        cancel: &cancel,
    };
    let opened = prompt(model, tokens);
    let starts = vec![Vec::new(); n as usize];
    let asks = [Opening { prompt: &opened, starts: &starts, seeds: &seeds }];
    let found = Prompt::decode_all(&model.decoder, &asks, &how, &mut |_, _, _| true).unwrap();
    let choice = |(index, one): (usize, &foretaste::model::decode::Written)| {
        let mut said = json!({"index": index, "text": model.tokenizer.decode(&one.tokens).unwrap(),
            "finish_reason": if one.ended.is_some() && !cut { "stop" } else { "length" }});
        if body["logprobs"].is_u64() {
            let texts = one.tokens.iter().map(|id| model.tokenizer.decode(&[*id]).unwrap());
            said["logprobs"] =
                json!({"tokens": texts.collect::<Vec<_>>(), "token_logprobs": one.logps});
        }
        said
    };
    let choices: Vec<Value> = found[0].iter().enumerate().map(choice).collect();
    json!({"model": body["model"], "choices": choices,
        "usage": {"prompt_tokens": tokens.len(), "completion_tokens": 9}})
}

/// A data directory whose mind `far` is the novice behind a line, given the tokens of a folder in which no
/// weights are.
fn far(of: Option<&str>) -> (Stub, tempfile::TempDir) {
    cutting(of, Arc::default())
}

/// The same with a word on whether texts are cut off.
fn cutting(of: Option<&str>, cuts: Arc<AtomicBool>) -> (Stub, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let model = agent::load(&store, Some("novice"), None).unwrap();
    let stub = Stub::of(
        As::Vllm,
        Box::new(move |asked| answers(&model, asked, cuts.load(Ordering::SeqCst))),
    );
    let whole = dir.path().join("whole");
    json(dir.path(), &["model", "pack", "novice", "--out", whole.to_str().unwrap()]);
    let shape = dir.path().join("shape");
    std::fs::create_dir(&shape).unwrap();
    for name in ["config.json", "tokenizer.json"] {
        std::fs::copy(whole.join(name), shape.join(name)).unwrap();
    }
    let of = of.unwrap_or(shape.to_str().unwrap());
    let text = format!(
        "[minds.far]\nurl = \"{}/v1\"\ntokens_of = {of:?}\nmodel = \"toy\"\nconcurrency = 8\n",
        stub.url
    );
    std::fs::write(dir.path().join("config.toml"), text).unwrap();
    (stub, dir)
}

fn states() -> Vec<State> {
    let first = State {
        task: "put a mug in shelf.".into(),
        observation: "You are in the middle of a room. Looking quickly around you, you see a desk 1, a drawer 1 \
                      and a shelf 1."
            .into(),
        history: Vec::new(),
    };
    let history = [
        ("go to desk 1", "You arrive at desk 1. On the desk 1, you see a mug 1 and a pen 2."),
        ("take mug 1 from desk 1", "You pick up the mug 1 from the desk 1."),
    ];
    let history = history.map(|(action, seen)| (action.to_string(), seen.to_string())).to_vec();
    vec![first.clone(), State { history, ..first }]
}

#[test]
fn a_served_model_does_what_it_does_here() {
    let (stub, dir) = far(None);
    let store = Store::open(dir.path()).unwrap();
    let open = |name: &str| agent::open(&store, Some(name), None, Priority::Interactive).unwrap();
    let (mut here, mut there) = (open("novice"), open("far"));
    assert!(there.name().starts_with("far (toy) in tokens of "), "{}", there.name());
    let states = states();
    let actions = ["go to shelf 1", "put mug 1 in/on shelf 1", "open drawer 1"].map(str::to_string);
    let cancel = Cancel::default();
    let asks: Vec<Ask<'_>> = states.iter().map(|state| Ask::about(state, &[7])).collect();
    let thinking = [Ask { state: &states[1], thought: Some("The mug is held."), seeds: &[1, 2] }];
    let mut both = |what: &mut dyn FnMut(&mut dyn Agent) -> Value| {
        let found = [what(here.as_mut()), what(there.as_mut())];
        assert_eq!(found[0], found[1]);
        found[0].clone()
    };
    let texts = |found: Vec<Vec<agent::Completion>>| {
        let each = found.into_iter().flatten().map(|one| json!([one.text, one.ended]));
        Value::Array(each.collect())
    };
    let acted = both(&mut |mind| texts(mind.act(&asks, Sampling::GREEDY, &cancel).unwrap()));
    assert!(acted[0][0].as_str().unwrap().len() > 3 && acted[0][1] == true, "{acted}");
    both(&mut |mind| texts(mind.act(&thinking, Sampling::GREEDY, &cancel).unwrap()));
    both(&mut |mind| texts(mind.think(&asks, Sampling::GREEDY, &cancel).unwrap()));
    both(&mut |mind| json!(mind.given(&states[1], Some("The mug is held.")).unwrap()));
    let among: Vec<Among<'_>> = states.iter().map(|state| Among::of(state, &actions)).collect();
    let foreseen =
        both(&mut |mind| json!(mind.predict(&among, &cancel, &mut |_, _, _| {}).unwrap()));
    assert!(foreseen[0][0].as_str().unwrap().len() > 5, "{foreseen}");
    let score = |mind: &mut dyn Agent| mind.score(&among, &cancel).unwrap().unwrap().concat();
    let (own, other) = (score(here.as_mut()), score(there.as_mut()));
    assert_eq!(own.len(), 6);
    for (own, other) in own.iter().zip(&other) {
        assert!((own - other).abs() < 1e-3, "{own} and {other}");
    }
    // What was sent are tokens.
    let sent = stub.posted("/v1/completions");
    assert!(sent.iter().filter(|one| one.body["prompt"].is_array()).count() > 10);
    assert!(sent.iter().all(|one| one.body["stop_token_ids"].is_array()));
}

/// Of the texts about states some are cut off, and some states have long thoughts.
#[test]
fn half_a_text_is_none_and_no_more_is_asked_for_than_there_is_room() {
    let cuts = Arc::new(AtomicBool::new(false));
    let (stub, dir) = cutting(None, Arc::clone(&cuts));
    let store = Store::open(dir.path()).unwrap();
    let mut there = agent::open(&store, Some("far"), None, Priority::Interactive).unwrap();
    let states = states();
    let case = |state: &State| Case {
        state: state.clone(),
        action: "go to desk 1".into(),
        outcome: "You arrive at desk 1.".into(),
        alternatives: Vec::new(),
        others: Vec::new(),
        admissible: Vec::new(),
    };
    let cases: Vec<Case> = [&states[0], &states[1], &states[0]].into_iter().map(case).collect();
    let asked: Vec<(&Case, u64)> = cases.iter().map(|case| (case, 1)).collect();
    let cancel = Cancel::default();
    let written = |there: &mut dyn Agent| there.reflect(&asked, Sampling::GREEDY, &cancel).unwrap();
    let whole = written(there.as_mut());
    assert!(whole.len() == 3 && whole.iter().all(|text| !text.is_empty()), "{whole:?}");
    cuts.store(true, Ordering::SeqCst);
    let cut = written(there.as_mut());
    cuts.store(false, Ordering::SeqCst);
    assert_eq!(cut, [&whole[0], "", &whole[2]], "each stays with its state");

    // A long thought leaves less room for the action than actions mostly have.
    stub.forget();
    let long = "The mug is on the desk and the shelf is near. ".repeat(200);
    let thought = [Ask { state: &states[1], thought: Some(&long), seeds: &[1] }];
    there.act(&thought, Sampling::GREEDY, &cancel).unwrap();
    for one in stub.posted("/v1/completions") {
        let prompt = one.body["prompt"].as_array().unwrap().len() as u64;
        let most = one.body["max_tokens"].as_u64().unwrap();
        assert!(prompt + most <= there.can().context.unwrap() as u64, "{prompt} and {most}");
    }
}

#[test]
fn a_served_model_plays_and_is_named_by_its_tokens() {
    let (_stub, dir) = far(None);
    let games =
        ["eval", "--suite", "household", "--split", "unseen", "--games", "4", "--step-limit", "20"];
    let played = |mind: &str, free: &[&str]| {
        let how = ["--temperature", "0", "--checkpoint", mind];
        json(dir.path(), &[&games[..], &how, free].concat()).pop().unwrap()
    };
    for free in [&[][..], &["--free"]] {
        let (here, there) = (played("novice", free), played("far", free));
        assert_eq!(here["n"], 4);
        for what in ["n", "kinds", "failures", "mean_steps", "invalid", "successes"] {
            assert_eq!(here[what], there[what], "{what}: {here} and {there}");
        }
        let named = there["checkpoint"].as_str().unwrap();
        assert!(named.starts_with("far (toy) in tokens of"), "{named}");
    }
    let said = json(dir.path(), &["minds", "far"]);
    assert_eq!((&said[0]["scores"], &said[0]["server"]), (&"exact".into(), &"vllm".into()));
}

#[test]
fn it_has_the_past_of_the_model_that_it_is() {
    let (_stub, dir) = far(Some("novice"));
    let games = ["eval", "--suite", "household", "--split", "train", "--games", "2"];
    let trained_on = |mind: &str| {
        let how = ["--step-limit", "1", "--checkpoint", mind];
        json(dir.path(), &[&games[..], &how].concat()).pop().unwrap()["trained_on"].clone()
    };
    assert_eq!((trained_on("novice"), trained_on("far")), (2.into(), 2.into()));
}

#[test]
fn other_tokens_are_refused_and_so_are_prompts_beside_them() {
    let (_stub, dir) = far(Some("embedded-alfworld"));
    let asked = ["eval", "--suite", "household", "--games", "1", "--checkpoint", "far"];
    let said = failure(&run(dir.path(), &asked));
    assert!(said.contains("other tokens than embedded-alfworld"), "{said}");
    let text = std::fs::read_to_string(dir.path().join("config.toml")).unwrap();
    let nobody = text.replace("model = \"toy\"\n", "");
    std::fs::write(dir.path().join("config.toml"), nobody).unwrap();
    let said = failure(&run(dir.path(), &asked));
    assert!(said.contains("tokens_of without model"), "{said}");
    std::fs::write(dir.path().join("config.toml"), text + "prompts = \"own\"\n").unwrap();
    let said = failure(&run(dir.path(), &asked));
    assert!(said.contains("tokens_of beside reflections or prompts"), "{said}");
}
