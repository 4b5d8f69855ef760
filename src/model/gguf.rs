//! GGUF (versions 2 and 3) of Llama-family models, for inference.
//!
//! The header is read with every length checked against what is left of the file. Every quantised
//! encoding becomes the codes of [`Quantized`]; q and k rows go back from GGUF's interleaved rotary
//! pairs to the two halves of Hugging Face.

use std::collections::HashMap;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::config::Config;
use super::encodings::Encoding;
use super::matrix::{Matrix, Quantized};
use super::memory;
use crate::error::{Error, Result};
use crate::paths;

/// At most so many tensors, settings, and items of a list in a header.
const MANY: u64 = 1 << 22;

/// A longer header is refused before it is read: those of the largest vocabularies have some 20 MB.
const HEADER: u64 = 256 << 20;

/// A setting of the header; lists are skipped, no list is needed here.
#[derive(Debug, Clone, PartialEq)]
enum Setting {
    Integer(u64),
    Number(f64),
    Text(String),
    Other,
}

/// A tensor as the header describes it.
#[derive(Debug, Clone)]
struct Entry {
    width: usize,
    rows: usize,
    encoding: Encoding,
    offset: u64,
}

/// The header of a file.
#[derive(Debug)]
pub struct Header {
    settings: HashMap<String, Setting>,
    tensors: HashMap<String, Entry>,
    /// Where tensors begin.
    data: u64,
}

/// Reads little-endian values and counts what is left.
struct Input<R> {
    from: R,
    left: u64,
}

impl<R: Read> Input<R> {
    fn bytes(&mut self, count: u64) -> Result<Vec<u8>> {
        if count > self.left {
            return Err(Error::new(format!(
                "{count} bytes are announced where {} are left for the header",
                self.left
            )));
        }
        self.left -= count;
        let mut bytes = vec![0; count as usize];
        self.from.read_exact(&mut bytes).map_err(|e| Error::new(e.to_string()))?;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes(N as u64)?);
        Ok(array)
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn count(&mut self, what: &str) -> Result<u64> {
        let count = self.u64()?;
        if count > MANY {
            Err(Error::new(format!("{count} {what} are too many")))
        } else {
            Ok(count)
        }
    }

    fn text(&mut self) -> Result<String> {
        let length = self.u64()?;
        String::from_utf8(self.bytes(length)?).map_err(|_| Error::new("a name that is not UTF-8"))
    }

    fn setting(&mut self, kind: u32) -> Result<Setting> {
        Ok(match kind {
            0 | 7 => Setting::Integer(u64::from(self.array::<1>()?[0])),
            1 => {
                self.bytes(1)?;
                Setting::Other
            }
            2 => Setting::Integer(u64::from(u16::from_le_bytes(self.array()?))),
            3 => {
                self.bytes(2)?;
                Setting::Other
            }
            4 => Setting::Integer(u64::from(self.u32()?)),
            5 => u64::try_from(i32::from_le_bytes(self.array()?))
                .map_or(Setting::Other, Setting::Integer),
            6 => {
                // As it is written in decimals: 1e-5 and not the f32 next to it.
                let value = f32::from_le_bytes(self.array()?);
                Setting::Number(value.to_string().parse().unwrap_or(f64::from(value)))
            }
            8 => Setting::Text(self.text()?),
            9 => {
                let kind = self.u32()?;
                let count = self.count("items of a list")?;
                if kind == 9 {
                    return Err(Error::new("a list of lists"));
                }
                for _ in 0..count {
                    self.setting(kind)?;
                }
                Setting::Other
            }
            10 => Setting::Integer(self.u64()?),
            11 => u64::try_from(i64::from_le_bytes(self.array()?))
                .map_or(Setting::Other, Setting::Integer),
            12 => Setting::Number(f64::from_le_bytes(self.array()?)),
            other => return Err(Error::new(format!("a setting of the unknown type {other}"))),
        })
    }
}

