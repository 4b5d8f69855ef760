//! A suite of which only some kinds of task are wanted.

use super::{Opened, Suite, TaskRef};
use crate::error::{Error, Result};

/// The tasks of these kinds; none named are all.
pub struct OfKinds<'a> {
    /// The suite.
    pub suite: &'a dyn Suite,
    /// The kinds.
    pub kinds: &'a [String],
}

impl Suite for OfKinds<'_> {
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
        let wanted = |task: &TaskRef| self.kinds.is_empty() || self.kinds.contains(&task.kind);
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
