//! What a run starts from.

use std::ffi::OsStr;
use std::path::Path;

use super::Plan;
use crate::error::{Error, Result};
use crate::model::weights::{ModelFiles, Stored, Trainable};

/// Whether anything is there that may be weights.
fn has_weights(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut ends = entries.map(|entry| entry.path().extension().map(OsStr::to_os_string));
    !folder.join("config.json").exists()
        || ends.any(|end| end.is_some_and(|end| end == "safetensors"))
}

impl Plan {
    /// The model of these files, as the plan trains it: where its weights lie elsewhere, its shape and its
    /// tokenizer alone. `source` names it.
    ///
    /// # Errors
    /// Where the files cannot be read, or are those of an adapter whose model is not here.
    pub fn start(&self, parts: &ModelFiles, source: &str) -> Result<Trainable> {
        if let Stored::Away(away) = &parts.tensors {
            return Err(Error::new(format!(
                "{source} is an adapter beside the weights of {}, and cannot be started from",
                away.place
            ))
            .hint(
                "merge them where they lie (PEFT's merge_and_unload), and start from that: --weights",
            ));
        }
        let away = self.torchrun.as_ref().and_then(super::torchrun::Settings::away);
        match (away, &parts.tensors) {
            (Some(place), Stored::Folder(_)) => Trainable::of_shape(parts, source, place),
            (Some(place), _) => Err(Error::usage(format!(
                "--weights {} beside the start {source}, whose weights are here",
                place.folder
            ))
            .hint("--from names a folder with the config.json and the tokenizer of the model that lies there")),
            (None, Stored::Folder(folder)) if !has_weights(folder) => {
                Err(Error::new(format!("{source}: a model's shape, without weights")).hint(
                    "--engine torchrun --weights FOLDER --lora R trains beside them where they lie (docs/engines.md); \
                     or add model.safetensors",
                ))
            }
            (None, _) => Trainable::from_parts(parts, source),
        }
    }
}
