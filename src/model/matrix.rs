//! Weights at inference: whole, or as 8-bit codes in groups, and their products with few rows or with many.
//!
//! Every quantised encoding becomes the same codes when it is read: one kernel serves them all, inputs stay f32 (so a
//! score does not depend on what else is computed with it), at one byte and a quarter a weight whatever the encoding.

use std::ops::Range;

use rayon::prelude::*;

use super::kernels::{Codes, FEW, few_codes, few_full, mul_nt};

/// Products smaller than this many multiplications are not worth waking other threads for.
const ALONE: usize = 60_000;

/// Rows of codes that are turned into numbers at once.
const BLOCK: usize = 64;

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
    Grouped(Grouped),
}

/// A weight in codes; see [`Codes`].
#[derive(Debug, Clone)]
pub struct Grouped {
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

impl Grouped {
    fn of(&self, rows: Range<usize>) -> Codes<'_> {
        let (codes, groups) = (rows.start * self.width..rows.end * self.width, self.width / self.group);
        let groups = rows.start * groups..rows.end * groups;
        let offsets = if self.offsets.is_empty() { &[] } else { &self.offsets[groups.clone()] };
        Codes { codes: &self.codes[codes], scales: &self.scales[groups], offsets, group: self.group }
    }
}

impl Matrix {
    /// Values in a row.
    pub fn width(&self) -> usize {
        match self {
            Self::Full { width, .. } => *width,
            Self::Grouped(grouped) => grouped.width,
        }
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::Full { data, width } => data.len() / width,
            Self::Grouped(grouped) => grouped.codes.len() / grouped.width,
        }
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Full { data, .. } => 4 * data.len(),
            Self::Grouped(grouped) => grouped.codes.len() + 4 * (grouped.scales.len() + grouped.offsets.len()),
        }
    }

    /// Some rows as numbers, appended to `out`.
    pub fn numbers(&self, rows: Range<usize>, out: &mut Vec<f32>) {
        match self {
            Self::Full { data, width } => out.extend_from_slice(&data[rows.start * width..rows.end * width]),
            Self::Grouped(grouped) => {
                let Codes { codes, scales, offsets, group } = grouped.of(rows);
                for (i, codes) in codes.chunks_exact(group).enumerate() {
                    let (scale, offset) = (scales[i], offsets.get(i).copied().unwrap_or_default());
                    out.extend(codes.iter().map(|code| scale * f32::from(*code) + offset));
                }
            }
        }
    }

    /// `x[m, width] · rowsᵀ` as `[m, rows]`.
    fn part(&self, x: &[f32], rows: Range<usize>) -> Vec<f32> {
        let (width, count) = (self.width(), rows.len());
        let m = x.len() / width;
        let mut out = vec![0.0; m * count];
        if m <= FEW {
            let sums = match self {
                Self::Full { data, .. } => few_full(&data[rows.start * width..rows.end * width], x, width),
                Self::Grouped(grouped) => few_codes(grouped.of(rows), x, width),
            };
            if m == 1 {
                return sums;
            }
            for (n, row) in sums.chunks_exact(m).enumerate() {
                row.iter().enumerate().for_each(|(m, sum)| out[m * count + n] = *sum);
            }
            return out;
        }
        match self {
            Self::Full { data, .. } => mul_nt(&mut out, x, &data[rows.start * width..rows.end * width], width, false),
            Self::Grouped(_) => {
                let mut numbers = Vec::with_capacity(BLOCK * width);
                for first in rows.clone().step_by(BLOCK) {
                    let block = first..(first + BLOCK).min(rows.end);
                    numbers.clear();
                    self.numbers(block.clone(), &mut numbers);
                    let mut some = vec![0.0; m * block.len()];
                    mul_nt(&mut some, x, &numbers, width, false);
                    copy(&mut out, count, first - rows.start, &some, block.len());
                }
            }
        }
        out
    }

    /// `x[m, width] · selfᵀ`, `[m, rows]`.
    pub fn times(&self, x: &[f32]) -> Vec<f32> {
        let [out] = products([self], x);
        out
    }
}

/// Writes `[m, width]` into the columns of `out` (rows `stride` wide) from `at` on.
fn copy(out: &mut [f32], stride: usize, at: usize, from: &[f32], width: usize) {
    for (out, from) in out.chunks_exact_mut(stride).zip(from.chunks_exact(width)) {
        out[at..at + width].copy_from_slice(from);
    }
}

/// `x · matrixᵀ` for each of some matrices, `[m, rows]` each, on the threads of the current pool.
pub fn products<const N: usize>(matrices: [&Matrix; N], x: &[f32]) -> [Vec<f32>; N] {
    let work: usize = matrices.iter().map(|matrix| matrix.rows()).sum::<usize>() * x.len();
    let threads = rayon::current_num_threads();
    if work < ALONE || threads == 1 {
        return matrices.map(|matrix| matrix.part(x, 0..matrix.rows()));
    }
    let tasks: Vec<(usize, Range<usize>)> = matrices
        .iter()
        .enumerate()
        .flat_map(|(i, matrix)| {
            let (rows, step) = (matrix.rows(), matrix.rows().div_ceil(threads).next_multiple_of(16));
            (0..rows).step_by(step).map(move |first| (i, first..(first + step).min(rows)))
        })
        .collect();
    let done: Vec<Vec<f32>> =
        tasks.par_iter().with_max_len(1).map(|(i, rows)| matrices[*i].part(x, rows.clone())).collect();
    let mut out = matrices.map(|matrix| vec![0.0; x.len() / matrix.width() * matrix.rows()]);
    for ((i, rows), part) in tasks.iter().zip(done) {
        copy(&mut out[*i], matrices[*i].rows(), rows.start, &part, rows.len());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn few_and_many_rows_give_the_same_products_in_both_forms() {
        let mut rng = Rng::new(2);
        let mut draw = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.unit() as f32 - 0.5).collect() };
        let (rows, width) = (200, 64);
        let full = Matrix::Full { data: draw(rows * width), width };
        let codes: Vec<i8> = draw(rows * width).iter().map(|w| (w * 250.0) as i8).collect();
        let (scales, offsets) = (draw(rows * width / 32), draw(rows * width / 32));
        let grouped = Matrix::Grouped(Grouped { codes, scales, offsets, group: 32, width });
        let x = draw(40 * width);
        for matrix in [&full, &grouped] {
            assert_eq!((matrix.rows(), matrix.width()), (rows, width));
            let many = matrix.times(&x);
            let mut numbers = Vec::new();
            matrix.numbers(0..rows, &mut numbers);
            for m in 0..40 {
                let alone = matrix.times(&x[m * width..(m + 1) * width]);
                for n in 0..rows {
                    let want: f32 = (0..width).map(|i| x[m * width + i] * numbers[n * width + i]).sum();
                    let got = (alone[n], many[m * rows + n]);
                    assert!((got.0 - want).abs() < 1e-4 && (got.1 - want).abs() < 1e-4, "{got:?} {want}");
                }
            }
        }
    }
}
