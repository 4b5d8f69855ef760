//! QuantView times inputs as 16-bit integers: AVX2 multiplies and adds sixteen pairs at once, where
//! turning codes into floats first takes twice as many instructions.

use pulp::bytemuck::cast_ref;
use pulp::x86::V3;
use pulp::{NullaryFnOnce, f32x8, i8x16, i16x16};

use super::{MAX_ROWS, QuantView, totals};

/// Inputs as 16-bit integers with a scale a group.
struct Inputs {
    values: Vec<i16>,
    scales: Vec<f32>,
}

impl Inputs {
    fn new(x: &[f32], group: usize) -> Self {
        let mut values = Vec::with_capacity(x.len());
        let mut scales = Vec::with_capacity(x.len() / group);
        for group in x.chunks_exact(group) {
            let most = group.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            let up = if most > 0.0 { 32_767.0 / most } else { 0.0 };
            values.extend(group.iter().map(|x| (x * up).round_ties_even() as i16));
            scales.push(most / 32_767.0);
        }
        Self { values, scales }
    }
}

/// See [`super::skinny_q8_fast`].
pub(super) fn times(simd: V3, weight: QuantView<'_>, x: &[f32], width: usize) -> Vec<f32> {
    let inputs = &Inputs::new(x, weight.group);
    let totals = &totals(weight, x);
    match x.len() / width {
        1 => simd.vectorize(Rows::<1> { simd, weight, inputs, totals, width }),
        2 => simd.vectorize(Rows::<2> { simd, weight, inputs, totals, width }),
        3 => simd.vectorize(Rows::<3> { simd, weight, inputs, totals, width }),
        4 => simd.vectorize(Rows::<4> { simd, weight, inputs, totals, width }),
        5 => simd.vectorize(Rows::<5> { simd, weight, inputs, totals, width }),
        6 => simd.vectorize(Rows::<6> { simd, weight, inputs, totals, width }),
        7 => simd.vectorize(Rows::<7> { simd, weight, inputs, totals, width }),
        _ => simd.vectorize(Rows::<MAX_ROWS> { simd, weight, inputs, totals, width }),
    }
}

/// The product with exactly `M` rows; not a closure, since only this is sure to be compiled for the
/// vector unit.
struct Rows<'a, const M: usize> {
    simd: V3,
    weight: QuantView<'a>,
    inputs: &'a Inputs,
    totals: &'a [f32],
    width: usize,
}

impl<const M: usize> NullaryFnOnce for Rows<'_, M> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn call(self) -> Vec<f32> {
        rows::<M>(self.simd, self.weight, self.inputs, self.totals, self.width)
    }
}

#[inline(always)]
fn rows<const M: usize>(
    simd: V3,
    weight: QuantView<'_>,
    inputs: &Inputs,
    totals: &[f32],
    width: usize,
) -> Vec<f32> {
    let QuantView { codes, scales, offsets, group } = weight;
    let groups = width / group;
    let inputs_of: [(&[[i16; 16]], &[f32]); M] = std::array::from_fn(|m| {
        let values = inputs.values[m * width..(m + 1) * width].as_chunks::<16>().0;
        (values, &inputs.scales[m * groups..(m + 1) * groups])
    });
    let mut out = Vec::with_capacity(codes.len() / width * M);
    for (row, codes) in codes.chunks_exact(width).enumerate() {
        let scales = &scales[row * groups..(row + 1) * groups];
        let mut sums: [f32x8; M] = [simd.splat_f32x8(0.0); M];
        if group == 32 {
            for (g, ([a, b], scale)) in
                codes.as_chunks::<16>().0.as_chunks::<2>().0.iter().zip(scales).enumerate()
            {
                let a = wide(simd, a);
                let b = wide(simd, b);
                for (sum_of, (values, ups)) in sums.iter_mut().zip(&inputs_of) {
                    let values = &values[2 * g..2 * g + 2];
                    let up = ups[g];
                    let a = simd.multiply_wrapping_add_adjacent_i16x16(
                        a,
                        *cast_ref::<_, i16x16>(&values[0]),
                    );
                    let b = simd.multiply_wrapping_add_adjacent_i16x16(
                        b,
                        *cast_ref::<_, i16x16>(&values[1]),
                    );
                    let sum = simd.convert_i32x8_to_f32x8(simd.wrapping_add_i32x8(a, b));
                    *sum_of = simd.mul_add_f32x8(sum, simd.splat_f32x8(scale * up), *sum_of);
                }
            }
        } else {
            for (g, (codes, scale)) in codes.as_chunks::<16>().0.iter().zip(scales).enumerate() {
                let codes = wide(simd, codes);
                for (sum_of, (values, ups)) in sums.iter_mut().zip(&inputs_of) {
                    let x = cast_ref::<_, i16x16>(&values[g]);
                    let sum = simd.convert_i32x8_to_f32x8(
                        simd.multiply_wrapping_add_adjacent_i16x16(codes, *x),
                    );
                    *sum_of = simd.mul_add_f32x8(sum, simd.splat_f32x8(scale * ups[g]), *sum_of);
                }
            }
        }
        let offsets = offsets.get(row * groups..(row + 1) * groups).unwrap_or_default();
        for (m, sum) in sums.iter().enumerate() {
            let lanes: &[f32; 8] = cast_ref(sum);
            let shift: f32 = offsets
                .iter()
                .zip(totals.get(m * groups..).unwrap_or_default())
                .map(|(o, t)| o * t)
                .sum();
            out.push(lanes.iter().sum::<f32>() + shift);
        }
    }
    out
}

#[inline(always)]
fn wide(simd: V3, codes: &[i8; 16]) -> i16x16 {
    simd.convert_i8x16_to_i16x16(*cast_ref::<_, i8x16>(codes))
}
