//! The arithmetic of training steps and of inference on flat row-major `f32` buffers: products,
//! norms, rotary embedding, and attention over a token tree.
//!
//! Loops that matter run under [`pulp`]'s run-time dispatch (`kernel!`), so one build uses AVX2 or
//! AVX-512 where they are present. All of it is single-threaded: callers deal out rows of tokens
//! (or columns of a weight's gradient) to threads.

mod attention;
pub mod bf16;
pub mod codes;
pub mod forms;
pub mod panels;
pub mod tiles;
mod transpose;

pub use attention::{Attention, Chains, Heads};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// How an operand lies in memory: the numbers of a row follow each other, and rows are `width`
/// apart.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    /// The numbers.
    pub data: &'a [f32],
    /// From a row to the next.
    pub width: usize,
}

/// A function whose body is compiled for every vector unit and runs on the widest that the machine
/// has. It is a method of a type of its own: neither a closure nor a function by its name is sure
/// to be inlined where the vectors are, and one that is not is compiled for the oldest machine.
macro_rules! kernel {
    ($(#[$meta:meta])* $vis:vis fn $name:ident<$life:lifetime>(
        $($arg:ident: $type:ty),+ $(,)?
    ) -> $out:ty $body:block) => {
        $(#[$meta])*
        $vis fn $name<$life>($($arg: $type),+) -> $out {
            struct Kernel<$life> {
                $($arg: $type),+
            }
            impl<$life> pulp::WithSimd for Kernel<$life> {
                type Output = $out;

                #[inline(always)]
                fn with_simd<S: pulp::Simd>(self, _: S) -> $out {
                    let Self { $($arg),+ } = self;
                    $body
                }
            }
            $crate::model::kernels::forms::arch().dispatch(Kernel { $($arg),+ })
        }
    };
}
pub(super) use kernel;

fn accum(add: bool) -> Accum {
    if add { Accum::Add } else { Accum::Replace }
}

/// `out[m,n] (+)= a[m,k] · b[n,k]ᵀ`: a linear layer forward, with the weight as checkpoints store
/// it.
pub fn mul_nt(out: &mut [f32], a: &[f32], b: &[f32], k: usize, add: bool) {
    let m = a.len() / k;
    let n = b.len() / k;
    let a = MatRef::from_row_major_slice(a, m, k);
    let b = MatRef::from_row_major_slice(b, n, k);
    matmul(
        MatMut::from_row_major_slice_mut(out, m, n),
        accum(add),
        a,
        b.transpose(),
        1.0,
        Par::Seq,
    );
}

/// `out[m,k] (+)= a[m,n] · b[n,k]`: the gradient of a linear layer's input.
pub fn mul_nn(out: &mut [f32], a: &[f32], b: &[f32], n: usize, add: bool) {
    let m = a.len() / n;
    let k = b.len() / n;
    let a = MatRef::from_row_major_slice(a, m, n);
    let b = MatRef::from_row_major_slice(b, n, k);
    matmul(MatMut::from_row_major_slice_mut(out, m, k), accum(add), a, b, 1.0, Par::Seq);
}

/// `out[n,k] += a[m,from..from + n]ᵀ · b[m,k]`: the gradient of some rows of a linear layer's
/// weight; `a` is `width` wide.
pub fn mul_tn(out: &mut [f32], (a, width): (&[f32], usize), from: usize, b: &[f32]) {
    let m = a.len() / width;
    let k = b.len() / m;
    let n = out.len() / k;
    let a = MatRef::from_row_major_slice(a, m, width);
    let b = MatRef::from_row_major_slice(b, m, k);
    let a = a.submatrix(0, from, m, n).transpose();
    matmul(MatMut::from_row_major_slice_mut(out, n, k), Accum::Add, a, b, 1.0, Par::Seq);
}

/// Dot product in eight independent sums, which the compiler turns into vector instructions.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let a8 = a.chunks_exact(8);
    let b8 = b.chunks_exact(8);
    let tail: f32 = a8.remainder().iter().zip(b8.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a8.zip(b8) {
        for i in 0..8 {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().sum::<f32>() + tail
}

/// Adding and taking away this number rounds to an integer in any vector unit; the library's
/// rounding is a call.
const ROUND: f32 = 12_582_912.0;

/// `eˣ` to about 1e-7 relative between -87 and 88, and as there beyond them (a gate of -200 is
/// shut, and not open), without a library call, so that loops over it vectorise.
#[inline(always)]
fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.0
        + r * (1.0
            + r * (0.5
                + r * (0.166_666_67 + r * (0.041_666_65 + r * (0.008_333_45 + r * 0.001_388_9)))));
    // The integer stands in the lowest bits of the shifted number: it becomes the exponent without
    // a conversion.
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

/// Turns each value into `e` to the power of its distance from `top`; returns their sum, in eight
/// strands.
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

/// Strands of sums whose order is nobody's business: two vectors of the widest kind.
const WIDE: usize = 32;

/// Turns scores into shares that add up to one.
#[inline(always)]
fn softmax(row: &mut [f32]) {
    let top = largest(row);
    let each = 1.0 / exp_sum(row, top);
    for share in row.iter_mut() {
        *share *= each;
    }
}

/// Shares of rows whose scores come a tile at a time, the rows side by side.
#[derive(Debug)]
pub struct OnlineSoftmax {
    /// The largest score of each row so far.
    tops: Vec<f32>,
    /// The sum of each row's exponentials, as distances from its largest.
    sums: Vec<f32>,
    /// What puts right what was mixed before the tile, by row.
    before: Vec<f32>,
}

impl OnlineSoftmax {
    /// For so many rows.
    pub fn new(rows: usize) -> Self {
        Self { tops: vec![LOWEST; rows], sums: vec![0.0; rows], before: vec![0.0; rows] }
    }

    /// Turns a tile of scores, `[keys, rows]`, into exponentials, and puts what was mixed with
    /// earlier ones, `[dim, rows]`, on the same footing.
    pub fn take(&mut self, scores: &mut [f32], mixed: &mut [f32]) {
        online_softmax(self, scores, mixed);
    }

    /// Makes shares of it: divides by each row's sum.
    pub fn finish(&self, mixed: &mut [f32]) {
        for values in mixed.chunks_exact_mut(self.sums.len()) {
            values.iter_mut().zip(&self.sums).for_each(|(value, sum)| *value /= sum);
        }
    }
}

/// Lower than every score that is seen, and finite: a row that sees nothing of a tile takes nothing
/// from it.
const LOWEST: f32 = -1e30;

kernel! {
fn online_softmax<'a>(
    softmax: &'a mut OnlineSoftmax,
    scores: &'a mut [f32],
    mixed: &'a mut [f32],
) -> () {
    let OnlineSoftmax { tops, sums, before } = softmax;
    let rows = tops.len();
    before.copy_from_slice(tops);
    if rows == 1 {
        tops[0] = largest_of::<WIDE>(scores).max(tops[0]);
    }
    for scores in scores.chunks_exact(rows).filter(|_| rows > 1) {
        for (top, score) in tops.iter_mut().zip(scores) {
            *top = if *score > *top { *score } else { *top };
        }
    }
    before.iter_mut().zip(&*tops).for_each(|(before, top)| *before = exp(*before - top));
    for values in mixed.chunks_exact_mut(rows) {
        values.iter_mut().zip(&*before).for_each(|(value, before)| *value *= before);
    }
    sums.iter_mut().zip(&*before).for_each(|(sum, before)| *sum *= before);
    if rows == 1 {
        // One row lies along the vectors; it sees all that it is shown.
        sums[0] += exp_sum_of::<WIDE>(scores, tops[0]);
        return;
    }
    for scores in scores.chunks_exact_mut(rows) {
        for ((score, top), sum) in scores.iter_mut().zip(&*tops).zip(sums.iter_mut()) {
            // What is hidden has no share, also where nothing else was seen so far.
            *score = if *score > LOWEST { exp(*score - top) } else { 0.0 };
            *sum += *score;
        }
    }
}
}

/// Values whose exponentials are added in single precision before they join the sum.
const SUMMED: usize = 256;

kernel! {
/// The logarithm of the sum of the exponentials of `logits`, in nats: a token's log-probability is
/// its logit less this.
pub fn log_sum<'a>(logits: &'a [f32]) -> f64 {
    let top = largest_of::<WIDE>(logits);
    let mut sum = 0.0;
    for part in logits.chunks(SUMMED) {
        let mut sums = [0.0f32; WIDE];
        let chunks = part.chunks_exact(WIDE);
        let tail: f32 = chunks.remainder().iter().map(|logit| exp(logit - top)).sum();
        for chunk in chunks {
            for i in 0..WIDE {
                sums[i] += exp(chunk[i] - top);
            }
        }
        sum += f64::from(sums.iter().sum::<f32>() + tail);
    }
    f64::from(top) + sum.ln()
}
}

kernel! {
/// RMS norm of each row: `out = x / rms(x) · gain`; returns the reciprocal rms of each row.
pub fn rms_norm<'a>(out: &'a mut [f32], x: &'a [f32], gain: &'a [f32], eps: f32) -> Vec<f32> {
    let width = gain.len();
    let rows = out.chunks_exact_mut(width).zip(x.chunks_exact(width));
    rows.map(|(out, x)| {
        let scale = 1.0 / (dot(x, x) / width as f32 + eps).sqrt();
        out.iter_mut().zip(x).zip(gain).for_each(|((o, x), g)| *o = x * scale * g);
        scale
    })
    .collect()
}
}

