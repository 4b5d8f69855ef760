//! Linear layers in a step: their weights as they act, and products with them in f32 or bf16.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::model::kernels::bf16::product;
use crate::model::kernels::{Matrix, mul_nn, mul_nt};
use crate::model::workspace::{Pack, Scratch, Workspace};

/// What the operands of products are; sums, weights and all that is kept are f32 in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Products {
    /// f32.
    #[default]
    F32,
    /// Rounded to bf16.
    Bf16,
}

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

/// A weight `[outputs, inputs]`, ready for products one way.
pub(super) struct Linear<'a> {
    weight: Acting<'a>,
    packed: Option<Pack<'a>>,
    way: Way,
}

impl<'a> Linear<'a> {
    /// A weight of so many inputs.
    pub fn new(
        weight: Acting<'a>,
        inputs: usize,
        way: Way,
        by: Products,
        space: &'a Workspace,
    ) -> Self {
        let packed = (by == Products::Bf16).then(|| {
            let mut packed = space.pack();
            let matrix = Matrix { data: &weight, width: inputs };
            match way {
                Way::Forward => packed.right_of_rows(matrix),
                Way::Back => packed.right(matrix, 0..inputs),
            }
            packed
        });
        Self { weight, packed, way }
    }
}

/// What goes into linear layers: rows of `width` numbers.
pub(super) struct Operand<'a, 'b> {
    rows: &'b [f32],
    width: usize,
    packed: Option<Pack<'a>>,
}

impl<'a, 'b> Operand<'a, 'b> {
    /// Some rows, for as many products as one likes.
    pub fn new(rows: &'b [f32], width: usize, by: Products, space: &'a Workspace) -> Self {
        let packed = (by == Products::Bf16).then(|| {
            let mut packed = space.pack();
            packed.left(Matrix { data: rows, width });
            packed
        });
        Self { rows, width, packed }
    }

    /// `out (+)= rows · Wᵀ`, or `rows · W` on the way back.
    pub fn through(&self, linear: &Linear<'_>, out: &mut [f32], add: bool) {
        if let (Some(left), Some(right)) = (&self.packed, &linear.packed) {
            return product(out, left, right, add);
        }
        let by = if linear.way == Way::Forward { mul_nt } else { mul_nn };
        by(out, self.rows, &linear.weight, self.width, add);
    }
}
