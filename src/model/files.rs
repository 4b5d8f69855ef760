//! Tensors in safetensors files: a file in memory, a file on disk, or a folder of shards.
//!
//! A header is checked as a whole before anything is allocated for a tensor: lengths against the
//! file's, shapes against lengths, and that no two tensors overlap. On disk, tensors are read one
//! by one when they are asked for.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::paths;

/// The largest header that is read.
const HEADER: u64 = 100 << 20;

/// A tensor in a file: where it lies and how it is stored.
#[derive(Debug, Clone, Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl Entry {
    /// Bytes of a value, for the types that are read.
    fn width(&self) -> Option<u64> {
        match self.dtype.as_str() {
            "F32" => Some(4),
            "F16" | "BF16" => Some(2),
            _ => None,
        }
    }
}

#[derive(Debug, Clone)]
enum Source<'a> {
    Bytes(&'a [u8]),
    File(PathBuf),
}

/// The tensors of a model or an adapter by name.
#[derive(Debug, Clone)]
pub struct Tensors<'a> {
    sources: Vec<(Source<'a>, String)>,
    /// Which source, where its data begins, and the entry.
    entries: BTreeMap<String, (usize, u64, Entry)>,
}

impl<'a> Tensors<'a> {
    /// A file in memory; `name` is what it is called in errors.
    pub fn from_bytes(bytes: &'a [u8], name: &str) -> Result<Self> {
        let mut tensors = Self { sources: Vec::new(), entries: BTreeMap::new() };
        tensors.add(Source::Bytes(bytes), name, bytes, bytes.len() as u64)?;
        Ok(tensors)
    }

    /// `model.safetensors` of a folder, or the shards that `model.safetensors.index.json` lists.
    pub fn from_folder(folder: &Path) -> Result<Self> {
        let index = folder.join("model.safetensors.index.json");
        let whole = folder.join("model.safetensors");
        let mut tensors = Self { sources: Vec::new(), entries: BTreeMap::new() };
        for path in if whole.exists() || !index.exists() { vec![whole] } else { shards(&index)? } {
            let io = |e: std::io::Error| Error::io("reading the model file", &path, &e);
            let mut file = paths::regular(&path).map_err(io)?;
            let size = file.metadata().map_err(io)?.len();
            tensors.add(
                Source::File(path.clone()),
                &path.display().to_string(),
                &mut file,
                size,
            )?;
        }
        Ok(tensors)
    }

    fn add(
        &mut self,
        source: Source<'a>,
        name: &str,
        mut from: impl Read,
        size: u64,
    ) -> Result<()> {
        let bad = |what: String| {
            Error::new(format!("{name}: {what}"))
                .hint("the file is damaged; fetch or train it again")
        };
        let mut length = [0; 8];
        from.read_exact(&mut length)
            .map_err(|_| bad(format!("a file of {size} bytes has no header")))?;
        let header = u64::from_le_bytes(length);
        if header > size.saturating_sub(8) || header > HEADER {
            return Err(bad(format!(
                "a header of {header} bytes does not fit into a file of {size}"
            )));
        }
        let mut bytes = vec![0; header as usize];
        from.read_exact(&mut bytes).map_err(|e| bad(e.to_string()))?;
        let raw: BTreeMap<String, Value> =
            serde_json::from_slice(&bytes).map_err(|e| bad(format!("its header: {e}")))?;
        let begin = 8 + header;
        let room = size - 8 - header;
        let mut places = Vec::new();
        for (tensor, value) in raw.into_iter().filter(|(name, _)| name != "__metadata__") {
            let entry: Entry = serde_json::from_value(value)
                .map_err(|e| bad(format!("tensor `{tensor}`: {e}")))?;
            let (start, end) = entry.data_offsets;
            if start > end || end > room {
                return Err(bad(format!("tensor `{tensor}` does not lie within the file")));
            }
            if let Some(width) = entry.width() {
                let bytes =
                    entry.shape.iter().try_fold(width, |product, side| product.checked_mul(*side));
                if bytes != Some(end - start) {
                    return Err(bad(format!(
                        "tensor `{tensor}` of shape {:?} is not {} bytes",
                        entry.shape,
                        end - start
                    )));
                }
            }
            places.push((start, end, tensor.clone()));
            if self.entries.insert(tensor.clone(), (self.sources.len(), begin, entry)).is_some() {
                return Err(bad(format!("tensor `{tensor}` stands in two files")));
            }
        }
        places.sort();
        if let Some(pair) = places.windows(2).find(|pair| pair[1].0 < pair[0].1) {
            return Err(bad(format!("tensors `{}` and `{}` overlap", pair[0].2, pair[1].2)));
        }
        self.sources.push((source, name.to_string()));
        Ok(())
    }

