//! Buffers that a run keeps from one update to the next.
//!
//! What a pass works with is some hundreds of megabytes in a few sizes. Asked of the system anew
//! for every update, each of their pages is cleared by it and taken from every thread's view of the
//! memory when it goes: an eighth of the time of an update of the 8x384 model.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::adamw::{Shapes, zeros};
use super::kernels::bf16::Packed;
use super::params::Buffers;

/// Numbers of the smallest buffer that is kept: smaller ones the allocator keeps itself.
const SMALLEST: usize = 1 << 14;

/// A buffer this many times larger than what is asked for is left for what needs it.
const SLACK: usize = 4;

/// Buffers that wait for their next use.
#[derive(Debug, Default)]
pub struct Workspace {
    free: Mutex<Vec<Vec<f32>>>,
    grads: Mutex<Buffers>,
    packs: Mutex<Vec<Packed>>,
}

impl Workspace {
    /// A buffer of `n` numbers that stand for nothing: all of them are to be written before they
    /// are read.
    pub fn take(&self, n: usize) -> Scratch<'_> {
        let mut buffer = self.fitting(n).unwrap_or_default();
        if buffer.len() < n {
            buffer = vec![0.0; n];
        }
        Scratch { buffer, n, home: self }
    }

    /// A buffer of `n` zeros.
    pub fn zeros(&self, n: usize) -> Scratch<'_> {
        let mut scratch = self.take(n);
        scratch.fill(0.0);
        scratch
    }

    /// A buffer with these numbers.
    pub fn copy(&self, numbers: &[f32]) -> Scratch<'_> {
        let mut scratch = self.take(numbers.len());
        scratch.copy_from_slice(numbers);
        scratch
    }

    /// An operand that is to be packed.
    pub fn pack(&self) -> Pack<'_> {
        let packed = self.packs.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Pack { packed: packed.unwrap_or_default(), home: self }
    }

    /// The smallest free buffer that is large enough, if it is not far too large. Where there is
    /// none, a smaller one goes: the next takes its place, so that no more is kept than was in use
    /// at once.
    fn fitting(&self, n: usize) -> Option<Vec<f32>> {
        if n < SMALLEST {
            return None;
        }
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |buffer: &Vec<f32>| (n..=SLACK * n).contains(&buffer.len());
        let sized = free.iter().enumerate().map(|(i, buffer)| (buffer.len(), i));
        let best = sized.clone().filter(|(_, i)| fits(&free[*i])).min();
        if best.is_none()
            && let Some((_, smaller)) = sized.filter(|(len, _)| *len < n).max()
        {
            free.swap_remove(smaller);
        }
        best.map(|(_, i)| free.swap_remove(i))
    }

    /// Zeros for gradients of these shapes: the buffers that were given back last, if they fit.
    pub fn grads(&self, shapes: &Shapes) -> Buffers {
        let mut grads =
            std::mem::take(&mut *self.grads.lock().unwrap_or_else(PoisonError::into_inner));
        let sizes = shapes.iter().map(|(_, shape)| shape.iter().product::<usize>());
        if !sizes.eq(grads.iter().map(Vec::len)) {
            return zeros(shapes);
        }
        grads.par_iter_mut().for_each(|grad| grad.fill(0.0));
        grads
    }

    /// Keeps gradients for the next update.
    pub fn keep(&self, grads: Buffers) {
        *self.grads.lock().unwrap_or_else(PoisonError::into_inner) = grads;
    }
}

/// A buffer of a [`Workspace`], to which it returns.
#[derive(Debug)]
pub struct Scratch<'a> {
    buffer: Vec<f32>,
    n: usize,
    home: &'a Workspace,
}

impl Deref for Scratch<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.buffer[..self.n]
    }
}

impl DerefMut for Scratch<'_> {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[..self.n]
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        if self.buffer.len() >= SMALLEST {
            let mut free = self.home.free.lock().unwrap_or_else(PoisonError::into_inner);
            free.push(std::mem::take(&mut self.buffer));
        }
    }
}

/// A packed operand of a [`Workspace`], to which its memory returns.
#[derive(Debug)]
pub struct Pack<'a> {
    packed: Packed,
    home: &'a Workspace,
}

impl Deref for Pack<'_> {
    type Target = Packed;

    fn deref(&self) -> &Packed {
        &self.packed
    }
}

impl DerefMut for Pack<'_> {
    fn deref_mut(&mut self) -> &mut Packed {
        &mut self.packed
    }
}

impl Drop for Pack<'_> {
    fn drop(&mut self) {
        let mut packs = self.home.packs.lock().unwrap_or_else(PoisonError::into_inner);
        packs.push(std::mem::take(&mut self.packed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_and_no_more_are_kept_than_were_in_use_at_once() {
        let space = Workspace::default();
        let sizes = |space: &Workspace| {
            let mut sizes: Vec<usize> = space.free.lock().unwrap().iter().map(Vec::len).collect();
            sizes.sort_unstable();
            sizes
        };
        let first = space.zeros(100_000);
        let at = first.as_ptr();
        drop(first);
        let again = space.take(60_000);
        assert_eq!(
            (again.as_ptr(), again.len()),
            (at, 60_000),
            "the same, though less is asked for"
        );
        let other = space.take(60_000);
        drop((again, other));
        assert_eq!(sizes(&space), [60_000, 100_000]);
        drop(space.take(1_000_000));
        assert_eq!(sizes(&space), [60_000, 1_000_000], "a larger one takes the place of one");
        drop(space.take(10));
        assert_eq!(sizes(&space), [60_000, 1_000_000], "small ones are not kept");
        assert!(space.zeros(60_000).iter().all(|x| *x == 0.0));
        assert_eq!(*space.copy(&[1.0, 2.0]), [1.0, 2.0]);
    }

    #[test]
    fn gradients_begin_at_zero_whatever_was_kept() {
        let space = Workspace::default();
        let shapes = [("a".to_string(), vec![2, 3]), ("b".to_string(), vec![4])];
        for shapes in [&shapes[..], &shapes[..1], &shapes[..]] {
            let mut grads = space.grads(shapes);
            assert_eq!(grads, zeros(shapes));
            grads.iter_mut().flatten().for_each(|g| *g = 7.0);
            space.keep(grads);
        }
    }
}
