//! Weights at inference: whole, or as 8-bit codes in groups, and their products with few rows or
//! with many.
//!
//! Every quantised encoding becomes the same codes when it is read: one kernel serves them all,
//! inputs stay f32 (so a score does not depend on what else is computed with it), at one byte and a
//! quarter a weight whatever the encoding.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::reborrow::ReborrowMut;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::kernels::{MAX_ROWS, QuantView, skinny_f32, skinny_q8, skinny_q8_fast};

/// Multiplications that are worth another thread.
const WORTH: usize = 200_000;

/// Rows of codes that are turned into numbers at once.
const BLOCK: usize = 64;

/// How exact products with codes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// To rounding, whatever is computed at the same time: for scores.
    Exact,
    /// Inputs may be rounded to 16 bits: for writing text.
    Fast,
}

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

/// A weight in codes; see [`QuantView`].
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

impl Quantized {
    fn of(&self, rows: Range<usize>) -> QuantView<'_> {
        let codes = rows.start * self.width..rows.end * self.width;
        let groups = self.width / self.group;
        let groups = rows.start * groups..rows.end * groups;
        let offsets = if self.offsets.is_empty() { &[] } else { &self.offsets[groups.clone()] };
        QuantView {
            codes: &self.codes[codes],
            scales: &self.scales[groups],
            offsets,
            group: self.group,
        }
    }
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

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Full { data, .. } => 4 * data.len(),
            Self::Quantized(grouped) => {
                grouped.codes.len() + 4 * (grouped.scales.len() + grouped.offsets.len())
            }
        }
    }

    /// Some rows as numbers, appended to `out`.
    pub fn numbers(&self, rows: Range<usize>, out: &mut Vec<f32>) {
        match self {
            Self::Full { data, width } => {
                out.extend_from_slice(&data[rows.start * width..rows.end * width]);
            }
            Self::Quantized(grouped) => {
                let QuantView { codes, scales, offsets, group } = grouped.of(rows);
                for (i, codes) in codes.chunks_exact(group).enumerate() {
                    let scale = scales[i];
                    let offset = offsets.get(i).copied().unwrap_or_default();
                    out.extend(codes.iter().map(|code| scale * f32::from(*code) + offset));
                }
            }
        }
    }

    /// The product of at most [`MAX_ROWS`] rows with some rows of this, `[rows, m]`.
    fn few(&self, x: &[f32], rows: Range<usize>, precision: Precision) -> Vec<f32> {
        match (self, precision) {
            (Self::Full { data, width }, _) => {
                skinny_f32(&data[rows.start * width..rows.end * width], x, *width)
            }
            (Self::Quantized(grouped), Precision::Exact) => {
                skinny_q8(grouped.of(rows), x, grouped.width)
            }
            (Self::Quantized(grouped), Precision::Fast) => {
                skinny_q8_fast(grouped.of(rows), x, grouped.width)
            }
        }
    }

    /// The product of many rows with some rows of this, into `out`, `[m, rows]`.
    fn many(&self, mut out: MatMut<'_, f32>, x: MatRef<'_, f32>, rows: Range<usize>) {
        let mut into = |columns: Range<usize>, numbers: &[f32]| {
            let weight = MatRef::from_row_major_slice(numbers, columns.len(), self.width());
            let out = out.rb_mut().subcols_mut(columns.start, columns.len());
            matmul(out, Accum::Replace, x, weight.transpose(), 1.0, Par::Seq);
        };
        match self {
            Self::Full { data, width } => {
                into(0..rows.len(), &data[rows.start * width..rows.end * width]);
            }
            Self::Quantized(_) => {
                let mut numbers = Vec::with_capacity(BLOCK * self.width());
                for first in rows.clone().step_by(BLOCK) {
                    let block = first..(first + BLOCK).min(rows.end);
                    numbers.clear();
                    self.numbers(block.clone(), &mut numbers);
                    into(block.start - rows.start..block.end - rows.start, &numbers);
                }
            }
        }
    }

    /// `x[m, width] · selfᵀ`, `[m, rows]`.
    pub fn times(&self, x: &[f32], precision: Precision) -> Vec<f32> {
        let [out] = products([self], x, precision);
        out
    }
}

/// `x · matrixᵀ` for each of some matrices of one width, `[m, rows]` each, on the threads of the
/// current pool.
pub fn products<const N: usize>(
    matrices: [&Matrix; N],
    x: &[f32],
    precision: Precision,
) -> [Vec<f32>; N] {
    let width = matrices[0].width();
    let rows = matrices.map(Matrix::rows);
    let m = x.len() / width;
    let pieces =
        (rows.iter().sum::<usize>() * x.len() / WORTH).clamp(1, rayon::current_num_threads());
    let cuts = |i: usize| {
        let all = rows[i];
        let step = rows[i].div_ceil(pieces).next_multiple_of(8);
        (0..all).step_by(step).map(move |at| at..(at + step).min(all))
    };
    let mut out = rows.map(|rows| vec![0.0; m * rows]);
    if m == 0 {
        return out;
    }
    if m <= MAX_ROWS {
        // Bound by reading the weights: each part gives its sums a row of weights at a time.
        let tasks: Vec<(usize, Range<usize>)> =
            (0..N).flat_map(|i| cuts(i).map(move |part| (i, part))).collect();
        let done = all(tasks.clone(), pieces, |(i, part)| matrices[i].few(x, part, precision));
        for ((i, part), sums) in tasks.into_iter().zip(done) {
            for (n, sums) in part.zip(sums.chunks_exact(m)) {
                sums.iter().enumerate().for_each(|(m, sum)| out[i][m * rows[i] + n] = *sum);
            }
        }
        return out;
    }
    let x = MatRef::from_row_major_slice(x, m, width);
    let mut tasks = Vec::new();
    for (i, out) in out.iter_mut().enumerate() {
        let mut rest = MatMut::from_row_major_slice_mut(out, m, rows[i]);
        for part in cuts(i) {
            let (own, after) = rest.split_at_col_mut(part.len());
            tasks.push((matrices[i], own, part));
            rest = after;
        }
    }
    all(tasks, pieces, |(matrix, out, part)| matrix.many(out, x, part));
    out
}

/// Some tasks, on the pool's threads if they are worth more than one.
fn all<T: Send, R: Send>(
    tasks: Vec<T>,
    pieces: usize,
    one: impl Fn(T) -> R + Send + Sync,
) -> Vec<R> {
    if pieces == 1 {
        tasks.into_iter().map(one).collect()
    } else {
        tasks.into_par_iter().with_max_len(1).map(one).collect()
    }
}

#[cfg(test)]
#[path = "matrix_tests.rs"]
mod tests;
