//! Training as a person steers it from the command line: what can be set, what is refused, where it
//! starts; and what can be done with its checkpoints and curves.

mod common;

use std::path::Path;

use common::{failure, json, run};
use serde_json::Value;

/// A store with some games, and what a run of them is asked for.
fn collected(games: &str) -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    json(data.path(), &["collect", "demos", "--games", games]);
    data
}

fn train(data: &Path, more: &[&str]) -> Vec<Value> {
    let usual = ["train", "--objective", "imitation", "--lora", "2", "--batch", "2"];
    json(data, &[&usual, more].concat())
}

/// What a command says that is used wrongly.
fn misuse(data: &Path, args: &[&str]) -> String {
    let output = run(data, args);
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap()
}

fn updates(rows: &[Value]) -> Vec<u64> {
    rows.iter()
        .filter(|row| row["loss"].is_number())
        .filter_map(|row| row["step"].as_u64())
        .collect()
}

#[test]
fn a_run_starts_from_the_base_model_and_goes_through_the_data_as_often_as_asked() {
    let data = collected("3");
    let dir = data.path();
    let first = train(dir, &["--epochs", "1.5", "--schedule", "constant", "--warmup", "0"]);
    assert_eq!(first[0]["start"], "embedded");
    assert_eq!(updates(&first), [1, 2, 3], "1.5 times 3 trees by twos are 2.25 updates");
    let rates: Vec<f64> = first.iter().filter_map(|row| row["rate"].as_f64()).collect();
    assert!(rates.iter().all(|rate| (rate - 5e-4).abs() < 1e-12), "{rates:?}");
    let again = train(dir, &["--steps", "1"]);
    assert_eq!(again[0]["start"], "embedded", "the newest checkpoint only when asked for");
    let on = train(dir, &["--steps", "1", "--from", "newest"]);
    assert_eq!(on[0]["start"], "run 2 step 1");
    let warned = on[0]["warnings"].to_string();
    assert!(warned.contains("trained on 3 of these 3"), "{warned}");
    for (flag, value, why) in [
        ("--rate", "0.5", "would ruin"),
        ("--warmup", "2", "warm-up"),
        ("--modules", "q_proj,nose", "nose"),
        ("--clip", "0", "clipping"),
    ] {
        let usual = ["train", "--objective", "imitation", "--lora", "2", "--steps", "1"];
        let said = failure(&run(dir, &[&usual[..], &[flag, value]].concat()));
        assert!(said.contains(why), "{flag}: {said}");
    }
    let said = misuse(dir, &["train", "--objective", "imitation", "--alpha", "4"]);
    assert!(said.contains("--lora"), "{said}");
}

#[test]
fn fewer_than_ten_games_are_never_held_out_and_those_that_are_are_measured_as_asked() {
    let few = collected("4");
    let rows = train(few.path(), &["--steps", "1", "--held-out", "0.5"]);
    let data = &rows[0]["data"];
    assert_eq!((&data["held_out_games"], &data["demonstrations"]), (&0.into(), &4.into()));
    let many = collected("40");
    let dir = many.path();
    let every = ["--steps", "4", "--held-out", "0.5", "--validate-every", "2", "--save-every", "4"];
    let rows = train(dir, &every);
    let data = &rows[0]["data"];
    let games = data["held_out_games"].as_u64().unwrap();
    assert!(games >= 10, "{data}");
    assert_eq!(data["held_out"].as_u64().unwrap() + data["demonstrations"].as_u64().unwrap(), 40);
    let measured: Vec<u64> = rows
        .iter()
        .filter(|row| row["valid_action"].is_number())
        .filter_map(|row| row["step"].as_u64())
        .collect();
    assert_eq!(measured, [2, 4]);
    let saved = json(dir, &["data", "list", "checkpoints"]);
    assert_eq!(saved.len(), 1);
    assert_eq!(saved[0]["is_best"], true);
    assert!(saved[0]["validation"].is_number() && saved[0]["bytes"].as_u64() > Some(1000));
    // The same games, by number, are what an export for another trainer leaves out.
    let out = ["data", "export", "--set", "imitation", "--held-out", "0.5", "--check"];
    assert_eq!(json(dir, &out)[0]["held_out"], data["held_out"]);
}

