//! twl2, the text grammar of TextWorld's PDDL games: which sentence each action is typed as, and what it answers.
//!
//! A file is a sequence of `grammar :: """JSON""";` blocks and `action NAME { template :: "…"; feedback :: "…"; }`
//! blocks. A right-hand side mixes literal text, `#symbol#` references, `{expression}` and `{expression | query}`
//! holes, and `[{expression | query}]` lists. Only the expressions that real games use are read; the rest is refused
//! with the rule that holds it.

use std::collections::HashMap;

use super::cursor::Cursor;
use super::pddl::{Domain, Pred, Type};
use crate::error::{Error, Result};

/// A piece of a right-hand side.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Text as it stands.
    Text(String),
    /// A reference to another symbol, arguments included in its name.
    Symbol(String),
    /// One text for each match of a query, run together.
    Each(Hole),
    /// One text for each match of a query, joined as a list.
    List(Hole),
}

/// `{what | query}`.
#[derive(Debug, Clone)]
pub struct Hole {
    what: What,
    query: Option<Vec<Pattern>>,
}

#[derive(Debug, Clone)]
enum What {
    Symbol(String),
    /// Alternatives joined by `or`; each is a sum of terms, and the first that is not empty is taken.
    Expr(Vec<Vec<ExprTerm>>),
}

#[derive(Debug, Clone)]
enum ExprTerm {
    Text(String),
    Name(String),
    Id(String),
}

/// One atom of a query over the text facts.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// The predicate, or none when the domain has no such predicate (then nothing ever matches).
    pub pred: Option<Pred>,
    /// Whether the pattern asks for an explicit `not_…` fact (not for the absence of one).
    pub negative: bool,
    /// Variable name and type of each argument; an unknown type has no members.
    pub args: Vec<(String, Option<Type>)>,
}

/// A rule of a symbol: an optional condition and the text.
#[derive(Debug)]
pub struct Rule {
    condition: Vec<Pattern>,
    rhs: Vec<Piece>,
}

/// What an action is typed as, and what it answers.
#[derive(Debug, Default)]
pub struct ActionText {
    /// The command.
    pub template: Vec<Piece>,
    /// The answer.
    pub feedback: Vec<Piece>,
}

/// A parsed grammar, resolved against one domain.
#[derive(Debug, Default)]
pub struct Grammar {
    rules: HashMap<String, Vec<Rule>>,
    actions: HashMap<String, ActionText>,
}

/// A variable bound while a text is derived: name, type, object.
pub type Binding = (String, Option<Type>, u16);

/// What a derivation needs to know of the world.
pub trait TextFacts {
    /// Calls `found` with the extended bindings of every match, in the engine's order, until it returns `false`.
    fn matches(&self, query: &[Pattern], bound: &[Binding], found: &mut dyn FnMut(&[Binding]) -> bool);
    /// The display name of an object ("mug 1").
    fn name(&self, object: u16) -> &str;
    /// The identifier of an object.
    fn id(&self, object: u16) -> &str;
    /// The task sentence, where it is kept outside the grammar.
    fn task(&self) -> Option<&str>;
}

/// Deeper references than this are a loop.
const MAX_DEPTH: usize = 32;
/// A longer text than this is a runaway grammar.
const MAX_TEXT: usize = 1 << 20;

