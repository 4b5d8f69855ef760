use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::tui::caps::Caps;
use crate::tui::theme::Palette;

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

/// The screen of a chart of this size, row by row.
fn drawn(points: &[MetricPoint], lens: Lens, (width, height): (u16, u16)) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let curves = [Curve { name: "run 1".into(), unit: "", points }];
    let theme = Theme::new(Caps::FULL, Palette::default());
    let draw = |frame: &mut Frame<'_>| {
        let block = Block::bordered();
        super::draw(&curves, lens, block, theme, frame, frame.area());
    };
    terminal.draw(draw).unwrap();
    let buffer = terminal.backend().buffer();
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect();
    (0..height).map(row).collect()
}

proptest! {
    #[test]
    fn labels_read_back_are_the_values_at_their_ticks(
        least in -9.9f64..9.9,
        power in -9i32..9,
        share in 1e-4f64..10.0,
        log in any::<bool>(),
    ) {
        let low = if log { least } else { least * 10f64.powi(power) };
        let high = low + share * if log { 1.0 } else { 10f64.powi(power) };
        let labels = y_labels((low, high), log, usize::MAX);
        for (label, tick) in labels.iter().zip([low, f64::midpoint(low, high), high]) {
            let read: f64 = label.parse().unwrap();
            let read = if log { read.log10() } else { read };
            prop_assert!((read - tick).abs() <= (high - low) / 100.0, "{labels:?} {low} {high}");
        }
    }

    #[test]
    fn what_is_drawn_beside_the_curve_holds_it(
        least in -9.9f64..9.9,
        power in -8i32..8,
        share in 1e-3f64..10.0,
        width in 36u16..120,
    ) {
        let low = least * 10f64.powi(power);
        let high = low + share * 10f64.powi(power);
        let curve = points(40, |i| Some(low + (high - low) * i as f64 / 39.0));
        let rows = drawn(&curve, Lens { smoothing: 2, ..Lens::default() }, (width, 14));
        let labels: Vec<f64> = rows
            .iter()
            .filter_map(|row| row.split_once(['│', '┤']).map(|(_, rest)| rest.trim_start()))
            .filter_map(|row| row.split('│').next()?.trim().parse().ok())
            .collect();
        prop_assert_eq!(labels.len(), 3, "{:#?}", rows);
        let near = (high - low) * 0.1 + high.abs() * 2e-3;
        prop_assert!((labels[0] - high).abs() <= near, "{rows:#?}");
        prop_assert!((labels[2] - low).abs() <= near, "{rows:#?}");
        let last = &rows[12];
        prop_assert!(last.contains('0') && last.contains("39"), "{last}");
        prop_assert!(last.contains("update") || !last.contains('u'), "{last}");
    }
}

#[test]
fn a_smoothed_curve_is_not_drawn_to_its_first_value() {
    // A first value far off, then ten of another size.
    let curve = points(11, |i| Some(if i == 0 { 11.0 } else { 1.0 }));
    let smooth = segments(&curve, Lens::default(), 4000).1;
    let last = smooth[0].last().unwrap().1;
    let weight = |i: i32| 0.9f64.powi(10 - i) * 0.1;
    let all: f64 = (0..11).map(weight).sum();
    let want = 1.0 + 10.0 * weight(0) / all;
    assert!((last - want).abs() < 1e-9 && last < 1.6, "{last} {want}");
}

#[test]
fn one_point_stands_in_the_middle_and_large_values_keep_their_size() {
    let rows = drawn(&points(1, |_| Some(0.25)), Lens::default(), (60, 12));
    assert!(rows[10].trim_matches(['│', ' ']) == "0", "{rows:#?}");
    let large = points(30, |i| Some(7.98e14 + i as f64 * 1e13));
    let rows = drawn(&large, Lens::default(), (60, 12));
    assert!(rows[1].contains("run 1 now 1.088e15") && rows.concat().contains("e14"), "{rows:#?}");
}
