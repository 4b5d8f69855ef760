//! The arithmetic of a training step on flat row-major `f32` buffers: matrix products, norms, rotary embedding, and
//! attention over a token tree.
//!
//! Loops that matter run under [`pulp`]'s run-time dispatch, so one build uses AVX2 or AVX-512 where they are present.
//! Products are single-threaded: callers deal out rows of tokens (or columns of a weight's gradient) to threads.

mod attention;
mod few;

pub use attention::{Attention, Heads, Runs};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
pub use few::{Codes, FEW, few_codes, few_codes_fast, few_full};
use pulp::Arch;

fn accum(add: bool) -> Accum {
    if add { Accum::Add } else { Accum::Replace }
}

/// `out[m,n] (+)= a[m,k] · b[n,k]ᵀ`: a linear layer forward, with the weight as checkpoints store it.
pub fn mul_nt(out: &mut [f32], a: &[f32], b: &[f32], k: usize, add: bool) {
    let (m, n) = (a.len() / k, b.len() / k);
    let (a, b) = (MatRef::from_row_major_slice(a, m, k), MatRef::from_row_major_slice(b, n, k));
    matmul(MatMut::from_row_major_slice_mut(out, m, n), accum(add), a, b.transpose(), 1.0, Par::Seq);
}

/// `out[m,k] (+)= a[m,n] · b[n,k]`: the gradient of a linear layer's input.
pub fn mul_nn(out: &mut [f32], a: &[f32], b: &[f32], n: usize, add: bool) {
    let (m, k) = (a.len() / n, b.len() / n);
    let (a, b) = (MatRef::from_row_major_slice(a, m, n), MatRef::from_row_major_slice(b, n, k));
    matmul(MatMut::from_row_major_slice_mut(out, m, k), accum(add), a, b, 1.0, Par::Seq);
}

/// `out[n,k] += a[m,from..from + n]ᵀ · b[m,k]`: the gradient of some rows of a linear layer's weight; `a` is `width` wide.
pub fn mul_tn(out: &mut [f32], (a, width): (&[f32], usize), from: usize, b: &[f32]) {
    let m = a.len() / width;
    let k = b.len() / m;
    let n = out.len() / k;
    let (a, b) = (MatRef::from_row_major_slice(a, m, width), MatRef::from_row_major_slice(b, m, k));
    let a = a.submatrix(0, from, m, n).transpose();
    matmul(MatMut::from_row_major_slice_mut(out, n, k), Accum::Add, a, b, 1.0, Par::Seq);
}

/// Dot product in eight independent sums, which the compiler turns into vector instructions.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: f32 = a8.remainder().iter().zip(b8.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a8.zip(b8) {
        for i in 0..8 {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().sum::<f32>() + tail
}

/// Adding and taking away this number rounds to an integer in any vector unit; the library's rounding is a call.
const ROUND: f32 = 12_582_912.0;

/// `eˣ` to about 1e-7 relative for `x ≤ 88`, without a library call, so that loops over it vectorise.
#[inline(always)]
fn exp(x: f32) -> f32 {
    let x = x.max(-87.0);
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.0 + r * (1.0 + r * (0.5 + r * (0.166_666_67 + r * (0.041_666_65 + r * (0.008_333_45 + r * 0.001_388_9)))));
    p * f32::from_bits(((n as i32 + 127) as u32) << 23)
}

/// The largest value, in eight strands.
#[inline(always)]
fn largest(row: &[f32]) -> f32 {
    let mut tops = [f32::NEG_INFINITY; 8];
    let chunks = row.chunks_exact(8);
    let tail = chunks.remainder().iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for chunk in chunks {
        for i in 0..8 {
            tops[i] = if chunk[i] > tops[i] { chunk[i] } else { tops[i] };
        }
    }
    tops.into_iter().fold(tail, f32::max)
}

/// Turns each value into `e` to the power of its distance from `top`; returns their sum.
#[inline(always)]
fn exp_sum(row: &mut [f32], top: f32) -> f32 {
    let mut sums = [0.0f32; 8];
    let mut chunks = row.chunks_exact_mut(8);
    for chunk in &mut chunks {
        for i in 0..8 {
            chunk[i] = exp(chunk[i] - top);
            sums[i] += chunk[i];
        }
    }
    let mut sum: f32 = sums.iter().sum();
    for value in chunks.into_remainder() {
        *value = exp(*value - top);
        sum += *value;
    }
    sum
}

