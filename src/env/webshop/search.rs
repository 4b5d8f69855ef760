//! The shop's search engine: BM25 as Anserini 0.14 and Lucene 8 compute it (k1 0.9, b 0.4), over one
//! field, with document lengths of a byte; equal scores by product number.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use super::analyzer::terms;
use crate::error::Result;

/// Results at most.
pub const MOST: usize = 50;

const K1: f32 = 0.9;
const B: f32 = 0.4;

/// The documents that have a term, in order, and how often each: the gap to the one before and the
/// count, seven bits a byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Postings {
    /// How many.
    pub documents: u32,
    /// As described.
    pub bytes: Vec<u8>,
    last: u32,
}

impl Postings {
    /// As they were kept.
    pub fn kept(documents: u32, bytes: Vec<u8>) -> Self {
        Self { documents, bytes, last: 0 }
    }

    fn push(&mut self, document: u32, times: u32) {
        for mut value in [document - self.last, times] {
            while value >= 0x80 {
                self.bytes.push(value as u8 | 0x80);
                value >>= 7;
            }
            self.bytes.push(value as u8);
        }
        self.documents += 1;
        self.last = document;
    }

    /// Documents and counts.
    fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        let mut bytes = self.bytes.iter();
        let mut next = move || {
            let mut value = 0u32;
            for shift in (0..35).step_by(7) {
                let byte = u32::from(*bytes.next()?);
                value |= (byte & 0x7f).checked_shl(shift)?;
                if byte < 0x80 {
                    return Some(value);
                }
            }
            None
        };
        let mut document = 0u32;
        std::iter::from_fn(move || {
            document = document.checked_add(next()?)?;
            Some((document, next()?))
        })
    }
}

/// Takes documents in their order.
#[derive(Debug, Default)]
pub struct Indexer {
    postings: HashMap<String, Postings>,
    lengths: Vec<u32>,
}

impl Indexer {
    /// The next document.
    pub fn add(&mut self, text: &str) {
        let number = self.lengths.len() as u32;
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        let mut length = 0;
        for term in terms(text) {
            length += 1;
            *counts.entry(term).or_default() += 1;
        }
        for (term, count) in counts {
            self.postings.entry(term).or_default().push(number, count);
        }
        self.lengths.push(length);
    }

    /// By term its documents; and of every document what its length takes of a term's count:
    /// `k1 (1 - b + b dl / avgdl)`.
    pub fn finish(self) -> (HashMap<String, Postings>, Vec<f32>) {
        let lengths = &self.lengths;
        let all: u64 = lengths.iter().map(|length| u64::from(*length)).sum();
        // Lucene counts documents that have the field, and a float of their mean length.
        let there = lengths.iter().filter(|length| **length > 0).count().max(1);
        let mean = (all as f64 / there as f64) as f32;
        let norm = |length: &u32| K1 * ((1.0 - B) + B * rounded(*length) as f32 / mean);
        let norms = lengths.iter().map(norm).collect();
        (self.postings, norms)
    }
}

/// The best documents for a query with their scores: `find` knows the documents of a term, `before`
/// says which of two equal ones comes first.
pub fn best<'a>(
    query: &str,
    norms: &[f32],
    find: impl Fn(&str) -> Result<Option<Cow<'a, Postings>>>,
    before: impl Fn(u32, u32) -> Ordering,
) -> Result<Vec<(u32, f32)>> {
    let mut wanted: BTreeMap<String, u32> = BTreeMap::new();
    for term in terms(query) {
        *wanted.entry(term).or_default() += 1;
    }
    let mut scores: Vec<f64> = vec![0.0; norms.len()];
    for (term, times) in &wanted {
        let Some(found) = find(term)? else { continue };
        let (all, have) = (norms.len() as f64, f64::from(found.documents));
        let idf = (1.0 + (all - have + 0.5) / (have + 0.5)).ln() as f32;
        let weight = *times as f32 * idf;
        for (document, count) in found.iter() {
            let document = document as usize;
            let (Some(score), Some(norm)) = (scores.get_mut(document), norms.get(document)) else {
                break; // a kept index that was cut
            };
            let count = f64::from(count);
            let share = (count / (count + f64::from(*norm))) as f32;
            *score += f64::from(weight * share);
        }
    }
    let mut hits: Vec<(u32, f32)> = scores
        .iter()
        .enumerate()
        .filter(|(_, score)| **score > 0.0)
        .map(|(document, score)| (document as u32, *score as f32))
        .collect();
    let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then_with(|| before(a.0, b.0));
    // Of a million products half a million have a common word.
    if hits.len() > MOST {
        hits.select_nth_unstable_by(MOST, order);
        hits.truncate(MOST);
    }
    hits.sort_unstable_by(order);
    Ok(hits)
}

/// A length as Lucene keeps it in a byte: exact up to 39, then four bits of it.
fn rounded(length: u32) -> u32 {
    const EXACT: u32 = 24;
    if length < EXACT {
        return length;
    }
    let rest = length - EXACT;
    let bits = 32 - rest.leading_zeros();
    if bits < 4 {
        return length;
    }
    let shift = bits - 4;
    EXACT + (rest >> shift << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postings_are_what_was_put_in_them_and_a_cut_end_is_no_document() {
        let mut postings = Postings::default();
        let all = [(0, 1), (1, 3), (127, 200), (70_000, 1), (1_180_000, 40_000)];
        for (document, times) in all {
            postings.push(document, times);
        }
        assert_eq!(postings.iter().collect::<Vec<_>>(), all);
        let cut = Postings::kept(5, postings.bytes[..postings.bytes.len() - 1].to_vec());
        assert_eq!(cut.iter().collect::<Vec<_>>(), all[..4]);
        assert_eq!(Postings::kept(1, vec![0xff; 9]).iter().count(), 0);
    }
}
