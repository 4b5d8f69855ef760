//! The arithmetic of a training step on flat row-major `f32` buffers: matrix products, norms, rotary embedding, and
//! attention over a token tree.
//!
//! Loops that matter run under [`pulp`]'s run-time dispatch ([`wide`]), so one build uses AVX2 or AVX-512 where they are present.
//! Products are single-threaded: callers deal out rows of tokens (or columns of a weight's gradient) to threads.

mod attention;
mod few;

pub use attention::{Attention, Heads, Runs};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
pub use few::{Codes, FEW, few_codes, few_codes_fast, few_full};
use pulp::{Arch, Simd, WithSimd};

/// A function and its arguments, compiled for every vector unit.
struct Wide<F, A>(F, A);

impl<F: FnOnce(A) -> R, A, R> WithSimd for Wide<F, A> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> R {
        (self.0)(self.1)
    }
}

/// Runs a kernel for the widest vectors that the machine has. It must be a function by its name and `#[inline(always)]`: a
/// closure of some length is not inlined where the vectors are, and is then compiled for the oldest machine.
#[inline]
pub(super) fn wide<A, R>(kernel: impl FnOnce(A) -> R, with: A) -> R {
    Arch::new().dispatch(Wide(kernel, with))
}

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
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.0 + r * (1.0 + r * (0.5 + r * (0.166_666_67 + r * (0.041_666_65 + r * (0.008_333_45 + r * 0.001_388_9)))));
    // The integer stands in the lowest bits of the shifted number: it becomes the exponent without a conversion.
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))
}

/// The largest value, in eight strands.
#[inline(always)]
fn largest(row: &[f32]) -> f32 {
    largest_of::<8>(row)
}

#[inline(always)]
fn largest_of<const STRANDS: usize>(row: &[f32]) -> f32 {
    let mut tops = [f32::NEG_INFINITY; STRANDS];
    let chunks = row.chunks_exact(STRANDS);
    let tail = chunks.remainder().iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for chunk in chunks {
        for i in 0..STRANDS {
            tops[i] = if chunk[i] > tops[i] { chunk[i] } else { tops[i] };
        }
    }
    tops.into_iter().fold(tail, f32::max)
}

/// Turns each value into `e` to the power of its distance from `top`; returns their sum, in eight strands.
#[inline(always)]
fn exp_sum(row: &mut [f32], top: f32) -> f32 {
    exp_sum_of::<8>(row, top)
}

