//! Curves: smoothing, logarithmic values, a window with a cursor, and an envelope so that a million
//! points draw in a frame and spikes survive.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType, Paragraph};

use super::numbers::{number, short};
use super::theme::Theme;
use crate::store::MetricPoint;

/// How much of the running mean stays at each value; 0 for none.
pub const SMOOTHING: [f64; 3] = [0.9, 0.98, 0.0];

/// What x counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum By {
    /// Updates.
    #[default]
    Updates,
    /// Minutes of work.
    Minutes,
    /// Tokens trained on.
    Tokens,
}

impl By {
    /// The next one; tokens only where they were counted.
    #[must_use]
    pub fn next(self, points: &[MetricPoint]) -> Self {
        match self {
            Self::Updates => Self::Minutes,
            Self::Minutes if points.iter().all(|point| point.tokens.is_some()) => Self::Tokens,
            Self::Minutes | Self::Tokens => Self::Updates,
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Updates => "update",
            Self::Minutes => "minutes",
            Self::Tokens => "tokens",
        }
    }
}

/// How curves are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Lens {
    /// Index into [`SMOOTHING`].
    pub smoothing: usize,
    /// Whether values are logarithmic.
    pub log: bool,
    /// What x counts.
    pub by: By,
    /// The part of x in view; all of it without.
    pub window: Option<(f64, f64)>,
    /// Where the cursor stands.
    pub cursor: Option<f64>,
}

/// A curve to draw: its name and its points.
pub struct Curve<'a> {
    /// What the legend calls it.
    pub name: String,
    /// What its values are counted in, as it stands behind them.
    pub unit: &'static str,
    /// The points, by step.
    pub points: &'a [MetricPoint],
}

impl Lens {
    /// Where a point stands on x.
    pub fn x(self, point: &MetricPoint) -> f64 {
        match self.by {
            By::Updates => point.step as f64,
            By::Minutes => point.wall_ms as f64 / 60_000.0,
            By::Tokens => point.tokens.unwrap_or_default(),
        }
    }

    /// The least that is worth telling apart on x.
    fn grain(self) -> f64 {
        if self.by == By::Minutes { 1e-3 } else { 1.0 }
    }

    fn y(self, value: f64) -> Option<f64> {
        let y = if self.log { value.max(1e-9).log10() } else { value };
        y.is_finite().then_some(y)
    }

    /// The first and last x of some points.
    fn span(self, points: &[MetricPoint]) -> Option<(f64, f64)> {
        Some((self.x(points.first()?), self.x(points.last()?)))
    }

    /// The cursor moved by a fortieth of what is in view.
    pub fn moved(&mut self, points: &[MetricPoint], right: bool) {
        let Some((first, last)) = self.window.or_else(|| self.span(points)) else { return };
        let step = ((last - first) / 40.0).max(self.grain());
        let at = self.cursor.unwrap_or(last) + if right { step } else { -step };
        self.cursor = Some(at.clamp(first, last));
    }

    /// What is in view, moved by a quarter of it.
    pub fn pan(&mut self, points: &[MetricPoint], right: bool) {
        let (Some(all), Some((first, last))) = (self.span(points), self.window) else { return };
        let width = last - first;
        let from = first + if right { width / 4.0 } else { -width / 4.0 };
        let from = from.clamp(all.0, (all.1 - width).max(all.0));
        self.window = Some((from, from + width));
    }

    /// Half of what is in view around the cursor (or the end), or twice as much.
    pub fn zoom(&mut self, points: &[MetricPoint], closer: bool) {
        let Some(all) = self.span(points) else { return };
        let (first, last) = self.window.unwrap_or(all);
        let width = (last - first) * if closer { 0.5 } else { 2.0 };
        if width >= all.1 - all.0 || width <= 0.0 {
            self.window = None;
            return;
        }
        let middle = self.cursor.unwrap_or(last);
        let from = (middle - width / 2.0).clamp(all.0, all.1 - width);
        self.window = Some((from, from + width));
    }
}

/// At most two points a column, the smallest and the largest, so that spikes survive.
fn envelope(points: &[(f64, f64)], columns: usize) -> Vec<(f64, f64)> {
    let per = points.len().div_ceil(columns.max(1)).max(1);
    if per == 1 {
        return points.to_vec();
    }
    let ends = |chunk: &[(f64, f64)]| {
        let low = chunk.iter().min_by(|a, b| a.1.total_cmp(&b.1)).copied();
        let high = chunk.iter().max_by(|a, b| a.1.total_cmp(&b.1)).copied();
        low.into_iter().chain(high).collect::<Vec<_>>()
    };
    points.chunks(per).flat_map(ends).collect()
}

