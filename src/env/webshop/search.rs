//! The shop's search engine: BM25 as Anserini 0.14 and Lucene 8 compute it (k1 0.9, b 0.4), over one
//! field, with document lengths of a byte; equal scores by product number.

use std::collections::{BTreeMap, HashMap};

use super::analyzer::terms;

/// Results at most.
pub const MOST: usize = 50;

const K1: f32 = 0.9;
const B: f32 = 0.4;

/// What is searched.
#[derive(Debug, Default)]
pub struct Index {
    /// By term, the documents that have it, and how often.
    postings: HashMap<String, Vec<(u32, u32)>>,
    /// What of a term's count its document's length takes: `k1 (1 - b + b dl / avgdl)`.
    norms: Vec<f32>,
}

impl Index {
    /// Of documents in their order.
    pub fn of<'a>(documents: impl Iterator<Item = &'a str>) -> Self {
        let mut postings: HashMap<String, Vec<(u32, u32)>> = HashMap::new();
        let mut lengths: Vec<u32> = Vec::new();
        for (number, text) in documents.enumerate() {
            let mut counts: BTreeMap<String, u32> = BTreeMap::new();
            let mut length = 0;
            for term in terms(text) {
                length += 1;
                *counts.entry(term).or_default() += 1;
            }
            for (term, count) in counts {
                postings.entry(term).or_default().push((number as u32, count));
            }
            lengths.push(length);
        }
        let all: u64 = lengths.iter().map(|length| u64::from(*length)).sum();
        // Lucene counts documents that have the field, and a float of their mean length.
        let there = lengths.iter().filter(|length| **length > 0).count().max(1);
        let mean = (all as f64 / there as f64) as f32;
        let norm = |length: &u32| K1 * ((1.0 - B) + B * rounded(*length) as f32 / mean);
        Self { postings, norms: lengths.iter().map(norm).collect() }
    }

    /// The best documents for a query with their scores; `before` says which of two equal ones
    /// comes first.
    pub fn search(
        &self,
        query: &str,
        before: impl Fn(u32, u32) -> std::cmp::Ordering,
    ) -> Vec<(u32, f32)> {
        let mut wanted: BTreeMap<String, u32> = BTreeMap::new();
        for term in terms(query) {
            *wanted.entry(term).or_default() += 1;
        }
        let mut scores: Vec<f64> = vec![0.0; self.norms.len()];
        for (term, times) in &wanted {
            let Some(found) = self.postings.get(term) else { continue };
            let (all, have) = (self.norms.len() as f64, found.len() as f64);
            let idf = (1.0 + (all - have + 0.5) / (have + 0.5)).ln() as f32;
            let weight = *times as f32 * idf;
            for (document, count) in found {
                let count = f64::from(*count);
                let norm = f64::from(self.norms[*document as usize]);
                let share = (count / (count + norm)) as f32;
                scores[*document as usize] += f64::from(weight * share);
            }
        }
        let mut hits: Vec<(u32, f32)> = scores
            .iter()
            .enumerate()
            .filter(|(_, score)| **score > 0.0)
            .map(|(document, score)| (document as u32, *score as f32))
            .collect();
        hits.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then_with(|| before(a.0, b.0)));
        hits.truncate(MOST);
        hits
    }
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