#[inline(always)]
fn exp_sum_of<const STRANDS: usize>(row: &mut [f32], top: f32) -> f32 {
    let mut sums = [0.0f32; STRANDS];
    let mut chunks = row.chunks_exact_mut(STRANDS);
    for chunk in &mut chunks {
        for i in 0..STRANDS {
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

/// Shares of rows whose scores come a tile at a time.
#[derive(Debug)]
pub struct OnlineSoftmax {
    /// The largest score of each row so far.
    tops: Vec<f32>,
    /// The sum of each row's exponentials, as distances from its largest.
    sums: Vec<f32>,
}

impl OnlineSoftmax {
    /// For so many rows.
    pub fn new(rows: usize) -> Self {
        Self { tops: vec![f32::NEG_INFINITY; rows], sums: vec![0.0; rows] }
    }

    /// Turns a tile of scores, `[rows, width]`, into exponentials, and puts what was mixed with earlier ones, `[rows, dim]`,
    /// on the same footing.
    pub fn take(&mut self, scores: &mut [f32], mixed: &mut [f32]) {
        wide(online_softmax, (self, scores, mixed));
    }

    /// Makes shares of it: divides each row by its sum.
    pub fn finish(&self, mixed: &mut [f32]) {
        let dim = mixed.len() / self.sums.len();
        for (row, sum) in mixed.chunks_exact_mut(dim).zip(&self.sums) {
            row.iter_mut().for_each(|value| *value /= sum);
        }
    }
}

#[inline(always)]
fn online_softmax((softmax, scores, mixed): (&mut OnlineSoftmax, &mut [f32], &mut [f32])) {
    let (width, dim) = (scores.len() / softmax.tops.len(), mixed.len() / softmax.tops.len());
    let rows = scores.chunks_exact_mut(width).zip(mixed.chunks_exact_mut(dim));
    for ((row, mixed), (top, sum)) in rows.zip(softmax.tops.iter_mut().zip(&mut softmax.sums)) {
        let above = largest_of::<32>(row).max(*top);
        if above == f32::NEG_INFINITY {
            row.fill(0.0); // nothing is seen so far
            continue;
        }
        if *top < above {
            let before = exp(*top - above);
            mixed.iter_mut().for_each(|value| *value *= before);
            *sum *= before;
        }
        *top = above;
        *sum += exp_sum_of::<32>(row, above);
    }
}

/// Values whose exponentials are added in single precision before they join the sum.
const SUMMED: usize = 256;

/// The logarithm of the sum of the exponentials of `logits`, in nats: a token's log-probability is its logit less this.
pub fn log_sum(logits: &[f32]) -> f64 {
    wide(log_sum_of, logits)
}

#[inline(always)]
fn log_sum_of(logits: &[f32]) -> f64 {
    let top = largest_of::<32>(logits);
    let mut sum = 0.0;
    for part in logits.chunks(SUMMED) {
        let mut sums = [0.0f32; 32];
        let chunks = part.chunks_exact(32);
        let tail: f32 = chunks.remainder().iter().map(|logit| exp(logit - top)).sum();
        for chunk in chunks {
            for i in 0..32 {
                sums[i] += exp(chunk[i] - top);
            }
        }
        sum += f64::from(sums.iter().sum::<f32>() + tail);
    }
    f64::from(top) + sum.ln()
}

/// RMS norm of each row: `out = x / rms(x) · gain`; returns the reciprocal rms of each row.
pub fn rms_norm(out: &mut [f32], x: &[f32], gain: &[f32], eps: f32) -> Vec<f32> {
    wide(rms_norm_of, (out, x, gain, eps))
}

#[inline(always)]
fn rms_norm_of((out, x, gain, eps): (&mut [f32], &[f32], &[f32], f32)) -> Vec<f32> {
    let width = gain.len();
    let rows = out.chunks_exact_mut(width).zip(x.chunks_exact(width));
    rows.map(|(out, x)| {
        let scale = 1.0 / (dot(x, x) / width as f32 + eps).sqrt();
        out.iter_mut().zip(x).zip(gain).for_each(|((o, x), g)| *o = x * scale * g);
        scale
    })
    .collect()
}

/// Gradient of [`rms_norm`]: adds to `dx` and `dgain`.
pub fn rms_norm_back(dx: &mut [f32], dgain: &mut [f32], dout: &[f32], x: &[f32], gain: &[f32], scales: &[f32]) {
    wide(rms_norm_back_of, ([dx, dgain], [dout, x, gain, scales]));
}

#[inline(always)]
fn rms_norm_back_of(([dx, dgain], [dout, x, gain, scales]): ([&mut [f32]; 2], [&[f32]; 4])) {
    let width = gain.len();
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
}

/// `silu(gate) · up`, in place of `gate`.
pub fn swiglu(gate: &mut [f32], up: &[f32]) {
    wide(swiglu_of, (gate, up));
}

#[inline(always)]
fn swiglu_of((gate, up): (&mut [f32], &[f32])) {
    gate.iter_mut().zip(up).for_each(|(g, u)| *g = *g / (1.0 + exp(-*g)) * u);
}

/// Gradient of [`swiglu`]: turns `gate` and `up` into their gradients.
pub fn swiglu_back(gate: &mut [f32], up: &mut [f32], dout: &[f32]) {
    wide(swiglu_back_of, (gate, up, dout));
}

#[inline(always)]
fn swiglu_back_of((gate, up, dout): (&mut [f32], &mut [f32], &[f32])) {
    gate.iter_mut().zip(up.iter_mut()).zip(dout).for_each(|((g, u), d)| {
        let sigma = 1.0 / (1.0 + exp(-*g));
        let (gate, up) = (*g, *u);
        *u = d * gate * sigma;
        *g = d * up * sigma * (1.0 + gate * (1.0 - sigma));
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
    wide(cross_entropy_of, (logits, targets, weights, vocab))
}

#[inline(always)]
fn cross_entropy_of((logits, targets, weights, vocab): (&mut [f32], &[u32], &[f32], usize)) -> Vec<f32> {
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
