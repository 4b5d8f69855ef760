//! Products of bf16 operands, added up in f32. A number is rounded to bf16 (8 bits of mantissa, to
//! nearest even) when an operand is packed into tiles; what is added up, and everything that is
//! kept, stays f32.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::forms::arch;
use super::panels::Terms;
use super::tiles::{DEPTH, SIDE, Sums, Tile, Unit, WIDTH, high, low, prefetch};
use super::transpose::transpose;
use super::{Matrix, kernel};

/// Panels of columns that are worth a task: they are as deep as there are tokens.
const PANELS: usize = 4;

/// An operand in tiles: for each [`SIDE`] rows (of the left operand; columns of the right one) its
/// tiles along the terms of the sums, one after the other. What is missing at the edges is zero.
#[derive(Debug, Default)]
pub struct Packed {
    tiles: Vec<Tile>,
    /// Rows (columns) in all.
    side: usize,
    /// Tiles along the terms.
    depth: usize,
}

impl Packed {
    /// Room for a matrix of `side` by `terms`; every tile is to be written, edges and all.
    fn resize(&mut self, side: usize, terms: usize) {
        self.side = side;
        self.depth = terms.div_ceil(DEPTH);
        // An even number of panels: they are multiplied two by two.
        let panels = side.div_ceil(WIDTH) * 2;
        self.tiles.resize(panels * self.depth, [[0; SIDE]; SIDE]);
    }

    /// Columns of a right operand (rows of a left one).
    pub fn columns(&self) -> usize {
        self.side
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.tiles[..])
    }

    /// A column of a right operand, its `terms` terms appended to `out`.
    pub fn column(&self, column: usize, terms: usize, out: &mut Vec<f32>) {
        let end = out.len() + terms;
        for tile in self.panel(column / SIDE) {
            let pairs = || tile.iter().map(|pair| pair[column % SIDE]);
            out.extend(pairs().map(low));
            out.extend(pairs().map(high));
        }
        out.truncate(end);
    }

    /// [`WIDTH`] columns of a right operand, as many terms of each as there is room for.
    pub fn numbers(&self, panel: usize, out: &mut [Terms]) {
        for (half, tiles) in [self.panel(2 * panel), self.panel(2 * panel + 1)].iter().enumerate() {
            let columns = half * SIDE..(half + 1) * SIDE;
            for (terms, tile) in out.chunks_mut(DEPTH).zip(*tiles) {
                for (i, terms) in terms.iter_mut().enumerate() {
                    let of = if i < SIDE { low } else { high };
                    let pairs = tile[i % SIDE].iter().map(|pair| of(*pair));
                    terms.0[columns.clone()].iter_mut().zip(pairs).for_each(|(to, x)| *to = x);
                }
            }
        }
    }

    fn panel(&self, n: usize) -> &[Tile] {
        &self.tiles[n * self.depth..(n + 1) * self.depth]
    }

    /// The left operand whose rows are rows of `of`, the terms lying along them.
    pub fn left(&mut self, of: Matrix<'_>) {
        self.rows(of, true);
    }

    /// The right operand whose *columns* are rows of `of`: a weight as checkpoints store it.
    pub fn right_of_rows(&mut self, of: Matrix<'_>) {
        self.rows(of, false);
    }

    fn rows(&mut self, of: Matrix<'_>, left: bool) {
        let rows = of.data.len() / of.width;
        self.resize(rows, of.width);
        for (n, panel) in self.tiles.chunks_exact_mut(self.depth).enumerate() {
            let from = (n * SIDE).min(rows);
            let part = &of.data[from * of.width..(from + SIDE).min(rows) * of.width];
            pack_rows(panel, part, of.width, left);
        }
    }

    /// The right operand whose columns are columns `columns` of `of`, the terms lying down them.
    pub fn right(&mut self, of: Matrix<'_>, columns: Range<usize>) {
        self.pack_down(of, columns, false);
    }

    /// The left operand whose rows are columns `columns` of `of`, the terms lying down them.
    pub fn left_of_columns(&mut self, of: Matrix<'_>, columns: Range<usize>) {
        self.pack_down(of, columns, true);
    }

    fn pack_down(&mut self, of: Matrix<'_>, columns: Range<usize>, left: bool) {
        self.resize(columns.len(), of.data.len() / of.width);
        let panels = self.tiles.par_chunks_exact_mut(self.depth).with_min_len(PANELS).enumerate();
        panels.for_each(|(n, panel)| {
            let from = (columns.start + n * SIDE).min(columns.end);
            let part = from..(from + SIDE).min(columns.end);
            pack_columns(panel, of.data, of.width, part, left);
        });
    }
}

