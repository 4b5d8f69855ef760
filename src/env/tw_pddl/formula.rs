//! Formulas of the PDDL subset: preconditions in disjunctive normal form, and effects.

use std::collections::HashMap;

use super::pddl::{
    Atom, Clause, Effect, Literal, MAX_CLAUSES, MAX_PARTS, MAX_VARS, Pred, Term, Type, bad,
};
use super::sexpr::Sexpr;
use crate::budget::work;
use crate::error::Result;

/// `a b - type c` as (name, type name); names without a type are `object`s.
pub(super) fn typed(items: &[Sexpr]) -> Result<Vec<(String, String)>> {
    let mut out = Vec::new();
    let mut waiting = Vec::new();
    let mut words = items.iter();
    while let Some(item) = words.next() {
        let word = item.word("a name")?;
        if word == "-" {
            let kind = words
                .next()
                .ok_or_else(|| bad(item, "`-` without a type after it"))?
                .word("a type")?;
            work(waiting.len() as u64)?;
            out.extend(waiting.drain(..).map(|name| (name, kind.to_string())));
        } else {
            waiting.push(word.to_string());
        }
    }
    out.extend(waiting.into_iter().map(|name| (name, "object".to_string())));
    Ok(out)
}

/// The index of a name in a table that grows by it.
pub(super) fn intern(table: &mut Vec<String>, name: &str, at: &Sexpr) -> Result<u16> {
    work(table.len() as u64 / 64 + 1).map_err(|e| e.at(format_args!("line {}", at.line)))?;
    let found = table.iter().position(|known| known == name).unwrap_or_else(|| {
        table.push(name.to_string());
        table.len() - 1
    });
    u16::try_from(found).map_err(|_| bad(at, "more than 65,536 names of types, or of constants"))
}

/// One disjunct of a formula: the variables in scope, and the literals over them.
type Disjunct = (Vec<(String, Type)>, Vec<Literal>);

/// Reads formulas against growing tables of types and constants.
pub(super) struct Reader<'a> {
    pub(super) types: &'a mut Vec<String>,
    pub(super) predicates: &'a HashMap<String, Pred>,
    pub(super) arity: &'a [usize],
    pub(super) constants: &'a mut Vec<String>,
}

