//! A game file: loading, naming, and everything about it that play never changes.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock};

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

use super::commands::Operators;
use super::facts::{FactSet, Object, arg, pack};
use super::grammar::Grammar;
use super::pddl::{Clause, Domain, MAX_ARITY, Pred, Term, Type};
use super::problem::Problem;
use crate::budget;
use crate::error::{Error, Result};
use crate::paths;

/// Larger files are refused before they are read: real games are about 85 KB.
const MAX_FILE: u64 = 32 << 20;

/// A longer stored plan is refused: it is played whenever the game is opened, and real ones have
/// some ten commands.
const MAX_WALK: usize = 1000;

/// Units of work for reading one: real ones take a few thousand.
const WORK: u64 = 2_000_000;

/// The JSON object of a `game.tw-pddl` file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GameFile {
    /// The domain text.
    pub pddl_domain: String,
    /// The twl2 text grammar.
    pub grammar: String,
    /// The problem text.
    pub pddl_problem: String,
    /// Whether its maker found a plan; some files do not say.
    #[serde(default)]
    pub solvable: Option<bool>,
    /// The stored plan, as commands.
    #[serde(default)]
    pub walkthrough: Vec<String>,
}

/// A loaded game; running worlds share it.
#[derive(Debug)]
pub struct Game {
    /// The domain, shared by all games with the same text.
    pub domain: Arc<Domain>,
    /// The grammar, shared likewise.
    pub grammar: Arc<Grammar>,
    /// Object identifiers by rank.
    pub ids: Vec<String>,
    /// Display names by rank ("mug 1").
    pub names: Vec<String>,
    /// Types by rank.
    pub types: Vec<Type>,
    /// Ranks of the objects of each type.
    pub members: Vec<Vec<Object>>,
    /// Facts of predicates that play never changes.
    pub fixed: FactSet,
    /// The same facts of two-place predicates with their arguments swapped, for look-ups by the
    /// second.
    pub fixed_swapped: FactSet,
    /// Facts at the start that play may change.
    pub start: FactSet,
    /// The goal's disjuncts.
    pub goal: Vec<Clause>,
    /// The domain's constants as objects of this game, where it has them.
    pub constants: Vec<Option<Object>>,
    /// The goal's constants likewise.
    pub goal_constants: Vec<Option<Object>>,
    /// In which order the positive literals of each action's clauses are best matched.
    pub order: Vec<Vec<Vec<usize>>>,
    /// The same for the goal's disjuncts.
    pub goal_order: Vec<Vec<usize>>,
    /// Which predicates a precondition or the goal reads: facts of the others never matter for
    /// play.
    pub matters: Vec<bool>,
    /// Which predicates are read by those, or by some text: facts of the others make no difference
    /// to anything that is ever said.
    pub told: Vec<bool>,
    /// The task sentence, where the grammar states one.
    pub task: Option<String>,
    /// The stored plan.
    pub walkthrough: Vec<String>,
    /// Whether the file says that it can be won, where it says anything.
    pub solvable: Option<bool>,
    spreads: Vec<Spread>,
    /// The answer to anything inadmissible.
    pub(super) nothing_happens: Arc<str>,
    /// Ground operators met so far.
    pub(super) operators: RwLock<Operators>,
    /// Which facts can become true, as far as that was asked.
    pub(super) possible: RwLock<HashMap<u64, bool, FixedState>>,
}

impl Game {
    /// Reads and prepares a game file.
    pub fn load(path: &Path) -> Result<Arc<Self>> {
        let failed = |e: std::io::Error| Error::io("reading the game", path, &e);
        let text = paths::read_whole(path, MAX_FILE).map_err(|e| {
            failed(e).hint("a real game.tw-pddl file is about 85 KB; check the path")
        })?;
        let file: GameFile = serde_json::from_slice(&text).map_err(|e| {
            Error::new(format!("{}: not a game file: {e}", path.display())).hint(
                "expected JSON with pddl_domain, grammar and pddl_problem; fetch or unpack it \
                 again",
            )
        })?;
        Self::new(&file).map_err(|error| error.at(path.display()))
    }

