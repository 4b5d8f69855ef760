//! A running game: facts, admissible commands, one step.
//!
//! Two fact sets are kept apart, as in the original. The *planner's* facts decide which commands are admissible and
//! whether the goal holds. The *text* facts are what the grammar reads: they start as the planner's, but every listed
//! effect is written into them (fired or not, deletes last), and a delete leaves an explicit `not_…` fact behind.

use std::sync::{Arc, PoisonError};

use super::facts::{FactSet, Object, arg, pack, pred_of};
use super::game::{Game, OperatorKey};
use super::grammar::{Binding, Pattern, TextFacts};
use super::pddl::{Action, Atom, Clause, Literal, MAX_VARS, Pred, Term};
use crate::error::Result;

type Vars = [Object; MAX_VARS];
const FREE: Object = Object::MAX;

/// What play changes; copied only when it does.
#[derive(Debug, Clone)]
struct State {
    planner: FactSet,
    text: FactSet,
    negated: FactSet,
}

/// A ground operator that is applicable now.
#[derive(Debug, Clone, Copy)]
struct Operator {
    action: u16,
    vars: Vars,
}

/// A running game. Cloning it is a fork: a few reference counts.
#[derive(Debug, Clone)]
pub struct World {
    game: Arc<Game>,
    state: Arc<State>,
    commands: Arc<[Arc<str>]>,
    operators: Arc<[Operator]>,
    /// The answer to the last command, or the introduction.
    pub feedback: Arc<str>,
    /// Whether the goal holds now.
    pub won: bool,
}

impl World {
    /// A game at its start.
    pub fn new(game: Arc<Game>) -> Result<Self> {
        let start = game.start.clone();
        let state = State { planner: start.clone(), text: start, negated: FactSet::default() };
        let mut world = Self {
            game,
            state: Arc::new(state),
            commands: Arc::new([]),
            operators: Arc::new([]),
            feedback: "".into(),
            won: false,
        };
        world.feedback = world.game.grammar.derive_symbol("intro", &world)?.into();
        world.refresh()?;
        Ok(world)
    }

    /// The game being played.
    pub fn game(&self) -> &Arc<Game> {
        &self.game
    }

    /// Admissible commands, sorted bytewise.
    pub fn commands(&self) -> &Arc<[Arc<str>]> {
        &self.commands
    }

    /// Sends a command. Surrounding white space is dropped; anything inadmissible changes nothing.
    pub fn step(&mut self, command: &str) -> Result<()> {
        let command = command.trim();
        let Ok(at) = self.commands.binary_search_by(|known| known.as_ref().cmp(command)) else {
            self.feedback = "Nothing happens.".into();
            return Ok(());
        };
        let Operator { action, vars } = self.operators[at];
        let game = Arc::clone(&self.game);
        let action = &game.domain.actions[usize::from(action)];
        self.apply(action, &vars);
        let texts = game.grammar.of_action(&action.name);
        let pieces = texts.map(|texts| texts.feedback.as_slice()).unwrap_or_default();
        self.feedback = game.grammar.derive(pieces, &bindings(action, &vars), self)?.into();
        self.refresh()
    }

    /// A number that is equal for two states of one game exactly when they cannot be told apart by playing on
    /// (up to hash collisions): the planner's facts that some precondition or the goal reads.
    pub fn fingerprint(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        let matters = |fact: &&u64| self.game.matters[usize::from(pred_of(**fact))];
        self.state.planner.all().iter().filter(matters).for_each(|fact| fact.hash(&mut hasher));
        hasher.finish()
    }

    /// The text facts as `predicate(id,…)`, sorted; what the transcripts of the original engine hash.
    pub fn text_facts(&self) -> Vec<String> {
        let show = |prefix: &str, fact: u64| {
            let pred = usize::from(pred_of(fact));
            let ids = (0..self.game.domain.arity[pred]).map(|i| self.game.ids[usize::from(arg(fact, i))].as_str());
            format!("{prefix}{}({})", self.game.domain.predicates[pred], ids.collect::<Vec<_>>().join(","))
        };
        let positive = self.game.fixed.all().iter().chain(self.state.text.all()).map(|fact| show("", *fact));
        let mut all: Vec<_> = positive.chain(self.state.negated.all().iter().map(|fact| show("not_", *fact))).collect();
        all.sort_unstable();
        all
    }

