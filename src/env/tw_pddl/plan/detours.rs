//! Operators that no shortest plan uses, so that they need not be looked at.
//!
//! Most of a room is of no use to an errand: picking up some other thing costs the free hand, and
//! putting it down gives back the free hand and nothing else. In terms of bits: a *detour* is a
//! group of operators that share bits which nobody else reads, that all enter by giving up one
//! common bit and can only leave by setting it again. Whatever plan takes a detour stays a plan,
//! and becomes shorter, when the whole group is left out.

use super::ground::{ALWAYS, Bit, Op, Task, has};
use crate::budget::spend;

/// The detours of a task.
#[derive(Debug)]
pub struct Detours {
    /// The group of each operator, if it belongs to one.
    group: Vec<Option<u32>>,
    /// For each group, the bits that must all be clear for it to be a detour: one of them set means
    /// that the state is inside the group already (the thing is in the hand), and then it may be
    /// needed to leave it.
    inside: Vec<Vec<Bit>>,
}

impl Detours {
    /// Finds them.
    pub fn new(task: &Task) -> Self {
        let mut detours = Self { group: vec![None; task.ops.len()], inside: Vec::new() };
        let size: usize =
            task.ops.iter().map(|op| 1 + op.pre.len() + op.add.len() + op.del.len()).sum();
        for given_up in task.absences() {
            if !spend(size as u64 / 8) {
                break; // whoever grounds the game says so
            }
            detours.around(task, given_up);
        }
        detours
    }

    /// The operators that a shortest plan from a state may use, the goal's last.
    pub fn useful(&self, state: &[u64]) -> Vec<u32> {
        let out: Vec<bool> =
            self.inside.iter().map(|bits| bits.iter().all(|bit| !has(state, *bit))).collect();
        let ops = self.group.iter().enumerate();
        ops.filter(|(_, group)| !group.is_some_and(|group| out[group as usize]))
            .map(|(op, _)| op as u32)
            .collect()
    }

    fn around(&mut self, task: &Task, given_up: Bit) {
        let enters = |op: &Op| op.pre.contains(&given_up) && op.del.contains(&given_up);
        let leaves = |op: &Op| op.add.contains(&given_up) && !op.pre.contains(&given_up);
        let ops = || task.ops[..task.first_goal].iter().enumerate();
        let changed = |op: &Op| {
            op.add
                .iter()
                .chain(&op.del)
                .copied()
                .filter(|bit| *bit != given_up)
                .collect::<Vec<Bit>>()
        };
        let mut groups = Groups::new(task.bits);
        let mut private = vec![false; task.bits];
        for (_, op) in ops().filter(|(_, op)| enters(op) || leaves(op)) {
            if op.moves {
                return; // walking is nobody's detour
            }
            let bits = changed(op);
            for bit in &bits {
                private[*bit as usize] = true;
            }
            for pair in bits.windows(2) {
                groups.join(pair[0], pair[1]);
            }
        }
        // A group is spoilt when anything else reads or changes its bits.
        let mut spoilt = vec![false; task.bits];
        for (_, op) in task.ops.iter().enumerate().filter(|(_, op)| !(enters(op) || leaves(op))) {
            for bit in
                op.pre.iter().chain(&op.add).chain(&op.del).filter(|bit| private[**bit as usize])
            {
                spoilt[groups.of(*bit) as usize] = true;
            }
        }
        // Bits that say "inside": needed by every operator that leaves, set only by operators that
        // enter.
        let mut set_by_entering = vec![true; task.bits];
        for bit in ops().filter(|(_, op)| !enters(op)).flat_map(|(_, op)| &op.add) {
            set_by_entering[*bit as usize] = false;
        }
        let mut inside: Vec<Vec<Bit>> = vec![Vec::new(); task.bits];
        for (_, op) in ops().filter(|(_, op)| leaves(op)) {
            let Some(first) = changed(op).first().copied() else { return };
            let group = groups.of(first) as usize;
            let key = op.pre.iter().copied().find(|bit| {
                private[*bit as usize]
                    && groups.of(*bit) as usize == group
                    && *bit != ALWAYS
                    && set_by_entering[*bit as usize]
            });
            match key {
                Some(bit) if !inside[group].contains(&bit) => inside[group].push(bit),
                Some(_) => {}
                None => spoilt[group] = true,
            }
        }
        let mut numbers: Vec<Option<u32>> = vec![None; task.bits];
        for (at, op) in ops().filter(|(_, op)| enters(op) || leaves(op)) {
            let Some(first) = changed(op).first().copied() else { continue };
            let group = groups.of(first) as usize;
            if spoilt[group] || self.group[at].is_some() {
                continue;
            }
            let number = *numbers[group].get_or_insert_with(|| {
                self.inside.push(inside[group].clone());
                self.inside.len() as u32 - 1
            });
            self.group[at] = Some(number);
        }
    }
}

/// Disjoint sets of bits: of each the bit that it hangs on, and how many hang on it.
struct Groups {
    above: Vec<Bit>,
    size: Vec<u32>,
}

impl Groups {
    fn new(bits: usize) -> Self {
        Self { above: (0..bits as Bit).collect(), size: vec![1; bits] }
    }

    fn of(&self, bit: Bit) -> Bit {
        let mut at = bit;
        while self.above[at as usize] != at {
            at = self.above[at as usize];
        }
        at
    }

    fn join(&mut self, a: Bit, b: Bit) {
        let a = self.of(a);
        let b = self.of(b);
        if a == b {
            return;
        }
        // The smaller hangs on the larger, so that no way up is long.
        let (small, large) =
            if self.size[a as usize] > self.size[b as usize] { (b, a) } else { (a, b) };
        self.above[small as usize] = large;
        self.size[large as usize] += self.size[small as usize];
    }
}
