//! A world unlike the others: free text beside a list, rewards between 0 and 1, and an end that
//! cuts off.

use std::any::Any;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use foretaste::control::Cancel;
use foretaste::env::{
    Actions, Advice, Environment, Expert, Experts, Form, NoAdvice, Opened, Suite, TaskRef, Turn,
};
use foretaste::error::{Error, Result};

/// What is for sale: what it is, and its price in parts of ten.
const GOODS: [(&str, u32); 3] = [("red mug", 4), ("blue mug", 4), ("red cup", 6)];

/// More steps than this and the shop closes.
const PATIENCE: usize = 6;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Page {
    Front,
    Found(Vec<usize>),
    Item(usize),
    Bought(usize),
}

/// A shop in which something is looked for.
#[derive(Debug, Clone)]
pub struct Shop {
    wanted: usize,
    page: Page,
    steps: usize,
    task: String,
    turn: Turn,
}

impl Shop {
    pub fn new(wanted: usize) -> Self {
        let task = format!("buy a {}.", GOODS[wanted].0);
        let turn = Turn {
            observation: "A shop.".into(),
            actions: Actions::default(),
            reward: 0.0,
            done: false,
            success: false,
            truncated: false,
        };
        let mut shop = Self { wanted, page: Page::Front, steps: 0, task, turn };
        shop.show("Welcome.".into());
        shop
    }

    /// What a purchase is worth: a half for each of the two words that it shares with what is
    /// wanted.
    fn worth(&self, bought: usize) -> f64 {
        let words = |item: usize| GOODS[item].0.split(' ').collect::<Vec<_>>();
        let same = words(bought).iter().zip(words(self.wanted)).filter(|(a, b)| **a == *b).count();
        same as f64 / 2.0
    }

    fn show(&mut self, observation: String) {
        let list =
            |items: Vec<String>| items.into_iter().map(Arc::from).collect::<Vec<Arc<str>>>().into();
        let click = |item: usize| format!("click[{}]", GOODS[item].0);
        let search: Arc<[Form]> = Arc::new([Form::new("search[…]")]);
        let (listed, free): (Arc<[Arc<str>]>, Arc<[Form]>) = match &self.page {
            Page::Front => (list(vec![]), search),
            Page::Found(items) => (list(items.iter().map(|item| click(*item)).collect()), search),
            Page::Item(_) => {
                (list(vec!["click[buy now]".into(), "click[back]".into()]), Arc::default())
            }
            Page::Bought(_) => (list(vec![]), Arc::default()),
        };
        let reward = if let Page::Bought(item) = self.page { self.worth(item) } else { 0.0 };
        let over = matches!(self.page, Page::Bought(_));
        let truncated = !over && self.steps >= PATIENCE;
        self.turn = Turn {
            observation: observation.into(),
            actions: Actions { listed: Some(listed), free: Some(free) },
            reward,
            done: over || truncated,
            success: reward >= 1.0,
            truncated,
        };
    }
}

impl Environment for Shop {
    fn task(&self) -> &str {
        &self.task
    }

    fn turn(&self) -> &Turn {
        &self.turn
    }

    fn step(&mut self, action: &str) -> Result<()> {
        let inside = |name: &str| {
            Some(
                action.trim().strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?.to_string(),
            )
        };
        self.steps += 1;
        if !self.turn.admits(action) {
            self.show("Pardon?".into());
            return Ok(());
        }
        let said = match (inside("search"), inside("click")) {
            (Some(words), _) => {
                let all = |item: &usize| words.split(' ').any(|word| GOODS[*item].0.contains(word));
                let found: Vec<usize> = (0..GOODS.len()).filter(all).collect();
                let said = format!("{} things are there.", found.len());
                self.page = Page::Found(found);
                said
            }
            (_, Some(button)) => match (button.as_str(), &self.page) {
                ("buy now", Page::Item(item)) => {
                    self.page = Page::Bought(*item);
                    "Thank you.".into()
                }
                ("back", _) => {
                    self.page = Page::Front;
                    "Welcome back.".into()
                }
                (name, _) => {
                    let item =
                        GOODS.iter().position(|(known, _)| *known == name).unwrap_or_default();
                    self.page = Page::Item(item);
                    format!("{name}, {} coins.", GOODS[item].1)
                }
            },
            _ => "Pardon?".into(),
        };
        self.show(said);
        Ok(())
    }

    fn fork(&self) -> Result<Box<dyn Environment>> {
        Ok(Box::new(self.clone()))
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.page, self.wanted).hash(&mut hasher);
        hasher.finish()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct Clerk;

impl Expert for Clerk {
    fn name(&self) -> &'static str {
        "clerk"
    }

    fn advise(&self, env: &dyn Environment, _: &Cancel) -> Result<Advice, NoAdvice> {
        let shop = env
            .as_any()
            .downcast_ref::<Shop>()
            .ok_or_else(|| NoAdvice::Other("another world".into()))?;
        let name = GOODS[shop.wanted].0;
        let (action, left) = match &shop.page {
            Page::Front => (format!("search[{name}]"), 3),
            Page::Found(_) => (format!("click[{name}]"), 2),
            Page::Item(item) if *item == shop.wanted => ("click[buy now]".into(), 1),
            Page::Item(_) => ("click[back]".into(), 4),
            Page::Bought(_) => return Err(NoAdvice::Done),
        };
        Ok(Advice { action, steps_left: Some(left) })
    }
}

/// The suite of them.
pub struct Shops;

impl Suite for Shops {
    fn name(&self) -> &'static str {
        "shops"
    }

    fn splits(&self) -> Vec<String> {
        vec!["train".into()]
    }

    fn tasks(&self, _: &str) -> Result<Vec<TaskRef>> {
        Ok((0..GOODS.len())
            .map(|i| TaskRef { id: format!("train/{i}"), kind: "buy".into() })
            .collect())
    }

    fn open(&self, id: &str) -> Result<Opened> {
        let wanted =
            id.strip_prefix("train/").and_then(|n| n.parse().ok()).filter(|n| *n < GOODS.len());
        let wanted = wanted.ok_or_else(|| Error::new(format!("no task {id}")))?;
        Ok(Opened {
            env: Box::new(Shop::new(wanted)),
            experts: Experts::new(vec![Box::new(Clerk)]),
            suite: "shops".into(),
            task: TaskRef { id: id.into(), kind: "buy".into() },
            limit: 20,
            warning: None,
        })
    }
}
