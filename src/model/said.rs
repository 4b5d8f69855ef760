//! What the files beside a tokenizer say of its tokens: which end what was begun, and whether a text
//! begins with one. It is asked and not guessed from names.

use serde_json::Value;

use super::beside::{self, token};
use crate::error::{Error, Result};

/// A token as a file names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// By its number.
    Id(u32),
    /// As it is written.
    Text(String),
}

/// What a model's files say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Tokens of which each ends what was begun, by the first file that names any:
    /// `generation_config.json`, `config.json`, `tokenizer_config.json`.
    pub ends: Vec<Named>,
    /// The one of them that a finished text carries (`eos_token` of `tokenizer_config.json`).
    pub end: Option<Named>,
    /// Whether a text begins with `bos_token`, where the tokenizer's class asks the file and not
    /// the post-processor; and that token.
    pub opening: Option<(bool, String)>,
    /// Where that stands, for errors.
    place: &'static str,
}

impl Said {
    /// From `config.json` and the files beside it.
    pub fn read(config: &[u8], beside: &[(String, Vec<u8>)]) -> Result<Self> {
        let tokenizer = beside::json(beside, "tokenizer_config.json")?;
        let mut said =
            Self { end: token(&tokenizer["eos_token"]).map(Named::Text), ..Self::default() };
        let generation = beside::json(beside, "generation_config.json")?;
        // A GGUF file has none.
        let own =
            if config.is_empty() { Value::Null } else { beside::parsed("config.json", config)? };
        for (name, file) in [("generation_config.json", generation), ("config.json", own)] {
            said.ends = ids(&file["eos_token_id"], name)?;
            said.place = name;
            if !said.ends.is_empty() {
                break;
            }
        }
        if said.ends.is_empty() {
            said.ends = said.end.iter().cloned().collect();
            said.place = "tokenizer_config.json";
        }
        let class = tokenizer["tokenizer_class"].as_str().unwrap_or_default();
        // These classes put the beginning by this field; others leave it to the post-processor.
        let asks = ["LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer"]
            .iter()
            .any(|known| class.strip_suffix("Fast").unwrap_or(class) == *known);
        if let (true, Some(begins), Some(bos)) =
            (asks, tokenizer["add_bos_token"].as_bool(), token(&tokenizer["bos_token"]))
        {
            said.opening = Some((begins, bos));
        }
        Ok(said)
    }

    /// The ends as numbers of a vocabulary, the one that a finished text carries first.
    pub fn ends(
        &self,
        id_of: impl Fn(&str) -> Option<u32>,
        known: impl Fn(u32) -> bool,
    ) -> Result<Vec<u32>> {
        let place = self.place;
        let id = |named: &Named| {
            let id = match named {
                Named::Id(id) => Some(*id).filter(|id| known(*id)),
                Named::Text(text) => id_of(text),
            };
            id.ok_or_else(|| {
                Error::new(format!("{place}: the end token {named:?} is not one of tokenizer.json"))
                    .hint("take the files that belong together, as the model was published")
            })
        };
        let mut ends = self.ends.iter().map(id).collect::<Result<Vec<u32>>>()?;
        if let Some(Named::Text(text)) = &self.end
            && let Some(at) = ends.iter().position(|end| id_of(text) == Some(*end))
        {
            ends.swap(0, at);
        }
        Ok(ends)
    }
}

/// One number, several, or none.
fn ids(value: &Value, place: &str) -> Result<Vec<Named>> {
    let id = |value: &Value| {
        let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
        id.map(Named::Id).ok_or_else(|| {
            Error::new(format!("{place}: `eos_token_id` has {value}, which is no token's number"))
                .hint("correct the file: it is one number, a list of them, or null")
        })
    };
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(list) => list.iter().map(id).collect(),
        one => Ok(vec![id(one)?]),
    }
}

#[cfg(test)]
#[path = "said_tests.rs"]
mod tests;
