//! f32 products of packed operands. Columns of the right one lie side by side in panels: a vector
//! holds the same term of many columns' sums, so that nothing is added across a vector and the
//! operand is read in the order in which it lies. Rows of the left one lie side by side in tiles,
//! as many as there are registers for their sums.
//!
//! A sum has one order, whatever other rows and columns are computed with it.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::Matrix;
use super::forms::arch;
use super::tiles::prefetch;
use super::transpose::{SQUARE, transpose};

/// Columns of a right operand side by side.
pub const PANEL: usize = 32;

/// A term of each of the columns of a panel. Vectors of it never lie across two lines of a cache.
#[derive(Debug, Clone, Copy)]
#[repr(align(128))]
pub struct Terms(pub [f32; PANEL]);

/// No terms.
pub const NONE: Terms = Terms([0.0; PANEL]);

/// Terms of a panel that stay in the nearest cache while all tiles meet them.
const DEPTH: usize = 256;

/// Rows of a tile: as many sums as fit the registers.
const TILES: [usize; 6] = [12, 8, 4, 3, 2, 1];

/// The same where there are half as many registers.
const SMALL_TILES: [usize; 5] = [6, 4, 3, 2, 1];

/// How far ahead of few rows a panel is asked for, in terms: without that they wait for it half of
/// the time.
const AHEAD: usize = 64;

/// Tiles from which on it is worth dealing them out.
const MANY: usize = 8;

/// A left operand: its rows in tiles, each `[terms, rows of the tile]`.
#[derive(Debug)]
pub struct Left {
    data: Vec<f32>,
    rows: usize,
    terms: usize,
}

/// A tile, and where it belongs.
type Part<'a> = (Range<usize>, &'a mut [f32]);

impl Left {
    /// The operand whose rows are rows of `of`, on all threads of the pool where it is worth it.
    pub fn new(of: Matrix<'_>) -> Self {
        let rows = of.data.len() / of.width;
        let mut data = vec![0.0; of.data.len()];
        let mut first = 0;
        let mut rest = &mut data[..];
        let parts = sizes(rows).map(|size| {
            let (tile, others) = std::mem::take(&mut rest).split_at_mut(size * of.width);
            rest = others;
            first += size;
            (first - size..first, tile)
        });
        let parts: Vec<Part<'_>> = parts.collect();
        parts.into_par_iter().with_min_len(MANY / 2).for_each(|part| turn(part, of));
        Self { data, rows, terms: of.width }
    }

    /// Products of all rows with a panel, one after another.
    pub fn times(&self, panel: &[Terms], sums: &mut Vec<Terms>) {
        sums.resize(self.rows, NONE);
        for terms in depths(self.terms) {
            let mut sums = &mut sums[..];
            for (rows, x) in self.tiles(&terms) {
                let (to, others) = sums.split_at_mut(rows.len());
                add(&panel[terms.clone()], x, to, terms.start > 0);
                sums = others;
            }
        }
    }

    /// Some terms of all tiles, each with its rows.
    fn tiles<'a>(
        &'a self,
        terms: &'a Range<usize>,
    ) -> impl Iterator<Item = (Range<usize>, &'a [f32])> {
        let mut first = 0;
        sizes(self.rows).map(move |size| {
            let tile = &self.data[first * self.terms..];
            first += size;
            (first - size..first, &tile[terms.start * size..terms.end * size])
        })
    }
}

/// A right operand: its columns in panels, each `[terms]`; the last one is filled up with zeros.
#[derive(Debug)]
pub struct Right {
    data: Vec<Terms>,
    terms: usize,
}

impl Right {
    /// The operand whose *columns* are rows of `of`: a weight as checkpoints store it.
    pub fn new(of: Matrix<'_>) -> Self {
        let columns = of.data.len() / of.width;
        let mut data = vec![NONE; columns.div_ceil(PANEL) * of.width];
        for (n, panel) in data.chunks_exact_mut(of.width).enumerate() {
            take_rows(panel, of, n * PANEL..((n + 1) * PANEL).min(columns));
        }
        Self { data, terms: of.width }
    }

    /// A panel.
    pub fn panel(&self, n: usize) -> &[Terms] {
        &self.data[n * self.terms..(n + 1) * self.terms]
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.data[..])
    }
}

super::kernel! {
/// Some rows of `of` as a panel, whose other columns are zeros.
fn take_rows<'a>(panel: &'a mut [Terms], of: Matrix<'a>, rows: Range<usize>) -> () {
    let (squares, rest) = panel.as_chunks_mut::<SQUARE>();
    for (i, terms) in squares.iter_mut().enumerate() {
        for half in 0..PANEL / SQUARE {
            let mut square = [[0.0; SQUARE]; SQUARE];
            let own = (rows.start + half * SQUARE..rows.end).take(SQUARE);
            for (line, row) in square.iter_mut().zip(own) {
                let from = &of.data[row * of.width + i * SQUARE..];
                *line = from.first_chunk().copied().unwrap_or_default();
            }
            transpose(&mut square);
            for (terms, line) in terms.iter_mut().zip(square) {
                terms.0[half * SQUARE..(half + 1) * SQUARE].copy_from_slice(&line);
            }
        }
    }
    let first = squares.len() * SQUARE;
    for (i, terms) in rest.iter_mut().enumerate() {
        *terms = NONE;
        let own = terms.0.iter_mut().zip(rows.clone());
        own.for_each(|(term, row)| *term = of.data[row * of.width + first + i]);
    }
}
}

