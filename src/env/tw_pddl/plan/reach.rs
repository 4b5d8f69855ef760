//! What can ever come true or be done in a game, as far as its goal can depend on it.

use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;

use super::super::facts::{FREE, FactSet, Vars, pred_of};
use super::super::game::{Game, match_order};
use super::super::matching::{Matcher, Query};
use super::super::pddl::{Action, Clause, Effect, Literal, MAX_VARS, Pred};
use crate::budget::{self, work};
use crate::error::{Error, Result};

/// A fact, and `true` if it must not hold.
pub type Condition = (u64, bool);

/// More operators than this are refused: real games have some ten thousand at most.
const MAX_OPS: usize = 60_000;

/// Units of work for a condition or an effect that is kept: what they take in memory counts more
/// than making them.
const COPY: u64 = 16;

/// An operator while it is grounded: still in facts.
pub struct Raw {
    /// Its action.
    pub action: u16,
    /// What the action's parameters stand for.
    pub params: Vars,
    /// What must hold.
    pub pre: Vec<Condition>,
    /// Facts that become true.
    pub add: Vec<u64>,
    /// Facts that become false.
    pub del: Vec<u64>,
}

/// What was found.
pub struct Reached {
    /// Changeable facts that can come true when deletes are ignored.
    pub facts: FactSet,
    /// Operators that can be applied then.
    pub ops: Vec<Raw>,
    /// Every way in which the goal can hold.
    pub goals: Vec<Vec<Condition>>,
    /// The predicate of which exactly one fact holds at any time, if there is one.
    pub whereabouts: Option<Pred>,
}

impl Reached {
    /// From a game's start; fails for domains whose relevant conditional effects are more than one
    /// literal deep, and for games beyond all bounds.
    pub fn new(game: &Game) -> Result<Self> {
        let relevant = relevant(game);
        let (facts, ops) = reach(game, &relevant, &schemas(game, &relevant)?)?;
        Ok(Self { goals: goals(game, &facts)?, whereabouts: whereabouts(game, &ops)?, facts, ops })
    }
}

/// Which predicates the goal, or the way to it, reads.
fn relevant(game: &Game) -> Vec<bool> {
    let mut relevant = vec![false; game.domain.predicates.len()];
    let fluent = |literal: &&Literal| game.domain.is_fluent(literal.atom.pred);
    for literal in game.goal.iter().flat_map(|clause| &clause.literals).filter(fluent) {
        relevant[usize::from(literal.atom.pred)] = true;
    }
    let parts = |action: &Action| {
        let literals: usize = action.clauses.iter().map(|clause| clause.literals.len()).sum();
        1 + literals + action.effects.iter().map(|effect| 1 + effect.when.len()).sum::<usize>()
    };
    let round = game.domain.actions.iter().map(parts).sum::<usize>() as u64;
    while budget::spend(round) {
        let before = relevant.iter().filter(|r| **r).count();
        for action in &game.domain.actions {
            if !action.effects.iter().any(|effect| relevant[usize::from(effect.atom.pred)]) {
                continue;
            }
            let when = action
                .effects
                .iter()
                .filter(|e| relevant[usize::from(e.atom.pred)])
                .flat_map(|e| &e.when);
            let read: Vec<Pred> = action
                .clauses
                .iter()
                .flat_map(|clause| &clause.literals)
                .chain(when)
                .filter(fluent)
                .map(|literal| literal.atom.pred)
                .collect();
            for pred in read {
                relevant[usize::from(pred)] = true;
            }
        }
        if relevant.iter().filter(|r| **r).count() == before {
            break;
        }
    }
    relevant
}

/// One way in which an action can happen: its conditions (also those of the conditional effects
/// that fire in it), and what it then does.
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
        let effects: Vec<&Effect> =
            action.effects.iter().filter(|e| relevant[usize::from(e.atom.pred)]).collect();
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
            let holds = |literal: &Literal| {
                conditions.iter().position(|c| *c == literal).is_some_and(|i| which >> i & 1 == 1)
            };
            let extra = conditions
                .iter()
                .map(|c| Literal { negated: c.negated == holds(c), atom: c.atom.clone() });
            let extra: Vec<Literal> = extra.collect();
            for clause in &action.clauses {
                work(COPY * (clause.literals.len() + effects.len()) as u64)?;
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
    Error::new(format!(
        "the planner cannot handle the conditional effects of action `{}`",
        action.name
    ))
    .hint(
        "conditions of one literal each, at most four, are handled; use --expert walkthrough or \
         play by hand",
    )
}

fn relax(game: &Game, clause: &Clause) -> Clause {
    let absent = |l: &Literal| l.negated && game.domain.is_fluent(l.atom.pred);
    let literals = clause.literals.iter().filter(|l| !absent(l)).cloned().collect();
    Clause { types: clause.types.clone(), literals }
}

