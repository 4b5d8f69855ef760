//! The commands of a game: ground operators met so far, what each is typed as, and the sorted list
//! of those that are admissible in one state.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::facts::Vars;
use crate::error::{Error, Result};

/// Action, clause and variable bindings of a ground operator.
pub type OperatorKey = (u16, u16, Vars);

/// A ground operator with its command.
#[derive(Debug)]
pub struct Operator {
    /// Index of the action.
    pub action: u16,
    /// What its variables stand for.
    pub vars: Vars,
    /// What it is typed as.
    pub text: Arc<str>,
    /// The first bytes of the command as numbers that compare as the bytes do.
    prefix: [u64; 3],
}

const PREFIX: usize = 24;

/// All operators of a game that some world of it has met, each interned once and shared by all its
/// worlds.
#[derive(Debug, Default)]
pub struct Operators {
    /// `None` for an operator that changes nothing and is therefore no command.
    ids: HashMap<OperatorKey, Option<u32>, FixedState>,
    /// The same for actions whose command depends on what play changes (no real game has any).
    volatile: HashMap<(OperatorKey, Arc<str>), u32, FixedState>,
    all: Vec<Operator>,
    /// Bytes that all of these take, about. They are never given back: worlds know them by their
    /// numbers.
    bytes: usize,
}

/// A game whose commands take more is refused: the largest real ones take three megabytes.
const MAX_BYTES: usize = 256 << 20;

/// Bytes of all commands of one state: real ones have three thousand.
const MAX_MENU: usize = 1 << 20;

impl Operators {
    /// The operator of a key: `None` if it was never met, `Some(None)` if it is no command.
    pub fn known(&self, key: &OperatorKey) -> Option<Option<u32>> {
        self.ids.get(key).copied()
    }

    /// The operator of that number.
    pub fn get(&self, id: u32) -> &Operator {
        &self.all[id as usize]
    }

    /// Interns an operator; `fixed` says that its command is the same in every state.
    ///
    /// # Errors
    /// Once all that was met takes more than a game's commands may.
    pub fn add(
        &mut self,
        key: OperatorKey,
        text: Option<String>,
        fixed: bool,
    ) -> Result<Option<u32>> {
        self.bytes += size_of::<(OperatorKey, Operator)>() + text.as_ref().map_or(0, String::len);
        if self.bytes > MAX_BYTES {
            return Err(Error::new(format!(
                "the commands met in this game take more than {} MB",
                MAX_BYTES >> 20
            ))
            .hint(
                "its grammar gives an action another command in every state, or very long ones",
            ));
        }
        let Some(text) = text else {
            self.ids.insert(key, None);
            return Ok(None);
        };
        let text: Arc<str> = text.into();
        if let Some(known) = self
            .ids
            .get(&key)
            .copied()
            .flatten()
            .or_else(|| self.volatile.get(&(key, text.clone())).copied())
        {
            return Ok(Some(known)); // another world was quicker
        }
        let id = self.all.len() as u32;
        self.all.push(Operator {
            action: key.0,
            vars: key.2,
            prefix: prefix(&text),
            text: text.clone(),
        });
        if fixed {
            self.ids.insert(key, Some(id));
        } else {
            self.volatile.insert((key, text), id);
        }
        Ok(Some(id))
    }

    /// The menu of operators in the order they were found: sorted bytewise by command; of several
    /// with the same command the first stays, as in the original.
    ///
    /// # Errors
    /// Where the commands of one state are more text than anybody reads: each step of an episode
    /// keeps them.
    pub fn menu(&self, found: &[u32]) -> Result<Menu> {
        let bytes: usize = found.iter().map(|id| self.get(*id).text.len()).sum();
        if bytes > MAX_MENU {
            return Err(Error::new(format!(
                "the commands of one state are {bytes} bytes of text; {MAX_MENU} at most"
            )));
        }
        let mut sorted: Vec<([u64; 3], u32, u32)> = found
            .iter()
            .enumerate()
            .map(|(order, id)| (self.get(*id).prefix, *id, order as u32))
            .collect();
        let text = |id: u32| &self.get(id).text;
        // A shorter command is all prefix (commands hold no zero bytes), so equal prefixes then
        // mean equal commands.
        let long = |id: u32| text(id).len() > PREFIX;
        let same = |a: u32, b: u32| {
            if long(a) || long(b) { text(a).cmp(text(b)) } else { Ordering::Equal }
        };
        sorted.sort_unstable_by(|a, b| {
            a.0.cmp(&b.0).then_with(|| same(a.1, b.1)).then(a.2.cmp(&b.2))
        });
        sorted.dedup_by(|later, first| later.0 == first.0 && same(later.1, first.1).is_eq());
        Ok(Menu {
            commands: sorted.iter().map(|(_, id, _)| Arc::clone(text(*id))).collect(),
            operators: sorted.iter().map(|(_, id, _)| *id).collect(),
        })
    }
}

fn prefix(text: &str) -> [u64; 3] {
    let mut bytes = [0; PREFIX];
    let len = text.len().min(PREFIX);
    bytes[..len].copy_from_slice(&text.as_bytes()[..len]);
    std::array::from_fn(|i| {
        bytes[8 * i..8 * i + 8].iter().fold(0, |n, byte| n << 8 | u64::from(*byte))
    })
}

/// What is admissible in one state.
#[derive(Debug, Default)]
pub struct Menu {
    /// Commands, sorted bytewise.
    pub commands: Arc<[Arc<str>]>,
    /// The operator of each.
    pub operators: Box<[u32]>,
}

impl Menu {
    /// The operator of a command. White space around it does not count: a thing without a number is
    /// named with a blank behind it, and a command may end with that.
    pub fn operator(&self, command: &str) -> Option<u32> {
        let exact = |command: &str| {
            self.commands.binary_search_by(|known| known.as_ref().cmp(command)).ok()
        };
        let alike = || self.commands.iter().position(|known| known.trim() == command.trim());
        exact(command).or_else(|| exact(command.trim())).or_else(alike).map(|at| self.operators[at])
    }
}

#[cfg(test)]
#[path = "commands_tests.rs"]
mod tests;
