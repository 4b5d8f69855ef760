//! What stands beside a model's weights and is carried along wherever they go: without it a model
//! that leaves is not usable for chat until files are copied by hand.

use std::path::Path;

use serde_json::{Map, Value};

use super::weights::{ModelFiles, read_file};
use crate::error::{Error, Result};

/// What a model that speaks in turns is told before anything else, where a person wrote it: it is
/// the model's from then on, in training as in use.
pub const SYSTEM: &str = "system.txt";

/// A system's message has at most so many bytes.
const LONGEST: usize = 64 << 10;

/// Files of a model folder that are carried along as they are.
pub const FILES: [&str; 15] = [
    SYSTEM,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "LICENSE",
    "LICENSE.txt",
    "LICENSE.md",
    "NOTICE",
    "NOTICE.txt",
];

/// Those of them that are in a folder, by name.
pub(super) fn read(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let there = FILES.iter().filter(|name| folder.join(name).is_file());
    there.map(|name| Ok(((*name).to_string(), read_file(&folder.join(name))?))).collect()
}

/// The person's system message of a folder, if there is one, as it is said.
pub(super) fn system(beside: &[(String, Vec<u8>)]) -> Result<Option<String>> {
    let found = beside.iter().find(|(name, _)| name == SYSTEM);
    let Some((_, bytes)) = found else { return Ok(None) };
    let wrong = |what: &str| {
        Err(Error::new(format!("{SYSTEM}: {what}"))
            .hint("it is what the model is told before anything else; without it, the usual"))
    };
    match std::str::from_utf8(bytes).map(|text| text.trim_start_matches('\u{feff}').trim()) {
        Err(_) => wrong("not UTF-8"),
        Ok("") => wrong("empty"),
        Ok(text) if text.len() > LONGEST => wrong("longer than 64 KiB"),
        Ok(text) => Ok(Some(text.into())),
    }
}

/// One of the files as JSON; null where it is not there.
pub(super) fn json(beside: &[(String, Vec<u8>)], name: &str) -> Result<Value> {
    let found = beside.iter().find(|(its, _)| its == name);
    found.map_or(Ok(Value::Null), |(_, bytes)| parsed(name, bytes))
}

/// A file as JSON.
pub(super) fn parsed(name: &str, bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes).map_err(|e| Error::new(format!("{name}: {e}")))
}

/// A token that is written as a text, or as an object with its content.
pub(super) fn token(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value["content"].as_str()).map(str::to_string)
}

/// What a model was read from, but for its weights.
#[derive(Debug, Clone)]
pub struct Origin {
    /// `config.json`.
    config: Vec<u8>,
    /// `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// [`FILES`].
    pub beside: Vec<(String, Vec<u8>)>,
}

impl Origin {
    /// That of some files.
    pub fn of(files: &ModelFiles) -> Self {
        let ModelFiles { config, tokenizer, beside, .. } = files.clone();
        Self { config, tokenizer, beside }
    }

    /// `config.json` as it was read, but for what the weights are stored as.
    pub fn config(&self, half: bool) -> Result<Vec<u8>> {
        let bad = |e: serde_json::Error| Error::new(format!("config.json: {e}"));
        let mut config: Map<String, Value> = serde_json::from_slice(&self.config).map_err(bad)?;
        for name in ["torch_dtype", "dtype"] {
            if let Some(kind) = config.get_mut(name) {
                *kind = Value::from(if half { "float16" } else { "float32" });
            }
        }
        serde_json::to_vec_pretty(&config).map_err(bad)
    }
}
