//! What is done with nodes of the tree besides walking: naming, taking out and putting back,
//! comparing.

use super::{Session, TrunkLine, way_to};
use crate::control::Cancel;
use crate::env::{Environment, Experts};
use crate::error::{Error, Result};
use crate::text::counted;

/// The longest name of a node.
const NAME: usize = 40;

impl Session {
    pub(super) fn known(&self, node: usize) -> Result<usize> {
        if node < self.nodes.len() {
            Ok(node)
        } else {
            Err(Error::new(format!("there is no node {node}")))
        }
    }

    /// Names a node; an empty name takes it off.
    pub fn name(&mut self, node: usize, name: &str) -> Result<()> {
        let node = self.known(node)?;
        self.nodes[node].name =
            name.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(NAME).collect();
        Ok(())
    }

    /// Takes a node and everything below it out of the tree, until [`Self::put_back`]. Refused for
    /// the way to where one stands.
    pub fn remove(&mut self, node: usize) -> Result<()> {
        let node = self.known(node)?;
        if self.path().contains(&node) {
            return Err(Error::new("you stand on this branch")
                .hint("go to another node first, then delete it"));
        }
        self.gone.retain(|known| *known != node);
        self.gone.push(node);
        Ok(())
    }

    /// Puts back what was taken out last; false if nothing is out.
    pub fn put_back(&mut self) -> bool {
        self.gone.pop().is_some()
    }

    /// Where two nodes part and how they differ, as lines to be read.
    pub fn compare(&mut self, a: usize, b: usize) -> Result<Vec<String>> {
        let a = self.known(a)?;
        let b = self.known(b)?;
        let left = self.path_to(a);
        let right = self.path_to(b);
        let shared = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
        let listed = |node: usize| -> Vec<String> {
            self.nodes[node].turn.actions.list().iter().map(ToString::to_string).collect()
        };
        let mut lines = vec![format!(
            "They share the first {} of {} and {} steps.",
            shared - 1,
            left.len() - 1,
            right.len() - 1
        )];
        let mut distances = Vec::with_capacity(2);
        for node in [a, b] {
            let distance = |env: &dyn Environment, experts: &Experts| {
                experts.distance(env, &Cancel::default())
            };
            distances.push(self.worlds.look(&way_to(&self.nodes, node), distance)?);
        }
        let sides = [("A", a, &left, b), ("B", b, &right, a)].into_iter().zip(distances);
        for ((mark, at, path, other), distance) in sides {
            let node = &self.nodes[at];
            let turn = &self.nodes[at].turn;
            let name =
                if node.name.is_empty() { String::new() } else { format!(" \"{}\"", node.name) };
            let far = match distance {
                _ if turn.success => "solved".to_string(),
                Ok(left) => format!("goal {} away", counted(left as u64, "step")),
                Err(why) => why.to_string(),
            };
            lines.extend([String::new(), format!("{mark}{name}: step {}, {far}", node.depth)]);
            lines.extend(path[shared..].iter().map(|step| {
                let step = &self.nodes[*step];
                format!("  {:>3} {} ({})", step.depth, step.action, step.source)
            }));
            lines.push(format!("  {}", turn.observation));
            let there = listed(other);
            let only: Vec<String> =
                listed(at).into_iter().filter(|action| !there.contains(action)).collect();
            if !only.is_empty() {
                lines.push(format!("  admissible only here: {}", only.join(", ")));
            }
        }
        if self.nodes[a].state == self.nodes[b].state {
            lines.extend([String::new(), "The world is in the same state in both.".into()]);
        }
        Ok(lines)
    }

    /// The tree in depth-first order, children in the order they were first visited.
    pub(super) fn trunk(&self, path: &[usize]) -> Vec<TrunkLine> {
        let mut lines = Vec::with_capacity(self.nodes.len());
        let mut stack = vec![0];
        while let Some(at) = stack.pop() {
            let node = &self.nodes[at];
            lines.push(TrunkLine {
                node: at,
                depth: node.depth,
                action: node.action.clone(),
                source: node.source.clone(),
                name: node.name.clone(),
                observation: node.turn.observation.to_string(),
                on_path: path.contains(&at),
            });
            let children =
                (0..self.nodes.len()).rev().filter(|child| self.nodes[*child].parent == Some(at));
            stack.extend(children.filter(|child| !self.gone.contains(child)));
        }
        lines
    }
}

#[cfg(test)]
#[path = "nodes_tests.rs"]
mod tests;
