//! Keys and values of one layer and key-value head, laid out for products over panels.

use super::kernels::panels::{PANEL, Terms};

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
    pub fn len(&self) -> usize {
        self.nodes
    }

    /// Adds a node.
    pub fn push(&mut self, key: &[f32], value: &[f32]) {
        let dim = key.len();
        if self.nodes.is_multiple_of(PANEL) {
            self.keys.resize(self.keys.len() + dim, Terms([0.0; PANEL]));
        }
        let panel = self.nodes / PANEL * dim;
        for (terms, key) in self.keys[panel..].iter_mut().zip(key) {
            terms.0[self.nodes % PANEL] = *key;
        }
        self.values.resize_with(dim.div_ceil(PANEL), Vec::new);
        for (panel, value) in self.values.iter_mut().zip(value.chunks(PANEL)) {
            let mut terms = Terms([0.0; PANEL]);
            terms.0[..value.len()].copy_from_slice(value);
            panel.push(terms);
        }
        self.nodes += 1;
    }

    /// Adds the first nodes of another line.
    pub fn push_of(&mut self, other: &Self, nodes: usize) {
        for (key, value) in (0..nodes).map(|node| other.node(node)) {
            self.push(&key, &value);
        }
    }

    /// The key and the value of a node.
    pub fn node(&self, node: usize) -> (Vec<f32>, Vec<f32>) {
        let dim = self.keys.len() / self.nodes.div_ceil(PANEL);
        let keys = self.key_panel(node / PANEL, dim).iter();
        let key = keys.map(|terms| terms.0[node % PANEL]).collect();
        let value = self.values.iter().flat_map(|panel| panel[node].0).take(dim).collect();
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
