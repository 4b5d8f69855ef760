//! What curves say that a person should know: not a number, divergence, plateau, overfitting.
//!
//! A run with stages optimises something else in each, so curves are held against themselves within
//! a stage only, and what a stage does not train may rise in it as it will.

use super::examples::TARGETS;
use super::figures::OF_LIST;
use super::{Objective, Stage, rl};
use crate::error::Result;
use crate::selection::LEAST_HELD_OUT;
use crate::store::MetricPoint;

/// Sentences about a run, each with what to do. `metric` gives a curve of the run by its name, by
/// update; `held_out` is how many games it is validated on: too few say nothing.
pub fn alerts(
    metric: impl Fn(&str) -> Result<Vec<MetricPoint>>,
    stages: &[Stage],
    held_out: usize,
) -> Result<Vec<String>> {
    let mut said = Vec::new();
    let loss = metric("loss")?;
    let missing = loss.iter().filter(|point| point.value.is_none()).count();
    if missing > 0 {
        said.push(format!(
            "the loss was not a number {missing} times: lower the rate, then resume from the last \
             checkpoint"
        ));
    }
    let last = loss.last().map_or(0, |point| point.step);
    // The stage that the newest update belongs to: its updates are numbered from the one after
    // `begin`.
    let mut begin = 0;
    let mut present = None;
    for stage in stages {
        present = Some(stage);
        if last <= begin + stage.updates {
            break;
        }
        begin += stage.updates;
    }
    // What a run that plays optimises says nothing by itself: its rollouts do.
    if present.is_some_and(|stage| stage.name == Objective::Rl.as_str()) {
        said.extend(rl::alerts::alerts(metric)?);
        return Ok(said);
    }
    let within = |points: Vec<MetricPoint>| -> Vec<MetricPoint> {
        points.into_iter().filter(|point| point.step > begin).collect()
    };
    let loss = within(loss);
    said.extend(of_the_first(&loss));
    said.extend(of_loss(&smoothed(&loss)));
    let acts = present.is_none_or(|stage| stage.mixture.action > 0.0);
    // By the measure that is optimised.
    let of_list = metric(OF_LIST)?;
    let by_list = !of_list.is_empty();
    let valid = if by_list { of_list } else { metric("valid_action")? };
    let what = if by_list { "a state's list" } else { "action tokens" };
    let start = acts.then(|| of_the_start(&valid, begin, held_out, what)).flatten();
    let was_best = start.is_some();
    said.extend(start);
    for (kind, name) in TARGETS {
        if present.is_some_and(|stage| stage.mixture.of(kind) == 0.0) {
            continue;
        }
        // No checkpoint is to be advised where none is better than the start.
        if name == "action" && was_best {
            continue;
        }
        let own = match name {
            "action" => valid.clone(),
            _ => metric(&format!("valid_{name}"))?,
        };
        let what = if name == "action" { what.to_string() } else { format!("{name} tokens") };
        let valid = within(own);
        let valid: Vec<f64> = valid.iter().filter_map(|point| point.value).collect();
        let enough = valid.len() >= 3 && held_out >= LEAST_HELD_OUT;
        if let (Some(last), true) = (valid.last(), enough) {
            let best = valid.iter().copied().fold(f64::INFINITY, f64::min);
            if *last > 1.05 * best {
                // Which is best is judged by actions; what else is learned is learned in too many
                // epochs, and an earlier checkpoint would lack the stage after it.
                let then = match name {
                    "action" => "use the checkpoint marked best",
                    _ => "next time fewer epochs of it, or more of it (games, K)",
                };
                said.push(format!(
                    "overfitting: on {held_out} held-out games {what} cost {best:.3} and {last:.3} \
                     now: {then}"
                ));
            }
        }
    }
    Ok(said)
}

/// A start that knew the held-out games' actions better than anything since a stage began that
/// trains them, after some validations.
fn of_the_start(valid: &[MetricPoint], begin: u64, held_out: usize, what: &str) -> Option<String> {
    let start = valid.first().filter(|point| point.step == 0)?.value?;
    let within = valid.iter().filter(|point| point.step > begin);
    let since: Vec<f64> = within.filter_map(|point| point.value).collect();
    let best = since.iter().copied().fold(f64::INFINITY, f64::min);
    let is_said = since.len() >= 3 && held_out >= LEAST_HELD_OUT && best > start;
    is_said.then(|| {
        format!(
            "no better than its start: on {held_out} held-out games {what} cost {start:.3} before \
             the first update and at least {best:.3} since: lower the rate, or add games \
             (unless the start was trained on those games)"
        )
    })
}

/// A loss that has left everything behind, from the second update on: no language model begins
/// above the logarithm of its vocabulary.
fn of_the_first(points: &[MetricPoint]) -> Option<String> {
    let values: Vec<f64> = points.iter().filter_map(|point| point.value).collect();
    let (first, last) = (*values.first()?, *values.last()?);
    (last > 3.0 * first.max(1.0) && values.len() < 30).then(|| {
        format!(
            "diverging: the loss began at {first:.3} and is {last:.3}: stop, lower the rate, and \
             do not start from its checkpoints"
        )
    })
}

fn of_loss(smooth: &[f64]) -> Vec<String> {
    let mut said = Vec::new();
    if let (Some(last), true) = (smooth.last(), smooth.len() >= 30) {
        let best = smooth.iter().copied().fold(f64::INFINITY, f64::min);
        if *last > 1.5 * best + 0.05 {
            said.push(format!(
                "diverging: the loss was {best:.3} and is {last:.3}: stop, lower the rate"
            ));
        }
    }
    let third = smooth.len() / 3;
    if smooth.len() >= 150 {
        let then = smooth[smooth.len() - third];
        let now = smooth[smooth.len() - 1];
        if then > 0.0 && (then - now).abs() < 0.01 * then {
            said.push(
                "plateau: the loss has not moved by 1 % over the last third: evaluate, then stop \
                 or add data"
                    .into(),
            );
        }
    }
    said
}

fn smoothed(points: &[MetricPoint]) -> Vec<f64> {
    let mut mean: Option<f64> = None;
    let values = points.iter().filter_map(|point| point.value);
    values
        .map(|value| {
            let next = mean.map_or(value, |m| 0.9 * m + 0.1 * value);
            mean = Some(next);
            next
        })
        .collect()
}

#[cfg(test)]
#[path = "alerts_tests.rs"]
mod tests;
