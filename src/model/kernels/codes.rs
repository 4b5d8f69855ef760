//! Products of few rows with a weight in codes: the codes meet inputs as 16-bit integers, two
//! terms of sixteen rows' sums in a vector, and what they come to is scaled a group at a time.
//! Reading the codes is most of what it costs, so they stay as small as they came.
//!
//! The sums of a group are exact; a row's groups are added up in one order, whatever other rows
//! there are.

use pulp::bytemuck::cast;
#[cfg(target_arch = "x86_64")]
use pulp::x86::{V3, V4};
use pulp::{NullaryFnOnce, Scalar512b, Simd};

use super::forms::arch;
use super::panels::Terms;
use super::tiles::prefetch;

/// Rows of a weight side by side.
pub const SIDE: usize = 16;

/// How far ahead words are asked for.
const AHEAD: usize = 128;

/// Rows of inputs, or of parts of them, that one pass over a block serves.
const MOST: usize = 8;

/// A word of each of the rows of a block. Vectors of it never lie across two lines of a cache.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub struct Words(pub [u32; SIDE]);

/// A number for each of the rows of a block.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub struct Values(pub [f32; SIDE]);

/// Sixteen rows of a weight: words of 32 bits hold terms of two neighbouring columns, the lower one
/// in the lower half.
#[derive(Debug, Clone, Copy)]
pub struct CodeBlock<'a> {
    /// `[width / columns of a word]`: four bits a code, four pairs of columns a word; or eight, and
    /// two.
    pub words: &'a [Words],
    /// Bits of a code: 4 or 8.
    pub bits: usize,
    /// The code that stands for nothing.
    pub zero: i32,
    /// One a group.
    pub scales: &'a [Values],
    /// One a group, or empty where all are zero.
    pub offsets: &'a [Values],
    /// Columns of a group: 16 or 32; divides the width.
    pub group: usize,
}

impl CodeBlock<'_> {
    /// The block as numbers: the terms of a column in half a panel's, `half` of them away from its
    /// beginning.
    pub fn numbers(&self, out: &mut [Terms], half: usize) {
        on_unit(Numbers { block: *self, out, half });
    }

    /// One row as numbers.
    pub fn row(&self, row: usize) -> impl Iterator<Item = f32> {
        let columns = 32 / self.bits;
        self.words.iter().enumerate().flat_map(move |(i, words)| {
            let g = i * columns / self.group;
            let scale = self.scales[g].0[row];
            let offset = self.offsets.get(g).map_or(0.0, |offsets| offsets.0[row]);
            let code = move |column: usize| {
                let code = words.0[row] >> shift(column, self.bits) & ((1 << self.bits) - 1);
                (code as i32 - self.zero) as f32
            };
            (0..columns).map(move |column| scale * code(column) + offset)
        })
    }
}

/// How far up in a word the code of one of its columns is: even ones are in the low half, odd ones
/// in the high half.
pub fn shift(column: usize, bits: usize) -> u32 {
    (column / 2 * bits + column % 2 * 16) as u32
}

/// A block as numbers; see [`CodeBlock::numbers`].
struct Numbers<'a> {
    block: CodeBlock<'a>,
    out: &'a mut [Terms],
    half: usize,
}

impl OnUnit for Numbers<'_> {
    #[inline(always)]
    fn run<U: Unit>(self, unit: U) {
        let Self { block: CodeBlock { words, bits, zero, scales, offsets, group }, out, half } =
            self;
        let columns = 32 / bits;
        let mask = unit.splat_u32s((1 << bits) - 1);
        let zero = unit.splat_u32s(zero as u32);
        let none = Values([0.0; SIDE]);
        for (i, (out, words)) in out.chunks_exact_mut(columns).zip(words).enumerate() {
            let g = i * columns / group;
            let words = U::as_simd_u32s(&words.0).0;
            let scales = U::as_simd_f32s(&scales[g].0).0;
            let offsets = U::as_simd_f32s(&offsets.get(g).unwrap_or(&none).0).0;
            for (column, out) in out.iter_mut().enumerate() {
                let down = unit.splat_u32s(shift(column, bits));
                let (out, _) = U::as_mut_simd_f32s(&mut out.0.as_chunks_mut::<SIDE>().0[half]);
                for part in 0..SIDE / U::F32_LANES {
                    let code = unit.and_u32s(unit.wrapping_dyn_shr_u32s(words[part], down), mask);
                    let code = unit.floats(unit.sub_u32s(code, zero));
                    out[part] = unit.mul_add_f32s(scales[part], code, offsets[part]);
                }
            }
        }
    }
}

/// Inputs as 16-bit integers with a scale a group; exact ones as two such parts, the second for
/// what the first leaves.
#[derive(Debug)]
pub struct Integers {
    /// Pairs of neighbouring columns: `[rows × parts, width / 2]`.
    pairs: Vec<u32>,
    /// `[rows × parts, groups]`.
    scales: Vec<f32>,
    /// Sums of the integers: `[rows × parts, groups]`.
    totals: Vec<i32>,
    parts: usize,
    groups: usize,
    group: usize,
}