    /// The ground operators that worlds of this game have met.
    pub fn operators(&self) -> std::sync::RwLockReadGuard<'_, Operators> {
        self.operators.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How facts are spread, by predicate.
    pub(super) fn spreads(&self) -> &[Spread] {
        &self.spreads
    }

    /// How many things there are to handle: those of which a fact of the two domains says what kind
    /// they are.
    pub fn things(&self) -> usize {
        let kinds = ["objecttype", "tkindof"].iter().filter_map(|name| self.domain.predicate(name));
        kinds.map(|pred| self.fixed.of(pred, None).len()).sum()
    }

    /// Prepares a game from the parts of its file.
    pub fn new(file: &GameFile) -> Result<Arc<Self>> {
        budget::within(WORK, "reading the game", || Self::prepare(file))
    }

    fn prepare(file: &GameFile) -> Result<Arc<Self>> {
        if file.walkthrough.len() > MAX_WALK {
            return Err(Error::new(format!(
                "walkthrough: {} commands; {MAX_WALK} at most",
                file.walkthrough.len()
            )));
        }
        let (grammar_text, task) = split_task(&file.grammar);
        let (domain, grammar) = shared(&file.pddl_domain, &grammar_text)?;
        let problem = Problem::parse(&file.pddl_problem, &domain)
            .map_err(|error| error.at("pddl_problem"))?;
        let mut kinds: HashMap<&str, Type> = HashMap::new();
        for (name, kind) in &problem.objects {
            kinds.insert(name, *kind);
        }
        let mut ids: Vec<String> = kinds.keys().map(|id| (*id).to_string()).collect();
        ids.sort_unstable();
        if ids.len() > usize::from(Object::MAX) {
            return Err(Error::new(format!(
                "pddl_problem: {} objects is more than an engine holds",
                ids.len()
            )));
        }
        let rank: HashMap<&str, Object> =
            ids.iter().enumerate().map(|(i, id)| (id.as_str(), i as Object)).collect();
        let types: Vec<Type> = ids.iter().map(|id| kinds[id.as_str()]).collect();
        let mut members = vec![Vec::new(); domain.types.len()];
        for (i, kind) in types.iter().enumerate() {
            members[usize::from(*kind)].push(i as Object);
            if *kind != 0 {
                members[0].push(i as Object);
            }
        }
        let mut fixed = Vec::new();
        let mut swapped = Vec::new();
        let mut start = Vec::new();
        let mut used = vec![false; ids.len()];
        for (pred, args) in &problem.init {
            let mut objects = Vec::with_capacity(args.len());
            for arg in args {
                let object = *rank.get(arg.as_str()).ok_or_else(|| {
                    Error::new(format!(
                        "pddl_problem: a fact names `{arg}`, which is not among :objects"
                    ))
                })?;
                used[usize::from(object)] = true;
                objects.push(object);
            }
            if domain.is_static[usize::from(*pred)] {
                fixed.push(pack(*pred, &objects));
                if let [a, b] = objects[..] {
                    swapped.push(pack(*pred, &[b, a]));
                }
            } else {
                start.push(pack(*pred, &objects));
            }
        }
        let names = display_names(&ids, &used);
        let look_up = |names: &[String]| {
            names.iter().map(|name| rank.get(name.as_str()).copied()).collect::<Vec<_>>()
        };
        let constants = look_up(&domain.constants);
        let goal_constants = look_up(&problem.constants);
        let fixed = FactSet::new(fixed);
        let start = FactSet::new(start);
        let arities = domain.arity.iter().enumerate();
        let spreads: Vec<_> =
            arities.map(|(pred, arity)| spread(pred as Pred, *arity, &fixed, &start)).collect();
        let of_clauses = |clauses: &[Clause]| {
            clauses.iter().map(|c| match_order(c, &spreads, None, &|_| None)).collect::<Vec<_>>()
        };
        let order = domain.actions.iter().map(|action| of_clauses(&action.clauses)).collect();
        let goal_order = of_clauses(&problem.goal);
        let matters = read_predicates(&domain, &problem.goal);
        let told = matters.iter().zip(&grammar.reads).map(|(read, said)| *read || *said).collect();
        Ok(Arc::new(Self {
            names,
            types,
            members,
            fixed,
            fixed_swapped: FactSet::new(swapped),
            start,
            goal: problem.goal,
            constants,
            goal_constants,
            order,
            goal_order,
            matters,
            told,
            task,
            walkthrough: file.walkthrough.clone(),
            solvable: file.solvable,
            spreads,
            nothing_happens: "Nothing happens.".into(),
            operators: RwLock::default(),
            possible: RwLock::default(),
            ids,
            domain,
            grammar,
        }))
    }
}

