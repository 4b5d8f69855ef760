//! Products of few rows with a weight: reading the weight once is all that they cost, so each of
//! its values meets every row while it is in a register.
//!
//! A row's sums do not depend on how many other rows there are.

use pulp::{Simd, WithSimd};

use super::forms::arch;

#[cfg(target_arch = "x86_64")]
mod codes;

/// Rows that one pass over a weight serves.
pub const MAX_ROWS: usize = 8;

/// Numbers in the largest group of [`QuantView`].
pub const GROUP: usize = 32;

/// Rows of a weight as 8-bit codes in groups: a value is `scale · code + offset`.
#[derive(Debug, Clone, Copy)]
pub struct QuantView<'a> {
    /// The codes, row after row.
    pub codes: &'a [i8],
    /// One a group.
    pub scales: &'a [f32],
    /// One a group, or empty when all are zero.
    pub offsets: &'a [f32],
    /// Values in a group: 16 or 32; divides a row.
    pub group: usize,
}

/// `x[m, width] · weightᵀ` for at most [`MAX_ROWS`] rows, as `[rows of the weight, m]`.
pub fn skinny_f32(weight: &[f32], x: &[f32], width: usize) -> Vec<f32> {
    arch().dispatch(Full { weight, x, width })
}

/// The same for a weight in codes.
pub fn skinny_q8(weight: QuantView<'_>, x: &[f32], width: usize) -> Vec<f32> {
    arch().dispatch(Coded { weight, x, width })
}

/// The same, where the machine multiplies 16-bit integers with inputs rounded to 16 bits a group:
/// faster, and a product changes by about 1e-5 of its size.
pub fn skinny_q8_fast(weight: QuantView<'_>, x: &[f32], width: usize) -> Vec<f32> {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return codes::times(simd, weight, x, width);
    }
    skinny_q8(weight, x, width)
}

/// What an offset is multiplied with: the sum of each group's inputs; nothing where there are no
/// offsets.
fn totals(weight: QuantView<'_>, x: &[f32]) -> Vec<f32> {
    let groups = x.chunks_exact(weight.group);
    if weight.offsets.is_empty() {
        Vec::new()
    } else {
        groups.map(|group| group.iter().sum()).collect()
    }
}

struct Full<'a> {
    weight: &'a [f32],
    x: &'a [f32],
    width: usize,
}

impl WithSimd for Full<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self { weight, x, width } = self;
        let rows = weight.len() / width;
        let m = x.len() / width;
        let mut out = vec![0.0; rows * m];
        let mut first = 0;
        // As many sums at once as there are registers for.
        while first < rows {
            let left = rows - first;
            let count = match m {
                1 if left >= 8 => 8,
                1..=4 if left >= 4 && m < 3 => 4,
                3..=8 if left >= 3 => 3,
                _ => 1,
            };
            let weight = &weight[first * width..(first + count) * width];
            let out = &mut out[first * m..];
            for (at, x) in x.chunks(4 * width).enumerate().map(|(i, x)| (4 * i, x)) {
                match (count, x.len() / width) {
                    (8, 1) => tile::<S, 8, 1>(simd, out, m, at, weight, x, width),
                    (4, 1) => tile::<S, 4, 1>(simd, out, m, at, weight, x, width),
                    (4, 2) => tile::<S, 4, 2>(simd, out, m, at, weight, x, width),
                    (3, 1) => tile::<S, 3, 1>(simd, out, m, at, weight, x, width),
                    (3, 2) => tile::<S, 3, 2>(simd, out, m, at, weight, x, width),
                    (3, 3) => tile::<S, 3, 3>(simd, out, m, at, weight, x, width),
                    (3, 4) => tile::<S, 3, 4>(simd, out, m, at, weight, x, width),
                    (_, 1) => tile::<S, 1, 1>(simd, out, m, at, weight, x, width),
                    (_, 2) => tile::<S, 1, 2>(simd, out, m, at, weight, x, width),
                    (_, 3) => tile::<S, 1, 3>(simd, out, m, at, weight, x, width),
                    _ => tile::<S, 1, 4>(simd, out, m, at, weight, x, width),
                }
            }
            first += count;
        }
        out
    }
}

/// Products of `R` rows of a weight with `M` rows of inputs, written to `out[r · stride + at + m]`.
#[inline(always)]
fn tile<S: Simd, const R: usize, const M: usize>(
    simd: S,
    out: &mut [f32],
    stride: usize,
    at: usize,
    weight: &[f32],
    x: &[f32],
    width: usize,
) {
    let weights: [_; R] =
        std::array::from_fn(|r| S::as_simd_f32s(&weight[r * width..(r + 1) * width]));
    let inputs: [_; M] = std::array::from_fn(|m| S::as_simd_f32s(&x[m * width..(m + 1) * width]));
    let count = width / S::F32_LANES;
    let vectors: [&[S::f32s]; R] = std::array::from_fn(|r| &weights[r].0[..count]);
    let rows: [&[S::f32s]; M] = std::array::from_fn(|m| &inputs[m].0[..count]);
    let mut sums = [[simd.splat_f32s(0.0); M]; R];
    for i in 0..count {
        for m in 0..M {
            let x = rows[m][i];
            for r in 0..R {
                sums[r][m] = simd.mul_add_f32s(vectors[r][i], x, sums[r][m]);
            }
        }
    }
    for r in 0..R {
        for m in 0..M {
            let rest: f32 = weights[r].1.iter().zip(inputs[m].1).map(|(w, x)| w * x).sum();
            out[r * stride + at + m] = simd.reduce_sum_f32s(sums[r][m]) + rest;
        }
    }
}

struct Coded<'a> {
    weight: QuantView<'a>,
    x: &'a [f32],
    width: usize,
}

impl WithSimd for Coded<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self { weight, x, width } = self;
        let QuantView { codes, scales, offsets, group } = weight;
        let groups = width / group;
        let totals = totals(weight, x);
        let mut out = Vec::with_capacity(codes.len() / width * (x.len() / width));
        for (row, codes) in codes.chunks_exact(width).enumerate() {
            for (m, x) in x.chunks_exact(width).enumerate() {
                let mut sum = simd.splat_f32s(0.0);
                let mut shift = 0.0;
                for (g, (codes, x)) in
                    codes.chunks_exact(group).zip(x.chunks_exact(group)).enumerate()
                {
                    let mut values = [0.0f32; GROUP];
                    values
                        .iter_mut()
                        .zip(codes)
                        .for_each(|(value, code)| *value = f32::from(*code));
                    let (values, _) = S::as_simd_f32s(&values[..group]);
                    let mut part = simd.splat_f32s(0.0);
                    for (value, x) in values.iter().zip(S::as_simd_f32s(x).0) {
                        part = simd.mul_add_f32s(*value, *x, part);
                    }
                    sum = simd.mul_add_f32s(simd.splat_f32s(scales[row * groups + g]), part, sum);
                    if let Some(offset) = offsets.get(row * groups + g) {
                        shift += offset * totals[m * groups + g];
                    }
                }
                out.push(simd.reduce_sum_f32s(sum) + shift);
            }
        }
        out
    }
}

#[cfg(test)]
#[path = "skinny_tests.rs"]
mod tests;