/// To the nearest bf16, even where two are as near; it stands in the upper half. (What is not a
/// number, as arithmetic makes it, may become infinite: it is found out either way.)
#[inline(always)]
fn round(x: f32) -> u32 {
    let bits = x.to_bits();
    bits.wrapping_add(0x7fff + (bits >> 16 & 1))
}

/// Pairs of the terms of a tile: term `i` with term `i + 16`, in every operand alike. (Neighbours
/// would have to be sorted out of vectors.)
#[inline(always)]
fn pairs(first: &[f32; SIDE], second: &[f32; SIDE]) -> [u32; SIDE] {
    let mut pairs = [0; SIDE];
    for i in 0..SIDE {
        pairs[i] = round(first[i]) >> 16 | round(second[i]) & 0xffff_0000;
    }
    pairs
}

/// The beginning of a row, zeros behind it.
#[inline(always)]
fn padded(numbers: &[f32]) -> [f32; SIDE] {
    if let Ok(whole) = numbers.try_into() {
        return whole;
    }
    let mut padded = [0.0; SIDE];
    padded[..numbers.len()].copy_from_slice(numbers);
    padded
}

/// Some columns of a row, zeros where there is no such row.
#[inline(always)]
fn row(data: &[f32], width: usize, at: usize, columns: &Range<usize>) -> [f32; SIDE] {
    let from = at * width + columns.start;
    match data.get(from..from + columns.len()) {
        Some(numbers) => padded(numbers),
        None => [0.0; SIDE],
    }
}

kernel! {
/// A panel of up to [`SIDE`] rows, `width` numbers each, as tiles `[row][pair]`, or `[pair][row]`.
fn pack_rows<'a>(panel: &'a mut [Tile], part: &'a [f32], width: usize, left: bool) -> () {
    for (d, tile) in panel.iter_mut().enumerate() {
        let first = d * DEPTH..(d * DEPTH + SIDE).min(width);
        let second = first.end..(first.end + SIDE).min(width);
        if part.len() < SIDE * width {
            *tile = [[0; SIDE]; SIDE];
        }
        for (row, numbers) in tile.iter_mut().zip(part.chunks_exact(width)) {
            *row = pairs(&padded(&numbers[first.clone()]), &padded(&numbers[second.clone()]));
        }
        if !left {
            transpose(tile);
        }
    }
}
}

kernel! {
/// A panel of up to [`SIDE`] columns of rows `width` apart, as tiles `[pair][column]`, or
/// `[column][pair]`.
fn pack_columns<'a>(
    panel: &'a mut [Tile],
    data: &'a [f32],
    width: usize,
    columns: Range<usize>,
    left: bool,
) -> () {
    for (d, tile) in panel.iter_mut().enumerate() {
        for (i, both) in tile.iter_mut().enumerate() {
            let first = row(data, width, d * DEPTH + i, &columns);
            let second = row(data, width, d * DEPTH + SIDE + i, &columns);
            *both = pairs(&first, &second);
        }
        if left {
            transpose(tile);
        }
    }
}
}

/// A few rows of inputs, as they are: each is waited for by the memory that the other operand lies
/// in, and needs no rounding.
#[derive(Debug)]
pub struct Rows {
    /// `[rows, tiles · DEPTH]`, zeros at the end of each.
    data: Vec<f32>,
    width: usize,
}

