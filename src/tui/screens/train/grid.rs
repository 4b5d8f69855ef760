//! Train, which curves are read and how they are laid out: all of them in a grid, or one large.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use super::State;
use super::typing::pattern;
use crate::store::MetricPoint;
use crate::tui::chart::{self, Curve, Lens};
use crate::tui::numbers::unit;
use crate::tui::theme::Theme;

/// The least that a small chart needs to be read.
const CELL: (u16, u16) = (38, 8);

impl State {
    /// The curves whose names are wanted.
    pub(super) fn listed(&self) -> Vec<String> {
        let pattern = pattern(&self.words).ok();
        let fits = |name: &&String| pattern.as_ref().is_none_or(|pattern| pattern.is_match(name));
        let mut names: Vec<String> = self.names.iter().filter(fits).cloned().collect();
        // Where only one kind of token is a target, what it costs is the loss.
        let of_kind = |name: &String| name.starts_with("loss_");
        if self.words.is_empty() && names.iter().filter(|name| of_kind(name)).count() == 1 {
            names.retain(|name| !of_kind(name));
        }
        names.sort_by_key(|name| rank(name));
        names
    }

    /// Those that can come in view: all in a grid, else the chosen one and the pinned ones.
    pub(super) fn wanted_curves(&self) -> Vec<String> {
        let mut names = vec![self.name().to_string()];
        names.extend(if self.large { self.pinned.clone() } else { self.listed() });
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Until which update a curve is known.
    pub(super) fn known_until(&self, run: i64, name: &str) -> Option<u64> {
        let known = self.curves.get(&(run, name.to_string()));
        known.and_then(|points| points.last()).map(|point| point.step)
    }

    /// Whether there can be more of a curve than is known.
    pub(super) fn grows(&self, run: i64, name: &str) -> bool {
        let row = self.runs.iter().find(|row| row.id == run);
        !self.curves.contains_key(&(run, name.to_string()))
            || self.alive.contains(&run)
            || row.is_some_and(|row| Some(row.step) > self.known_until(run, "loss"))
    }

    /// Takes in what of a curve lies after an update. A run that went back to a checkpoint writes
    /// anew what came after it.
    pub(super) fn take_curve(
        &mut self,
        run: i64,
        name: String,
        after: Option<u64>,
        points: Vec<MetricPoint>,
    ) {
        // Only what can be shown is kept.
        let wanted = self.wanted_curves();
        self.curves.retain(|(_, known), _| wanted.contains(known));
        let known = self.curves.entry((run, name)).or_default();
        known.truncate(known.partition_point(|point| Some(point.step) <= after));
        known.extend(points);
    }

    /// What is known of runs that went back is forgotten.
    pub(super) fn forget_what_was_undone(&mut self) {
        for run in &self.runs {
            let beyond = |points: &[MetricPoint]| points.last().is_some_and(|p| p.step > run.step);
            self.curves.retain(|(id, _), points| *id != run.id || !beyond(points));
        }
    }
}

/// What says whether it learns comes first, then how, then what it took.
fn rank(name: &str) -> usize {
    let order = ["loss", "valid_", "loss_", "rate", "norm", "share_", "tokens_per_s", "epochs"];
    let exact = order.iter().position(|known| *known == name);
    exact.or_else(|| order.iter().position(|known| name.starts_with(known))).unwrap_or(order.len())
}

/// How a curve is looked at: what only counts up is not smoothed.
pub(super) fn lens_of(state: &State, name: &str) -> Lens {
    let counts =
        ["epochs", "tokens", "tokens_unique"].contains(&name) || name.starts_with("targets_");
    if counts { Lens { smoothing: 0, ..state.lens } } else { state.lens }
}

/// A curve of every run that is shown.
pub(super) fn curves<'a>(state: &'a State, name: &str) -> Vec<Curve<'a>> {
    let unit = unit(name);
    let curve = |(run, points)| Curve { name: format!("run {run}"), unit, points };
    state.shown(name).into_iter().map(curve).collect()
}

/// All curves, as many as fit around the chosen one.
pub(super) fn draw(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let names = state.listed();
    let columns = (area.width / CELL.0).clamp(1, 3);
    let rows = (area.height / CELL.1).max(1);
    let each = usize::from(columns * rows);
    let at = names.iter().position(|name| name == state.name()).unwrap_or_default();
    let page = at / each.max(1) * each;
    let lines = Layout::vertical(vec![Constraint::Fill(1); usize::from(rows)]).split(area);
    let cells = lines.iter().flat_map(|line| {
        Layout::horizontal(vec![Constraint::Fill(1); usize::from(columns)]).split(*line).to_vec()
    });
    for ((i, name), cell) in names.iter().enumerate().skip(page).zip(cells) {
        let title =
            if i == at { format!("{name} · {} of {}", at + 1, names.len()) } else { name.clone() };
        let block = theme.panel_of(&title, i == at);
        chart::draw(&curves(state, name), lens_of(state, name), block, theme, frame, cell);
    }
}
