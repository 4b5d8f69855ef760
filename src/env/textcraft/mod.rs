//! `TextCraft` (Prasad et al. 2023), natively: things are found and crafted by recipes until the wanted
//! one is made. The rules and answers are the original's to the letter (`tests/textcraft.rs`); the
//! books are our own, drawn anew for every task, or a folder's in the public layout (`recipes/*.json`).
//!
//! Splits of our own books: `train` and `seen` are two and three recipes deep, `deep` four and five.

pub mod book;
mod experts;
mod generate;
pub mod rules;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use self::book::{Book, Needs, Recipe, plain};
use self::rules::Held;
use super::{
    Actions, Environment, Experts, Opened, STEP_LIMIT, Suite, TaskRef, Turn, unknown_task,
};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// What the suite is called.
pub const NAME: &str = "textcraft";

/// Splits of our own books: how many tasks, and how deep their goals lie.
const SPLITS: [(&str, usize, usize); 3] = [("train", 4000, 2), ("seen", 200, 2), ("deep", 200, 4)];

/// The seed of our own books.
const SEED: u64 = 23;

/// Recipes that are told beside those that are needed.
const DISTRACTORS: usize = 10;

/// A task: what is to be made, of what book, and what is told of it.
pub struct Game {
    /// The recipes.
    pub book: Book,
    /// Those that are told, in their order.
    pub told: Vec<Recipe>,
    /// What is to be made.
    pub goal: String,
    task: Arc<str>,
    depths: OnceLock<BTreeMap<String, usize>>,
}

impl Game {
    fn new(book: Book, told: Vec<Recipe>, goal: String) -> Self {
        let task = format!("craft {}.", plain(&goal)).into();
        Self { book, told, goal, task, depths: OnceLock::new() }
    }

    /// How deep everything lies that can be made.
    pub fn depths(&self) -> &BTreeMap<String, usize> {
        self.depths.get_or_init(|| self.book.depths())
    }

    /// What is told at the beginning.
    fn opening(&self) -> String {
        let told: Vec<String> = self.told.iter().map(Recipe::written).collect();
        format!("Crafting commands:\n{}\n\nGoal: craft {}.", told.join("\n"), plain(&self.goal))
    }
}

/// The suite.
#[derive(Default)]
pub struct TextCraft {
    /// A folder's book, with what can be made of it from the deepest.
    book: Option<(Book, Vec<(String, usize)>)>,
}

impl TextCraft {
    /// With a folder's recipes, or books of our own.
    pub fn open(data: Option<&Path>) -> Result<Self> {
        let Some(folder) = data else { return Ok(Self::default()) };
        let book = Book::read(folder)?;
        let mut goals: Vec<(String, usize)> =
            book.depths().into_iter().filter(|(_, depth)| *depth >= 2).collect();
        goals.sort_by_key(|(_, depth)| std::cmp::Reverse(*depth));
        if goals.is_empty() {
            return Err(Error::new(format!(
                "{}: nothing there takes two recipes to be made",
                folder.display()
            ))
            .hint("--data names a folder with recipes/*.json in the public layout"));
        }
        Ok(Self { book: Some((book, goals)) })
    }

    fn depth(split: &str, index: usize) -> Option<usize> {
        let (_, count, least) = SPLITS.iter().find(|(name, ..)| *name == split)?;
        (index < *count).then_some(least + index % 2)
    }

    fn game(&self, split: &str, index: usize) -> Option<Game> {
        let Some((book, goals)) = &self.book else {
            let depth = Self::depth(split, index)?;
            let generate::Made { told, book, goal } =
                generate::task(SEED, &format!("{split} {index}"), depth);
            return Some(Game::new(book, told, goal));
        };
        let (goal, _) = goals.get(index).filter(|_| split == "all")?;
        let mut rng = Rng::stream(SEED, goal);
        let told = told(book, goal, &mut rng);
        Some(Game::new(book.clone(), told, goal.clone()))
    }
}

/// The recipes that are needed for something, and some that take the same things.
fn told(book: &Book, goal: &str, rng: &mut Rng) -> Vec<Recipe> {
    let mut needed: Vec<Recipe> = Vec::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut open = vec![goal.to_string()];
    while let Some(name) = open.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        for recipe in book.recipes.get(&name).into_iter().flatten() {
            for (needs, _) in &recipe.takes {
                open.extend(book.fitting(needs).into_iter().map(str::to_string));
            }
            needed.push(recipe.clone());
        }
    }
    let takes_such = |recipe: &&Recipe| {
        let such = |needs: &Needs| seen.contains(needs.name());
        recipe.takes.iter().any(|(needs, _)| such(needs)) && !needed.contains(recipe)
    };
    let mut others: Vec<Recipe> =
        book.recipes.values().flatten().filter(takes_such).cloned().collect();
    rng.shuffle(&mut others);
    others.truncate(DISTRACTORS);
    needed.extend(others);
    rng.shuffle(&mut needed);
    needed
}

