//! The header of a GGUF file: settings, and where tensors lie. Every length is checked against what
//! is left of the file before anything is allocated.

use std::collections::HashMap;
use std::io::Read;

use crate::error::{Error, Result};
use crate::model::encodings::Encoding;

/// At most so many tensors, settings, and items of a list in a header.
const MANY: u64 = 1 << 22;

/// A longer header is refused before it is read: those of the largest vocabularies have some 20 MB.
const HEADER: u64 = 256 << 20;

/// A setting of the header.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Setting {
    Integer(u64),
    Number(f64),
    Text(String),
    /// A list whose items are needed ([`LISTS`]).
    List(Vec<Self>),
    /// What no setting that is known has: a negative number, or a list of so many items.
    Other(u64),
}

/// Lists that are kept: those of the tokenizer. Others are skipped, so that a header of some
/// megabytes cannot become gigabytes.
const LISTS: [&str; 4] = [
    "tokenizer.ggml.tokens",
    "tokenizer.ggml.merges",
    "tokenizer.ggml.scores",
    "tokenizer.ggml.token_type",
];

/// A tensor as the header describes it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Values a row.
    pub width: usize,
    /// Rows; 1 of a vector.
    pub rows: usize,
    /// How it is stored.
    pub encoding: Encoding,
    /// Where it begins among the data.
    pub offset: u64,
}

/// The header of a file.
#[derive(Debug)]
pub struct Header {
    pub(super) settings: HashMap<String, Setting>,
    pub(super) tensors: HashMap<String, Entry>,
    /// Where tensors begin.
    pub(super) data: u64,
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

    fn setting(&mut self, kind: u32, keep: bool) -> Result<Setting> {
        Ok(match kind {
            0 | 7 => Setting::Integer(u64::from(self.array::<1>()?[0])),
            1 => {
                self.bytes(1)?;
                Setting::Other(0)
            }
            2 => Setting::Integer(u64::from(u16::from_le_bytes(self.array()?))),
            3 => {
                self.bytes(2)?;
                Setting::Other(0)
            }
            4 => Setting::Integer(u64::from(self.u32()?)),
            5 => u64::try_from(i32::from_le_bytes(self.array()?))
                .map_or(Setting::Other(0), Setting::Integer),
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
                let mut items = Vec::new();
                for _ in 0..count {
                    let item = self.setting(kind, false)?;
                    if keep {
                        items.push(item);
                    }
                }
                if keep { Setting::List(items) } else { Setting::Other(count) }
            }
            10 => Setting::Integer(self.u64()?),
            11 => u64::try_from(i64::from_le_bytes(self.array()?))
                .map_or(Setting::Other(0), Setting::Integer),
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
        if (2..=3).contains(&version.swap_bytes()) {
            return Err(Error::new("a big-endian GGUF file").hint(
                "turn it round with gguf_convert_endian.py of llama.cpp (pip install gguf; \
                 gguf-convert-endian FILE little)",
            ));
        }
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
            let keep = LISTS.contains(&name.as_str());
            let value = input.setting(kind, keep).map_err(|e| e.at(format!("setting `{name}`")))?;
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

    /// A setting that is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.settings.get(name) {
            Some(Setting::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A setting that is a whole number.
    pub(super) fn integer(&self, name: &str) -> Option<u64> {
        match self.settings.get(name) {
            Some(Setting::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    fn entry(input: &mut Input<impl Read>) -> Result<Entry> {
        let sides = input.u32()?;
        if !(1..=2).contains(&sides) {
            return Err(Error::new(format!(
                "it has {sides} dimensions; those that are read have one or two"
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
}

impl Entry {
    /// Bytes in the file.
    pub fn bytes(&self) -> Result<u64> {
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
