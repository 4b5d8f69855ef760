//! GGUF (versions 2 and 3), for inference: the families of [`super::config::Family`].
//!
//! Every quantised encoding becomes the codes of [`Quantized`]; where a family's files have rotary
//! pairs interleaved, rows of q and k go back to the two halves of Hugging Face. What the file says
//! and is not understood is refused by name.

mod header;
mod parts;
mod shape;
mod vocabulary;

use std::path::Path;

use super::config::Config;
use super::matrix::{Matrix, Quantized};
use super::memory;
use crate::error::{Error, Result};
pub use header::Header;
use parts::Parts;
pub use vocabulary::Vocabulary;

/// The weights of a file, or of all its parts, in the order of [`Config::tensors`].
pub fn read(path: &Path) -> Result<(Config, Vec<Matrix>)> {
    let place = |e: Error| {
        e.at(path.display()).hint("the file is damaged or of another kind; fetch it again")
    };
    let parts = Parts::open(path)?;
    let config = shape::config(&parts).map_err(place)?;
    let names: Vec<(String, Vec<usize>)> = config
        .tensors()
        .into_iter()
        .map(|(name, shape)| (shape::theirs(&config, &name), shape))
        .collect();
    parts.check_all_known(&names).map_err(place)?;
    // The largest is there three times while it is read: as it is stored, as values, and with its
    // rows in order.
    let needed = |(name, shape): &(String, Vec<usize>)| {
        let values = shape.iter().map(|side| *side as u64).product();
        parts.entry(name).map_or(0, |entry| entry.encoding.memory(values))
    };
    let needed: Vec<u64> = names.iter().map(needed).collect();
    let most = needed.iter().max().copied().unwrap_or_default();
    memory::room(needed.iter().sum::<u64>() + 2 * most, "the model").map_err(place)?;
    let mut weights = Vec::new();
    for (theirs, shape) in &names {
        let matrix = parts.tensor(theirs, shape)?;
        weights.push(match shape::interleaved(&config, theirs) {
            Some(heads) => halves(matrix, heads),
            None => matrix,
        });
    }
    Ok((config, weights))
}

impl Header {
    /// The shape that it describes.
    pub fn config(self) -> Result<Config> {
        shape::config(&Parts::of(self))
    }
}

/// The tokenizer that a file describes in its settings.
pub fn vocabulary(path: &Path) -> Result<Vocabulary> {
    let parts = Parts::open(path)?;
    let read = Vocabulary::read(parts.settings());
    read.map_err(|error| error.at(path.display()))
}

/// Rows whose rotary pairs are interleaved, in Hugging Face's order: first halves of all pairs,
/// then second halves.
fn halves(matrix: Matrix, heads: usize) -> Matrix {
    // A bias is a row of its own: its values are what the rows of its weight give.
    if let Matrix::Full { width, data } = &matrix
        && data.len() == *width
    {
        let column = Matrix::Full { width: 1, data: data.clone() };
        let Matrix::Full { data, .. } = in_halves(&column, heads) else { return matrix };
        return Matrix::Full { width: *width, data };
    }
    in_halves(&matrix, heads)
}

fn in_halves(matrix: &Matrix, heads: usize) -> Matrix {
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
mod tests;
