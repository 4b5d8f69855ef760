//! Data, what its keys do.

use super::State;
use crate::tui::effect::{Effect, JobKind, Notice, StoreCmd};
use crate::tui::keys::{Key, key};
use crate::tui::screens::Around;

/// What keys do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Write as files.
    Export,
    /// Read from a file.
    Import,
    /// Collect data.
    Collect,
    /// Delete, with undo.
    Delete,
    /// Take back the last thing.
    Undo,
    /// The training sets of another suite and split.
    Place,
    /// Take out demonstrations that others say already.
    Duplicates,
}

/// The keys of this screen.
pub const KEYS: &[Key<Act>] = &[
    key(
        "export",
        "e X",
        Act::Export,
        "export",
        "write training sets, or whole trajectories for another store, after saying what that \
         comes to",
    ),
    key(
        "import",
        "i",
        Act::Import,
        "import",
        "take in trajectories from another store, after saying what of them is new",
    ),
    key(
        "collect",
        "c",
        Act::Collect,
        "collect",
        "collect demonstrations, alternatives and reflections",
    ),
    key(
        "delete",
        "d",
        Act::Delete,
        "delete",
        "take the selected trajectory out of every list and training set",
    ),
    key(
        "place",
        "s",
        Act::Place,
        "suite/split",
        "the training sets of the next suite and split that have demonstrations",
    ),
    key(
        "delete-duplicates",
        "D",
        Act::Duplicates,
        "duplicates",
        "take out demonstrations with the same actions as another of the same task and expert; u \
         puts them back",
    ),
    key("undo", "u", Act::Undo, "undo", "put back what was deleted last"),
];

impl State {
    /// Whether a key means something now.
    pub fn applies(act: Act, around: Around<'_>) -> bool {
        act != Act::Collect || !around.runs(JobKind::Collect)
    }

    /// Does what a key means.
    pub fn act(&mut self, act: Act) -> Vec<Effect> {
        match act {
            Act::Export => self.ask_export(),
            Act::Import => self.ask_import(),
            Act::Collect => vec![Effect::AskCollect],
            Act::Place => self.next_place(),
            Act::Delete => {
                let Some(id) = self.trajectories.current().map(|row| row.id) else {
                    return Vec::new();
                };
                self.deleted.push(vec![id]);
                vec![Effect::Store(StoreCmd::Delete(id, true))]
            }
            Act::Duplicates => vec![Effect::Store(StoreCmd::Duplicates)],
            Act::Undo => {
                if let Some(ids) = self.deleted.pop() {
                    ids.into_iter().map(|id| Effect::Store(StoreCmd::Delete(id, false))).collect()
                } else {
                    let text = "nothing was deleted in this session (foretaste data undelete ID)";
                    vec![Effect::Say(Notice::info(text.into()))]
                }
            }
        }
    }
}
