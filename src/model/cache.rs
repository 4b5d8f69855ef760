//! A key-value cache that is a tree: segments of tokens, each continuing another from any of its
//! tokens on, and new nodes that continue each other below.
//!
//! A segment is never changed once it is computed, so any number of prompts share it; it goes when
//! the last of them does.

use std::ops::Range;
use std::sync::Arc;

use candle_core::Tensor;

use super::config::Config;
use crate::error::Result;

/// Keys and values by layer and key-value head: `[nodes, head_dim]` each.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    pub keys: Vec<Vec<f32>>,
    pub values: Vec<Vec<f32>>,
    /// Of a model on a device in place of those, by layer: `[kv_heads, nodes, head_dim]`.
    pub there: Vec<[Tensor; 2]>,
}

impl Rows {
    pub fn new(config: &Config) -> Self {
        let none = || vec![Vec::new(); config.layers * config.kv_heads];
        Self { keys: none(), values: none(), there: Vec::new() }
    }

    fn bytes(&self) -> usize {
        let here = self.keys.iter().chain(&self.values).map(Vec::capacity).sum::<usize>();
        let there = self.there.iter().flatten().map(Tensor::elem_count).sum::<usize>();
        4 * (here + there)
    }

    /// Puts the first `used` of another's `of` nodes before these; false where a device would not.
    fn put_before(&mut self, first: &Self, (used, of): (usize, usize)) -> bool {
        let join = |(layer, first): (usize, &[Tensor; 2])| {
            let side = |side: usize| {
                let first = first[side].narrow(1, 0, used)?;
                // Without a node of its own there is no row either.
                match self.there.get(layer) {
                    Some(own) => Tensor::cat(&[&first, &own[side]], 1),
                    None => Ok(first),
                }
            };
            Ok([side(0)?, side(1)?])
        };
        let there = first.there.iter().enumerate().map(join);
        let Ok(there) = there.collect::<candle_core::Result<Vec<_>>>() else { return false };
        self.there = there;
        let here = [(&mut self.keys, &first.keys), (&mut self.values, &first.values)];
        for (own, first) in here.into_iter().flat_map(|(own, first)| own.iter_mut().zip(first)) {
            *own = [&first[..first.len() / of * used], own].concat();
        }
        true
    }
}

/// A computed chain of tokens.
#[derive(Debug)]
pub struct Segment {
    above: Option<Above>,
    tokens: Vec<u32>,
    pub(super) rows: Rows,
}

/// The place that new nodes continue: a segment and how many of its tokens are seen.
pub type Above = (Arc<Segment>, usize);

impl Segment {
    /// How many tokens stand above its own.
    pub fn depth(&self) -> usize {
        self.above.as_ref().map_or(0, |(segment, used)| segment.depth() + used)
    }

    /// Tokens from the root to its end.
    pub fn len(&self) -> usize {
        self.depth() + self.tokens.len()
    }

    /// Whether there is no token at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory of its own keys and values.
    pub fn bytes(&self) -> usize {
        self.rows.bytes()
    }

    /// The segments from the root to this one, each with how many of its tokens are seen from
    /// `used` tokens of this one.
    pub(super) fn path(self: &Arc<Self>, used: usize) -> Vec<Above> {
        let mut path = vec![(Arc::clone(self), used)];
        let mut at = &self.above;
        while let Some((segment, used)) = at {
            path.push((Arc::clone(segment), *used));
            at = &segment.above;
        }
        path.reverse();
        path
    }

    /// Where `tokens` part from the path that ends here: the last place they have in common, and
    /// how many that are.
    pub fn common(self: &Arc<Self>, tokens: &[u32]) -> (Option<Above>, usize) {
        let mut place = None;
        let mut same = 0;
        for (segment, used) in self.path(self.tokens.len()) {
            let own = segment.tokens[..used]
                .iter()
                .zip(&tokens[same..])
                .take_while(|(a, b)| a == b)
                .count();
            same += own;
            if own > 0 {
                place = Some((segment, own));
            }
            if own < used {
                break;
            }
        }
        (place, same)
    }
}

/// New nodes below a place: each continues that place or another node.
#[derive(Debug, Clone)]
pub struct Cache {
    above: Option<Above>,
    depth: usize,
    tokens: Vec<u32>,
    pub(super) rows: Rows,
    /// The own nodes that each node sees, itself the last, as ascending ranges.
    seen: Vec<Arc<[Range<usize>]>>,
}

impl Cache {
    /// No node yet, below a place or as a root.
    pub fn new(config: &Config, above: Option<Above>) -> Self {
        let depth = above.as_ref().map_or(0, |(segment, used)| segment.depth() + used);
        Self { above, depth, tokens: Vec::new(), rows: Rows::new(config), seen: Vec::new() }
    }

