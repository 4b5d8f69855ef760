//! Shares of rows whose scores come a span of keys at a time.

use super::panels::{PANEL, Terms};
use super::{exp, kernel, largest_of};

/// The softmax of some rows so far.
#[derive(Debug)]
pub struct OnlineSoftmax {
    /// The largest score of each row.
    tops: Vec<f32>,
    /// The sum of each row's exponentials, as distances from its largest.
    sums: Vec<f32>,
}

/// Lower than every score that is seen, and finite: a row that sees nothing of a span takes nothing
/// from it.
const LOWEST: f32 = -1e30;

impl OnlineSoftmax {
    /// For so many rows.
    pub fn new(rows: usize) -> Self {
        Self { tops: vec![LOWEST; rows], sums: vec![0.0; rows] }
    }

    /// Turns scores of a span of `keys`, `[panels of keys, rows]`, into exponentials, also key by
    /// key (`shares`, `[keys, rows]`), and puts what was mixed with earlier ones, `[panels, rows]`,
    /// on the same footing.
    pub fn take(
        &mut self,
        scores: &mut [Terms],
        keys: usize,
        mixed: &mut [Terms],
        shares: &mut Vec<f32>,
    ) {
        take(self, scores, keys, mixed);
        let rows = self.tops.len();
        shares.clear();
        for (panel, first) in scores.chunks_exact(rows).zip((0..keys).step_by(PANEL)) {
            for key in 0..PANEL.min(keys - first) {
                shares.extend(panel.iter().map(|scores| scores.0[key]));
            }
        }
    }

    /// What a row's mix is to be divided by.
    pub fn sum(&self, row: usize) -> f32 {
        self.sums[row]
    }
}

kernel! {
fn take<'a>(
    softmax: &'a mut OnlineSoftmax,
    scores: &'a mut [Terms],
    keys: usize,
    mixed: &'a mut [Terms],
) -> () {
    let rows = softmax.tops.len();
    // Keys that only fill up the last panel are no keys.
    for scores in scores.iter_mut().rev().take(if keys.is_multiple_of(PANEL) { 0 } else { rows }) {
        scores.0[keys % PANEL..].fill(f32::NEG_INFINITY);
    }
    for row in 0..rows {
        let mut tops = [softmax.tops[row]; PANEL];
        for scores in scores[row..].iter().step_by(rows) {
            for (top, score) in tops.iter_mut().zip(&scores.0) {
                *top = if *score > *top { *score } else { *top };
            }
        }
        let top = largest_of::<PANEL>(&tops);
        let before = exp(softmax.tops[row] - top);
        softmax.tops[row] = top;
        for mixed in mixed[row..].iter_mut().step_by(rows) {
            mixed.0.iter_mut().for_each(|value| *value *= before);
        }
        let mut sums = [0.0; PANEL];
        for scores in scores[row..].iter_mut().step_by(rows) {
            for (score, sum) in scores.0.iter_mut().zip(&mut sums) {
                // What is hidden has no share, also where nothing else was seen so far.
                *score = if *score > LOWEST { exp(*score - top) } else { 0.0 };
                *sum += *score;
            }
        }
        softmax.sums[row] = softmax.sums[row] * before + sums.iter().sum::<f32>();
    }
}
}
