//! Weights at inference, laid out for their products: whole, rounded to bf16, or in codes of four
//! or eight bits.
//!
//! A row of the result does not depend on what else is computed with it, beyond whether few rows
//! or many are: codes meet few rows as integers, many as numbers. What is rounded meets few
//! rows as they are, many rounded as well where the machine has a matrix unit.

use std::ops::Range;

use faer::MatMut;
use faer::reborrow::ReborrowMut;
use rayon::prelude::*;

use super::kernels::codes::{CodeBlock, Integers, SIDE, Values, Words, shift};
use super::kernels::panels::{Left, NONE, PANEL, Right, Terms};
use super::kernels::{self, bf16, tiles};
use super::matrix::{Matrix, Quantized};
use super::step::Products;

const _: () = assert!(PANEL == tiles::WIDTH, "panels of numbers and of tiles are alike");

/// Multiplications that are worth another thread.
const WORTH: usize = 200_000;

/// Rows up to which weights are used as they lie in memory, which is what is waited for.
const FEW: usize = 8;

/// How exact products of few rows with codes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// To rounding: for scores.
    Exact,
    /// Inputs may be rounded to 16 bits: for writing text.
    Fast,
}

/// A weight of `rows × width` in panels of [`PANEL`] rows; the last one is filled up with zeros.
#[derive(Debug)]
pub struct Packed {
    rows: usize,
    width: usize,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Full(Right),
    Rounded(bf16::Packed),
    Coded(Coded),
}

/// Blocks of [`SIDE`] rows; see [`CodeBlock`].
#[derive(Debug)]
struct Coded {
    /// `[blocks, width / columns of a word]`.
    words: Vec<Words>,
    /// Four where the codes of the whole weight allow it.
    bits: usize,
    zero: i32,
    /// `[blocks, groups]`.
    scales: Vec<Values>,
    offsets: Vec<Values>,
    group: usize,
}

impl Coded {
    fn new(matrix: &Quantized) -> Self {
        let Quantized { codes, scales, offsets, group, width } = matrix;
        let least = i32::from(codes.iter().copied().min().unwrap_or_default());
        let most = i32::from(codes.iter().copied().max().unwrap_or_default());
        let (bits, zero) = if most - least <= 15 { (4, -least) } else { (8, 128) };
        let rows = codes.len() / width;
        let blocks = rows.next_multiple_of(PANEL) / SIDE;
        let columns = 32 / bits;
        let word = |row: usize, first: usize| {
            let Some(codes) = codes.get(row * width + first..row * width + first + columns) else {
                return 0;
            };
            let codes = codes.iter().map(|code| (i32::from(*code) + zero) as u32);
            let shifted = codes.enumerate().map(|(i, code)| code << shift(i, bits));
            shifted.fold(0, |word, code| word | code)
        };
        let firsts = (0..blocks).flat_map(|b| (0..*width).step_by(columns).map(move |at| (b, at)));
        let words = firsts
            .map(|(block, at)| Words(std::array::from_fn(|row| word(block * SIDE + row, at))))
            .collect();
        let groups = width / group;
        let turned = |values: &[f32]| -> Vec<Values> {
            let value = |row: usize, g: usize| values.get(row * groups + g).copied();
            let all = (0..blocks).flat_map(|block| (0..groups).map(move |g| (block, g)));
            let all = all.filter(|_| !values.is_empty()).map(|(block, g)| {
                Values(std::array::from_fn(|r| value(block * SIDE + r, g).unwrap_or_default()))
            });
            all.collect()
        };
        let scales = turned(scales);
        let offsets = turned(offsets);
        Self { words, bits, zero, scales, offsets, group: *group }
    }

    fn block(&self, block: usize, width: usize) -> CodeBlock<'_> {
        let words = width * self.bits / 32;
        let groups = width / self.group;
        CodeBlock {
            words: &self.words[block * words..(block + 1) * words],
            bits: self.bits,
            zero: self.zero,
            scales: &self.scales[block * groups..(block + 1) * groups],
            offsets: self.offsets.get(block * groups..(block + 1) * groups).unwrap_or_default(),
            group: self.group,
        }
    }
}

