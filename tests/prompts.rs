//! A prompt that is optimised over a line, with a stub that follows what it is told only where it is told
//! the right thing.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use common::{json, run};
use foretaste::env::Suite;
use foretaste::env::household::Household;
use foretaste::explore::Session;
use foretaste::gateway::{Gateway, Limits, Route, Routed};
use foretaste::rng::Rng;
use foretaste::store::Store;
use serde_json::{Value, json};

/// The word without which the mind does nothing sensible.
const HIDDEN: &str = "walkthrough";

/// A server of two minds: one that plays a household game only if its instructions have the hidden word
/// (by copying a command that the last observation names), and a writer that adds it when the feedback
/// says that something did not succeed. `left` requests are answered, then it breaks off.
fn serve(left: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), counted) = (stream, Arc::clone(&counted)) else { return };
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                loop {
                    let (mut path, mut length) = (String::new(), 0);
                    loop {
                        let mut line = String::new();
                        if reader.read_line(&mut line).unwrap_or(0) == 0 {
                            return;
                        }
                        let lower = line.to_ascii_lowercase();
                        if path.is_empty() {
                            path.clone_from(&line);
                        } else if let Some(n) = lower.strip_prefix("content-length:") {
                            length = n.trim().parse().unwrap();
                        } else if lower.trim().is_empty() {
                            break;
                        }
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).unwrap();
                    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                    if path.contains("completions")
                        && counted.fetch_add(1, Ordering::SeqCst) >= left
                    {
                        return;
                    }
                    let reply = answer(&path, &body).to_string();
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                        reply.len()
                    );
                    if stream.write_all(format!("{head}{reply}").as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (url, count)
}

fn answer(path: &str, body: &Value) -> Value {
    if path.contains("/models") {
        return json!({"object": "list", "data": [{"id": "toy", "object": "model"}]});
    }
    let messages = body["messages"].as_array().cloned().unwrap_or_default();
    let text = |message: &Value| message["content"].as_str().unwrap_or_default().to_string();
    let last = messages.last().map(&text).unwrap_or_default();
    let said = if last.contains("Write new instructions") {
        let old = last.split("```\n").nth(1).unwrap_or_default().trim_end_matches("\n```").trim();
        format!("```\n{old} Use the {HIDDEN}.\n```")
    } else {
        let told = messages.iter().map(&text).collect::<Vec<_>>().join("\n");
        let step = told.matches("\n> ").count();
        let way =
            ways().iter().find(|(game, _)| game.iter().all(|part| told.contains(part.as_str())));
        let way = way.and_then(|(_, way)| way.get(step)).map_or("look around", String::as_str);
        format!("<action>{}</action>", if told.contains(HIDDEN) { way } else { "wait" })
    };
    let message = json!({"role": "assistant", "content": said});
    json!({"object": "chat.completion", "model": "toy", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5}})
}

/// How each of the games goes that are drawn: what is seen first, and the way to the goal.
fn ways() -> &'static [([String; 2], Vec<String>)] {
    static WAYS: OnceLock<Vec<([String; 2], Vec<String>)>> = OnceLock::new();
    WAYS.get_or_init(|| {
        let suite: Arc<dyn Suite> = Arc::new(Household);
        let mut tasks = suite.tasks("train").unwrap();
        Rng::stream(1, "items").shuffle(&mut tasks);
        let way = |id: &str| {
            let mut session = Session::open(&suite, "train", id, Some("walkthrough")).unwrap();
            let view = session.view().unwrap();
            let told = [view.observation.lines().next().unwrap().to_string(), view.task];
            let mut way = Vec::new();
            while !session.view().unwrap().done {
                let Some((_, advice)) = session.view().unwrap().expert else { break };
                session.step(&advice.action, "walkthrough").unwrap();
                way.push(advice.action);
            }
            (told, way)
        };
        tasks.iter().take(7).map(|task| way(&task.id)).collect()
    })
}

fn data(url: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "[minds.toy]\nurl = \"{url}\"\nmodel = \"toy\"\nretries = 0\ntimeout_s = 20\nconcurrency = 2\n"
    );
    std::fs::write(dir.path().join("config.toml"), text).unwrap();
    dir
}

