//! Two ways of playing held against each other on the games that both played.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::experience::{at_least, wilson};
use crate::rng::Rng;
use crate::store::{EvalRow, Store};

/// Resampled data sets for an interval.
const DRAWS: usize = 10_000;

/// What two evaluations, or as many of each kind as there are seeds, say about each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Paired {
    /// The evaluations of each side, paired in this order.
    pub a: Vec<i64>,
    /// The other side.
    pub b: Vec<i64>,
    /// Games that both of every pair played.
    pub games: usize,
    /// Games that only one of a pair played: they count for nothing here.
    pub unpaired: usize,
    /// Pairs of games.
    pub pairs: usize,
    /// Pairs that both won.
    pub both: usize,
    /// Pairs that only the first won.
    pub only_a: usize,
    /// Pairs that only the second won.
    pub only_b: usize,
    /// Pairs that neither won.
    pub neither: usize,
    /// Success rate of the second less that of the first.
    pub difference: f64,
    /// 95 % interval of the difference. Of one pair of evaluations Newcombe's score interval for
    /// paired proportions (method 10), which has a width also where all games agree; of several,
    /// percentiles of 10,000 resamplings of games and of the pairs: what a seed does is as much
    /// chance as which games were drawn.
    pub interval: (f64, f64),
    /// The difference of each pair of evaluations.
    pub each: Vec<f64>,
    /// Two-sided exact McNemar test of the pairs that differ; none with several pairs of
    /// evaluations, whose pairs of one game are not independent.
    pub p: Option<f64>,
}

/// Compares evaluations `a` with `b`, the first with the first and so on.
pub fn paired(store: &Store, a: &[i64], b: &[i64]) -> Result<Paired> {
    if a.is_empty() || a.len() != b.len() {
        return Err(Error::new(format!(
            "{} evaluations cannot be paired with {}",
            a.len(),
            b.len()
        ))
        .hint("name as many of each, like --compare 1,3 2,4"));
    }
    let mut named: Vec<i64> = [a, b].concat();
    named.sort_unstable();
    named.dedup();
    if named.len() < a.len() + b.len() {
        return Err(
            Error::new("an evaluation is named twice").hint("each counts once, on one side")
        );
    }
    // By game, the pairs of evaluations that both played it, and who won.
    let mut outcomes: BTreeMap<String, Vec<(usize, bool, bool)>> = BTreeMap::new();
    let mut each = Vec::new();
    let mut unpaired = 0;
    for (pair, (a, b)) in a.iter().zip(b).enumerate() {
        let (row_a, games_a) = store.evaluation(*a)?;
        let (row_b, games_b) = store.evaluation(*b)?;
        comparable(&row_a, &row_b)?;
        let won: BTreeMap<&str, bool> =
            games_a.iter().map(|game| (game.task_id.as_str(), game.success)).collect();
        let common: Vec<(&str, bool, bool)> = games_b
            .iter()
            .filter_map(|game| {
                Some((game.task_id.as_str(), *won.get(game.task_id.as_str())?, game.success))
            })
            .collect();
        if common.is_empty() {
            return Err(Error::new(format!("evaluations {a} and {b} have no game in common"))
                .hint("evaluate both with the same --split, --games and --games-seed"));
        }
        unpaired += games_a.len() + games_b.len() - 2 * common.len();
        let sum: i64 = common.iter().map(|(_, a, b)| i64::from(*b) - i64::from(*a)).sum();
        each.push(sum as f64 / common.len() as f64);
        for (task, a, b) in common {
            outcomes.entry(task.to_string()).or_default().push((pair, a, b));
        }
    }
    let all: Vec<(bool, bool)> = outcomes.values().flatten().map(|(_, a, b)| (*a, *b)).collect();
    let count = |which: (bool, bool)| all.iter().filter(|pair| **pair == which).count();
    let only_a = count((true, false));
    let only_b = count((false, true));
    let games: Vec<Vec<(usize, f64)>> = outcomes
        .values()
        .map(|pairs| {
            pairs.iter().map(|(pair, a, b)| (*pair, f64::from(*b) - f64::from(*a))).collect()
        })
        .collect();
    Ok(Paired {
        a: a.to_vec(),
        b: b.to_vec(),
        games: games.len(),
        unpaired,
        pairs: all.len(),
        both: count((true, true)),
        only_a,
        only_b,
        neither: count((false, false)),
        difference: (only_b as f64 - only_a as f64) / all.len() as f64,
        interval: if a.len() == 1 {
            newcombe([count((true, true)), only_a, only_b, count((false, false))])
        } else {
            bootstrap(&games, a.len())
        },
        each,
        p: (a.len() == 1).then(|| mcnemar(only_a, only_b)),
    })
}

