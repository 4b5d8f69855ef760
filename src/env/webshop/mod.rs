//! The shop of `WebShop` (Yao et al. 2022), natively: every page, search and reward as the original
//! has them, held against its transcripts (`tests/webshop.rs`).
//!
//! With a folder of the original's files it sells their products, with nothing a small catalogue of
//! our own. An episode is a customer's visit: `search[words]` on every page, `click[text]` on what the
//! page has, until something is bought. What was bought is worth a part of 1; success is all of it.
//!
//! Splits are the original's by place in the order of goals: the first 500 for testing, the next 1,000
//! for development, the rest for training. Fewer than 2,000 goals (a person's on the small catalogue)
//! are one split, as the original's own baselines use them.

mod analyzer;
pub mod catalog;
mod experts;
mod files;
pub mod goals;
mod kept;
mod likeness;
pub mod made;
mod mersenne;
mod nouns;
mod own;
pub mod page;
mod porter;
mod python;
pub mod reward;
mod search;
pub mod session;
pub mod shop;

pub use files::{index, index_of, indexed, read};

/// The parts that are held against transcripts of the original by themselves.
pub mod oracle {
    pub use super::analyzer::all as terms;
    pub use super::files::Read;
    pub use super::likeness::{colour, token_set_ratio};
}

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use self::goals::Goal;
use self::session::Session;
use self::shop::Shop;
use super::{
    Actions, Environment, Experts, Opened, STEP_LIMIT, Suite, TaskRef, Turn, unknown_task,
};
use crate::digest::Digest;
use crate::error::{Error, Result};

/// What the suite is called.
pub const NAME: &str = "webshop";

/// Fewer goals than this are not parted.
const PARTED: usize = 2000;

/// Splits and where each begins, the one for training first.
const SPLITS: [(&str, usize, usize); 3] =
    [("train", 1500, usize::MAX), ("dev", 500, 1500), ("test", 0, 500)];

/// The suite.
pub struct WebShop {
    shop: Arc<Shop>,
    goals: Vec<Arc<Goal>>,
    kinds: Vec<String>,
}

impl WebShop {
    /// The shop of a folder's files, or the one in the program.
    pub fn open(data: Option<&Path>) -> Result<Self> {
        Self::with(data, None, None)
    }

    /// The same with goals and prices from files, as the oracles of the original have them.
    pub fn with(data: Option<&Path>, goals: Option<&Path>, prices: Option<&Path>) -> Result<Self> {
        let files::Read { shop, goals, kinds } = match data {
            Some(folder) => files::read(folder, goals, prices)?,
            None => files::own(goals, prices)?,
        };
        let goals = goals.into_iter().map(Arc::new).collect();
        Ok(Self { shop: Arc::new(shop), goals, kinds })
    }

    fn range(&self, split: &str) -> Result<std::ops::Range<usize>> {
        let found = SPLITS.iter().find(|(name, ..)| *name == split);
        let (_, from, to) = found.ok_or_else(|| {
            Error::usage(format!("webshop has no split `{split}`"))
                .hint(format!("splits: {}", self.splits().join(", ")))
        })?;
        if self.goals.len() < PARTED {
            return Ok(0..self.goals.len());
        }
        Ok(*from..(*to).min(self.goals.len()))
    }

    fn task(&self, n: usize) -> TaskRef {
        let goal = &self.goals[n];
        let kind = self.kinds.get(n).filter(|kind| !kind.is_empty()).map_or("shop", |kind| kind);
        TaskRef { id: format!("{n}/{}", goal.asin), kind: kind.to_string() }
    }
}