/// Runs of neighbouring points.
type Runs = Vec<Vec<(f64, f64)>>;

/// Runs of neighbouring values that are numbers: what lies between them stays a gap.
fn segments(points: &[MetricPoint], lens: Lens, columns: usize) -> (Runs, Runs) {
    let (from, to) = match lens.window {
        Some((low, high)) => (
            points.partition_point(|p| lens.x(p) < low),
            points.partition_point(|p| lens.x(p) <= high),
        ),
        None => (0, points.len()),
    };
    let keep = SMOOTHING[lens.smoothing % SMOOTHING.len()];
    let mut raw = vec![Vec::new()];
    let mut smooth = vec![Vec::new()];
    // The running mean from nothing, and how much of it the values so far make up: their quotient
    // is not drawn to the first value (bias-corrected, as TensorBoard does it).
    let mut mean = (0.0, 0.0);
    // The mean is run in from before the window, so that zooming does not change the curve.
    for (i, point) in
        points.iter().enumerate().skip(from.saturating_sub(200)).take_while(|(i, _)| *i < to)
    {
        let value = point.value.filter(|v| v.is_finite());
        let Some(value) = value else {
            raw.push(Vec::new());
            smooth.push(Vec::new());
            mean = (0.0, 0.0);
            continue;
        };
        mean = (keep * mean.0 + (1.0 - keep) * value, keep * mean.1 + (1.0 - keep));
        let next = mean.0 / mean.1;
        if i < from {
            continue;
        }
        let x = lens.x(point);
        raw.last_mut().into_iter().for_each(|run| run.extend(lens.y(value).map(|y| (x, y))));
        smooth.last_mut().into_iter().for_each(|run| run.extend(lens.y(next).map(|y| (x, y))));
    }
    let thin = |runs: Runs| {
        runs.into_iter().filter(|run| !run.is_empty()).map(|run| envelope(&run, columns)).collect()
    };
    (thin(raw), thin(smooth))
}

/// Marks that tell curves apart without colour.
fn markers(theme: Theme) -> [Marker; 4] {
    if theme.unicode() {
        [Marker::Braille, Marker::Dot, Marker::HalfBlock, Marker::Block]
    } else {
        [Marker::Dot; 4]
    }
}

/// The value of a curve nearest to the cursor.
fn reading(curve: &Curve<'_>, lens: Lens, at: f64) -> String {
    let nearest = curve
        .points
        .iter()
        .min_by(|a, b| (lens.x(a) - at).abs().total_cmp(&(lens.x(b) - at).abs()));
    let Some(point) = nearest else { return String::new() };
    let value = point.value.map_or("not a number".to_string(), short);
    format!("{} at {}: {value}{}", curve.name, point.step, curve.unit)
}

