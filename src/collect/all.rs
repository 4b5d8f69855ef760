//! Everything that early experience needs of some games, one after the other.

use std::fmt;

use serde::Serialize;

use super::{Contrast, Draw, Faults, Proposer, Writing, branches, demonstrations, reflections};
use crate::agent::Agent;
use crate::agent::template::Template;
use crate::control::{Control, Progress};
use crate::env::Suite;
use crate::episode::{Scope, Teacher};
use crate::error::Result;
use crate::experience::{POLICY, UNIFORM};
use crate::store::Store;

/// Alternatives a state that are asked of the policy unless others are wanted, for reflections: the
/// paper's are best with 2 to 4.
pub const ASKED: usize = 3;

/// What was new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// Demonstrations.
    pub demonstrations: u64,
    /// Alternatives of the uniform pool.
    pub uniform: u64,
    /// Of the policy's pool: those that it proposed.
    pub proposed: u64,
    /// Of the policy's pool: those that were filled in from the list.
    pub filled_in: u64,
    /// Reflections to be reviewed.
    pub reflections: u64,
}

impl fmt::Display for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { demonstrations, uniform, proposed, filled_in, reflections } = self;
        write!(
            f,
            "collected {demonstrations} demonstrations, {uniform} uniform alternatives, {} for the \
             policy's pool ({proposed} it proposed, {filled_in} filled in from the list), \
             {reflections} reflections to review",
            proposed + filled_in
        )
    }
}

/// What is wanted.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Of which games.
    pub scope: &'a Scope,
    /// Who demonstrates.
    pub teacher: Teacher<'a>,
    /// Alternatives a state that are drawn uniformly; 0 for none.
    pub k: usize,
    /// Alternatives a state that are asked of the policy; 0 for none.
    pub asked: usize,
    /// Whether the policy thinks before each.
    pub think: bool,
    /// Who writes a reflection for every state, if anybody.
    pub reflections: Option<By<'a>>,
}

/// Who writes reflections.
#[derive(Clone, Copy)]
pub enum By<'a> {
    /// The template.
    Template,
    /// A mind.
    Mind {
        /// Opens it, once there is something to write about.
        open: &'a dyn Fn(&Store) -> Result<Box<dyn Agent>>,
        /// Attempts at a text, until it has no faults.
        attempts: usize,
        /// Texts at most, to be read first; all without a number.
        sample: Option<usize>,
        /// What counts those.
        faults: Faults<'a>,
    },
}

/// Demonstrations; at every state of theirs executed alternatives, `k` drawn uniformly and some
/// draws of the policy; and from these (of the policy, else the uniform ones) a reflection for every
/// state.
pub fn all(
    store: &mut Store,
    suite: &dyn Suite,
    wanted: Wanted<'_>,
    open: &dyn Fn(&Store) -> Result<Box<dyn Agent>>,
    control: &Control,
    report: super::Report<'_>,
) -> Result<Collected> {
    let Wanted { scope, teacher, k, asked, think, reflections: by } = wanted;
    let before = store.counts()?;
    let mut found = Collected::default();
    let mut counted = |row: serde_json::Value, progress: Progress| {
        let from = |source: &str| row["from"][source].as_u64().unwrap_or_default();
        if row["pool"] == UNIFORM {
            found.uniform += from(UNIFORM);
        } else {
            found.proposed += from(POLICY);
            found.filled_in += from(UNIFORM);
        }
        report(row, progress);
    };
    demonstrations(store, suite, scope, teacher, control, &mut counted)?;
    // What was kept by hand is covered too, hence all demonstrations and not the first few.
    let every = Scope { games: usize::MAX, ..scope.clone() };
    if k > 0 {
        branches(store, suite, &every, Draw::uniform(k), control, &mut counted)?;
    }
    let mut pool = None;
    if asked > 0 {
        // Opened where it is needed: what needs no model is there by now.
        let mut policy = open(store)?;
        let proposer =
            Proposer::Policy { policy: policy.as_mut(), think, keep_invalid: false, mixed: false };
        // A pool belongs to one model: what an earlier checkpoint began, a later one does not go
        // on with.
        let own = pool_for(store, suite, scope, &proposer.model())?;
        let draw =
            Draw { pool: Some(own.clone()), k: asked, proposer, expert: None, visits: false };
        branches(store, suite, &every, draw, control, &mut counted)?;
        pool = Some(own);
    }
    if let Some(by) = by.filter(|_| k > 0 || asked > 0) {
        // One a state: a second would only push the first out of training.
        let contrast = Contrast { pool, anew: false, ..Contrast::default() };
        let (mut mind, mut template) = (None, Template);
        let writing = match by {
            By::Template => Writing::once(&mut template),
            By::Mind { open, attempts, sample, faults } => {
                let mind = mind.insert(open(store)?);
                Writing { attempts, sample, faults, ..Writing::once(mind.as_mut()) }
            }
        };
        reflections(store, suite, &every, &contrast, writing, control, &mut counted)?;
    }
    let after = store.counts()?;
    found.demonstrations = after.demonstrations - before.demonstrations;
    found.reflections = after.pending.saturating_sub(before.pending);
    Ok(found)
}

/// The policy's pool if this model fills it or nobody does, else one of the model's own.
fn pool_for(store: &Store, suite: &dyn Suite, scope: &Scope, model: &str) -> Result<String> {
    let pools = store.pools(Some(suite.name()), Some(&scope.split), None, false)?;
    let others = pools
        .iter()
        .any(|count| count.pool == POLICY && !count.model.is_empty() && count.model != model);
    Ok(if others { format!("{POLICY}, {model}") } else { POLICY.to_string() })
}