impl Suite for WebShop {
    fn name(&self) -> &'static str {
        NAME
    }

    fn splits(&self) -> Vec<String> {
        let parted = self.goals.len() >= PARTED;
        let all = SPLITS.iter().map(|(name, ..)| (*name).to_string());
        all.take(if parted { SPLITS.len() } else { 1 }).collect()
    }

    fn tasks(&self, split: &str) -> Result<Vec<TaskRef>> {
        Ok(self.range(split)?.map(|n| self.task(n)).collect())
    }

    fn open(&self, id: &str) -> Result<Opened> {
        let number = id.split('/').next().unwrap_or_default();
        let n = number.parse::<usize>().ok().filter(|n| *n < self.goals.len());
        let n = n.ok_or_else(|| unknown_task(NAME, id))?;
        let task = self.task(n);
        if id.contains('/') && id != task.id {
            return Err(unknown_task(NAME, id));
        }
        let visit = Visit::new(Session::new(self.shop.clone(), self.goals[n].clone(), number));
        let experts = Experts::new(vec![Box::new(experts::Fair), Box::new(experts::Knowing)]);
        let (suite, limit) = (NAME.to_string(), STEP_LIMIT);
        Ok(Opened { env: Box::new(visit), experts, suite, task, limit, warning: None })
    }
}

/// A customer's visit as a world.
#[derive(Clone)]
pub struct Visit {
    /// The visit itself.
    pub session: Session,
    turn: Turn,
    task: Arc<str>,
}

impl Visit {
    fn new(session: Session) -> Self {
        let task = session.goal.instruction.as_str().into();
        let turn = turn_of(&session, false);
        Self { session, turn, task }
    }
}

impl Visit {
    /// The page as the original names its parts, and of a purchase what it was worth.
    pub fn page(&self) -> serde_json::Map<String, serde_json::Value> {
        let shown = &self.session.shown;
        let clicks: Vec<&String> = shown.clicks.iter().map(|(name, _)| name).collect();
        let mut page = serde_json::Map::new();
        page.insert("text".into(), shown.text().into());
        page.insert("text_rich".into(), shown.rich().into());
        page.insert("url".into(), shown.url.as_str().into());
        page.insert("clickables".into(), serde_json::json!(clicks));
        page.insert("has_search_bar".into(), shown.has_search_bar.into());
        if let Some(worth) = self.session.bought.as_ref().filter(|_| self.turn.done) {
            let mut parts = serde_json::json!(worth);
            parts.as_object_mut().map(|parts| parts.shift_remove("reward"));
            page.insert("reward_info".into(), parts);
            let (_, from) = self.session.shop().nouns(&self.session.goal.title);
            page.insert("nouns".into(), from.as_str().into());
        }
        page
    }
}

fn turn_of(session: &Session, bought: bool) -> Turn {
    let worth = session.bought.as_ref().filter(|_| bought).map_or(0.0, |worth| worth.total);
    let clicks = session.shown.clicks.iter().filter(|(name, _)| name != "search");
    let listed = clicks.map(|(name, _)| format!("click[{name}]").into()).collect();
    Turn {
        observation: session.shown.rich().into(),
        actions: Actions { listed: Some(listed), free: Some(session.shop().forms()) },
        reward: worth,
        done: bought,
        success: bought && worth >= 1.0,
        truncated: false,
    }
}

impl Environment for Visit {
    fn worth(&self) -> Option<String> {
        let worth = self.session.bought.as_ref().filter(|_| self.turn.done)?;
        let (_, nouns) = self.session.shop().nouns(&self.session.goal.title);
        Some(worth.in_words(nouns.as_str()))
    }

    fn task(&self) -> &str {
        &self.task
    }

    fn turn(&self) -> &Turn {
        &self.turn
    }

    fn step(&mut self, action: &str) -> Result<()> {
        let before = self.session.purchases;
        self.session.act(action)?;
        self.turn = turn_of(&self.session, self.session.purchases > before);
        Ok(())
    }

    fn fork(&self) -> Result<Box<dyn Environment>> {
        Ok(Box::new(self.clone()))
    }

    fn fingerprint(&self) -> u64 {
        self.session.fingerprint()
    }

    fn identity(&self) -> Option<u64> {
        let mut digest = Digest::default();
        digest.add(&self.session.shop().identity().to_le_bytes());
        digest.add(format!("{:?}", self.session.goal).as_bytes());
        Some(digest.finish())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests;
