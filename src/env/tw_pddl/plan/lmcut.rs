//! The landmark-cut heuristic (Helmert and Domshlak, 2009): a lower bound of the steps to the goal.
//!
//! Ignoring what operators clear, every plan must use at least one operator of each *cut* found
//! here, and cuts share none, so their number is a lower bound. It is nearly exact for errands of
//! fetching, treating and bringing.

use super::ground::{GOAL, Task, has};

const FAR: u32 = u32::MAX;

/// Lists of numbers by number.
#[derive(Debug)]
struct Lists {
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    fn new(count: usize, pairs: &[(u32, u32)]) -> Self {
        let mut starts = vec![0_u32; count + 1];
        for (key, _) in pairs {
            starts[*key as usize + 1] += 1;
        }
        for i in 0..count {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        let mut items = vec![0; pairs.len()];
        for (key, item) in pairs {
            items[next[*key as usize] as usize] = *item;
            next[*key as usize] += 1;
        }
        Self { starts, items }
    }

    fn of(&self, key: u32) -> &[u32] {
        &self.items[self.starts[key as usize] as usize..self.starts[key as usize + 1] as usize]
    }
}

/// What is known of an operator during one evaluation.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// Conditions not reached yet.
    open: u32,
    /// 0 once it is in a cut, and for the goal's operators.
    cost: u32,
    /// The condition that is hardest to reach, and how far it is.
    support: u32,
    far: u32,
}

/// Room to evaluate states of one task, used again and again.
#[derive(Debug)]
pub struct LmCut<'a> {
    task: &'a Task,
    /// The task's operators that count.
    which: Vec<u32>,
    /// How many of them come before the goal's.
    first_goal: usize,
    /// Which of them need a bit, and which set it.
    needed_by: Lists,
    set_by: Lists,
    known: Vec<Known>,
    far: Vec<u32>,
    /// The bits that are set in the state, as far as any operator needs them.
    now: Vec<u32>,
    /// By bit: 0 nothing known, 1 reached before the goal's zone, 2 in the zone.
    zone: Vec<u8>,
    queue: Vec<Vec<u32>>,
    stack: Vec<u32>,
    cut: Vec<u32>,
    /// Operators applicable in the state evaluated last, and whether each is in one of its cuts:
    /// those that are not bring the goal no nearer.
    pub applicable: Vec<(u32, bool)>,
}

impl<'a> LmCut<'a> {
    /// For some operators of a task, the goal's last.
    pub fn new(task: &'a Task, which: Vec<u32>) -> Self {
        let mut needs = Vec::new();
        let mut sets = Vec::new();
        for (o, op) in which.iter().enumerate() {
            needs.extend(task.ops[*op as usize].pre.iter().map(|bit| (*bit, o as u32)));
            sets.extend(task.ops[*op as usize].add.iter().map(|bit| (*bit, o as u32)));
        }
        let none = Known { open: 0, cost: 0, support: 0, far: FAR };
        Self {
            task,
            first_goal: which.iter().filter(|op| (**op as usize) < task.first_goal).count(),
            needed_by: Lists::new(task.bits, &needs),
            set_by: Lists::new(task.bits, &sets),
            known: vec![none; which.len()],
            which,
            far: vec![FAR; task.bits],
            now: Vec::new(),
            zone: vec![0; task.bits],
            queue: Vec::new(),
            stack: Vec::new(),
            cut: Vec::new(),
            applicable: Vec::new(),
        }
    }

    /// At least how many steps the goal is away from a state; none when it cannot be reached at
    /// all. Once `stop` says so it looks no further: the steps known by then are fewer, but still a
    /// bound.
    pub fn evaluate(&mut self, state: &[u64], stop: &dyn Fn() -> bool) -> Option<u32> {
        self.explore(state);
        if self.far[GOAL as usize] == FAR {
            return None;
        }
        let mut bound = 0;
        while self.far[GOAL as usize] > 0 && !(bound > 0 && stop()) {
            self.mark_zone();
            self.find_cut();
            bound += 1;
            for i in 0..self.cut.len() {
                self.known[self.cut[i] as usize].cost = 0;
            }
            self.lower();
        }
        for (op, in_cut) in &mut self.applicable {
            *in_cut = self.known[*op as usize].cost == 0;
            *op = self.which[*op as usize];
        }
        Some(bound)
    }

    fn reach(far: &mut [u32], queue: &mut Vec<Vec<u32>>, bit: u32, at: u32) {
        if at < far[bit as usize] {
            far[bit as usize] = at;
            if queue.len() <= at as usize {
                queue.resize_with(at as usize + 1, Vec::new);
            }
            queue[at as usize].push(bit);
        }
    }

