//! Products of few rows with a weight: reading the weight once is all that they cost, so each of its values meets every
//! row while it is in a register.
//!
//! A row's sums do not depend on how many other rows there are.

use pulp::{Arch, Simd, WithSimd};

/// Rows that one pass over a weight serves.
pub const FEW: usize = 8;

/// Numbers in the largest group of [`Codes`].
pub const GROUP: usize = 32;

/// Rows of a weight as 8-bit codes in groups: a value is `scale · code + offset`.
#[derive(Debug, Clone, Copy)]
pub struct Codes<'a> {
    /// The codes, row after row.
    pub codes: &'a [i8],
    /// One a group.
    pub scales: &'a [f32],
    /// One a group, or empty when all are zero.
    pub offsets: &'a [f32],
    /// Values in a group: 16 or 32; divides a row.
    pub group: usize,
}

/// `x[m, width] · weightᵀ` for at most [`FEW`] rows, as `[rows of the weight, m]`.
pub fn few_full(weight: &[f32], x: &[f32], width: usize) -> Vec<f32> {
    Arch::new().dispatch(Few { x, width, weight: Full(weight) })
}

/// The same for a weight in codes.
pub fn few_codes(weight: Codes<'_>, x: &[f32], width: usize) -> Vec<f32> {
    Arch::new().dispatch(Few { x, width, weight: Coded(weight) })
}

struct Few<'a, W> {
    x: &'a [f32],
    width: usize,
    weight: W,
}

struct Full<'a>(&'a [f32]);
struct Coded<'a>(Codes<'a>);

trait Weight {
    /// The product with exactly `M` rows.
    fn times<S: Simd, const M: usize>(&self, simd: S, x: &[f32], width: usize) -> Vec<f32>;
}

impl<W: Weight> WithSimd for Few<'_, W> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self { x, width, weight } = self;
        match x.len() / width {
            1 => weight.times::<S, 1>(simd, x, width),
            2 => weight.times::<S, 2>(simd, x, width),
            3 => weight.times::<S, 3>(simd, x, width),
            4 => weight.times::<S, 4>(simd, x, width),
            5 => weight.times::<S, 5>(simd, x, width),
            6 => weight.times::<S, 6>(simd, x, width),
            7 => weight.times::<S, 7>(simd, x, width),
            _ => weight.times::<S, FEW>(simd, x, width),
        }
    }
}

/// Two vectors of sums for each row, so that one product need not wait for the one before.
type Sums<S, const M: usize> = [[<S as Simd>::f32s; 2]; M];

impl Weight for Full<'_> {
    #[inline(always)]
    fn times<S: Simd, const M: usize>(&self, simd: S, x: &[f32], width: usize) -> Vec<f32> {
        let rows: [&[f32]; M] = std::array::from_fn(|m| &x[m * width..(m + 1) * width]);
        let split = rows.map(|row| {
            let (vectors, tail) = S::as_simd_f32s(row);
            (vectors.as_chunks::<2>(), tail)
        });
        let mut out = Vec::with_capacity(self.0.len() / width * M);
        for weight in self.0.chunks_exact(width) {
            let (vectors, tail) = S::as_simd_f32s(weight);
            let (pairs, odd) = vectors.as_chunks::<2>();
            let mut sums: Sums<S, M> = [[simd.splat_f32s(0.0); 2]; M];
            for (i, [a, b]) in pairs.iter().enumerate() {
                for m in 0..M {
                    let [x0, x1] = split[m].0.0[i];
                    sums[m][0] = simd.mul_add_f32s(*a, x0, sums[m][0]);
                    sums[m][1] = simd.mul_add_f32s(*b, x1, sums[m][1]);
                }
            }
            for m in 0..M {
                for (a, x) in odd.iter().zip(split[m].0.1) {
                    sums[m][0] = simd.mul_add_f32s(*a, *x, sums[m][0]);
                }
                let rest: f32 = tail.iter().zip(split[m].1).map(|(w, x)| w * x).sum();
                out.push(simd.reduce_sum_f32s(simd.add_f32s(sums[m][0], sums[m][1])) + rest);
            }
        }
        out
    }
}

impl Weight for Coded<'_> {
    #[inline(always)]
    fn times<S: Simd, const M: usize>(&self, simd: S, x: &[f32], width: usize) -> Vec<f32> {
        let Codes { codes, scales, offsets, group } = self.0;
        let groups = width / group;
        let rows: [&[f32]; M] = std::array::from_fn(|m| &x[m * width..(m + 1) * width]);
        // What an offset is multiplied with: the sum of a group's inputs.
        let totals: Vec<f32> = if offsets.is_empty() {
            Vec::new()
        } else {
            rows.iter().flat_map(|row| row.chunks_exact(group).map(|group| group.iter().sum::<f32>())).collect()
        };
        let mut out = Vec::with_capacity(codes.len() / width * M);
        for (row, codes) in codes.chunks_exact(width).enumerate() {
            let mut sums = [simd.splat_f32s(0.0); M];
            let mut shift = [0.0f32; M];
            for (g, codes) in codes.chunks_exact(group).enumerate() {
                let mut values = [0.0f32; GROUP];
                for (value, code) in values.iter_mut().zip(codes) {
                    *value = f32::from(*code);
                }
                let (values, _) = S::as_simd_f32s(&values[..group]);
                let scale = simd.splat_f32s(scales[row * groups + g]);
                for m in 0..M {
                    let (x, _) = S::as_simd_f32s(&rows[m][g * group..(g + 1) * group]);
                    let mut sum = simd.splat_f32s(0.0);
                    for (value, x) in values.iter().zip(x) {
                        sum = simd.mul_add_f32s(*value, *x, sum);
                    }
                    sums[m] = simd.mul_add_f32s(scale, sum, sums[m]);
                }
                if let Some(offset) = offsets.get(row * groups + g) {
                    for m in 0..M {
                        shift[m] += offset * totals[m * groups + g];
                    }
                }
            }
            for m in 0..M {
                out.push(simd.reduce_sum_f32s(sums[m]) + shift[m]);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn few_rows_are_what_the_plain_sums_are_whatever_stands_beside_them() {
        let mut rng = Rng::new(1);
        let mut draw = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.unit() as f32 - 0.5).collect() };
        for (rows, width, group) in [(5, 96, 32), (3, 64, 16), (2, 32, 32)] {
            let (weight, x) = (draw(rows * width), draw(FEW * width));
            let codes: Vec<i8> = weight.iter().map(|w| (w * 250.0) as i8).collect();
            let (scales, offsets) = (draw(rows * width / group), draw(rows * width / group));
            let coded = Codes { codes: &codes, scales: &scales, offsets: &offsets, group };
            let value = |i: usize| scales[i / group] * f32::from(codes[i]) + offsets[i / group];
            for m in 1..=FEW {
                let x = &x[..m * width];
                let (full, quantised) = (few_full(&weight, x, width), few_codes(coded, x, width));
                for (i, (a, b)) in full.iter().zip(&quantised).enumerate() {
                    let (n, m) = (i / m, i % m);
                    let row = |i: usize| x[m * width + i];
                    let want: f32 = (0..width).map(|i| weight[n * width + i] * row(i)).sum();
                    let coded: f32 = (0..width).map(|i| value(n * width + i) * row(i)).sum();
                    assert!((a - want).abs() < 1e-5 && (b - coded).abs() < 1e-3, "{a} {want} {b} {coded}");
                }
                let alone = few_full(&weight, &x[(m - 1) * width..], width);
                assert_eq!(alone, full.iter().skip(m - 1).step_by(m).copied().collect::<Vec<_>>());
            }
        }
    }
}
