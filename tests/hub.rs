//! Models by their names on the Hugging Face hub: the real program against a hub of our own, which
//! has the embedded model.

mod common;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::{failure, foretaste, lines};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A hub with two repositories: `toy/tiny`, a model, and `toy/other`, which is none.
struct Hub {
    port: u16,
    /// Bytes of weights that were sent.
    sent: Arc<AtomicUsize>,
}

impl Hub {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/model");
        let names = ["config.json", "model.safetensors", "tokenizer.json"];
        let files: HashMap<String, Vec<u8>> = names
            .iter()
            .map(|name| ((*name).to_string(), std::fs::read(assets.join(name)).unwrap()))
            .collect();
        let sent = Arc::new(AtomicUsize::new(0));
        let (files, counted) = (Arc::new(files), Arc::clone(&sent));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (files, counted) = (Arc::clone(&files), Arc::clone(&counted));
                std::thread::spawn(move || answer(stream, &files, &counted));
            }
        });
        Self { port, sent }
    }

    /// Runs the program with this hub and a cache of its own.
    fn run(&self, home: &Path, offline: bool, args: &[&str]) -> Output {
        let mut command = foretaste(&home.join("data"), args);
        command
            .env("HF_ENDPOINT", format!("http://127.0.0.1:{}", self.port))
            .env("HF_HOME", home.join("hf"))
            .env_remove("HF_HUB_CACHE")
            .env_remove("HF_HUB_OFFLINE");
        if offline {
            command.env("HF_HUB_OFFLINE", "1");
        }
        command.output().unwrap()
    }
}

fn answer(stream: TcpStream, files: &HashMap<String, Vec<u8>>, sent: &AtomicUsize) {
    let writer = Mutex::new(stream.try_clone().unwrap());
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request).unwrap_or(0) == 0 {
            return;
        }
        let mut range = None;
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header).unwrap_or(0) <= 2 {
                break;
            }
            if let Some(bytes) = header.to_lowercase().strip_prefix("range: bytes=") {
                range = Some(bytes.trim().to_string());
            }
        }
        let path = request.split(' ').nth(1).unwrap_or_default();
        let say = |status: &str, headers: &str, body: &[u8]| {
            let mut writer = writer.lock().unwrap();
            let length = body.len();
            _ = write!(writer, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n");
            _ = writer.write_all(body).and_then(|()| writer.flush());
        };
        let listed = |names: &[&str]| {
            let files: Vec<_> = names.iter().map(|n| serde_json::json!({"rfilename": n})).collect();
            serde_json::json!({"sha": COMMIT, "siblings": files}).to_string()
        };
        if ["tiny", "cut"]
            .map(|name| format!("/api/models/toy/{name}/revision/main"))
            .contains(&path.to_string())
        {
            let all = [
                "README.md",
                "config.json",
                "model.safetensors",
                "tokenizer.json",
                "../up.safetensors",
            ];
            say("200 OK", "content-type: application/json\r\n", listed(&all).as_bytes());
            continue;
        }
        if path == "/api/models/toy/evil/revision/main" {
            let evil = listed(&["config.json"]).replace(COMMIT, "../../../../out");
            say("200 OK", "content-type: application/json\r\n", evil.as_bytes());
            continue;
        }
        if path == "/api/models/toy/other/revision/main" {
            say("200 OK", "content-type: application/json\r\n", listed(&["README.md"]).as_bytes());
            continue;
        }
        let (repo, name) = path
            .strip_prefix("/toy/")
            .and_then(|rest| rest.split_once(&format!("/resolve/{COMMIT}/")))
            .unwrap_or_default();
        let Some(bytes) = files.get(name) else {
            say("404 Not Found", "", b"there is no such thing");
            continue;
        };
        // A line that breaks in the middle, unless the rest is asked for.
        if repo == "cut" && name == "model.safetensors" && range.is_none() {
            let mut writer = writer.lock().unwrap();
            _ = write!(writer, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len());
            _ = writer.write_all(&bytes[..1000]).and_then(|()| writer.flush());
            _ = writer.shutdown(std::net::Shutdown::Both);
            return;
        }
        let (from, to) =
            range.as_deref().and_then(|range| range.split_once('-')).unwrap_or(("0", ""));
        let from: usize = from.parse().unwrap();
        let to = to.parse().unwrap_or(bytes.len() - 1).min(bytes.len() - 1);
        if name == "model.safetensors" {
            sent.fetch_add(to + 1 - from, Ordering::Relaxed);
        }
        let headers = format!(
            "etag: \"{name}\"\r\nx-repo-commit: {COMMIT}\r\naccept-ranges: bytes\r\n\
             content-range: bytes {from}-{to}/{}\r\n",
            bytes.len()
        );
        let status = if range.is_some() { "206 Partial Content" } else { "200 OK" };
        say(status, &headers, &bytes[from..=to]);
    }
}

