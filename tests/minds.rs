//! A model behind an endpoint through the whole loop: as policy, world model and reflector, and
//! when it fails.

mod common;
#[path = "stub/mod.rs"]
mod stub;

use std::path::Path;

use common::{failure, foretaste, json, lines, run};
use foretaste::agent::{self, Located};
use foretaste::model::BuiltIn;
use stub::{As, Fault, Stub};

const KEY: &str = "sk-not-to-be-seen-4711";

/// A data directory that knows the stub as `writer`, with a key in the environment.
fn data(stub: &Stub) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "[minds.writer]\nurl = \"{}/v1\"\nkey = {{ env = \"WRITER_KEY\" }}\nretries = 1\n\
         price_in = 1.0\nprice_out = 2.0\n",
        stub.url
    );
    std::fs::write(dir.path().join("config.toml"), text).unwrap();
    dir
}

fn with_key(data: &Path, args: &[&str]) -> std::process::Output {
    foretaste(data, args).env("WRITER_KEY", KEY).output().unwrap()
}

/// Every file under a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn an_endpoint_acts_foresees_and_reflects_and_its_key_is_written_nowhere() {
    let stub = Stub::new(As::Vllm);
    let dir = data(&stub);
    let collect = |args: &[&str]| {
        let output = with_key(dir.path(), &[&["collect"], args].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    };
    collect(&["demos", "--games", "2"]);
    collect(&[
        "branches",
        "--games",
        "2",
        "-k",
        "1",
        "--proposer",
        "policy",
        "--checkpoint",
        "writer",
    ]);
    collect(&["reflections", "--games", "1", "--generator", "model", "--checkpoint", "writer"]);
    let reflections = json(dir.path(), &["data", "list", "reflections"]);
    assert!(!reflections.is_empty());
    for row in &reflections {
        let author = row["generator"].as_str().unwrap();
        assert!(author.starts_with("writer (toy) by leak-safe#"), "{author}");
    }
    let shown = with_key(dir.path(), &["replay", "1"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("writer (toy) by leak-safe#"), "who wrote it is shown: {shown}");
    let eval =
        ["eval", "--split", "seen", "--games", "1", "--step-limit", "3", "--predict", "-k", "1"];
    let own = with_key(
        dir.path(),
        &[&eval[..], &["--checkpoint", "world=writer,policy=embedded", "--json"]].concat(),
    );
    assert!(own.status.success(), "{}", String::from_utf8_lossy(&own.stderr));
    assert!(
        lines(&own)
            .iter()
            .any(|row| row["checkpoint"] == "embedded" || row["mean_steps"].is_number())
    );
    let asked = stub.asked();
    let keyed = asked.iter().filter(|asked| asked.header("authorization").is_some());
    assert!(keyed.count() > 10, "it was asked with the key");
    for asked in &asked {
        assert!(!asked.text.contains(KEY) && !asked.path.contains(KEY));
    }
    for file in files(dir.path()) {
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes());
        assert!(!found, "the key stands in {}", file.display());
    }
}

#[test]
fn minds_are_listed_and_tested() {
    let stub = Stub::new(As::LlamaCpp);
    let dir = data(&stub);
    let listed = with_key(dir.path(), &["minds", "--list", "--json"]);
    assert_eq!(lines(&listed)[0]["mind"], "writer");
    assert!(stub.asked().is_empty(), "nobody is asked");
    let tested = with_key(dir.path(), &["minds", "--json"]);
    let row = &lines(&tested)[0];
    assert_eq!((&row["ok"], &row["server"]), (&true.into(), &"llamacpp".into()), "{row}");
    assert_eq!(row["scores"], "forced");
    assert!(row["price_of_100"].as_f64().unwrap() > 0.0);
    let missing = run(dir.path(), &["minds"]);
    assert!(failure(&missing).contains("1 mind could not be asked"));
    let said = String::from_utf8(missing.stdout).unwrap();
    assert!(said.contains("WRITER_KEY"), "{said}");
    let none =
        run(dir.path(), &["train", "--objective", "imitation", "--from", "writer", "--steps", "1"]);
    let said = String::from_utf8_lossy(&none.stderr).to_string();
    assert!(said.contains("its weights are not here") && !none.status.success(), "{said}");
}

