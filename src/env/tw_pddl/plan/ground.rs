//! A game as a planning task over bits.
//!
//! Only what can matter is kept: predicates that the goal or the way to it reads, operators that change them, and facts
//! that can come true from the game's start when deletes are ignored. A precondition that asks for the absence of a
//! fact gets a complementary bit, so that every operator is a list of bits that must be set, bits to set and bits to
//! clear.
//!
//! Of one predicate (where the agent is) exactly one fact holds at any time. "Walk from A to X", "walk from B to X", …
//! are then one operator without a condition on where one is: it clears all of them and sets X. That makes the number
//! of operators grow with the places, not with their square, and changes no plan.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::super::facts::{FactSet, pred_of};
use super::super::game::{Game, match_order};
use super::super::matching::{FREE, Matcher, Query, Vars};
use super::super::pddl::{Action, Clause, Effect, Literal, MAX_VARS, Pred, Term};
use crate::error::{Error, Result};

/// Number of a bit.
pub type Bit = u32;
/// The bit that is always set: the condition of operators without one.
pub const ALWAYS: Bit = 0;
/// The bit that the goal's operators set.
pub const GOAL: Bit = 1;

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
    /// The operators; from `first_goal` on, one for each way in which the goal can hold, which cost nothing.
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

/// More operators than this are refused: real games have at most a few thousand.
const MAX_OPS: usize = 2_000_000;

/// An operator while it is grounded: still in facts.
struct Raw {
    action: u16,
    params: Vars,
    pre: Vec<(u64, bool)>,
    add: Vec<u64>,
    del: Vec<u64>,
}

impl Task {
    /// Grounds a game from its start; fails for domains whose relevant conditional effects are more than one literal
    /// deep, which no real game has.
    pub fn new(game: &Game) -> Result<Self> {
        let relevant = relevant(game);
        let schemas = schemas(game, &relevant)?;
        let (reached, raw) = reach(game, &relevant, &schemas)?;
        let goals = goals(game, &reached);
        let group = whereabouts(game, &raw);
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
        task.here = vec![0; task.bits.div_ceil(64)].into();
        let group = group.filter(|pred| task.negative.keys().all(|fact| pred_of(*fact) != *pred));
        for (fact, bit) in task.positive.iter().filter(|(fact, _)| Some(pred_of(**fact)) == group) {
            debug_assert_eq!(Some(pred_of(*fact)), group);
            set(&mut task.here, *bit);
        }
        let mut known: HashMap<Op, u32, FixedState> = HashMap::default();
        for raw in &raw {
            let op = task.op(raw, group);
            if op.add.is_empty() {
                continue; // nobody asks for what it does
            }
            let id = *known.entry(op).or_insert_with_key(|op| {
                task.ops.push(Op { pre: op.pre.clone(), add: op.add.clone(), del: op.del.clone(), moves: op.moves });
                task.ops.len() as u32 - 1
            });
            let ids = task.numbers.entry((raw.action, raw.params)).or_default();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        task.first_goal = task.ops.len();
        for goal in &goals {
            let pre = task.conditions(goal, None);
            let op = Op { pre, add: vec![GOAL], del: Vec::new(), moves: false };
            if !task.ops[task.first_goal..].contains(&op) {
                task.ops.push(op);
            }
        }
        Ok(task)
    }

    fn conditions(&self, literals: &[(u64, bool)], group: Option<Pred>) -> Vec<Bit> {
        let bit = |(fact, negated): &(u64, bool)| {
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
        let gone: Vec<u64> = raw.del.iter().filter(|fact| !raw.add.contains(fact)).copied().collect();
        let mut add = [bits(&raw.add, &self.positive), bits(&gone, &self.negative)].concat();
        let kept: Vec<u64> = gone.iter().filter(|fact| Some(pred_of(**fact)) != group).copied().collect();
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

    /// The operator that an action with these parameters is in a state; none when it changes nothing that matters.
    pub fn number(&self, action: u16, params: &[u16], state: &[u64]) -> Option<u32> {
        let mut vars = [FREE; MAX_VARS];
        vars[..params.len()].copy_from_slice(params);
        let ids = self.numbers.get(&(action, vars))?;
        ids.iter().copied().find(|id| self.ops[*id as usize].pre.iter().all(|bit| has(state, *bit)))
    }
}

/// Which predicates the goal, or the way to it, reads.
fn relevant(game: &Game) -> Vec<bool> {
    let mut relevant = vec![false; game.domain.predicates.len()];
    let fluent = |literal: &&Literal| !game.domain.is_static[usize::from(literal.atom.pred)] && literal.atom.pred != 0;
    for literal in game.goal.iter().flat_map(|clause| &clause.literals).filter(fluent) {
        relevant[usize::from(literal.atom.pred)] = true;
    }
    loop {
        let before = relevant.iter().filter(|r| **r).count();
        for action in &game.domain.actions {
            if !action.effects.iter().any(|effect| relevant[usize::from(effect.atom.pred)]) {
                continue;
            }
            let when = action.effects.iter().filter(|e| relevant[usize::from(e.atom.pred)]).flat_map(|e| &e.when);
            let read: Vec<Pred> = action
                .clauses
                .iter()
                .flat_map(|clause| &clause.literals)
                .chain(when)
                .filter(fluent)
                .map(|literal| literal.atom.pred)
                .collect();
            read.into_iter().for_each(|pred| relevant[usize::from(pred)] = true);
        }
        if relevant.iter().filter(|r| **r).count() == before {
            return relevant;
        }
    }
}

/// One way in which an action can happen: its conditions (also those of the conditional effects that fire in it), and
/// what it then does.
struct Schema<'a> {
    action: u16,
    params: usize,
    /// Conditions with all literals.
    clause: Clause,
    /// The same without negated changeable literals: what must be reachable.
    relaxed: Clause,
    effects: Vec<&'a Effect>,
}

fn schemas<'a>(game: &'a Game, relevant: &[bool]) -> Result<Vec<Schema<'a>>> {
    let mut schemas = Vec::new();
    for (a, action) in game.domain.actions.iter().enumerate() {
        let effects: Vec<&Effect> = action.effects.iter().filter(|e| relevant[usize::from(e.atom.pred)]).collect();
        if effects.is_empty() || game.grammar.of_action(a).is_none() {
            continue;
        }
        let mut conditions: Vec<&Literal> = Vec::new();
        for effect in &effects {
            match effect.when.as_slice() {
                [] => {}
                [one] if conditions.contains(&one) => {}
                [one] => conditions.push(one),
                _ => return Err(unsupported(action)),
            }
        }
        if conditions.len() > 4 {
            return Err(unsupported(action));
        }
        for which in 0..1_usize << conditions.len() {
            let holds =
                |literal: &Literal| conditions.iter().position(|c| *c == literal).is_some_and(|i| which >> i & 1 == 1);
            let extra = conditions.iter().map(|c| Literal { negated: c.negated == holds(c), atom: c.atom.clone() });
            let extra: Vec<Literal> = extra.collect();
            for clause in &action.clauses {
                let literals = [clause.literals.as_slice(), &extra].concat();
                let clause = Clause { types: clause.types.clone(), literals };
                let fires = |e: &&&Effect| e.when.first().is_none_or(holds);
                schemas.push(Schema {
                    action: a as u16,
                    params: action.params.len(),
                    relaxed: relax(game, &clause),
                    clause,
                    effects: effects.iter().filter(fires).copied().collect(),
                });
            }
        }
    }
    Ok(schemas)
}