/// The largest of the integers.
const TOP: f32 = 32_767.0;

impl Integers {
    /// Of `x[m, width]` in groups: in two parts, whose error is that of f32 (about 2⁻²⁴ of the
    /// group's largest value), or in one with an error of 2⁻¹⁶.
    pub fn new(x: &[f32], width: usize, group: usize, is_exact: bool) -> Self {
        let parts = if is_exact { 2 } else { 1 };
        let groups = width / group;
        let count = parts * x.len();
        let mut to = Self {
            pairs: Vec::with_capacity(count / 2),
            scales: Vec::with_capacity(count / group),
            totals: Vec::with_capacity(count / group),
            parts,
            groups,
            group,
        };
        let mut rest = vec![0.0; width];
        for row in x.chunks_exact(width) {
            rest.copy_from_slice(row);
            for _ in 0..parts {
                take_part(&mut rest, &mut to);
            }
        }
        to
    }

    /// Products of all rows with a block, handed to `each` row by row.
    pub fn times(&self, block: CodeBlock<'_>, mut each: impl FnMut(usize, &[f32; SIDE])) {
        let all = self.scales.len() / self.groups;
        let mut sums = [[0.0; SIDE]; MOST];
        let mut first = 0;
        while first < all {
            let size = [MOST, 4, 2, 1].into_iter().find(|size| *size <= all - first).unwrap_or(1);
            let sums = &mut sums[..size];
            let inputs = self;
            match size {
                MOST => on_unit(Task::<MOST> { block, inputs, first, sums }),
                4 => on_unit(Task::<4> { block, inputs, first, sums }),
                2 => on_unit(Task::<2> { block, inputs, first, sums }),
                _ => on_unit(Task::<1> { block, inputs, first, sums }),
            }
            for (i, sums) in sums.chunks_exact_mut(self.parts).enumerate() {
                let (sum, more) = sums.split_at_mut(1);
                for part in more {
                    sum[0].iter_mut().zip(part).for_each(|(sum, part)| *sum += *part);
                }
                each(first / self.parts + i, &sum[0]);
            }
            first += size;
        }
    }
}

super::kernel! {
/// Turns each group of a row into integers and leaves what they do not say. What is no finite
/// number makes the whole group none.
fn take_part<'a>(row: &'a mut [f32], to: &'a mut Integers) -> () {
    for values in row.chunks_exact_mut(to.group) {
        let mut most = [0.0f32; SIDE];
        let mut poison = [0.0f32; SIDE];
        for values in values.as_chunks::<SIDE>().0 {
            for i in 0..SIDE {
                let size = values[i].abs();
                most[i] = if size > most[i] { size } else { most[i] };
                poison[i] += size * 0.0;
            }
        }
        let scale = super::largest_of::<SIDE>(&most) / TOP;
        let up = if scale >= f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
        let mut total = 0;
        to.pairs.extend(values.as_chunks_mut::<2>().0.iter_mut().map(|pair| {
            let [low, high] = pair.each_mut().map(|value| {
                let rounded = (*value * up + super::ROUND) - super::ROUND;
                *value -= rounded * scale;
                rounded as i32
            });
            total += low + high;
            low as u32 & 0xffff | (high as u32) << 16
        }));
        to.scales.push(scale + poison.iter().sum::<f32>());
        to.totals.push(total);
    }
}
}

/// The products of `M` rows with a block.
struct Task<'a, const M: usize> {
    block: CodeBlock<'a>,
    inputs: &'a Integers,
    first: usize,
    sums: &'a mut [[f32; SIDE]],
}

impl<const M: usize> OnUnit for Task<'_, M> {
    #[inline(always)]
    fn run<U: Unit>(self, unit: U) {
        let Self { block, inputs, first, sums: out } = self;
        let groups = inputs.groups;
        let pairs = groups * inputs.group / 2;
        let row = |m: usize, width: usize| (first + m) * width..(first + m + 1) * width;
        let x: [&[u32]; M] = std::array::from_fn(|m| &inputs.pairs[row(m, pairs)]);
        let ups: [&[f32]; M] = std::array::from_fn(|m| &inputs.scales[row(m, groups)]);
        let totals: [&[i32]; M] = std::array::from_fn(|m| &inputs.totals[row(m, groups)]);
        for part in 0..SIDE / U::F32_LANES {
            let mut sums = [unit.splat_f32s(0.0); M];
            for g in 0..groups {
                let zero = |m: usize| unit.splat_u32s((-block.zero * totals[m][g]) as u32);
                let dots: [U::u32s; M] = std::array::from_fn(zero);
                let dots = if block.bits == 4 {
                    of_group::<U, M, 4>(unit, block, (g, part), x, dots)
                } else {
                    of_group::<U, M, 8>(unit, block, (g, part), x, dots)
                };
                let scale = U::as_simd_f32s(&block.scales[g].0).0[part];
                for m in 0..M {
                    let sum = unit.mul_f32s(unit.floats(dots[m]), unit.splat_f32s(ups[m][g]));
                    sums[m] = unit.mul_add_f32s(sum, scale, sums[m]);
                }
                if let Some(offsets) = block.offsets.get(g) {
                    let offset = U::as_simd_f32s(&offsets.0).0[part];
                    for m in 0..M {
                        let total = unit.splat_f32s(totals[m][g] as f32 * ups[m][g]);
                        sums[m] = unit.mul_add_f32s(offset, total, sums[m]);
                    }
                }
            }
            for (sums, out) in sums.iter().zip(out.iter_mut()) {
                U::as_mut_simd_f32s(out).0[part] = *sums;
            }
        }
    }
}

