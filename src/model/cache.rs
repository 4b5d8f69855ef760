//! A key-value cache that is a tree: nodes are tokens, and a new token continues any node that is already there.
//!
//! Cloning shares the tensors, so keeping the cache of a prompt beside its continuations costs nothing until they grow.

use candle_core::Tensor;

use super::decoder::{Decoder, KeyValue, Pass, tree_mask};
use crate::error::{Error, Result};

/// Keys and values of the nodes computed so far.
#[derive(Debug, Clone, Default)]
pub struct Cache {
    layers: Vec<KeyValue>,
    /// The path from the root to each node, the node itself last.
    paths: Vec<std::sync::Arc<[usize]>>,
}

impl Cache {
    /// How many nodes are in the cache.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Computes new nodes. `parents[i]` is the node that token `i` continues: an index into the cache as it will be
    /// (earlier nodes first, then the new ones in order), or none for a root. Returns `[tokens, hidden]`.
    pub fn extend(&mut self, decoder: &Decoder, tokens: &[u32], parents: &[Option<usize>]) -> Result<Tensor> {
        let past = self.len();
        let mut paths: Vec<std::sync::Arc<[usize]>> = Vec::with_capacity(tokens.len());
        for (i, parent) in parents.iter().enumerate() {
            let above: &[usize] = match parent {
                Some(p) if *p < past => &self.paths[*p],
                Some(p) => paths.get(p - past).ok_or_else(|| Error::new("a token before its parent"))?,
                None => &[],
            };
            if above.len() >= decoder.config.context {
                return Err(Error::new(format!("the context of {} tokens is full", decoder.config.context))
                    .hint("shorten the history, or use a model with a longer context"));
            }
            let path: Vec<usize> = above.iter().copied().chain([past + i]).collect();
            paths.push(path.into());
        }
        let positions: Vec<u32> = paths.iter().map(|path| path.len() as u32 - 1).collect();
        let local: Vec<Option<usize>> = parents.iter().map(|p| p.and_then(|p| p.checked_sub(past))).collect();
        let visible: Vec<&[usize]> = parents
            .iter()
            .map(|parent| parent.filter(|p| *p < past).map(|p| self.paths[p].as_ref()).unwrap_or_default())
            .collect();
        let mask = tree_mask(&local, past, &visible)?;
        let pass = Pass { tokens, positions: &positions, mask, past: &self.layers, fused: true };
        let (hidden, fresh) = decoder.forward(&pass)?;
        self.layers = if past == 0 {
            fresh
        } else {
            let joined = self
                .layers
                .iter()
                .zip(&fresh)
                .map(|((k, v), (new_k, new_v))| Ok((Tensor::cat(&[k, new_k], 1)?, Tensor::cat(&[v, new_v], 1)?)));
            joined.collect::<candle_core::Result<_>>()?
        };
        self.paths.extend(paths);
        Ok(hidden)
    }

    /// Keeps the first `len` nodes only.
    pub fn truncate(&mut self, len: usize) -> Result<()> {
        if len == 0 {
            *self = Self::default();
        } else if len < self.len() {
            let cut = |t: &Tensor| t.narrow(1, 0, len)?.contiguous();
            self.layers = self.layers.iter().map(|(k, v)| Ok((cut(k)?, cut(v)?))).collect::<candle_core::Result<_>>()?;
            self.paths.truncate(len);
        }
        Ok(())
    }
}
