//! The calls of a model among spans.

use std::collections::{HashMap, HashSet};

use super::attributes::Span;
use super::parts::{Said, key, said};
use super::tied::Family;
use crate::budget;
use crate::error::Result;

/// A call, with what it says.
pub(super) struct Call<'a> {
    pub span: &'a Span,
    /// See [`Said`].
    pub said: Said,
    /// What each message that was asked says, and the answer.
    pub keys: Vec<u64>,
}

/// The calls of these spans, of those that say an answer.
pub(super) fn calls<'a>(spans: impl Iterator<Item = &'a Span>) -> Result<Vec<Call<'a>>> {
    let mut found = Vec::new();
    for span in spans {
        budget::cancel().check()?;
        let Some(said) = said(span).map_err(|error| error.at(&span.place))? else { continue };
        let keys = said.asked.iter().chain([&said.answer]).map(key).collect();
        found.push(Call { span, said, keys });
    }
    Ok(found)
}

/// Leaves out what is told twice over one another: a framework and the library that it calls may say the same, and a
/// span may have the beginning and the end of what the calls within it say in full.
pub(super) fn once<'a>(calls: Vec<Call<'a>>, family: &Family) -> Vec<Call<'a>> {
    let of: HashMap<usize, usize> =
        calls.iter().enumerate().filter_map(|(n, call)| Some((family.at(call.span)?, n))).collect();
    let mut left_out = HashSet::new();
    for (n, call) in calls.iter().enumerate() {
        let Some(over) = family.over(call.span).find_map(|at| of.get(&at).copied()) else {
            continue;
        };
        let keys = &calls[over].keys;
        if keys.last() == call.keys.last() {
            left_out.insert(if *keys == call.keys { n } else { over });
        }
    }
    let all = calls.into_iter().enumerate();
    all.filter(|(n, _)| !left_out.contains(n)).map(|(_, call)| call).collect()
}
