//! A running game: facts, admissible commands, one step.
//!
//! Two fact sets are kept apart, as in the original. The *planner's* facts decide which commands
//! are admissible and whether the goal holds. The *text* facts are what the grammar reads: they
//! start as the planner's, but every listed effect is written into them (fired or not, deletes
//! last), and a delete leaves an explicit `not_…` fact behind.

use std::sync::{Arc, PoisonError};

use super::commands::{Menu, OperatorKey};
use super::derive::Binding;
use super::facts::{FREE, FactSet, Vars, arg, pred_of};
use super::game::Game;
use super::grammar::{ActionText, INTRO, Name, Pattern};
use super::matching::{Matcher, Query};
use super::pddl::{Action, Clause, MAX_VARS, Pred, Term, Type};
use super::seen::Seen;
use super::teller::Teller;
use crate::budget;
use crate::error::{Error, Result};

/// A state with more applicable operators than this is refused.
const MAX_OPERATORS: usize = 20_000;

/// Units of work for one question to the world: a thousand times what real games need for it, and
/// under a second.
const WORK: u64 = 20_000_000;

/// What play changes; copied only when it does.
#[derive(Debug, Clone)]
struct State {
    planner: FactSet,
    text: FactSet,
    negated: FactSet,
}

/// A running game. Cloning it is a fork: a few reference counts.
#[derive(Debug, Clone)]
pub struct World {
    game: Arc<Game>,
    state: Arc<State>,
    menu: Arc<Menu>,
    seen: Seen,
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
        let seen = Seen::nothing(game.ids.len());
        let mut world = Self {
            game,
            state: Arc::new(state),
            menu: Arc::default(),
            seen,
            feedback: "".into(),
            won: false,
        };
        let teller = Teller::new(&world);
        let intro = budget::within(WORK, "the introduction", || {
            world.game.grammar.derive_symbol(INTRO, &teller)
        })?;
        world.seen = teller.seen();
        world.feedback = intro.into();
        world.refresh()?;
        Ok(world)
    }

    /// The game being played.
    pub fn game(&self) -> &Arc<Game> {
        &self.game
    }

    /// Admissible commands, sorted bytewise.
    pub fn commands(&self) -> &Arc<[Arc<str>]> {
        &self.menu.commands
    }

    /// The commands with their operators (numbers that [`Game::operators`] knows).
    pub fn menu(&self) -> &Menu {
        &self.menu
    }

    /// The facts that decide what is admissible, without the game's fixed ones.
    pub fn fluents(&self) -> &FactSet {
        &self.state.planner
    }

    /// What the texts so far have told.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Bytes that this state holds for itself: what a fork adds once it has taken a step of its
    /// own.
    pub fn own_bytes(&self) -> usize {
        let facts = self.state.planner.all().len()
            + self.state.text.all().len()
            + self.state.negated.all().len();
        let menu = self.menu.commands.len() * (size_of::<Arc<str>>() + size_of::<u32>());
        size_of::<Self>()
            + size_of::<State>()
            + size_of::<Menu>()
            + 8 * facts
            + menu
            + self.feedback.len()
    }

    /// Sends a command. Surrounding white space is dropped; anything inadmissible changes nothing.
    pub fn step(&mut self, command: &str) -> Result<()> {
        let Some(id) = self.menu.operator(command) else {
            self.feedback = Arc::clone(&self.game.nothing_happens);
            return Ok(());
        };
        let game = Arc::clone(&self.game);
        let (action, vars) = {
            let operators = game.operators.read().unwrap_or_else(PoisonError::into_inner);
            let operator = operators.get(id);
            (usize::from(operator.action), operator.vars)
        };
        budget::within(WORK, "the effects of an action", || {
            self.apply(&game.domain.actions[action], &vars)
        })?;
        self.feedback = match game.grammar.of_action(action) {
            Some(texts) => {
                let teller = Teller::new(self);
                let told = budget::within(WORK, "the answer to an action", || {
                    game.grammar.derive(&texts.feedback, bindings(texts, &vars), &teller)
                })?;
                self.seen = teller.seen();
                told.into()
            }
            None => "".into(),
        };
        self.refresh()
    }

    /// A number that is equal for two states of one game exactly when they cannot be told apart by
    /// playing on (up to hash collisions): facts that nothing reads, such as `checked`, do not
    /// count. A mug that was washed though the task does not ask for it looks another one.
    pub fn fingerprint(&self) -> u64 {
        self.hash_of(&self.game.told)
    }

    /// The same as far as playing to the goal goes: what only texts tell apart counts for one.
    pub fn standing(&self) -> u64 {
        self.hash_of(&self.game.matters)
    }

    /// A hash of the facts of these predicates.
    fn hash_of(&self, read: &[bool]) -> u64 {
        use std::hash::{BuildHasher, Hash, Hasher};
        let mut hasher = foldhash::fast::FixedState::default().build_hasher();
        let counts = |fact: &&u64| read[usize::from(pred_of(**fact))];
        self.state.planner.all().iter().filter(counts).for_each(|fact| fact.hash(&mut hasher));
        hasher.finish()
    }

    /// The text facts as `predicate(id,…)`, sorted; what the transcripts of the original engine
    /// hash.
    pub fn text_facts(&self) -> Vec<String> {
        let show = |prefix: &str, fact: u64| {
            let pred = usize::from(pred_of(fact));
            let ids = (0..self.game.domain.arity[pred])
                .map(|i| self.game.ids[usize::from(arg(fact, i))].as_str());
            format!(
                "{prefix}{}({})",
                self.game.domain.predicates[pred],
                ids.collect::<Vec<_>>().join(",")
            )
        };
        let positive =
            self.game.fixed.all().iter().chain(self.state.text.all()).map(|fact| show("", *fact));
        let mut all: Vec<_> = positive
            .chain(self.state.negated.all().iter().map(|fact| show("not_", *fact)))
            .collect();
        all.sort_unstable();
        all
    }

    fn apply(&mut self, action: &Action, vars: &Vars) -> Result<()> {
        budget::work(action.effects.iter().map(|effect| 4 + 2 * effect.when.len() as u64).sum())?;
        let state = &self.state;
        let now = Matcher::of_actions(&self.game, &state.planner);
        let mut next = State::clone(state);
        for delete in [true, false] {
            let fires =
                |when: &[super::pddl::Literal]| when.iter().all(|literal| now.holds(literal, vars));
            for effect in action.effects.iter().filter(|e| e.delete == delete && fires(&e.when)) {
                match (now.ground(&effect.atom, vars), delete) {
                    (Some(fact), true) => next.planner.remove(fact),
                    (Some(fact), false) => next.planner.add(fact),
                    (None, _) => {}
                }
            }
        }
        for delete in [false, true] {
            for effect in action.effects.iter().filter(|e| e.delete == delete) {
                let Some(fact) = now.ground(&effect.atom, vars) else { continue };
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
        Ok(())
    }

    /// Whether `fact` held at the start or some operator whose fixed conditions hold adds it: the
    /// original's translator drops deletes of facts that can never be true.
    fn can_become_true(&self, fact: u64) -> bool {
        let known =
            self.game.possible.read().unwrap_or_else(PoisonError::into_inner).get(&fact).copied();
        known.unwrap_or_else(|| {
            let possible = self.game.start.has(fact)
                || self.game.domain.actions.iter().any(|a| self.adds(a, fact));
            if !budget::is_spent() {
                self.game
                    .possible
                    .write()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(fact, possible);
            }
            possible
        })
    }

    fn adds(&self, action: &Action, fact: u64) -> bool {
        let matcher = Matcher::of_actions(&self.game, &self.state.planner);
        action.effects.iter().filter(|e| !e.delete && e.atom.pred == pred_of(fact)).any(|effect| {
            let mut vars = [FREE; MAX_VARS];
            for (i, term) in effect.atom.args.iter().enumerate() {
                match term {
                    Term::Var(v) => vars[usize::from(*v)] = arg(fact, i),
                    Term::Const(c)
                        if self.game.constants[usize::from(*c)] != Some(arg(fact, i)) =>
                    {
                        return false;
                    }
                    Term::Const(_) => {}
                }
            }
            action.clauses.iter().any(|clause| {
                if !budget::spend(1 + clause.literals.len() as u64) {
                    return false;
                }
                let fixed = |pred: Pred| pred != 0 && self.game.domain.is_static[usize::from(pred)];
                let literals =
                    clause.literals.iter().filter(|l| fixed(l.atom.pred)).cloned().collect();
                let fixed = Clause { types: clause.types.clone(), literals };
                let order: Vec<usize> =
                    (0..fixed.literals.len()).filter(|i| !fixed.literals[*i].negated).collect();
                matcher.any(Query { clause: &fixed, order: &order }, vars)
            })
        })
    }

    /// Recomputes commands and victory after the facts changed.
    fn refresh(&mut self) -> Result<()> {
        self.menu =
            Arc::new(budget::within(WORK, "finding what can be done", || self.admissible())?);
        self.won =
            budget::within(WORK, "looking whether the goal is reached", || Ok(self.goal_holds()))?;
        Ok(())
    }

    /// Works out what is admissible now (what [`Self::menu`] already holds).
    pub fn admissible(&self) -> Result<Menu> {
        let game = &*self.game;
        let matcher = Matcher::of_actions(game, &self.state.planner);
        let mut found = Vec::with_capacity(64);
        let mut unmet = Vec::new();
        let operators = game.operators.read().unwrap_or_else(PoisonError::into_inner);
        for (a, action) in game
            .domain
            .actions
            .iter()
            .enumerate()
            .filter(|(a, _)| game.grammar.of_action(*a).is_some())
        {
            for (c, clause) in action.clauses.iter().enumerate() {
                let query = Query { clause, order: &game.order[a][c] };
                matcher.solve(query, [FREE; MAX_VARS], &mut |vars| {
                    let key = (a as u16, c as u16, *vars);
                    match operators.known(&key) {
                        Some(Some(id)) => found.push(id),
                        Some(None) => {}
                        None => {
                            unmet.push((found.len(), key));
                            found.push(u32::MAX);
                        }
                    }
                    found.len() < MAX_OPERATORS
                });
            }
        }
        if found.len() >= MAX_OPERATORS {
            return Err(Error::new(format!(
                "more than {MAX_OPERATORS} operators are applicable in one state"
            ))
            .hint(
                "an action of the domain has a parameter that no condition ties to anything; real \
                 games have some 70",
            ));
        }
        budget::check()?;
        if unmet.is_empty() {
            return operators.menu(&found);
        }
        drop(operators);
        for (at, key) in unmet {
            if let Some(id) = self.meet(key, &matcher)? {
                found[at] = id;
            }
        }
        found.retain(|id| *id != u32::MAX);
        game.operators.read().unwrap_or_else(PoisonError::into_inner).menu(&found)
    }

    /// Interns an operator met for the first time. It is no command when all it does is already
    /// required: the original's translator prunes such operators, so walking to where one stands is
    /// not a command.
    fn meet(&self, key: OperatorKey, matcher: &Matcher<'_>) -> Result<Option<u32>> {
        let game = &*self.game;
        let action = &game.domain.actions[usize::from(key.0)];
        let vars = &key.2;
        let clause = &action.clauses[usize::from(key.1)];
        budget::work(
            (action.effects.len() * (clause.literals.len() + action.effects.len())) as u64,
        )?;
        let required = |negated: bool, fact| {
            clause
                .literals
                .iter()
                .any(|l| l.negated == negated && matcher.ground(&l.atom, vars) == Some(fact))
        };
        let added = |fact| {
            action.effects.iter().any(|e| !e.delete && matcher.ground(&e.atom, vars) == Some(fact))
        };
        let idle = action.effects.iter().all(|effect| {
            matcher.ground(&effect.atom, vars).is_none_or(|fact| {
                (effect.delete && effect.when.is_empty() && added(fact))
                    || required(effect.delete, fact)
            })
        });
        let operators = || game.operators.write().unwrap_or_else(PoisonError::into_inner);
        let Some(texts) = game.grammar.of_action(usize::from(key.0)).filter(|_| !idle) else {
            return operators().add(key, None, true);
        };
        let text =
            game.grammar.derive(&texts.template, bindings(texts, vars), &Teller::new(self))?;
        let fixed = !game.grammar.reads_fluents(&texts.template, &game.domain);
        operators().add(key, Some(text), fixed)
    }

    fn goal_holds(&self) -> bool {
        let matcher = Matcher::of_goal(&self.game, &self.state.planner);
        let mut goal = self.game.goal.iter().zip(&self.game.goal_order);
        goal.any(|(clause, order)| matcher.any(Query { clause, order }, [FREE; MAX_VARS]))
    }

    pub(super) fn query(
        &self,
        query: &[Pattern],
        bound: &mut Vec<Binding>,
        found: &mut dyn FnMut(&mut Vec<Binding>) -> bool,
    ) -> bool {
        let Some((pattern, rest)) = query.split_first() else { return found(bound) };
        let Some(pred) = pattern.pred else { return true };
        let facts = match (pattern.negative, self.game.domain.is_static[usize::from(pred)]) {
            (true, _) => &self.state.negated,
            (false, true) => &self.game.fixed,
            (false, false) => &self.state.text,
        };
        let is =
            |b: &Binding, wanted: &(Name, Option<Type>)| b.name == wanted.0 && b.kind == wanted.1;
        let first =
            pattern.args.first().and_then(|a| bound.iter().find(|b| is(b, a)).map(|b| b.object));
        let before = bound.len();
        let facts = facts.of(pred, first);
        if !budget::spend(1 + (facts.len() * (1 + bound.len() / 8)) as u64) {
            return false;
        }
        'facts: for fact in facts {
            bound.truncate(before);
            for (i, wanted) in pattern.args.iter().enumerate() {
                let object = arg(*fact, i);
                let fits =
                    wanted.1.is_some_and(|t| t == 0 || t == self.game.types[usize::from(object)]);
                match bound.iter().find(|b| is(b, wanted)) {
                    Some(known) if fits && known.object == object => {}
                    // Different variables stand for different objects.
                    None if fits && bound.iter().all(|b| b.object != object) => {
                        bound.push(Binding { name: wanted.0, kind: wanted.1, object });
                    }
                    _ => continue 'facts,
                }
            }
            if !self.query(rest, bound, found) {
                bound.truncate(before);
                return false;
            }
        }
        bound.truncate(before);
        true
    }
}

fn bindings(texts: &ActionText, vars: &Vars) -> Vec<Binding> {
    let mut bound = Vec::with_capacity(MAX_VARS);
    let params = texts.params.iter().zip(vars);
    bound.extend(params.map(|((name, kind), object)| Binding {
        name: *name,
        kind: Some(*kind),
        object: *object,
    }));
    bound
}