    /// Own nodes.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    pub(super) fn above(&self) -> Vec<Above> {
        self.above.as_ref().map_or_else(Vec::new, |(segment, used)| segment.path(*used))
    }

    pub(super) fn seen(&self, node: usize) -> &[Range<usize>] {
        &self.seen[node]
    }

    /// The position of a node along its path, from 0.
    pub fn position(&self, node: usize) -> usize {
        self.depth + self.seen[node].iter().map(ExactSizeIterator::len).sum::<usize>() - 1
    }

    /// Adds nodes whose keys and values are to follow. `parents[i]` is the own node that token `i`
    /// continues (earlier nodes first, then the new ones in order), or none for the place above;
    /// false if a parent is not there yet.
    pub(super) fn add(&mut self, tokens: &[u32], parents: &[Option<usize>]) -> bool {
        for (token, parent) in tokens.iter().zip(parents) {
            let node = self.tokens.len();
            let mut seen: Vec<Range<usize>> = match parent {
                Some(parent) if *parent < node => self.seen[*parent].to_vec(),
                Some(_) => return false,
                None => Vec::new(),
            };
            match seen.last_mut() {
                Some(last) if last.end == node => last.end = node + 1,
                _ => seen.push(node..node + 1),
            }
            self.tokens.push(*token);
            self.seen.push(seen.into());
        }
        true
    }

    /// Adds a layer's keys and values of new nodes, each `[nodes, heads * dim]`.
    pub(super) fn append(&mut self, layer: usize, new: [&[f32]; 2], heads: usize, dim: usize) {
        for (rows, new) in [&mut self.rows.keys, &mut self.rows.values].into_iter().zip(new) {
            for (head, rows) in rows[layer * heads..(layer + 1) * heads].iter_mut().enumerate() {
                let own =
                    new.chunks_exact(heads * dim).map(|row| &row[head * dim..(head + 1) * dim]);
                own.for_each(|row| rows.extend_from_slice(row));
            }
        }
    }

    /// Adds a layer's keys and values of new nodes, each `[heads, nodes, dim]`, of a model on a device.
    pub(super) fn append_there(&mut self, layer: usize, new: [Tensor; 2]) -> Result<()> {
        match self.rows.there.get_mut(layer) {
            None => self.rows.there.push(new),
            Some(rows) => {
                for (rows, new) in rows.iter_mut().zip(new) {
                    *rows = Tensor::cat(&[&*rows, &new], 1)?;
                }
            }
        }
        Ok(())
    }

    /// Nodes above its own.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// A chain of nodes, to be continued and shared. Short ones are joined: attention over forty
    /// keys costs hardly less than over four times as many, and a prompt grows by a few dozen
    /// tokens a step.
    pub fn freeze(self) -> Segment {
        let Self { mut above, mut tokens, mut rows, .. } = self;
        while let Some((segment, used)) =
            above.take_if(|(_, used)| *used > 0 && *used + tokens.len() <= JOINED)
        {
            if !rows.put_before(&segment.rows, (used, segment.tokens.len())) {
                above = Some((segment, used));
                break;
            }
            tokens = [&segment.tokens[..used], &tokens].concat();
            above.clone_from(&segment.above);
        }
        Segment { above, tokens, rows }
    }
}

/// Tokens of segments that are joined to one.
const JOINED: usize = 256;

/// Prompts that are kept at most: looking through them must cost nothing beside computing one.
const KEPT: usize = 64;

/// Prompts computed lately, the newest last, within a limit of memory: a state that shares its
/// beginning with one of them costs only what is new, and going back one step costs nothing.
#[derive(Debug)]
pub struct PromptCache {
    kept: Vec<(Arc<Segment>, Vec<f32>)>,
    limit: usize,
}

impl PromptCache {
    /// None yet, and at most `limit` bytes of keys and values.
    pub fn new(limit: usize) -> Self {
        Self { kept: Vec::new(), limit }
    }

    /// The place that has the most tokens in common with `tokens`, how many they are, and the
    /// logits after them if it is all of them.
    pub fn find(&self, tokens: &[u32]) -> (Option<Above>, usize, Option<Vec<f32>>) {
        let mut best = (None, 0, None);
        for (segment, logits) in self.kept.iter().rev() {
            let (place, same) = segment.common(tokens);
            let whole = same == tokens.len() && segment.len() == same;
            if same > best.1 || (whole && best.2.is_none()) {
                best = (place, same, whole.then(|| logits.clone()));
            }
        }
        best
    }

    /// Keeps a prompt and the logits after it; the oldest go first.
    pub fn keep(&mut self, segment: Arc<Segment>, logits: Vec<f32>) {
        self.kept.retain(|(kept, _)| !Arc::ptr_eq(kept, &segment));
        self.kept.push((segment, logits));
        while self.kept.len() > KEPT || (self.kept.len() > 1 && self.bytes() > self.limit) {
            self.kept.remove(0);
        }
    }

    /// Memory of all segments that the kept prompts are made of, each once.
    pub fn bytes(&self) -> usize {
        let mut all: Vec<Above> =
            self.kept.iter().flat_map(|(segment, _)| segment.path(segment.tokens.len())).collect();
        all.sort_by_key(|(segment, _)| Arc::as_ptr(segment));
        all.dedup_by(|a, b| Arc::ptr_eq(&a.0, &b.0));
        all.iter().map(|(segment, _)| segment.bytes()).sum()
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
