//! What a run starts from.

use super::Plan;
use crate::error::{Error, Result};
use crate::model::weights::{ModelFiles, Stored, Trainable};

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
        match self.torchrun.as_ref().and_then(super::torchrun::Settings::away) {
            Some(place) => Trainable::of_shape(parts, source, place),
            None => Trainable::from_parts(parts, source),
        }
    }
}
