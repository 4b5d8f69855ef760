//! Reinforcement learning as a person starts it: what it writes, keeps, and goes on with.

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use common::{foretaste, json, run};
use serde_json::Value;

/// A small run: three tasks an update, played twice at most eight steps.
const SMALL: [&str; 18] = [
    "train",
    "--objective",
    "rl",
    "--suite",
    "household",
    "--from",
    "novice",
    "--batch",
    "3",
    "--group",
    "3",
    "--limit",
    "8",
    "--temperature",
    "1",
    "--validation",
    "2",
    "--save-every",
];

fn plan<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SMALL[..], &["2"], more].concat()
}

/// What was measured at every update, but for how fast it was.
fn updates(rows: &[Value]) -> Vec<Value> {
    let mut updates: Vec<Value> =
        rows.iter().filter(|row| row.get("success").is_some()).cloned().collect();
    for update in &mut updates {
        let update = update.as_object_mut().unwrap();
        update.retain(|name, _| !name.ends_with("_per_s"));
    }
    updates
}

#[test]
fn every_method_learns_and_says_what_it_measures() {
    for method in [
        "expert-iteration",
        "rloo",
        "grpo",
        "dr-grpo",
        "dapo",
        "gigpo",
        "vine-ppo",
        "tree",
        "forks",
    ] {
        let data = tempfile::tempdir().unwrap();
        let rows = json(data.path(), &plan(&["--steps", "1", "--method", method]));
        let all = updates(&rows);
        assert_eq!(all.len(), 1, "{method}: {rows:?}");
        let known = ["success", "spread", "groups_dropped", "length", "entropy", "invalid", "loss"];
        for name in known.iter().chain(&["valid_success", "tokens"]) {
            assert!(all[0][name].is_number(), "{method} {name}: {}", all[0]);
        }
        let forks = ["vine-ppo", "tree", "forks"].contains(&method);
        assert_eq!(all[0].get("continuations").is_some(), forks, "{method}");
        assert_eq!(all[0].get("kl").is_some(), ["grpo", "gigpo"].contains(&method), "{method}");
        // What it played is kept, and can be read step by step.
        let kept = json(data.path(), &["data", "list", "rollouts"]);
        assert!(kept.len() >= 3, "{method}: {kept:?}");
        let id = kept[0]["id"].to_string();
        let steps = json(data.path(), &["replay", &id]);
        assert!(steps.len() > 1, "{method}");
        // Beside its group, and beside what the policy would do now.
        let group = json(data.path(), &["replay", &id, "--group"]);
        assert!(group.iter().any(|one| one["trajectory"] == kept[0]["id"]), "{method}: {group:?}");
        let now = json(data.path(), &["replay", &id, "--now"]);
        let shares = now[0]["now"]["shares"].as_array().unwrap();
        let sum: f64 = shares.iter().map(|share| share.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-4, "{method}: {shares:?}");
    }
}

#[test]
fn nothing_has_moved_at_the_first_pass_and_something_at_the_second() {
    let data = tempfile::tempdir().unwrap();
    let plan = [
        "train",
        "--objective",
        "rl",
        "--suite",
        "household",
        "--from",
        "novice",
        "--batch",
        "4",
        "--group",
        "6",
        "--limit",
        "30",
        "--validation",
        "0",
        "--steps",
        "2",
        "--method",
        "rloo",
        "--rate",
        "0.001",
    ];
    let one = updates(&json(data.path(), &[&plan[..], &["--passes", "1"]].concat()));
    let two = updates(&json(data.path(), &[&plan[..], &["--passes", "2"]].concat()));
    // Both play the same first.
    for name in ["success", "length", "entropy", "spread"] {
        assert_eq!(one[0][name], two[0][name], "{name}");
    }
    assert!(one[0].get("ratio_off").is_none(), "nobody asked the weights again");
    // What acted and what is trained are the same policy, in two implementations.
    let first = two[0]["played_off"].as_f64().unwrap();
    println!("played and asked: a ratio of 1 within {first:.1e}");
    assert!(first < 2e-5, "{first}");
    // The start is read, and with one pass nobody else.
    let held = updates(&json(data.path(), &[&plan[..], &["--kl", "0.01"]].concat()));
    assert!(held[0].get("ratio_off").is_none(), "{held:?}");
    assert!(held[0]["kl"].as_f64().unwrap() < 1e-6, "nothing has moved: {held:?}");
    let tokens = |all: &[serde_json::Value]| all[0]["tokens"].as_f64().unwrap();
    assert!(tokens(&held) > tokens(&one), "what the start reads counts");
    let off = two.iter().map(|update| update["ratio_off"].as_f64().unwrap());
    assert!(off.fold(0.0, f64::max) > 1e-4, "{two:?}");
}