/// Adds the products of one group to `dots`, for codes of `BITS` bits.
#[inline(always)]
fn of_group<U: Unit, const M: usize, const BITS: usize>(
    unit: U,
    block: CodeBlock<'_>,
    (g, part): (usize, usize),
    x: [&[u32]; M],
    mut dots: [U::u32s; M],
) -> [U::u32s; M] {
    let pairs = block.group / 2;
    let count = pairs * BITS / 16;
    let words = &block.words[g * count..(g + 1) * count];
    let mask = unit.splat_u32s(if BITS == 4 { 0x000f_000f } else { 0x00ff_00ff });
    for (i, words) in words.iter().enumerate() {
        if part == 0 {
            prefetch(words, AHEAD);
        }
        let words = U::as_simd_u32s(&words.0).0[part];
        for pair in 0..16 / BITS {
            let down = unit.splat_u32s((pair * BITS) as u32);
            let codes = unit.and_u32s(unit.wrapping_dyn_shr_u32s(words, down), mask);
            let at = g * pairs + i * 16 / BITS + pair;
            for m in 0..M {
                dots[m] = unit.add_u32s(dots[m], unit.dot(codes, unit.splat_u32s(x[m][at])));
            }
        }
    }
    dots
}

/// What a vector unit does with integers, besides what all of pulp's do.
trait Unit: Simd {
    /// `low · low + high · high` of the signed halves of each word.
    fn dot(self, a: Self::u32s, b: Self::u32s) -> Self::u32s;
    /// Signed words as floats.
    fn floats(self, words: Self::u32s) -> Self::f32s;
}

/// Some work for a vector unit; not a closure, since only this is sure to be compiled for the unit.
trait OnUnit {
    fn run<U: Unit>(self, unit: U);
}

/// Does it on the unit in use.
fn on_unit(work: impl OnUnit) {
    struct On<U, W>(U, W);
    impl<U: Unit, W: OnUnit> NullaryFnOnce for On<U, W> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            self.1.run(self.0);
        }
    }
    match arch() {
        #[cfg(target_arch = "x86_64")]
        pulp::Arch::V4(simd) => simd.vectorize(On(simd, work)),
        #[cfg(target_arch = "x86_64")]
        pulp::Arch::V3(simd) => simd.vectorize(On(simd, work)),
        _ => Scalar512b.vectorize(On(Scalar512b, work)),
    }
}

impl Unit for Scalar512b {
    #[inline(always)]
    fn dot(self, a: Self::u32s, b: Self::u32s) -> Self::u32s {
        let [a, b] = [a, b].map(cast::<_, [[i16; 2]; 16]>);
        let product = |i: usize, half: usize| i32::from(a[i][half]) * i32::from(b[i][half]);
        cast(std::array::from_fn::<i32, 16, _>(|i| product(i, 0) + product(i, 1)))
    }

    #[inline(always)]
    fn floats(self, words: Self::u32s) -> Self::f32s {
        cast(cast::<_, [i32; 16]>(words).map(|word| word as f32))
    }
}

#[cfg(target_arch = "x86_64")]
impl Unit for V3 {
    #[inline(always)]
    fn dot(self, a: Self::u32s, b: Self::u32s) -> Self::u32s {
        cast(self.multiply_wrapping_add_adjacent_i16x16(cast(a), cast(b)))
    }

    #[inline(always)]
    fn floats(self, words: Self::u32s) -> Self::f32s {
        self.convert_i32x8_to_f32x8(cast(words))
    }
}

#[cfg(target_arch = "x86_64")]
impl Unit for V4 {
    #[inline(always)]
    fn dot(self, a: Self::u32s, b: Self::u32s) -> Self::u32s {
        cast(self.multiply_wrapping_add_adjacent_i16x32(cast(a), cast(b)))
    }

    #[inline(always)]
    fn floats(self, words: Self::u32s) -> Self::f32s {
        self.convert_i32x16_to_f32x16(cast(words))
    }
}
