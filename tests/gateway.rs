//! Agents of others, by the real binary over a real line: dialects, safety, what is written down, and
//! that nothing which was answered is lost.

mod common;
#[path = "stub/mod.rs"]
mod stub;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use common::served::{KEY, Running};
use common::{foretaste, json, run};
use serde_json::{Value, json};
use stub::{As, Fault, Stub};

fn tool() -> Value {
    json!({"type": "function", "function": {"name": "act", "parameters": {"type": "object", "properties": {"command": {"type": "string"}}}}})
}

const GAME: &str = "The room has a cupboard 1, a rack 1, a shelf 1, and a sink 1.\n\nYour errand: a bottle belongs in the cupboard.";

fn game() -> Value {
    json!({"model": "any", "temperature": 0, "tools": [tool()],
        "messages": [{"role": "system", "content": "You play."}, {"role": "user", "content": GAME}]})
}

/// A data directory that knows the stub as `writer`, with a key in the environment.
fn with_stub(stub: &Stub) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "[minds.writer]\nurl = \"{}/v1\"\nmodel = \"toy\"\nkey = {{ env = \"WRITER_KEY\" }}\nretries = 0\ntimeout_s = 3\n\
         price_in = 1.0\nprice_out = 2.0\n",
        stub.url
    );
    std::fs::write(dir.path().join("config.toml"), text).unwrap();
    dir
}

/// Everything that is written below a folder.
fn written(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(written(&path));
        } else {
            all.extend(std::fs::read(&path).unwrap_or_default());
        }
    }
    all
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_mind_of_this_program_answers_every_dialect_and_what_was_played_is_learnt_from() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(dir.path(), &["--reward", "^The game is over: won=1"]);
    // Chat, then the same game in the other two: the same words at temperature 0.
    let (status, whole) = gateway.post("/s/a/v1/chat/completions", "fk-t.player", &game());
    assert_eq!(status, 200, "{whole}");
    let call = &whole["choices"][0]["message"]["tool_calls"][0];
    let command: Value =
        serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
    let command = command["command"].as_str().unwrap();
    assert!(command.starts_with("walk to "), "{command}");
    let schema = &tool()["function"]["parameters"];
    let responses = json!({"model": "any", "temperature": 0, "instructions": "You play.", "input": GAME,
        "tools": [{"type": "function", "name": "act", "parameters": schema}]});
    let (status, other) = gateway.post("/s/b/v1/responses", "fk-t", &responses);
    assert_eq!((status, &other["output"][0]["arguments"]), (200, &call["function"]["arguments"]));
    let messages = json!({"model": "any", "temperature": 0, "max_tokens": 9, "system": "You play.",
        "messages": [{"role": "user", "content": GAME}], "tools": [{"name": "act", "input_schema": schema}]});
    let (status, other) = gateway.post("/s/c/v1/messages", "fk-t", &messages);
    assert_eq!((status, &other["content"][0]["input"]["command"]), (200, &json!(command)));
    let (status, count) = gateway.post("/v1/messages/count_tokens", "fk-t", &messages);
    assert!(status == 200 && count["input_tokens"].as_u64().unwrap() > 10);
    // The first of them goes on, is told that it won, and ends.
    let mut body = game();
    let said = body["messages"].as_array_mut().unwrap();
    said.push(whole["choices"][0]["message"].clone());
    said.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "It is done.\nThe game is over: won."}));
    body["stream"] = true.into();
    let (status, head, text) = gateway.send(
        "POST",
        "/s/a/v1/chat/completions",
        &[("x-api-key", "fk-t.player")],
        &body.to_string(),
    );
    assert!(status == 200 && head.contains("text/event-stream"), "{head}");
    assert!(text.contains("The episode is over.") && text.contains("data: [DONE]"), "{text}");
    // What was said before an answer is known by its name.
    let id = gateway.post("/s/b/v1/responses", "fk-t", &responses).1["id"].clone();
    let next = json!({"model": "any", "previous_response_id": id, "instructions": "You play.", "input": [{"type": "function_call_output", "call_id": "x", "output": "You see a bottle 1."}],
        "tools": [{"type": "function", "name": "act", "parameters": schema}]});
    let (status, after) = gateway.post("/s/b/v1/responses", "fk-t", &next);
    assert_eq!(status, 200, "{after}");
    assert_eq!(gateway.post("/s/c/v1/responses", "fk-t", &next).0, 400, "another session's answer");
    drop(gateway);

    let calls = json(dir.path(), &["gateway", "calls"]);
    let relations: Vec<(&str, &str)> = calls
        .iter()
        .map(|call| (call["session"].as_str().unwrap(), call["relation"].as_str().unwrap()))
        .collect();
    assert_eq!(
        relations,
        [
            ("t/a", "root"),
            ("t/b", "root"),
            ("t/c", "root"),
            ("t/a", "continued"),
            ("t/b", "again"),
            ("t/b", "continued")
        ]
    );
    assert!(
        calls[0]["exact"] == true && calls[3]["exact"] == false,
        "a mind gives its tokens; the last word has none"
    );
    let sessions = json(dir.path(), &["gateway", "sessions"]);
    let rewarded: Vec<&Value> =
        sessions.iter().filter(|session| session["reward"] == 1.0).collect();
    assert_eq!((rewarded.len(), &rewarded[0]["name"]), (1, &json!("t/a")));
    // A conversation that was worth something is a demonstration, once.
    let taken = json(dir.path(), &["gateway", "take", "player"]);
    assert_eq!(taken[0]["taken"]["taken"], 1);
    assert_eq!(json(dir.path(), &["gateway", "take", "player"])[0]["taken"]["before"], 1);
    let told = json(dir.path(), &["replay", "1"]);
    assert!(told.iter().any(|row| row.to_string().contains(command)), "{told:?}");
    let output = run(
        dir.path(),
        &[
            "train",
            "--objective",
            "imitation",
            "--expert",
            "player",
            "--split",
            "captured",
            "--from",
            "novice",
            "--steps",
            "1",
            "--held-out",
            "0",
        ],
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Other answers are kept beside it, and nothing of them was executed.
    let others = json(
        dir.path(),
        &["gateway", "try", "1", "-k", "2", "--temperature", "1", "--mind", "novice"],
    );
    let kept = json(dir.path(), &["gateway", "show", "1"])[0]["alternatives"].clone();
    assert_eq!(others.len(), 1 + kept.as_array().unwrap().len(), "what was said, and those");
    assert!(others.iter().skip(1).all(|one| one["said"] != others[0]["said"]), "{others:?}");
}

