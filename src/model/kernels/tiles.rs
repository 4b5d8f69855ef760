//! The one place with `unsafe` code, for two things that neither pulp nor the standard library says
//! safely: products of tiles by the matrix unit (AMX), and asking for memory ahead of its use. On a
//! Sapphire Rapids that unit makes about 700 GFLOP/s a core of bf16 products added up in f32, where
//! f32 products by vectors make about 150; asking ahead made one stream of SmolLM2-135M in Q4_0 a
//! fourth faster (64 tokens after 500: 0.68 to 0.51 s).
//!
//! What goes in are whole tiles of 1 KB, made by the callers; where the unit is missing, the same
//! tiles are multiplied by vectors.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::sync::OnceLock;

use super::forms::allows;

/// Rows of a tile of the left operand, columns of one of the right operand.
pub const SIDE: usize = 16;

/// Terms of a sum that a pair of tiles has.
pub const DEPTH: usize = 32;

/// A tile: of the left operand `[row][pair of terms]`, of the right one `[pair of terms][column]`.
/// Which terms make a pair is the callers' to say, for both alike.
pub type Tile = [[u32; SIDE]; SIDE];

/// The sums of two by two tiles, row after row, [`WIDTH`] a row.
pub type Sums = [f32; WIDTH * WIDTH];

/// Rows and columns of [`Sums`].
pub const WIDTH: usize = 2 * SIDE;

/// The unit, made ready for some products on this thread; or vectors in its place.
#[derive(Debug)]
pub struct Unit {
    is_there: bool,
    /// It belongs to the thread.
    _here: PhantomData<*const ()>,
}

impl Unit {
    /// Makes it ready.
    pub fn begin() -> Self {
        let is_there = is_there();
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        if is_there {
            // SAFETY: the unit is there and the process may use it. No other code uses tiles, so
            // that how they are laid out is nobody else's matter.
            unsafe { amx::begin() };
        }
        Self { is_there, _here: PhantomData }
    }

    /// `out = left · right`: two rows of tiles by two columns of tiles, each as deep as there are
    /// tiles.
    ///
    /// # Panics
    /// Where the four are not equally deep.
    pub fn multiply(&self, left: [&[Tile]; 2], right: [&[Tile]; 2], out: &mut Sums) {
        let depth = left[0].len();
        assert!([left[1], right[0], right[1]].iter().all(|tiles| tiles.len() == depth));
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        if self.is_there {
            let (left, right) = (left.map(<[Tile]>::as_ptr), right.map(<[Tile]>::as_ptr));
            // SAFETY: the unit is there, and was made ready on this thread, which this value does
            // not leave; `depth` tiles follow each other in each of the four.
            unsafe { amx::multiply(left, right, depth, out) };
            return;
        }
        by_vectors(left, right, out);
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        if self.is_there {
            // SAFETY: it was made ready on this thread; nothing is kept in tiles.
            unsafe { amx::end() };
        }
    }
}

/// Asks for what lies `ahead` of its like behind a value, so that it is in the second cache when it
/// is needed.
#[inline(always)]
pub fn prefetch<T>(of: &T, ahead: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: reads nothing; an address that is not there is passed over.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>((&raw const *of).wrapping_add(ahead).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (of, ahead);
}

/// Whether this machine has the unit and lets this process use it, and nobody forbids it
/// ([`super::forms`]).
pub fn is_there() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    *THERE.get_or_init(|| {
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        return allows("amx") && amx::is_there();
        #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
        return false;
    })
}

/// The first of a pair.
pub fn low(pair: u32) -> f32 {
    f32::from_bits(pair << 16)
}

/// The second of a pair.
pub fn high(pair: u32) -> f32 {
    f32::from_bits(pair & 0xffff_0000)
}

