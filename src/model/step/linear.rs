//! Linear layers in a step: what goes into them and their weights as they act, ready for products.

use std::ops::{Deref, Range};

use super::Step;
use crate::model::kernels::operand::{Left, Matrix, Right, product};
use crate::model::kernels::panels::product_of_columns;
use crate::model::workspace::{Pack, Scratch};

/// Which way a product goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From inputs to outputs: `x · Wᵀ`.
    Forward,
    /// From the gradient of outputs to that of inputs: `dy · W`.
    Back,
}

/// A weight as it acts: itself, or with what an adapter adds to it.
pub(super) enum Acting<'a> {
    Plain(&'a [f32]),
    Adapted(Scratch<'a>),
}

impl Deref for Acting<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Self::Plain(weights) => weights,
            Self::Adapted(weights) => weights,
        }
    }
}

/// A right operand: packed, or as it lies, `width` numbers a row, where its columns are to be the
/// columns of the product and f32 needs no packing before.
enum Columns<'a, D> {
    Packed(Pack<'a, Right>),
    AsTheyLie(D, usize),
}

/// A weight, ready for products one way.
pub(super) struct Linear<'a>(Columns<'a, Acting<'a>>);

/// What goes into linear layers, as their weights' gradients need it: made ready once for all that
/// share it.
pub(super) struct Inputs<'a, 'b> {
    columns: Columns<'a, &'b [f32]>,
    pub rows: &'b [f32],
    pub width: usize,
}

/// Rows that go into linear layers, or come back through them.
pub(super) struct Operand<'a>(Pack<'a, Left>);

impl<'a> Step<'a> {
    /// A weight of so many inputs.
    pub(super) fn linear(&self, tensor: usize, inputs: usize, way: Way) -> Linear<'a> {
        let weight = self.acting(tensor);
        Linear(match way {
            Way::Forward => {
                let mut right = self.workspace.right(self.products);
                right.rows(Matrix { data: &weight, width: inputs });
                Columns::Packed(right)
            }
            Way::Back => self.columns(weight, inputs),
        })
    }

    fn columns<D: Deref<Target = [f32]>>(&self, data: D, width: usize) -> Columns<'a, D> {
        let mut right = self.workspace.right(self.products);
        let Right::Bf16(packed) = &mut *right else { return Columns::AsTheyLie(data, width) };
        packed.right(Matrix { data: &data, width }, 0..width);
        Columns::Packed(right)
    }

    /// Rows of `width` numbers that go into some linear layers. (An adapter's gradients take them
    /// as they are.)
    pub(super) fn inputs<'b>(&self, rows: &'b [f32], width: usize) -> Inputs<'a, 'b> {
        let columns = match self.adapter {
            Some(_) => Columns::AsTheyLie(rows, width),
            None => self.columns(rows, width),
        };
        Inputs { columns, rows, width }
    }

    /// Rows of `width` numbers, for as many products as one likes.
    pub(super) fn operand(&self, rows: &[f32], width: usize) -> Operand<'a> {
        let mut left = self.workspace.left(self.products);
        left.rows(Matrix { data: rows, width });
        Operand(left)
    }

    /// Columns of rows `width` apart.
    pub(super) fn turned(&self, rows: &[f32], width: usize, columns: Range<usize>) -> Operand<'a> {
        let mut left = self.workspace.left(self.products);
        left.columns(Matrix { data: rows, width }, columns);
        Operand(left)
    }
}

impl Operand<'_> {
    /// `out (+)= rows · Wᵀ`, or `rows · W` on the way back.
    pub fn through(&self, linear: &Linear<'_>, out: &mut [f32], adds: bool) {
        self.times(&linear.0, out, adds);
    }

    /// `out += rows · inputs`: the gradient of a weight.
    pub fn add_to(&self, inputs: &Inputs<'_, '_>, out: &mut [f32]) {
        self.times(&inputs.columns, out, true);
    }

    fn times<D: Deref<Target = [f32]>>(&self, right: &Columns<'_, D>, out: &mut [f32], adds: bool) {
        match (right, &*self.0) {
            (Columns::Packed(right), left) => product(out, left, right, adds),
            (Columns::AsTheyLie(data, width), Left::F32(left)) => {
                product_of_columns(out, left, Matrix { data, width: *width }, adds);
            }
            (Columns::AsTheyLie(..), Left::Bf16(_)) => unreachable!("bf16 is packed"),
        }
    }
}
