//! The PDDL subset of ALFWorld's domain: typed parameters, `and` / `or` / `not` / `exists`
//! preconditions, add, delete and `when` effects. Anything else is refused with the line it stands
//! on, never guessed at.
//!
//! Preconditions are kept in disjunctive normal form, so that one [`Clause`] is one conjunctive
//! query.

use std::collections::HashMap;

use super::formula::{Reader, intern, typed};
use super::sexpr::Sexpr;
use crate::budget::within;
use crate::error::{Error, Result};

/// The widest predicate that a packed fact holds.
pub const MAX_ARITY: usize = 3;
/// More clauses than this in one precondition are refused.
pub(super) const MAX_CLAUSES: usize = 256;
/// More literals than this in one clause, and more effects of one action, are refused: real ones
/// have some ten.
pub(super) const MAX_PARTS: usize = 512;
/// More variables than this in one action (parameters and quantified ones together) are refused.
pub const MAX_VARS: usize = 16;

/// Units of work for reading one text of a game: real ones take a few thousand.
pub(super) const READING: u64 = 500_000;

/// Index of a predicate in [`Domain::predicates`]; 0 is equality.
pub type Pred = u16;
/// Index of a type in [`Domain::types`]; 0 is `object`, which every object belongs to.
pub type Type = u16;

/// A parsed domain, shared by every game that embeds the same text.
#[derive(Debug)]
pub struct Domain {
    /// Type names; unknown types named by a parameter are added too and simply have no members.
    pub types: Vec<String>,
    /// Predicate names, `=` first.
    pub predicates: Vec<String>,
    /// How many arguments each predicate takes.
    pub arity: Vec<usize>,
    /// Whether no action's effect ever changes the predicate.
    pub is_static: Vec<bool>,
    /// Constants named inside actions; resolved against each problem's objects.
    pub constants: Vec<String>,
    /// The actions, in the order of the text.
    pub actions: Vec<Action>,
}

/// An action schema.
#[derive(Debug)]
pub struct Action {
    /// Lower-cased name.
    pub name: String,
    /// Parameter names without `?`.
    pub params: Vec<String>,
    /// Parameter types.
    pub types: Vec<Type>,
    /// The precondition's disjuncts.
    pub clauses: Vec<Clause>,
    /// All effects, conditional ones included; costs are dropped.
    pub effects: Vec<Effect>,
}

/// A conjunction of literals over the action's parameters and some quantified variables.
#[derive(Debug, Clone, Default)]
pub struct Clause {
    /// Type of every variable: the parameters first, then the quantified ones.
    pub types: Vec<Type>,
    /// Literals that must hold together.
    pub literals: Vec<Literal>,
}

/// An atom or its negation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// Whether the atom must not hold.
    pub negated: bool,
    /// The atom.
    pub atom: Atom,
}

/// A predicate over terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Atom {
    /// The predicate.
    pub pred: Pred,
    /// One term an argument.
    pub args: Vec<Term>,
}

/// A variable of the clause or a constant of the table the text was read with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// Index into [`Clause::types`].
    Var(u8),
    /// Index into the constant table.
    Const(u16),
}

/// One effect of an action.
#[derive(Debug)]
pub struct Effect {
    /// Literals that must hold before the action for the effect to fire.
    pub when: Vec<Literal>,
    /// Whether the atom becomes false.
    pub delete: bool,
    /// The atom that changes.
    pub atom: Atom,
}

pub(super) fn bad(at: &Sexpr, what: impl std::fmt::Display) -> Error {
    Error::new(format!("line {}: {what}", at.line))
        .hint("only the PDDL subset of ALFWorld games is read; see the rustdoc of env::tw_pddl")
}

/// The parts of `(define (kind name) part...)`.
pub(super) fn define<'a>(expr: &'a Sexpr, kind: &str) -> Result<&'a [Sexpr]> {
    let items = expr.list("(define ...)")?;
    if expr.head() != Some("define") || items.len() < 2 || items[1].head() != Some(kind) {
        return Err(bad(expr, format_args!("expected (define ({kind} NAME) ...)")));
    }
    Ok(&items[2..])
}

impl Domain {
    /// Reads a domain; errors name the line.
    pub fn parse(text: &str) -> Result<Self> {
        within(READING, "reading the domain", || Self::read(text))
    }

