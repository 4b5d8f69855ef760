//! Exported files as those whom they are for read them, and templates as they write them. Needs a Python
//! that has them: `FORETASTE_PYTHON` names it, and `FORETASTE_VERL_PYTHON` one beside it that has verl.

#[path = "../common/mod.rs"]
mod common;
mod templates;
mod tools;
mod trainers;
mod verl;

use std::path::Path;
use std::process::{Command, Stdio};

use common::json;
use serde_json::{Value, json};

/// Exports a set under a name.
fn export(data: &Path, folder: &Path, name: &str, how: &[&str]) -> u64 {
    let file = folder.join(name);
    let args = [&["data", "export", "--out", file.to_str().unwrap(), "--held-out", "0"], how];
    let said = json(data, &args.concat());
    assert_eq!(said[0]["bytes"].as_u64().unwrap(), std::fs::metadata(&file).unwrap().len());
    let manifest = std::fs::read(folder.join(format!("{name}.manifest.json"))).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["lines"], said[0]["examples"], "{name}");
    said[0]["examples"].as_u64().unwrap()
}

/// What a script beside this file finds in a folder: the last line that it prints.
fn read_by(python: &str, script: &str, folder: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers").join(script);
    let read = Command::new(python).arg(script).arg(folder).output().unwrap();
    let told = String::from_utf8_lossy(&read.stderr).to_string();
    assert!(read.status.success(), "{told}");
    let lines = String::from_utf8_lossy(&read.stdout).to_string();
    serde_json::from_str(lines.lines().last().unwrap()).unwrap()
}

/// A model of others: our own under other marks, with a template by which conversations are written. `end` is
/// what ends its texts; a turn ends with `<|im_end|>`.
fn chat_model(from: &Path, to: &Path, end: &str) {
    std::fs::create_dir(to).unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
    let marks =
        [("task", "im_start"), ("end", "im_end"), ("obs", "eot"), ("act", "one"), ("think", "two")];
    let tokenizer = std::fs::read_to_string(from.join("tokenizer.json")).unwrap();
    let renamed = marks.iter().fold(tokenizer, |text, (own, other)| {
        text.replace(&format!("<|{own}|>"), &format!("<|{other}|>"))
    });
    std::fs::write(to.join("tokenizer.json"), renamed).unwrap();
    let template = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
                    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    let said = json!({"eos_token": end, "pad_token": "<|two|>", "chat_template": template});
    std::fs::write(to.join("tokenizer_config.json"), said.to_string()).unwrap();
}

/// The Python that a variable names, where it has these packages; said loudly where not.
fn python(variable: &str, packages: &str) -> Option<String> {
    let python = std::env::var(variable).unwrap_or_else(|_| "python3".into());
    let mut asked = Command::new(&python);
    asked.args(["-c", &format!("import {packages}")]).stderr(Stdio::null());
    if asked.status().is_ok_and(|status| status.success()) {
        return Some(python);
    }
    common::unchecked(&format!("{python} has not all of {packages}. Set {variable}."));
    None
}

/// A model's answers in lines of messages.
fn answers(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let last = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let messages = line["messages"].as_array().unwrap();
        messages.last().unwrap()["content"].as_str().unwrap().to_string()
    };
    text.lines().map(last).collect()
}