impl Grammar {
    /// Reads a twl2 text for `domain`.
    pub fn parse(text: &str, domain: &Domain) -> Result<Self> {
        let mut grammar = Self::default();
        let mut cursor = Cursor::new(text);
        loop {
            cursor.skip_space();
            if cursor.rest().is_empty() {
                return Ok(grammar);
            }
            if cursor.word("grammar") {
                cursor.expect("::")?;
                let json = cursor.triple_quoted()?;
                cursor.expect(";")?;
                grammar.add(json, domain).map_err(|error| error.at(cursor.line()))?;
            } else if cursor.word("action") {
                cursor.skip_space();
                let name = cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '/' | '-')).to_lowercase();
                cursor.expect("{")?;
                let action = grammar.action(&mut cursor, &name, domain)?;
                grammar.actions.insert(name, action);
            } else {
                return Err(cursor.bad("expected `grammar ::` or `action NAME {`"));
            }
        }
    }

    fn action(&mut self, cursor: &mut Cursor<'_>, name: &str, domain: &Domain) -> Result<ActionText> {
        let mut action = ActionText::default();
        loop {
            cursor.skip_space();
            if cursor.eat("}") {
                return Ok(action);
            }
            let key = cursor.take_while(char::is_alphanumeric);
            cursor.expect("::")?;
            match key {
                "template" | "feedback" => {
                    let body = cursor.quoted()?;
                    let pieces = pieces(body, domain).map_err(|error| error.at(format_args!("{key} of action {name}")))?;
                    *(if key == "template" { &mut action.template } else { &mut action.feedback }) = pieces;
                }
                "grammar" => {
                    let json = cursor.triple_quoted()?;
                    self.add(json, domain).map_err(|error| error.at(format_args!("action {name}")))?;
                }
                "pddl" => _ = cursor.triple_quoted()?,
                _ => return Err(cursor.bad(&format!("unknown part `{key}` of action `{name}`"))),
            }
            cursor.expect(";")?;
        }
    }

    fn add(&mut self, json: &str, domain: &Domain) -> Result<()> {
        let kept: Vec<&str> = json.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        let parsed: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&kept.join("\n")).map_err(|e| Error::new(format!("grammar block: {e}")))?;
        for (symbol, rules) in parsed {
            let place = format!("rule `{symbol}`");
            let rules = rules.as_array().ok_or_else(|| Error::new("expected a list of rules").at(&place))?;
            let mut out = Vec::new();
            for rule in rules {
                let rhs = rule["rhs"].as_str().ok_or_else(|| Error::new("a rule without `rhs`").at(&place))?;
                out.push(Rule {
                    condition: query(rule["condition"].as_str().unwrap_or_default(), domain).map_err(|e| e.at(&place))?,
                    rhs: pieces(rhs, domain).map_err(|error| error.at(&place))?,
                });
            }
            self.rules.insert(symbol, out);
        }
        Ok(())
    }

    /// The texts of an action (lower-cased name).
    pub fn of_action(&self, name: &str) -> Option<&ActionText> {
        self.actions.get(name)
    }

    /// Whether deriving `pieces` may look at a predicate that play can change.
    pub fn reads_fluents(&self, pieces: &[Piece], domain: &Domain) -> bool {
        let fluent = |query: &[Pattern]| query.iter().any(|p| p.pred.is_none_or(|p| !domain.is_static[usize::from(p)]));
        pieces.iter().any(|piece| match piece {
            Piece::Text(_) => false,
            Piece::Symbol(_) => true, // followed no further: a template with symbols is simply not cached
            Piece::Each(hole) | Piece::List(hole) => {
                matches!(hole.what, What::Symbol(_)) || hole.query.as_deref().is_some_and(fluent)
            }
        })
    }

    /// The text of `symbol` with nothing bound.
    pub fn derive_symbol(&self, symbol: &str, facts: &dyn TextFacts) -> Result<String> {
        let mut out = String::new();
        self.symbol(symbol, &[], facts, &mut out, 0)?;
        Ok(out)
    }

    /// The text of `pieces` under `bound`.
    pub fn derive(&self, pieces: &[Piece], bound: &[Binding], facts: &dyn TextFacts) -> Result<String> {
        let mut out = String::new();
        self.pieces(pieces, bound, facts, &mut out, 0)?;
        Ok(out)
    }

    fn pieces(
        &self,
        pieces: &[Piece],
        bound: &[Binding],
        facts: &dyn TextFacts,
        out: &mut String,
        depth: usize,
    ) -> Result<()> {
        if depth > MAX_DEPTH || out.len() > MAX_TEXT {
            return Err(Error::new("the text grammar refers to itself without end"));
        }
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Symbol(name) => self.symbol(name, bound, facts, out, depth + 1)?,
                Piece::Each(hole) => {
                    for text in self.texts(hole, bound, facts, depth)? {
                        out.push_str(&text);
                    }
                }
                Piece::List(hole) => self.list(&self.texts(hole, bound, facts, depth)?, bound, facts, out, depth)?,
            }
        }
        Ok(())
    }

    fn list(
        &self,
        texts: &[String],
        bound: &[Binding],
        facts: &dyn TextFacts,
        out: &mut String,
        depth: usize,
    ) -> Result<()> {
        let Some((last, first)) = texts.split_last() else {
            return self.symbol("list_empty", bound, facts, out, depth + 1);
        };
        for (i, text) in first.iter().enumerate() {
            if i > 0 {
                self.symbol("list_separator", bound, facts, out, depth + 1)?;
            }
            out.push_str(text);
        }
        if !first.is_empty() {
            self.symbol("list_last_separator", bound, facts, out, depth + 1)?;
        }
        out.push_str(last);
        Ok(())
    }

    fn symbol(&self, name: &str, bound: &[Binding], facts: &dyn TextFacts, out: &mut String, depth: usize) -> Result<()> {
        if let (true, Some(task)) = (name == "task", facts.task()) {
            out.push_str(task);
            return Ok(());
        }
        let rules = self.rules.get(name).ok_or_else(|| Error::new(format!("the grammar has no rule for #{name}#")))?;
        for rule in rules {
            let mut holds = rule.condition.is_empty();
            if !holds {
                facts.matches(&rule.condition, bound, &mut |_| {
                    holds = true;
                    false
                });
            }
            if holds {
                return self.pieces(&rule.rhs, bound, facts, out, depth + 1);
            }
        }
        Err(Error::new(format!("no rule of #{name}# applies in this state")))
    }

    fn texts(&self, hole: &Hole, bound: &[Binding], facts: &dyn TextFacts, depth: usize) -> Result<Vec<String>> {
        let one = |bound: &[Binding]| -> Result<String> {
            let mut text = String::new();
            match &hole.what {
                What::Symbol(name) => self.symbol(name, bound, facts, &mut text, depth + 1)?,
                What::Expr(alternatives) => text = evaluate(alternatives, bound, facts)?,
            }
            Ok(text)
        };
        let Some(query) = &hole.query else { return Ok(vec![one(bound)?]) };
        let mut texts = Ok(Vec::new());
        facts.matches(query, bound, &mut |extended| {
            match (&mut texts, one(extended)) {
                (Ok(list), Ok(text)) => list.push(text),
                (_, Err(error)) => texts = Err(error),
                (Err(_), Ok(_)) => {}
            }
            texts.is_ok()
        });
        texts
    }
}

