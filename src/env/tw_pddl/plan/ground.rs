//! A game as a planning task over bits.
//!
//! Only what can matter is kept: predicates that the goal or the way to it reads, operators that
//! change them, and facts that can come true from the game's start when deletes are ignored. A
//! precondition that asks for the absence of a fact gets a complementary bit, so that every
//! operator is a list of bits that must be set, bits to set and bits to clear.
//!
//! Of one predicate (where the agent is) exactly one fact holds at any time. "Walk from A to X",
//! "walk from B to X", … are then one operator without a condition on where one is: it clears all
//! of them and sets X. That makes the number of operators grow with the places, not with their
//! square, and changes no plan.

use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;

use super::super::facts::{FREE, FactSet, Vars, pred_of};
use super::super::game::Game;
use super::super::pddl::{MAX_VARS, Pred};
use super::reach::{Condition, Raw, Reached};
use crate::budget::work;
use crate::error::{Error, Result};

/// Number of a bit.
pub type Bit = u32;
/// The bit that is always set: the condition of operators without one.
pub const ALWAYS: Bit = 0;
/// The bit that the goal's operators set.
pub const GOAL: Bit = 1;

/// More bits are refused: real games have some hundred, and a search keeps many thousand states.
const MAX_BITS: usize = 1 << 14;

/// A state, as a row of bits.
pub type Bits = Box<[u64]>;

/// A ground operator.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Op {
    /// Bits that must be set.
    pub pre: Vec<Bit>,
    /// Bits it sets.
    pub add: Vec<Bit>,
    /// Bits it clears before.
    pub del: Vec<Bit>,
    /// Whether it also clears where the agent was.
    pub moves: bool,
}

/// A grounded game.
#[derive(Debug)]
pub struct Task {
    /// How many bits a state has.
    pub bits: usize,
    /// The operators; from `first_goal` on, one for each way in which the goal can hold, which cost
    /// nothing.
    pub ops: Vec<Op>,
    /// Where the goal's operators start.
    pub first_goal: usize,
    positive: HashMap<u64, Bit, FixedState>,
    negative: HashMap<u64, Bit, FixedState>,
    here: Bits,
    numbers: HashMap<(u16, Vars), Vec<u32>, FixedState>,
}

/// Whether the bit is set.
pub fn has(state: &[u64], bit: Bit) -> bool {
    state[bit as usize / 64] >> (bit % 64) & 1 == 1
}

fn set(state: &mut [u64], bit: Bit) {
    state[bit as usize / 64] |= 1 << (bit % 64);
}