/// Everything that can come true or be done when deletes are ignored.
fn reach(game: &Game, relevant: &[bool], schemas: &[Schema<'_>]) -> Result<(FactSet, Vec<Raw>)> {
    let kept = |fact: &u64| relevant[usize::from(pred_of(*fact))];
    let mut reached = FactSet::new(game.start.all().iter().copied().filter(kept).collect());
    let mut fresh: Vec<u64> = reached.all().to_vec();
    let mut seen: HashSet<(u32, Vars), FixedState> = HashSet::default();
    let mut ops = Vec::new();
    let many = |pred: Pred| game.domain.is_fluent(pred).then_some(1 << 12);
    let mut first = true;
    let mut too_many = false;
    while first || !fresh.is_empty() {
        let mut added = Vec::new();
        let matcher = Matcher::of_actions(game, &reached);
        for (s, schema) in schemas.iter().enumerate() {
            let mut found = |vars: &Vars| {
                if seen.insert((s as u32, *vars)) {
                    let raw = raw_op(&matcher, schema, vars);
                    added.extend_from_slice(&raw.add);
                    ops.push(raw);
                }
                too_many = ops.len() > MAX_OPS;
                !too_many
                    && budget::spend(
                        COPY * (schema.clause.literals.len() + schema.effects.len()) as u64,
                    )
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
                    work(1)?;
                    let Some(vars) =
                        matcher.unify(clause, &literal.atom, *fact, false, [FREE; MAX_VARS])
                    else {
                        continue;
                    };
                    let order = order
                        .get_or_insert_with(|| match_order(clause, game.spreads(), Some(l), &many));
                    matcher.solve(Query { clause, order }, vars, &mut found);
                }
            }
        }
        work(1 + reached.all().len() as u64)?;
        if too_many {
            return Err(Error::new(format!("the game has more than {MAX_OPS} ground operators")));
        }
        let mut new: Vec<u64> = added.into_iter().filter(|fact| !reached.has(*fact)).collect();
        new.sort_unstable();
        new.dedup();
        reached = FactSet::new([reached.all(), &new].concat());
        fresh = new;
        first = false;
    }
    Ok((reached, ops))
}

fn raw_op(matcher: &Matcher<'_>, schema: &Schema<'_>, vars: &Vars) -> Raw {
    let fluent = |literal: &&Literal| matcher.game().domain.is_fluent(literal.atom.pred);
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
fn goals(game: &Game, reached: &FactSet) -> Result<Vec<Vec<Condition>>> {
    let matcher = Matcher::of_goal(game, reached);
    let mut goals = Vec::new();
    for clause in &game.goal {
        let relaxed = relax(game, clause);
        let order = match_order(&relaxed, game.spreads(), None, &|_| None);
        matcher.solve(Query { clause: &relaxed, order: &order }, [FREE; MAX_VARS], &mut |vars| {
            let fluent = |l: &&Literal| game.domain.is_fluent(l.atom.pred);
            let literals = clause.literals.iter().filter(fluent);
            goals.push(
                literals
                    .filter_map(|l| Some((matcher.ground(&l.atom, vars)?, l.negated)))
                    .collect(),
            );
            goals.len() <= MAX_OPS && budget::spend(COPY * clause.literals.len() as u64)
        });
    }
    if goals.len() > MAX_OPS {
        return Err(Error::new(format!("the goal can hold in more than {MAX_OPS} ways")));
    }
    Ok(goals)
}

/// The predicate of which exactly one fact holds at any time, if all its changes are moves from any
/// one to another.
fn whereabouts(game: &Game, ops: &[Raw]) -> Result<Option<Pred>> {
    let mut preds: Vec<Pred> =
        ops.iter().flat_map(|op| &op.add).map(|fact| pred_of(*fact)).collect();
    preds.sort_unstable();
    preds.dedup();
    let facts: usize = ops.iter().map(|op| 1 + op.pre.len() + op.add.len() + op.del.len()).sum();
    work((preds.len() * facts) as u64 / 8)?;
    Ok(preds.into_iter().find(|pred| {
        let of = |facts: &[u64]| {
            facts.iter().copied().filter(|fact| pred_of(*fact) == *pred).collect::<Vec<u64>>()
        };
        let mut places = game.start.of(*pred, None).to_vec();
        if places.len() != 1 {
            return false;
        }
        // What a move does besides leaving where one was, and the places that it can be made from.
        let mut moves: HashMap<(Vec<Condition>, Vec<u64>), Vec<u64>, FixedState> =
            HashMap::default();
        for op in ops {
            let add = of(&op.add);
            let del = of(&op.del);
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
    }))
}