    fn read(text: &str) -> Result<Self> {
        let expr = Sexpr::parse(text)?;
        let parts = define(&expr, "domain")?;
        let mut types = vec!["object".to_string()];
        let mut predicates = vec!["=".to_string()];
        let mut arity = vec![2];
        for part in parts {
            let items = part.list("a section")?;
            match part.head() {
                Some(":types") => {
                    for (name, parent) in typed(&items[1..])? {
                        if parent != "object" {
                            return Err(bad(
                                part,
                                format_args!(
                                    "type `{name}` has a supertype `{parent}`: flat types only"
                                ),
                            ));
                        }
                        intern(&mut types, &name, part)?;
                    }
                }
                Some(":predicates") => {
                    for declared in &items[1..] {
                        let name = declared
                            .head()
                            .ok_or_else(|| bad(declared, "a predicate without a name"))?;
                        let wide = typed(&declared.list("a predicate")?[1..])?.len();
                        if wide > MAX_ARITY {
                            return Err(bad(
                                declared,
                                format_args!(
                                    "`{name}` takes {wide} arguments; {MAX_ARITY} at most"
                                ),
                            ));
                        }
                        predicates.push(name.to_string());
                        arity.push(wide);
                        if predicates.len() > usize::from(Pred::MAX) {
                            return Err(bad(
                                declared,
                                format_args!("more than {} predicates", Pred::MAX),
                            ));
                        }
                    }
                }
                Some(":requirements" | ":functions" | ":action") => {}
                other => {
                    return Err(bad(
                        part,
                        format_args!("section `{}` is not supported", other.unwrap_or("?")),
                    ));
                }
            }
        }
        let by_name: HashMap<String, Pred> =
            predicates.iter().enumerate().map(|(i, name)| (name.clone(), i as Pred)).collect();
        let mut constants = Vec::new();
        let mut reader = Reader {
            types: &mut types,
            predicates: &by_name,
            arity: &arity,
            constants: &mut constants,
        };
        let mut actions = Vec::new();
        for part in parts.iter().filter(|part| part.head() == Some(":action")) {
            actions.push(action(part, &mut reader)?);
            if actions.len() > usize::from(u16::MAX) {
                return Err(bad(part, format_args!("more than {} actions", u16::MAX)));
            }
        }
        let mut is_static = vec![true; predicates.len()];
        for effect in actions.iter().flat_map(|action| &action.effects) {
            is_static[usize::from(effect.atom.pred)] = false;
        }
        Ok(Self { types, predicates, arity, is_static, constants, actions })
    }

    /// Whether play can change the predicate; equality it cannot.
    pub fn is_fluent(&self, pred: Pred) -> bool {
        pred != 0 && !self.is_static[usize::from(pred)]
    }

    /// The predicate of that (lower-cased) name.
    pub fn predicate(&self, name: &str) -> Option<Pred> {
        self.predicates.iter().position(|known| known == name).map(|at| at as Pred)
    }

    /// The type of that (lower-cased) name.
    pub fn type_named(&self, name: &str) -> Option<Type> {
        self.types.iter().position(|known| known == name).map(|at| at as Type)
    }
}

fn action(part: &Sexpr, reader: &mut Reader<'_>) -> Result<Action> {
    let items = part.list("an action")?;
    let name = items
        .get(1)
        .ok_or_else(|| bad(part, "an action without a name"))?
        .word("an action name")?;
    let mut sections: HashMap<&str, &Sexpr> = HashMap::new();
    for pair in items[2..].chunks(2) {
        match pair {
            [key, value] => sections.insert(key.word("a keyword")?, value),
            _ => return Err(bad(&pair[0], "a keyword without its value")),
        };
    }
    let section = |key: &str| {
        sections
            .get(key)
            .copied()
            .ok_or_else(|| bad(part, format_args!("action `{name}` has no {key}")))
    };
    let scope = reader.variables(section(":parameters")?)?;
    if scope.len() > MAX_VARS {
        return Err(bad(part, format_args!("more than {MAX_VARS} parameters")));
    }
    let clauses = reader.clauses(section(":precondition")?, &scope)?;
    let mut effects = Vec::new();
    reader.effects(section(":effect")?, &scope, &mut effects)?;
    if effects.len() > MAX_PARTS {
        return Err(bad(part, format_args!("action `{name}` has more than {MAX_PARTS} effects")));
    }
    let (params, types) = scope
        .into_iter()
        .map(|(name, kind)| (name.trim_start_matches('?').to_string(), kind))
        .unzip();
    Ok(Action { name: name.to_string(), params, types, clauses, effects })
}

#[cfg(test)]
#[path = "pddl_tests.rs"]
mod tests;