/// Turns scores into shares that add up to one.
#[inline(always)]
fn softmax(row: &mut [f32]) {
    let top = largest(row);
    let each = 1.0 / exp_sum(row, top);
    for share in row.iter_mut() {
        *share *= each;
    }
}

/// RMS norm of each row: `out = x / rms(x) · gain`; returns the reciprocal rms of each row.
pub fn rms_norm(out: &mut [f32], x: &[f32], gain: &[f32], eps: f32) -> Vec<f32> {
    let width = gain.len();
    Arch::new().dispatch(|| {
        let rows = out.chunks_exact_mut(width).zip(x.chunks_exact(width));
        rows.map(|(out, x)| {
            let scale = 1.0 / (dot(x, x) / width as f32 + eps).sqrt();
            out.iter_mut().zip(x).zip(gain).for_each(|((o, x), g)| *o = x * scale * g);
            scale
        })
        .collect()
    })
}

/// Gradient of [`rms_norm`]: adds to `dx` and `dgain`.
pub fn rms_norm_back(dx: &mut [f32], dgain: &mut [f32], dout: &[f32], x: &[f32], gain: &[f32], scales: &[f32]) {
    let width = gain.len();
    Arch::new().dispatch(|| {
        let mut weighted = vec![0.0f32; width];
        for (((dx, dout), x), scale) in
            dx.chunks_exact_mut(width).zip(dout.chunks_exact(width)).zip(x.chunks_exact(width)).zip(scales)
        {
            for i in 0..width {
                weighted[i] = dout[i] * gain[i];
                dgain[i] += dout[i] * x[i] * scale;
            }
            let share = dot(&weighted, x) * scale * scale * scale / width as f32;
            for i in 0..width {
                dx[i] += weighted[i] * scale - x[i] * share;
            }
        }
    });
}

/// `silu(gate) · up`, in place of `gate`.
pub fn swiglu(gate: &mut [f32], up: &[f32]) {
    Arch::new().dispatch(|| gate.iter_mut().zip(up).for_each(|(g, u)| *g = *g / (1.0 + exp(-*g)) * u));
}

/// Turns each row of scores, `width` wide, into shares that add up to one.
pub fn softmax_rows(scores: &mut [f32], width: usize) {
    Arch::new().dispatch(|| scores.chunks_exact_mut(width).for_each(softmax));
}

/// Gradient of [`swiglu`]: turns `gate` and `up` into their gradients.
pub fn swiglu_back(gate: &mut [f32], up: &mut [f32], dout: &[f32]) {
    Arch::new().dispatch(|| {
        gate.iter_mut().zip(up.iter_mut()).zip(dout).for_each(|((g, u), d)| {
            let sigma = 1.0 / (1.0 + exp(-*g));
            let (gate, up) = (*g, *u);
            *u = d * gate * sigma;
            *g = d * up * sigma * (1.0 + gate * (1.0 - sigma));
        });
    });
}

/// Rotates each head of each row in place by its position; `back` turns the other way, which is also the gradient.
pub fn rope(x: &mut [f32], width: usize, head_dim: usize, cos_sin: &[(f32, f32)], back: bool) {
    let half = head_dim / 2;
    for (row, angles) in x.chunks_exact_mut(width).zip(cos_sin.chunks_exact(half)) {
        for head in row.chunks_exact_mut(head_dim) {
            let (left, right) = head.split_at_mut(half);
            for ((a, b), (cos, sin)) in left.iter_mut().zip(right).zip(angles) {
                let sin = if back { -sin } else { *sin };
                (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
            }
        }
    }
}

/// Cross-entropy of each row of logits against its target, in nats; turns the logits into the gradient of the
/// weighted sum.
pub fn cross_entropy(logits: &mut [f32], targets: &[u32], weights: &[f32], vocab: usize) -> Vec<f32> {
    Arch::new().dispatch(|| {
        let rows = logits.chunks_exact_mut(vocab).zip(targets).zip(weights);
        rows.map(|((row, target), weight)| {
            let top = largest(row);
            let wanted = row[*target as usize] - top;
            let sum = exp_sum(row, top);
            let scale = weight / sum;
            for share in row.iter_mut() {
                *share *= scale;
            }
            row[*target as usize] -= weight;
            sum.ln() - wanted
        })
        .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exact_enough_everywhere_it_is_used() {
        for i in -8700..=1000 {
            let x = i as f32 / 100.0;
            let (got, want) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((got - want).abs() <= 4e-7 * want, "{x}: {got} {want}");
        }
        assert!(exp(-1e9) < 1e-37);
    }
}
