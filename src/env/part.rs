//! Parts of a split for several processes that work at once, each of which then meets tasks of its own.

use std::fmt;
use std::str::FromStr;

use crate::digest;

/// One of some parts that have no task in common and are all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Which, from 1.
    at: u64,
    /// Of how many.
    of: u64,
}

impl Part {
    /// Whether a task is in it.
    pub fn holds(self, suite: &str, task_id: &str) -> bool {
        digest::of(["part", suite, task_id]) % self.of == self.at - 1
    }
}

impl fmt::Display for Part {
    /// As it is typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.at, self.of)
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let parts = text.split_once('/').and_then(|(at, of)| Some((number(at)?, number(of)?)));
        match parts {
            Some((at, of)) if (1..=10_000).contains(&of) && (1..=of).contains(&at) => {
                Ok(Self { at, of })
            }
            _ => Err(format!("`{text}` is no part: 2/4 is the second of four")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_in_one_part() {
        let parts: Vec<Part> = (1..=4).map(|at| format!("{at}/4").parse().unwrap()).collect();
        let mut sizes = [0; 4];
        for task in 0..4000 {
            let id = format!("train/{task}");
            let of: Vec<usize> = (0..4).filter(|i| parts[*i].holds("household", &id)).collect();
            let [own] = of[..] else { panic!("{id} is in {of:?}") };
            sizes[own] += 1;
        }
        assert!(sizes.iter().all(|size| (900..1100).contains(size)), "{sizes:?}");
        for odd in ["", "2", "0/4", "5/4", "1/0", "a/b", "1/20000", "1/2/3"] {
            assert!(odd.parse::<Part>().is_err(), "{odd}");
        }
        assert_eq!("2/4".parse::<Part>().unwrap().to_string(), "2/4");
    }
}