#[test]
fn only_who_has_a_key_and_is_no_web_page_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(dir.path(), &[]);
    let body = game().to_string();
    let bearer = ("authorization", "Bearer fk-t");
    for (headers, status) in [
        (vec![], 401),
        (vec![("authorization", "Bearer fk-u")], 401),
        (vec![("authorization", "Bearer sk-t")], 401),
        (vec![bearer, ("origin", "https://evil.example")], 403),
        (vec![bearer, ("host", "evil.example")], 403),
        (vec![bearer, ("x-session-id", "../../etc")], 400),
    ] {
        let found = gateway.send("POST", "/v1/chat/completions", &headers, &body).0;
        assert_eq!(found, status, "{headers:?}");
    }
    for (path, body, status) in [
        ("/v1/chat/completions", "{", 400),
        ("/v1/chat/completions", "[]", 400),
        ("/v1/chat/completions", "{\"messages\": 3}", 400),
        ("/v1/nowhere", "{}", 404),
        ("/v1/embeddings", "{\"input\": \"a\"}", 404),
        ("/v1/reward", "{\"reward\": \"much\"}", 400),
    ] {
        assert_eq!(gateway.send("POST", path, &[bearer], body).0, status, "{path} {body}");
    }
    let mut odd = game();
    odd["logit_bias"] = json!({"5": 1});
    let (status, said) = gateway.post("/v1/chat/completions", "fk-t", &odd);
    assert!(
        status == 400 && said["error"]["message"].as_str().unwrap().starts_with("logit_bias"),
        "{said}"
    );
    // More than a request may have; the line may be closed before all of it is sent.
    let mut stream = TcpStream::connect(&gateway.address).unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer fk-t\r\ncontent-length: 99999999\r\n\r\n",
        gateway.address
    );
    stream.write_all(head.as_bytes()).unwrap();
    let _ = stream.write_all(&vec![b' '; 40 << 20]);
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = [0; 64];
    let read = stream.read(&mut answer).unwrap_or(0);
    assert!(read == 0 || String::from_utf8_lossy(&answer).contains("413"));
    assert_eq!(gateway.post("/v1/chat/completions", "fk-t", &game()).0, 200, "and it goes on");
    drop(gateway);
    assert_eq!(json(dir.path(), &["gateway", "calls"]).len(), 1, "what was refused is no call");
}