/// Reads lines until one has all of these.
fn until(child: &mut std::process::Child, all: &[&str]) {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let found = lines.map_while(Result::ok).any(|line| all.iter().all(|part| line.contains(part)));
    assert!(found, "{all:?} was never said");
}

#[test]
fn a_killed_run_goes_on_bit_for_bit() {
    let whole = tempfile::tempdir().unwrap();
    let more = ["--steps", "5", "--method", "forks", "--passes", "2", "--kl", "0.02"];
    let expected = updates(&json(whole.path(), &plan(&more)));
    assert_eq!(expected.len(), 5);
    let data = tempfile::tempdir().unwrap();
    let mut child =
        foretaste(data.path(), &plan(&more)).arg("--json").stdout(Stdio::piped()).spawn().unwrap();
    until(&mut child, &["saved", "\"step\":2"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let resumed = updates(&json(data.path(), &["train", "--resume", "1"]));
    let from = resumed[0]["step"].as_u64().unwrap() as usize;
    assert!((3..=5).contains(&from), "{from}");
    assert_eq!(resumed, expected[from - 1..]);
    let weights =
        |dir: &Path| std::fs::read(dir.join("checkpoints/run-1-step-5/model.safetensors"));
    assert_eq!(weights(whole.path()).unwrap(), weights(data.path()).unwrap());
    // What it kept before it was killed and did again stands once.
    let kept = |dir: &Path| json(dir, &["data", "list", "rollouts", "--limit", "1000"]).len();
    assert_eq!(kept(whole.path()), kept(data.path()));
    // It is a checkpoint like every other, and knows which games it has played.
    let args = ["eval", "--split", "train", "--games", "2", "--checkpoint", "newest"];
    let last = json(data.path(), &args).pop().unwrap();
    assert_eq!(last["trained_on"], 2, "{last}");
}

#[test]
fn a_run_ends_at_its_tokens() {
    let data = tempfile::tempdir().unwrap();
    let rows = json(data.path(), &plan(&["--steps", "50", "--method", "rloo", "--tokens", "9000"]));
    let all = updates(&rows);
    let tokens: Vec<f64> = all.iter().map(|row| row["tokens"].as_f64().unwrap()).collect();
    let (last, before) = tokens.split_last().unwrap();
    assert!(*last >= 9000.0 && before.iter().all(|tokens| *tokens < 9000.0), "{tokens:?}");
    assert_eq!(json(data.path(), &["data", "list", "runs"])[0]["status"], "finished");
}

#[test]
fn where_it_was_lost_is_asked_of_forks() {
    let data = tempfile::tempdir().unwrap();
    json(data.path(), &["eval", "--split", "seen", "--games", "1", "--checkpoint", "novice"]);
    let rows = json(data.path(), &["replay", "1", "--blame", "2", "--mind", "embedded"]);
    let (last, states) = rows.split_last().unwrap();
    assert!(last.get("blame").is_some(), "{last}");
    let steps = json(data.path(), &["replay", "1"]).len();
    assert_eq!(states.len(), steps);
    assert!(states.iter().all(|state| state["n"] == 2), "{states:?}");
}

#[test]
fn what_means_nothing_is_refused_by_name() {
    let data = tempfile::tempdir().unwrap();
    let refused = |args: &[&str], what: &str| {
        let output = run(data.path(), args);
        let said = String::from_utf8_lossy(&output.stderr).to_string();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{args:?}: {said}");
        assert!(said.contains(what) && !said.contains("panicked"), "{args:?}: {said}");
    };
    refused(&plan(&["--steps", "1", "--method", "ppo"]), "no method `ppo`");
    refused(&plan(&["--steps", "1", "--expert", "fair"]), "takes no stored data");
    refused(&["train", "--objective", "rl"], "a suite is to be named");
    refused(
        &["train", "--objective", "imitation", "--method", "grpo"],
        "--method means nothing for imitation",
    );
    refused(
        &["train", "--objective", "rl", "--suite", "household", "--group", "1", "--method", "grpo"],
        "takes 2 to 1,024",
    );
    for (flag, value, method) in
        [("--forks", "3", "grpo"), ("--width", "3", "rloo"), ("--gamma", "0.9", "dapo")]
    {
        let args = ["--steps", "1", "--method", method, flag, value];
        refused(&plan(&args), &format!("{flag} means nothing for this run of {method}"));
    }
    let ratio = ["--steps", "1", "--method", "rloo", "--ratio", "0.2", "0.3"];
    refused(&plan(&ratio), "--ratio means nothing");
    refused(&["train", "--objective", "rl", "--suite", "cmd:true"], "cmd:true");
}
