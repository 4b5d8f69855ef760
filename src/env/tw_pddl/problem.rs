//! A PDDL problem: objects, what holds at the start, and the goal.

use std::collections::HashMap;

use super::formula::{Reader, typed};
use super::pddl::{Clause, Domain, Pred, READING, Type, bad, define};
use super::sexpr::Sexpr;
use crate::budget::within;
use crate::error::Result;

/// What one problem adds to a domain.
#[derive(Debug)]
pub struct Problem {
    /// Object names and types, in the order of the text; a repeated name keeps its last type.
    pub objects: Vec<(String, Type)>,
    /// Facts that hold at the start, as predicate and object names.
    pub init: Vec<(Pred, Vec<String>)>,
    /// The goal's disjuncts.
    pub goal: Vec<Clause>,
    /// Constants named by the goal.
    pub constants: Vec<String>,
}

impl Problem {
    /// Reads a problem of `domain`; errors name the line.
    pub fn parse(text: &str, domain: &Domain) -> Result<Self> {
        within(READING, "reading the problem", || Self::read(text, domain))
    }

    fn read(text: &str, domain: &Domain) -> Result<Self> {
        let expr = Sexpr::parse(text)?;
        let parts = define(&expr, "problem")?;
        let section = |key: &str| {
            let found = parts.iter().find(|part| part.head() == Some(key));
            found.ok_or_else(|| bad(&expr, format_args!("the problem has no {key}")))
        };
        let names = domain.predicates.iter().enumerate();
        let by_name: HashMap<String, Pred> =
            names.map(|(i, name)| (name.clone(), i as Pred)).collect();
        let names = domain.types.iter().enumerate();
        let kinds: HashMap<&str, Type> =
            names.map(|(i, name)| (name.as_str(), i as Type)).collect();
        let mut objects = Vec::new();
        let objects_part = section(":objects")?;
        for (name, kind) in typed(&objects_part.list("objects")?[1..])? {
            let known = *kinds.get(kind.as_str()).ok_or_else(|| {
                bad(
                    objects_part,
                    format_args!(
                        "object `{name}` has type `{kind}`, which the domain does not declare"
                    ),
                )
            })?;
            objects.push((name, known));
        }
        let mut init = Vec::new();
        for fact in &section(":init")?.list("facts")?[1..] {
            if fact.head() == Some("=") {
                continue; // a cost, which play does not depend on
            }
            let items = fact.list("a fact")?;
            let name = fact.head().ok_or_else(|| bad(fact, "a fact without a predicate"))?;
            let pred = *by_name.get(name).ok_or_else(|| {
                bad(fact, format_args!("`{name}` is not a predicate of the domain"))
            })?;
            if items.len() - 1 != domain.arity[usize::from(pred)] {
                return Err(bad(
                    fact,
                    format_args!("`{name}` takes {} arguments", domain.arity[usize::from(pred)]),
                ));
            }
            let args = items[1..]
                .iter()
                .map(|arg| arg.word("an object").map(str::to_string))
                .collect::<Result<_>>()?;
            init.push((pred, args));
        }
        let goal_part = section(":goal")?;
        let formula =
            goal_part.list("a goal")?.get(1).ok_or_else(|| bad(goal_part, "an empty goal"))?;
        let mut types = domain.types.clone();
        let mut constants = Vec::new();
        let mut reader = Reader {
            types: &mut types,
            predicates: &by_name,
            arity: &domain.arity,
            constants: &mut constants,
        };
        let goal = reader.clauses(formula, &[])?;
        Ok(Self { objects, init, goal, constants })
    }
}