    fn apply(&mut self, action: &Action, vars: &Vars) {
        let state = &self.state;
        let fires = |when: &[Literal]| when.iter().all(|l| self.holds(&state.planner, &l.atom, vars) != l.negated);
        let ground = |atom: &Atom| Self::ground(atom, vars, &self.game.constants);
        let mut next = State::clone(state);
        for delete in [true, false] {
            for effect in action.effects.iter().filter(|e| e.delete == delete && fires(&e.when)) {
                match (ground(&effect.atom), delete) {
                    (Some(fact), true) => next.planner.remove(fact),
                    (Some(fact), false) => next.planner.add(fact),
                    (None, _) => {}
                }
            }
        }
        for delete in [false, true] {
            for effect in action.effects.iter().filter(|e| e.delete == delete) {
                let Some(fact) = ground(&effect.atom) else { continue };
                if !delete {
                    next.negated.remove(fact);
                    next.text.add(fact);
                } else if state.text.has(fact) || self.can_become_true(fact) {
                    next.text.remove(fact);
                    next.negated.add(fact);
                }
            }
        }
        self.state = Arc::new(next);
    }

    /// Whether `fact` held at the start or some operator whose fixed conditions hold adds it: the original's
    /// translator drops deletes of facts that can never be true.
    fn can_become_true(&self, fact: u64) -> bool {
        if self.game.start.has(fact) {
            return true;
        }
        let adds = |action: &Action| {
            action.effects.iter().filter(|e| !e.delete && e.atom.pred == pred_of(fact)).any(|effect| {
                let mut vars = [FREE; MAX_VARS];
                for (i, term) in effect.atom.args.iter().enumerate() {
                    match term {
                        Term::Var(v) => vars[usize::from(*v)] = arg(fact, i),
                        Term::Const(c) if self.game.constants[usize::from(*c)] != Some(arg(fact, i)) => return false,
                        Term::Const(_) => {}
                    }
                }
                action.clauses.iter().any(|clause| {
                    let fixed = clause
                        .literals
                        .iter()
                        .filter(|l| l.atom.pred != 0 && self.game.domain.is_static[usize::from(l.atom.pred)]);
                    let fixed = Clause { types: clause.types.clone(), literals: fixed.cloned().collect() };
                    let order: Vec<usize> = (0..fixed.literals.len()).filter(|i| !fixed.literals[*i].negated).collect();
                    let mut possible = false;
                    self.solve(&fixed, &order, &self.game.constants, vars, 0, &mut |_| {
                        possible = true;
                        false
                    });
                    possible
                })
            })
        };
        self.game.domain.actions.iter().any(adds)
    }

    fn ground(atom: &Atom, vars: &Vars, constants: &[Option<Object>]) -> Option<u64> {
        let mut args = [0; super::pddl::MAX_ARITY];
        for (slot, term) in args.iter_mut().zip(&atom.args) {
            *slot = match term {
                Term::Var(v) => vars[usize::from(*v)],
                Term::Const(c) => constants[usize::from(*c)]?,
            };
        }
        Some(pack(atom.pred, &args[..atom.args.len()]))
    }

    fn facts_of(&self, pred: Pred) -> &FactSet {
        if self.game.domain.is_static[usize::from(pred)] { &self.game.fixed } else { &self.state.planner }
    }

    fn holds(&self, planner: &FactSet, atom: &Atom, vars: &Vars) -> bool {
        let fixed = self.game.domain.is_static[usize::from(atom.pred)];
        let facts = if fixed { &self.game.fixed } else { planner };
        Self::ground(atom, vars, &self.game.constants).is_some_and(|fact| facts.has(fact))
    }

