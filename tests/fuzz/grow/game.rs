//! Games: domains, problems and text grammars together, and what is accepted is played.

use std::sync::LazyLock;

use foretaste::control::Cancel;
use foretaste::env::Environment;
use foretaste::env::household::{Difficulty, generate};
use foretaste::env::tw_pddl::game::{Game, GameFile};
use foretaste::env::tw_pddl::grammar::Grammar;
use foretaste::env::tw_pddl::pddl::Domain;
use foretaste::env::tw_pddl::problem::Problem;
use foretaste::env::tw_pddl::{TwPddl, experts};

use super::choices::Choices;
use super::grammar::grammar as rules;
use super::pddl::{PLAIN, Words};

/// Games of the household, whose words all experts know.
static KNOWN: LazyLock<Vec<GameFile>> = LazyLock::new(|| {
    (0..8).filter_map(|i| Some(generate("train", i, &Difficulty::default()).ok()?.file)).collect()
});

fn bytes(file: &GameFile) -> Vec<u8> {
    serde_json::to_vec(file).unwrap_or_default()
}

fn file(pddl_domain: String, grammar: String, pddl_problem: String) -> GameFile {
    GameFile { pddl_domain, grammar, pddl_problem, solvable: None, walkthrough: Vec::new() }
}

/// A domain alone.
pub fn domain(c: &mut Choices<'_>) -> Vec<u8> {
    Words::new(c).domain(c).into_bytes()
}

/// Reads a domain.
pub fn feed_domain(bytes: &[u8]) -> bool {
    Domain::parse(&String::from_utf8_lossy(bytes)).is_ok()
}

/// A small domain whose words a problem or a grammar can use.
fn small(c: &mut Choices<'_>) -> (Words, String) {
    (Words::plain(c), PLAIN.into())
}

/// A problem of a small domain.
pub fn problem(c: &mut Choices<'_>) -> Vec<u8> {
    let (mut words, text) = small(c);
    let problem = words.problem(c);
    bytes(&file(text, String::new(), problem))
}

/// A game file, or one with the text as a part of it.
fn parts(bytes: &[u8], put: impl Fn(&mut GameFile, String)) -> GameFile {
    serde_json::from_slice(bytes).unwrap_or_else(|_| {
        let mut file = KNOWN[0].clone();
        put(&mut file, String::from_utf8_lossy(bytes).into_owned());
        file
    })
}

/// Reads a problem.
pub fn feed_problem(bytes: &[u8]) -> bool {
    let file = parts(bytes, |file, text| file.pddl_problem = text);
    Domain::parse(&file.pddl_domain)
        .is_ok_and(|domain| Problem::parse(&file.pddl_problem, &domain).is_ok())
}

/// A grammar of a small domain.
pub fn grammar(c: &mut Choices<'_>) -> Vec<u8> {
    let (words, text) = small(c);
    let rules = rules(c, &words);
    bytes(&file(text, rules, String::new()))
}

/// Reads a grammar.
pub fn feed_grammar(bytes: &[u8]) -> bool {
    let file = parts(bytes, |file, text| file.grammar = text);
    Domain::parse(&file.pddl_domain)
        .is_ok_and(|domain| Grammar::parse(&file.grammar, &domain).is_ok())
}

/// A whole game.
pub fn game(c: &mut Choices<'_>) -> Vec<u8> {
    let mut file = match c.below(4) {
        0 => known(c),
        1 => {
            let mut words = Words::new(c);
            let text = words.domain(c);
            let rules = rules(c, &words);
            file(text, rules, words.problem(c))
        }
        _ => {
            let (mut words, text) = small(c);
            let rules = rules(c, &words);
            file(text, rules, words.problem(c))
        }
    };
    if c.chance(20) {
        file.walkthrough = (0..c.many(2000)).map(|_| c.text()).collect();
    }
    bytes(&file)
}

/// A game of the household with more things in it, or another goal.
fn known(c: &mut Choices<'_>) -> GameFile {
    let mut file = KNOWN[c.below(KNOWN.len())].clone();
    let Ok(domain) = Domain::parse(&file.pddl_domain) else { return file };
    let Ok(problem) = Problem::parse(&file.pddl_problem, &domain) else { return file };
    let mut names: Vec<String> = problem.objects.iter().map(|(name, _)| name.clone()).collect();
    let mut more = String::new();
    for i in 0..c.many(500) {
        let kind = &domain.types[c.below(domain.types.len())];
        more.push_str(&format!(" n{i}_bar_{i} - {kind}"));
        names.push(format!("n{i}_bar_{i}"));
    }
    let words = Words::of(&domain, names);
    let facts = if c.chance(50) { words.facts(c) } else { String::new() };
    let text =
        file.pddl_problem.to_lowercase().replacen("(:objects", &format!("(:objects{more}"), 1);
    file.pddl_problem = text.replacen("(:init", &format!("(:init {facts}"), 1);
    if let Some(at) = file.pddl_problem.find("(:goal").filter(|_| c.chance(50)) {
        file.pddl_problem.truncate(at);
        file.pddl_problem.push_str(&format!("(:goal {}))", words.formula(c, &[], 58)));
    }
    file
}

/// Opens a game and plays a few steps; an expert is asked twice.
pub fn feed_game(bytes: &[u8]) -> bool {
    let Ok(file) = serde_json::from_slice::<GameFile>(bytes) else { return false };
    let Ok(game) = Game::new(&file) else { return false };
    let Ok(mut env) = TwPddl::new(&game) else { return false };
    let experts = experts(&game);
    for step in 0..4 {
        if let (Ok(experts), true) = (&experts, step % 2 == 0) {
            _ = experts.advise(None, &env, &Cancel::default());
        }
        let Some(menu) = env.turn().actions.listed.clone().filter(|menu| !menu.is_empty()) else {
            break;
        };
        if env.step(&menu[step * 7 % menu.len()]).is_err() {
            break;
        }
    }
    true
}
