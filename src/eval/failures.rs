//! How a game was lost, read from what was done in it.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::agent::template::{Act, Goal};
use crate::experience::Trajectory;

/// What a lost game was lost by, the first of these that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// At least half of the actions could not be sent, or changed nothing that is said.
    Refused,
    /// At least half of the steps did again what had been done after the same observation.
    Loop,
    /// What was in hand last was not what the task asks for.
    WrongThing,
    /// What the task asks for was last put where it does not belong.
    WrongPlace,
    /// It ended, or ran out of steps, before anything was taken.
    NothingTaken,
    /// It came to its end, and that was less than what was asked for (a purchase that is worth 0.8).
    Short,
    /// It ended, or ran out of steps, on the way.
    Unfinished,
}

impl Failure {
    /// Every kind, in the order in which they are looked for.
    pub const ALL: [Self; 7] = [
        Self::Refused,
        Self::Loop,
        Self::WrongThing,
        Self::WrongPlace,
        Self::NothingTaken,
        Self::Short,
        Self::Unfinished,
    ];

    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Loop => "loop",
            Self::WrongThing => "wrong thing",
            Self::WrongPlace => "wrong place",
            Self::NothingTaken => "nothing taken",
            Self::Short => "ended short",
            Self::Unfinished => "unfinished",
        }
    }

    /// Of a game; none where it was won. `invalid` are actions in it that were not admissible.
    pub fn of(game: &Trajectory, invalid: usize) -> Option<Self> {
        if game.success() {
            return None;
        }
        let steps = game.steps.len();
        let mut before = game.observation.as_str();
        let mut seen = HashSet::new();
        let (mut again, mut idle) = (0, 0);
        for step in &game.steps {
            again += usize::from(!seen.insert((before, step.action.as_str())));
            idle += usize::from(step.observation.starts_with("Nothing happens"));
            before = &step.observation;
        }
        if steps > 0 && 2 * idle.max(invalid) >= steps {
            return Some(Self::Refused);
        }
        if steps > 0 && 2 * again >= steps {
            return Some(Self::Loop);
        }
        // What is taken and put is known of households alone.
        let is_read = ["household", "alfworld"].contains(&game.suite.as_str());
        let Some(goal) = Goal::of(&game.task).filter(|_| is_read) else {
            let ended = game.steps.last().is_some_and(|step| step.done && !step.truncated);
            return Some(if ended { Self::Short } else { Self::Unfinished });
        };
        Some(Self::by_hand(game, &goal))
    }

    /// By what was taken and put.
    fn by_hand(game: &Trajectory, goal: &Goal) -> Self {
        let is_sought = |thing: &str| thing.eq_ignore_ascii_case(&goal.thing);
        let mut taken: Option<&str> = None;
        let mut misplaced = false;
        for step in game.steps.iter().filter(|step| !step.observation.starts_with("Nothing")) {
            match Act::of(&step.action) {
                Act::Take((thing, _), _) => {
                    taken = Some(thing);
                    misplaced = false;
                }
                Act::Put((thing, _), (place, _)) => {
                    misplaced = is_sought(thing)
                        && goal
                            .place
                            .as_ref()
                            .is_some_and(|home| !home.eq_ignore_ascii_case(place));
                }
                _ => {}
            }
        }
        match taken {
            None => Self::NothingTaken,
            Some(thing) if !is_sought(thing) => Self::WrongThing,
            Some(_) if misplaced => Self::WrongPlace,
            Some(_) => Self::Unfinished,
        }
    }
}

#[cfg(test)]
#[path = "failures_tests.rs"]
mod tests;
