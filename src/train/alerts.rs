//! What curves say that a person should know: not a number, divergence, plateau, overfitting.

use crate::store::MetricPoint;

/// Sentences about a run, each with what to do, from its loss and its validation loss.
pub fn alerts(loss: &[MetricPoint], valid: &[MetricPoint]) -> Vec<String> {
    let mut said = Vec::new();
    let missing = loss.iter().filter(|point| point.value.is_none()).count();
    if missing > 0 {
        said.push(format!(
            "the loss was not a number {missing} times: lower the rate, then resume from the last checkpoint"
        ));
    }
    let smooth = smoothed(loss);
    if let (Some(last), true) = (smooth.last(), smooth.len() >= 30) {
        let best = smooth.iter().copied().fold(f64::INFINITY, f64::min);
        if *last > 1.5 * best + 0.05 {
            said.push(format!("diverging: the loss was {best:.3} and is {last:.3}: stop, lower the rate"));
        }
    }
    let third = smooth.len() / 3;
    if smooth.len() >= 150 {
        let (then, now) = (smooth[smooth.len() - third], smooth[smooth.len() - 1]);
        if then > 0.0 && (then - now).abs() < 0.01 * then {
            said.push("plateau: the loss has not moved by 1 % over the last third: evaluate, then stop or add data".into());
        }
    }
    let valid: Vec<f64> = valid.iter().filter_map(|point| point.value).collect();
    if let (Some(last), true) = (valid.last(), valid.len() >= 3) {
        let best = valid.iter().copied().fold(f64::INFINITY, f64::min);
        if *last > 1.05 * best {
            said.push(format!(
                "overfitting: on held-out demonstrations the loss was {best:.3} and is {last:.3}: use an earlier checkpoint"
            ));
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

    fn curve(values: impl Iterator<Item = f64>) -> Vec<MetricPoint> {
        let point = |(i, value): (usize, f64)| MetricPoint {
            step: i as u64,
            value: Some(value).filter(|v| v.is_finite()),
            wall_ms: 0,
            tokens: None,
        };
        values.enumerate().map(point).collect()
    }

    #[test]
    fn each_alert_has_its_curve_and_a_healthy_run_has_none() {
        let healthy = curve((0..200).map(|i| 2.0 * (-0.02 * f64::from(i)).exp()));
        assert!(alerts(&healthy, &curve([1.0, 0.9, 0.8].into_iter())).is_empty());
        let says = |loss: &[MetricPoint], valid: &[MetricPoint], word: &str| {
            let said = alerts(loss, valid);
            assert!(said.iter().any(|text| text.contains(word)), "{word}: {said:?}");
        };
        says(&curve((0..60).map(|i| 0.5 + f64::from(i) * 0.05)), &[], "diverging");
        says(&curve((0..200).map(|_| 0.7)), &[], "plateau");
        says(&healthy, &curve([0.5, 0.4, 0.6].into_iter()), "overfitting");
        says(&curve([1.0, f64::NAN].into_iter()), &[], "not a number");
    }
}
