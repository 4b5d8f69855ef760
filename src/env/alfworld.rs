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

/// The split whose rooms are told apart.
const TRAIN: &str = "train";

/// Rooms of the training games that stand for rooms nobody trained on, three of each kind of room:
/// 422 of the 3,553 games. Drawn once, so that they mean the same everywhere.
const NEW_ROOMS: [&str; 12] =
    ["5", "21", "28", "204", "209", "217", "314", "318", "323", "401", "405", "417"];

/// Rooms for choosing settings by, two of each kind: 272 games.
const TUNING_ROOMS: [&str; 8] = ["3", "27", "216", "228", "307", "329", "414", "430"];

/// Parts of the training games by their rooms: what a study tests on, chooses by, and trains on.
pub const BY_ROOM: [&str; 3] = ["new_rooms", "tuning_rooms", "other_rooms"];

/// The part of the training games that a group is in, by the number of its room, which its name
/// ends on.
fn part_of(group: &str) -> &'static str {
    let room = group.rsplit('-').next().unwrap_or_default();
    match () {
        () if NEW_ROOMS.contains(&room) => BY_ROOM[0],
        () if TUNING_ROOMS.contains(&room) => BY_ROOM[1],
        () => BY_ROOM[2],
    }
}

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

/// What to do where there are no games.
const HINT: &str = "name the folder that holds train/, valid_seen/ and valid_unseen/ with --data \
                    DIR or ALFWORLD_DATA (alfworld-download fills ~/.cache/alfworld, which is \
                    looked at without a word)";

impl AlfWorld {
    /// Opens `data`; without it `$ALFWORLD_DATA`, or where the original's download puts its games.
    pub fn open(data: Option<&Path>) -> Result<Self> {
        let named = data.map(Path::to_path_buf);
        let named = named.or_else(|| std::env::var_os("ALFWORLD_DATA").map(PathBuf::from));
        let usual = || {
            let home = directories::BaseDirs::new()?.home_dir().join(".cache/alfworld");
            home.is_dir().then_some(home)
        };
        let given = named
            .or_else(usual)
            .ok_or_else(|| Error::new("the alfworld suite needs its game files").hint(HINT))?;
        let nested = given.join("json_2.1.1");
        let root = if nested.is_dir() { nested } else { given };
        if !root.is_dir() {
            return Err(Error::new(format!("{}: no such folder", root.display())).hint(HINT));
        }
        let suite = Self { root };
        if suite.folders_of_games().is_empty() {
            return Err(suite.nothing());
        }
        Ok(suite)
    }

    /// The splits that have a folder.
    fn folders_of_games(&self) -> Vec<String> {
        let mut found = folders(&self.root).unwrap_or_default();
        found.retain(|name| {
            let groups = || folders(&self.root.join(name)).unwrap_or_default();
            SPLITS.contains(&name.as_str()) || groups().iter().any(|group| is_group(group))
        });
        found.sort_by_key(|name| {
            SPLITS.iter().position(|known| known == name).unwrap_or(SPLITS.len())
        });
        found
    }

    /// No split is here: perhaps one level up or down.
    fn nothing(&self) -> Error {
        let root = &std::fs::canonicalize(&self.root).unwrap_or_else(|_| self.root.clone());
        let error = Error::new(format!("{}: no game folders here", root.display()));
        let below = folders(root).unwrap_or_default().into_iter().map(|name| root.join(name));
        let mut near = root.parent().map(Path::to_path_buf).into_iter().chain(below);
        let holds = |place: &PathBuf| {
            let inner = place.join("json_2.1.1");
            let place = if inner.is_dir() { inner } else { place.clone() };
            place.is_dir() && !(Self { root: place }).folders_of_games().is_empty()
        };
        match near.find(holds) {
            Some(place) => error.hint(format!("name {} with --data", place.display())),
            None => error.hint(HINT),
        }
    }
}

/// Whether a folder's name is that of a group of games.
fn is_group(name: &str) -> bool {
    KINDS.contains(&name.split('-').next().unwrap_or_default())
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
        let mut found = self.folders_of_games();
        if found.iter().any(|split| split == TRAIN) {
            found.extend(BY_ROOM.map(str::to_string));
        }
        found
    }

    /// The rooms that are in no training game, where the folder has them.
    fn evaluated_on(&self) -> Option<String> {
        let mut splits = self.folders_of_games();
        let unseen = splits.iter().position(|split| split == "valid_unseen");
        unseen.map(|at| splits.swap_remove(at)).or_else(|| splits.pop())
    }

    fn tasks(&self, split: &str) -> Result<Vec<TaskRef>> {
        if !self.splits().iter().any(|known| known == split) {
            return Err(Error::usage(format!("{} has no split `{split}`", self.root.display()))
                .hint(format!("splits here: {}", self.splits().join(", "))));
        }
        let mut tasks = Vec::new();
        let part = Some(split).filter(|split| BY_ROOM.contains(split));
        let folder = part.map_or(split, |_| TRAIN);
        let base = self.root.join(folder);
        for group in folders(&base)? {
            if part.is_some_and(|part| part_of(&group) != part) {
                continue;
            }
            if !is_group(&group) || group.contains("Sliced") || group.contains("movable") {
                // As the original: sliced and movable-receptacle tasks and stray folders are left
                // out.
                continue;
            }
            for trial in folders(&base.join(&group))? {
                if base.join(&group).join(&trial).join("game.tw-pddl").is_file() {
                    tasks.push(TaskRef {
                        id: format!("{folder}/{group}/{trial}"),
                        kind: group.split('-').next().unwrap_or_default().to_string(),
                    });
                }
            }
        }
        if tasks.is_empty() {
            return Err(Error::new(format!("no game.tw-pddl under {}", base.display())).hint(HINT));
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

#[cfg(test)]
#[path = "alfworld_tests.rs"]
mod tests;
