//! Study, its lines: conditions, test sets, arms and comparisons, one below the other.

use crate::study::{ArmRow, Comparison, Condition, Cost, OnTest, Standing};

/// A line of a study.
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    /// What follows is of this condition.
    Condition(&'a Condition),
    /// What follows was played on this test set; the heads of the columns.
    Test(&'a OnTest),
    /// An arm on it.
    Arm {
        /// Under which condition.
        condition: &'a Condition,
        /// On which test set.
        test: &'a OnTest,
        /// The arm.
        arm: &'a ArmRow,
    },
    /// Two arms held against each other.
    Comparison {
        /// On which test set.
        test: &'a OnTest,
        /// What was found.
        one: &'a Comparison,
    },
    /// What an arm took.
    Cost(&'a Cost),
    /// Nothing.
    Blank,
}

impl Row<'_> {
    /// Whether the cursor stands on it.
    pub fn is_read(&self) -> bool {
        matches!(self, Self::Arm { .. } | Self::Comparison { .. })
    }
}

/// All lines of a study.
pub fn rows(study: &Standing) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for condition in &study.report.conditions {
        rows.push(Row::Condition(condition));
        for test in &condition.tests {
            rows.push(Row::Test(test));
            rows.extend(test.arms.iter().map(|arm| Row::Arm { condition, test, arm }));
            rows.extend(test.comparisons.iter().map(|one| Row::Comparison { test, one }));
            rows.push(Row::Blank);
        }
        rows.extend(condition.costs.iter().map(Row::Cost));
        rows.push(Row::Blank);
    }
    rows
}
