//! Token strings with their common beginnings held once.

/// A tree of token strings; node 0 is the root.
#[derive(Debug, Clone)]
pub struct Trie {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    token: u32,
    parent: usize,
    children: Vec<usize>,
    ends: bool,
}

impl Trie {
    /// A trie of strings, with the node that each one ends in.
    pub fn new<'a>(strings: impl IntoIterator<Item = &'a [u32]>) -> (Self, Vec<usize>) {
        let mut trie = Self { nodes: vec![Node::default()] };
        let mut ends = Vec::new();
        for string in strings {
            let mut at = 0;
            for token in string {
                at = trie.child(at, *token).unwrap_or_else(|| {
                    trie.nodes.push(Node { token: *token, parent: at, ..Node::default() });
                    let new = trie.nodes.len() - 1;
                    trie.nodes[at].children.push(new);
                    new
                });
            }
            trie.nodes[at].ends = true;
            ends.push(at);
        }
        (trie, ends)
    }

    /// The node that `token` leads to.
    pub fn child(&self, node: usize, token: u32) -> Option<usize> {
        self.nodes[node].children.iter().copied().find(|child| self.nodes[*child].token == token)
    }

    /// The tokens that may follow a node.
    pub fn next(&self, node: usize) -> impl Iterator<Item = u32> {
        self.nodes[node].children.iter().map(|child| self.nodes[*child].token)
    }

    /// Whether a string ends here.
    pub fn ends(&self, node: usize) -> bool {
        self.nodes[node].ends
    }

    /// The nodes that others follow, parents first, the root left out: their tokens and, as places
    /// in this list, their parents (none: the root). Also the place of each node of the trie in the
    /// list.
    pub(super) fn inner(&self) -> (Vec<u32>, Vec<Option<usize>>, Vec<Option<usize>>) {
        let mut tokens = Vec::new();
        let mut parents = Vec::new();
        let mut places = vec![None; self.nodes.len()];
        for (i, node) in self.nodes.iter().enumerate().skip(1) {
            if !node.children.is_empty() {
                places[i] = Some(tokens.len());
                tokens.push(node.token);
                parents.push(places[node.parent]);
            }
        }
        (tokens, parents, places)
    }

    /// The nodes from the root's child to `node`, with their tokens and parents.
    pub(super) fn path(&self, node: usize) -> impl Iterator<Item = (usize, u32)> {
        let step = |at: &usize| (*at != 0).then(|| self.nodes[*at].parent);
        let up = std::iter::successors(Some(node), step).take_while(|at| *at != 0);
        up.map(|at| (self.nodes[at].parent, self.nodes[at].token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_beginnings_stand_once() {
        let strings: [&[u32]; 4] = [&[1, 2, 3], &[1, 2], &[1, 4], &[]];
        let (trie, ends) = Trie::new(strings);
        assert_eq!(trie.inner().0, [1, 2]);
        assert_eq!(trie.inner().1, [None, Some(0)]);
        assert_eq!(ends.len(), 4);
        assert!(trie.ends(ends[1]) && trie.ends(0) && !trie.ends(trie.child(0, 1).unwrap()));
        assert_eq!(trie.path(ends[0]).map(|(_, token)| token).collect::<Vec<_>>(), [3, 2, 1]);
        let first = trie.child(0, 1).unwrap();
        assert_eq!(trie.next(first).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(trie.child(first, 9), None);
    }
}