const ORDER: [&str; 15] = [
    "prompts",
    "optimise",
    "own",
    "--mind",
    "toy",
    "--train",
    "4",
    "--validation",
    "3",
    "--budget",
    "20",
    "--minibatch",
    "2",
    "--limit",
    "30",
];

#[test]
fn an_optimisation_goes_on_where_it_broke_off_and_its_text_is_read_by_the_mind() {
    let (url, count) = serve(usize::MAX);
    let whole = data(&url);
    let found = json(whole.path(), &ORDER);
    assert!(found[0]["trials"].as_u64().unwrap() <= 20);
    let first = found[0]["candidates"][0]["text"].as_str().unwrap();
    assert!(first.contains("<action>"));
    let best = &found[0]["candidates"][found[0]["best"].as_u64().unwrap() as usize];
    assert!(best["text"].as_str().unwrap().contains(HIDDEN), "{found:?}");
    let won = |known: &Value| {
        known["scores"].as_array().unwrap().iter().filter(|score| **score == 1.0).count()
    };
    assert_eq!((won(&found[0]["candidates"][0]), won(best)), (0, 3), "the hidden rule is found");
    let asked = count.load(Ordering::SeqCst);
    // The same again asks nothing.
    assert_eq!(json(whole.path(), &ORDER), found);
    assert_eq!(count.load(Ordering::SeqCst), asked);
    // Cut off in the middle, and gone on with elsewhere.
    let (cut, _) = serve(asked / 2);
    let dir = data(&cut);
    assert!(!run(dir.path(), &ORDER).status.success());
    std::fs::write(
        dir.path().join("config.toml"),
        std::fs::read_to_string(whole.path().join("config.toml")).unwrap(),
    )
    .unwrap();
    assert_eq!(json(dir.path(), &ORDER), found);
    assert!(count.load(Ordering::SeqCst) < 2 * asked, "what was known was not asked again");
    // More may be spent, and what is shown is of that.
    let more = json(dir.path(), &["prompts", "optimise", "own", "--budget", "24"]);
    assert!(more[0]["trials"].as_u64() >= found[0]["trials"].as_u64());
    assert_eq!(json(dir.path(), &["prompts", "show", "own"])[0]["trials"], more[0]["trials"]);
    for odd in ["../own", "a b"] {
        assert_eq!(
            run(dir.path(), &["prompts", "optimise", odd, "--mind", "toy"]).status.code(),
            Some(2)
        );
    }
    json(dir.path(), &["prompts", "forget", "own"]);
    assert!(!run(dir.path(), &["prompts", "show", "own"]).status.success());
    assert!(run(dir.path(), &ORDER).status.success());
    // Other settings under the same name are refused.
    let other = [&ORDER[..], &["--seed", "2"]].concat();
    assert_eq!(run(dir.path(), &other).status.code(), Some(2));
    accepted(whole.path());
}

/// The text is written down, is read by the mind that names it, and nothing is written over.
fn accepted(root: &Path) {
    let shown = json(root, &["prompts", "show", "own"]);
    assert!(!shown[0]["candidates"].as_array().unwrap().is_empty());
    assert_eq!(json(root, &["prompts", "list"])[0]["name"], "own");
    json(root, &["prompts", "accept", "own", "--candidate", "0"]);
    assert!(!run(root, &["prompts", "accept", "own"]).status.success(), "it is there already");
    let config = root.join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap() + "prompts = \"own\"\n";
    std::fs::write(&config, text).unwrap();
    assert_eq!(json(root, &["minds", "--list"])[0]["mind"], "toy");
    let played = run(
        root,
        &[
            "eval",
            "--suite",
            "household",
            "--games",
            "1",
            "--step-limit",
            "2",
            "--free",
            "--mind",
            "toy",
        ],
    );
    assert!(played.status.success(), "{}", String::from_utf8_lossy(&played.stderr));
}

