//! Trajectories and curves, as the tools that look at them read them, and what OpenAI takes.

use std::path::Path;

use serde_json::{Value, json};

use crate::common::{curated, json as said};
use crate::{python, read_by};

#[test]
fn tools_that_look_at_trajectories_and_curves_read_them() {
    let data = curated("6");
    let dir = data.path();
    let out = tempfile::tempdir().unwrap();
    let folder = out.path();
    let file = |name: &str| folder.join(name).display().to_string();
    for (set, format, name) in [
        ("trajectories", "atif", "atif.jsonl"),
        ("imitation", "messages", "openai.jsonl"),
        ("reflection", "messages", "openai-reflection.jsonl"),
    ] {
        said(dir, &["data", "export", "--set", set, "--format", format, "--out", &file(name)]);
    }
    let how = ["--objective", "imitation", "--from", "novice", "--lora", "4", "--batch", "4"];
    said(dir, &[&["train", "--steps", "4", "--save-every", "2"], &how[..]].concat());
    said(dir, &["data", "curves", "1", "--out", &file("curves")]);
    let packages = "harbor, openai, tensorboard, tbparse, trackio";
    let Some(python) = python("FORETASTE_PYTHON", packages) else { return };
    let found = read_by(&python, "tools.py", folder);

    let episodes = lines(&folder.join("atif.jsonl"));
    let steps = |of: &Value| of["steps"].as_array().map(Vec::len);
    let own: Vec<_> = episodes.iter().map(steps).collect();
    assert!(own.len() > 3);
    assert_eq!(found["atif"]["steps"], json!(own), "harbor finds the steps of each");
    assert_eq!(found["atif"]["same"], json!(true), "and all that stands in them");
    assert_eq!(found["atif"]["refuses"], json!(true), "what it does not know it refuses");
    for name in ["openai", "openai-reflection"] {
        let rows = lines(&folder.join(format!("{name}.jsonl"))).len();
        assert!(rows > 3);
        assert_eq!(found[name], json!(rows), "{name}");
    }
    let curves = curves(&folder.join("curves/run-1.csv"));
    assert!(curves.len() > 20, "{curves:?}");
    for tool in ["tensorboard", "trackio"] {
        assert_eq!(found[tool].as_array().map(Vec::len), Some(curves.len()), "{tool}");
        for point in found[tool].as_array().unwrap() {
            let [name, step, value] = [&point[0], &point[1], &point[2]];
            let same = |(other, at, own): &(String, u64, f64)| {
                name == other
                    && step.as_u64() == Some(*at)
                    && (value.as_f64().unwrap() - own).abs() <= 1e-6 * own.abs()
            };
            assert!(curves.iter().any(same), "{tool}: {point}");
        }
    }
}

#[test]
fn what_opentelemetry_traced_comes_in() {
    let Some(python) = python("FORETASTE_PYTHON", "opentelemetry.util.genai.handler") else {
        return;
    };
    let out = tempfile::tempdir().unwrap();
    let spans = &read_by(&python, "traced.py", out.path())["spans"];
    assert_eq!(*spans, 5, "two calls, their tools, and the agent");
    for name in ["spans.jsonl", "otlp.jsonl"] {
        let dir = tempfile::tempdir().unwrap();
        let file = out.path().join(name).display().to_string();
        let taken = said(dir.path(), &["data", "import", &file]);
        assert_eq!(
            (&taken[0]["trajectories"], &taken[0]["steps"]),
            (&json!(1), &json!(2)),
            "{name}"
        );
        let episode = &said(dir.path(), &["data", "show", "1"])[0];
        let steps = episode["trajectory"]["steps"].as_array().unwrap();
        let done: Vec<_> =
            steps.iter().map(|step| (&step["action"], &step["observation"])).collect();
        let [go, take] = ["go to desk 1", "take mug 1"].map(Value::from);
        assert_eq!(
            done,
            [(&go, &json!("You see a mug 1.")), (&take, &json!("You take it."))],
            "{name}"
        );
        assert_eq!(episode["trajectory"]["task"], "look at a mug.", "{name}");
        assert!(episode.to_string().contains("Look there first."), "{name}");
    }
}

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Name, update and value of each line.
fn curves(file: &Path) -> Vec<(String, u64, f64)> {
    let text = std::fs::read_to_string(file).unwrap();
    let each = text.lines().skip(1).map(|line| {
        let parts: Vec<&str> = line.split(',').collect();
        (parts[0].to_string(), parts[1].parse().unwrap(), parts[2].parse().unwrap())
    });
    each.collect()
}
