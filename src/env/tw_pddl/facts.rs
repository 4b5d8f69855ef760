//! Ground facts packed into integers.
//!
//! Objects are ranked by their identifiers, bytewise, and a fact packs predicate and ranks into one
//! `u64` with the first argument in front. A sorted vector of such facts is therefore sorted
//! exactly as the original engine sorts facts when it looks for matches, and "all facts of a
//! predicate" or "… with this first argument" is one slice.

use super::pddl::{MAX_ARITY, MAX_VARS, Pred};

/// Rank of an object among the game's identifiers.
pub type Object = u16;

/// The objects that a clause's variables stand for.
pub type Vars = [Object; MAX_VARS];

/// A variable that stands for nothing yet.
pub const FREE: Object = Object::MAX;

/// Packs a fact; `args` has at most [`MAX_ARITY`] items.
pub fn pack(pred: Pred, args: &[Object]) -> u64 {
    debug_assert!(args.len() <= MAX_ARITY);
    args.iter()
        .enumerate()
        .fold(u64::from(pred) << 48, |fact, (i, arg)| fact | u64::from(*arg) << (32 - 16 * i))
}

/// The predicate of a packed fact.
pub fn pred_of(fact: u64) -> Pred {
    (fact >> 48) as Pred
}

/// Argument `i` of a packed fact.
pub fn arg(fact: u64, i: usize) -> Object {
    (fact >> (32 - 16 * i)) as Object
}

/// A sorted set of packed facts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FactSet(Vec<u64>);

impl Clone for FactSet {
    /// With room for the few facts that one step adds: a vector that has to grow would double its
    /// memory, and forks are kept by the million.
    fn clone(&self) -> Self {
        let mut facts = Vec::with_capacity(self.0.len() + 4);
        facts.extend_from_slice(&self.0);
        Self(facts)
    }
}

impl FactSet {
    /// The set of `facts`, duplicates dropped.
    pub fn new(mut facts: Vec<u64>) -> Self {
        facts.sort_unstable();
        facts.dedup();
        Self(facts)
    }

    /// Whether the fact is in the set.
    pub fn has(&self, fact: u64) -> bool {
        self.0.binary_search(&fact).is_ok()
    }

    /// Adds a fact.
    pub fn add(&mut self, fact: u64) {
        if let Err(at) = self.0.binary_search(&fact) {
            self.0.insert(at, fact);
        }
    }

    /// Removes a fact.
    pub fn remove(&mut self, fact: u64) {
        if let Ok(at) = self.0.binary_search(&fact) {
            self.0.remove(at);
        }
    }

    /// All facts, sorted.
    pub fn all(&self) -> &[u64] {
        &self.0
    }

    /// All facts of a predicate, sorted by their arguments; with `first`, only those with that
    /// first argument.
    pub fn of(&self, pred: Pred, first: Option<Object>) -> &[u64] {
        let low = pack(pred, &[first.unwrap_or(0)]);
        let rest = &self.0[self.0.partition_point(|fact| *fact < low)..];
        let len = match first {
            // Few facts are about one object: counting them beats a second search.
            Some(_) => rest.iter().take_while(|fact| **fact - low < 1 << 32).count(),
            None => rest.partition_point(|fact| *fact - low < 1 << 48),
        };
        &rest[..len]
    }
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
