//! The commands as a user meets them: the whole loop headless, bad input, and SIGKILL at any
//! moment.

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use common::{failure, feed, foretaste, json, lines, run};
use foretaste::rng::Rng;
use foretaste::store::Store;
use serde_json::Value;

/// Demonstrations, alternatives and reflections of a few games.
fn collected(games: &str) -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    json(data.path(), &["collect", "demos", "--games", games]);
    json(data.path(), &["collect", "branches", "--games", games, "-k", "3"]);
    json(data.path(), &["collect", "reflections", "--games", games]);
    data
}

#[test]
fn the_whole_loop_runs_headless_and_keeps_its_json_keys() {
    let data = collected("6");
    let dir = data.path();
    let counts = &json(dir, &["data", "list"])[0];
    assert_eq!(counts["demonstrations"], 6);
    assert!(
        counts["branches"].as_u64().unwrap() > 50 && counts["pending"].as_u64().unwrap() > 15,
        "{counts}"
    );
    let first = json(dir, &["data", "list", "reflections", "--limit", "4"]);
    let id = |i: usize| first[i]["id"].to_string();
    json(dir, &["curate", "approve", &id(0), &id(1)]);
    json(dir, &["curate", "reject", &id(2), "GENERIC"]);
    json(dir, &["curate", "edit", &id(3), "I should look there first."]);
    assert_eq!(json(dir, &["curate", "undo"])[0]["undone"], "edit");
    let counts = &json(dir, &["data", "list"])[0];
    assert_eq!((&counts["approved"], &counts["rejected"]), (&Value::from(2), &Value::from(1)));

    for objective in ["imitation", "world-model", "reflection"] {
        let plan = [
            "train",
            "--objective",
            objective,
            "--steps",
            "4",
            "--batch",
            "2",
            "--save-every",
            "2",
        ];
        let matched: &[&str] = if objective == "world-model" { &["--match", "total"] } else { &[] };
        let rows = json(dir, &[&plan[..], matched].concat());
        assert_eq!(rows.iter().filter(|row| row["loss"].is_number()).count(), 4, "{objective}");
        assert_eq!(rows.iter().filter(|row| row["saved"].is_string()).count(), 2, "{objective}");
    }
    let checkpoints = json(dir, &["data", "list", "checkpoints"]);
    let folder = dir.join(checkpoints[0]["folder"].as_str().unwrap());
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        assert!(folder.join(file).is_file(), "{file}");
    }
    let rows =
        json(dir, &["eval", "--split", "unseen", "--games", "3", "--seed", "5", "--predict"]);
    let ways: Vec<&Value> = rows.iter().filter(|row| row["n"].is_u64()).collect();
    assert_eq!(
        ways.iter().map(|way| &way["think"]).collect::<Vec<_>>(),
        [&Value::from(true), &Value::from(false)]
    );
    let summary = ways[1];
    assert_eq!(summary["n"], 3);
    let low = summary["interval"][0].as_f64().unwrap();
    let high = summary["interval"][1].as_f64().unwrap();
    let rate = summary["successes"].as_f64().unwrap() / 3.0;
    assert!(low <= rate && rate <= high && low >= 0.0 && high <= 1.0);
    let foreseen = &rows.last().unwrap()["predictions"];
    assert!(
        foreseen["changed"]["transitions"].as_u64().unwrap() > 0 && foreseen["all"]["games"] == 3,
        "{foreseen}"
    );
    let played = rows.iter().find(|row| row["trajectory"].is_i64()).unwrap();
    let stored = &json(dir, &["data", "show", &played["trajectory"].to_string()])[0];
    assert_eq!(
        stored["thoughts"].as_array().unwrap().len() as u64,
        played["steps"].as_u64().unwrap()
    );
    let expected = stored["predictions"].as_array().unwrap();
    assert_eq!(
        expected.len() as u64,
        played["steps"].as_u64().unwrap(),
        "one for each action taken"
    );
    assert!(expected.iter().all(|p| p["text"].as_str().is_some_and(|text| !text.is_empty())));
    let again =
        json(dir, &["eval", "--split", "unseen", "--games", "3", "--seed", "5", "--predict"]);
    let won = |rows: &[Value]| {
        rows.iter().map(|row| (row["task_id"].clone(), row["steps"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(won(&rows), won(&again), "a seed repeats an evaluation");

    for set in ["imitation", "world-model", "reflection"] {
        let exported = json(dir, &["data", "export", "--set", set]);
        assert!(exported.iter().all(|row| row["messages"][2]["role"] == "assistant"), "{set}");
        assert!(!exported.is_empty(), "{set}");
    }
    let steps = json(dir, &["replay", "1"]);
    assert_eq!(steps.last().unwrap()["success"], true);
    assert!(!steps[0]["alternatives"].as_array().unwrap().is_empty());
    json(dir, &["doctor"]);
}

#[test]
fn training_repeats_from_its_seed_and_goes_on_exactly_where_it_stopped() {
    let data = collected("4");
    let losses = |rows: &[Value]| -> Vec<(u64, f64)> {
        rows.iter().filter_map(|row| Some((row["step"].as_u64()?, row["loss"].as_f64()?))).collect()
    };
    let plan = [
        "train",
        "--objective",
        "world-model",
        "--from",
        "embedded",
        "--steps",
        "8",
        "--match",
        "total",
    ];
    let plan = [&plan[..], &["--batch", "2", "--save-every", "2"]].concat();
    for (round, kind) in [&[][..], &["--lora", "4"]].iter().enumerate() {
        let plan = [&plan[..], kind].concat();
        let whole = losses(&json(data.path(), &plan));
        assert_eq!(
            whole,
            losses(&json(data.path(), &plan)),
            "the same seed and workers repeat bit for bit"
        );
        // A third run is killed after its fourth update and resumed.
        let run = (4 * round + 3).to_string();
        let mut child =
            foretaste(data.path(), &plan).arg("--json").stdout(Stdio::piped()).spawn().unwrap();
        let mut seen = BufReader::new(child.stdout.take().unwrap()).lines();
        let reached = seen
            .by_ref()
            .map_while(Result::ok)
            .any(|line| line.contains("saved") && line.contains("\"step\":4"));
        assert!(reached);
        child.kill().unwrap();
        child.wait().unwrap();
        let resumed = losses(&json(data.path(), &["train", "--resume", &run]));
        let from = resumed[0].0;
        assert!((5..=8).contains(&from), "{resumed:?}");
        assert_eq!(
            resumed,
            whole[from as usize - 1..].to_vec(),
            "resumed losses are bit-identical"
        );
        let folder = data.path().join(format!("checkpoints/run-{run}-step-8"));
        assert_eq!(folder.join("adapter/adapter_model.safetensors").is_file(), !kind.is_empty());
        json(
            data.path(),
            &[
                "eval",
                "--checkpoint",
                folder.to_str().unwrap(),
                "--games",
                "1",
                "--step-limit",
                "3",
            ],
        );
        // A run that waits for its turn is the same run.
        json(data.path(), &[&plan[..], &["--queue"]].concat());
        assert_eq!(losses(&json(data.path(), &["train", "--queued"])), whole);
    }
    // What cannot begin fails once, and does not wait for ever.
    json(data.path(), &["train", "--objective", "imitation", "--suite", "alfworld", "--queue"]);
    assert!(!foretaste(data.path(), &["train", "--queued"]).output().unwrap().status.success());
    assert_eq!(json(data.path(), &["data", "list", "runs"])[0]["status"], "failed");
    assert!(json(data.path(), &["train", "--queued"]).is_empty());
    json(data.path(), &["collect", "demos", "--games", "1"]); // still not alfworld's
    let again = foretaste(data.path(), &["train", "--resume", "9"]).output().unwrap();
    assert!(String::from_utf8_lossy(&again.stderr).contains("no demonstrations"), "it begins anew");
}

#[test]
fn a_run_killed_twenty_times_has_the_losses_of_one_that_was_not() {
    let data = collected("4");
    let plan = |from: &[&str]| -> Vec<String> {
        let plan = [
            "train",
            "--objective",
            "imitation",
            "--from",
            "novice",
            "--steps",
            "60",
            "--batch",
            "1",
        ];
        plan.iter()
            .chain(&["--save-every", "2", "--workers", "1"])
            .chain(from)
            .map(ToString::to_string)
            .collect()
    };
    let whole = plan(&[]);
    let whole: Vec<&str> = whole.iter().map(String::as_str).collect();
    json(data.path(), &whole);
    let losses = |run: i64| -> Vec<(u64, u64)> {
        let store = Store::open(data.path()).unwrap();
        store
            .metric(run, "loss")
            .unwrap()
            .iter()
            .map(|point| (point.step, point.value.unwrap().to_bits()))
            .collect()
    };
    let mut rng = Rng::new(5);
    let mut started = false;
    for _ in 0..20 {
        let args = if started { vec!["train", "--resume", "2"] } else { whole.clone() };
        let mut child = foretaste(data.path(), &args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(rng.between(30, 400) as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        started |= Store::open(data.path()).unwrap().run(2).is_ok();
    }
    assert!(started);
    if Store::open(data.path()).unwrap().run(2).unwrap().status
        != foretaste::store::RunStatus::Finished
    {
        json(data.path(), &["train", "--resume", "2"]);
    }
    assert_eq!(losses(1).len(), 60);
    assert_eq!(losses(2), losses(1), "bit-identical");
}

#[test]
fn a_run_that_diverges_or_does_not_fit_says_so_and_keeps_what_it_had() {
    let data = collected("3");
    let dir = data.path();
    let train = |more: &[&str]| {
        let plan = [
            "train",
            "--objective",
            "imitation",
            "--from",
            "novice",
            "--steps",
            "12",
            "--batch",
            "2",
        ];
        run(dir, &[&plan[..], more].concat())
    };
    let said = failure(&train(&["--memory-limit", "5"]));
    assert!(said.contains("the limit is 5 MB") && said.contains("activations"), "{said}");
    assert!(
        json(dir, &["data", "list", "runs"]).is_empty(),
        "a run that does not fit is not begun"
    );
    for rate in ["1e30", "NaN", "2"] {
        assert!(failure(&train(&["--rate", rate])).contains("learning rate"), "{rate}");
    }
    assert!(train(&["--save-every", "6"]).status.success());
    let folder = dir.join("huge"); // weights that are finite and overflow
    json(dir, &["model", "pack", "novice", "--out", folder.to_str().unwrap()]);
    let weights = folder.join("model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    for word in bytes[header..].chunks_exact_mut(4) {
        let value = f32::from_le_bytes(word.try_into().unwrap()) * 1e18;
        word.copy_from_slice(&value.to_le_bytes());
    }
    std::fs::write(&weights, bytes).unwrap();
    let from = folder.to_str().unwrap();
    let said = failure(&run(
        dir,
        &["train", "--objective", "imitation", "--from", from, "--steps", "2", "--batch", "2"],
    ));
    assert!(
        said.contains("update 1")
            && said.contains("trajectories ")
            && said.contains("not a number"),
        "{said}"
    );
    let broken = Store::open(dir).unwrap().run(2).unwrap();
    assert!(broken.error.unwrap().contains("not a number"));
    assert!(
        failure(&run(dir, &["eval", "--games", "1", "--checkpoint", from])).contains("not numbers")
    );
    let saved = json(dir, &["data", "list", "checkpoints"]);
    let folder = dir.join(saved.last().unwrap()["folder"].as_str().unwrap());
    assert!(folder.join("model.safetensors").is_file());
    let rows = json(
        dir,
        &[
            "train",
            "--objective",
            "imitation",
            "--from",
            "novice",
            "--steps",
            "2",
            "--recompute",
            "--budget",
            "200",
        ],
    );
    assert!(rows[0]["memory"]["total"].as_u64().unwrap() > 10_000_000);
}

#[test]
fn a_model_completes_a_prompt_with_the_options_it_is_given() {
    let data = tempfile::tempdir().unwrap();
    let prompt = "<|task|>put a mug on the shelf.<|obs|>The room has a shelf 1.<|end|><|act|>";
    let ask = |more: &[&str]| {
        let plain = ["model", "complete", prompt, "--checkpoint", "embedded", "--limit", "12"];
        json(data.path(), &[&plain[..], more].concat())
    };
    let greedy = ask(&[]);
    assert_eq!(
        greedy,
        ask(&["--temperature", "1", "--top-k", "1", "--seed", "9"]),
        "the likeliest token each time"
    );
    let sampled = ask(&["-k", "3", "--temperature", "1", "--seed", "4"]);
    assert_eq!(sampled.len(), 3);
    assert_eq!(sampled, ask(&["-k", "3", "--temperature", "1", "--seed", "4"]));
    assert!(sampled.iter().all(|row| row["nats"].as_f64().unwrap() < 0.0));
    let only = data.path().join("only");
    std::fs::write(&only, "dance\nwalk to shelf 1\n").unwrap();
    let kept = ask(&["--only", only.to_str().unwrap(), "-k", "4", "--temperature", "2"]);
    assert!(
        kept.iter()
            .all(|row| ["dance", "walk to shelf 1"].contains(&row["text"].as_str().unwrap())),
        "{kept:?}"
    );
    let text = run(
        data.path(),
        &["model", "complete", prompt, "--checkpoint", "embedded", "--limit", "12"],
    );
    assert_eq!(
        String::from_utf8(text.stdout).unwrap().trim(),
        greedy[0]["text"].as_str().unwrap().trim()
    );
}

#[test]
fn an_adapter_in_pefts_files_is_packed_into_a_model() {
    let data = collected("3");
    let dir = data.path();
    let plan = [
        "train",
        "--objective",
        "imitation",
        "--from",
        "novice",
        "--steps",
        "3",
        "--batch",
        "2",
        "--lora",
        "2",
    ];
    json(dir, &plan);
    let folder = dir.join("checkpoints/run-1-step-3");
    let adapter = folder.join("adapter");
    let out = dir.join("merged");
    let pack = [
        "model",
        "pack",
        "novice",
        "--adapter",
        adapter.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    json(dir, &pack);
    let read = |folder: &Path| std::fs::read(folder.join("model.safetensors")).unwrap();
    assert_eq!(read(&out), read(&folder), "what training merged into its checkpoint");
}

#[test]
fn stepping_answers_every_line_and_playing_the_expert_wins() {
    let data = tempfile::tempdir().unwrap();
    let played = json(data.path(), &["env", "expert", "--task", "unseen/3"]);
    assert_eq!(played.last().unwrap()["success"], true);
    let keys: Vec<&String> = played[0].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "t",
            "action",
            "observation",
            "admissible",
            "free",
            "reward",
            "done",
            "success",
            "truncated"
        ]
    );
    let actions: String =
        played[1..].iter().map(|row| format!("{}\n", row["action"].as_str().unwrap())).collect();
    let stepped = feed(data.path(), &["env", "step", "--task", "unseen/3"], actions.as_bytes());
    assert!(stepped.status.success());
    assert_eq!(lines(&stepped), played, "the same actions give the same states");
}

#[test]
fn greedy_and_sampled_are_played_in_one_command_on_the_same_games() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["eval", "--checkpoint", "embedded", "--games", "2", "--split", "seen"];
    let said = json(dir.path(), &[&args[..], &["--temperature", "0.4,0"]].concat());
    let summaries: Vec<&Value> = said.iter().filter(|line| line["evaluation"].is_i64()).collect();
    let temperatures: Vec<_> =
        summaries.iter().map(|s| s["temperature"].as_f64().unwrap()).collect();
    assert_eq!(temperatures, [0.4, 0.0]);
    let rows = json(dir.path(), &["data", "list", "evaluations"]);
    assert_eq!((rows.len(), &rows[0]["games"]), (2, &rows[1]["games"]), "the same games");
    let odd = run(dir.path(), &[&args[..], &["--temperature", "0.4,warm"]].concat());
    assert_eq!(odd.status.code(), Some(2));
}
