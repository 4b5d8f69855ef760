//! A part of a split, drawn by instance.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::instance;
use crate::digest;
use crate::error::{Error, Result};

/// A share of a split's tasks. Whether a task belongs to it follows from its instance and the seed
/// alone: near copies (ALFWorld's trials of one task in one room) are in it together or not at all,
/// a smaller share of a seed is part of every larger one, and what else is there changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Above 0, and 1 at most: the chance of an instance to be in it.
    pub of: f64,
    /// The draw.
    pub seed: u64,
}

/// It is never NaN: [`Share::check`] refuses that.
impl Eq for Share {}

impl Share {
    /// Whether a task is in it.
    pub fn holds(&self, suite: &str, task_id: &str) -> bool {
        let name = instance(suite, task_id).unwrap_or(task_id);
        let seed = self.seed.to_string();
        self.of >= 1.0 || digest::is_within(digest::of(["share", &seed, suite, name]), self.of)
    }

    /// Refuses shares that mean nothing.
    pub fn check(&self) -> Result<()> {
        if self.of > 0.0 && self.of <= 1.0 {
            return Ok(());
        }
        Err(Error::new(format!("a share of {}", self.of)).hint("above 0, at most 1"))
    }

    /// In words: `1/8` where it is such a part.
    pub fn name(of: f64) -> String {
        let parts = (1.0 / of).round();
        match of {
            _ if (of - 1.0).abs() < 1e-9 => "all".into(),
            _ if (1.0 / parts - of).abs() < 1e-9 => format!("1/{parts:.0}"),
            _ => format!("{of}"),
        }
    }
}

impl fmt::Display for Share {
    /// As it is typed: `1/8@3` is an eighth, by the seed 3.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", Self::name(self.of), self.seed)
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hint = || format!("`{text}` is no share: 1/8, 0.125, 1/8@3 (by the seed 3), all");
        let (of, seed) = text.split_once('@').unwrap_or((text, "1"));
        let number = |text: &str| text.trim().parse::<f64>().ok();
        let of = match of.split_once('/') {
            _ if of.trim() == "all" => Some(1.0),
            Some((part, whole)) => number(part).zip(number(whole)).map(|(x, y)| x / y),
            None => number(of),
        };
        let seed = seed.trim().parse().map_err(|_| hint())?;
        let share = Self { of: of.ok_or_else(hint)?, seed };
        share.check().map(|()| share).map_err(|_| hint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(n: usize) -> String {
        format!("train/look_at_obj_in_light-Thing{n}-None-DeskLamp-301")
    }

    #[test]
    fn copies_go_together_and_a_smaller_share_is_part_of_a_larger_one() {
        let share = |of: f64, seed: u64| {
            move |n: &usize| Share { of, seed }.holds("alfworld", &format!("{}/trial_1", group(*n)))
        };
        let all = 0..4000;
        let eighth: Vec<usize> = all.clone().filter(share(0.125, 7)).collect();
        let half: Vec<usize> = all.clone().filter(share(0.5, 7)).collect();
        assert!((430..570).contains(&eighth.len()), "{}", eighth.len());
        assert!(eighth.iter().all(|n| half.contains(n)));
        assert_eq!(all.clone().filter(share(1.0, 7)).count(), 4000);
        // Another seed draws another part: an eighth of an eighth is in both.
        let other: Vec<usize> = all.filter(share(0.125, 8)).collect();
        let both = eighth.iter().filter(|n| other.contains(n)).count();
        assert!((30..110).contains(&both), "{both}");
        for n in 0..200 {
            let holds = |trial: usize| {
                let id = format!("{}/trial_{trial}", group(n));
                Share { of: 0.3, seed: 1 }.holds("alfworld", &id)
            };
            assert_eq!(holds(1), holds(2));
        }
        assert_eq!(Share::name(0.125), "1/8");
        assert_eq!(Share::name(1.0), "all");
        assert_eq!(Share::name(0.3), "0.3");
        for (text, of, seed) in
            [("1/8", 0.125, 1), ("0.3@9", 0.3, 9), ("all@2", 1.0, 2), ("1/3@4", 1.0 / 3.0, 4)]
        {
            let share: Share = text.parse().unwrap();
            assert_eq!(share, Share { of, seed });
            assert_eq!(share.to_string().parse(), Ok(share));
        }
        for odd in ["", "0", "-1", "2", "nan", "1/0", "1/8@", "x", "1/8@-1"] {
            assert!(odd.parse::<Share>().is_err(), "{odd}");
        }
    }
}