impl Packed {
    /// Lays a weight out, rounded if it is to be; codes are what they are.
    pub fn new(matrix: Matrix, products: Products) -> Self {
        let rows = matrix.rows();
        let width = matrix.width();
        let form = match matrix {
            Matrix::Full { data, width } if products == Products::Bf16 => {
                let mut rounded = bf16::Packed::default();
                rounded.right_of_rows(kernels::Matrix { data: &data, width });
                Form::Rounded(rounded)
            }
            Matrix::Full { data, width } => {
                Form::Full(Right::new(kernels::Matrix { data: &data, width }))
            }
            Matrix::Quantized(quantized) => Form::Coded(Coded::new(&quantized)),
        };
        Self { rows, width, form }
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        match &self.form {
            Form::Full(panels) => panels.bytes(),
            Form::Rounded(tiles) => tiles.bytes(),
            Form::Coded(Coded { words, scales, offsets, .. }) => {
                size_of_val(&words[..]) + size_of_val(&scales[..]) + size_of_val(&offsets[..])
            }
        }
    }

    /// A row as numbers, appended to `out`.
    pub fn row(&self, row: usize, out: &mut Vec<f32>) {
        match &self.form {
            Form::Full(panels) => {
                let panel = panels.panel(row / PANEL);
                out.extend(panel.iter().map(|terms| terms.0[row % PANEL]));
            }
            Form::Rounded(tiles) => tiles.column(row, self.width, out),
            Form::Coded(coded) => {
                out.extend(coded.block(row / SIDE, self.width).row(row % SIDE));
            }
        }
    }

    /// A panel as numbers; `scratch` is where others become some.
    fn panel<'a>(&'a self, panel: usize, scratch: &'a mut Vec<Terms>) -> &'a [Terms] {
        match &self.form {
            Form::Full(panels) => panels.panel(panel),
            Form::Rounded(tiles) => {
                scratch.resize(self.width, NONE);
                tiles.numbers(panel, scratch);
                scratch
            }
            Form::Coded(coded) => {
                scratch.resize(self.width, NONE);
                for half in 0..PANEL / SIDE {
                    let block = coded.block(panel * PANEL / SIDE + half, self.width);
                    block.numbers(scratch, half);
                }
                scratch
            }
        }
    }

    /// Products of rows of inputs with some panels, into `out`, `[m, rows of these panels]`.
    fn part(&self, x: &Inputs, panels: Range<usize>, mut out: MatMut<'_, f32>) {
        let first = panels.start * PANEL;
        let mut put = |m: usize, at: usize, sums: &[f32]| {
            if let Some(row) = out.rb_mut().row_mut(m).try_as_row_major_mut() {
                let Some(to) = row.as_slice_mut().get_mut(at - first..) else { return };
                let count = sums.len().min(to.len());
                to[..count].copy_from_slice(&sums[..count]);
            }
        };
        match (x, &self.form) {
            (Inputs::Integers(x), Form::Coded(coded)) => {
                let rows = first..(panels.end * PANEL).min(self.rows);
                for at in rows.step_by(SIDE) {
                    let block = coded.block(at / SIDE, self.width);
                    x.times(block, |m, sums| put(m, at, sums));
                }
            }
            (Inputs::Rounded(x), Form::Rounded(tiles)) => bf16::panels(x, tiles, panels, put),
            (Inputs::Rows(x), Form::Rounded(tiles)) => x.times(tiles, panels, put),
            (Inputs::Numbers(x), _) => {
                let mut scratch = Vec::new();
                let mut sums = Vec::new();
                for panel in panels {
                    x.times(self.panel(panel, &mut scratch), &mut sums);
                    let sums = sums.iter().enumerate();
                    sums.for_each(|(m, sums)| put(m, panel * PANEL, &sums.0));
                }
            }
            _ => unreachable!("inputs were made for what they meet"),
        }
    }

