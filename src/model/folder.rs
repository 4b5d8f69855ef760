//! A model folder that this program wrote: its files as a whole, and the digest by which they are
//! known.

use std::path::Path;

use super::beside;
use super::memory;
use super::weights::{ModelFiles, Stored};
use crate::digest::{Digest, hex};
use crate::error::{Error, Result};
use crate::paths;
use crate::place::Computing;

/// The digest of files in order, as it stands in records.
pub fn digest<'a>(files: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut digest = Digest::default();
    files.into_iter().for_each(|bytes| digest.add(bytes));
    hex(digest.finish())
}

/// The digest of a model's files.
pub fn digest_of(parts: &ModelFiles) -> Result<String> {
    let Stored::Memory(tensors) = &parts.tensors else {
        return Err(Error::new("weights that are not in memory"));
    };
    let beside = parts.beside.iter().map(|(_, bytes)| bytes.as_slice());
    let files = [parts.config.as_slice(), tensors, &parts.tokenizer];
    Ok(digest(files.into_iter().chain(beside)))
}

/// A model folder of ours, read as a whole: what is checked is what is used.
pub fn read_whole(folder: &Path) -> Result<ModelFiles> {
    let tensors = Stored::Memory(read_file(folder, "model.safetensors")?.into());
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