    /// The next bit in the queue whose distance is still the one it waited with, and moves `at` to
    /// that distance.
    fn nearest(&mut self, at: &mut usize) -> Option<u32> {
        while let Some(waiting) = self.queue.get_mut(*at) {
            match waiting.pop() {
                Some(bit) if self.far[bit as usize] >= *at as u32 => return Some(bit),
                Some(_) => {}
                None => *at += 1,
            }
        }
        None
    }

    /// How far every bit is when an operator is as far as its farthest condition.
    fn explore(&mut self, state: &[u64]) {
        self.far.fill(FAR);
        self.applicable.clear();
        let first_goal = self.first_goal;
        for (o, (known, op)) in self.known.iter_mut().zip(&self.which).enumerate() {
            let open = self.task.ops[*op as usize].pre.len() as u32;
            *known = Known { open, cost: u32::from(o < first_goal), support: 0, far: FAR };
        }
        self.now.clear();
        self.now.extend(
            (0..self.task.bits as u32)
                .filter(|bit| has(state, *bit) && !self.needed_by.of(*bit).is_empty()),
        );
        for bit in &self.now {
            Self::reach(&mut self.far, &mut self.queue, *bit, 0);
        }
        let mut at = 0;
        while let Some(bit) = self.nearest(&mut at) {
            for o in self.needed_by.of(bit) {
                let op = &mut self.known[*o as usize];
                op.open -= 1;
                if op.open > 0 {
                    continue;
                }
                op.support = bit;
                op.far = at as u32;
                if at == 0 && (*o as usize) < first_goal {
                    self.applicable.push((*o, false));
                }
                for add in &self.task.ops[self.which[*o as usize] as usize].add {
                    Self::reach(&mut self.far, &mut self.queue, *add, at as u32 + op.cost);
                }
            }
        }
    }

    /// The bits from which the goal costs nothing more.
    fn mark_zone(&mut self) {
        self.zone.fill(0);
        self.zone[GOAL as usize] = 2;
        self.stack.push(GOAL);
        while let Some(bit) = self.stack.pop() {
            for o in self.set_by.of(bit) {
                let op = &self.known[*o as usize];
                if op.far != FAR && op.cost == 0 && self.zone[op.support as usize] != 2 {
                    self.zone[op.support as usize] = 2;
                    self.stack.push(op.support);
                }
            }
        }
    }

    /// The operators that lead from what the state reaches into the zone.
    fn find_cut(&mut self) {
        self.cut.clear();
        for bit in &self.now {
            self.zone[*bit as usize] = 1;
            self.stack.push(*bit);
        }
        while let Some(bit) = self.stack.pop() {
            for o in self.needed_by.of(bit) {
                let op = &self.known[*o as usize];
                if op.support != bit || op.far == FAR {
                    continue;
                }
                let add = &self.task.ops[self.which[*o as usize] as usize].add;
                if add.iter().any(|bit| self.zone[*bit as usize] == 2) {
                    self.cut.push(*o);
                    continue;
                }
                for bit in add {
                    if self.zone[*bit as usize] == 0 {
                        self.zone[*bit as usize] = 1;
                        self.stack.push(*bit);
                    }
                }
            }
        }
    }

    /// Brings the distances up to date after the operators of the cut became free.
    fn lower(&mut self) {
        for o in &self.cut {
            let at = self.known[*o as usize].far;
            for add in &self.task.ops[self.which[*o as usize] as usize].add {
                Self::reach(&mut self.far, &mut self.queue, *add, at);
            }
        }
        let mut at = 0;
        while let Some(bit) = self.nearest(&mut at) {
            for o in self.needed_by.of(bit) {
                let op = &mut self.known[*o as usize];
                if op.support != bit || op.far == FAR || op.far <= at as u32 {
                    continue;
                }
                let hardest = self.task.ops[self.which[*o as usize] as usize]
                    .pre
                    .iter()
                    .copied()
                    .max_by_key(|bit| self.far[*bit as usize]);
                let support = hardest.unwrap_or(op.support);
                let far = self.far[support as usize];
                let nearer = far < op.far;
                op.support = support;
                op.far = far;
                if nearer {
                    for add in &self.task.ops[self.which[*o as usize] as usize].add {
                        Self::reach(&mut self.far, &mut self.queue, *add, far + op.cost);
                    }
                }
            }
        }
    }
}