    /// `x[m, width] · selfᵀ`, `[m, rows]`.
    pub fn times(&self, x: &[f32], precision: Precision) -> Vec<f32> {
        let [out] = products([self], x, precision);
        out
    }
}

/// Rows of inputs, as what they meet needs them.
enum Inputs {
    Numbers(Left),
    Integers(Integers),
    Rows(bf16::Rows),
    Rounded(bf16::Packed),
}

/// What rows of inputs are turned into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Numbers,
    /// In groups of so many.
    Integers(usize),
    Rows,
    Rounded,
}

impl Inputs {
    /// Rows of `width` numbers.
    fn new(x: &[f32], width: usize, kind: Kind, precision: Precision) -> Self {
        let of = kernels::Matrix { data: x, width };
        match kind {
            Kind::Numbers => Self::Numbers(Left::new(of)),
            Kind::Integers(group) => {
                Self::Integers(Integers::new(x, width, group, precision == Precision::Exact))
            }
            Kind::Rows => Self::Rows(bf16::Rows::new(of)),
            Kind::Rounded => {
                let mut rounded = bf16::Packed::default();
                rounded.left(of);
                Self::Rounded(rounded)
            }
        }
    }
}

/// `x · matrixᵀ` for each of some matrices of one width, `[m, rows]` each, on the threads of the
/// current pool.
pub fn products<const N: usize>(
    matrices: [&Packed; N],
    x: &[f32],
    precision: Precision,
) -> [Vec<f32>; N] {
    let width = matrices[0].width;
    let m = x.len() / width;
    let mut out = matrices.map(|matrix| vec![0.0; m * matrix.rows]);
    if m == 0 {
        return out;
    }
    let work = matrices.iter().map(|matrix| matrix.rows).sum::<usize>() * x.len();
    let threads = (work / WORTH).clamp(1, rayon::current_num_threads());
    let kind = |matrix: &Packed| match &matrix.form {
        Form::Coded(coded) if m <= FEW => Kind::Integers(coded.group),
        Form::Rounded(_) if m <= FEW => Kind::Rows,
        Form::Rounded(_) if tiles::is_there() => Kind::Rounded,
        _ => Kind::Numbers,
    };
    let mut inputs: Vec<(Kind, Inputs)> = Vec::with_capacity(N);
    let of = matrices.map(|matrix| {
        let kind = kind(matrix);
        let known = inputs.iter().position(|(known, _)| *known == kind);
        known.unwrap_or_else(|| {
            inputs.push((kind, Inputs::new(x, width, kind, precision)));
            inputs.len() - 1
        })
    });
    // Weights are read once: each thread takes panels of its own, and all rows of the inputs.
    let parts = if m > FEW { 2 * threads } else { threads };
    let mut tasks = Vec::new();
    for ((matrix, x), out) in matrices.iter().zip(of).zip(&mut out) {
        let panels = matrix.rows.div_ceil(PANEL);
        let step = panels.div_ceil(parts);
        let mut rest = MatMut::from_row_major_slice_mut(out, m, matrix.rows);
        for at in (0..panels).step_by(step) {
            let wide = (step * PANEL).min(rest.ncols());
            let (own, after) = rest.split_at_col_mut(wide);
            tasks.push((matrix, &inputs[x].1, at..(at + step).min(panels), own));
            rest = after;
        }
    }
    if threads == 1 {
        for (matrix, x, panels, out) in tasks {
            matrix.part(x, panels, out);
        }
    } else {
        let tasks = tasks.into_par_iter().with_max_len(1);
        tasks.for_each(|(matrix, x, panels, out)| matrix.part(x, panels, out));
    }
    out
}

#[cfg(test)]
#[path = "packed_tests.rs"]
mod tests;