impl Task {
    /// Grounds a game from its start; fails for domains whose relevant conditional effects are more
    /// than one literal deep, which no real game has.
    pub fn new(game: &Game) -> Result<Self> {
        let Reached { facts: reached, ops: raw, goals, whereabouts: group } = Reached::new(game)?;
        let mut task = Self {
            bits: 2,
            ops: Vec::new(),
            first_goal: 0,
            positive: HashMap::default(),
            negative: HashMap::default(),
            here: Box::default(),
            numbers: HashMap::default(),
        };
        for (fact, negated) in raw.iter().flat_map(|op| &op.pre).chain(goals.iter().flatten()) {
            // What can never come true is always absent.
            if *negated && !reached.has(*fact) {
                continue;
            }
            let table = if *negated { &mut task.negative } else { &mut task.positive };
            table.entry(*fact).or_insert_with(|| {
                task.bits += 1;
                task.bits as Bit - 1
            });
        }
        if task.bits > MAX_BITS {
            return Err(Error::new(format!(
                "the planner knows at most {MAX_BITS} facts of a game, and this one has more"
            )));
        }
        task.here = vec![0; task.bits.div_ceil(64)].into();
        let group = group.filter(|pred| task.negative.keys().all(|fact| pred_of(*fact) != *pred));
        for (_, bit) in task.positive.iter().filter(|(fact, _)| Some(pred_of(**fact)) == group) {
            set(&mut task.here, *bit);
        }
        let mut known: HashMap<Op, u32, FixedState> = HashMap::default();
        for raw in &raw {
            work((1 + raw.pre.len() + (1 + raw.del.len()) * (1 + raw.add.len())) as u64 / 4)?;
            let op = task.op(raw, group);
            if op.add.is_empty() {
                continue; // nobody asks for what it does
            }
            let id = *known.entry(op).or_insert_with_key(|op| {
                task.ops.push(Op {
                    pre: op.pre.clone(),
                    add: op.add.clone(),
                    del: op.del.clone(),
                    moves: op.moves,
                });
                task.ops.len() as u32 - 1
            });
            let ids = task.numbers.entry((raw.action, raw.params)).or_default();
            work(ids.len() as u64 / 16)?;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        task.first_goal = task.ops.len();
        let mut ways: HashSet<Vec<Bit>, FixedState> = HashSet::default();
        for goal in &goals {
            let pre = task.conditions(goal, None);
            let op = Op { pre, add: vec![GOAL], del: Vec::new(), moves: false };
            if ways.insert(op.pre.clone()) {
                task.ops.push(op);
            }
        }
        Ok(task)
    }

    fn conditions(&self, literals: &[Condition], group: Option<Pred>) -> Vec<Bit> {
        let bit = |(fact, negated): &Condition| {
            if *negated { self.negative.get(fact) } else { self.positive.get(fact) }.copied()
        };
        let kept = literals.iter().filter(|(fact, _)| Some(pred_of(*fact)) != group);
        let mut bits: Vec<Bit> = kept.filter_map(bit).collect();
        bits.sort_unstable();
        bits.dedup();
        if bits.is_empty() {
            bits.push(ALWAYS);
        }
        bits
    }

    fn op(&self, raw: &Raw, group: Option<Pred>) -> Op {
        let moves = group.is_some_and(|pred| raw.add.iter().any(|fact| pred_of(*fact) == pred));
        let group = group.filter(|_| moves);
        let bits = |facts: &[u64], table: &HashMap<u64, Bit, FixedState>| -> Vec<Bit> {
            facts.iter().filter_map(|fact| table.get(fact).copied()).collect()
        };
        let gone: Vec<u64> =
            raw.del.iter().filter(|fact| !raw.add.contains(fact)).copied().collect();
        let mut add = [bits(&raw.add, &self.positive), bits(&gone, &self.negative)].concat();
        let kept: Vec<u64> =
            gone.iter().filter(|fact| Some(pred_of(**fact)) != group).copied().collect();
        let mut del = [bits(&kept, &self.positive), bits(&raw.add, &self.negative)].concat();
        add.sort_unstable();
        del.sort_unstable();
        Op { pre: self.conditions(&raw.pre, group), add, del, moves }
    }

    /// The state in which exactly these changeable facts hold.
    pub fn state(&self, fluents: &FactSet) -> Bits {
        let mut state: Bits = vec![0; self.bits.div_ceil(64)].into();
        set(&mut state, ALWAYS);
        for fact in fluents.all() {
            if let Some(bit) = self.positive.get(fact) {
                set(&mut state, *bit);
            }
        }
        for (fact, bit) in &self.negative {
            if !fluents.has(*fact) {
                set(&mut state, *bit);
            }
        }
        state
    }

    /// The state after an operator.
    pub fn after(&self, state: &[u64], op: u32) -> Bits {
        let op = &self.ops[op as usize];
        let mut next: Bits = state.into();
        for bit in &op.del {
            next[*bit as usize / 64] &= !(1 << (bit % 64));
        }
        if op.moves {
            next.iter_mut().zip(&self.here).for_each(|(word, here)| *word &= !here);
        }
        op.add.iter().for_each(|bit| set(&mut next, *bit));
        next
    }

    /// Bits that stand for the absence of a fact whose presence nothing asks for.
    pub fn absences(&self) -> Vec<Bit> {
        let alone = self.negative.iter().filter(|(fact, _)| !self.positive.contains_key(*fact));
        let mut bits: Vec<Bit> = alone.map(|(_, bit)| *bit).collect();
        bits.sort_unstable();
        bits
    }

    /// The operator that an action with these parameters is in a state; none when it changes
    /// nothing that matters.
    pub fn number(&self, action: u16, params: &[u16], state: &[u64]) -> Option<u32> {
        let mut vars = [FREE; MAX_VARS];
        vars[..params.len()].copy_from_slice(params);
        let ids = self.numbers.get(&(action, vars))?;
        ids.iter().copied().find(|id| self.ops[*id as usize].pre.iter().all(|bit| has(state, *bit)))
    }
}
