//! f32 products of packed operands. Columns of the right one lie side by side in panels: a vector
//! holds the same term of many columns' sums, so that nothing is added across a vector and the
//! operand is read in the order in which it lies. Rows of the left one lie side by side in tiles, as
//! many as there are registers for their sums.
//!
//! A sum has one order, whatever other rows and columns are computed with it.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::forms::arch;
use super::operand::Matrix;
use super::tiles::prefetch;

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

/// Terms that are turned at once, so that they stay in the nearest cache.
const TURNED: usize = 64;

/// A left operand: its rows in tiles, each `[terms, rows of the tile]`.
#[derive(Debug, Default)]
pub struct Left {
    data: Vec<f32>,
    rows: usize,
    terms: usize,
}

/// A tile, and where it belongs.
type Part<'a> = (Range<usize>, &'a mut [f32]);

impl Left {
    /// Room for a matrix; every number is to be written.
    fn parts(&mut self, rows: usize, terms: usize) -> Vec<Part<'_>> {
        self.rows = rows;
        self.terms = terms;
        self.data.resize(rows * terms, 0.0);
        let mut first = 0;
        let mut rest = &mut self.data[..];
        let parts = sizes(rows).map(|size| {
            let (tile, others) = std::mem::take(&mut rest).split_at_mut(size * terms);
            rest = others;
            first += size;
            (first - size..first, tile)
        });
        parts.collect()
    }

    /// The operand whose rows are rows of `of`.
    pub fn rows(&mut self, of: Matrix<'_>) {
        let parts = self.parts(of.data.len() / of.width, of.width);
        for part in parts {
            turn(part, of);
        }
    }

    /// The same, on all threads of the pool where it is worth it.
    pub fn rows_together(&mut self, of: Matrix<'_>) {
        let parts = self.parts(of.data.len() / of.width, of.width);
        parts.into_par_iter().with_min_len(MANY / 2).for_each(|part| turn(part, of));
    }

    /// The operand whose rows are columns `columns` of `of`, the terms lying down them.
    pub fn columns(&mut self, of: Matrix<'_>, columns: Range<usize>) {
        let mut parts = self.parts(columns.len(), of.data.len() / of.width);
        // A few rows at a time, which then lie in the nearest caches: each gives a little to every
        // tile.
        for (i, some) in of.data.chunks(TURNED * of.width).enumerate() {
            for (rows, tile) in &mut parts {
                let to = &mut tile[i * TURNED * rows.len()..];
                let from = &some[columns.start + rows.start..];
                match rows.len() {
                    12 => take_columns::<12>(from, of.width, to),
                    8 => take_columns::<8>(from, of.width, to),
                    6 => take_columns::<6>(from, of.width, to),
                    4 => take_columns::<4>(from, of.width, to),
                    3 => take_columns::<3>(from, of.width, to),
                    2 => take_columns::<2>(from, of.width, to),
                    _ => take_columns::<1>(from, of.width, to),
                }
            }
        }
    }

    /// Products of all rows with a panel, one after another.
    pub fn times(&self, panel: &[Terms], sums: &mut Vec<Terms>) {
        sums.clear();
        sums.resize(self.rows, NONE);
        for terms in depths(self.terms) {
            let mut sums = &mut sums[..];
            for (rows, x) in self.tiles(&terms) {
                let (to, others) = sums.split_at_mut(rows.len());
                add(&panel[terms.clone()], x, to.iter_mut().map(|sums| &mut sums.0), true);
                sums = others;
            }
        }
    }

    /// Products of some terms of all rows with those of a panel, into `columns` of `out`, whose rows
    /// are `width` wide.
    fn meet(
        &self,
        terms: &Range<usize>,
        panel: &[Terms],
        (out, width): (&mut [f32], usize),
        columns: Range<usize>,
        adds: bool,
    ) {
        for (rows, x) in self.tiles(terms) {
            let out = out[rows.start * width..rows.end * width].chunks_exact_mut(width);
            let out = out.map(|row| &mut row[columns.clone()]);
            if columns.len() == PANEL {
                add(panel, x, out.filter_map(|row| row.first_chunk_mut()), adds);
                continue;
            }
            let mut sums = [[0.0; PANEL]; TILES[0]];
            add(panel, x, sums[..rows.len()].iter_mut(), false);
            for (out, sums) in out.zip(&sums) {
                let terms = out.iter_mut().zip(sums);
                terms.for_each(|(out, sum)| *out = if adds { *out + sum } else { *sum });
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
#[derive(Debug, Default)]
pub struct Right {
    data: Vec<Terms>,
    columns: usize,
    terms: usize,
}

impl Right {
    /// Room for a matrix; every number is to be written.
    fn resize(&mut self, columns: usize, terms: usize) {
        self.columns = columns;
        self.terms = terms;
        self.data.resize(columns.div_ceil(PANEL) * terms, NONE);
    }

    /// The operand whose *columns* are rows of `of`: a weight as checkpoints store it.
    pub fn rows(&mut self, of: Matrix<'_>) {
        let columns = of.data.len() / of.width;
        self.resize(columns, of.width);
        let rows = of.data.chunks(PANEL * of.width);
        for (panel, rows) in self.data.chunks_exact_mut(of.width).zip(rows) {
            if rows.len() < PANEL * of.width {
                panel.fill(NONE);
            }
            for (i, panel) in panel.chunks_mut(TURNED).enumerate() {
                for (column, row) in rows.chunks_exact(of.width).enumerate() {
                    let terms = panel.iter_mut().zip(&row[i * TURNED..]);
                    terms.for_each(|(terms, value)| terms.0[column] = *value);
                }
            }
        }
    }

    /// The panels, each `[terms]`.
    pub fn panels(&self) -> impl ExactSizeIterator<Item = &[Terms]> {
        self.data.chunks_exact(self.terms)
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

/// `out[left, right] (+)= left · right`, rows of `out` as wide as the right operand.
pub fn product(out: &mut [f32], left: &Left, right: &Right, adds: bool) {
    for terms in depths(left.terms) {
        let adds = adds || terms.start > 0;
        for (n, panel) in right.panels().enumerate() {
            let columns = n * PANEL..((n + 1) * PANEL).min(right.columns);
            left.meet(&terms, &panel[terms.clone()], (&mut *out, right.columns), columns, adds);
        }
    }
}

/// The same with a right operand whose columns are columns of `of`, the terms lying down them: what
/// stays in the nearest cache is packed as it is needed.
pub fn product_of_columns(out: &mut [f32], left: &Left, of: Matrix<'_>, adds: bool) {
    let mut panel = vec![NONE; DEPTH.min(left.terms)];
    for terms in depths(left.terms) {
        let adds = adds || terms.start > 0;
        let rows = of.data[terms.start * of.width..terms.end * of.width].chunks_exact(of.width);
        for first in (0..of.width).step_by(PANEL) {
            let columns = first..(first + PANEL).min(of.width);
            for (terms, row) in panel.iter_mut().zip(rows.clone()) {
                // The next panel lies beside this one, a row away from what was read before.
                prefetch(&row[first..], PANEL);
                prefetch(&row[first..], PANEL + PANEL / 2);
                let row = &row[columns.clone()];
                if let Ok(whole) = row.try_into() {
                    terms.0 = whole;
                } else {
                    *terms = NONE;
                    terms.0[..row.len()].copy_from_slice(row);
                }
            }
            left.meet(&terms, &panel[..terms.len()], (&mut *out, of.width), columns, adds);
        }
    }
}

/// Terms of sums in parts, so that a part of a panel stays in the nearest cache.
fn depths(terms: usize) -> impl Iterator<Item = Range<usize>> {
    let step = terms.div_ceil(terms.div_ceil(DEPTH).max(1)).max(1);
    (0..terms).step_by(step).map(move |first| first..(first + step).min(terms))
}

/// How some rows are parted in tiles.
pub fn sizes(rows: usize) -> impl Iterator<Item = usize> {
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
pub fn add<'a>(
    panel: &[Terms],
    x: &[f32],
    mut sums: impl Iterator<Item = &'a mut [f32; PANEL]>,
    adds: bool,
) {
    let rows = x.len().checked_div(panel.len()).unwrap_or_default();
    let mut sums: [Option<&mut [f32; PANEL]>; TILES[0]] = std::array::from_fn(|_| sums.next());
    // A copy of it just after it was written would wait for every one of its words.
    let sums = &mut sums;
    match rows {
        12 => arch().dispatch(Tile::<12> { panel, x, sums, adds }),
        8 => arch().dispatch(Tile::<8> { panel, x, sums, adds }),
        6 => arch().dispatch(Tile::<6> { panel, x, sums, adds }),
        4 => arch().dispatch(Tile::<4> { panel, x, sums, adds }),
        3 => arch().dispatch(Tile::<3> { panel, x, sums, adds }),
        2 => arch().dispatch(Tile::<2> { panel, x, sums, adds }),
        1 => arch().dispatch(Tile::<1> { panel, x, sums, adds }),
        _ => {}
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

/// The first `R` columns of rows `width` apart as a tile.
fn take_columns<const R: usize>(from: &[f32], width: usize, to: &mut [f32]) {
    for (to, row) in to.as_chunks_mut::<R>().0.iter_mut().zip(from.chunks(width)) {
        if let Some(row) = row.first_chunk() {
            *to = *row;
        }
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
struct Tile<'a, 'b, const R: usize> {
    panel: &'a [Terms],
    x: &'a [f32],
    sums: &'a mut [Option<&'b mut [f32; PANEL]>; TILES[0]],
    adds: bool,
}

impl<const R: usize> WithSimd for Tile<'_, '_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { panel, x, sums: out, adds } = self;
        for pair in 0..PANEL / (2 * S::F32_LANES) {
            let vectors = 2 * pair..2 * pair + 2;
            let none = [simd.splat_f32s(0.0); 2];
            let mut sums: [[S::f32s; 2]; R] = std::array::from_fn(|r| {
                out[r].as_deref().filter(|_| adds).map_or(none, |out| {
                    let vectors = &S::as_simd_f32s(out).0[vectors.clone()];
                    [vectors[0], vectors[1]]
                })
            });
            for (terms, x) in panel.iter().zip(x.as_chunks::<R>().0) {
                if R <= 4 {
                    prefetch(&terms.0, AHEAD * PANEL);
                    prefetch(&terms.0, AHEAD * PANEL + PANEL / 2);
                }
                let terms = &S::as_simd_f32s(&terms.0).0[vectors.clone()];
                for (sums, x) in sums.iter_mut().zip(x) {
                    let x = simd.splat_f32s(*x);
                    sums[0] = simd.mul_add_f32s(terms[0], x, sums[0]);
                    sums[1] = simd.mul_add_f32s(terms[1], x, sums[1]);
                }
            }
            for (sums, out) in sums.iter().zip(out.iter_mut().flatten()) {
                S::as_mut_simd_f32s(&mut out[..]).0[vectors.clone()].copy_from_slice(sums);
            }
        }
    }
}

#[cfg(test)]
#[path = "panels_tests.rs"]
mod tests;
