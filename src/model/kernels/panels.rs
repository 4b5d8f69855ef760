//! f32 products with a weight whose rows lie side by side in panels: a vector of a panel holds the
//! same term of many rows' sums, so that nothing is added across a vector and the weight is read in
//! the order in which it lies.
//!
//! A row's sums have one order, whatever other rows are computed with it.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::forms::arch;
use super::tiles::prefetch;

/// Rows of a weight side by side.
pub const PANEL: usize = 32;

/// A term of each of the rows of a panel; a panel is `[width]` of them. Vectors of it never lie
/// across two lines of a cache.
#[derive(Debug, Clone, Copy)]
#[repr(align(128))]
pub struct Terms(pub [f32; PANEL]);

/// Terms of a panel that stay in the nearest cache while all rows of inputs meet them.
const DEPTH: usize = 192;

/// Rows of inputs that a panel meets at once: as many sums as fit the registers.
const TILES: [usize; 6] = [12, 8, 4, 3, 2, 1];

/// The same where there are half as many registers.
const SMALL_TILES: [usize; 5] = [6, 4, 3, 2, 1];

/// How far ahead of few rows a weight is asked for, in terms: without that they wait for it half of
/// the time.
const AHEAD: usize = 64;

/// Tiles from which on it is worth dealing them out.
const MANY: usize = 8;

/// Rows of inputs in tiles, each `[width, rows of the tile]`.
#[derive(Debug)]
pub struct Tiles {
    data: Vec<f32>,
    sizes: Vec<usize>,
    width: usize,
}

impl Tiles {
    /// Of `x[m, width]`.
    pub fn new(x: &[f32], width: usize) -> Self {
        let mut data = vec![0.0; x.len()];
        let sizes: Vec<usize> = sizes(x.len() / width).collect();
        let mut tasks = Vec::with_capacity(sizes.len());
        let mut rest = (x, &mut data[..]);
        for size in &sizes {
            let (tile, rows) = rest.0.split_at(size * width);
            let (to, others) = rest.1.split_at_mut(size * width);
            tasks.push((*size, tile, to));
            rest = (rows, others);
        }
        if tasks.len() < MANY {
            for (size, tile, to) in tasks {
                turn(size, tile, to);
            }
        } else {
            let tasks = tasks.into_par_iter().with_min_len(MANY / 2);
            tasks.for_each(|(size, tile, to)| turn(size, tile, to));
        }
        Self { data, sizes, width }
    }

    /// Products of all rows with a panel, one after another.
    pub fn times(&self, panel: &[Terms], sums: &mut Vec<Terms>) {
        sums.clear();
        sums.resize(self.sizes.iter().sum(), Terms([0.0; PANEL]));
        for (i, panel) in panel.chunks(DEPTH).enumerate() {
            let mut rest = &self.data[..];
            let mut sums = &mut sums[..];
            for size in &self.sizes {
                let (x, after) = rest.split_at(size * self.width);
                let (to, others) = sums.split_at_mut(*size);
                let x = &x[i * DEPTH * size..][..panel.len() * size];
                add(*size, panel, x, to);
                rest = after;
                sums = others;
            }
        }
    }
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

/// Adds the products of a tile of `size` rows, `x[terms, size]`, with some terms of a panel to
/// their sums.
pub fn add(size: usize, panel: &[Terms], x: &[f32], sums: &mut [Terms]) {
    match size {
        12 => arch().dispatch(Tile::<12>(panel, x, sums)),
        8 => arch().dispatch(Tile::<8>(panel, x, sums)),
        6 => arch().dispatch(Tile::<6>(panel, x, sums)),
        4 => arch().dispatch(Tile::<4>(panel, x, sums)),
        3 => arch().dispatch(Tile::<3>(panel, x, sums)),
        2 => arch().dispatch(Tile::<2>(panel, x, sums)),
        _ => arch().dispatch(Tile::<1>(panel, x, sums)),
    }
}

/// A tile column by column.
fn turn(size: usize, tile: &[f32], to: &mut [f32]) {
    match size {
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

/// Adds the products of `R` rows, `x[terms, R]`, with some terms of a panel to their sums.
struct Tile<'a, const R: usize>(&'a [Terms], &'a [f32], &'a mut [Terms]);

impl<const R: usize> WithSimd for Tile<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self(weights, x, out) = self;
        let Some(out) = out.first_chunk_mut::<R>() else { return };
        for pair in 0..PANEL / (2 * S::F32_LANES) {
            let vectors = 2 * pair..2 * pair + 2;
            let mut sums: [[S::f32s; 2]; R] = std::array::from_fn(|r| {
                let vectors = &S::as_simd_f32s(&out[r].0).0[vectors.clone()];
                [vectors[0], vectors[1]]
            });
            for (terms, x) in weights.iter().zip(x.as_chunks::<R>().0) {
                if R <= 4 {
                    prefetch(&terms.0, AHEAD * PANEL);
                    prefetch(&terms.0, AHEAD * PANEL + PANEL / 2);
                }
                let weights = &S::as_simd_f32s(&terms.0).0[vectors.clone()];
                for (sums, x) in sums.iter_mut().zip(x) {
                    let x = simd.splat_f32s(*x);
                    sums[0] = simd.mul_add_f32s(weights[0], x, sums[0]);
                    sums[1] = simd.mul_add_f32s(weights[1], x, sums[1]);
                }
            }
            for (sums, out) in sums.iter().zip(out.iter_mut()) {
                S::as_mut_simd_f32s(&mut out.0).0[vectors.clone()].copy_from_slice(sums);
            }
        }
    }
}
