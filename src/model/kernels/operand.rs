//! Operands of a product, packed for it in f32 or in bf16.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{bf16, panels};

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

/// How an operand lies in memory: the numbers of a row follow each other, and rows are `width`
/// apart.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    /// The numbers.
    pub data: &'a [f32],
    /// From a row to the next.
    pub width: usize,
}

/// A left operand.
#[derive(Debug)]
pub enum Left {
    /// Its numbers as they are.
    F32(panels::Left),
    /// Its numbers rounded.
    Bf16(bf16::Packed),
}

/// A right operand.
#[derive(Debug)]
pub enum Right {
    /// Its numbers as they are.
    F32(panels::Right),
    /// Its numbers rounded.
    Bf16(bf16::Packed),
}

impl Left {
    /// Room for one.
    pub fn new(by: Products) -> Self {
        match by {
            Products::F32 => Self::F32(panels::Left::default()),
            Products::Bf16 => Self::Bf16(bf16::Packed::default()),
        }
    }

    /// The operand whose rows are rows of `of`, the terms lying along them.
    pub fn rows(&mut self, of: Matrix<'_>) {
        match self {
            Self::F32(left) => left.rows(of),
            Self::Bf16(left) => left.left(of),
        }
    }

    /// The operand whose rows are columns `columns` of `of`, the terms lying down them.
    pub fn columns(&mut self, of: Matrix<'_>, columns: Range<usize>) {
        match self {
            Self::F32(left) => left.columns(of, columns),
            Self::Bf16(left) => left.left_of_columns(of, columns),
        }
    }
}

impl Right {
    /// Room for one.
    pub fn new(by: Products) -> Self {
        match by {
            Products::F32 => Self::F32(panels::Right::default()),
            Products::Bf16 => Self::Bf16(bf16::Packed::default()),
        }
    }

    /// The operand whose *columns* are rows of `of`: a weight as checkpoints store it.
    pub fn rows(&mut self, of: Matrix<'_>) {
        match self {
            Self::F32(right) => right.rows(of),
            Self::Bf16(right) => right.right_of_rows(of),
        }
    }
}

/// `out[left, right] (+)= left · right`, rows of `out` as wide as the right operand.
///
/// # Panics
/// Where the two are of different kinds.
pub fn product(out: &mut [f32], left: &Left, right: &Right, adds: bool) {
    match (left, right) {
        (Left::F32(left), Right::F32(right)) => panels::product(out, left, right, adds),
        (Left::Bf16(left), Right::Bf16(right)) => bf16::product(out, left, right, adds),
        _ => unreachable!("a run has products of one kind"),
    }
}