#[test]
fn a_mind_that_fails_leaves_what_was_collected_and_the_job_goes_on_later() {
    let stub = Stub::new(As::Hosted);
    let dir = data(&stub);
    let collect = |args: &[&str]| with_key(dir.path(), &[&["collect"], args].concat());
    assert!(collect(&["demos", "--games", "2"]).status.success());
    assert!(collect(&["branches", "--games", "2", "-k", "2"]).status.success());
    let write = ["reflections", "--games", "2", "--generator", "model", "--checkpoint", "writer"];
    // Connecting asks some questions; then a few are answered and the rest is refused.
    assert!(with_key(dir.path(), &["minds", "writer"]).status.success());
    let connecting = stub.asked().iter().filter(|asked| asked.method == "POST").count();
    let refused = || Fault::status("401 Unauthorized", "{\"error\":{\"message\":\"no more\"}}");
    let well = std::iter::repeat_n(Fault::None, connecting + 3);
    stub.then(well.chain(std::iter::repeat_with(refused).take(40)));
    let broken = collect(&write);
    let said = failure(&broken);
    assert!(said.contains("no more"), "{said}");
    assert_eq!(said.matches("no more").count(), 1, "said once: {said}");
    let kept = json(dir.path(), &["data", "list", "reflections"]).len();
    stub.forget();
    assert!(collect(&write).status.success());
    let all = json(dir.path(), &["data", "list", "reflections"]);
    assert!(kept < all.len(), "{kept} before, {} in the end", all.len());
    let mut places: Vec<String> =
        all.iter().map(|row| format!("{} {}", row["trajectory"], row["t"])).collect();
    places.sort();
    let whole = places.len();
    places.dedup();
    assert_eq!(whole, places.len(), "none is written twice");
}

#[test]
fn a_key_in_the_wrong_place_is_not_said_again() {
    for line in [
        "key = \"sk-SECRET-4711\"",
        "key = sk-SECRET-4711",
        "key = { env = \"sk-SECRET-4711\" }",
        "url = \"http://me:sk-SECRET-4711@127.0.0.1:9/v1\"",
        "api_key = \"sk-SECRET-4711\"",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let url = if line.starts_with("url") { "" } else { "url = \"http://127.0.0.1:9/v1\"\n" };
        std::fs::write(dir.path().join("config.toml"), format!("[minds.w]\n{url}{line}\n"))
            .unwrap();
        for args in [
            &["minds"][..],
            &["minds", "--list"],
            &["doctor"],
            &["eval", "--games", "1", "--mind", "w"],
        ] {
            let output = run(dir.path(), args);
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(!said.contains("SECRET-4711"), "{line} {args:?}: {said}");
        }
    }
}

