//! Updates that are made by transformers and PEFT under torchrun: the losses are those of the engine here,
//! and whatever is killed, a run goes on from where it is known to be. Needs a Python that has torch,
//! transformers, accelerate and peft: `FORETASTE_PYTHON` names it.

#[path = "../common/mod.rs"]
mod common;
mod machine;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{foretaste, json, run, soon};
use serde_json::{Value, json};

/// The Python, where it has what is needed; said loudly where not.
fn python() -> Option<String> {
    let python = std::env::var("FORETASTE_PYTHON").unwrap_or_else(|_| "python3".into());
    let code = "import torch, transformers, accelerate, peft";
    let asked = Command::new(&python).args(["-c", code]).stderr(Stdio::null()).status();
    if asked.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    common::unchecked(&format!(
        "{python} has no torch, transformers, accelerate, peft. Set FORETASTE_PYTHON."
    ));
    None
}

/// A store with demonstrations and alternatives.
fn collected(games: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let place = ["--suite", "household", "--split", "train"];
    json(dir.path(), &[&["collect", "demos", "--games", games][..], &place].concat());
    json(dir.path(), &[&["collect", "branches", "-k", "2"][..], &place].concat());
    dir
}

/// The losses of a run by update, of what a command said.
fn losses(rows: &[Value]) -> BTreeMap<u64, f64> {
    let of = |row: &Value| Some((row["step"].as_u64()?, row["loss"].as_f64()?));
    rows.iter().filter_map(of).collect()
}

/// The losses of a run as the store has them.
fn stored(data: &Path, run: &str) -> BTreeMap<u64, f64> {
    curve(data, run, "loss")
}

fn curve(data: &Path, run: &str, name: &str) -> BTreeMap<u64, f64> {
    let store = foretaste::store::Store::open(data).unwrap();
    let points = store.metric(run.parse().unwrap(), name).unwrap();
    points.into_iter().filter_map(|point| Some((point.step, point.value?))).collect()
}

fn same(a: &BTreeMap<u64, f64>, b: &BTreeMap<u64, f64>, within: f64) {
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    for (step, loss) in a {
        assert!((loss - b[step]).abs() < within, "update {step}: {loss} and {}", b[step]);
    }
}

#[test]
fn torchrun_computes_what_is_computed_here() {
    let Some(python) = python() else { return };
    let dir = collected("40");
    json(dir.path(), &["collect", "reflections", "--suite", "household", "--split", "train"]);
    json(dir.path(), &["curate", "approve", "1", "2", "3", "4", "5", "6", "7", "8"]);
    let usual = ["--from", "novice", "--workers", "2", "--batch", "4", "--held-out", "0.4"];
    let there = ["--engine", "torchrun", "--python", &python];
    let stages = ["train", "--objective", "world-model", "--steps", "3", "--world-epochs", "0.4"];
    let adapter = ["train", "--objective", "reflection", "--steps", "5", "--lora", "4"];
    // All weights in two stages by two processes, and an adapter under a mixture by one, in passes of few
    // tokens.
    for (order, more) in
        [(&stages[..], &["--processes", "2"][..]), (&adapter, &["--budget", "300"])]
    {
        let here = json(dir.path(), &[order, &usual].concat());
        let apart = json(dir.path(), &[order, &usual, &there, more].concat());
        let known = losses(&here);
        assert!(known.len() > 4 && known[&1] > 0.1, "{known:?}");
        same(&known, &losses(&apart), 1e-4);
        let last = |rows: &[Value], name: &str| {
            rows.iter().rev().find_map(|row| row[name].as_f64()).unwrap()
        };
        for name in ["norm", "rate", "valid_action", "targets_action", "loss_action", "epochs"] {
            let (own, other) = (last(&here, name), last(&apart, name));
            assert!((own - other).abs() < 2e-3 * own.abs(), "{name}: {own} and {other}");
        }
        // What is held out costs the same, before the first update and after the last.
        let first = |rows: &[Value]| rows.iter().find_map(|row| row["valid_action"].as_f64());
        let all = |rows: &[Value]| [first(rows).unwrap(), last(rows, "valid_action")];
        for (own, other) in all(&here).iter().zip(all(&apart)) {
            assert!((own - other).abs() < 1e-4, "{own} and {other}");
        }
        // Its checkpoint is one like any other.
        let mind = apart.iter().rev().find_map(|row| row["finished"].as_i64()).unwrap();
        let games = ["eval", "--suite", "household", "--split", "unseen", "--games", "2"];
        let mind = format!("run {mind} step {}", known.len());
        json(dir.path(), &[&games[..], &["--checkpoint", &mind]].concat());
    }
    assert_eq!(std::fs::read_dir(dir.path().join("torchrun")).unwrap().count(), 0);
}