type Parsed = (Arc<Domain>, Arc<Grammar>);

/// The two texts and what they parsed to, by a hash of the texts.
type ParsedTexts = HashMap<u64, (String, String, Parsed)>;

/// Texts that are kept: a suite has one or two.
const CACHED: usize = 64;

/// Domains and grammars by content: thousands of games embed the same two texts.
fn shared(domain: &str, grammar: &str) -> Result<Parsed> {
    static CACHE: LazyLock<Mutex<ParsedTexts>> = LazyLock::new(Mutex::default);
    let mut hasher = DefaultHasher::new();
    (domain, grammar).hash(&mut hasher);
    let key = hasher.finish();
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((known_domain, known_grammar, parsed)) = cache.get(&key)
        && known_domain == domain
        && known_grammar == grammar
    {
        return Ok(parsed.clone());
    }
    let parsed_domain = Domain::parse(domain).map_err(|error| error.at("pddl_domain"))?;
    let parsed_grammar =
        Grammar::parse(grammar, &parsed_domain).map_err(|error| error.at("grammar"))?;
    let parsed = (Arc::new(parsed_domain), Arc::new(parsed_grammar));
    if cache.len() >= CACHED {
        cache.clear(); // games that all differ have no use for it
    }
    cache.insert(key, (domain.to_string(), grammar.to_string(), parsed.clone()));
    Ok(parsed)
}

/// Takes the task sentence out of a grammar, so that games share the rest and the sentence stays
/// plain text (a `{` or `#` in a person's wording would otherwise break the rule syntax).
fn split_task(grammar: &str) -> (String, Option<String>) {
    let whole = || (grammar.to_string(), None);
    let mut found = grammar.match_indices("\"task\"");
    let (Some((at, key)), None) = (found.next(), found.next()) else { return whole() };
    let mut rest = &grammar[at + key.len()..];
    for expected in [":", "[", "{", "\"rhs\"", ":"] {
        match rest.trim_start().strip_prefix(expected) {
            Some(after) => rest = after,
            None => return whole(),
        }
    }
    let literal = rest.trim_start();
    let mut parsed = serde_json::Deserializer::from_str(literal).into_iter::<String>();
    let Some(Ok(task)) = parsed.next() else { return whole() };
    let start = grammar.len() - literal.len();
    (format!("{}\"\"{}", &grammar[..start], &grammar[start + parsed.byte_offset()..]), Some(task))
}