impl Suite for TextCraft {
    fn name(&self) -> &'static str {
        NAME
    }

    fn splits(&self) -> Vec<String> {
        match self.book {
            Some(_) => vec!["all".into()],
            None => SPLITS.iter().map(|(name, ..)| (*name).to_string()).collect(),
        }
    }

    fn tasks(&self, split: &str) -> Result<Vec<TaskRef>> {
        let unknown = || {
            Error::usage(format!("textcraft has no split `{split}` here"))
                .hint(format!("splits: {}", self.splits().join(", ")))
        };
        let task = |index: usize, depth: usize| TaskRef {
            id: format!("{split}/{index}"),
            kind: format!("depth-{depth}"),
        };
        if let Some((_, goals)) = &self.book {
            let all = goals.iter().enumerate().map(|(index, (_, depth))| task(index, *depth));
            return if split == "all" { Ok(all.collect()) } else { Err(unknown()) };
        }
        let (_, count, least) =
            SPLITS.iter().find(|(name, ..)| *name == split).ok_or_else(unknown)?;
        Ok((0..*count).map(|index| task(index, least + index % 2)).collect())
    }

    fn open(&self, id: &str) -> Result<Opened> {
        let unknown = || unknown_task(NAME, id);
        let (split, index) = id.split_once('/').ok_or_else(unknown)?;
        let index: usize = index.parse().map_err(|_| unknown())?;
        let game = self.game(split, index).ok_or_else(unknown)?;
        let depth = game.depths().get(&game.goal).copied().unwrap_or_default();
        let task = TaskRef { id: id.to_string(), kind: format!("depth-{depth}") };
        let experts = Experts::new(vec![Box::new(experts::Fair), Box::new(experts::Knowing)]);
        Ok(Opened {
            env: Box::new(Workshop::new(Arc::new(game))),
            experts,
            suite: NAME.into(),
            task,
            limit: STEP_LIMIT,
            warning: None,
        })
    }
}

/// A task under way.
#[derive(Clone)]
pub struct Workshop {
    game: Arc<Game>,
    inventory: Held,
    turn: Turn,
}

impl Workshop {
    /// At its beginning, with nothing held.
    pub fn new(game: Arc<Game>) -> Self {
        let observation = game.opening();
        let mut shop = Self { game, inventory: Held::new(), turn: nothing() };
        shop.turn = shop.turn_of(&observation, false);
        shop
    }

    fn turn_of(&self, observation: &str, won: bool) -> Turn {
        let listed = rules::listed(&self.game.book, &self.game.told, &self.inventory);
        Turn {
            observation: observation.into(),
            actions: Actions::listed(listed.into()),
            reward: if won { 1.0 } else { 0.0 },
            done: won,
            success: won,
            truncated: false,
        }
    }
}

fn nothing() -> Turn {
    Turn {
        observation: "".into(),
        actions: Actions::default(),
        reward: 0.0,
        done: false,
        success: false,
        truncated: false,
    }
}

impl Environment for Workshop {
    fn task(&self) -> &str {
        &self.game.task
    }

    fn turn(&self) -> &Turn {
        &self.turn
    }

    fn step(&mut self, action: &str) -> Result<()> {
        let answer = rules::act(&self.game.book, &mut self.inventory, action);
        let won = answer.made.as_ref() == Some(&self.game.goal);
        self.turn = self.turn_of(&answer.text, won);
        Ok(())
    }

    fn fork(&self) -> Result<Box<dyn Environment>> {
        Ok(Box::new(self.clone()))
    }

    fn fingerprint(&self) -> u64 {
        // The order in which things came is only seen by looking.
        let mut held = self.inventory.clone();
        held.sort();
        let mut digest = Digest::default();
        for (name, count) in &held {
            digest.add(name.as_bytes());
            digest.add(&count.to_le_bytes());
        }
        digest.add(&[u8::from(self.turn.done)]);
        digest.finish()
    }

    fn identity(&self) -> Option<u64> {
        let mut digest = Digest::default();
        digest.add(format!("{:?}", self.game.book).as_bytes());
        digest.add(self.game.opening().as_bytes());
        Some(digest.finish())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests;