/// Refuses to compare what was not played alike.
fn comparable(a: &EvalRow, b: &EvalRow) -> Result<()> {
    let differs = |what: &str, x: String, y: String| {
        Err(Error::new(format!("evaluations {} and {} differ in {what}: {x} and {y}", a.id, b.id))
            .hint(
                "evaluate both alike; only what plays, its seed and whether it thinks may differ",
            ))
    };
    if (&a.suite, &a.split) != (&b.suite, &b.split) {
        return differs(
            "suite or split",
            format!("{}/{}", a.suite, a.split),
            format!("{}/{}", b.suite, b.split),
        );
    }
    for (what, x, y) in [
        ("temperature", a.temperature.map(|t| t.to_string()), b.temperature.map(|t| t.to_string())),
        ("step limit", a.step_limit.map(|n| n.to_string()), b.step_limit.map(|n| n.to_string())),
        ("what may be played", a.restriction.clone(), b.restriction.clone()),
        ("repeats", Some(repeats(a)), Some(repeats(b))),
    ] {
        if x != y {
            let said = |value: Option<String>| value.unwrap_or_else(|| "not recorded".into());
            return differs(what, said(x), said(y));
        }
    }
    Ok(())
}

/// What older programs did not write down they did not do.
fn repeats(eval: &EvalRow) -> String {
    let left_out = eval.no_repeat == Some(true);
    if left_out { "left out" } else { "as they come" }.to_string()
}

/// The interval of the difference of two shares of the same games, the second less the first, by
/// Newcombe's method 10 (Statistics in Medicine 17, 2635, 1998): Wilson's intervals of both, put
/// together with how the games go along. Counts are of games that both won, only the first, only
/// the second, neither.
fn newcombe(counts: [usize; 4]) -> (f64, f64) {
    let [both, first, second, neither] = counts.map(|n| n as f64);
    let n = both + first + second + neither;
    let share = |won: f64| {
        let (low, high) = wilson(won as u64, n as u64);
        (won / n, low, high)
    };
    let (a, a_low, a_high) = share(both + first);
    let (b, b_low, b_high) = share(both + second);
    let margins = (both + first) * (second + neither) * (both + second) * (first + neither);
    let product = both * neither - first * second;
    // With a correction for few games where they go along.
    let product = if product > 0.0 { (product - n / 2.0).max(0.0) } else { product };
    let along = if margins > 0.0 { product / margins.sqrt() } else { 0.0 };
    let width = |x: f64, y: f64| (x * x - 2.0 * along * x * y + y * y).max(0.0).sqrt();
    let low = (b - a) - width(b - b_low, a_high - a);
    let high = (b - a) + width(b_high - b, a - a_low);
    (low.max(-1.0), high.min(1.0))
}

/// Percentiles 2.5 and 97.5 of the mean difference over resampled games and pairs of evaluations; a
/// game is the differences in it, each with its pair's number.
fn bootstrap(games: &[Vec<(usize, f64)>], pairs: usize) -> (f64, f64) {
    bootstrap_of(games, pairs, DRAWS)
}

fn bootstrap_of(games: &[Vec<(usize, f64)>], pairs: usize, draws: usize) -> (f64, f64) {
    let mut rng = Rng::stream(1, "bootstrap");
    let mut means: Vec<f64> = (0..draws)
        .map(|_| {
            // How often each pair of evaluations was drawn.
            let mut drawn = vec![0.0; pairs];
            (0..pairs).for_each(|_| drawn[rng.below(pairs)] += 1.0);
            let mut sum = 0.0;
            let mut count = 0.0;
            for _ in 0..games.len() {
                for (pair, difference) in &games[rng.below(games.len())] {
                    sum += drawn[*pair] * difference;
                    count += drawn[*pair];
                }
            }
            if count > 0.0 { sum / count } else { 0.0 }
        })
        .collect();
    means.sort_by(f64::total_cmp);
    (means[draws * 25 / 1000], means[draws * 975 / 1000])
}

/// The two-sided exact test that of `a + b` fair coins as few or fewer fall on the rarer side.
fn mcnemar(a: usize, b: usize) -> f64 {
    (2.0 * at_least(a.max(b) as u64, (a + b) as u64, 0.5)).min(1.0)
}

#[cfg(test)]
#[path = "paired_tests.rs"]
mod tests;