/// How far ahead a tile is asked for, in rows of one.
const AHEAD: usize = 128;

impl Rows {
    /// Rows of `of`.
    pub fn new(of: Matrix<'_>) -> Self {
        let width = of.width.next_multiple_of(DEPTH);
        let mut data = vec![0.0; of.data.len() / of.width * width];
        for (to, row) in data.chunks_exact_mut(width).zip(of.data.chunks_exact(of.width)) {
            to[..of.width].copy_from_slice(row);
        }
        Self { data, width }
    }

    /// Their sums with some panels, as of [`panels`].
    pub fn times(
        &self,
        right: &Packed,
        panels: Range<usize>,
        mut put: impl FnMut(usize, usize, &[f32]),
    ) {
        let rows = self.data.len() / self.width;
        let mut sums = [[0.0; SIDE]; 4];
        for n in 2 * panels.start..2 * panels.end {
            let tiles = right.panel(n);
            let mut first = 0;
            while first < rows {
                let size = if rows - first >= 4 { 4 } else { (rows - first).min(2) };
                let x = &self.data[first * self.width..(first + size) * self.width];
                match size {
                    4 => arch().dispatch(Few::<4> { tiles, x, sums: &mut sums }),
                    2 => arch().dispatch(Few::<2> { tiles, x, sums: &mut sums }),
                    _ => arch().dispatch(Few::<1> { tiles, x, sums: &mut sums }),
                }
                let sums = sums[..size].iter().enumerate();
                sums.for_each(|(row, sums)| put(first + row, n * SIDE, sums));
                first += size;
            }
        }
    }
}

/// The sums of `R` rows with [`SIDE`] columns.
struct Few<'a, const R: usize> {
    tiles: &'a [Tile],
    x: &'a [f32],
    sums: &'a mut [[f32; SIDE]],
}

impl<const R: usize> WithSimd for Few<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { tiles, x, sums: out } = self;
        let width = tiles.len() * DEPTH;
        let x: [&[[f32; DEPTH]]; R] =
            std::array::from_fn(|r| x[r * width..(r + 1) * width].as_chunks().0);
        let up = simd.splat_u32s(0xffff_0000);
        for part in 0..SIDE / S::F32_LANES {
            let mut sums = [[simd.splat_f32s(0.0); 2]; R];
            for (d, tile) in tiles.iter().enumerate() {
                for (i, pairs) in tile.iter().enumerate() {
                    if part == 0 {
                        prefetch(pairs, AHEAD);
                    }
                    let pairs = S::as_simd_u32s(pairs).0[part];
                    let second = simd.transmute_f32s_u32s(simd.and_u32s(pairs, up));
                    let first = simd.wrapping_dyn_shl_u32s(pairs, simd.splat_u32s(16));
                    let first = simd.transmute_f32s_u32s(first);
                    for (sums, x) in sums.iter_mut().zip(&x) {
                        let of = |i: usize| simd.splat_f32s(x[d][i]);
                        sums[0] = simd.mul_add_f32s(first, of(i), sums[0]);
                        sums[1] = simd.mul_add_f32s(second, of(SIDE + i), sums[1]);
                    }
                }
            }
            for ([first, second], out) in sums.into_iter().zip(out.iter_mut()) {
                S::as_mut_simd_f32s(out).0[part] = simd.add_f32s(first, second);
            }
        }
    }
}

/// The sums of all rows of the left operand with some panels of [`WIDTH`] columns of the right one:
/// `put(row, column, sums)`, those beyond the last column among them.
pub fn panels(
    left: &Packed,
    right: &Packed,
    panels: Range<usize>,
    mut put: impl FnMut(usize, usize, &[f32]),
) {
    let unit = Unit::begin();
    let mut sums: Sums = [0.0; WIDTH * WIDTH];
    for panel in panels {
        let right = [right.panel(2 * panel), right.panel(2 * panel + 1)];
        for at in (0..left.side).step_by(WIDTH) {
            let i = at / SIDE;
            unit.multiply([left.panel(i), left.panel(i + 1)], right, &mut sums);
            let rows = sums.chunks_exact(WIDTH).take(left.side - at).enumerate();
            rows.for_each(|(row, sums)| put(at + row, panel * WIDTH, sums));
        }
    }
}