impl Header {
    /// Reads a header from a file of `size` bytes.
    pub fn read(from: impl Read, size: u64) -> Result<Self> {
        let header = size.min(HEADER);
        let mut input = Input { from, left: header };
        if &input.array::<4>()? != b"GGUF" {
            return Err(Error::new("not a GGUF file"));
        }
        let version = input.u32()?;
        if !(2..=3).contains(&version) {
            return Err(Error::new(format!("GGUF version {version}; 2 and 3 are read")));
        }
        let count = input.count("tensors")?;
        let settings_count = input.count("settings")?;
        let mut settings = HashMap::new();
        let mut tensors = HashMap::new();
        for _ in 0..settings_count {
            let name = input.text()?;
            let kind = input.u32()?;
            let value = input.setting(kind).map_err(|e| e.at(format!("setting `{name}`")))?;
            settings.insert(name, value);
        }
        let mut places = Vec::new();
        for _ in 0..count {
            let name = input.text()?;
            let entry = Self::entry(&mut input).map_err(|e| e.at(format!("tensor `{name}`")))?;
            places.push((entry.offset, entry.bytes()?, name.clone()));
            tensors.insert(name, entry);
        }
        let align = match settings.get("general.alignment") {
            Some(Setting::Integer(align)) if align.is_power_of_two() && *align <= 1 << 20 => *align,
            Some(other) => {
                return Err(Error::new(format!("setting `general.alignment` is {other:?}")));
            }
            None => 32,
        };
        let data = (header - input.left).next_multiple_of(align);
        places.sort();
        for (i, (offset, bytes, name)) in places.iter().enumerate() {
            let end = data.checked_add(*offset).and_then(|start| start.checked_add(*bytes));
            if end.is_none_or(|end| end > size) {
                return Err(Error::new(format!(
                    "tensor `{name}` does not lie within the file of {size} bytes"
                )));
            }
            if let Some((_, _, next)) = places.get(i + 1).filter(|next| next.0 < offset + bytes) {
                return Err(Error::new(format!("tensors `{name}` and `{next}` overlap")));
            }
        }
        Ok(Self { settings, tensors, data })
    }

    fn entry(input: &mut Input<impl Read>) -> Result<Entry> {
        let sides = input.u32()?;
        if !(1..=2).contains(&sides) {
            return Err(Error::new(format!(
                "it has {sides} dimensions; a Llama's have one or two"
            )));
        }
        let mut shape = [1u64; 2];
        for side in shape.iter_mut().take(sides as usize) {
            *side = input.u64()?;
            if *side == 0 || *side > 1 << 24 {
                return Err(Error::new(format!("a dimension of {side} is absurd")));
            }
        }
        let encoding = Encoding::of(input.u32()?)?;
        let [width, rows] = shape.map(|side| side as usize);
        Ok(Entry { width, rows, encoding, offset: input.u64()? })
    }

    fn integer(&self, name: &str) -> Result<usize> {
        match self.settings.get(&format!("llama.{name}")) {
            Some(Setting::Integer(value)) => usize::try_from(*value)
                .map_err(|_| Error::new(format!("setting `llama.{name}` is too large"))),
            _ => Err(Error::new(format!("setting `llama.{name}` is missing"))),
        }
    }

    fn number(&self, name: &str) -> Option<f64> {
        match self.settings.get(&format!("llama.{name}")) {
            Some(Setting::Number(value)) => Some(*value),
            _ => None,
        }
    }

    /// The shape of the decoder. What would change the arithmetic and is not known here is refused
    /// by name.
    pub fn config(&self) -> Result<Config> {
        match self.settings.get("general.architecture") {
            Some(Setting::Text(name)) if name == "llama" => {}
            other => {
                return Err(Error::new(format!("architecture {other:?}; only `llama` is read")));
            }
        }
        match self.settings.get("llama.rope.scaling.type") {
            None => {}
            Some(Setting::Text(none)) if none == "none" => {}
            Some(other) => {
                return Err(Error::new(format!(
                    "setting `llama.rope.scaling.type` {other:?} is not supported"
                )));
            }
        }
        if self.tensors.contains_key("rope_freqs.weight") {
            return Err(Error::new(
                "tensor `rope_freqs.weight` (scaled rotary frequencies) is not supported",
            ));
        }
        let embedding = self.tensors.get("token_embd.weight");
        let embedding =
            embedding.ok_or_else(|| Error::new("tensor `token_embd.weight` is missing"))?;
        let heads = self.integer("attention.head_count")?;
        let config = Config {
            hidden: self.integer("embedding_length")?,
            intermediate: self.integer("feed_forward_length")?,
            vocab: embedding.rows,
            layers: self.integer("block_count")?,
            heads,
            kv_heads: self.integer("attention.head_count_kv").unwrap_or(heads),
            context: self.integer("context_length")?,
            rope_theta: self.number("rope.freq_base").unwrap_or(10_000.0) as f32,
            norm_eps: self.number("attention.layer_norm_rms_epsilon").unwrap_or(1e-5),
            tied: !self.tensors.contains_key("output.weight"),
        };
        config.check()?;
        match self.integer("rope.dimension_count") {
            Ok(dim) if dim != config.head_dim() => {
                Err(Error::new(format!("`llama.rope.dimension_count` {dim} is not supported")))
            }
            _ => Ok(config),
        }
    }
}

