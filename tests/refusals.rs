//! What commands refuse, and how they say so; disks that are full and pipes that are closed.

mod common;

use common::{failure, feed, foretaste, json, lines, run};
use foretaste::store::Store;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

#[test]
fn bad_input_is_refused_with_the_place_and_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let file = data.join("game.tw-pddl");
    let game = |text: &str| {
        std::fs::write(&file, text).unwrap();
        failure(&run(data, &["env", "step", "--game", file.to_str().unwrap()]))
    };
    assert!(
        failure(&run(data, &["env", "step", "--game", "/no/such/file"])).contains("/no/such/file")
    );
    assert!(game("not json").contains("not a game file"));
    assert!(game("{\"pddl_domain\": \"(define").contains("game.tw-pddl"));
    let forall = r#"{"pddl_domain": "(define (domain d)\n(:predicates (p ?x))\n(:action a :parameters (?x) :precondition (forall (?y) (p ?y)) :effect (p ?x)))", "grammar": "", "pddl_problem": ""}"#;
    let said = game(forall);
    assert!(said.contains("line 3") && said.contains("forall"), "{said}");
    std::fs::File::create(&file).unwrap().set_len(200 << 20).unwrap();
    assert!(
        failure(&run(data, &["env", "step", "--game", file.to_str().unwrap()]))
            .contains("too large")
    );
    assert!(failure(&run(data, &["env", "step", "--task", "train/zzz"])).contains("env list"));
    assert!(failure(&run(data, &["env", "list", "--suite", "alfworld"])).contains("ALFWORLD_DATA"));
    assert!(
        failure(&feed(data, &["env", "step", "--task", "train/1"], b"look around\n\xff\xfe\n"))
            .contains("line 2: not valid UTF-8")
    );
    let refused = feed(data, &["env", "step", "--task", "train/1"], b"dance\nlook around\n");
    assert!(failure(&refused).contains("line 1: `dance` is not admissible"));
    assert_eq!(lines(&refused)[1]["observation"], "Nothing happens.");
    assert_eq!(lines(&refused).len(), 3, "every line is answered all the same");
    assert!(failure(&run(data, &["replay", "77"])).contains("no trajectory 77"));
    assert!(failure(&run(data, &["collect", "branches"])).contains("collect demos"));
    assert!(failure(&run(data, &["train", "--objective", "imitation"])).contains("collect demos"));
    assert!(failure(&run(data, &[])).contains("needs a terminal"));
    for wrong in [
        &["train"][..],
        &["train", "--objective", "nonsense"],
        &["train", "--objective", "imitation", "--from", "nonsense"],
        &["env", "list", "--suite", "nonsense"],
        &["env", "list", "--split", "nonsense"],
        &["collect", "demos", "--split", "nonsense"],
        &["eval", "--checkpoint", "nonsense"],
        &["eval", "--compare", "1", "nonsense"],
    ] {
        let output = run(data, wrong);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{wrong:?} is wrong usage: {said}");
    }
    let beyond = failure(&run(data, &["env", "step", "--task", "train/999999"]));
    assert!(beyond.contains("train/0 to train/3999"), "{beyond}");
}

#[test]
fn damaged_models_and_unusable_data_directories_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("model");
    json(dir.path(), &["model", "pack", "embedded", "--out", model.to_str().unwrap()]);
    let eval = |what: &Path| {
        failure(&run(dir.path(), &["eval", "--games", "1", "--checkpoint", what.to_str().unwrap()]))
    };
    let games = ["eval", "--games", "1", "--step-limit", "3", "--checkpoint", "embedded+bf16"];
    assert!(run(dir.path(), &games).status.success());
    let said = failure(&run(
        dir.path(),
        &["train", "--objective", "imitation", "--from", "embedded+bf16", "--steps", "1"],
    ));
    assert!(said.contains("+bf16 is for inference") && said.contains("--bf16"), "{said}");
    let queued = ["train", "--objective", "imitation", "--from", "embedded+bf16", "--queue"];
    assert!(failure(&run(dir.path(), &queued)).contains("+bf16 is for inference"));
    let named = dir.path().join("w+bf16");
    json(dir.path(), &["model", "pack", "embedded", "--out", named.to_str().unwrap()]);
    let folder = ["eval", "--games", "1", "--step-limit", "3", "--checkpoint"];
    let folder = [&folder[..], &[named.to_str().unwrap()]].concat();
    assert!(run(dir.path(), &folder).status.success(), "a folder that is called so");
    let weights = model.join("model.safetensors");
    let whole = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &whole[..whole.len() / 2]).unwrap();
    assert!(eval(&model).contains("model.safetensors"));
    std::fs::write(&weights, b"").unwrap();
    assert!(eval(&model).contains("next:"));
    assert!(eval(&dir.path().join("nowhere")).contains("nothing is there"));
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert!(failure(&run(&file, &["data", "list"])).contains("data directory"));
    Store::open(&dir.path().join("newer")).unwrap();
    let newer = rusqlite::Connection::open(dir.path().join("newer/foretaste.sqlite")).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    assert!(
        failure(&run(&dir.path().join("newer"), &["data", "list"])).contains("newer foretaste")
    );
}

#[test]
fn a_full_disk_stops_a_command_with_a_message_and_loses_nothing() {
    // /dev/full takes no byte: the results of a command cannot be written there, and it says so.
    let data = tempfile::tempdir().unwrap();
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let output = foretaste(data.path(), &["collect", "demos", "--games", "3", "--json"])
        .stdout(full)
        .output()
        .unwrap();
    assert!(failure(&output).contains("stdout"));
    json(data.path(), &["collect", "demos", "--games", "3"]);
    assert_eq!(json(data.path(), &["data", "list"])[0]["demonstrations"], 3);
}

#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    let data = tempfile::tempdir().unwrap();
    let mut child = foretaste(data.path(), &["env", "list", "--split", "train"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn options_that_a_command_would_ignore_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let out = feed(dir.path(), &["--suite", "alfworld", "collect", "demos"], b"");
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("come after it"));
}