fn evaluate(alternatives: &[Vec<ExprTerm>], bound: &[Binding], facts: &dyn TextFacts) -> Result<String> {
    let object = |name: &str| {
        let found = bound.iter().rev().find(|(known, _, _)| known == name).map(|(_, _, object)| *object);
        found.ok_or_else(|| Error::new(format!("the text grammar uses `{name}`, which is not bound here")))
    };
    let mut text = String::new();
    for terms in alternatives {
        text.clear();
        for term in terms {
            match term {
                ExprTerm::Text(literal) => text.push_str(literal),
                ExprTerm::Name(variable) => text.push_str(facts.name(object(variable)?)),
                ExprTerm::Id(variable) => text.push_str(facts.id(object(variable)?)),
            }
        }
        if !text.is_empty() {
            break;
        }
    }
    Ok(text)
}

/// `pred(v:type, …) & …` as patterns.
fn query(text: &str, domain: &Domain) -> Result<Vec<Pattern>> {
    let mut out = Vec::new();
    for atom in text.split('&').map(str::trim).filter(|atom| !atom.is_empty()) {
        let malformed = || Error::new(format!("cannot read the condition `{atom}`; expected pred(v:type, …)"));
        let (name, args) = atom.strip_suffix(')').and_then(|a| a.split_once('(')).ok_or_else(malformed)?;
        let (negative, pred) = match (domain.predicate(name), name.strip_prefix("not_")) {
            (None, Some(positive)) => (true, domain.predicate(positive)),
            (known, _) => (false, known),
        };
        let mut vars = Vec::new();
        for arg in args.split(',').map(str::trim).filter(|arg| !arg.is_empty()) {
            let (var, kind) = arg.split_once(':').ok_or_else(malformed)?;
            vars.push((var.trim().to_string(), domain.type_named(kind.trim())));
        }
        let pred = pred.filter(|p| domain.arity[usize::from(*p)] == vars.len());
        out.push(Pattern { pred, negative, args: vars });
    }
    Ok(out)
}

fn expression(text: &str) -> Result<What> {
    let text = text.trim();
    if let Some(symbol) = text.strip_prefix('#').and_then(|t| t.strip_suffix('#')) {
        return Ok(What::Symbol(symbol.to_string()));
    }
    let mut alternatives = Vec::new();
    for alternative in text.split(" or ") {
        let mut terms = Vec::new();
        for term in alternative.split(" + ").map(str::trim) {
            let quoted = term.strip_prefix('\'').and_then(|t| t.strip_suffix('\''));
            let (variable, attribute) = term.split_once('.').unwrap_or((term, "name"));
            let plain = !variable.is_empty() && variable.chars().all(|c| c.is_alphanumeric() || c == '_');
            terms.push(match (quoted, attribute) {
                (Some(literal), _) => ExprTerm::Text(literal.to_string()),
                (None, "name") if plain => ExprTerm::Name(variable.to_string()),
                (None, "id") if plain => ExprTerm::Id(variable.to_string()),
                (None, "indefinite") if plain => ExprTerm::Text("a".into()),
                (None, "definite") if plain => ExprTerm::Text("the".into()),
                _ => return Err(Error::new(format!("cannot read the expression `{term}`"))),
            });
        }
        alternatives.push(terms);
    }
    Ok(What::Expr(alternatives))
}

/// Cuts a right-hand side into pieces.
fn pieces(text: &str, domain: &Domain) -> Result<Vec<Piece>> {
    let mut cursor = Cursor::new(text);
    let mut out = Vec::new();
    let hole = |cursor: &mut Cursor<'_>| -> Result<Hole> {
        let body = cursor.until('}')?;
        let (what, given) = body.split_once('|').unwrap_or((body, ""));
        let query = if given.trim().is_empty() { None } else { Some(query(given, domain)?) };
        Ok(Hole { what: expression(what)?, query })
    };
    loop {
        cursor.skip_comment_space();
        if cursor.eat("[") {
            cursor.expect_here("{")?;
            out.push(Piece::List(hole(&mut cursor)?));
            cursor.expect_here("]")?;
        } else if cursor.eat("{") {
            out.push(Piece::Each(hole(&mut cursor)?));
        } else if cursor.eat("#") {
            out.push(Piece::Symbol(cursor.until('#')?.to_string()));
        } else {
            let literal = cursor.take_while(|c| !matches!(c, ';' | '|' | '"' | '<' | '>' | '[' | ']' | '#' | '{' | '}'));
            if literal.is_empty() {
                return Ok(out); // the end, or a character that the original's parser stops at as well
            }
            out.push(Piece::Text(literal.replace("\\n", "\n")));
        }
    }
}