/// Draws curves, the first in front; without one it is still being read.
pub fn draw(
    curves: &[Curve<'_>],
    lens: Lens,
    block: Block<'_>,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let inner = block.inner(area);
    let plain = |text: String, block: Block<'_>, frame: &mut Frame<'_>| {
        frame.render_widget(Paragraph::new(text).style(theme.dim()).block(block), area);
    };
    let sets: Vec<_> =
        curves.iter().map(|curve| segments(curve.points, lens, inner.width as usize * 2)).collect();
    let all = || sets.iter().flat_map(|(raw, smooth)| raw.iter().chain(smooth)).flatten().copied();
    let Some(last) = all().last() else {
        let why = if curves.is_empty() { "reading…" } else { "no values" };
        return plain(why.into(), block, frame);
    };
    if inner.height < 5 || inner.width < 20 {
        let last = if lens.log { 10f64.powf(last.1) } else { last.1 };
        return plain(short(last), block, frame);
    }
    let [read, plot] = ratatui::layout::Layout::vertical([
        ratatui::layout::Constraint::Length(1),
        ratatui::layout::Constraint::Min(0),
    ])
    .areas(inner);
    frame.render_widget(block, area);
    let bounds = |pick: fn((f64, f64)) -> f64| {
        all().map(pick).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)))
    };
    let (low, high) = bounds(|p| p.1);
    let room = ((high - low) * 0.05).max(high.abs().max(1e-9) * 1e-3);
    // A loss is never negative; an axis that starts below nothing would say that it could be.
    let low = if low >= 0.0 && !lens.log { (low - room).max(0.0) } else { low - room };
    let high = high + room;
    let (first, end) = lens.window.unwrap_or_else(|| bounds(|p| p.0));
    // One point stands in the middle.
    let (first, end) = if end - first < lens.grain() {
        (first - lens.grain() / 2.0, first + lens.grain() / 2.0)
    } else {
        (first, end)
    };
    let colours: [Style; 4] = [theme.good(), theme.key(), theme.warn(), theme.bad()];
    let cursor = lens.cursor.map(|at| vec![(at, low), (at, high)]);
    let mut datasets = Vec::new();
    if let Some(line) = &cursor {
        datasets.push(
            Dataset::default()
                .marker(Marker::Dot)
                .graph_type(GraphType::Line)
                .style(theme.dim())
                .data(line),
        );
    }
    for (i, (raw, smooth)) in sets.iter().enumerate().rev() {
        let smoothing = SMOOTHING[lens.smoothing % SMOOTHING.len()] > 0.0
            && raw.iter().any(|run| run.len() >= 8);
        let kind =
            |run: &[(f64, f64)]| if run.len() < 2 { GraphType::Scatter } else { GraphType::Line };
        let marker = markers(theme)[i % 4];
        if i == 0 || !smoothing {
            for run in raw {
                let style = if smoothing { theme.dim() } else { colours[i % 4] };
                datasets.push(
                    Dataset::default().marker(marker).graph_type(kind(run)).style(style).data(run),
                );
            }
        }
        for run in smooth.iter().filter(|_| smoothing) {
            datasets.push(
                Dataset::default()
                    .marker(marker)
                    .graph_type(kind(run))
                    .style(colours[i % 4])
                    .data(run),
            );
        }
    }
    let values = y_labels((low, high), lens.log, plot.width as usize / 3);
    let width = (plot.width as usize).saturating_sub(width_of(&values));
    let x = Axis::default()
        .bounds([first, end])
        .labels(x_labels((first, end), lens.by, width))
        .style(theme.dim());
    let y = Axis::default().bounds([low, high]).labels(values).style(theme.dim());
    frame.render_widget(Chart::new(datasets).x_axis(x).y_axis(y), plot);
    let mut words: Vec<String> = match lens.cursor {
        Some(at) => curves.iter().map(|curve| reading(curve, lens, at)).collect(),
        None => {
            curves.iter().map(|curve| format!("{} now {}", curve.name, newest(curve))).collect()
        }
    };
    let keep = SMOOTHING[lens.smoothing % SMOOTHING.len()];
    words.extend((keep > 0.0).then(|| format!("smoothed {keep}")));
    words.extend(lens.log.then(|| "log".to_string()));
    let missing =
        curves.first().map_or(0, |curve| curve.points.iter().filter(|p| p.value.is_none()).count());
    words.extend((missing > 0).then(|| format!("{missing} not a number")));
    let text = super::theme::fit(&words.join(" · "), read.width as usize);
    frame.render_widget(Line::styled(text, theme.dim()), read);
}

fn newest(curve: &Curve<'_>) -> String {
    let value = curve.points.iter().rev().find_map(|point| point.value);
    value.map_or("…".into(), |value| format!("{}{}", short(value), curve.unit))
}

/// The values at the bottom, in the middle and at the top of an axis, each as near as a hundredth
/// of the axis; none where they have no room: what is cut says something else.
fn y_labels((low, high): (f64, f64), log: bool, room: usize) -> Vec<String> {
    let at = |y: f64| {
        // A hundredth of the axis is so much of a value there.
        let apart = (high - low) / 100.0;
        if !log {
            return number(y, apart);
        }
        let value = 10f64.powf(y);
        number(value, value * apart * std::f64::consts::LN_10)
    };
    let labels = vec![at(low), at(f64::midpoint(low, high)), at(high)];
    if width_of(&labels) > room { Vec::new() } else { labels }
}

fn width_of(labels: &[String]) -> usize {
    labels.iter().map(|label| label.chars().count()).max().unwrap_or_default()
}

/// The first and the last x with what it counts between them, where there is room for it.
fn x_labels((first, end): (f64, f64), by: By, room: usize) -> Vec<String> {
    let apart = if by == By::Minutes { (end - first) / 100.0 } else { 1.0 };
    let at = |x: f64| number(x, apart);
    if end - first <= 1.0 && by != By::Minutes {
        return vec![String::new(), at(f64::midpoint(first, end)), String::new()];
    }
    let ends = [at(first), at(end)];
    let between = width_of(&[by.unit().to_string()]) + 2 * width_of(&ends) + 2;
    let [first, end] = ends;
    if between > room { vec![first, end] } else { vec![first, by.unit().into(), end] }
}

#[cfg(test)]
#[path = "chart_tests.rs"]
mod tests;
