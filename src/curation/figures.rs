//! The curation in figures, and the queue as the rules see it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::judged;
use crate::error::Result;
use crate::experience::Verdict;
use crate::store::{Filter, KappaAgreement, Place, Queue, Statistics, Store};

/// Pending reflections that the rules are held against, for the figures.
const LOOKED_AT: usize = 500;

/// Where a curation stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// How many are pending, approved, rejected.
    pub verdict_counts: [u64; 3],
    /// What was decided so far.
    #[serde(flatten)]
    pub decided: Statistics,
    /// How first and second opinions agree.
    pub second_opinions: KappaAgreement,
    /// What rules point at.
    pub rules: Pointed,
}

/// What rules point at among pending reflections.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pointed {
    /// By code: at how many.
    pub counts: Vec<(String, usize)>,
    /// How many were looked at, the first of the queue.
    pub of: usize,
}

/// The figures of a store.
pub fn figures(store: &Store) -> Result<Figures> {
    Ok(Figures {
        verdict_counts: store.verdict_counts()?,
        decided: store.statistics()?,
        second_opinions: store.agreement()?,
        rules: pointed(store)?,
    })
}

/// How many pending reflections each rule points at.
pub fn pointed(store: &Store) -> Result<Pointed> {
    let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
    let queue = store.queue(&Filter::verdict(Some(Verdict::Pending)), Place::Start, LOOKED_AT)?;
    for item in &queue.items {
        let codes: BTreeSet<&str> =
            judged(store, item)?.findings.iter().map(|found| found.code).collect();
        for code in codes {
            *rules.entry(code).or_default() += 1;
        }
    }
    let counts = rules.into_iter().map(|(code, count)| (code.to_string(), count)).collect();
    Ok(Pointed { counts, of: queue.items.len() })
}

/// A page of the queue; under a filter by rules, what of the page they point at.
pub fn queue(store: &Store, filter: &Filter, place: Place, limit: usize) -> Result<Queue> {
    let mut queue = store.queue(filter, place, limit)?;
    if filter.suspected || filter.rule.is_some() {
        let mut kept = Vec::new();
        for item in queue.items {
            let found = judged(store, &item)?.findings;
            if found
                .iter()
                .any(|finding| filter.rule.as_deref().is_none_or(|code| finding.code == code))
            {
                kept.push(item);
            }
        }
        queue.items = kept;
    }
    Ok(queue)
}

impl Figures {
    /// As lines to be read.
    pub fn lines(&self) -> Vec<String> {
        let [pending, approved, rejected] = self.verdict_counts;
        let decided = &self.decided;
        let (states, covered) = decided.states;
        let mut lines = vec![
            format!(
                "{pending} pending, {approved} approved, {rejected} rejected: {} approved",
                share(approved, rejected).trim()
            ),
            format!(
                "{} edited by you, {} with another generated attempt",
                decided.edited, decided.regenerated
            ),
            format!(
                "{covered} of {states} states have an approved reflection; the others train as \
                 plain imitation"
            ),
        ];
        let second = self.second_opinions;
        if second.both > 0 {
            let kappa =
                second.kappa.map_or("undefined: one verdict is all there is".into(), |kappa| {
                    format!("{kappa:.2}")
                });
            let agree = share(second.same, second.both - second.same);
            lines.push(format!(
                "{} second opinions, {} the same; Cohen's kappa {kappa}",
                second.both,
                agree.trim()
            ));
        }
        let mut part = |title: String, rows: Vec<String>| {
            if !rows.is_empty() {
                lines.extend([String::new(), title].into_iter().chain(rows));
            }
        };
        for (title, rows) in
            [("By kind of task", &decided.kinds), ("By the expert's action", &decided.actions)]
        {
            let row = |(name, yes, no): &(String, u64, u64)| {
                format!("  {name:<28} {} of {:>4}", share(*yes, *no), yes + no)
            };
            part(title.into(), rows.iter().map(row).collect());
        }
        part(
            "Why rejected".into(),
            decided.reasons.iter().map(|(code, n)| format!("  {code:<28} {n:>4}")).collect(),
        );
        let Pointed { counts, of } = &self.rules;
        part(
            format!("What rules point at, of the first {of} pending (none is dropped)"),
            counts.iter().map(|(code, n)| format!("  {code:<28} {n:>4}")).collect(),
        );
        lines
    }
}

/// The share of those approved, in per cent.
fn share(yes: u64, no: u64) -> String {
    // All only where it is all.
    format!("{:>3} %", 100 * yes / (yes + no).max(1))
}
