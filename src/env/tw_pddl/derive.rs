//! Deriving text from a grammar: the first rule whose condition matches, queries in the order of
//! sorted facts.

use super::facts::Object;
use super::grammar::{
    ExprTerm, Grammar, Hole, LIST_EMPTY, LIST_LAST_SEPARATOR, LIST_SEPARATOR, Name, Pattern, Piece,
    Symbol, TASK, What,
};
use super::pddl::{Pred, Type};
use crate::budget::work;
use crate::error::{Error, Result};

/// A variable bound while a text is derived; name and type together say which variable it is.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// Its name.
    pub name: Name,
    /// Its type; none for one that the domain does not know.
    pub kind: Option<Type>,
    /// What it stands for.
    pub object: Object,
}

/// What a derivation needs to know of the world.
pub trait TextFacts {
    /// Calls `found` for every match of the query, in the engine's order, with its bindings added
    /// to `bound`, until it returns `false`; `bound` is as before afterwards.
    fn matches(
        &self,
        query: &[Pattern],
        bound: &mut Vec<Binding>,
        found: &mut dyn FnMut(&mut Vec<Binding>) -> bool,
    );
    /// The display name of an object ("mug 1"), which is about to be told.
    fn name(&self, object: Object) -> &str;
    /// The identifier of an object.
    fn id(&self, object: Object) -> &str;
    /// The task sentence, where it is kept outside the grammar.
    fn task(&self) -> Option<&str>;
    /// Says that everything for which `pred` holds with `object` has just been told.
    fn listed(&self, pred: Pred, object: Object);
}

/// Deeper references than this are a loop.
const MAX_DEPTH: usize = 32;
/// A longer text than this is a runaway grammar.
const MAX_TEXT: usize = 1 << 18;

impl Grammar {
    /// The text of `symbol` with nothing bound.
    pub fn derive_symbol(&self, symbol: Symbol, facts: &dyn TextFacts) -> Result<String> {
        let mut told = Told { grammar: self, facts, bound: Vec::new(), out: String::new() };
        told.symbol(symbol, 0)?;
        Ok(told.out)
    }

    /// The text of `pieces` under `bound`.
    pub fn derive(
        &self,
        pieces: &[Piece],
        bound: Vec<Binding>,
        facts: &dyn TextFacts,
    ) -> Result<String> {
        let mut told = Told { grammar: self, facts, bound, out: String::with_capacity(64) };
        told.pieces(pieces, 0)?;
        Ok(told.out)
    }
}

/// A text while it is derived.
struct Told<'a> {
    grammar: &'a Grammar,
    facts: &'a dyn TextFacts,
    bound: Vec<Binding>,
    out: String,
}

