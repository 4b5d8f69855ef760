//! TRL, LLaMA-Factory, axolotl and datasets.

use std::path::Path;

use serde_json::{Value, json};

use crate::common::{failure, json, run, unchecked};
use crate::{answers, chat_model, export, python, read_by, verl};

#[test]
fn other_trainers_read_what_is_exported() {
    let dir = tempfile::tempdir().unwrap();
    let out = tempfile::tempdir().unwrap();
    let (data, folder) = (dir.path(), out.path());
    json(data, &["collect", "demos", "--suite", "household", "--games", "12"]);
    json(data, &["collect", "branches", "--suite", "household", "-k", "3"]);
    let set = |name: &str| ["--set".to_string(), name.to_string()];
    let order = |name: &str, set_of: &str, more: &[&str]| {
        let own = set(set_of);
        let own: Vec<&str> = own.iter().map(String::as_str).chain(more.iter().copied()).collect();
        export(data, folder, name, &own)
    };
    let messages = order("messages.jsonl", "imitation", &[]);
    let pairs = order("pairs.jsonl", "world-model", &["--format", "prompt-completion"]);
    let preferred = order("preference.jsonl", "preference", &[]);
    let tokens = order("tokens.jsonl", "imitation", &["--format", "tokens", "--model", "novice"]);
    let sft = order("sft.parquet", "imitation", &["--format", "verl"]);
    let rl = order("rl.parquet", "imitation", &["--format", "verl-rl"]);
    assert!(messages > 30 && pairs > messages && preferred > 10);
    assert_eq!([tokens, sft, rl], [messages; 3]);
    // Parquet comes in as it went out; tasks have no answers.
    let to = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.join(name).display().to_string();
    let taken = &json(to.path(), &["data", "import", &file("sft.parquet"), "--suite", "shop1"])[0];
    assert_eq!(taken["trajectories"].as_u64(), Some(sft), "{taken}");
    let tasks = failure(&run(to.path(), &["data", "import", &file("rl.parquet")]));
    assert!(tasks.contains("row 1") && tasks.contains("nobody has answered"), "{tasks}");
    for odd in [
        &["--set", "preference", "--format", "tokens", "--model", "novice"][..],
        &["--set", "imitation", "--format", "tokens"],
        &["--set", "imitation", "--model", "novice"],
        &["--set", "world-model", "--format", "verl-rl", "--check"],
        &["--set", "imitation", "--format", "verl"],
    ] {
        assert!(!run(data, &[&["data", "export"], odd].concat()).status.success(), "{odd:?}");
    }

    // What an update over all of it costs here.
    let all = ["train", "--objective", "imitation", "--from", "novice", "--batch", "12"];
    let how = ["--steps", "1", "--rate", "1e-12", "--held-out", "0"];
    let said = json(data, &[&all[..], &how].concat());
    let loss = said.iter().find_map(|row| row["loss"].as_f64()).unwrap();
    std::fs::rename(data.join("checkpoints/run-1-step-1"), folder.join("model")).unwrap();
    recipes(data, folder, messages);
    verl::reads_the_same(folder, messages);
    let Some(python) = python("FORETASTE_PYTHON", "trl, datasets") else { return };
    let found = read_by(&python, "trainers.py", folder);
    assert_eq!(found["messages"]["rows"], json!(messages));
    assert_eq!(found["messages"]["chat"], json!(true), "{found}");
    assert_eq!(found["pairs"]["columns"], json!(["prompt", "completion"]));
    assert_eq!(found["preference"]["columns"], json!(["prompt", "chosen", "rejected"]));
    let text = std::fs::read_to_string(folder.join("pairs.jsonl")).unwrap();
    let completion = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        format!("{}<|im_end|>\n", line["completion"][0]["content"].as_str().unwrap())
    };
    assert_eq!(found["pairs"]["learnt"], json!(text.lines().map(completion).collect::<Vec<_>>()));
    let text = std::fs::read_to_string(folder.join("preference.jsonl")).unwrap();
    let pair = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        ["chosen", "rejected"]
            .map(|of| format!("{}<|im_end|>\n", line[of][0]["content"].as_str().unwrap()))
    };
    let taken = json!(text.lines().map(pair).collect::<Vec<_>>());
    assert_eq!(found["preference"]["taken"], taken);
    let even = found["preference"]["loss"].as_f64().unwrap();
    assert!((even - std::f64::consts::LN_2).abs() < 1e-4, "{even}");
    assert_eq!(found["sft"]["rows"], json!(messages));
    let roles = |name: &str, field: &str| -> Vec<String> {
        let all = found[name]["first"][field].as_array().unwrap().iter();
        all.map(|turn| turn["role"].as_str().unwrap().to_string()).collect()
    };
    assert_eq!(roles("sft", "messages").last().unwrap(), "assistant");
    assert_eq!(roles("rl", "prompt").last().unwrap(), "user");
    let task = &found["rl"]["first"];
    assert_eq!((&task["data_source"], &task["ability"]), (&json!("household"), &json!("agent")));
    assert!(!task["reward_model"]["ground_truth"].as_str().unwrap().is_empty());
    other_recipes_teach_the_answer(folder, &found, messages);
    // TRL's trainer finds the same loss on the same tokens.
    let other = found["tokens"]["loss"].as_f64().unwrap();
    assert!((loss - other).abs() < 1e-4, "{loss} here, {other} by TRL");
}