    /// Recomputes commands and victory after the facts changed.
    fn refresh(&mut self) -> Result<()> {
        let mut found: Vec<(Arc<str>, Operator)> = Vec::with_capacity(64);
        let game = Arc::clone(&self.game);
        for (a, action) in game.domain.actions.iter().enumerate() {
            let Some(texts) = game.grammar.of_action(&action.name) else { continue };
            for (c, clause) in action.clauses.iter().enumerate() {
                let mut error = None;
                self.solve(clause, &game.order[a][c], &game.constants, [FREE; MAX_VARS], 0, &mut |vars| {
                    match self.command((a as u16, c as u16, *vars), action, clause, &texts.template) {
                        Ok(Some(command)) => found.push((command, Operator { action: a as u16, vars: *vars })),
                        Ok(None) => {}
                        Err(failed) => error = Some(failed),
                    }
                    error.is_none()
                });
                if let Some(error) = error {
                    return Err(error);
                }
            }
        }
        // Stable, so that of several operators with one command the first stays, as in the original.
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found.dedup_by(|later, first| later.0 == first.0);
        let (commands, operators): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        (self.commands, self.operators) = (commands.into(), operators.into());
        self.won = self.goal_holds();
        Ok(())
    }

    fn goal_holds(&self) -> bool {
        self.game.goal.iter().zip(&self.game.goal_order).any(|(clause, order)| {
            let mut holds = false;
            self.solve(clause, order, &self.game.goal_constants, [FREE; MAX_VARS], 0, &mut |_| {
                holds = true;
                false
            });
            holds
        })
    }

    /// The command of a ground operator, or none when all it does is already required (the original's translator
    /// prunes such operators, so walking to where one stands is not a command).
    fn command(
        &self,
        key: OperatorKey,
        action: &Action,
        clause: &Clause,
        template: &[super::grammar::Piece],
    ) -> Result<Option<Arc<str>>> {
        if let Some(known) = self.game.commands.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let vars = &key.2;
        let ground = |atom: &Atom| Self::ground(atom, vars, &self.game.constants);
        let required =
            |negated: bool, fact| clause.literals.iter().any(|l| l.negated == negated && ground(&l.atom) == Some(fact));
        let added = |fact| action.effects.iter().any(|e| !e.delete && ground(&e.atom) == Some(fact));
        let idle = action.effects.iter().all(|effect| {
            ground(&effect.atom).is_none_or(|fact| {
                (effect.delete && effect.when.is_empty() && added(fact)) || required(effect.delete, fact)
            })
        });
        let text =
            if idle { None } else { Some(self.game.grammar.derive(template, &bindings(action, vars), self)?.into()) };
        if idle || !self.game.grammar.reads_fluents(template, &self.game.domain) {
            self.game.commands.write().unwrap_or_else(PoisonError::into_inner).insert(key, text.clone());
        }
        Ok(text)
    }

