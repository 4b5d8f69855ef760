//! The ALFWorld suite: real game files under `$ALFWORLD_DATA`.
//!
//! Layout: `DATA[/json_2.1.1]/SPLIT/KIND-…/TRIAL/game.tw-pddl`. A task's identifier is its folder
//! below the data directory, its kind the folder name's first word. Listing reads folder names
//! only.

use std::path::{Path, PathBuf};

use super::{Opened, Suite, TaskRef, open_game_file, unknown_task};
use crate::error::{Error, Result};

/// Splits in the order they are shown; folders of other names follow.
const SPLITS: [&str; 4] = ["train", "valid_train", "valid_seen", "valid_unseen"];

/// The six kinds of task.
pub const KINDS: [&str; 6] = [
    "pick_and_place_simple",
    "look_at_obj_in_light",
    "pick_clean_then_place_in_recep",
    "pick_heat_then_place_in_recep",
    "pick_cool_then_place_in_recep",
    "pick_two_obj_and_place",
];

/// The suite over one data directory.
#[derive(Debug)]
pub struct AlfWorld {
    root: PathBuf,
}

impl AlfWorld {
    /// Opens `data`, or `$ALFWORLD_DATA` without it.
    pub fn open(data: Option<&Path>) -> Result<Self> {
        let hint = "name the folder that holds train/, valid_seen/ and valid_unseen/ with --data \
                    DIR or ALFWORLD_DATA";
        let given = match data {
            Some(path) => path.to_path_buf(),
            None => std::env::var_os("ALFWORLD_DATA")
                .map(PathBuf::from)
                .ok_or_else(|| Error::new("the alfworld suite needs its game files").hint(hint))?,
        };
        let nested = given.join("json_2.1.1");
        let root = if nested.is_dir() { nested } else { given };
        if !root.is_dir() {
            return Err(Error::new(format!("{}: no such folder", root.display())).hint(hint));
        }
        let suite = Self { root };
        if suite.splits().is_empty() {
            return Err(
                Error::new(format!("{}: no game folders here", suite.root.display())).hint(hint)
            );
        }
        Ok(suite)
    }
}

fn folders(path: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|e| Error::io("listing", path, &e))? {
        let entry = entry.map_err(|e| Error::io("listing", path, &e))?;
        // Unreadable or oddly named entries are no tasks; following links is intended.
        if let (true, Ok(name)) = (entry.path().is_dir(), entry.file_name().into_string()) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

impl Suite for AlfWorld {
    fn name(&self) -> &'static str {
        "alfworld"
    }

    fn splits(&self) -> Vec<String> {
        let mut found = folders(&self.root).unwrap_or_default();
        found.sort_by_key(|name| {
            SPLITS.iter().position(|known| known == name).unwrap_or(SPLITS.len())
        });
        found
    }

    /// The rooms that are in no training game, where the folder has them.
    fn evaluated_on(&self) -> Option<String> {
        let mut splits = self.splits();
        let unseen = splits.iter().position(|split| split == "valid_unseen");
        unseen.map(|at| splits.swap_remove(at)).or_else(|| splits.pop())
    }

    fn tasks(&self, split: &str) -> Result<Vec<TaskRef>> {
        if !self.splits().iter().any(|known| known == split) {
            return Err(Error::usage(format!("{} has no split `{split}`", self.root.display()))
                .hint(format!("splits here: {}", self.splits().join(", "))));
        }
        let mut tasks = Vec::new();
        let base = self.root.join(split);
        for group in folders(&base)? {
            let kind = group.split('-').next().unwrap_or_default();
            if !KINDS.contains(&kind) || group.contains("Sliced") || group.contains("movable") {
                // As the original: sliced and movable-receptacle tasks and stray folders are left
                // out.
                continue;
            }
            for trial in folders(&base.join(&group))? {
                if base.join(&group).join(&trial).join("game.tw-pddl").is_file() {
                    tasks.push(TaskRef {
                        id: format!("{split}/{group}/{trial}"),
                        kind: kind.to_string(),
                    });
                }
            }
        }
        Ok(tasks)
    }

    fn open(&self, id: &str) -> Result<Opened> {
        let path = self.root.join(id).join("game.tw-pddl");
        let mut parts = id.split('/');
        let (Some(_), Some(group), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(unknown_task("alfworld", id));
        };
        if id.contains("..") || !path.is_file() {
            return Err(unknown_task("alfworld", id));
        }
        let kind = group.split('-').next().unwrap_or_default().to_string();
        open_game_file(&path, "alfworld", TaskRef { id: id.to_string(), kind })
    }
}
