//! A suite of which only some tasks are wanted.

use std::collections::HashSet;

use super::{Opened, Part, Suite, TaskRef};
use crate::error::{Error, Result};

/// The tasks of these kinds (none named are all), of a list, and of a part.
pub struct Only<'a> {
    /// The suite.
    pub suite: &'a dyn Suite,
    /// The kinds.
    pub kinds: &'a [String],
    /// The names of the only ones, each of which must be there.
    pub tasks: Option<&'a [String]>,
    /// The part.
    pub part: Option<Part>,
}

impl<'a> Only<'a> {
    /// All of it.
    pub fn of(suite: &'a dyn Suite) -> Self {
        Self { suite, kinds: &[], tasks: None, part: None }
    }
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
                && self.part.is_none_or(|part| part.holds(self.name(), &task.id))
        };
        Ok(all.iter().filter(|task| wanted(task)).cloned().collect())
    }

    fn evaluated_on(&self) -> Option<String> {
        self.suite.evaluated_on()
    }

    fn repeats(&self) -> bool {
        self.suite.repeats()
    }

    fn is_part(&self) -> bool {
        !self.kinds.is_empty() || self.tasks.is_some() || self.part.is_some()
    }

    fn instances(&self) -> Option<usize> {
        self.suite.instances()
    }

    fn open(&self, id: &str) -> Result<Opened> {
        self.suite.open(id)
    }
}
