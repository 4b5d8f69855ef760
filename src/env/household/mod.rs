//! The embedded suite: household games of our own, generated from a seed, in the file format of real ALFWorld games.
//!
//! The domain and grammar (`assets/household/`) are our own text. The stored walkthrough is what a sensible person who
//! has not seen the room would do: look for the thing where such things live, likeliest place first, then do the task.
//!
//! Splits: `train`; `seen` (other games of the same distribution); `unseen`, whose room layouts, thing-and-target
//! pairs and task wordings never occur in the other two.

mod catalog;
mod generate;

use super::tw_pddl::game::{Game, GameFile};
use super::{Opened, Suite, TaskRef, open_game, unknown_task};
use crate::error::{Error, Result};

pub use generate::{Difficulty, generate};

/// Splits and how many games of each the suite lists; more can be opened by index.
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
        let (_, count) = SPLITS
            .iter()
            .find(|(name, _)| *name == split)
            .ok_or_else(|| Error::new(format!("household has no split `{split}`")).hint("splits: train, seen, unseen"))?;
        Ok((0..*count)
            .map(|index| TaskRef { id: format!("{split}/{index}"), kind: generate::kind_of(split, index).to_string() })
            .collect())
    }

    fn open(&self, id: &str) -> Result<Opened> {
        let unknown = || unknown_task("household", id);
        let (split, index) = id.split_once('/').ok_or_else(unknown)?;
        let index: usize = index.parse().map_err(|_| unknown())?;
        if index > 10_000_000 || !has_split(split) {
            return Err(unknown());
        }
        let generated = generate(split, index, &Difficulty::default())?;
        let task = TaskRef { id: id.to_string(), kind: generated.kind.to_string() };
        open_game(&Game::new(&generated.file)?, "household", task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Cancel;
    use std::collections::BTreeSet;

    fn game(split: &str, index: usize) -> Generated {
        generate(split, index, &Difficulty::default()).unwrap()
    }

    #[test]
    fn walkthrough_and_fair_expert_win_within_the_step_limit() {
        for (split, index) in SPLITS.iter().flat_map(|(split, _)| (0..120).map(move |index| (split, index))) {
            for name in ["walkthrough", "fair"] {
                let opened = Household.open(&format!("{split}/{index}")).unwrap();
                let mut env = opened.env;
                let expert = opened.experts.get(Some(name)).unwrap();
                let mut steps = 0;
                while let Ok(advice) = expert.advise(env.as_ref(), &Cancel::default()) {
                    assert!(env.turn().admits(&advice.action), "{split}/{index} {name}: {}", advice.action);
                    env.step(&advice.action).unwrap();
                    steps += 1;
                    assert!(steps <= crate::env::STEP_LIMIT, "{split}/{index} {name} takes {steps} steps");
                }
                assert!(env.turn().success, "{split}/{index} ({}) not won by {name} in {steps} steps", opened.task.kind);
            }
        }
    }

    #[test]
    fn same_seed_same_games_and_all_six_kinds() {
        let kinds: BTreeSet<_> = (0..60).map(|i| game("train", i).kind).collect();
        assert_eq!(kinds.len(), 6);
        // Byte for byte on every platform: a change here changes every stored demonstration's world.
        let text: String = (0..200).map(|i| serde_json::to_string(&game("train", i).file).unwrap()).collect();
        assert_eq!(sha1_smol::Sha1::from(text).digest().to_string(), "59a9c83a3bf81363bb72fae81e316936d12a3ac1");
        assert_ne!(game("train", 7).file.pddl_problem, game("seen", 7).file.pddl_problem);
    }

    #[test]
    fn difficulty_is_kept_to_and_an_impossible_one_is_refused() {
        let hard = Difficulty { distractors: (12, 14), furniture: (9, 20), steps: (12, 50) };
        for index in 0..10 {
            let file = generate("train", index, &hard).unwrap().file;
            assert!(file.walkthrough.len() >= 12);
            assert!(file.pddl_problem.matches("- furniture").count() >= 9);
            assert!(file.pddl_problem.matches("- thing").count() >= 10);
        }
        let never = Difficulty { furniture: (90, 99), ..Difficulty::default() };
        assert!(generate("train", 0, &never).unwrap_err().message().contains("difficulty"));
    }

    #[test]
    fn unknown_tasks_are_refused_with_the_way_to_list_them() {
        for id in ["train", "train/x", "nowhere/1", "train/-1"] {
            assert!(Household.open(id).err().unwrap().next_step().unwrap().contains("env list"));
        }
    }
}