#[test]
fn an_endpoint_answers_and_its_key_stands_nowhere() {
    let stub = Stub::new(As::Vllm);
    let dir = with_stub(&stub);
    let gateway = Running::start(dir.path(), &["--mind", "writer"]);
    let body = json!({"model": "what the agent calls it", "messages": [{"role": "user", "content": "hello"}]});
    let (status, said) = gateway.post("/v1/chat/completions", "fk-t", &body);
    assert_eq!(status, 200, "{said}");
    let asked = stub.shared.asked.lock().unwrap().last().unwrap().clone();
    assert_eq!(asked.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert_eq!(asked.body["model"], "toy", "the profile's, whatever the agent calls it");
    // One that fails is told as such, and is written down.
    stub.shared.faults.lock().unwrap().push_back(Fault::status("500 Internal Server Error", "{}"));
    let (status, failed) = gateway.post("/v1/chat/completions", "fk-t", &body);
    assert_eq!(status, 502, "{failed}");
    let mut errors = String::new();
    let mut gateway = gateway;
    gateway.child.kill().unwrap();
    gateway.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    drop(gateway);
    let calls = json(dir.path(), &["gateway", "calls"]);
    assert_eq!(calls.len(), 2);
    assert!(calls[0]["cost"].as_f64().unwrap() > 0.0 && calls[0]["exact"] == false);
    for text in [said.to_string(), failed.to_string(), errors] {
        assert!(!text.contains(KEY), "{text}");
    }
    assert!(!holds(&written(dir.path()), KEY));
}

#[test]
fn no_answered_call_is_lost_when_the_gateway_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut answered = 0;
    for round in 0..6_u64 {
        let mut gateway = Running::start(dir.path(), &[]);
        let address = gateway.address.clone();
        let callers: Vec<_> = (0..4)
            .map(|agent| {
                let address = address.clone();
                std::thread::spawn(move || {
                    let mut answered = 0;
                    loop {
                        let Ok(mut stream) = TcpStream::connect(&address) else { return answered };
                        let body = game().to_string();
                        let head = format!("POST /s/k{round}-{agent}/v1/chat/completions HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer fk-t\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                        let mut whole = String::new();
                        let sent = stream.write_all(head.as_bytes());
                        if sent.is_err() || stream.read_to_string(&mut whole).is_err() || !whole.contains("\"usage\"") {
                            return answered;
                        }
                        answered += 1;
                    }
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(80 + 37 * round));
        gateway.child.kill().unwrap();
        answered += callers.into_iter().map(|caller| caller.join().unwrap()).sum::<usize>();
    }
    let kept = json(dir.path(), &["gateway", "calls"]).len();
    assert!(answered > 0 && kept >= answered, "{answered} were answered, {kept} are kept");
    assert!(kept <= answered + 6 * 4, "{answered} were answered, {kept} are kept");
}

#[test]
fn another_mind_answers_from_the_next_call_on_and_is_taken_back() {
    let stub = Stub::new(As::Vllm);
    let dir = with_stub(&stub);
    let gateway = Running::start(dir.path(), &[]);
    let ask = || {
        assert_eq!(gateway.post("/v1/chat/completions", "fk-t.player", &game()).0, 200);
        json(dir.path(), &["gateway", "calls"]).last().unwrap()["mind"].clone()
    };
    assert_eq!(ask(), "embedded");
    let until = |mind: &str| {
        let began = Instant::now();
        while ask() != mind {
            assert!(began.elapsed() < Duration::from_mins(1), "{mind} never answered");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let routed = |args: &[&str]| {
        let output = foretaste(dir.path(), &[&["gateway", "route"], args].concat())
            .env("WRITER_KEY", KEY)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    routed(&["player=novice"]);
    until("novice");
    routed(&["--back", "player"]);
    until("embedded");
    assert!(!run(dir.path(), &["gateway", "route", "player=nobody-there"]).status.success());
    assert!(!run(dir.path(), &["gateway", "route", "--back", "player"]).status.success());
}

#[test]
fn code_for_agent_lightning_finds_its_routes() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(dir.path(), &["--mind", "novice"]);
    let openai = "/proxy/rollout/r1/attempt/0/mode/train/openai/v1/chat/completions";
    assert_eq!(gateway.post(openai, "fk-t", &game()).0, 200);
    let events = "/api/rollouts/r1/attempt/0/events";
    let reward = json!({"event_type": "reward", "data": {"value": 1.0, "source": "agent"}});
    let (status, told) = gateway.post(events, "fk-t", &reward);
    assert_eq!(
        (status, &told["rollout_id"], &told["attempt_id"]),
        (200, &json!("r1"), &json!("0"))
    );
    let note = json!({"event_type": "note", "data": {"text": "so far"}});
    assert_eq!(gateway.post(events, "fk-t", &note).0, 200);
    for odd in [json!({"data": {}}), json!({"event_type": "reward", "data": {"value": "x"}})] {
        assert_eq!(gateway.post(events, "fk-t", &odd).0, 400);
    }
    let bearer = [("authorization", "Bearer fk-t")];
    let get = |path: &str| {
        let (status, _, body) = gateway.send("GET", path, &bearer, "");
        (status, serde_json::from_str::<Value>(&body).unwrap())
    };
    let (status, all) = get("/api/rollouts/r1/events");
    let kinds: Vec<&str> =
        all.as_array().unwrap().iter().map(|event| event["event_type"].as_str().unwrap()).collect();
    assert_eq!((status, &kinds[..]), (200, &["model_request", "reward", "note"][..]));
    assert_eq!(all[1]["data"]["value"], 1.0);
    let choice = &all[0]["data"]["response"]["choices"][0];
    let (_, triplet) = get("/api/rollouts/r1/events?format=triplet&event_type=model_request");
    let trimmed = &triplet[0]["data"];
    assert_eq!(triplet.as_array().unwrap().len(), 1);
    assert_eq!(trimmed["response_token_ids"], choice["token_ids"]);
    let logps = trimmed["response_log_probs"].as_array().unwrap();
    assert_eq!(logps.len(), trimmed["response_token_ids"].as_array().unwrap().len());
    assert_eq!(choice["logprobs"]["content"][0]["logprob"], logps[0]);
    assert_eq!(get("/api/rollouts/r2/events").0, 404);
    assert_eq!(get("/api/rollouts/r1/events?form=x").0, 400);
    assert_eq!(gateway.send("GET", "/api/rollouts/r1/events", &[], "").0, 401);
    let sessions = json(dir.path(), &["gateway", "sessions"]);
    assert_eq!((&sessions[0]["name"], &sessions[0]["reward"]), (&json!("t/r1/0"), &json!(1.0)));
}

/// What a user of Agent Lightning 0.3 has: its own tracer, and an exporter of OpenTelemetry beside it.
const EMITS: &str = r#"
import asyncio, sys
import agentlightning as agl
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
tracer = agl.OtelTracer()
tracer.init_worker(0)
headers = {"Authorization": "Bearer fk-t"}
exporter = OTLPSpanExporter(endpoint=sys.argv[1] + "/v1/traces", headers=headers)
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))
async def main():
    async with tracer.trace_context():
        agl.emit_reward({"success": 0.75, "short": 0.1}, primary_key="success")
asyncio.run(main())
"#;

#[test]
fn a_reward_of_agent_lightning_arrives_as_it_is_emitted() {
    let Some(python) = common::python_with("agentlightning", "pip install agentlightning==0.3.0")
    else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(dir.path(), &["--mind", "novice"]);
    let url = format!("http://{}/s/ep1", gateway.address);
    let out = std::process::Command::new(python).args(["-c", EMITS, &url]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let sessions = json(dir.path(), &["gateway", "sessions"]);
    assert_eq!((&sessions[0]["name"], &sessions[0]["reward"]), (&json!("t/ep1"), &json!(0.75)));
}

#[test]
fn what_an_agent_did_and_what_it_was_worth_is_learnt_from_by_ratios() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(dir.path(), &["--mind", "novice"]);
    let (mut worth, mut texts) = (Vec::new(), Vec::new());
    for n in 0..8 {
        let mut asked = game();
        // One is drawn otherwise than it would be trained: it is left out.
        asked["temperature"] = json!(if n == 7 { 0.4 } else { 1.0 });
        // By chance all could say the same, of which nothing is learnt: these seeds do not.
        asked["seed"] = json!(n);
        let path = format!("/s/ep{n}/v1/chat/completions");
        let (status, said) = gateway.post(&path, "fk-t.player", &asked);
        assert_eq!(status, 200, "{said}");
        if n == 6 {
            let game = json!({"suite": "household", "task": "unseen/0"});
            assert_eq!(gateway.post("/s/ep6/v1/world", "fk-t", &game).0, 200);
        }
        let reward = f64::from(u8::from(n % 2 == 0));
        worth.push(reward);
        texts.push(said["choices"][0]["message"]["tool_calls"][0]["function"].clone());
        let told = json!({"reward": reward});
        assert_eq!(gateway.post(&format!("/s/ep{n}/v1/reward"), "fk-t", &told).0, 200);
    }
    drop(gateway);
    assert!(texts[..6].iter().any(|text| *text != texts[0]), "nothing to learn from: {texts:?}");
    let order = ["train", "--objective", "rl", "--captured", "player", "--from", "novice"];
    let how = ["--steps", "2", "--workers", "1", "--rate", "1e-3"];
    let said = run(dir.path(), &[&order[..], &how, &["--json"]].concat());
    let told = String::from_utf8_lossy(&said.stderr).to_string();
    assert!(said.status.success(), "{told}");
    assert!(told.contains("1 conversation left out: were written at another"), "{told}");
    assert!(told.contains("1 conversation left out: are about games for evaluation"), "{told}");
    let rows: Vec<Value> = common::lines(&said);
    let updates: Vec<&Value> = rows.iter().filter(|row| row["step"].is_u64()).collect();
    let updates: Vec<&&Value> = updates.iter().filter(|row| row["loss"].is_f64()).collect();
    let of = |at: usize, name: &str| updates[at][name].as_f64().unwrap();
    let mean = worth[..6].iter().sum::<f64>() / 6.0;
    assert!((of(0, "success") - mean).abs() < 1e-9);
    // The mind that answered is the one that is trained: no ratio is off, until it has moved.
    assert!(of(0, "ratio_off") < 1e-4, "{:?}", updates[0]);
    assert!(of(1, "ratio_off") > 10.0 * of(0, "ratio_off"), "{:?}", updates[1]);
    assert!(of(0, "norm") > 0.0);
    // What is said later changes nothing of a run that has begun: it goes by what was said then.
    let store = foretaste::store::Store::open(dir.path()).unwrap();
    let agent = store.called_agent("player").unwrap();
    let read = |worth| {
        let upto = store.last_call().unwrap();
        let (all, _) = foretaste::gateway::rollouts(&store, &agent, upto, worth).unwrap();
        all.iter().map(|one| (one.call, one.trajectory.reward())).collect()
    };
    let then: foretaste::gateway::Worth = read(None);
    json(dir.path(), &["gateway", "reward", "t/ep1", "1"]);
    assert_ne!(read(None), then);
    assert_eq!(read(Some(&then)), then);
    for odd in [&["--method", "forks"][..], &["--temperature", "0.4"], &["--validation", "3"]] {
        assert!(!run(dir.path(), &[&order[..], odd].concat()).status.success(), "{odd:?}");
    }
    let other = ["train", "--objective", "rl", "--captured", "nobody"];
    assert!(!run(dir.path(), &other).status.success());
}
