//! The block encodings of GGUF, each turned into the same 8-bit codes in groups: a value is `scale
//! · code + offset`.

use half::{bf16, f16};

use super::matrix::{Matrix, Quantized};
use crate::error::{Error, Result};

/// How a tensor is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the format's own names")]
pub enum Encoding {
    F32,
    F16,
    BF16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

/// A matrix in codes as it is filled, block by block.
struct Filling {
    codes: Vec<i8>,
    scales: Vec<f32>,
    offsets: Vec<f32>,
}

impl Encoding {
    /// The encoding of GGUF's number.
    pub fn of(number: u32) -> Result<Self> {
        Ok(match number {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            30 => Self::BF16,
            other => {
                let hint =
                    "F32, F16, BF16, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K and Q8_0 are read";
                return Err(Error::new(format!("encoding {other} is not known")).hint(hint));
            }
        })
    }

    /// Bytes that so many values take in memory, about: numbers, or codes with a scale and an
    /// offset for every 16.
    pub fn memory(self, values: u64) -> u64 {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 4 * values,
            _ => values + values / 2,
        }
    }

    /// Values of a block, and its bytes.
    pub fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::BF16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q4K => (256, 144),
            Self::Q5K => (256, 176),
            Self::Q6K => (256, 210),
        }
    }

    /// Values of a group with a scale of its own.
    fn group(self) -> usize {
        if self == Self::Q6K { 16 } else { 32 }
    }

    /// The matrix that whole blocks of rows of `width` values stand for; values that are not finite
    /// are refused.
    pub fn decode(self, raw: &[u8], width: usize) -> Result<Matrix> {
        let poisoned = || Error::new("holds values that are not finite numbers");
        let full = |data: Vec<f32>| {
            let finite = data.iter().all(|value| value.is_finite());
            if finite { Ok(Matrix::Full { data, width }) } else { Err(poisoned()) }
        };
        match self {
            Self::F32 => {
                return full(
                    raw.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
                );
            }
            Self::F16 => {
                return full(
                    raw.as_chunks::<2>()
                        .0
                        .iter()
                        .map(|b| f16::from_le_bytes(*b).to_f32())
                        .collect(),
                );
            }
            Self::BF16 => {
                return full(
                    raw.as_chunks::<2>()
                        .0
                        .iter()
                        .map(|b| bf16::from_le_bytes(*b).to_f32())
                        .collect(),
                );
            }
            _ => {}
        }
        let (values, bytes) = self.block();
        let count = raw.len() / bytes * values;
        let mut to =
            Filling { codes: Vec::with_capacity(count), scales: Vec::new(), offsets: Vec::new() };
        for block in raw.chunks_exact(bytes) {
            self.fill(block, &mut to);
        }
        let Filling { codes, scales, offsets } = to;
        if !scales.iter().chain(&offsets).all(|value| value.is_finite()) {
            return Err(poisoned());
        }
        Ok(Matrix::Quantized(Quantized { codes, scales, offsets, group: self.group(), width }))
    }

    fn fill(self, block: &[u8], to: &mut Filling) {
        let half = |at: usize| f16::from_le_bytes([block[at], block[at + 1]]).to_f32();
        match self {
            Self::Q4_0 => {
                to.scales.push(half(0));
                to.nibbles(&block[2..], |_, q| q as i8 - 8);
            }
            Self::Q4_1 => {
                to.scales.push(half(0));
                to.offsets.push(half(2));
                to.nibbles(&block[4..], |_, q| q as i8);
            }
            Self::Q5_0 | Self::Q5_1 => {
                to.scales.push(half(0));
                let (at, less) = if self == Self::Q5_0 { (2, 16) } else { (4, 0) };
                if self == Self::Q5_1 {
                    to.offsets.push(half(2));
                }
                let high =
                    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
                to.nibbles(&block[at + 4..], |i, q| {
                    (q | ((high >> i & 1) << 4) as u8) as i8 - less
                });
            }
            Self::Q4K | Self::Q5K => {
                let (high, low) = if self == Self::Q4K {
                    (&[][..], &block[16..])
                } else {
                    (&block[16..48], &block[48..])
                };
                for sub in 0..8 {
                    let (scale, least) = six_bits(&block[4..16], sub);
                    to.scales.push(half(0) * f32::from(scale));
                    to.offsets.push(-half(2) * f32::from(least));
                    let nibbles = &low[sub / 2 * 32..][..32];
                    to.codes.extend(nibbles.iter().enumerate().map(|(i, byte)| {
                        let nibble = if sub % 2 == 0 { byte & 15 } else { byte >> 4 };
                        let fifth = high.get(i).map_or(0, |bits| bits >> sub & 1);
                        (nibble | fifth << 4) as i8
                    }));
                }
            }
            Self::Q6K => {
                let low = &block[..128];
                let high = &block[128..192];
                let scales = &block[192..208];
                to.scales.extend(scales.iter().map(|scale| half(208) * f32::from(*scale as i8)));
                for i in 0..256 {
                    let part = i / 128;
                    let quarter = i % 128 / 32;
                    let l = i % 32;
                    let byte = low[64 * part + 32 * (quarter % 2) + l];
                    let nibble = if quarter < 2 { byte & 15 } else { byte >> 4 };
                    let two = high[32 * part + l] >> (2 * quarter) & 3;
                    to.codes.push((nibble | two << 4) as i8 - 32);
                }
            }
            _ => to.codes.extend(block[2..].iter().map(|byte| *byte as i8)),
        }
        if self == Self::Q8_0 {
            to.scales.push(half(0));
        }
    }
}

impl Filling {
    /// 16 bytes: the low nibbles are the first 16 values, the high ones the others.
    fn nibbles(&mut self, bytes: &[u8], code: impl Fn(usize, u8) -> i8) {
        let low = bytes.iter().enumerate().map(|(i, byte)| (i, byte & 15));
        let high = bytes.iter().enumerate().map(|(i, byte)| (i + 16, byte >> 4));
        self.codes.extend(low.chain(high).map(|(i, q)| code(i, q)));
    }
}

/// The scale and the minimum of a sub-block among the twelve bytes that hold eight of each in six
/// bits.
fn six_bits(packed: &[u8], sub: usize) -> (u8, u8) {
    if sub < 4 {
        return (packed[sub] & 63, packed[sub + 4] & 63);
    }
    let low = packed[sub + 4];
    let high = |at: usize| packed[at] >> 6 << 4;
    (low & 15 | high(sub - 4), low >> 4 | high(sub))
}

#[cfg(test)]
#[path = "encodings_tests.rs"]
mod tests;
