//! A model folder that this program wrote: its files as a whole, and the digest by which they are
//! known.

use std::path::Path;

use super::away::{Away, Distant};
use super::beside;
use super::memory;
use super::weights::{ModelFiles, Stored};
use crate::digest::{Digest, hex};
use crate::error::{Error, Result};
use crate::paths;
use crate::place::Computing;

/// PEFT's files, in a folder of their own: beside `model.safetensors` (which has the adapter merged) other programs would
/// apply them a second time.
pub const ADAPTER: [&str; 2] = ["adapter/adapter_config.json", "adapter/adapter_model.safetensors"];

/// The digest of files in order, as it stands in records.
pub fn digest<'a>(files: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut digest = Digest::default();
    files.into_iter().for_each(|bytes| digest.add(bytes));
    hex(digest.finish())
}

/// The digest of a model's files; of weights that are not here, with their adapter in their place.
pub fn digest_of(parts: &ModelFiles) -> Result<String> {
    let tensors: &[u8] = match &parts.tensors {
        Stored::Memory(tensors) => tensors,
        Stored::Away(away) => &away.adapter,
        Stored::Folder(_) | Stored::Gguf(_) => {
            return Err(Error::new("weights that are not in memory"));
        }
    };
    let beside = parts.beside.iter().map(|(_, bytes)| bytes.as_slice());
    let files = [parts.config.as_slice(), tensors, &parts.tokenizer];
    let settings = match &parts.tensors {
        Stored::Away(away) => Some(away.settings.as_slice()),
        _ => None,
    };
    Ok(digest(files.into_iter().chain(beside).chain(settings)))
}

/// A model folder of ours, read as a whole: what is checked is what is used. `away` is where its weights lie,
/// of a checkpoint that is an adapter alone.
pub fn read_whole(folder: &Path, away: Option<Distant>) -> Result<ModelFiles> {
    let tensors = match away {
        None => Stored::Memory(read_file(folder, "model.safetensors")?.into()),
        Some(place) => {
            let adapter = read_file(folder, ADAPTER[1])?;
            Stored::Away(Away { place, adapter, settings: read_file(folder, ADAPTER[0])? })
        }
    };
    Ok(ModelFiles {
        config: read_file(folder, "config.json")?,
        tensors,
        tokenizer: read_file(folder, "tokenizer.json")?,
        beside: beside::read(folder)?,
        by: Computing::F32,
    })
}

/// A file of a model folder, as far as there is memory for it.
pub fn read_file(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let path = folder.join(name);
    let failed = |e: std::io::Error| Error::io("reading", &path, &e);
    let size = std::fs::metadata(&path).map_err(failed)?.len();
    memory::room(size, "reading a checkpoint")?;
    paths::read_whole(&path, size).map_err(failed)
}
