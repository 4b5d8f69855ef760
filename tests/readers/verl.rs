//! verl's own data sets, which cannot be loaded beside the transformers that the other trainers need.

use std::path::Path;

use serde_json::json;

use crate::{answers, python, read_by};

/// Of `sft.parquet` the last answer of each line and what ends it is learnt; of `rl.parquet` each line is a
/// task whose answer is known, with nothing of that answer in what is asked.
pub fn reads_the_same(folder: &Path, lines: u64) {
    let Some(python) = python("FORETASTE_VERL_PYTHON", "verl, tensordict, ray") else { return };
    let found = read_by(&python, "verl_sets.py", folder);
    let answers = answers(&folder.join("messages.jsonl"));
    let learnt: Vec<String> = answers.iter().map(|said| format!("{said}<|im_end|>\n")).collect();
    assert_eq!(found["sft"], json!(learnt));
    assert_eq!(found["rl"].as_array().map(Vec::len), Some(lines as usize), "{found}");
    for (task, said) in found["rl"].as_array().unwrap().iter().zip(&answers) {
        assert_eq!(task["source"], "household");
        let truth = task["truth"].as_str().unwrap();
        assert!(said.contains(truth), "{task}");
        let prompt = task["prompt"].as_str().unwrap();
        assert!(prompt.ends_with("<|im_start|>assistant\n") && !prompt.contains(said), "{task}");
    }
}