kernel! {
/// Gradient of [`rms_norm`]: adds to `dx` and `dgain`.
pub fn rms_norm_back<'a>(
    dx: &'a mut [f32],
    dgain: &'a mut [f32],
    dout: &'a [f32],
    x: &'a [f32],
    gain: &'a [f32],
    scales: &'a [f32],
) -> () {
    let width = gain.len();
    let mut weighted = vec![0.0f32; width];
    let rows = dx.chunks_exact_mut(width).zip(dout.chunks_exact(width));
    for (((dx, dout), x), scale) in rows.zip(x.chunks_exact(width)).zip(scales) {
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
}

kernel! {
/// `silu(gate) · up`, in place of `gate`.
pub fn swiglu<'a>(gate: &'a mut [f32], up: &'a [f32]) -> () {
    gate.iter_mut().zip(up).for_each(|(g, u)| *g = *g / (1.0 + exp(-*g)) * u);
}
}

kernel! {
/// `gelu(gate) · up`, in place of `gate`, with GELU by its tanh:
/// `gelu(g) = g · σ(2 · √(2/π) · (g + 0.044715 · g³))`.
pub fn geglu<'a>(gate: &'a mut [f32], up: &'a [f32]) -> () {
    gate.iter_mut().zip(up).for_each(|(g, u)| {
        let turn = 1.595_769 * (*g + 0.044_715 * *g * *g * *g);
        *g = *g / (1.0 + exp(-turn)) * u;
    });
}
}