/// `out[left, right] (+)= left · right`, rows of `out` as wide as the right operand.
pub fn product(out: &mut [f32], left: &Packed, right: &Packed, add: bool) {
    let width = right.side;
    let unit = Unit::begin();
    let mut sums: Sums = [0.0; WIDTH * WIDTH];
    for (i, rows) in out.chunks_mut(WIDTH * width).enumerate() {
        let left = [left.panel(2 * i), left.panel(2 * i + 1)];
        for j in 0..width.div_ceil(WIDTH) {
            unit.multiply(left, [right.panel(2 * j), right.panel(2 * j + 1)], &mut sums);
            let columns = j * WIDTH..((j + 1) * WIDTH).min(width);
            for (row, sums) in rows.chunks_exact_mut(width).zip(sums.chunks_exact(WIDTH)) {
                let row = &mut row[columns.clone()];
                if add {
                    row.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
                } else {
                    row.copy_from_slice(&sums[..row.len()]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kernels::{mul_nn, mul_nt, mul_tn};
    use crate::rng::Rng;

    fn rounded(x: f32) -> f32 {
        f32::from_bits(round(x) & 0xffff_0000)
    }

    #[test]
    fn rounding_is_to_the_nearest_even_bf16() {
        let cases =
            [(1.0, 1.0), (1.003_906_2, 1.0), (1.011_718_8, 1.015_625), (-2.5, -2.5), (0.0, 0.0)];
        for (x, want) in cases {
            assert_eq!(rounded(x).to_bits(), f32::to_bits(want), "{x}");
        }
    }

    #[test]
    fn products_are_those_of_the_rounded_operands_whatever_the_edges() {
        let mut rng = Rng::new(9);
        for (m, n, k) in [(1, 1, 1), (16, 16, 32), (33, 17, 40), (70, 100, 65), (64, 96, 128)] {
            let mut draw = |n: usize| -> Vec<f32> {
                (0..n).map(|_| rounded(rng.unit() as f32 - 0.5)).collect()
            };
            let (a, b, c) = (draw(m * k), draw(n * k), draw(m * n));
            let near = |found: &[f32], want: &[f32], terms: usize| {
                for (x, y) in found.iter().zip(want) {
                    assert!((x - y).abs() <= 2e-6 * terms as f32, "{m} {n} {k}: {x} {y}");
                }
            };
            let of = |data, width| Matrix { data, width };
            let mut left = Packed::default();
            let mut right = Packed::default();
            for add in [false, true] {
                let (mut found, mut want) = (vec![1.0; m * n], vec![1.0; m * n]);
                left.left(of(&a, k));
                right.right_of_rows(of(&b, k));
                product(&mut found, &left, &right, add);
                mul_nt(&mut want, &a, &b, k, add);
                near(&found, &want, k);
                let (mut found, mut want) = (vec![1.0; m * k], vec![1.0; m * k]);
                left.left(of(&c, n));
                right.right(of(&b, k), 0..k);
                product(&mut found, &left, &right, add);
                mul_nn(&mut want, &c, &b, n, add);
                near(&found, &want, n);
            }
            // Some rows of a weight's gradient.
            let from = n / 3;
            let (mut found, mut want) = (vec![1.0; (n - from) * k], vec![1.0; (n - from) * k]);
            left.left_of_columns(of(&c, n), from..n);
            right.right(of(&a, k), 0..k);
            product(&mut found, &left, &right, true);
            mul_tn(&mut want, (&c, n), from, &a);
            near(&found, &want, m);
        }
    }
}
