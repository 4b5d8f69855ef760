//! twl2, the text grammar of TextWorld's PDDL games: which sentence each action is typed as, and
//! what it answers.
//!
//! A file is a sequence of `grammar :: """JSON""";` blocks and `action NAME { template :: "…";
//! feedback :: "…"; }` blocks. A right-hand side mixes literal text, `#symbol#` references,
//! `{expression}` and `{expression | query}` holes, and `[{expression | query}]` lists. Only the
//! expressions that real games use are read; the rest is refused with the rule that holds it.

use std::collections::HashMap;

use super::cursor::Cursor;
use super::pddl::{Domain, MAX_ARITY, Pred, READING, Type};
use crate::budget::{within, work};
use crate::error::{Error, Result};

/// A condition of more atoms than this is refused: real ones have five.
const MAX_ATOMS: usize = 32;

/// A variable's name, as an index into a grammar's table.
pub type Name = u16;
/// A rule's name likewise.
pub type Symbol = u16;

/// The symbol a game starts with.
pub const INTRO: Symbol = 0;
/// The task sentence, which is kept outside the grammar.
pub const TASK: Symbol = 1;
/// What stands for a list without items.
pub const LIST_EMPTY: Symbol = 2;
/// What stands between two items.
pub const LIST_SEPARATOR: Symbol = 3;
/// What stands before the last item.
pub const LIST_LAST_SEPARATOR: Symbol = 4;
const WELL_KNOWN: [&str; 5] =
    ["intro", "task", "list_empty", "list_separator", "list_last_separator"];

/// A piece of a right-hand side.
#[derive(Debug)]
pub enum Piece {
    /// Text as it stands.
    Text(Box<str>),
    /// A reference to another symbol (arguments are part of its name).
    Symbol(Symbol),
    /// One text for each match of a query, run together.
    Each(Hole),
    /// One text for each match of a query, joined as a list.
    List(Hole),
}

/// `{what | query}`.
#[derive(Debug)]
pub struct Hole {
    /// What each match is told as.
    pub what: What,
    /// The matches; without a query there is one, what is bound already.
    pub query: Option<Vec<Pattern>>,
}

/// The inside of a hole.
#[derive(Debug)]
pub enum What {
    /// Another symbol.
    Symbol(Symbol),
    /// Alternatives joined by `or`; each is a sum of terms, and the first that is not empty is
    /// taken.
    Expr(Vec<Vec<ExprTerm>>),
}

/// A term of an expression.
#[derive(Debug)]
pub enum ExprTerm {
    /// Text as it stands.
    Text(Box<str>),
    /// The display name of a variable's object.
    Name(Name),
    /// Its identifier.
    Id(Name),
}

/// One atom of a query over the text facts.
#[derive(Debug)]
pub struct Pattern {
    /// The predicate, or none when the domain has no such predicate (then nothing ever matches).
    pub pred: Option<Pred>,
    /// Whether the pattern asks for an explicit `not_…` fact (not for the absence of one).
    pub negative: bool,
    /// Variable name and type of each argument; an unknown type has no members.
    pub args: Vec<(Name, Option<Type>)>,
}

/// A rule of a symbol: an optional condition and the text.
#[derive(Debug)]
pub struct Rule {
    /// The condition; empty means always.
    pub condition: Vec<Pattern>,
    /// The text.
    pub rhs: Vec<Piece>,
}

/// What an action is typed as, and what it answers.
#[derive(Debug, Default)]
pub struct ActionText {
    /// The action's parameters as variables.
    pub params: Vec<(Name, Type)>,
    /// The command.
    pub template: Vec<Piece>,
    /// The answer.
    pub feedback: Vec<Piece>,
}

/// A parsed grammar, resolved against one domain.
#[derive(Debug, Default)]
pub struct Grammar {
    pub(super) rules: Vec<Option<Vec<Rule>>>,
    pub(super) symbols: Vec<String>,
    pub(super) names: Vec<String>,
    /// By index of the domain's actions; an action without texts is not a command.
    actions: Vec<Option<ActionText>>,
    /// By index of the domain's predicates: whether some text depends on its facts.
    pub(super) reads: Vec<bool>,
}

impl Grammar {
    /// Reads a twl2 text for `domain`.
    pub fn parse(text: &str, domain: &Domain) -> Result<Self> {
        within(READING, "reading the grammar", || Self::read(text, domain))
    }