/// Adds a bias to each row; an empty one adds nothing.
pub fn add_to_rows(rows: &mut [f32], bias: &[f32]) {
    if !bias.is_empty() {
        for row in rows.chunks_exact_mut(bias.len()) {
            row.iter_mut().zip(bias).for_each(|(value, bias)| *value += bias);
        }
    }
}

/// The gradient of such a bias: adds `by` times the sum of the rows.
pub fn add_rows_to(bias: &mut [f32], rows: &[f32], by: f32) {
    for row in rows.chunks_exact(bias.len()) {
        bias.iter_mut().zip(row).for_each(|(sum, value)| *sum += by * value);
    }
}

/// Multiplies all values; by 1 costs nothing.
pub fn scale(values: &mut [f32], by: f32) {
    if (by - 1.0).abs() > 0.0 {
        for value in values.iter_mut() {
            *value *= by;
        }
    }
}

kernel! {
/// Gradient of [`swiglu`]: turns `gate` and `up` into their gradients.
pub fn swiglu_back<'a>(gate: &'a mut [f32], up: &'a mut [f32], dout: &'a [f32]) -> () {
    gate.iter_mut().zip(up.iter_mut()).zip(dout).for_each(|((g, u), d)| {
        let sigma = 1.0 / (1.0 + exp(-*g));
        let gate = *g;
        let up = *u;
        *u = d * gate * sigma;
        *g = d * up * sigma * (1.0 + gate * (1.0 - sigma));
    });
}
}

/// Rotates each head of each row in place by its position; `back` turns the other way, which is
/// also the gradient.
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

kernel! {
/// Cross-entropy of each row of logits against its target, in nats; turns the logits into the
/// gradient of the weighted sum.
pub fn cross_entropy<'a>(
    logits: &'a mut [f32],
    targets: &'a [u32],
    weights: &'a [f32],
    vocab: usize,
) -> Vec<f32> {
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
}

#[cfg(test)]
mod tests;
