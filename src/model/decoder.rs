//! The decoder at inference: one forward pass over new nodes of a [`Cache`].
//!
//! Runs on the threads of the pool that it is called in. What a node comes to does not depend on
//! which nodes are computed with it: in f32 to the bit; with codes beyond rounding, or where text
//! is written with inputs of 16 bits, beyond that ([`Precision`]). In bf16 inputs are rounded where
//! many nodes are computed together on a matrix unit, and not where they are few: there company
//! shows, by as much as the rounding itself.

mod here;

use super::cache::Cache;
use super::config::Config;
use super::device::{Device, Resident};
use super::matrix::Matrix;
use super::packed::Precision;
use super::step::Products;
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::place::Computing;
use here::Here;

/// New nodes of one cache: `parents[i]` is the own node of the cache that token `i` continues, or
/// none for the place that the cache stands below.
pub struct Growth<'a> {
    /// The cache.
    pub cache: &'a mut Cache,
    /// Its new nodes' tokens.
    pub tokens: &'a [u32],
    /// What each of them continues.
    pub parents: &'a [Option<usize>],
}

/// A decoder of any family in [`super::config::Family`].
#[derive(Debug)]
pub struct Decoder {
    /// Its shape.
    pub config: Config,
    body: Body,
}

/// Where it is computed.
#[derive(Debug)]
enum Body {
    /// By the kernels here.
    Here(Box<Here>),
    /// By candle, on a device.
    There(Resident),
}

impl Decoder {
    /// A decoder over weights in the order of [`Config::tensors`], those of its products rounded if they are to
    /// be in bf16. Each is laid out before the next is asked for.
    pub fn new(
        config: Config,
        weights: impl IntoIterator<Item = Result<Matrix>>,
        by: Computing,
    ) -> Result<Self> {
        let products = match by {
            Computing::F32 => Products::F32,
            Computing::Bf16 => Products::Bf16,
            Computing::On(place) => return Self::on(Device::open(place)?, config, weights),
        };
        let body = Body::Here(Box::new(Here::new(config.clone(), weights, products)?));
        Ok(Self { config, body })
    }

    /// The same on a device.
    pub fn on(
        device: Device,
        config: Config,
        weights: impl IntoIterator<Item = Result<Matrix>>,
    ) -> Result<Self> {
        let shapes = config.tensors();
        let resident = Resident::new(device, &shapes, checked(&shapes, weights.into_iter()))?;
        Ok(Self { config, body: Body::There(resident) })
    }

    /// Bytes of its weights.
    pub fn bytes(&self) -> usize {
        match &self.body {
            Body::Here(here) => here.bytes(),
            Body::There(there) => there.bytes(),
        }
    }

    /// Logits of hidden states: `[n, hidden]` to `[n, vocab]`.
    pub fn logits(&self, hidden: &[f32], precision: Precision) -> Result<Vec<f32>> {
        match &self.body {
            Body::Here(here) => Ok(here.logits(hidden, precision)),
            Body::There(there) => there.logits(&self.config, hidden),
        }
    }

    /// Computes new nodes of a cache: [`Self::extend_all`] of one.
    pub fn extend(
        &self,
        cache: &mut Cache,
        tokens: &[u32],
        parents: &[Option<usize>],
        precision: Precision,
        cancel: &Cancel,
    ) -> Result<Vec<f32>> {
        self.extend_all(&mut [Growth { cache, tokens, parents }], precision, cancel)
    }

    /// Computes new nodes of some caches in one pass, so that the weights are read once for all of
    /// them. Returns the hidden states after the last norm, those of the first cache's nodes first:
    /// `[tokens, hidden]`.
    pub fn extend_all(
        &self,
        growths: &mut [Growth<'_>],
        precision: Precision,
        cancel: &Cancel,
    ) -> Result<Vec<f32>> {
        let mut positions: Vec<u32> = Vec::new();
        for growth in growths.iter_mut() {
            let past = growth.cache.len();
            if let Some(token) =
                growth.tokens.iter().find(|token| **token as usize >= self.config.vocab)
            {
                let vocab = self.config.vocab;
                return Err(Error::new(format!(
                    "token {token} is outside the model's vocabulary of {vocab}"
                ))
                .hint("the tokenizer does not belong to this model"));
            }
            if !growth.cache.add(growth.tokens, growth.parents) {
                return Err(Error::new("a token before its parent"));
            }
            positions
                .extend((past..growth.cache.len()).map(|node| growth.cache.position(node) as u32));
        }
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        if positions.iter().any(|position| *position as usize >= self.config.context) {
            return Err(Error::new(format!(
                "the context of {} tokens is full",
                self.config.context
            ))
            .hint("shorten the history, or use a model with a longer context"));
        }
        match &self.body {
            Body::Here(here) => here.extend(growths, &positions, precision, cancel),
            Body::There(there) => there.extend(&self.config, growths, &positions, cancel),
        }
    }
}

/// Weights one after the other, each refused that is not of its shape or is missing.
fn checked<'a>(
    shapes: &'a [(String, Vec<usize>)],
    mut weights: impl Iterator<Item = Result<Matrix>> + 'a,
) -> impl Iterator<Item = Result<Matrix>> + 'a {
    shapes.iter().map(move |(name, shape)| {
        let missing = || Error::new(format!("tensor `{name}` is missing"));
        let matrix = weights.next().ok_or_else(missing)??;
        let (rows, width) = if shape.len() == 1 { (1, shape[0]) } else { (shape[0], shape[1]) };
        if (matrix.rows(), matrix.width()) != (rows, width) {
            let found = [matrix.rows(), matrix.width()];
            return Err(Error::new(format!(
                "tensor `{name}` has shape {found:?}, config.json needs {shape:?}"
            )));
        }
        Ok(matrix)
    })
}