super::kernel! {
/// The same products, a row of the left operand at a time.
fn by_vectors<'a>(left: [&'a [Tile]; 2], right: [&'a [Tile]; 2], out: &'a mut Sums) -> () {
    for (i, left) in left.into_iter().enumerate() {
        for (j, right) in right.into_iter().enumerate() {
            for row in 0..SIDE {
                let mut sums = [0.0f32; SIDE];
                for (left, right) in left.iter().zip(right) {
                    for pair in 0..SIDE {
                        let both = left[row][pair];
                        let (first, second) = (low(both), high(both));
                        for (sum, pair) in sums.iter_mut().zip(&right[pair]) {
                            *sum += first * low(*pair) + second * high(*pair);
                        }
                    }
                }
                out[(i * SIDE + row) * WIDTH + j * SIDE..][..SIDE].copy_from_slice(&sums);
            }
        }
    }
}
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx {
    use std::arch::asm;
    use std::arch::x86_64::{__cpuid, __cpuid_count};

    use super::{SIDE, Sums, Tile, WIDTH};

    /// `arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`: Linux gives a process the tiles when
    /// it asks for them.
    const ARCH_PRCTL: usize = 158;
    const REQUEST: usize = 0x1023;
    const TILES: usize = 18;

    pub fn is_there() -> bool {
        // Leaf 7: tiles, and bf16 products of them.
        let there = __cpuid(0).eax >= 7 && {
            let edx = __cpuid_count(7, 0).edx;
            edx >> 24 & 1 == 1 && edx >> 22 & 1 == 1
        };
        there && {
            let refused: isize;
            // SAFETY: a system call that touches no memory of ours; it clobbers rcx and r11.
            unsafe {
                asm!("syscall", inlateout("rax") ARCH_PRCTL => refused, in("rdi") REQUEST,
                    in("rsi") TILES, lateout("rcx") _, lateout("r11") _, options(nostack));
            }
            refused == 0
        }
    }

    /// How tiles are laid out: eight of sixteen rows of 64 bytes.
    #[repr(C, align(64))]
    struct Layout([u8; 64]);

    static LAYOUT: Layout = {
        let mut layout = [0; 64];
        layout[0] = 1;
        let mut tile = 0;
        while tile < 8 {
            layout[16 + 2 * tile] = 64;
            layout[48 + tile] = SIDE as u8;
            tile += 1;
        }
        Layout(layout)
    };

    /// Lays the tiles out.
    ///
    /// # Safety
    /// The unit is there.
    pub unsafe fn begin() {
        // SAFETY: reads the 64 bytes of the layout.
        unsafe {
            asm!("ldtilecfg [{layout}]", layout = in(reg) &raw const LAYOUT, options(nostack));
        };
    }

    /// Gives them back: a thread that is put aside has nothing of them to be kept.
    ///
    /// # Safety
    /// The unit is there.
    pub unsafe fn end() {
        // SAFETY: touches no memory.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }

    /// Sums of two by two tiles.
    ///
    /// # Safety
    /// [`begin`] was called on this thread; each pointer is to `depth` tiles.
    pub unsafe fn multiply(
        left: [*const Tile; 2],
        right: [*const Tile; 2],
        depth: usize,
        out: &mut Sums,
    ) {
        const ROW: usize = 64;
        const TILE: usize = size_of::<Tile>();
        // SAFETY: what is read are `depth` tiles behind each pointer, what is written is `out`,
        // sixteen rows of 64 bytes in each of its quarters.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "test {depth}, {depth}",
                "jz 3f",
                "2:",
                "tileloadd tmm4, [{a} + {row}]",
                "tileloadd tmm6, [{b} + {row}]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm5, [{c} + {row}]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tileloadd tmm7, [{d} + {row}]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {a}, {tile}",
                "add {b}, {tile}",
                "add {c}, {tile}",
                "add {d}, {tile}",
                "dec {depth}",
                "jnz 2b",
                "3:",
                "tilestored [{out} + {wide}], tmm0",
                "tilestored [{out} + {wide} + 64], tmm1",
                "tilestored [{below} + {wide}], tmm2",
                "tilestored [{below} + {wide} + 64], tmm3",
                a = inout(reg) left[0] => _,
                b = inout(reg) right[0] => _,
                c = inout(reg) left[1] => _,
                d = inout(reg) right[1] => _,
                depth = inout(reg) depth => _,
                tile = const TILE,
                row = in(reg) ROW,
                wide = in(reg) 4 * WIDTH,
                out = in(reg) out.as_mut_ptr(),
                below = in(reg) out.as_mut_ptr().add(SIDE * WIDTH),
                options(nostack),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn the_matrix_unit_and_vectors_agree_on_random_tiles() {
        let mut rng = Rng::new(4);
        for depth in [0, 1, 2, 9] {
            let mut tiles = || -> Vec<Tile> {
                let mut number = || (rng.unit() as f32 - 0.5).to_bits() >> 16;
                let mut row = || std::array::from_fn(|_| number() << 16 | number());
                (0..depth).map(|_| std::array::from_fn(|_| row())).collect()
            };
            let [a, b, c, d] = std::array::from_fn(|_| tiles());
            let mut by_unit = [1.0; WIDTH * WIDTH];
            let mut by_hand = [2.0; WIDTH * WIDTH];
            Unit::begin().multiply([&a, &b], [&c, &d], &mut by_unit);
            by_vectors([&a, &b], [&c, &d], &mut by_hand);
            for (x, y) in by_unit.iter().zip(&by_hand) {
                assert!((x - y).abs() <= 1e-5 * (depth * DEPTH) as f32, "{x} {y}");
            }
        }
    }
}
