//! Weights as they are read: whole, or as 8-bit codes in groups. Every quantised encoding becomes
//! the same codes; what is computed with them is laid out anew ([`super::packed`]).

use std::ops::Range;

/// A weight of `rows × width`.
#[derive(Debug, Clone)]
pub enum Matrix {
    /// f32, row after row.
    Full {
        /// The values.
        data: Vec<f32>,
        /// Values in a row.
        width: usize,
    },
    /// 8-bit codes in groups: a value is `scale · code + offset`.
    Quantized(Quantized),
}

/// A weight in codes.
#[derive(Debug, Clone)]
pub struct Quantized {
    /// The codes, row after row.
    pub codes: Vec<i8>,
    /// One a group.
    pub scales: Vec<f32>,
    /// One a group, or empty when all are zero.
    pub offsets: Vec<f32>,
    /// Values in a group.
    pub group: usize,
    /// Values in a row.
    pub width: usize,
}

impl Matrix {
    /// Values in a row.
    pub fn width(&self) -> usize {
        match self {
            Self::Full { width, .. } => *width,
            Self::Quantized(grouped) => grouped.width,
        }
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::Full { data, width } => data.len() / width,
            Self::Quantized(grouped) => grouped.codes.len() / grouped.width,
        }
    }

    /// Some rows as numbers, appended to `out`.
    pub fn numbers(&self, rows: Range<usize>, out: &mut Vec<f32>) {
        match self {
            Self::Full { data, width } => {
                out.extend_from_slice(&data[rows.start * width..rows.end * width]);
            }
            Self::Quantized(Quantized { codes, scales, offsets, group, width }) => {
                let codes = codes[rows.start * width..rows.end * width].chunks_exact(*group);
                let first = rows.start * width / group;
                for (i, codes) in codes.enumerate().map(|(i, codes)| (first + i, codes)) {
                    let scale = scales[i];
                    let offset = offsets.get(i).copied().unwrap_or_default();
                    out.extend(codes.iter().map(|code| scale * f32::from(*code) + offset));
                }
            }
        }
    }
}
