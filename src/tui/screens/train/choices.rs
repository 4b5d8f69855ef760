//! Train, what there is to be trained on, as the form says it.

use crate::store::PoolCount;
use crate::text::clean;
use crate::tui::text::grouped;

/// What the form can choose from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Choices {
    /// Suites and splits with demonstrations, and how many.
    pub origins: Vec<(String, String, u64)>,
    /// Who demonstrated in the chosen ones, and how often.
    pub experts: Vec<(String, u64)>,
    /// The pools of alternatives there.
    pub pools: Vec<PoolCount>,
}

impl Choices {
    /// The splits of a suite, with what was collected on them.
    pub fn splits_of(&self, suite: &str) -> String {
        let there = self.origins.iter().filter(|(name, ..)| name == suite);
        let each: Vec<String> =
            there.map(|(_, split, n)| format!("{} {}", clean(split), grouped(*n))).collect();
        if each.is_empty() { "nothing collected".into() } else { each.join(", ") }
    }

    /// Who demonstrated.
    pub fn who(&self) -> String {
        let each: Vec<String> = self
            .experts
            .iter()
            .map(|(name, n)| format!("{} {}", clean(name), grouped(*n)))
            .collect();
        each.join(", ")
    }

    /// The pools, where their alternatives came from, and how many there are.
    pub fn drawn(&self) -> String {
        let each = self.pools.iter().map(|count| {
            let by = match count.model.as_str() {
                "" => String::new(),
                model => format!(", asking {}", clean(model)),
            };
            format!("{}: {} {}{by}", clean(&count.pool), grouped(count.count), clean(&count.source))
        });
        let each: Vec<String> = each.collect();
        if each.is_empty() { "none there".into() } else { each.join("; ") }
    }
}
