//! A model behind an endpoint through the whole loop: as policy, world model and reflector, and
//! when it fails.

mod common;
#[path = "stub/mod.rs"]
mod stub;

use std::path::Path;

use common::{failure, foretaste, json, lines, run};
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
