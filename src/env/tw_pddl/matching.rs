//! Conjunctive queries over facts: which bindings of a clause's variables make its literals true.
//!
//! Positive literals are joined in the order that [`super::game::Game`] worked out for the clause,
//! each step reading one slice of sorted facts; negative ones are checked once everything is bound.
//! A step over a literal whose first argument is known touches only the facts about that object, so
//! the work grows with what is near the agent.

use super::facts::{FREE, FactSet, Object, Vars, arg, pack};
use super::game::Game;
use super::pddl::{Atom, Clause, Literal, MAX_ARITY, Pred, Term};
use crate::budget;

/// The facts that a query reads: the game's fixed ones and some set of changeable ones.
#[derive(Clone, Copy)]
pub struct Matcher<'a> {
    game: &'a Game,
    fluents: &'a FactSet,
    /// The constants' objects: the domain's table for actions, the problem's for goals.
    constants: &'a [Option<Object>],
}

/// A clause and the order in which its positive literals are matched.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    /// The clause.
    pub clause: &'a Clause,
    /// Indices of positive literals.
    pub order: &'a [usize],
}

impl<'a> Matcher<'a> {
    /// For the domain's actions.
    pub fn of_actions(game: &'a Game, fluents: &'a FactSet) -> Self {
        Self { game, fluents, constants: &game.constants }
    }

    /// For the problem's goal.
    pub fn of_goal(game: &'a Game, fluents: &'a FactSet) -> Self {
        Self { game, fluents, constants: &game.goal_constants }
    }

    /// The game.
    pub fn game(&self) -> &'a Game {
        self.game
    }

    /// The fact that an atom is under `vars`; none when it names a constant that the game does not
    /// have.
    pub fn ground(&self, atom: &Atom, vars: &Vars) -> Option<u64> {
        let mut args = [0; MAX_ARITY];
        for (slot, term) in args.iter_mut().zip(&atom.args) {
            *slot = match term {
                Term::Var(v) => vars[usize::from(*v)],
                Term::Const(c) => self.constants[usize::from(*c)]?,
            };
        }
        Some(pack(atom.pred, &args[..atom.args.len()]))
    }

    /// Whether a literal holds under `vars`.
    pub fn holds(&self, literal: &Literal, vars: &Vars) -> bool {
        let pred = literal.atom.pred;
        let holds = match self.ground(&literal.atom, vars) {
            Some(fact) if pred == 0 => arg(fact, 0) == arg(fact, 1),
            Some(fact) => self.facts_of(pred).has(fact),
            None => false,
        };
        holds != literal.negated
    }

    fn facts_of(&self, pred: Pred) -> &'a FactSet {
        if self.game.domain.is_static[usize::from(pred)] { &self.game.fixed } else { self.fluents }
    }

    /// Calls `found` for every binding under which the clause holds, until it says `false`.
    /// Variables bound in `vars` stay as they are. Returns whether the search ran to its end: it
    /// also ends where the work ran out, which [`budget::is_spent`] tells apart.
    pub fn solve(
        &self,
        query: Query<'_>,
        vars: Vars,
        found: &mut dyn FnMut(&Vars) -> bool,
    ) -> bool {
        let Some((at, rest)) = query.order.split_first() else {
            return self.finish(query.clause, vars, 0, found);
        };
        let atom = &query.clause.literals[*at].atom;
        let rest = Query { order: rest, ..query };
        if atom.pred == 0 {
            return self.solve_equality(atom, rest, vars, found);
        }
        let mut known = [FREE; MAX_ARITY];
        for (slot, term) in known.iter_mut().zip(&atom.args) {
            *slot = match term {
                Term::Var(v) => vars[usize::from(*v)],
                Term::Const(c) => match self.constants[usize::from(*c)] {
                    Some(object) => object,
                    None => return true, // nothing is ever true of an object that is not there
                },
            };
        }
        let bound = |object: Object| Some(object).filter(|o| *o != FREE);
        let fixed = self.game.domain.is_static[usize::from(atom.pred)];
        let swap = fixed && atom.args.len() == 2 && known[0] == FREE && known[1] != FREE;
        let facts = if swap {
            self.game.fixed_swapped.of(atom.pred, bound(known[1]))
        } else {
            self.facts_of(atom.pred).of(atom.pred, bound(known[0]))
        };
        if !budget::spend(1 + facts.len() as u64) {
            return false;
        }
        facts
            .iter()
            .filter_map(|fact| self.unify(query.clause, atom, *fact, swap, vars))
            .all(|next| self.solve(rest, next, found))
    }

    /// `vars` with the atom's variables bound to a fact's objects (whose two are swapped in it with
    /// `swap`); none where a constant, a type or what is bound already does not fit.
    pub fn unify(
        &self,
        clause: &Clause,
        atom: &Atom,
        fact: u64,
        swap: bool,
        vars: Vars,
    ) -> Option<Vars> {
        let mut next = vars;
        let fits = atom.args.iter().enumerate().all(|(i, term)| {
            let object = arg(fact, if swap { 1 - i } else { i });
            match term {
                Term::Const(c) => self.constants[usize::from(*c)] == Some(object),
                Term::Var(v) => self.binds(clause, &mut next, usize::from(*v), object),
            }
        });
        fits.then_some(next)
    }

    fn solve_equality(
        &self,
        atom: &Atom,
        rest: Query<'_>,
        vars: Vars,
        found: &mut dyn FnMut(&Vars) -> bool,
    ) -> bool {
        if !budget::spend(1 + self.game.ids.len() as u64) {
            return false;
        }
        (0..self.game.ids.len() as Object).all(|object| {
            let mut next = vars;
            let fits = atom.args.iter().all(|term| match term {
                Term::Var(v) => self.binds(rest.clause, &mut next, usize::from(*v), object),
                Term::Const(c) => self.constants[usize::from(*c)] == Some(object),
            });
            !fits || self.solve(rest, next, found)
        })
    }

    fn binds(&self, clause: &Clause, vars: &mut Vars, v: usize, object: Object) -> bool {
        if vars[v] == FREE {
            let kind = clause.types[v];
            if kind != 0 && kind != self.game.types[usize::from(object)] {
                return false;
            }
            vars[v] = object;
        }
        vars[v] == object
    }

    /// Binds what no positive literal bound, then checks the negative ones.
    fn finish(
        &self,
        clause: &Clause,
        vars: Vars,
        from: usize,
        found: &mut dyn FnMut(&Vars) -> bool,
    ) -> bool {
        if let Some(v) = (from..clause.types.len()).find(|v| vars[*v] == FREE) {
            let members = self
                .game
                .members
                .get(usize::from(clause.types[v]))
                .map(Vec::as_slice)
                .unwrap_or_default();
            if !budget::spend(1 + members.len() as u64) {
                return false;
            }
            return members.iter().all(|object| {
                let mut next = vars;
                next[v] = *object;
                self.finish(clause, next, v + 1, found)
            });
        }
        if !budget::spend(clause.literals.len() as u64) {
            return false;
        }
        let holds = clause.literals.iter().filter(|l| l.negated).all(|l| self.holds(l, &vars));
        !holds || found(&vars)
    }

    /// Whether some binding makes the clause true.
    pub fn any(&self, query: Query<'_>, vars: Vars) -> bool {
        !self.solve(query, vars, &mut |_| false)
    }
}
