//! A* over forks of bits.
//!
//! A state is evaluated only when it is taken from the queue. Until then its bound follows from
//! where it came from: a step by an operator of some cut can have brought the goal one step nearer,
//! any other step cannot have (the other cuts still have to be crossed), so the many actions that
//! do not help are never evaluated at all.

use std::collections::HashMap;
use std::time::Instant;

use foldhash::fast::FixedState;

use super::Limits;
use super::ground::{Bits, Task};
use super::lmcut::LmCut;

/// How a search ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The operators of a shortest plan; and, if asked for, all operators that start some shortest
    /// plan.
    Solution {
        /// A shortest plan.
        ops: Vec<u32>,
        /// Every operator that starts a shortest plan.
        starts: Vec<u32>,
    },
    /// There is none.
    Unsolvable,
    /// No plan found within that many nodes.
    GaveUp(usize),
    /// The person asked to stop.
    Cancelled,
}

/// A state that was reached.
struct Node {
    state: Bits,
    steps: u32,
    /// Lower bound of the steps left, once evaluated.
    left: Option<u32>,
    dead: bool,
    expanded: bool,
    /// Where it was reached from with `steps` steps, and by which operator.
    from: Vec<(u32, u32)>,
    /// Applicable operators, and whether each may bring the goal nearer.
    next: Vec<(u32, bool)>,
}

/// A way to a state that waits to be looked at; `op` is none for a state that is a node already.
#[derive(Clone, Copy)]
struct Waiting {
    node: u32,
    op: Option<u32>,
    bound: u32,
}

struct Search<'a> {
    task: &'a Task,
    heuristic: LmCut<'a>,
    nodes: Vec<Node>,
    ids: HashMap<Bits, u32, FixedState>,
    /// By total length, then by steps left.
    queue: Vec<Vec<Vec<Waiting>>>,
    goals: Vec<u32>,
    /// Memory that nodes and queue take, about.
    bytes: usize,
    limits: &'a Limits,
    started: Instant,
    over: bool,
}

/// A search that would take more memory gives up: real ones stay under a few megabytes, hostile
/// files need not.
const MAX_BYTES: usize = 256 << 20;

/// A shortest plan from a state by some operators of the task (the goal's last). With `all_starts`
/// the search goes on until every operator that starts one is known.
pub fn shortest(
    task: &Task,
    ops: Vec<u32>,
    start: Bits,
    all_starts: bool,
    limits: &Limits,
) -> Found {
    let mut search = Search {
        task,
        heuristic: LmCut::new(task, ops),
        nodes: Vec::new(),
        ids: HashMap::default(),
        queue: Vec::new(),
        goals: Vec::new(),
        bytes: 0,
        limits,
        started: Instant::now(),
        over: false,
    };
    search.nodes.push(Node::new(start.clone(), 0, Vec::new()));
    search.ids.insert(start, 0);
    search.wait(0, Waiting { node: 0, op: None, bound: 0 });
    search.run(all_starts)
}

impl Node {
    fn new(state: Bits, steps: u32, from: Vec<(u32, u32)>) -> Self {
        Self { state, steps, left: None, dead: false, expanded: false, from, next: Vec::new() }
    }
}

