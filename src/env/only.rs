//! A suite of which only some tasks are wanted.

use std::collections::HashSet;

use super::{Opened, Suite, TaskRef};
use crate::error::{Error, Result};

/// The tasks of these kinds (none named are all), or those of a list.
pub struct Only<'a> {
    /// The suite.
    pub suite: &'a dyn Suite,
    /// The kinds.
    pub kinds: &'a [String],
    /// The names of the only ones, each of which must be there.
    pub tasks: Option<&'a [String]>,
}

impl Suite for Only<'_> {
    fn name(&self) -> &'static str {
        self.suite.name()
    }

    fn splits(&self) -> Vec<String> {
        self.suite.splits()
    }

    fn tasks(&self, split: &str) -> Result<Vec<TaskRef>> {
        let all = self.suite.tasks(split)?;
        let mut there: Vec<&str> = all.iter().map(|task| task.kind.as_str()).collect();
        there.sort_unstable();
        there.dedup();
        if let Some(odd) = self.kinds.iter().find(|kind| !there.contains(&kind.as_str())) {
            return Err(Error::usage(format!(
                "{} / {split} has no tasks of kind `{odd}`",
                self.name()
            ))
            .hint(format!("kinds there: {}", there.join(", "))));
        }
        let known: HashSet<&str> = all.iter().map(|task| task.id.as_str()).collect();
        if let Some(odd) =
            self.tasks.iter().copied().flatten().find(|id| !known.contains(id.as_str()))
        {
            return Err(Error::usage(format!("{} / {split} has no task `{odd}`", self.name()))
                .hint(format!(
                    "list them with: foretaste env list --suite {} --split {split}",
                    self.name()
                )));
        }
        let listed: Option<HashSet<&String>> = self.tasks.map(|tasks| tasks.iter().collect());
        let wanted = |task: &TaskRef| {
            (self.kinds.is_empty() || self.kinds.contains(&task.kind))
                && listed.as_ref().is_none_or(|listed| listed.contains(&task.id))
        };
        Ok(all.iter().filter(|task| wanted(task)).cloned().collect())
    }

    fn evaluated_on(&self) -> Option<String> {
        self.suite.evaluated_on()
    }

    fn instances(&self) -> Option<usize> {
        self.suite.instances()
    }

    fn open(&self, id: &str) -> Result<Opened> {
        self.suite.open(id)
    }
}