impl Entry {
    fn bytes(&self) -> Result<u64> {
        let (values, bytes) = self.encoding.block();
        if !self.width.is_multiple_of(values) {
            return Err(Error::new(format!(
                "rows of {} values do not divide into blocks of {values}",
                self.width
            )));
        }
        Ok((self.width / values * self.rows) as u64 * bytes as u64)
    }
}

/// The weights of a file, in the order of [`Config::tensors`].
pub fn read(path: &Path) -> Result<(Config, Vec<Matrix>)> {
    let io = |e: std::io::Error| Error::io("reading the model file", path, &e);
    let place = |e: Error| {
        e.at(path.display()).hint("the file is damaged or of another kind; fetch it again")
    };
    let mut file = BufReader::new(paths::regular(path).map_err(io)?);
    let size = file.get_ref().metadata().map_err(io)?.len();
    let header = Header::read(&mut file, size).map_err(place)?;
    let config = header.config().map_err(place)?;
    // The largest is there three times while it is read: as it is stored, as values, and with its
    // rows in order.
    let needed = |(name, shape): &(String, Vec<usize>)| {
        let values = shape.iter().map(|side| *side as u64).product();
        header.tensors.get(&theirs(name)).map_or(0, |entry| entry.encoding.memory(values))
    };
    let needed: Vec<u64> = config.tensors().iter().map(needed).collect();
    let most = needed.iter().max().copied().unwrap_or_default();
    memory::room(needed.iter().sum::<u64>() + 2 * most, "the model").map_err(place)?;
    let mut weights = Vec::new();
    for (name, shape) in config.tensors() {
        let theirs = theirs(&name);
        let missing = || place(Error::new(format!("tensor `{theirs}` is missing")));
        let entry = header.tensors.get(&theirs).ok_or_else(missing)?;
        let (rows, width) = if shape.len() == 1 { (1, shape[0]) } else { (shape[0], shape[1]) };
        if (entry.rows, entry.width) != (rows, width) {
            let found = [entry.rows, entry.width];
            return Err(place(Error::new(format!(
                "tensor `{theirs}` has shape {found:?}, expected {shape:?}"
            ))));
        }
        file.seek(SeekFrom::Start(header.data + entry.offset)).map_err(io)?;
        let mut raw = vec![0; entry.bytes().map_err(place)? as usize];
        file.read_exact(&mut raw).map_err(io)?;
        let order = match name.as_str() {
            _ if name.ends_with("q_proj.weight") => Some(config.heads),
            _ if name.ends_with("k_proj.weight") => Some(config.kv_heads),
            _ => None,
        };
        let matrix = entry
            .encoding
            .decode(&raw, width)
            .map_err(|e| place(e.at(format!("tensor `{theirs}`"))))?;
        weights.push(match order {
            Some(heads) => halves(&matrix, heads),
            None => matrix,
        });
    }
    Ok((config, weights))
}

/// GGUF's name for a tensor of Hugging Face's.
fn theirs(name: &str) -> String {
    const NAMES: [(&str, &str); 13] = [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
        ("model.layers.", "blk."),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ];
    NAMES.iter().fold(name.to_string(), |name, (ours, theirs)| name.replace(ours, theirs))
}

/// Rows whose rotary pairs are interleaved, in Hugging Face's order: first halves of all pairs,
/// then second halves.
fn halves(matrix: &Matrix, heads: usize) -> Matrix {
    let dim = matrix.rows() / heads;
    let order = (0..matrix.rows())
        .map(|row| row / dim * dim + (row % dim % (dim / 2)) * 2 + row % dim / (dim / 2));
    let rows = |data: usize| data / matrix.rows();
    match matrix {
        Matrix::Full { data, width } => {
            let data = order
                .flat_map(|row| data[row * width..(row + 1) * width].iter().copied())
                .collect();
            Matrix::Full { data, width: *width }
        }
        Matrix::Quantized(grouped) => {
            let order: Vec<usize> = order.collect();
            let permuted = |values: &[f32]| -> Vec<f32> {
                let width = rows(values.len());
                order
                    .iter()
                    .flat_map(|row| values[row * width..(row + 1) * width].iter().copied())
                    .collect()
            };
            let width = grouped.width;
            let codes = order
                .iter()
                .flat_map(|row| grouped.codes[row * width..(row + 1) * width].iter().copied())
                .collect();
            let scales = permuted(&grouped.scales);
            let offsets = permuted(&grouped.offsets);
            Matrix::Quantized(Quantized { codes, scales, offsets, group: grouped.group, width })
        }
    }
}

#[cfg(test)]
#[path = "gguf_tests.rs"]
mod tests;
