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
    Stage { name: "stage".into(), updates, mixture, trees: 10, tokens: 0.0 }
}

fn said(curves: &[(&str, Vec<MetricPoint>)], stages: &[Stage]) -> Vec<String> {
    let metric = |name: &str| {
        Ok(curves
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, points)| points.clone())
            .unwrap_or_default())
    };
    alerts(metric, stages, LEAST_HELD_OUT).unwrap()
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
    says(&[("loss", curve(0, [1.9, 637_294.0].into_iter()))], "diverging");
}

#[test]
fn no_alarm_rests_on_fewer_than_ten_games() {
    let rises = |name: &str| {
        let values = if name == "valid_action" { vec![0.5, 0.4, 0.6] } else { Vec::new() };
        Ok(curve(0, values.into_iter()))
    };
    let stages = [stage(400, Mixture::IMITATION)];
    let said = |games| alerts(rises, &stages, games).unwrap();
    assert!(said(9).is_empty() && said(0).is_empty());
    assert!(said(10)[0].contains("on 10 held-out games"), "{:?}", said(10));
}

#[test]
fn a_run_that_is_never_better_than_its_start_says_so() {
    let one = [stage(400, Mixture::IMITATION)];
    let from_start = |values: [f64; 4]| {
        let points = values.into_iter().enumerate().map(|(i, value)| MetricPoint {
            step: 50 * i as u64,
            value: Some(value),
            wall_ms: 0,
            tokens: None,
        });
        ("valid_action", points.collect())
    };
    assert!(
        said(&[from_start([0.4, 0.5, 0.5, 0.5])], &one)[0].contains("no better than its start")
    );
    assert!(said(&[from_start([0.6, 0.5, 0.4, 0.4])], &one).is_empty());
}

#[test]
fn a_healthy_run_of_two_stages_has_no_alert_in_either() {
    // Next states cost 0.17 nats a token at the end of the first stage, actions 0.45 at the
    // beginning of the second, where next states are forgotten a little; in the first, actions
    // became dearer.
    let stages = [stage(60, Mixture::WORLD), stage(60, Mixture::IMITATION)];
    let world = curve(0, (0..60).map(|i| 0.17 + 1.0 * (-0.1 * f64::from(i)).exp()));
    let action = [0.5, 0.55, 0.6, 0.4, 0.38, 0.35];
    let observation = [0.4, 0.3, 0.2, 0.25, 0.26, 0.27];
    let valid = |values: [f64; 6]| -> Vec<MetricPoint> {
        values
            .iter()
            .enumerate()
            .flat_map(|(i, value)| curve(20 * i as u64 + 19, std::iter::once(*value)))
            .collect()
    };
    let mut loss = world.clone();
    loss.extend(curve(60, (0..60).map(|i| 0.35 + 0.1 * (-0.1 * f64::from(i)).exp())));
    for until in [30, 60, 61, 95, 120] {
        let cut = |points: Vec<MetricPoint>| {
            points.into_iter().filter(|p| p.step <= until).collect::<Vec<_>>()
        };
        let curves = [
            ("loss", cut(loss.clone())),
            ("valid_action", cut(valid(action))),
            ("valid_observation", cut(valid(observation))),
        ];
        assert_eq!(said(&curves, &stages), Vec::<String>::new(), "after {until} updates");
    }
    let worse = [0.5, 0.55, 0.6, 0.35, 0.38, 0.45];
    let curves = [("loss", loss), ("valid_action", valid(worse))];
    assert!(
        said(&curves, &stages)[0].contains("overfitting"),
        "what the second stage trains is watched in it"
    );
}
