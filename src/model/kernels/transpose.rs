//! Squares of numbers whose rows become columns.

/// Rows and columns of a square.
pub const SQUARE: usize = 16;

/// Exchanges the upper right and the lower left of every square of `2 · HALF` by `2 · HALF`.
#[inline(always)]
fn exchange<T: Copy, const HALF: usize>(square: &mut [[T; SQUARE]; SQUARE]) {
    for i in 0..SQUARE {
        if i & HALF == 0 {
            let above = square[i];
            let below = square[i + HALF];
            for j in 0..SQUARE {
                let right = j & HALF != 0;
                square[i][j] = if right { below[j ^ HALF] } else { above[j] };
                square[i + HALF][j] = if right { below[j] } else { above[j ^ HALF] };
            }
        }
    }
}

/// Rows become columns.
#[inline(always)]
pub fn transpose<T: Copy>(square: &mut [[T; SQUARE]; SQUARE]) {
    exchange::<T, 8>(square);
    exchange::<T, 4>(square);
    exchange::<T, 2>(square);
    exchange::<T, 1>(square);
}
