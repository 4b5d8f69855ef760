//! Inputs of `../shared/bugs` on which the program did the wrong thing: models and their files
//! (kinds A to D). What is right stands here; the inputs stay there.

mod common;

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// The folder of an input; none, and it is said, where the shared data is absent.
fn input(name: &str) -> Option<PathBuf> {
    let path = common::shared()?.parent().unwrap().join("bugs").join(name);
    assert!(path.is_dir(), "{} is not there, and other shared data is", path.display());
    Some(path)
}

/// What the program says in that folder, as JSON or as an error.
fn said(folder: &PathBuf, args: &[&str]) -> Result<Value, String> {
    let data = tempfile::tempdir().unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_foretaste"))
        .current_dir(folder)
        .args(args)
        .args(["--json", "--data-dir"])
        .arg(data.path())
        .output()
        .unwrap();
    if out.status.success() {
        return Ok(serde_json::from_slice(&out.stdout).unwrap());
    }
    Err(String::from_utf8(out.stderr).unwrap())
}

/// The nats of the one line that may be written after the folder's prompt.
fn nats(folder: &PathBuf, model: &str) -> Result<f64, String> {
    let prompt = std::fs::read_to_string(folder.join("prompt.txt")).unwrap();
    let args = ["model", "complete", &prompt, "--checkpoint", model, "--only", "line.txt"];
    Ok(said(folder, &args)?["nats"].as_f64().unwrap())
}

#[test]
fn the_arithmetic_is_that_of_the_file() {
    for (name, model, right) in [
        ("01-rope-parameters-theta", "model", -174.6566),
        ("03-rope-scaling-default", "model", -176.5847),
        ("04-sliding-window-off", "model", -176.5847),
        ("05-qwen3-qk-norm", "model", -180.7770),
        ("07-smollm3-nope", "model", -160.6224),
        ("10-gguf-bias", "gguf/m.gguf", -176.7619),
        ("12-gguf-split", "gguf/m-00001-of-00002.gguf", -176.5847),
        ("19-bos", "model", -143.4883),
    ] {
        let Some(folder) = input(name) else { return };
        let got = nats(&folder, model).unwrap();
        assert!((got - right).abs() < 5e-4, "{name}: {got}, and {right} is right");
    }
}

#[test]
fn what_cannot_be_read_is_said_as_what_it_is() {
    let Some(folder) = input("12-gguf-split") else { return };
    let error = nats(&folder, "gguf/m-00002-of-00002.gguf").unwrap_err();
    assert!(error.contains("part 2 of 2") && error.contains("m-00001-of-00002.gguf"), "{error}");
    let Some(folder) = input("13-gguf-big-endian") else { return };
    let error = nats(&folder, "gguf/m.gguf").unwrap_err();
    assert!(error.contains("big-endian") && error.contains("gguf-convert-endian"), "{error}");
}

#[test]
fn which_token_ends_a_turn_is_asked() {
    let Some(folder) = input("18-end-token") else { return };
    let complete = |model: &str| {
        said(&folder, &["model", "complete", "go to desk", "--checkpoint", model, "--limit", "40"])
            .unwrap()
    };
    for model in ["base_endoftext", "llama3_list", "phi3_end"] {
        let row = complete(model);
        assert_eq!((&row["tokens"], &row["text"]), (&Value::from(1), &Value::from("")), "{model}");
    }
    complete("named_by_config_only");
}

#[test]
fn a_packed_model_is_all_that_its_base_was() {
    let Some(folder) = input("44-packed-without-tokenizer-files") else { return };
    let dir = tempfile::tempdir().unwrap();
    let packed = dir.path().join("packed");
    let packed_name = packed.display().to_string();
    said(&folder, &["model", "pack", "base", "--out", &packed_name]).unwrap();
    for file in std::fs::read_dir(folder.join("base")).unwrap() {
        let file = file.unwrap();
        let read = |path: PathBuf| std::fs::read(path).unwrap();
        let (before, after) = (read(file.path()), read(packed.join(file.file_name())));
        match file.file_name().to_str().unwrap() {
            "model.safetensors" => {}
            "config.json" => {
                let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
                assert_eq!(json(&before), json(&after));
            }
            name => assert_eq!(before, after, "{name}"),
        }
    }
}