fn how<'a>(format: &'a str, model: &'a str) -> [&'a str; 6] {
    ["--set", "imitation", "--format", format, "--model", model]
}

/// Settings of other trainers, for models that were trained on conversations: a turn ends with what ends a
/// text, or with a mark of its own.
fn recipes(data: &Path, folder: &Path, lines: u64) {
    let file = |name: &str| folder.join(name).display().to_string();
    for (name, end) in [("plain", "<|im_end|>"), ("other", "<|eot|>")] {
        chat_model(&folder.join("model"), &folder.join(name), end);
        for format in ["llamafactory", "axolotl"] {
            let to = format!("{name}-{format}.jsonl");
            assert_eq!(export(data, folder, &to, &how(format, &file(name))), lines);
        }
    }
    let refused = |name: &str, model: &str| {
        let to = ["data", "export", "--held-out", "0", "--out", &file(name)];
        let output = run(data, &[&to[..], &how("llamafactory", model)].concat());
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).to_string()
    };
    let plain = file("plain");
    for (name, model, says) in [
        ("plain-llamafactory.jsonl", &plain, "already there"),
        ("own.jsonl", &file("model"), "a form of its own"),
        ("a.txt", &plain, "end of their name"),
        ("dataset_info.json", &plain, "names datasets"),
        ("b.jsonl", &file("plan"), "nothing is there"),
    ] {
        let said = refused(name, model);
        assert!(said.contains(says), "{name}: {said}");
    }
    // What stands in the way is known before anything is written.
    let info = folder.join("dataset_info.json");
    let known = std::fs::read_to_string(&info).unwrap();
    std::fs::write(&info, "{broken").unwrap();
    assert!(refused("c.jsonl", &plain).contains("dataset_info.json"));
    assert!(!folder.join("c.jsonl").exists() && !folder.join("c.jsonl.manifest.json").exists());
    std::fs::write(&info, known).unwrap();
}

/// They read their settings, and learn the last answer of a line and what ends it.
fn other_recipes_teach_the_answer(folder: &Path, found: &Value, messages: u64) {
    let answers = answers(&folder.join("messages.jsonl"));
    for trainer in ["llamafactory", "axolotl"] {
        if let Some(missing) = found[trainer]["missing"].as_str() {
            unchecked(&format!("{trainer} is not there: {missing}"));
            continue;
        }
        for model in ["plain", "other"] {
            let read = &found[trainer][model];
            let learnt: Vec<&str> = read["learnt"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one.as_str().unwrap().trim_end())
                .collect();
            let own: Vec<String> = answers.iter().map(|one| format!("{one}<|im_end|>")).collect();
            assert_eq!(learnt.len() as u64, messages);
            assert_eq!(learnt, own, "{trainer}, {model}");
            assert!(read["unknown"].as_array().is_none_or(Vec::is_empty), "{read}");
        }
    }
}