impl Told<'_> {
    fn pieces(&mut self, pieces: &[Piece], depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(Error::new(format!(
                "the text grammar refers to itself more than {MAX_DEPTH} deep"
            )));
        }
        for piece in pieces {
            work(1)?;
            match piece {
                Piece::Text(text) => self.tell(text)?,
                Piece::Symbol(symbol) => self.symbol(*symbol, depth + 1)?,
                Piece::Each(hole) => _ = self.hole(hole, depth)?,
                Piece::List(hole) => self.list(hole, depth)?,
            }
        }
        Ok(())
    }

    /// Adds to the text, which must not become too long; its bytes count as work, so that many
    /// texts that are not too long are not too much together.
    fn tell(&mut self, text: &str) -> Result<()> {
        if self.out.len() + text.len() > MAX_TEXT {
            return Err(Error::new(format!(
                "the text grammar tells more than {MAX_TEXT} bytes at once"
            )));
        }
        work(1 + text.len() as u64 / 4)?;
        self.out.push_str(text);
        Ok(())
    }

    fn list(&mut self, hole: &Hole, depth: usize) -> Result<()> {
        let start = self.out.len();
        let ends = self.hole(hole, depth)?;
        if ends.is_empty() {
            return self.symbol(LIST_EMPTY, depth + 1);
        }
        if ends.len() == 1 {
            return Ok(());
        }
        let items = self.out.split_off(start);
        let mut from = 0;
        for (i, end) in ends.iter().map(|end| end - start).enumerate() {
            if i > 0 && i + 1 < ends.len() {
                self.symbol(LIST_SEPARATOR, depth + 1)?;
            } else if i > 0 {
                self.symbol(LIST_LAST_SEPARATOR, depth + 1)?;
            }
            self.tell(&items[from..end])?;
            from = end;
        }
        Ok(())
    }

    fn symbol(&mut self, symbol: Symbol, depth: usize) -> Result<()> {
        let facts = self.facts;
        if let (TASK, Some(task)) = (symbol, facts.task()) {
            return self.tell(task);
        }
        let name = || self.grammar.symbols[usize::from(symbol)].as_str();
        let rules = self.grammar.rules[usize::from(symbol)].as_ref();
        for rule in
            rules.ok_or_else(|| Error::new(format!("the grammar has no rule for #{}#", name())))?
        {
            work(1)?;
            let mut holds = rule.condition.is_empty();
            if !holds {
                self.facts.matches(&rule.condition, &mut self.bound, &mut |_| {
                    holds = true;
                    false
                });
            }
            if holds {
                return self.pieces(&rule.rhs, depth + 1);
            }
        }
        Err(Error::new(format!("no rule of #{}# applies in this state", name())))
    }

    /// Tells every match of a hole, one after the other, and returns where each ends.
    fn hole(&mut self, hole: &Hole, depth: usize) -> Result<Vec<usize>> {
        let Some(query) = &hole.query else {
            self.what(&hole.what, depth)?;
            return Ok(vec![self.out.len()]);
        };
        if let [Pattern { pred: Some(pred), negative: false, args }] = query.as_slice()
            && let Some(object) = self.only_bound(args)
        {
            self.facts.listed(*pred, object);
        }
        let mut ends = Vec::new();
        let mut failed = None;
        let grammar = self.grammar;
        let facts = self.facts;
        let mut out = std::mem::take(&mut self.out);
        facts.matches(query, &mut self.bound, &mut |bound| {
            let mut inner = Told {
                grammar,
                facts,
                bound: std::mem::take(bound),
                out: std::mem::take(&mut out),
            };
            failed = inner.what(&hole.what, depth).err();
            *bound = inner.bound;
            out = inner.out;
            ends.push(out.len());
            failed.is_none()
        });
        self.out = out;
        failed.map_or(Ok(ends), Err)
    }

    /// The object of the one argument that is bound already, if all others are free.
    fn only_bound(&self, args: &[(Name, Option<Type>)]) -> Option<Object> {
        let object = |arg: &(Name, Option<Type>)| {
            self.bound.iter().find(|b| b.name == arg.0 && b.kind == arg.1).map(|b| b.object)
        };
        let mut known = args.iter().filter_map(object);
        let first = known.next()?;
        (args.len() > 1 && known.next().is_none()).then_some(first)
    }

    fn what(&mut self, what: &What, depth: usize) -> Result<()> {
        let alternatives = match what {
            What::Symbol(symbol) => return self.symbol(*symbol, depth + 1),
            What::Expr(alternatives) => alternatives,
        };
        let start = self.out.len();
        let facts = self.facts;
        for terms in alternatives {
            work(1)?;
            for term in terms {
                self.tell(match term {
                    ExprTerm::Text(literal) => literal,
                    ExprTerm::Name(variable) => facts.name(self.object(*variable)?),
                    ExprTerm::Id(variable) => facts.id(self.object(*variable)?),
                })?;
            }
            if self.out.len() > start {
                break;
            }
        }
        Ok(())
    }

    fn object(&self, variable: Name) -> Result<Object> {
        let found = self.bound.iter().rev().find(|b| b.name == variable).map(|b| b.object);
        found.ok_or_else(|| {
            let name = &self.grammar.names[usize::from(variable)];
            Error::new(format!("the text grammar uses `{name}`, which is not bound here"))
        })
    }
}