/// Terms of sums in parts, so that a part of a panel stays in the nearest cache.
fn depths(terms: usize) -> impl Iterator<Item = Range<usize>> {
    let step = terms.div_ceil(terms.div_ceil(DEPTH).max(1)).max(1);
    (0..terms).step_by(step).map(move |first| first..(first + step).min(terms))
}

/// How some rows are parted in tiles.
fn sizes(rows: usize) -> impl Iterator<Item = usize> {
    let known: &[usize] = if has_many_registers() { &TILES } else { &SMALL_TILES };
    let mut left = rows;
    std::iter::from_fn(move || {
        let size = known.iter().copied().find(|size| *size <= left)?;
        left -= size;
        Some(size)
    })
}

/// The products of a tile, `x[terms, rows]`, with some terms of a panel, as its rows' sums or added
/// to them.
fn add(panel: &[Terms], x: &[f32], sums: &mut [Terms], adds: bool) {
    match sums.len() {
        12 => arch().dispatch(Tile::<12> { panel, x, sums, adds }),
        8 => arch().dispatch(Tile::<8> { panel, x, sums, adds }),
        6 => arch().dispatch(Tile::<6> { panel, x, sums, adds }),
        4 => arch().dispatch(Tile::<4> { panel, x, sums, adds }),
        3 => arch().dispatch(Tile::<3> { panel, x, sums, adds }),
        2 => arch().dispatch(Tile::<2> { panel, x, sums, adds }),
        _ => arch().dispatch(Tile::<1> { panel, x, sums, adds }),
    }
}

/// Rows of a matrix as a tile.
fn turn((rows, to): Part<'_>, of: Matrix<'_>) {
    let tile = &of.data[rows.start * of.width..rows.end * of.width];
    match rows.len() {
        12 => turn_rows::<12>(tile, to),
        8 => turn_rows::<8>(tile, to),
        6 => turn_rows::<6>(tile, to),
        4 => turn_rows::<4>(tile, to),
        3 => turn_rows::<3>(tile, to),
        2 => turn_rows::<2>(tile, to),
        _ => to.copy_from_slice(tile),
    }
}

fn turn_rows<const R: usize>(tile: &[f32], to: &mut [f32]) {
    let width = tile.len() / R;
    let rows: [&[f32]; R] = std::array::from_fn(|r| &tile[r * width..(r + 1) * width]);
    for (k, to) in to.as_chunks_mut::<R>().0.iter_mut().enumerate() {
        to.iter_mut().zip(rows).for_each(|(to, row)| *to = row[k]);
    }
}

/// Whether the form in use has 32 vector registers.
fn has_many_registers() -> bool {
    #[cfg(target_arch = "x86_64")]
    return matches!(arch(), pulp::Arch::V4(_));
    #[cfg(not(target_arch = "x86_64"))]
    true
}

/// See [`add`], for exactly `R` rows.
struct Tile<'a, const R: usize> {
    panel: &'a [Terms],
    x: &'a [f32],
    sums: &'a mut [Terms],
    adds: bool,
}

impl<const R: usize> WithSimd for Tile<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { panel, x, sums: out, adds } = self;
        let Some(out) = out.first_chunk_mut::<R>() else { return };
        for pair in 0..PANEL / (2 * S::F32_LANES) {
            let vectors = 2 * pair..2 * pair + 2;
            let mut sums = [[simd.splat_f32s(0.0); 2]; R];
            for (sums, out) in sums.iter_mut().zip(out.iter()).filter(|_| adds) {
                sums.copy_from_slice(&S::as_simd_f32s(&out.0).0[vectors.clone()]);
            }
            for (terms, x) in panel.iter().zip(x.as_chunks::<R>().0) {
                if R <= 4 && pair == 0 {
                    prefetch(terms, AHEAD);
                    prefetch(&terms.0[PANEL / 2], AHEAD * PANEL);
                }
                let terms = &S::as_simd_f32s(&terms.0).0[vectors.clone()];
                for (sums, x) in sums.iter_mut().zip(x) {
                    let x = simd.splat_f32s(*x);
                    sums[0] = simd.mul_add_f32s(terms[0], x, sums[0]);
                    sums[1] = simd.mul_add_f32s(terms[1], x, sums[1]);
                }
            }
            for (sums, out) in sums.iter().zip(out.iter_mut()) {
                S::as_mut_simd_f32s(&mut out.0).0[vectors.clone()].copy_from_slice(sums);
            }
        }
    }
}

#[cfg(test)]
#[path = "panels_tests.rs"]
mod tests;
