//! Which spans belong together, and which stand over which.

use std::collections::{HashMap, HashSet};

use super::attributes::Span;

/// Spans by what ties them (a trace, a conversation, an answer that is gone on from), each in order of time; one
/// that nothing ties to another is by itself.
pub(super) fn tied(mut spans: Vec<Span>) -> Vec<Vec<Span>> {
    // What was exported twice is one.
    let mut seen = HashSet::new();
    spans.retain(|span| span.id.is_none() || seen.insert((span.trace.clone(), span.id.clone())));
    // Each stands for itself, or points at one before it of the same.
    let mut same: Vec<usize> = (0..spans.len()).collect();
    let mut known: HashMap<String, usize> = HashMap::new();
    for (n, span) in spans.iter().enumerate() {
        for tie in span.ties() {
            let other = *known.entry(tie).or_insert(n);
            let (a, b) = (root(&mut same, n), root(&mut same, other));
            if let Some(one) = same.get_mut(a.max(b)) {
                *one = a.min(b);
            }
        }
    }
    let mut groups: Vec<Vec<Span>> = Vec::new();
    let mut places: HashMap<usize, usize> = HashMap::new();
    for (n, span) in spans.into_iter().enumerate() {
        let next = groups.len();
        let at = *places.entry(root(&mut same, n)).or_insert(next);
        if at == next {
            groups.push(Vec::new());
        }
        if let Some(group) = groups.get_mut(at) {
            group.push(span);
        }
    }
    for group in &mut groups {
        group.sort_by_key(|span| span.start);
    }
    groups
}

/// Who stands for it.
fn root(same: &mut [usize], mut at: usize) -> usize {
    while let Some(next) = same.get(at).copied().filter(|next| *next != at) {
        let over = same.get(next).copied().unwrap_or(next);
        if let Some(one) = same.get_mut(at) {
            *one = over; // half the way for who comes after
        }
        at = next;
    }
    at
}

/// The spans of a group by their ids.
pub(super) struct Family {
    /// Where each span stands, and which is over it.
    by_id: HashMap<String, (usize, Option<String>)>,
}

impl Family {
    pub fn of(spans: &[Span]) -> Self {
        let own = |(n, span): (usize, &Span)| Some((span.id.clone()?, (n, span.parent.clone())));
        Self { by_id: spans.iter().enumerate().filter_map(own).collect() }
    }

    /// Where one stands among the group's; not known of one without an id.
    pub fn at(&self, span: &Span) -> Option<usize> {
        self.by_id.get(span.id.as_ref()?).map(|(at, _)| *at)
    }

    /// The spans that one is within, the nearest first.
    pub fn over(&self, span: &Span) -> impl Iterator<Item = usize> {
        let mut next = span.parent.clone();
        // A span that is within itself ends the way.
        let mut left = self.by_id.len();
        std::iter::from_fn(move || {
            let (at, parent) = self.by_id.get(&next.take()?)?;
            left = left.checked_sub(1)?;
            next.clone_from(parent);
            Some(*at)
        })
    }
}