/// An agent of somebody else's, by the standard library alone: it asks once, and is worth 1 if it was not
/// told to wait.
const AGENT: &str = r#"
import json, sys, urllib.request
n, url, key = sys.argv[1:4]
def post(route, body):
    headers = {"Authorization": f"Bearer {key}.player", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/s/ep{n}/v1/{route}", json.dumps(body).encode(), headers)
    return json.loads(urllib.request.urlopen(request, timeout=20).read())
said = post("chat/completions", {"model": "any", "messages": [
    {"role": "system", "content": "You play."}, {"role": "user", "content": f"Item {n}: what do you do?"}]})
text = said["choices"][0]["message"]["content"]
if "--mute" not in sys.argv:
    post("reward", {"reward": float("wait" not in text), "reason": "waiting is not enough"})
"#;

#[test]
fn the_system_message_of_an_agent_of_others_is_rewritten_by_running_it() {
    let Some(python) = common::python_with("json", "python3") else { return };
    let (url, _) = serve(usize::MAX);
    let dir = data(&url);
    let root = dir.path();
    std::fs::write(root.join("agent.py"), AGENT).unwrap();
    let script = root.join("agent.py").display().to_string();
    let open = || Store::open(root).unwrap();
    open().open_session("run").unwrap();
    let serving = |route: Option<&str>| {
        let routes: Vec<Route> = route.iter().map(|route| Route::parse(route).unwrap()).collect();
        let minds = Routed::open(root, &routes).unwrap().minds().unwrap();
        let here = (std::net::Ipv4Addr::LOCALHOST.into(), 0);
        Gateway::start(here, open(), minds, Limits::default()).unwrap()
    };
    let play = |gateway: &Gateway, n: &str| {
        let url = format!("http://{}", gateway.address);
        let args = [script.as_str(), n, &url, "fk-run"];
        assert!(std::process::Command::new(&python).args(args).status().unwrap().success());
    };
    let gateway = serving(Some("toy"));
    play(&gateway, "1");
    drop(gateway);
    let trial = format!("'{python}' '{script}' {{item}} {{url}} {{key}}");
    let order = ["prompts", "optimise", "theirs", "--agent", "player", "--mind", "toy"];
    let how = ["--train", "3", "--validation", "2", "--minibatch", "2", "--budget", "12"];
    let mute = format!("{trial} --mute");
    let silent = run(root, &[&order[..], &["--trial", &mute], &how].concat());
    let told = String::from_utf8_lossy(&silent.stderr).to_string();
    assert!(!silent.status.success() && told.contains("nobody said what it was worth"), "{told}");
    json(root, &["prompts", "forget", "theirs"]);
    let found = json(root, &[&order[..], &["--trial", &trial], &how].concat());
    let best = &found[0]["candidates"][found[0]["best"].as_u64().unwrap() as usize];
    assert_eq!(found[0]["candidates"][0]["text"], "You play.");
    assert_eq!(best["text"], format!("You play. Use the {HIDDEN}."), "{found:?}");
    assert_eq!(best["scores"], json!([1.0, 1.0]));
    // The agent itself said what it always says: what was told in its place is the mind's affair.
    let calls = json(root, &["gateway", "calls"]);
    let trials =
        calls.iter().filter(|call| call["session"].as_str().unwrap().contains("trials-theirs/"));
    assert!(trials.count() >= 10, "{calls:?}");
    assert_eq!(json(root, &["gateway", "agents"])[0]["system"], "You play.");
    json(root, &["prompts", "accept", "theirs"]);
    json(root, &["gateway", "route", "player=toy with theirs"]);
    assert!(!run(root, &["gateway", "route", "player=toy with others"]).status.success());
    let gateway = serving(None);
    play(&gateway, "9");
    drop(gateway);
    let last = json(root, &["gateway", "calls"]).pop().unwrap();
    assert_eq!(last["mind"], "toy with theirs");
    let sessions = json(root, &["gateway", "sessions"]);
    let of =
        |name: &str| sessions.iter().find(|row| row["name"] == name).unwrap()["reward"].clone();
    assert_eq!((of("run/ep1"), of("run/ep9")), (json!(0.0), json!(1.0)));
}