#[test]
fn a_checkpoint_has_a_name_and_comes_back_after_it_was_deleted() {
    let data = collected("2");
    let dir = data.path();
    train(dir, &["--steps", "2", "--save-every", "1", "--keep-all"]);
    let label = ["data", "label", "--checkpoint", "1", "--name", "first try", "--note", "hasty"];
    let row = &json(dir, &label)[0];
    assert_eq!((&row["label"], &row["note"]), (&"first try".into(), &"hasty".into()));
    for odd in ["embedded", "7", "run 1", "a/b"] {
        let said = failure(&run(dir, &["data", "label", "--checkpoint", "2", "--name", odd]));
        assert!(said.contains("cannot be called"), "{said}");
    }
    let taken = failure(&run(dir, &["data", "label", "--checkpoint", "2", "--name", "first try"]));
    assert!(taken.contains("checkpoint 1 is called"), "{taken}");
    let on = train(dir, &["--steps", "1", "--from", "first try"]);
    assert_eq!(on[0]["start"], "run 1 step 1");

    let folder = dir.join("checkpoints/run-1-step-2");
    json(dir, &["data", "delete", "--checkpoint", "2"]);
    assert!(folder.is_dir(), "its files stay for a day");
    assert!(json(dir, &["data", "list", "checkpoints"]).iter().all(|row| row["id"] != 2));
    assert!(
        failure(&run(dir, &["eval", "--checkpoint", "2", "--games", "1"])).contains("checkpoint 2")
    );
    json(dir, &["data", "undelete", "--checkpoint", "2"]);
    assert!(json(dir, &["data", "list", "checkpoints"]).iter().any(|row| row["id"] == 2));
    json(dir, &["data", "delete", "--checkpoint", "2", "--now"]);
    assert!(!folder.exists());
    assert!(failure(&run(dir, &["data", "undelete", "--checkpoint", "2"])).contains("not among"));

    let row =
        &json(dir, &["data", "label", "--run", "1", "--name", "baseline", "--tags", "lora a"])[0];
    assert_eq!((&row["name"], &row["tags"]), (&"baseline".into(), &"lora a".into()));
}

#[test]
fn curves_leave_as_csv_and_as_events() {
    let data = collected("2");
    let dir = data.path();
    let rows = train(dir, &["--steps", "3"]);
    let out = dir.join("out");
    let done = &json(dir, &["data", "curves", "1", "--out", out.to_str().unwrap()])[0];
    let text = std::fs::read_to_string(out.join("run-1.csv")).unwrap();
    assert_eq!(text.lines().count() as u64, done["values"].as_u64().unwrap() + 1);
    for row in rows.iter().filter(|row| row["loss"].is_number()) {
        let begin = format!("loss,{},", row["step"]);
        let line = text.lines().find(|line| line.starts_with(&begin)).unwrap();
        let value: f64 = line.split(',').nth(2).unwrap().parse().unwrap();
        assert!((value - row["loss"].as_f64().unwrap()).abs() < 1e-12, "{line}");
    }
    let events: Vec<_> = std::fs::read_dir(out.join("run-1")).unwrap().flatten().collect();
    assert_eq!(events.len(), 1);
    assert!(events[0].file_name().to_string_lossy().starts_with("events.out.tfevents."));
    assert!(failure(&run(dir, &["data", "curves", "9"])).contains("no run 9"));
}

#[test]
fn only_games_of_the_kinds_that_are_wanted_are_collected() {
    let data = tempfile::tempdir().unwrap();
    let dir = data.path();
    let all = json(dir, &["env", "list", "--split", "train"]);
    let kind = all[0]["kind"].as_str().unwrap().to_string();
    json(dir, &["collect", "all", "--games", "3", "--kinds", &kind, "--asked", "0", "-k", "1"]);
    let rows = json(dir, &["data", "list", "demonstrations"]);
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row["kind"] == kind.as_str()));
    let pools = json(dir, &["data", "list", "pools"]);
    assert!(pools.iter().all(|pool| pool["pool"] == "uniform"), "{pools:?}");
    let said = misuse(dir, &["collect", "demos", "--kinds", "juggle"]);
    assert!(said.contains("juggle") && said.contains(&kind), "{said}");
}

#[test]
fn a_checkpoint_made_again_after_it_was_deleted_keeps_its_files() {
    let data = collected("2");
    let dir = data.path();
    train(dir, &["--steps", "4", "--save-every", "2", "--keep-all"]);
    json(dir, &["data", "delete", "--checkpoint", "1"]);
    // As if the run had been ended after its second update: it makes the third and fourth again.
    json(dir, &["data", "delete", "--checkpoint", "2", "--now"]);
    let store = foretaste::store::Store::open(dir).unwrap();
    store.set_checkpoint_deleted(1, None).unwrap();
    store.set_run(1, foretaste::store::RunStatus::Stopped, 2, None).unwrap();
    json(dir, &["train", "--resume", "1"]);
    let last = json(dir, &["data", "list", "checkpoints"])[0].clone();
    assert_eq!((&last["run"], &last["step"]), (&1.into(), &4.into()));
    json(dir, &["data", "delete", "--checkpoint", &last["id"].to_string()]);
    store.set_run(1, foretaste::store::RunStatus::Stopped, 2, None).unwrap();
    json(dir, &["train", "--resume", "1"]);
    let again = json(dir, &["data", "list", "checkpoints"])[0].clone();
    assert_eq!((&again["step"], &again["folder"]), (&4.into(), &last["folder"]));
    let gone = failure(&run(dir, &["data", "undelete", "--checkpoint", &last["id"].to_string()]));
    assert!(gone.contains("not among"), "{gone}");
    assert!(dir.join(again["folder"].as_str().unwrap()).is_dir());
}