/// Class and number of every identifier that a starting fact mentions. Numbers are handed out from
/// the class's count downwards in identifier order, as the original does; identifiers without
/// `_bar_` keep their own name.
fn display_names(ids: &[String], used: &[bool]) -> Vec<String> {
    let class = |id: &str| {
        let base = id.split("_bar_").next().unwrap_or_default();
        if id.contains("basin") { format!("{base}basin") } else { base.to_string() }
    };
    let mut left: HashMap<String, usize> = HashMap::new();
    let numbered = |id: &str, used: bool| used && id.contains("_bar_");
    for (id, used) in ids.iter().zip(used) {
        if numbered(id, *used) {
            *left.entry(class(id)).or_default() += 1;
        }
    }
    let mut names = Vec::with_capacity(ids.len());
    for (id, used) in ids.iter().zip(used) {
        names.push(match left.get_mut(&class(id)) {
            Some(count) if numbered(id, *used) => {
                *count -= 1;
                format!("{} {}", class(id), *count + 1)
            }
            _ => format!("{id} "),
        });
    }
    names
}

/// How many facts a predicate has at the start, and how many different objects stand at each of its
/// places.
pub(super) type Spread = (usize, [usize; MAX_ARITY]);

fn spread(pred: Pred, arity: usize, fixed: &FactSet, start: &FactSet) -> Spread {
    let facts = || fixed.of(pred, None).iter().chain(start.of(pred, None));
    let mut distinct = [1; MAX_ARITY];
    for (i, slot) in distinct.iter_mut().enumerate().take(arity) {
        let mut objects: Vec<Object> = facts().map(|fact| arg(*fact, i)).collect();
        objects.sort_unstable();
        objects.dedup();
        *slot = objects.len().max(1);
    }
    (facts().count().max(1), distinct)
}

/// Greedy join order: next the literal that is expected to have the fewest matches, given what is
/// bound by then.
///
/// A `given` literal is matched already. `count` may replace the number of facts of a predicate by
/// a better guess.
pub(super) fn match_order(
    clause: &Clause,
    spreads: &[Spread],
    given: Option<usize>,
    count: &dyn Fn(Pred) -> Option<usize>,
) -> Vec<usize> {
    let mut bound = vec![false; clause.types.len()];
    let bind = |literal: usize, bound: &mut Vec<bool>| {
        for term in &clause.literals[literal].atom.args {
            if let Term::Var(v) = term {
                bound[usize::from(*v)] = true;
            }
        }
    };
    if let Some(literal) = given {
        bind(literal, &mut bound);
    }
    let wanted = |i: &usize| !clause.literals[*i].negated && Some(*i) != given;
    let mut left: Vec<usize> = (0..clause.literals.len()).filter(wanted).collect();
    let mut order = Vec::new();
    while !left.is_empty() && budget::spend(left.len() as u64) {
        let expected = |i: usize| {
            let atom = &clause.literals[i].atom;
            let (facts, distinct) = &spreads[usize::from(atom.pred)];
            let free = |term: &Term| matches!(term, Term::Var(v) if !bound[usize::from(*v)]);
            if !atom.args.iter().any(free) {
                return 0.0; // only a check
            }
            if atom.pred == 0 {
                return f64::MAX; // equality with something unbound goes through all objects
            }
            let known = atom.args.iter().zip(distinct).filter(|(term, _)| !free(term));
            count(atom.pred).unwrap_or(*facts) as f64
                / known.map(|(_, distinct)| *distinct as f64).product::<f64>()
        };
        let at = (0..left.len())
            .min_by(|a, b| expected(left[*a]).total_cmp(&expected(left[*b])))
            .unwrap_or_default();
        let next = left.remove(at);
        bind(next, &mut bound);
        order.push(next);
    }
    order
}

fn read_predicates(domain: &Domain, goal: &[Clause]) -> Vec<bool> {
    let mut reads = vec![false; domain.predicates.len()];
    let actions = domain.actions.iter();
    let conditions = actions
        .clone()
        .flat_map(|action| &action.clauses)
        .chain(goal)
        .flat_map(|clause| &clause.literals);
    let when = actions.flat_map(|action| &action.effects).flat_map(|effect| &effect.when);
    for literal in conditions.chain(when) {
        reads[usize::from(literal.atom.pred)] = true;
    }
    reads
}

#[cfg(test)]
#[path = "game_tests.rs"]
mod tests;