    fn read(text: &str, domain: &Domain) -> Result<Self> {
        let mut reader = Reader {
            domain,
            names: Table::default(),
            symbols: Table::default(),
            rules: Vec::new(),
            reads: vec![false; domain.predicates.len()],
        };
        for symbol in WELL_KNOWN {
            reader.symbols.id(symbol)?;
        }
        let mut actions: Vec<Option<ActionText>> = domain.actions.iter().map(|_| None).collect();
        let mut cursor = Cursor::new(text);
        loop {
            cursor.skip_space();
            if cursor.rest().is_empty() {
                break;
            }
            if cursor.word("grammar") {
                cursor.expect("::")?;
                let json = cursor.triple_quoted()?;
                cursor.expect(";")?;
                reader.add(json).map_err(|error| error.at(cursor.line()))?;
            } else if cursor.word("action") {
                cursor.skip_space();
                let name = cursor
                    .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '/' | '-'))
                    .to_lowercase();
                cursor.expect("{")?;
                let mut text = reader.action(&mut cursor, &name)?;
                work(1 + domain.actions.len() as u64 / 16)?;
                let known = domain.actions.iter().position(|action| action.name == name);
                if let Some(at) = known {
                    let action = &domain.actions[at];
                    for (param, kind) in action.params.iter().zip(&action.types) {
                        text.params.push((reader.names.id(param)?, *kind));
                    }
                    actions[at] = Some(text);
                }
            } else {
                return Err(cursor.bad("expected `grammar ::` or `action NAME {`"));
            }
        }
        let names = reader.names.list;
        let symbols = reader.symbols.list;
        let reads = reader.reads;
        let mut rules: Vec<Option<Vec<Rule>>> = symbols.iter().map(|_| None).collect();
        for (symbol, found) in reader.rules {
            rules[usize::from(symbol)] = Some(found); // a later duplicate replaces the earlier one
        }
        Ok(Self { rules, symbols, names, actions, reads })
    }

    /// The texts of the domain's action at that index.
    pub fn of_action(&self, action: usize) -> Option<&ActionText> {
        self.actions.get(action)?.as_ref()
    }

    /// Whether deriving `pieces` may look at a predicate that play can change.
    pub fn reads_fluents(&self, pieces: &[Piece], domain: &Domain) -> bool {
        let fluent = |query: &[Pattern]| {
            query.iter().any(|p| p.pred.is_none_or(|p| !domain.is_static[usize::from(p)]))
        };
        pieces.iter().any(|piece| match piece {
            Piece::Text(_) => false,
            // Followed no further: a template with symbols is simply not cached.
            Piece::Symbol(_) => true,
            Piece::Each(hole) | Piece::List(hole) => {
                matches!(hole.what, What::Symbol(_)) || hole.query.as_deref().is_some_and(fluent)
            }
        })
    }
}

/// Strings by index.
#[derive(Debug, Default)]
struct Table {
    list: Vec<String>,
    ids: HashMap<String, u16>,
}

impl Table {
    fn id(&mut self, text: &str) -> Result<u16> {
        if let Some(id) = self.ids.get(text) {
            return Ok(*id);
        }
        let id = u16::try_from(self.list.len())
            .map_err(|_| Error::new("a text grammar with more than 65,535 names"))?;
        self.list.push(text.to_string());
        self.ids.insert(text.to_string(), id);
        Ok(id)
    }
}

/// Reads right-hand sides and conditions against growing tables of names.
struct Reader<'a> {
    domain: &'a Domain,
    names: Table,
    symbols: Table,
    rules: Vec<(Symbol, Vec<Rule>)>,
    /// See [`Grammar::reads`].
    reads: Vec<bool>,
}