impl Reader<'_> {
    pub(super) fn variables(&mut self, list: &Sexpr) -> Result<Vec<(String, Type)>> {
        let names = typed(list.list("a parameter list")?)?;
        names.into_iter().map(|(name, kind)| Ok((name, intern(self.types, &kind, list)?))).collect()
    }

    fn atom(&mut self, expr: &Sexpr, scope: &[(String, Type)]) -> Result<Atom> {
        let items = expr.list("an atom")?;
        let name = items
            .first()
            .ok_or_else(|| bad(expr, "an atom without a predicate"))?
            .word("a predicate")?;
        let pred = *self.predicates.get(name).ok_or_else(|| {
            bad(
                expr,
                format_args!("`{name}` is not a declared predicate or a supported connective"),
            )
        })?;
        if items.len() - 1 != self.arity[usize::from(pred)] {
            let given = items.len() - 1;
            let wants = self.arity[usize::from(pred)];
            return Err(bad(expr, format_args!("`{name}` takes {wants} arguments, {given} given")));
        }
        let mut args = Vec::with_capacity(items.len() - 1);
        for item in &items[1..] {
            let word = item.word("an argument")?;
            args.push(if word.starts_with('?') {
                let at = scope.iter().rposition(|(known, _)| known == word);
                Term::Var(
                    at.ok_or_else(|| bad(item, format_args!("variable `{word}` is not declared")))?
                        as u8,
                )
            } else {
                Term::Const(intern(self.constants, word, item)?)
            });
        }
        Ok(Atom { pred, args })
    }

    /// An atom, or one after `not`.
    fn literal(&mut self, expr: &Sexpr, scope: &[(String, Type)]) -> Result<Literal> {
        let items = expr.list("a formula")?;
        if expr.head() != Some("not") || items.len() != 2 {
            return Ok(Literal { negated: false, atom: self.atom(expr, scope)? });
        }
        if matches!(items[1].head(), Some("and" | "or" | "exists" | "not" | "forall")) {
            return Err(bad(expr, "`not` is supported before an atom only"));
        }
        Ok(Literal { negated: true, atom: self.atom(&items[1], scope)? })
    }

    /// Disjunctive normal form of `expr` over `scope`; a disjunct's quantified variables follow the
    /// scope's.
    ///
    /// The form is as long as the product of its parts, and reading a part under every disjunct
    /// before it is as much work even where nothing comes of it (an empty `or`): each counts as
    /// work.
    fn formula(&mut self, expr: &Sexpr, scope: &[(String, Type)]) -> Result<Vec<Disjunct>> {
        let spend =
            |units: usize| work(units as u64).map_err(|e| e.at(format_args!("line {}", expr.line)));
        spend(1 + 4 * scope.len())?; // their names are copied
        if is_literal(expr) {
            return Ok(vec![(scope.to_vec(), vec![self.literal(expr, scope)?])]);
        }
        let items = expr.list("a formula")?;
        match expr.head() {
            None if items.is_empty() => Ok(vec![(scope.to_vec(), Vec::new())]),
            Some("and") => {
                let mut all = vec![(scope.to_vec(), Vec::new())];
                for part in &items[1..] {
                    if is_literal(part) {
                        for (vars, literals) in &mut all {
                            spend(1)?;
                            literals.push(self.literal(part, vars)?);
                        }
                        continue;
                    }
                    let mut next = Vec::new();
                    for (vars, literals) in &all {
                        for (more_vars, more) in self.formula(part, vars)? {
                            spend(literals.len() + more.len())?;
                            next.push((more_vars, [literals.as_slice(), &more].concat()));
                            too_many(next.len(), expr)?;
                        }
                    }
                    all = next;
                }
                Ok(all)
            }
            Some("or") => {
                let mut all = Vec::new();
                for part in &items[1..] {
                    all.extend(self.formula(part, scope)?);
                    too_many(all.len(), expr)?;
                }
                Ok(all)
            }
            Some("exists") if items.len() == 3 => {
                let mut inner = scope.to_vec();
                inner.extend(self.variables(&items[1])?);
                if inner.len() > MAX_VARS {
                    return Err(bad(expr, format_args!("more than {MAX_VARS} variables")));
                }
                self.formula(&items[2], &inner)
            }
            _ => Ok(vec![(scope.to_vec(), Vec::new())]),
        }
    }

    pub(super) fn clauses(
        &mut self,
        expr: &Sexpr,
        scope: &[(String, Type)],
    ) -> Result<Vec<Clause>> {
        let disjuncts = self.formula(expr, scope)?;
        if disjuncts.iter().any(|(_, literals)| literals.len() > MAX_PARTS) {
            return Err(bad(
                expr,
                format_args!("more than {MAX_PARTS} literals that must hold together"),
            ));
        }
        Ok(disjuncts
            .into_iter()
            .map(|(vars, literals)| Clause {
                types: vars.into_iter().map(|(_, kind)| kind).collect(),
                literals,
            })
            .collect())
    }

    pub(super) fn effects(
        &mut self,
        expr: &Sexpr,
        scope: &[(String, Type)],
        out: &mut Vec<Effect>,
    ) -> Result<()> {
        let items = expr.list("an effect")?;
        match expr.head() {
            None if items.is_empty() => Ok(()),
            Some("increase") => Ok(()),
            Some("and") => items[1..].iter().try_for_each(|part| self.effects(part, scope, out)),
            Some("when") if items.len() == 3 => {
                let mut when = self.formula(&items[1], scope)?;
                match (when.pop(), when.is_empty()) {
                    (Some((vars, literals)), true)
                        if vars.len() == scope.len() && literals.len() <= MAX_PARTS =>
                    {
                        let mut inner = Vec::new();
                        self.effects(&items[2], scope, &mut inner)?;
                        work((inner.len() * (1 + literals.len())) as u64)
                            .map_err(|e| e.at(format_args!("line {}", expr.line)))?;
                        out.extend(
                            inner
                                .into_iter()
                                .map(|effect| Effect { when: literals.clone(), ..effect }),
                        );
                        Ok(())
                    }
                    _ => {
                        let most = format_args!(
                            "`when` takes a conjunction of at most {MAX_PARTS} literals"
                        );
                        Err(bad(expr, most))
                    }
                }
            }
            Some("not") if items.len() == 2 => {
                out.push(Effect {
                    when: Vec::new(),
                    delete: true,
                    atom: self.atom(&items[1], scope)?,
                });
                Ok(())
            }
            _ => {
                out.push(Effect { when: Vec::new(), delete: false, atom: self.atom(expr, scope)? });
                Ok(())
            }
        }
    }
}

/// Whether a formula is an atom or its negation, and not made of parts.
fn is_literal(expr: &Sexpr) -> bool {
    match expr.list("a formula") {
        Ok([]) => false,
        Ok(items) => {
            !matches!((expr.head(), items.len()), (Some("and" | "or"), _) | (Some("exists"), 3))
        }
        Err(_) => true, // a word: no formula at all, which reading it says
    }
}

fn too_many(alternatives: usize, at: &Sexpr) -> Result<()> {
    if alternatives > MAX_CLAUSES {
        return Err(bad(at, format_args!("more than {MAX_CLAUSES} alternatives in one formula")));
    }
    Ok(())
}
