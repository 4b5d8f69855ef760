//! What is tested on is apart from what is trained on.

use std::collections::{BTreeMap, HashSet};

use super::jobs::{Job, Task};
use crate::env::Suite;
use crate::error::{Error, Result};

/// Refuses a study that would test on games it trains on.
pub fn check(suite: &dyn Suite, jobs: &[Job]) -> Result<()> {
    let mut trained: BTreeMap<&str, HashSet<String>> = BTreeMap::new();
    let mut tested: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let tasks = |split: &str| -> Result<Vec<String>> {
        Ok(suite.tasks(split)?.into_iter().map(|task| task.id).collect())
    };
    for job in jobs {
        let Task::Test { cell, test } = &job.task else { continue };
        let split = cell.data.split.as_str();
        if !trained.contains_key(split) {
            trained.insert(split, tasks(split)?.into_iter().collect());
        }
        if !tested.contains_key(test.split.as_str()) {
            tested.insert(&test.split, tasks(&test.split)?);
        }
        let both = tested[test.split.as_str()].iter().find(|id| trained[split].contains(*id));
        if let Some(id) = both {
            return Err(Error::new(format!(
                "{} is trained on and {} is tested on, and both have the game {id}",
                split, test.split
            ))
            .hint("test on another split: of ALFWorld train on other_rooms, test on new_rooms"));
        }
    }
    Ok(())
}
