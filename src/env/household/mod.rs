//! The embedded suite: household games of our own, generated from a seed, in the file format of
//! real ALFWorld games.
//!
//! The domain and grammar (`assets/household/`) are our own text. The stored walkthrough is what a
//! sensible person who has not seen the room would do: look for the thing where such things live,
//! likeliest place first, then do the task.
//!
//! Splits: `train`; `seen` (other games of the same distribution); `unseen`, whose room layouts,
//! thing-and-target pairs and task wordings never occur in the other two.

mod catalog;
mod generate;

use super::tw_pddl::game::{Game, GameFile};
use super::{Opened, Suite, TaskRef, open_game, unknown_task};
use crate::error::{Error, Result};

pub use generate::{Difficulty, generate};

/// Splits and how many games each has.
const SPLITS: [(&str, usize); 3] = [("train", 4000), ("seen", 140), ("unseen", 140)];

/// The suite; it has no files, so there is nothing to open.
#[derive(Debug, Clone, Copy, Default)]
pub struct Household;

/// Whether the suite has a split of that name.
pub fn has_split(name: &str) -> bool {
    SPLITS.iter().any(|(known, _)| *known == name)
}

/// A generated game.
#[derive(Debug)]
pub struct Generated {
    /// The game file.
    pub file: GameFile,
    /// One of the six kinds.
    pub kind: &'static str,
}

impl Generated {
    /// The folder that ALFWorld's layout keeps games of this kind in.
    pub fn folder(&self) -> String {
        let kind = match self.kind {
            "light" => "look_at_obj_in_light",
            "clean" => "pick_clean_then_place_in_recep",
            "heat" => "pick_heat_then_place_in_recep",
            "cool" => "pick_cool_then_place_in_recep",
            "two" => "pick_two_obj_and_place",
            _ => "pick_and_place_simple",
        };
        format!("{kind}-household")
    }
}

impl Suite for Household {
    fn name(&self) -> &'static str {
        "household"
    }

    fn splits(&self) -> Vec<String> {
        SPLITS.iter().map(|(name, _)| (*name).to_string()).collect()
    }

    fn tasks(&self, split: &str) -> Result<Vec<TaskRef>> {
        let (_, count) = SPLITS.iter().find(|(name, _)| *name == split).ok_or_else(|| {
            Error::usage(format!("household has no split `{split}`"))
                .hint("splits: train, seen, unseen")
        })?;
        Ok((0..*count)
            .map(|index| TaskRef {
                id: format!("{split}/{index}"),
                kind: generate::kind_of(split, index).to_string(),
            })
            .collect())
    }

    fn open(&self, id: &str) -> Result<Opened> {
        let unknown = || unknown_task("household", id);
        let (split, index) = id.split_once('/').ok_or_else(unknown)?;
        let (_, count) = SPLITS.iter().find(|(name, _)| *name == split).ok_or_else(unknown)?;
        let index: usize = index.parse().map_err(|_| unknown())?;
        if index >= *count {
            return Err(Error::new(format!("household has no task `{id}`"))
                .hint(format!("{split} has {count}: {split}/0 to {split}/{}", count - 1)));
        }
        let generated = generate(split, index, &Difficulty::default())?;
        let task = TaskRef { id: id.to_string(), kind: generated.kind.to_string() };
        open_game(&Game::new(&generated.file)?, "household", task)
    }
}

#[cfg(test)]
mod tests;