fn unsupported(action: &Action) -> Error {
    Error::new(format!("the planner cannot handle the conditional effects of action `{}`", action.name))
        .hint("conditions of one literal each, at most four, are handled; use --expert walkthrough or play by hand")
}

fn relax(game: &Game, clause: &Clause) -> Clause {
    let absent = |l: &Literal| l.negated && l.atom.pred != 0 && !game.domain.is_static[usize::from(l.atom.pred)];
    let literals = clause.literals.iter().filter(|l| !absent(l)).cloned().collect();
    Clause { types: clause.types.clone(), literals }
}

/// Everything that can come true or be done when deletes are ignored.
fn reach(game: &Game, relevant: &[bool], schemas: &[Schema<'_>]) -> Result<(FactSet, Vec<Raw>)> {
    let kept = |fact: &u64| relevant[usize::from(pred_of(*fact))];
    let mut reached = FactSet::new(game.start.all().iter().copied().filter(kept).collect());
    let mut fresh: Vec<u64> = reached.all().to_vec();
    let mut seen: HashMap<(u32, Vars), (), FixedState> = HashMap::default();
    let mut ops = Vec::new();
    let many = |pred: Pred| if game.domain.is_static[usize::from(pred)] { None } else { Some(1 << 12) };
    let (mut first, mut too_many) = (true, false);
    while first || !fresh.is_empty() {
        let mut added = Vec::new();
        let matcher = Matcher::of_actions(game, &reached);
        for (s, schema) in schemas.iter().enumerate() {
            let mut found = |vars: &Vars| {
                if seen.insert((s as u32, *vars), ()).is_none() {
                    let raw = raw_op(&matcher, schema, vars);
                    added.extend_from_slice(&raw.add);
                    ops.push(raw);
                }
                too_many = ops.len() > MAX_OPS;
                !too_many
            };
            let clause = &schema.relaxed;
            if first {
                let order = match_order(clause, game.spreads(), None, &many);
                matcher.solve(Query { clause, order: &order }, [FREE; MAX_VARS], &mut found);
                continue;
            }
            for (l, literal) in clause.literals.iter().enumerate().filter(|(_, l)| !l.negated) {
                let mut order = None;
                for fact in fresh.iter().filter(|fact| pred_of(**fact) == literal.atom.pred) {
                    let Some(vars) = unify(game, clause, literal, *fact) else { continue };
                    let order = order.get_or_insert_with(|| match_order(clause, game.spreads(), Some(l), &many));
                    matcher.solve(Query { clause, order }, vars, &mut found);
                }
            }
        }
        if too_many {
            return Err(Error::new(format!("the game has more than {MAX_OPS} ground operators")));
        }
        let mut new: Vec<u64> = added.into_iter().filter(|fact| !reached.has(*fact)).collect();
        new.sort_unstable();
        new.dedup();
        reached = FactSet::new([reached.all(), &new].concat());
        (fresh, first) = (new, false);
    }
    Ok((reached, ops))
}

fn unify(game: &Game, clause: &Clause, literal: &Literal, fact: u64) -> Option<Vars> {
    let mut vars = [FREE; MAX_VARS];
    for (i, term) in literal.atom.args.iter().enumerate() {
        let object = super::super::facts::arg(fact, i);
        match term {
            Term::Const(c) if game.constants[usize::from(*c)] != Some(object) => return None,
            Term::Const(_) => {}
            Term::Var(v) => {
                let v = usize::from(*v);
                let kind = clause.types[v];
                let fits = kind == 0 || kind == game.types[usize::from(object)];
                if !fits || (vars[v] != FREE && vars[v] != object) {
                    return None;
                }
                vars[v] = object;
            }
        }
    }
    Some(vars)
}

fn raw_op(matcher: &Matcher<'_>, schema: &Schema<'_>, vars: &Vars) -> Raw {
    let fluent =
        |literal: &&Literal| literal.atom.pred != 0 && !matcher.game().domain.is_static[usize::from(literal.atom.pred)];
    let pre = schema.clause.literals.iter().filter(fluent);
    let effects = |delete: bool| {
        let which = schema.effects.iter().filter(move |e| e.delete == delete);
        which.filter_map(|e| matcher.ground(&e.atom, vars)).collect::<Vec<u64>>()
    };
    let mut params = [FREE; MAX_VARS];
    params[..schema.params].copy_from_slice(&vars[..schema.params]);
    Raw {
        action: schema.action,
        params,
        pre: pre.filter_map(|l| Some((matcher.ground(&l.atom, vars)?, l.negated))).collect(),
        add: effects(false),
        del: effects(true),
    }
}

/// Every way in which the goal can hold, as changeable literals.
fn goals(game: &Game, reached: &FactSet) -> Vec<Vec<(u64, bool)>> {
    let matcher = Matcher::of_goal(game, reached);
    let mut goals = Vec::new();
    for clause in &game.goal {
        let relaxed = relax(game, clause);
        let order = match_order(&relaxed, game.spreads(), None, &|_| None);
        matcher.solve(Query { clause: &relaxed, order: &order }, [FREE; MAX_VARS], &mut |vars| {
            let fluent = |l: &&Literal| l.atom.pred != 0 && !game.domain.is_static[usize::from(l.atom.pred)];
            let literals = clause.literals.iter().filter(fluent);
            goals.push(literals.filter_map(|l| Some((matcher.ground(&l.atom, vars)?, l.negated))).collect());
            goals.len() < MAX_OPS
        });
    }
    goals
}

/// The predicate of which exactly one fact holds at any time, if all its changes are moves from any one to another.
fn whereabouts(game: &Game, ops: &[Raw]) -> Option<Pred> {
    let mut preds: Vec<Pred> = ops.iter().flat_map(|op| &op.add).map(|fact| pred_of(*fact)).collect();
    preds.sort_unstable();
    preds.dedup();
    preds.into_iter().find(|pred| {
        let of = |facts: &[u64]| facts.iter().copied().filter(|fact| pred_of(*fact) == *pred).collect::<Vec<u64>>();
        let mut places = game.start.of(*pred, None).to_vec();
        if places.len() != 1 {
            return false;
        }
        // What a move does besides leaving where one was, and the places that it can be made from.
        let mut moves: HashMap<(Vec<(u64, bool)>, Vec<u64>), Vec<u64>, FixedState> = HashMap::default();
        for op in ops {
            let (add, del) = (of(&op.add), of(&op.del));
            match (add.as_slice(), del.as_slice()) {
                ([], []) => {}
                ([to], [from]) if op.pre.contains(&(*from, false)) && op.del.len() == 1 => {
                    places.push(*to);
                    let rest = op.pre.iter().copied().filter(|(fact, _)| fact != from).collect();
                    moves.entry((rest, op.add.clone())).or_default().push(*from);
                }
                _ => return false,
            }
        }
        places.sort_unstable();
        places.dedup();
        moves.into_values().all(|mut from| {
            from.sort_unstable();
            from.dedup();
            from.len() == places.len()
        })
    })
}