/// A run of two processes that is under way.
#[cfg(target_os = "linux")]
fn begin(data: &Path, python: &str, steps: &str) -> Child {
    let order = ["train", "--objective", "imitation", "--from", "novice", "--batch", "4"];
    let how = ["--steps", steps, "--save-every", "5", "--rate", "1e-3", "--held-out", "0"];
    let there = ["--engine", "torchrun", "--processes", "2", "--python", python, "--json"];
    let mut command = foretaste(data, &[&order[..], &how, &there].concat());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The second run, gone on with.
#[cfg(target_os = "linux")]
fn go_on(data: &Path) -> Child {
    let mut command = foretaste(data, &["train", "--resume", "2", "--json"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Whether a run has come so far.
#[cfg(unix)]
fn is_at(data: &Path, run: &str, step: u64) -> bool {
    stored(data, run).keys().last().is_some_and(|last| *last >= step)
}

/// The processes whose command line says this.
#[cfg(target_os = "linux")]
fn processes(of: &str) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    let says = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").contains(of)
    };
    pids.filter(says).collect()
}

/// Processes are looked for in `/proc`.
#[cfg(target_os = "linux")]
#[test]
fn whatever_is_killed_a_run_of_torchrun_goes_on_to_the_same_losses() {
    let Some(python) = python() else { return };
    let dir = collected("30");
    let (data, limit) = (dir.path(), Duration::from_mins(3));
    assert!(begin(data, &python, "60").wait().unwrap().success());
    let whole = stored(data, "1");
    assert_eq!(whole.len(), 60);
    // One of its processes is killed: the run says that it failed, and why.
    let mut second = begin(data, &python, "60");
    assert!(soon(limit, || is_at(data, "2", 12)), "no update");
    let jobs = std::fs::read_dir(data.join("torchrun")).unwrap().flatten();
    let job = jobs.map(|entry| entry.path().canonicalize().unwrap().display().to_string());
    let job = job.last().unwrap();
    let worker = |pid: &u32| {
        let place = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
        place.display().to_string() == job
    };
    let ranks: Vec<u32> = processes("train.py job.json").into_iter().filter(worker).collect();
    let rank = ranks.iter().max().unwrap().to_string();
    assert!(Command::new("kill").args(["-9", &rank]).status().unwrap().success());
    assert!(!second.wait().unwrap().success());
    let failed = json(data, &["data", "list", "runs"]);
    let failed = failed.iter().find(|row| row["id"] == json!(2)).unwrap();
    assert_eq!(failed["status"], json!("failed"), "{failed}");
    assert!(failed["error"].as_str().unwrap().contains("torchrun ended"), "{failed}");
    // This program is killed: torchrun ends with it.
    let mut third = go_on(data);
    assert!(soon(limit, || is_at(data, "2", 25)), "it does not go on");
    third.kill().unwrap();
    third.wait().unwrap();
    let gone = || processes("train.py job.json").iter().all(|pid| !worker(pid));
    assert!(soon(Duration::from_secs(30), gone), "torchrun outlives this program");
    // A stop keeps what was learnt up to it.
    let mut fourth = go_on(data);
    assert!(soon(limit, || is_at(data, "2", 40)), "it does not go on");
    let pid = fourth.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    fourth.wait().unwrap();
    let stopped = json(data, &["data", "list", "runs"]);
    let stopped = stopped.iter().find(|row| row["id"] == json!(2)).unwrap();
    assert_eq!(stopped["status"], json!("stopped"), "{stopped}");
    let at = stopped["step"].as_u64().unwrap();
    assert!((40..60).contains(&at), "{stopped}");
    let kept = json(data, &["data", "list", "checkpoints"]);
    assert!(kept.iter().any(|row| row["run"] == json!(2) && row["step"] == json!(at)), "{kept:?}");
    // On to the end: the same as the run that nobody disturbed.
    json(data, &["train", "--resume", "2"]);
    same(&whole, &stored(data, "2"), 1e-5);
}

#[cfg(unix)]
#[test]
fn a_stop_is_heard_while_what_is_held_out_is_measured() {
    let Some(python) = python() else { return };
    let dir = collected("300");
    let data = dir.path();
    let order = ["train", "--objective", "imitation", "--from", "novice", "--batch", "2"];
    // Passes of one row each.
    let how = ["--steps", "2", "--held-out", "0.5", "--budget", "1", "--lora", "2"];
    let there = ["--engine", "torchrun", "--python", &python];
    let mut run_of = foretaste(data, &[&order[..], &how, &there].concat());
    let mut run_of = run_of.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // What is held out is measured first.
    let has_begun = || {
        let jobs = std::fs::read_dir(data.join("torchrun")).into_iter().flatten().flatten();
        let told = |job: std::fs::DirEntry| std::fs::read_to_string(job.path().join("told.jsonl"));
        jobs.filter_map(|job| told(job).ok()).any(|told| told.contains("begun"))
    };
    assert!(soon(Duration::from_mins(2), has_begun));
    let pid = run_of.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    run_of.wait().unwrap();
    assert!(curve(data, "1", "valid_action").is_empty(), "it was measured to the end");
    json(data, &["train", "--resume", "1"]);
    let measured = curve(data, "1", "valid_action");
    assert_eq!(measured.keys().copied().collect::<Vec<_>>(), [0, 2]);
}

#[cfg(target_os = "linux")]
#[test]
fn an_end_that_nobody_here_wished_for_is_no_finish() {
    let Some(python) = python() else { return };
    let dir = collected("20");
    let data = dir.path();
    let mut run_of = begin(data, &python, "100000");
    assert!(soon(Duration::from_mins(3), || is_at(data, "1", 3)), "no update");
    let job = std::fs::read_dir(data.join("torchrun")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(job.join("leave"), "").unwrap();
    assert!(!run_of.wait().unwrap().success());
    let runs = json(data, &["data", "list", "runs"]);
    let told = &runs[0]["error"];
    assert!(told.as_str().is_some_and(|told| told.contains("had asked it to leave")), "{runs:?}");
    assert!(job.join("out").is_dir(), "what it saved is gone");
}

#[test]
fn what_torchrun_cannot_do_is_refused_by_name() {
    let dir = collected("12");
    let order = ["train", "--from", "novice", "--steps", "2", "--engine", "torchrun"];
    let refused = |more: &[&str]| {
        let said = run(dir.path(), &[&order[..], more].concat());
        assert!(!said.status.success(), "{more:?}");
        String::from_utf8_lossy(&said.stderr).to_string()
    };
    let list = refused(&["--objective", "list"]);
    assert!(list.contains("torchrun (--engine) for list"), "{list}");
    for name in ["learning_rate", "optim", "ignore_data_skip", "hub_token"] {
        let own =
            refused(&["--objective", "imitation", "--trainer-args", &format!("{{\"{name}\": 1}}")]);
        assert!(own.contains(&format!("`{name}` among the trainer's arguments")), "{own}");
    }
    let every = refused(&["--objective", "imitation", "--validate-every", "1"]);
    assert!(every.contains("--validate-every"), "{every}");
    let again = ["train", "--resume", "1", "--engine", "torchrun"];
    assert!(!run(dir.path(), &again).status.success(), "--engine beside --resume");
    let whole = refused(&["--objective", "imitation", "--weights", "/models/one"]);
    assert!(whole.contains("--weights without an adapter"), "{whole}");
    let rounded = refused(&["--objective", "imitation", "--bf16"]);
    assert!(rounded.contains("--bf16"), "{rounded}");
    let none = refused(&["--objective", "imitation", "--python", "/no/such/python"]);
    assert!(none.contains("/no/such/python") && none.contains("pip install torch"), "{none}");
    let here = ["train", "--from", "novice", "--objective", "imitation", "--processes", "2"];
    assert!(!run(dir.path(), &here).status.success());
    let Some(python) = python() else { return };
    let has_gpu = "import sys, torch; sys.exit(0 if torch.cuda.is_available() else 1)";
    let has_gpu = Command::new(&python).args(["-c", has_gpu]).status().unwrap().success();
    if !has_gpu {
        // The trainer would make plain data parallelism of it without a word.
        let sharded = ["--objective", "imitation", "--python", &python, "--trainer-args"];
        let said = refused(&[&sharded[..], &["{\"fsdp\": \"full_shard\"}"]].concat());
        assert!(said.contains("fsdp was asked for"), "{said}");
    }
}
