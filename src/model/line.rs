//! Keys and values of one layer and key-value head, laid out for products over panels.

use super::kernels::panels::{NONE, PANEL, Terms};

/// What the nodes of a cache or a segment are seen by.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    nodes: usize,
    /// `[panels of nodes, dim]`: the nodes side by side.
    keys: Vec<Terms>,
    /// `[panels of dimensions][nodes]`: the dimensions side by side, the last panel filled up.
    values: Vec<Vec<Terms>>,
}

impl Line {
    /// Nodes.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.nodes
    }

    /// Adds a node.
    pub fn push(&mut self, key: &[f32], value: &[f32]) {
        let dim = key.len();
        if self.nodes.is_multiple_of(PANEL) {
            self.keys.resize(self.keys.len() + dim, NONE);
        }
        let panel = self.nodes / PANEL * dim;
        for (terms, key) in self.keys[panel..].iter_mut().zip(key) {
            terms.0[self.nodes % PANEL] = *key;
        }
        self.values.resize_with(dim.div_ceil(PANEL), Vec::new);
        for (panel, value) in self.values.iter_mut().zip(value.chunks(PANEL)) {
            let mut terms = NONE;
            terms.0[..value.len()].copy_from_slice(value);
            panel.push(terms);
        }
        self.nodes += 1;
    }

    /// Adds the first nodes of another line.
    pub fn push_of(&mut self, other: &Self, nodes: usize) {
        let dim = other.dim();
        self.values.resize_with(other.values.len(), Vec::new);
        for (to, from) in self.values.iter_mut().zip(&other.values) {
            to.extend_from_slice(&from[..nodes]);
        }
        self.keys.resize((self.nodes + nodes).div_ceil(PANEL) * dim, NONE);
        for node in 0..nodes {
            let at = self.nodes + node;
            let from = other.key_panel(node / PANEL, dim);
            let to = &mut self.keys[at / PANEL * dim..][..dim];
            for (to, from) in to.iter_mut().zip(from) {
                to.0[at % PANEL] = from.0[node % PANEL];
            }
        }
        self.nodes += nodes;
    }

    /// Gives back what it asked for in advance.
    pub fn shrink(&mut self) {
        self.keys.shrink_to_fit();
        self.values.iter_mut().for_each(Vec::shrink_to_fit);
    }

    /// Numbers of a key.
    fn dim(&self) -> usize {
        self.keys.len().checked_div(self.nodes.div_ceil(PANEL)).unwrap_or_default()
    }

    /// The key and the value of a node.
    #[cfg(test)]
    pub fn node(&self, node: usize) -> (Vec<f32>, Vec<f32>) {
        let keys = self.key_panel(node / PANEL, self.dim()).iter();
        let key = keys.map(|terms| terms.0[node % PANEL]).collect();
        let value = self.values.iter().flat_map(|panel| panel[node].0).take(self.dim()).collect();
        (key, value)
    }

    /// A panel of keys, `[dim]`.
    pub fn key_panel(&self, panel: usize, dim: usize) -> &[Terms] {
        &self.keys[panel * dim..(panel + 1) * dim]
    }

    /// The panels of values, `[nodes]` each.
    pub fn values(&self) -> impl Iterator<Item = &[Terms]> {
        self.values.iter().map(Vec::as_slice)
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        let values: usize = self.values.iter().map(Vec::capacity).sum();
        (self.keys.capacity() + values) * size_of::<Terms>()
    }
}
