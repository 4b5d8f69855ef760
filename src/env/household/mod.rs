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

pub use generate::generate;

/// Splits and how many games of each the suite lists; more can be opened by index.
const SPLITS: [(&str, usize); 3] = [("train", 4000), ("seen", 140), ("unseen", 140)];

/// The suite; it has no files, so there is nothing to open.
#[derive(Debug, Clone, Copy, Default)]
pub struct Household;

/// A generated game.
#[derive(Debug)]
pub struct Generated {
    /// The game file.
    pub file: GameFile,
    /// One of the six kinds.
    pub kind: &'static str,
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
        if index > 10_000_000 || !SPLITS.iter().any(|(name, _)| *name == split) {
            return Err(unknown());
        }
        let generated = generate(split, index);
        let task = TaskRef { id: id.to_string(), kind: generated.kind.to_string() };
        open_game(&Game::new(&generated.file)?, "household", task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_walkthrough_wins_within_the_step_limit() {
        for (split, _) in SPLITS {
            for index in 0..120 {
                let opened = Household.open(&format!("{split}/{index}")).unwrap();
                let (mut env, expert) = (opened.env, opened.expert.unwrap());
                let mut steps = 0;
                while let Some(advice) = expert.advise(env.as_ref()) {
                    let listed = env.turn().admissible.clone().unwrap();
                    assert!(
                        listed.iter().any(|a| **a == *advice.action),
                        "{split}/{index}: {} in {listed:?}",
                        advice.action
                    );
                    env.step(&advice.action).unwrap();
                    steps += 1;
                }
                assert!(env.turn().success, "{split}/{index} ({}) not won after {steps} steps", opened.task.kind);
                assert!(steps <= crate::env::STEP_LIMIT, "{split}/{index} takes {steps} steps");
            }
        }
    }

    #[test]
    fn same_seed_same_games_and_all_six_kinds() {
        let kinds: BTreeSet<_> = (0..60).map(|i| generate("train", i).kind).collect();
        assert_eq!(kinds.len(), 6);
        assert_eq!(generate("train", 7).file.pddl_problem, generate("train", 7).file.pddl_problem);
        assert_ne!(generate("train", 7).file.pddl_problem, generate("seen", 7).file.pddl_problem);
    }

    #[test]
    fn unknown_tasks_are_refused_with_the_way_to_list_them() {
        for id in ["train", "train/x", "nowhere/1", "train/-1"] {
            assert!(Household.open(id).err().unwrap().next_step().unwrap().contains("env list"));
        }
    }
}