    /// Calls `found` for every binding of the clause's variables under which its literals hold, until it says `false`.
    /// Returns whether the search ran to its end.
    fn solve(
        &self,
        clause: &Clause,
        order: &[usize],
        constants: &[Option<Object>],
        vars: Vars,
        depth: usize,
        found: &mut dyn FnMut(&Vars) -> bool,
    ) -> bool {
        let Some(at) = order.get(depth) else { return self.finish(clause, constants, vars, 0, found) };
        let atom = &clause.literals[*at].atom;
        let value = |term: Option<&Term>| match term {
            Some(Term::Var(v)) => Some(vars[usize::from(*v)]).filter(|o| *o != FREE),
            Some(Term::Const(c)) => constants[usize::from(*c)],
            None => None,
        };
        if atom.args.iter().any(|t| matches!(t, Term::Const(c) if constants[usize::from(*c)].is_none())) {
            return true;
        }
        if atom.pred == 0 {
            return self.solve_equality(clause, order, constants, vars, depth, found);
        }
        let (first, second) = (value(atom.args.first()), value(atom.args.get(1)));
        let swap = first.is_none()
            && second.is_some()
            && atom.args.len() == 2
            && self.game.domain.is_static[usize::from(atom.pred)];
        let facts = if swap {
            self.game.fixed_swapped.of(atom.pred, second)
        } else {
            self.facts_of(atom.pred).of(atom.pred, first)
        };
        'facts: for fact in facts {
            let mut next = vars;
            for (i, term) in atom.args.iter().enumerate() {
                let object = arg(*fact, if swap { 1 - i } else { i });
                match term {
                    Term::Const(_) if value(Some(term)) == Some(object) => {}
                    Term::Var(v) if self.binds(clause, &mut next, usize::from(*v), object) => {}
                    _ => continue 'facts,
                }
            }
            if !self.solve(clause, order, constants, next, depth + 1, found) {
                return false;
            }
        }
        true
    }

    fn solve_equality(
        &self,
        clause: &Clause,
        order: &[usize],
        constants: &[Option<Object>],
        vars: Vars,
        depth: usize,
        found: &mut dyn FnMut(&Vars) -> bool,
    ) -> bool {
        let atom = &clause.literals[order[depth]].atom;
        for object in 0..self.game.ids.len() as Object {
            let mut next = vars;
            let fits = atom.args.iter().all(|term| match term {
                Term::Var(v) => self.binds(clause, &mut next, usize::from(*v), object),
                Term::Const(c) => constants[usize::from(*c)] == Some(object),
            });
            if fits && !self.solve(clause, order, constants, next, depth + 1, found) {
                return false;
            }
        }
        true
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
        constants: &[Option<Object>],
        vars: Vars,
        from: usize,
        found: &mut dyn FnMut(&Vars) -> bool,
    ) -> bool {
        if let Some(v) = (from..clause.types.len()).find(|v| vars[*v] == FREE) {
            let members = self.game.members.get(usize::from(clause.types[v])).map(Vec::as_slice).unwrap_or_default();
            return members.iter().all(|object| {
                let mut next = vars;
                next[v] = *object;
                self.finish(clause, constants, next, v + 1, found)
            });
        }
        let violated =
            clause.literals.iter().filter(|l| l.negated).any(|l| match Self::ground(&l.atom, &vars, constants) {
                Some(fact) if l.atom.pred == 0 => arg(fact, 0) == arg(fact, 1),
                Some(fact) => self.facts_of(l.atom.pred).has(fact),
                None => false,
            });
        violated || found(&vars)
    }

    fn query(&self, query: &[Pattern], bound: &mut Vec<Binding>, found: &mut dyn FnMut(&[Binding]) -> bool) -> bool {
        let Some((pattern, rest)) = query.split_first() else { return found(bound) };
        let Some(pred) = pattern.pred else { return true };
        let facts = match (pattern.negative, self.game.domain.is_static[usize::from(pred)]) {
            (true, _) => &self.state.negated,
            (false, true) => &self.game.fixed,
            (false, false) => &self.state.text,
        };
        let same = |b: &Binding, arg: &(String, Option<u16>)| b.0 == arg.0 && b.1 == arg.1;
        let first = pattern.args.first().and_then(|a| bound.iter().find(|b| same(b, a)).map(|b| b.2));
        let before = bound.len();
        'facts: for fact in facts.of(pred, first) {
            bound.truncate(before);
            for (i, wanted) in pattern.args.iter().enumerate() {
                let object = arg(*fact, i);
                let fits = wanted.1.is_some_and(|t| t == 0 || t == self.game.types[usize::from(object)]);
                match bound.iter().find(|b| same(b, wanted)) {
                    Some(known) if fits && known.2 == object => {}
                    // Different variables stand for different objects.
                    None if fits && bound.iter().all(|b| b.2 != object) => {
                        bound.push((wanted.0.clone(), wanted.1, object));
                    }
                    _ => continue 'facts,
                }
            }
            if !self.query(rest, bound, found) {
                return false;
            }
        }
        bound.truncate(before);
        true
    }
}

fn bindings(action: &Action, vars: &Vars) -> Vec<Binding> {
    let named = action.params.iter().zip(&action.types).zip(vars);
    named.map(|((name, kind), object)| (name.clone(), Some(*kind), *object)).collect()
}

impl TextFacts for World {
    fn matches(&self, query: &[Pattern], bound: &[Binding], found: &mut dyn FnMut(&[Binding]) -> bool) {
        self.query(query, &mut bound.to_vec(), found);
    }

    fn name(&self, object: u16) -> &str {
        &self.game.names[usize::from(object)]
    }

    fn id(&self, object: u16) -> &str {
        &self.game.ids[usize::from(object)]
    }

    fn task(&self) -> Option<&str> {
        self.game.task.as_deref()
    }
}
