//! What was found on the other side of an endpoint.

use super::scorer::Scorer;
use crate::agent::Scores;

/// Which program answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Server {
    /// vLLM.
    Vllm,
    /// SGLang.
    SgLang,
    /// llama.cpp's server.
    LlamaCpp,
    /// Ollama.
    Ollama,
    /// A hosted service, or one that is not known here.
    Other,
}

impl Server {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vllm => "vLLM",
            Self::SgLang => "SGLang",
            Self::LlamaCpp => "llama.cpp",
            Self::Ollama => "Ollama",
            Self::Other => "an unknown server",
        }
    }

    /// How it may be made to score, the best way first.
    pub(super) fn scorers(self) -> &'static [Scorer] {
        match self {
            Self::Vllm => &[Scorer::PromptLogprobs, Scorer::Echo],
            Self::SgLang => &[Scorer::Generate, Scorer::Echo],
            Self::LlamaCpp => {
                &[Scorer::Grammar { by_tokens: true }, Scorer::Grammar { by_tokens: false }]
            }
            Self::Ollama => &[],
            Self::Other => &[Scorer::Echo],
        }
    }
}

impl Found {
    /// Whether it says how likely tokens are, and not only texts.
    pub fn scores_tokens(&self) -> bool {
        let by = [Scorer::PromptLogprobs, Scorer::Grammar { by_tokens: true }];
        self.scorer.is_some_and(|scorer| by.contains(&scorer))
    }
}

/// What was found on the other side.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Which program answers.
    pub server: Server,
    /// The models that it lists.
    pub models: Vec<String>,
    /// The model that is asked.
    pub model: String,
    /// Tokens that it reads and writes together, where it says so.
    pub context: Option<u64>,
    /// Whether it answers conversations.
    pub chat: bool,
    /// Whether it gives several answers at once.
    pub n: bool,
    /// Whether its answers carry log-probabilities.
    pub logprobs: bool,
    /// How likely texts are, as far as it says.
    pub scores: Scores,
    /// Options that it tells apart in a choice at most; 0 where it cannot be asked to choose.
    pub most_options: usize,
    /// Why it is not more, in words.
    pub notes: Vec<String>,
    pub(super) scorer: Option<Scorer>,
}
