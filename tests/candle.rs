//! Updates and answers that candle computes, on its CPU device: what is computed here, by the same commands.

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::{failure, json, run};
use serde_json::Value;

/// A store with demonstrations and alternatives, and a small model folder in it.
fn collected() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let place = ["--suite", "household", "--split", "train"];
    json(dir.path(), &[&["collect", "demos", "--games", "12"][..], &place].concat());
    json(dir.path(), &[&["collect", "branches", "-k", "1"][..], &place].concat());
    let out = dir.path().join("small").display().to_string();
    let shape = ["--layers", "1", "--hidden", "32", "--vocab", "300"];
    json(dir.path(), &[&["model", "new", "--out", &out][..], &shape, &place[..2]].concat());
    dir
}

fn train(dir: &Path, more: &[&str]) -> Vec<Value> {
    let from = dir.join("small").display().to_string();
    let usual = ["--from", &from, "--batch", "3", "--rate", "1e-3"];
    json(dir, &[&["train"][..], &usual, more].concat())
}

/// The losses of a run by update.
fn losses(rows: &[Value]) -> BTreeMap<u64, f64> {
    let of = |row: &Value| Some((row["step"].as_u64()?, row["loss"].as_f64()?));
    rows.iter().filter_map(of).collect()
}

fn same(here: &BTreeMap<u64, f64>, there: &BTreeMap<u64, f64>) {
    assert_eq!(here.keys().collect::<Vec<_>>(), there.keys().collect::<Vec<_>>());
    for (step, loss) in here {
        assert!((loss - there[step]).abs() < 1e-4, "update {step}: {loss} and {}", there[step]);
    }
}

#[test]
fn candle_computes_what_is_computed_here() {
    let dir = collected();
    let stages = ["--objective", "world-model", "--steps", "3", "--world-epochs", "0.5"];
    let adapter = ["--objective", "imitation", "--steps", "4", "--lora", "2", "--budget", "300"];
    let list = ["--objective", "list", "--steps", "2"];
    let pairs = ["--objective", "dpo", "--steps", "2"];
    let device = ["--engine", "candle", "--device", "cpu"];
    for order in [&stages[..], &adapter, &list, &pairs] {
        let here = train(dir.path(), order);
        let there = train(dir.path(), &[order, &device].concat());
        let known = losses(&here);
        assert!(known.len() > 1 && known[&1] > 0.1, "{known:?}");
        same(&known, &losses(&there));
        let first = |of: &[Value]| of.iter().find_map(|row| row["preferred"].as_f64());
        // Nothing was learnt yet: nothing is preferred, by rounding neither.
        assert_eq!(first(&here), first(&there));
        let last = |name: &str, of: &[Value]| of.iter().rev().find_map(|row| row[name].as_f64());
        for name in ["norm", "valid_action", "tokens"] {
            let (own, other) = (last(name, &here), last(name, &there));
            let near = own.zip(other).is_none_or(|(own, other)| (own - other).abs() < 1e-3 * own);
            assert!(near && own.is_some() == other.is_some(), "{name}: {own:?} {other:?}");
        }
    }
    // Its checkpoint is one like any other, and answers there as it does here.
    let games = ["eval", "--suite", "household", "--games", "2", "--temperature", "0"];
    let of = |mind: &str| json(dir.path(), &[&games[..], &["--checkpoint", mind]].concat());
    let (here, there) = (of("newest"), of("newest+cpu"));
    let steps = |rows: &[Value]| rows.iter().find_map(|row| row["mean_steps"].as_f64()).unwrap();
    assert!((steps(&here) - steps(&there)).abs() < 1e-9);
    let said = there.iter().find_map(|row| row["checkpoint"].as_str()).unwrap();
    assert!(said.ends_with("+cpu"), "{said}");
}

#[test]
fn a_run_of_candle_goes_on_where_it_was_and_on_another_device_only_where_there_is_one() {
    let dir = collected();
    let order = ["--objective", "imitation", "--engine", "candle", "--save-every", "3"];
    let whole = train(dir.path(), &[&order[..], &["--steps", "6"]].concat());
    // The same run, ended after its third update as a stop would.
    let store = foretaste::store::Store::open(dir.path()).unwrap();
    let stopped = foretaste::store::RunStatus::Stopped;
    store.set_run(1, stopped, 3, None).unwrap();
    let checkpoints = store.checkpoints().unwrap();
    let last = checkpoints.iter().find(|saved| saved.step == 6).unwrap();
    foretaste::train::checkpoint::remove(&store, last).unwrap();
    drop(store);
    let said = failure(&run(dir.path(), &["train", "--resume", "1", "--device", "cuda:7"]));
    assert!(said.contains("built without it") || said.contains("cuda:7"), "{said}");
    // What was refused changed nothing.
    let rest = json(dir.path(), &["train", "--resume", "1"]);
    let (whole, rest) = (losses(&whole), losses(&rest));
    assert_eq!(rest.keys().copied().collect::<Vec<_>>(), [4, 5, 6]);
    for (step, loss) in rest {
        assert!((loss - whole[&step]).abs() < 1e-12, "update {step}: {loss} {}", whole[&step]);
    }
    let said = failure(&run(dir.path(), &["train", "--resume", "1", "--device", "cpu"]));
    assert!(said.contains("run 1 is finished"), "{said}");
}

#[test]
fn what_candle_is_not_asked_to_do_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let order = ["train", "--objective", "imitation", "--steps", "1"];
    for (more, says) in [
        (&["--engine", "candle", "--bf16"][..], "--bf16"),
        (&["--engine", "candle", "--recompute"], "--recompute"),
        (&["--engine", "candle", "--device", "gpu"], "`gpu`"),
        (&["--engine", "candle", "--processes", "2"], "--processes"),
        (&["--device", "cpu"], "--device"),
        (&["--engine", "torchrun", "--device", "cpu"], "--device"),
    ] {
        let output = run(dir.path(), &[&order[..], more].concat());
        let said = String::from_utf8_lossy(&output.stderr).to_string();
        assert!(said.contains(says) && output.status.code() == Some(2), "{more:?}: {said}");
    }
    let output = run(dir.path(), &["eval", "--checkpoint", "novice+cuda:99999"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no device `cuda:99999`"));
    let output = run(dir.path(), &["eval", "--checkpoint", "nobody+cuda"]);
    let said = String::from_utf8_lossy(&output.stderr).to_string();
    assert!(said.contains("nobody") && !output.status.success(), "{said}");
}
