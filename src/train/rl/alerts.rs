//! What the curves of a run that plays say that a person should know.

use crate::error::Result;
use crate::store::MetricPoint;

/// Updates that are looked at together.
const SPAN: usize = 5;

/// The means of the first and of the last [`SPAN`] values; none of fewer than twice as many.
fn ends(points: &[MetricPoint]) -> Option<(f64, f64)> {
    let values: Vec<f64> = points.iter().filter_map(|point| point.value).collect();
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    (values.len() >= 2 * SPAN)
        .then(|| (mean(&values[..SPAN]), mean(&values[values.len() - SPAN..])))
}

/// Sentences about a run, each with what to do. `metric` gives a curve by its name.
pub fn alerts(metric: impl Fn(&str) -> Result<Vec<MetricPoint>>) -> Result<Vec<String>> {
    let mut said = Vec::new();
    if let Some((first, last)) = ends(&metric("entropy")?)
        && last < 0.2 * first
    {
        said.push(format!(
            "collapse: the policy's entropy fell from {first:.2} to {last:.2} nats a choice: it tries nothing \
             else any more; lower the rate, or start again from an earlier checkpoint with --kl 0.01"
        ));
    }
    let spread = metric("spread")?;
    let latest: Vec<f64> = spread.iter().rev().take(SPAN).filter_map(|point| point.value).collect();
    if latest.len() == SPAN && latest.iter().all(|share| *share == 0.0) {
        let success = metric("success")?.last().and_then(|point| point.value).unwrap_or_default();
        let why = if success > 0.5 {
            "all are won: harder tasks teach more"
        } else {
            "none is won: a better start, a longer --limit or a lower --temperature"
        };
        said.push(format!(
            "no spread: in the last {SPAN} updates every group ended alike, and nothing was learnt; {why}"
        ));
    }
    if let Some((first, last)) = ends(&metric("length")?)
        && last > 1.3 * first
        && ends(&metric("success")?).is_some_and(|(first, last)| last <= first)
    {
        said.push(format!(
            "length drift: episodes grew from {first:.1} to {last:.1} steps, and no more are won: lower the \
             rate; gamma below 1 (methods that count what comes after a state) prefers short ways"
        ));
    }
    if let Some((first, last)) = ends(&metric("success")?)
        && last < 0.5 * first
    {
        said.push(format!(
            "success fell from {:.0} to {:.0} % of rollouts: lower the rate, and start again from a checkpoint",
            100.0 * first,
            100.0 * last
        ));
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(curves: &[(&str, &[f64])]) -> Vec<String> {
        let metric = |name: &str| {
            let of =
                curves.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, all)| all);
            let point = |(i, value): (usize, &f64)| MetricPoint {
                step: i as u64 + 1,
                value: Some(*value),
                wall_ms: 0,
                tokens: None,
            };
            Ok(of.iter().enumerate().map(point).collect())
        };
        alerts(metric).unwrap()
    }

    #[test]
    fn each_trouble_is_named_and_health_is_silent() {
        let (rise, fall, flat): (Vec<f64>, Vec<f64>, Vec<f64>) = (
            (0..12).map(|i| 0.1 + 0.05 * f64::from(i)).collect(),
            (0..12).map(|i| 0.7 / (1.0 + f64::from(i * i))).collect(),
            vec![0.0; 12],
        );
        assert!(said(&[("success", &rise), ("entropy", &rise), ("spread", &rise)]).is_empty());
        assert!(said(&[("entropy", &fall)])[0].starts_with("collapse"));
        let none = said(&[("spread", &flat), ("success", &flat)]);
        assert!(none[0].starts_with("no spread") && none[0].contains("none is won"), "{none:?}");
        let long = said(&[("length", &rise), ("success", &flat)]);
        assert!(long[0].starts_with("length drift"), "{long:?}");
        assert!(said(&[("success", &fall)])[0].starts_with("success fell"));
    }
}
