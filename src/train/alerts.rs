//! What curves say that a person should know: not a number, divergence, plateau, overfitting.
//!
//! A run with stages optimises something else in each, so curves are held against themselves within a stage only, and
//! what a stage does not train may rise in it as it will.

use super::Stage;
use super::examples::TARGETS;
use crate::error::Result;
use crate::store::MetricPoint;

/// Sentences about a run, each with what to do. `metric` gives a curve of the run by its name, by update.
pub fn alerts(metric: impl Fn(&str) -> Result<Vec<MetricPoint>>, stages: &[Stage]) -> Result<Vec<String>> {
    let mut said = Vec::new();
    let loss = metric("loss")?;
    let missing = loss.iter().filter(|point| point.value.is_none()).count();
    if missing > 0 {
        said.push(format!(
            "the loss was not a number {missing} times: lower the rate, then resume from the last checkpoint"
        ));
    }
    let last = loss.last().map_or(0, |point| point.step);
    // The stage that the newest update belongs to: its updates are numbered from the one after `begin`.
    let mut begin = 0;
    let mut present = None;
    for stage in stages {
        present = Some(stage);
        if last <= begin + stage.updates {
            break;
        }
        begin += stage.updates;
    }
    let within =
        |points: Vec<MetricPoint>| -> Vec<MetricPoint> { points.into_iter().filter(|point| point.step > begin).collect() };
    said.extend(of_loss(&smoothed(&within(loss))));
    for (kind, name) in TARGETS {
        if present.is_some_and(|stage| stage.mixture.of(kind) == 0.0) {
            continue;
        }
        let valid = within(metric(&format!("valid_{name}"))?);
        let valid: Vec<f64> = valid.iter().filter_map(|point| point.value).collect();
        if let (Some(last), true) = (valid.last(), valid.len() >= 3) {
            let best = valid.iter().copied().fold(f64::INFINITY, f64::min);
            if *last > 1.05 * best {
                said.push(format!(
                    "overfitting: on held-out trajectories {name} tokens cost {best:.3} and cost {last:.3} now: use an \
                     earlier checkpoint"
                ));
            }
        }
    }
    Ok(said)
}

fn of_loss(smooth: &[f64]) -> Vec<String> {
    let mut said = Vec::new();
    if let (Some(last), true) = (smooth.last(), smooth.len() >= 30) {
        let best = smooth.iter().copied().fold(f64::INFINITY, f64::min);
        if *last > 1.5 * best + 0.05 {
            said.push(format!("diverging: the loss was {best:.3} and is {last:.3}: stop, lower the rate"));
        }
    }
    let third = smooth.len() / 3;
    if smooth.len() >= 150 {
        let then = smooth[smooth.len() - third];
        let now = smooth[smooth.len() - 1];
        if then > 0.0 && (then - now).abs() < 0.01 * then {
            said.push("plateau: the loss has not moved by 1 % over the last third: evaluate, then stop or add data".into());
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
mod tests {
    use super::*;
    use crate::train::Mixture;

    fn curve(from: u64, values: impl Iterator<Item = f64>) -> Vec<MetricPoint> {
        let point = |(i, value): (usize, f64)| MetricPoint {
            step: from + i as u64 + 1,
            value: Some(value).filter(|v| v.is_finite()),
            wall_ms: 0,
            tokens: None,
        };
        values.enumerate().map(point).collect()
    }

    fn stage(updates: u64, mixture: Mixture) -> Stage {
        Stage { name: "stage".into(), updates, mixture, trees: 10 }
    }

    fn said(curves: &[(&str, Vec<MetricPoint>)], stages: &[Stage]) -> Vec<String> {
        let metric = |name: &str| {
            Ok(curves.iter().find(|(known, _)| *known == name).map(|(_, points)| points.clone()).unwrap_or_default())
        };
        alerts(metric, stages).unwrap()
    }

    #[test]
    fn each_alert_has_its_curve_and_a_healthy_run_has_none() {
        let one = [stage(400, Mixture::IMITATION)];
        let healthy = curve(0, (0..200).map(|i| 2.0 * (-0.02 * f64::from(i)).exp()));
        let valid = |values: [f64; 3]| ("valid_action", curve(0, values.into_iter()));
        assert!(said(&[("loss", healthy.clone()), valid([1.0, 0.9, 0.8])], &one).is_empty());
        let says = |curves: &[(&str, Vec<MetricPoint>)], word: &str| {
            let said = said(curves, &one);
            assert!(said.iter().any(|text| text.contains(word)), "{word}: {said:?}");
        };
        says(&[("loss", curve(0, (0..60).map(|i| 0.5 + f64::from(i) * 0.05)))], "diverging");
        says(&[("loss", curve(0, (0..200).map(|_| 0.7)))], "plateau");
        says(&[("loss", healthy), valid([0.5, 0.4, 0.6])], "overfitting");
        says(&[("loss", curve(0, [1.0, f64::NAN].into_iter()))], "not a number");
    }

    #[test]
    fn a_healthy_run_of_two_stages_has_no_alert_in_either() {
        // Next states cost 0.17 nats a token at the end of the first stage, actions 0.45 at the beginning of the second,
        // where next states are forgotten a little; in the first, actions became dearer.
        let stages = [stage(60, Mixture::WORLD), stage(60, Mixture::IMITATION)];
        let world = curve(0, (0..60).map(|i| 0.17 + 1.0 * (-0.1 * f64::from(i)).exp()));
        let action = [0.5, 0.55, 0.6, 0.4, 0.38, 0.35];
        let observation = [0.4, 0.3, 0.2, 0.25, 0.26, 0.27];
        let valid = |values: [f64; 6]| -> Vec<MetricPoint> {
            values.iter().enumerate().flat_map(|(i, value)| curve(20 * i as u64 + 19, std::iter::once(*value))).collect()
        };
        let mut loss = world.clone();
        loss.extend(curve(60, (0..60).map(|i| 0.35 + 0.1 * (-0.1 * f64::from(i)).exp())));
        for until in [30, 60, 61, 95, 120] {
            let cut = |points: Vec<MetricPoint>| points.into_iter().filter(|p| p.step <= until).collect::<Vec<_>>();
            let curves = [
                ("loss", cut(loss.clone())),
                ("valid_action", cut(valid(action))),
                ("valid_observation", cut(valid(observation))),
            ];
            assert_eq!(said(&curves, &stages), Vec::<String>::new(), "after {until} updates");
        }
        let worse = [0.5, 0.55, 0.6, 0.35, 0.38, 0.45];
        let curves = [("loss", loss), ("valid_action", valid(worse))];
        assert!(said(&curves, &stages)[0].contains("overfitting"), "what the second stage trains is watched in it");
    }
}