impl Search<'_> {
    fn wait(&mut self, steps: u32, waiting: Waiting) {
        let total = (steps + waiting.bound) as usize;
        let left = waiting.bound as usize;
        if self.queue.len() <= total {
            self.bytes += (total + 1 - self.queue.len()) * size_of::<Vec<Vec<Waiting>>>();
            self.queue.resize_with(total + 1, Vec::new);
        }
        let row = &mut self.queue[total];
        if row.len() <= left {
            self.bytes += (left + 1 - row.len()) * size_of::<Vec<Waiting>>();
            row.resize_with(left + 1, Vec::new);
        }
        row[left].push(waiting);
        self.bytes += size_of::<Waiting>();
    }

    fn run(&mut self, all_starts: bool) -> Found {
        let mut taken = 0_usize;
        let mut total = 0;
        while total < self.queue.len() {
            let Some(waiting) = self.queue[total].iter_mut().find_map(Vec::pop) else {
                if !self.goals.is_empty() {
                    break; // everything as short as the plan was looked at
                }
                total += 1;
                continue;
            };
            taken += 1;
            self.over |= taken % 64 == 1 && self.limits.are_reached(self.started);
            if self.over {
                return if self.limits.is_cancelled() { Found::Cancelled } else { self.given_up() };
            }
            if self.nodes.len() > self.limits.nodes || self.bytes > MAX_BYTES {
                return self.given_up();
            }
            let Some(node) = self.arrive(waiting, total as u32) else { continue };
            if self.nodes[node as usize].left == Some(0) {
                self.goals.push(node);
                if !all_starts {
                    break;
                }
                continue;
            }
            self.expand(node);
        }
        if self.goals.is_empty() { Found::Unsolvable } else { self.found() }
    }

    /// What is known when the limits end the search: a plan that was found already is still a plan.
    fn given_up(&self) -> Found {
        if self.goals.is_empty() { Found::GaveUp(self.nodes.len()) } else { self.found() }
    }

    /// The node that a waiting way leads to, evaluated, if it is to be looked at now.
    fn arrive(&mut self, waiting: Waiting, total: u32) -> Option<u32> {
        let id = match waiting.op {
            None => waiting.node,
            Some(op) => {
                let from = &self.nodes[waiting.node as usize];
                let state = self.task.after(&from.state, op);
                let steps = from.steps + 1;
                match self.ids.get(&state).copied() {
                    Some(id) if self.nodes[id as usize].steps < steps => return None,
                    Some(id) if self.nodes[id as usize].steps == steps => {
                        self.nodes[id as usize].from.push((waiting.node, op));
                        self.bytes += size_of::<(u32, u32)>();
                        return None;
                    }
                    Some(id) => {
                        let node = &mut self.nodes[id as usize];
                        node.steps = steps;
                        node.from = vec![(waiting.node, op)];
                        node.expanded = false;
                        id
                    }
                    None => {
                        let id = self.nodes.len() as u32;
                        self.bytes += 2 * size_of_val(&*state) + size_of::<Node>();
                        self.nodes.push(Node::new(state.clone(), steps, vec![(waiting.node, op)]));
                        self.ids.insert(state, id);
                        id
                    }
                }
            }
        };
        if self.nodes[id as usize].left.is_none() && !self.nodes[id as usize].dead {
            let limits = self.limits;
            let started = self.started;
            let left = self
                .heuristic
                .evaluate(&self.nodes[id as usize].state, &|| limits.are_reached(started));
            self.over = limits.are_reached(started);
            let node = &mut self.nodes[id as usize];
            node.dead = left.is_none();
            node.left = left.map(|left| if left == 0 { 0 } else { left.max(waiting.bound) });
            node.next.clone_from(&self.heuristic.applicable);
            self.bytes += size_of_val(node.next.as_slice());
        }
        let node = &self.nodes[id as usize];
        let left = node.left?;
        let steps = node.steps;
        if steps + left > total {
            self.wait(steps, Waiting { node: id, op: None, bound: left });
            return None;
        }
        (!node.expanded).then_some(id)
    }

    fn expand(&mut self, id: u32) {
        let node = &mut self.nodes[id as usize];
        node.expanded = true;
        let steps = node.steps + 1;
        let left = node.left.unwrap_or_default();
        let next = std::mem::take(&mut node.next);
        for (op, nearer) in &next {
            let bound = if *nearer { left.saturating_sub(1) } else { left };
            self.wait(steps, Waiting { node: id, op: Some(*op), bound });
        }
        self.nodes[id as usize].next = next;
    }

    fn found(&self) -> Found {
        let mut ops = Vec::new();
        let mut at = self.goals[0];
        while let Some((from, op)) = self.nodes[at as usize].from.first() {
            ops.push(*op);
            at = *from;
        }
        ops.reverse();
        let mut starts = Vec::new();
        let mut seen = vec![false; self.nodes.len()];
        let mut stack = self.goals.clone();
        while let Some(at) = stack.pop() {
            if std::mem::replace(&mut seen[at as usize], true) {
                continue;
            }
            for (from, op) in &self.nodes[at as usize].from {
                if *from == 0 {
                    starts.push(*op);
                }
                stack.push(*from);
            }
        }
        starts.sort_unstable();
        starts.dedup();
        Found::Solution { ops, starts }
    }
}
