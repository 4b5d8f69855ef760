//! What a run starts from.

use std::ffi::OsStr;
use std::path::Path;

use super::Plan;
use crate::error::{Error, Result};
use crate::model::away::{Away, Distant};
use crate::model::lora::Adapter;
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
    /// tokenizer alone, with the adapter that was trained beside them. `source` names it.
    ///
    /// # Errors
    /// Where the files cannot be read, or are not what the plan trains.
    pub fn start(&self, parts: &ModelFiles, source: &str) -> Result<Trainable> {
        let away = self.torchrun.as_ref().and_then(super::torchrun::Settings::away);
        match (away, &parts.tensors) {
            (Some(place), Stored::Folder(_)) => Trainable::of_shape(parts, source, place),
            (Some(place), Stored::Away(own)) => self.beside(parts, own, source, place),
            (Some(place), _) => Err(Error::usage(format!(
                "--weights {} beside the start {source}, whose weights are here",
                place.folder
            ))
            .hint("--from names a folder with the config.json and the tokenizer of the model that lies there")),
            (None, Stored::Away(own)) => {
                let place = &own.place;
                let at = place.host.as_ref().map_or(String::new(), |host| format!(" --ssh {host}"));
                Err(Error::new(format!(
                    "{source} is an adapter beside the weights of {place}, which are not here"
                ))
                .hint(format!(
                    "train it on where they lie: --engine torchrun{at} --weights {} --lora R",
                    place.folder
                )))
            }
            (None, Stored::Folder(folder)) if !has_weights(folder) => {
                Err(Error::new(format!("{source}: a model's shape, without weights")).hint(
                    "--engine torchrun --weights FOLDER --lora R trains beside them where they lie (docs/engines.md); \
                     or add model.safetensors",
                ))
            }
            (None, _) => Trainable::from_parts(parts, source),
        }
    }

    /// An adapter that is trained on, beside the weights that it was trained beside.
    fn beside(
        &self,
        parts: &ModelFiles,
        own: &Away,
        source: &str,
        place: Distant,
    ) -> Result<Trainable> {
        let known = &own.place;
        // Without it nothing but the place says which they are.
        if known.digest.is_none() && (&known.host, &known.folder) != (&place.host, &place.folder) {
            let what = format!("{source} was trained beside {known}, and not beside {place}");
            return Err(Error::usage(what).hint("name those weights, where they lie"));
        }
        let mut start =
            Trainable::of_shape(parts, source, Distant { digest: known.digest.clone(), ..place })?;
        let adapter = Adapter::from_peft(&start.config, &own.settings, &own.adapter);
        let adapter = adapter.map_err(|error| error.at(source))?;
        let wanted = self.adapter(&start.config)?;
        let alike = wanted.is_some_and(|wanted| {
            (wanted.alpha, wanted.shapes()) == (adapter.alpha, adapter.shapes())
        });
        if !alike {
            let Adapter { rank, alpha, .. } = adapter;
            let what = format!(
                "{source} is an adapter of rank {rank} and alpha {alpha}, and this plan has another"
            );
            return Err(Error::usage(what)
                .hint(format!("--lora {rank} --alpha {alpha}, and the layers that it is beside")));
        }
        start.adapter = Some(adapter);
        Ok(start)
    }
}