    /// Names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The shape of the tensor of that name, if there is one.
    pub fn shape(&self, name: &str) -> Option<&[u64]> {
        self.entries.get(name).map(|(_, _, entry)| entry.shape.as_slice())
    }

    /// The values of a tensor that must have this shape, as f32; values that are not finite are
    /// refused.
    pub fn numbers(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let file = self.sources.first().map_or("", |(_, name)| name);
        let missing = || Error::new(format!("{file}: tensor `{name}` is missing"));
        let (source, begin, entry) = self.entries.get(name).ok_or_else(missing)?;
        let (source, file) = &self.sources[*source];
        let bad = |what: String| Error::new(format!("{file}: tensor `{name}` {what}"));
        if !entry.shape.iter().copied().eq(shape.iter().map(|side| *side as u64)) {
            return Err(bad(format!("has shape {:?}, expected {shape:?}", entry.shape)));
        }
        if entry.width().is_none() {
            return Err(bad(format!("has type {}; F32, F16 and BF16 are read", entry.dtype)));
        }
        let start = begin + entry.data_offsets.0;
        let end = begin + entry.data_offsets.1;
        let read;
        let raw: &[u8] = match source {
            Source::Bytes(bytes) => &bytes[start as usize..end as usize],
            Source::File(path) => {
                let io = |e: std::io::Error| Error::io("reading the model file", path, &e);
                let mut file = File::open(path).map_err(io)?;
                file.seek(SeekFrom::Start(start)).map_err(io)?;
                let mut own = vec![0; (end - start) as usize];
                file.read_exact(&mut own).map_err(io)?;
                read = own;
                &read
            }
        };
        let data: Vec<f32> = match entry.dtype.as_str() {
            "F32" => raw.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            "F16" => raw
                .as_chunks::<2>()
                .0
                .iter()
                .map(|b| half::f16::from_le_bytes(*b).to_f32())
                .collect(),
            _ => raw
                .as_chunks::<2>()
                .0
                .iter()
                .map(|b| half::bf16::from_le_bytes(*b).to_f32())
                .collect(),
        };
        match data.iter().position(|value| !value.is_finite()) {
            Some(at) => {
                Err(bad(format!("holds values that are not finite numbers (the first at {at})")))
            }
            None => Ok(data),
        }
    }
}

/// The files that an index lists, each once. Names that lead out of the folder are refused.
fn shards(index: &Path) -> Result<Vec<PathBuf>> {
    let bad = |what: String| Error::new(format!("{}: {what}", index.display()));
    let text = paths::read_whole(index, HEADER).map_err(|e| Error::io("reading", index, &e))?;
    let raw: Value = serde_json::from_slice(&text).map_err(|e| bad(e.to_string()))?;
    let map = raw["weight_map"].as_object().ok_or_else(|| bad("`weight_map` is missing".into()))?;
    let mut names: Vec<&str> = map.values().filter_map(Value::as_str).collect();
    names.sort_unstable();
    names.dedup();
    match names.iter().find(|name| name.contains(['/', '\\'])) {
        Some(name) => Err(bad(format!("`{name}` is not the name of a file beside it"))),
        None if names.is_empty() => Err(bad("it lists no file".into())),
        None => Ok(names.into_iter().map(|name| index.with_file_name(name)).collect()),
    }
}

/// Names with flat f32 data and a shape, as a safetensors file of f32 or f16.
///
/// # Errors
/// Values that f16 cannot hold.
pub fn serialize(tensors: &[(String, Vec<f32>, Vec<usize>)], half: bool) -> Result<Vec<u8>> {
    if half
        && let Some((name, value)) = tensors.iter().find_map(|(name, data, _)| {
            Some((name, data.iter().find(|x| !half::f16::from_f32(**x).is_finite())?))
        })
    {
        return Err(Error::new(format!("tensor `{name}` holds {value}, and f16 ends at 65504"))
            .hint("pack without --half"));
    }
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, data, _)| {
            if half {
                data.iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect()
            } else {
                data.iter().flat_map(|x| x.to_le_bytes()).collect()
            }
        })
        .collect();
    let dtype = if half { safetensors::Dtype::F16 } else { safetensors::Dtype::F32 };
    let mut views = Vec::with_capacity(tensors.len());
    for ((name, _, shape), data) in tensors.iter().zip(&bytes) {
        let view = TensorView::new(dtype, shape.clone(), data)
            .map_err(|e| Error::new(format!("tensor `{name}`: {e}")))?;
        views.push((name.clone(), view));
    }
    let format = HashMap::from([("format".to_string(), "pt".to_string())]);
    safetensors::serialize(views, Some(format))
        .map_err(|e| Error::new(format!("writing tensors: {e}")))
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