#[test]
fn a_name_of_the_hub_is_fetched_when_asked_and_then_is_the_model() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let play = |model: &str| {
        let args = ["eval", "--json", "--checkpoint", model, "--games", "2", "--split", "seen"];
        hub.run(home, false, &args)
    };
    // A name alone never goes to the network.
    let missing = failure(&play("toy/tiny"));
    assert!(missing.contains("toy/tiny: nothing is there, nor in the hub's cache"), "{missing}");
    assert!(missing.contains("foretaste model fetch toy/tiny"), "{missing}");
    assert_eq!(hub.sent.load(Ordering::Relaxed), 0);
    let offline = failure(&hub.run(home, true, &["model", "fetch", "toy/tiny"]));
    assert!(offline.contains("HF_HUB_OFFLINE is set"), "{offline}");

    let fetch = |name: &str| hub.run(home, false, &["model", "fetch", name, "--json"]);
    let fetched = fetch("toy/tiny");
    assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
    let told = lines(&fetched).remove(0);
    assert_eq!(told["model"], format!("toy/tiny@{COMMIT}").as_str());
    let folder = Path::new(told["path"].as_str().unwrap());
    assert!(folder.starts_with(home.join("hf/hub/models--toy--tiny/snapshots")), "{told}");
    assert!(!home.join("hf/hub/up.safetensors").exists());
    // What is there is not fetched again, nor asked for where there is no network.
    let once = hub.sent.load(Ordering::Relaxed);
    assert!(fetch("toy/tiny").status.success());
    assert_eq!(hub.sent.load(Ordering::Relaxed), once);

    let outcomes = |model: &str| {
        let lines = lines(&play(model));
        let games: Vec<_> = lines
            .iter()
            .filter_map(|l| Some((l["task_id"].as_str()?.to_string(), l["steps"].clone())))
            .collect();
        (games, lines.last().unwrap()["checkpoint"].clone())
    };
    let (games, named) = outcomes("toy/tiny");
    let (same, _) = outcomes("embedded");
    assert_eq!((games.len(), &games), (2, &same), "it is the same model");
    // What is recorded means these files later, too.
    assert_eq!(named, format!("toy/tiny@{COMMIT}").as_str());
    assert_eq!(outcomes(&format!("toy/tiny@{COMMIT}")).0, same);
    let other = failure(&play("toy/tiny@fedcba"));
    assert!(other.contains("nor in the hub's cache"), "{other}");
}

#[test]
fn what_the_hub_does_not_have_is_named() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let fetch = |name: &str| hub.run(home.path(), false, &["model", "fetch", name]);
    let none = failure(&fetch("toy/nosuch"));
    assert!(none.contains("toy/nosuch: asking the hub") && none.contains("404"), "{none}");
    let lacking = failure(&fetch("toy/other"));
    assert!(lacking.contains("toy/other: the repository has no safetensors"), "{lacking}");
    let word = fetch("nonsense");
    assert_eq!(word.status.code(), Some(2));
    // A hub that is not there is an error, not a wait.
    drop(hub);
    let mut gone = foretaste(&home.path().join("data"), &["model", "fetch", "toy/tiny"]);
    gone.env("HF_ENDPOINT", "http://127.0.0.1:1").env("HF_HOME", home.path().join("hf2"));
    let gone =
        failure(&gone.env_remove("HF_HUB_CACHE").env_remove("HF_HUB_OFFLINE").output().unwrap());
    assert!(gone.contains("toy/tiny: asking the hub"), "{gone}");
}

#[test]
fn what_was_cut_off_goes_on_and_a_hub_names_no_path() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let fetch = |name: &str| hub.run(home, false, &["model", "fetch", name]);
    let cut = failure(&fetch("toy/cut"));
    assert!(cut.contains("model.safetensors") && cut.contains("the same command goes on"), "{cut}");
    // Nothing takes the place of the model until it is whole.
    let play = ["eval", "--checkpoint", "toy/cut", "--games", "1", "--split", "seen"];
    assert!(failure(&hub.run(home, false, &play)).contains("nor in the hub's cache"));
    let whole = fetch("toy/cut");
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/model/model.safetensors");
    let fetched =
        home.join(format!("hf/hub/models--toy--cut/snapshots/{COMMIT}/model.safetensors"));
    assert_eq!(std::fs::read(fetched).unwrap(), std::fs::read(assets).unwrap());
    assert_eq!(hub.sent.load(Ordering::Relaxed), 3_792_200 - 1000, "only the rest was sent again");
    let evil = failure(&fetch("toy/evil"));
    assert!(evil.contains("it names no commit"), "{evil}");
    assert!(!home.join("out").exists() && !home.join("hf/out").exists());
}
