use super::*;

fn points(n: u64, value: impl Fn(u64) -> Option<f64>) -> Vec<MetricPoint> {
    (0..n)
        .map(|step| MetricPoint {
            step,
            value: value(step),
            wall_ms: step as i64 * 1000,
            tokens: Some(step as f64 * 50.0),
        })
        .collect()
}

#[test]
fn an_envelope_keeps_spikes() {
    let million = points(1_000_000, |i| Some(if i == 543_210 { 99.0 } else { 1.0 }));
    let (raw, _) = segments(&million, Lens::default(), 100);
    assert!(raw[0].len() <= 202 && raw[0].iter().any(|(_, y)| (*y - 99.0).abs() < 1e-9));
    assert!(envelope(&[], 10).is_empty());
}

#[test]
fn what_is_no_number_leaves_a_gap() {
    let (raw, smooth) = segments(&points(30, |i| (i != 10).then_some(1.0)), Lens::default(), 100);
    assert_eq!((raw.len(), smooth.len()), (2, 2));
    assert_eq!(raw[0].len() + raw[1].len(), 29);
}

#[test]
fn zooming_stays_within_the_curve_and_does_not_change_it() {
    let curve = points(1000, |i| Some((i as f64).sin() + 2.0));
    let mut lens = Lens { cursor: Some(990.0), ..Lens::default() };
    lens.zoom(&curve, true);
    let (low, high) = lens.window.unwrap();
    assert!(low >= 0.0 && high <= 999.0 && (high - low - 499.5).abs() < 1.0);
    let at = |lens: Lens| {
        segments(&curve, lens, 4000).1[0].iter().find(|p| (p.0 - 900.0).abs() < 0.1).unwrap().1
    };
    assert!((at(lens) - at(Lens::default())).abs() < 1e-6);
    lens.zoom(&curve, false);
    assert_eq!(lens.window, None);
    lens.moved(&curve, false);
    assert!(lens.cursor.unwrap() < 990.0);
    Lens::default().zoom(&[], true);
}
