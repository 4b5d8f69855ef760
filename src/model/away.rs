//! Weights that are not here: they lie where adapters are trained beside them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Where weights lie that are not here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distant {
    /// The machine, as ssh knows it; without it this one, where they are not read.
    pub host: Option<String>,
    /// Their folder there, or their name of the hub.
    pub folder: String,
    /// What tells them from others, as who trains beside them finds it; not known before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

impl fmt::Display for Distant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => write!(f, "{host}:{}", self.folder),
            None => f.write_str(&self.folder),
        }
    }
}

/// Weights that are not here, and what is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    /// Where they lie.
    pub place: Distant,
    /// `adapter_model.safetensors` of what was trained beside them, and its `adapter_config.json`.
    pub adapter: Vec<u8>,
    /// See [`Self::adapter`].
    pub settings: Vec<u8>,
}

impl Away {
    /// What is said where they are wanted.
    pub(super) fn error(&self) -> Error {
        Error::new(format!("an adapter whose model is not here: it lies at {}", self.place)).hint(
            "serve that with the adapter, and name it in config.toml with tokens_of (docs/engines.md); or bring \
             it here: foretaste model pack MODEL --adapter CHECKPOINT/adapter --out DIR",
        )
    }
}
