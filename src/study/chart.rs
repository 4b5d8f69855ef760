//! The plots of a report as SVG.

use std::collections::BTreeMap;

use plotters::prelude::*;
use plotters::style::RGBColor;

use super::report::{Condition, OnTest};
use crate::error::{Error, Result};

/// Colours of arms, apart for most people whatever their eyes.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
];

const FONT: (&str, u32) = ("sans-serif", 15);

fn failed(e: impl std::fmt::Display) -> Error {
    Error::new(format!("drawing a plot: {e}"))
}

/// A row of an interval plot: its name, value and interval, in percent or points.
type Row = (String, f64, (f64, f64));

/// Success rates of a test set's arms.
pub fn rates(test: &OnTest) -> Result<String> {
    let rows: Vec<Row> = test
        .arms
        .iter()
        .map(|row| {
            let (low, high) = row.interval;
            (row.name.clone(), 100.0 * row.rate(), (100.0 * low, 100.0 * high))
        })
        .collect();
    let top = rows.iter().map(|row| row.2.1).fold(10.0, f64::max);
    intervals(&rows, (0.0, (top / 10.0).ceil() * 10.0), "success, %")
}

/// Differences of a test set's arms.
pub fn differences(test: &OnTest) -> Result<String> {
    let rows: Vec<Row> = test
        .comparisons
        .iter()
        .map(|one| {
            let (low, high) = one.found.interval;
            let star = if one.primary { " *" } else { "" };
            let name = format!("{} − {}{star}", one.arm, one.over);
            (name, 100.0 * one.found.value, (100.0 * low, 100.0 * high))
        })
        .collect();
    let reach = rows.iter().map(|row| row.2.0.abs().max(row.2.1.abs())).fold(5.0, f64::max);
    let reach = (reach / 5.0).ceil() * 5.0;
    intervals(&rows, (-reach, reach), "difference, points (* primary)")
}

/// Values with their intervals, one a line.
fn intervals(rows: &[Row], (low, high): (f64, f64), axis: &str) -> Result<String> {
    let mut svg = String::new();
    let height = 70 + 26 * rows.len() as u32;
    {
        let area = SVGBackend::with_string(&mut svg, (720, height)).into_drawing_area();
        let count = rows.len() as f64;
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .x_label_area_size(42)
            .y_label_area_size(190)
            .build_cartesian_2d(low..high, -0.5..count - 0.5)
            .map_err(failed)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .x_desc(axis)
            .label_style(FONT)
            .draw()
            .map_err(failed)?;
        let zero = (low < 0.0).then(|| {
            PathElement::new(vec![(0.0, -0.5), (0.0, count - 0.5)], BLACK.mix(0.5).stroke_width(1))
        });
        chart.draw_series(zero).map_err(failed)?;
        for (i, (name, value, (from, to))) in rows.iter().enumerate() {
            let y = count - 1.0 - i as f64;
            let colour = COLOURS[i % COLOURS.len()];
            let line = PathElement::new(vec![(*from, y), (*to, y)], colour.stroke_width(3));
            chart.draw_series([line]).map_err(failed)?;
            chart.draw_series([Circle::new((*value, y), 5, colour.filled())]).map_err(failed)?;
            let at = chart.backend_coord(&(low, y));
            let style = TextStyle::from(FONT).pos(plotters::style::text_anchor::Pos::new(
                plotters::style::text_anchor::HPos::Right,
                plotters::style::text_anchor::VPos::Center,
            ));
            area.draw_text(name, &style, (at.0 - 8, at.1)).map_err(failed)?;
        }
        area.present().map_err(failed)?;
    }
    Ok(svg)
}

/// The loss of every arm by update, the mean of its seeds.
pub fn losses(condition: &Condition) -> Result<String> {
    let mut curves: Vec<(&str, Vec<(f64, f64)>)> = Vec::new();
    for cost in &condition.costs {
        let mut points: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for (step, loss) in cost.curves.iter().flat_map(|(_, curve)| curve) {
            points.entry(*step).or_default().push(*loss);
        }
        let mean = |values: &Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
        let curve = points.iter().map(|(step, values)| (*step as f64, mean(values))).collect();
        curves.push((&cost.name, curve));
    }
    let all = || curves.iter().flat_map(|(_, curve)| curve);
    let right = all().map(|(x, _)| *x).fold(1.0, f64::max);
    let top = all().map(|(_, y)| *y).fold(0.1, f64::max);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (720, 320)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .x_label_area_size(42)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..right, 0.0..top * 1.05)
            .map_err(failed)?;
        chart
            .configure_mesh()
            .x_desc("update")
            .y_desc("loss of the stage, nats a target token")
            .label_style(FONT)
            .draw()
            .map_err(failed)?;
        for (i, (name, curve)) in curves.iter().enumerate() {
            let colour = COLOURS[i % COLOURS.len()];
            chart
                .draw_series(LineSeries::new(curve.iter().copied(), colour.stroke_width(2)))
                .map_err(failed)?
                .label(*name)
                .legend(move |(x, y)| {
                    PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(2))
                });
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .label_font(FONT)
            .draw()
            .map_err(failed)?;
        area.present().map_err(failed)?;
    }
    Ok(svg)
}
