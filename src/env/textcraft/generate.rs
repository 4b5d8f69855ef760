//! Books of our own: what is made of what is drawn anew for every task, so that nothing can be known
//! beforehand and everything has to be read.

use super::book::{Book, Needs, Recipe, own};
use crate::rng::Rng;

/// What is found.
const FOUND: [&str; 24] = [
    "ash bark",
    "bone",
    "cedar sap",
    "chalk",
    "clay",
    "copper ore",
    "cotton",
    "feather",
    "flint",
    "glass sand",
    "hemp",
    "hide",
    "indigo leaf",
    "iron ore",
    "moss",
    "oil seed",
    "pine tar",
    "reed",
    "salt",
    "shell",
    "spring water",
    "tin ore",
    "wax",
    "wool",
];

/// What is made: a stuff and a form.
const STUFFS: [&str; 12] = [
    "amber", "bright", "coarse", "dark", "fine", "heavy", "light", "pale", "plain", "red",
    "strong", "woven",
];
const FORMS: [&str; 16] = [
    "band", "board", "brick", "chain", "cloth", "cord", "frame", "hook", "lamp", "paste", "pipe",
    "plate", "pot", "rod", "screw", "wheel",
];

/// Recipes beside those that are needed.
const DISTRACTORS: usize = 8;

/// A task: its book, and what is to be made.
pub struct Made {
    /// The recipes, in the order in which they are told.
    pub told: Vec<Recipe>,
    /// All of them.
    pub book: Book,
    /// What is to be made.
    pub goal: String,
}

struct Names {
    rng: Rng,
    left: Vec<String>,
}

impl Names {
    fn new(mut rng: Rng) -> Self {
        let mut left: Vec<String> = STUFFS
            .iter()
            .flat_map(|stuff| FORMS.map(|form| own(&format!("{stuff} {form}"))))
            .collect();
        rng.shuffle(&mut left);
        Self { rng, left }
    }

    fn made(&mut self) -> String {
        self.left.pop().unwrap_or_default()
    }

    fn found(&mut self) -> String {
        own(FOUND[self.rng.below(FOUND.len())])
    }
}

/// Draws a task whose goal is so many recipes deep.
pub fn task(seed: u64, name: &str, depth: usize) -> Made {
    let mut names = Names::new(Rng::stream(seed, name));
    let mut book = Book::default();
    let mut told = Vec::new();
    let goal = names.made();
    make(&goal, depth, &mut names, &mut book, &mut told);
    // Others take the same things and make what nobody needs.
    let there: Vec<String> = book.things.iter().filter(|thing| **thing != goal).cloned().collect();
    for _ in 0..DISTRACTORS {
        let first = there[names.rng.below(there.len())].clone();
        let mut takes = vec![(Needs::Thing(first), 1 + names.rng.below(4) as u64)];
        if names.rng.below(2) == 0 {
            let other = names.found();
            if takes.iter().all(|(needs, _)| needs.name() != other) && !book.is_made(&other) {
                takes.push((Needs::Thing(other), 1 + names.rng.below(3) as u64));
            }
        }
        let recipe = Recipe { takes, makes: names.made(), count: 1 };
        book.add(recipe.clone(), None);
        told.push(recipe);
    }
    names.rng.shuffle(&mut told);
    Made { told, book, goal }
}

/// Adds the recipe of a thing at that depth, and of what it takes.
fn make(thing: &str, depth: usize, names: &mut Names, book: &mut Book, told: &mut Vec<Recipe>) {
    let several = 1 + names.rng.below(3);
    let mut takes: Vec<(Needs, u64)> = Vec::new();
    for n in 0..several {
        // One of what it takes is as deep as it can be; the others are found, or nearer.
        let below = if n == 0 { depth - 1 } else { names.rng.below(depth.min(2)) };
        let name = if below == 0 {
            names.found()
        } else {
            let name = names.made();
            make(&name, below, names, book, told);
            name
        };
        if takes.iter().all(|(needs, _)| needs.name() != name) {
            takes.push((Needs::Thing(name), 1 + names.rng.below(3) as u64));
        }
    }
    let count = [1, 1, 1, 2, 4][names.rng.below(5)];
    let recipe = Recipe { takes, makes: thing.to_string(), count };
    book.add(recipe.clone(), None);
    told.push(recipe);
}