impl Reader<'_> {
    fn action(&mut self, cursor: &mut Cursor<'_>, name: &str) -> Result<ActionText> {
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
                    let pieces = self
                        .pieces(body)
                        .map_err(|error| error.at(format_args!("{key} of action {name}")))?;
                    *(if key == "template" {
                        &mut action.template
                    } else {
                        &mut action.feedback
                    }) = pieces;
                }
                "grammar" => {
                    let json = cursor.triple_quoted()?;
                    self.add(json).map_err(|error| error.at(format_args!("action {name}")))?;
                }
                "pddl" => _ = cursor.triple_quoted()?,
                _ => return Err(cursor.bad(&format!("unknown part `{key}` of action `{name}`"))),
            }
            cursor.expect(";")?;
        }
    }

    fn add(&mut self, json: &str) -> Result<()> {
        let kept: Vec<&str> =
            json.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        let parsed: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&kept.join("\n"))
                .map_err(|e| Error::new(format!("grammar block: {e}")))?;
        for (symbol, rules) in parsed {
            let place = format!("rule `{symbol}`");
            let rules = rules
                .as_array()
                .ok_or_else(|| Error::new("expected a list of rules").at(&place))?;
            let mut out = Vec::new();
            for rule in rules {
                let rhs = rule["rhs"]
                    .as_str()
                    .ok_or_else(|| Error::new("a rule without `rhs`").at(&place))?;
                let condition = rule["condition"].as_str().unwrap_or_default();
                out.push(Rule {
                    condition: self.query(condition).map_err(|error| error.at(&place))?,
                    rhs: self.pieces(rhs).map_err(|error| error.at(&place))?,
                });
            }
            let symbol = self.symbols.id(&symbol)?;
            self.rules.push((symbol, out));
        }
        Ok(())
    }

    /// `pred(v:type, …) & …` as patterns.
    fn query(&mut self, text: &str) -> Result<Vec<Pattern>> {
        let mut out = Vec::new();
        for atom in text.split('&').map(str::trim).filter(|atom| !atom.is_empty()) {
            if out.len() == MAX_ATOMS {
                return Err(Error::new(format!("a condition of more than {MAX_ATOMS} atoms")));
            }
            work(1 + (self.domain.predicates.len() + 3 * self.domain.types.len()) as u64 / 16)?;
            let malformed = || {
                Error::new(format!("cannot read the condition `{atom}`; expected pred(v:type, …)"))
            };
            let (name, args) =
                atom.strip_suffix(')').and_then(|a| a.split_once('(')).ok_or_else(malformed)?;
            let (negative, pred) = match (self.domain.predicate(name), name.strip_prefix("not_")) {
                (None, Some(positive)) => (true, self.domain.predicate(positive)),
                (known, _) => (false, known),
            };
            let mut vars = Vec::new();
            for arg in args.split(',').map(str::trim).filter(|arg| !arg.is_empty()) {
                let (var, kind) = arg.split_once(':').ok_or_else(malformed)?;
                vars.push((self.names.id(var.trim())?, self.domain.type_named(kind.trim())));
            }
            if vars.len() > MAX_ARITY {
                return Err(Error::new(format!("`{atom}` has more than {MAX_ARITY} arguments")));
            }
            let pred = pred.filter(|p| self.domain.arity[usize::from(*p)] == vars.len());
            if let Some(pred) = pred {
                self.reads[usize::from(pred)] = true;
            }
            out.push(Pattern { pred, negative, args: vars });
        }
        Ok(out)
    }

    fn expression(&mut self, text: &str) -> Result<What> {
        let text = text.trim();
        if let Some(symbol) = text.strip_prefix('#').and_then(|t| t.strip_suffix('#')) {
            return Ok(What::Symbol(self.symbols.id(symbol)?));
        }
        let mut alternatives = Vec::new();
        for alternative in text.split(" or ") {
            let mut terms = Vec::new();
            for term in alternative.split(" + ").map(str::trim) {
                let quoted = term.strip_prefix('\'').and_then(|t| t.strip_suffix('\''));
                let (variable, attribute) = term.split_once('.').unwrap_or((term, "name"));
                let plain = !variable.is_empty()
                    && variable.chars().all(|c| c.is_alphanumeric() || c == '_');
                terms.push(match (quoted, attribute) {
                    (Some(literal), _) => ExprTerm::Text(literal.into()),
                    (None, "name") if plain => ExprTerm::Name(self.names.id(variable)?),
                    (None, "id") if plain => ExprTerm::Id(self.names.id(variable)?),
                    (None, "indefinite") if plain => ExprTerm::Text("a".into()),
                    (None, "definite") if plain => ExprTerm::Text("the".into()),
                    _ => return Err(Error::new(format!("cannot read the expression `{term}`"))),
                });
            }
            alternatives.push(terms);
        }
        Ok(What::Expr(alternatives))
    }

    fn hole(&mut self, cursor: &mut Cursor<'_>) -> Result<Hole> {
        let body = cursor.until('}')?;
        let (what, given) = body.split_once('|').unwrap_or((body, ""));
        let query = if given.trim().is_empty() { None } else { Some(self.query(given)?) };
        Ok(Hole { what: self.expression(what)?, query })
    }

    /// Cuts a right-hand side into pieces.
    fn pieces(&mut self, text: &str) -> Result<Vec<Piece>> {
        let mut cursor = Cursor::new(text);
        let mut out = Vec::new();
        loop {
            cursor.skip_comment_space();
            if cursor.eat("[") {
                cursor.expect_here("{")?;
                out.push(Piece::List(self.hole(&mut cursor)?));
                cursor.expect_here("]")?;
            } else if cursor.eat("{") {
                out.push(Piece::Each(self.hole(&mut cursor)?));
            } else if cursor.eat("#") {
                out.push(Piece::Symbol(self.symbols.id(cursor.until('#')?)?));
            } else {
                let literal = cursor.take_while(|c| {
                    !matches!(c, ';' | '|' | '"' | '<' | '>' | '[' | ']' | '#' | '{' | '}')
                });
                if literal.is_empty() {
                    // The end, or a character that the original's parser stops at as well.
                    return Ok(out);
                }
                out.push(Piece::Text(literal.replace("\\n", "\n").into()));
            }
        }
    }
}