#[test]
fn what_another_mind_foresaw_is_stored_under_its_name() {
    let stub = Stub::new(As::Vllm);
    let dir = data(&stub);
    let cast = "policy=embedded,world=writer";
    let eval =
        ["eval", "--split", "seen", "--games", "1", "--step-limit", "3", "--predict", "-k", "1"];
    let output = with_key(dir.path(), &[&eval[..], &["--mind", cast]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let store = foretaste::store::Store::open(dir.path()).unwrap();
    let found = store.predictions(1).unwrap();
    assert!(!found.is_empty());
    assert!(found.iter().all(|prediction| prediction.model == "writer (toy)"), "{found:?}");
}

#[test]
fn a_name_means_one_mind() {
    let stub = Stub::new(As::Hosted);
    for name in ["embedded", "embedded-alfworld", "newest", "novice", "3", "\"\"", "\"a b\""] {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("[minds.{name}]\nurl = \"{}/v1\"\n", stub.url);
        std::fs::write(dir.path().join("config.toml"), text).unwrap();
        let output = run(dir.path(), &["minds", "--list"]);
        assert!(failure(&output).contains("a name has letters"), "{name}");
    }
}

#[test]
fn where_nobody_is_named_who_knows_the_suite_answers() {
    let dir = tempfile::tempdir().unwrap();
    let train = ["train", "--objective", "imitation", "--suite", "household", "--steps", "1"];
    for args in [&["collect", "demos", "--games", "2"][..], &train] {
        let output = run(dir.path(), args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let store = foretaste::store::Store::open(dir.path()).unwrap();
    let found = |suite| agent::locate(&store, None, suite).unwrap();
    assert!(matches!(found(None), Located::Recorded(_)));
    assert!(matches!(found(Some("household")), Located::Recorded(_)));
    assert_eq!(found(Some("alfworld")), Located::BuiltIn(BuiltIn::Alfworld));
    let empty = tempfile::tempdir().unwrap();
    let empty = foretaste::store::Store::open(empty.path()).unwrap();
    let embedded = |suite| agent::locate(&empty, None, suite).unwrap();
    assert_eq!(embedded(Some("household")), Located::BuiltIn(BuiltIn::Household));
    assert_eq!(embedded(Some("alfworld")), Located::BuiltIn(BuiltIn::Alfworld));
    for model in BuiltIn::ALL {
        let (files, name) = agent::find(&store, Some(model.name()), None).unwrap();
        assert_eq!(name, model.name());
        files.build(&name).unwrap();
    }
}

#[test]
fn a_server_that_counts_nothing_does_not_pass_the_budget() {
    let stub = Stub::with(As::Hosted, stub::Quirks { no_usage: true, ..Default::default() });
    let dir = data(&stub);
    let path = dir.path().join("config.toml");
    let text = std::fs::read_to_string(&path).unwrap() + "budget_tokens = 3000\n";
    std::fs::write(&path, text).unwrap();
    let eval = ["eval", "--split", "seen", "--games", "3", "--free", "--mind", "writer"];
    let output = with_key(dir.path(), &eval);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("budget_tokens = 3000"), "{said}");
}

#[test]
fn a_server_that_does_not_answer_can_be_left() {
    let stub = Stub::new(As::Hosted);
    stub.slow(std::time::Duration::from_mins(1));
    let dir = data(&stub);
    for args in [&["minds"][..], &["eval", "--games", "1", "--mind", "writer"]] {
        let mut child = foretaste(dir.path(), args)
            .env("WRITER_KEY", KEY)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let asked = stub.asked().len();
        common::soon(std::time::Duration::from_secs(10), || stub.asked().len() > asked);
        let pid = child.id().to_string();
        assert!(
            std::process::Command::new("kill")
                .args(["-s", "TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        let left = common::soon(std::time::Duration::from_secs(10), || {
            child.try_wait().unwrap().is_some()
        });
        if !left {
            child.kill().unwrap();
        }
        assert!(left, "{args:?}");
    }
}

#[test]
fn a_persons_own_prompts_are_part_of_a_minds_name_and_of_exports_and_a_keyring_is_asked() {
    let stub = Stub::new(As::Vllm);
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "[minds.writer]\nurl = \"{}/v1\"\nkey = {{ command = [\"sh\", \"-c\", \"echo {KEY}\"] }}\n\
         prompts = \"terse\"\n",
        stub.url
    );
    std::fs::write(dir.path().join("config.toml"), text).unwrap();
    let eval = ["eval", "--mind", "writer", "--games", "1", "--split", "seen", "--no-think"];
    let missing = failure(&run(dir.path(), &eval));
    assert!(missing.contains("prompts/terse.toml"), "{missing}");
    std::fs::create_dir(dir.path().join("prompts")).unwrap();
    let act = "Quick: <action>what to do</action>.";
    std::fs::write(dir.path().join("prompts/terse.toml"), format!("act = \"{act}\"\n")).unwrap();
    let played = json(dir.path(), &eval).pop().unwrap();
    let name = played["checkpoint"].as_str().unwrap();
    assert!(name.starts_with("writer") && name.contains(" asked by terse#"), "{name}");
    // Training sets under the same words, and under the usual ones.
    json(dir.path(), &["collect", "demos", "--games", "1"]);
    let export = ["data", "export", "--set", "imitation", "--held-out", "0"];
    let system = |args: &[&str]| {
        let line = lines(&run(dir.path(), &[&export[..], args].concat())).remove(0);
        line["messages"][0]["content"].as_str().unwrap().to_string()
    };
    assert_eq!(system(&["--prompts", "terse"]), act);
    assert!(system(&[]).starts_with("You act in a text environment."));
    let whole = ["data", "export", "--set", "trajectories", "--prompts", "terse"];
    assert!(failure(&run(dir.path(), &whole)).contains("--prompts means nothing"));
}

#[test]
fn what_is_there_is_what_would_be_opened_with_roles_and_products_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = foretaste::store::Store::open(dir.path()).unwrap();
    let there = |name: &str| agent::check(&store, Some(name), Some("household"));
    for name in ["newest", "embedded", "embedded+bf16", "policy=embedded,world=novice"] {
        there(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    for name in ["nosuch", "policy=embedded,reflector=nosuch", "nosuch+bf16"] {
        assert!(there(name).unwrap_err().message().contains("nosuch: nothing is there"), "{name}");
    }
}
