//! Train, the drawing of runs and checkpoints as tables.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Row, Table};

use super::State;
use crate::experience::wilson;
use crate::store::{Checkpoint, EvalRow, RunRow};
use crate::text::clean;
use crate::tui::numbers::short;
use crate::tui::theme::Theme;

/// Games won of those played, with the interval.
pub(super) fn rate(eval: &EvalRow) -> String {
    let (low, high) = wilson(eval.successes, eval.n);
    format!("{}/{} [{:.0}–{:.0} %]", eval.successes, eval.n, 100.0 * low, 100.0 * high)
}

/// What a model won, with its interval and where.
fn success(eval: Option<&EvalRow>) -> String {
    eval.map_or_else(String::new, |eval| {
        let think = if eval.think == Some(true) { ", thinking" } else { "" };
        format!("{} {}{think}", rate(eval), clean(&eval.split))
    })
}

/// A table of as many rows as fit, around the one in front.
struct Listed<'a> {
    title: String,
    /// Names and widths of the columns; the narrow ones first to go have a higher rank.
    columns: &'a [(&'static str, u16)],
    rows: Vec<Vec<String>>,
    at: usize,
    empty: &'static str,
}

impl Listed<'_> {
    fn draw(self, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
        let block = theme.panel(&self.title);
        let inner = block.inner(area);
        if self.rows.is_empty() {
            let text = Paragraph::new(Line::styled(self.empty, theme.dim())).block(block);
            return frame.render_widget(text, area);
        }
        // As many columns as have room, from the left.
        let mut room = inner.width;
        let fits = |(_, width): &&(&str, u16)| {
            let there = room >= *width;
            room = room.saturating_sub(*width + 1);
            there
        };
        let columns: Vec<_> = self.columns.iter().take_while(fits).copied().collect();
        let height = inner.height.saturating_sub(1) as usize;
        let from = (self.at + 1).saturating_sub(height);
        let rows = self.rows.into_iter().enumerate().skip(from).take(height).map(|(i, cells)| {
            let style = if i == self.at { theme.selected() } else { Style::default() };
            Row::new(cells.into_iter().take(columns.len())).style(style)
        });
        let widths = columns.iter().enumerate().map(|(i, (_, width))| {
            if i + 1 == columns.len() {
                Constraint::Min(*width)
            } else {
                Constraint::Length(*width)
            }
        });
        let head = Row::new(columns.iter().map(|(name, _)| *name)).style(theme.dim());
        frame.render_widget(Table::new(rows, widths).header(head).block(block), area);
    }
}

/// All runs.
pub(super) fn runs(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let cells = |run: &RunRow| {
        let figures = state.lists.runs.get(&run.id);
        let over = if state.overlaid.contains(&run.id) { "+" } else { " " };
        let best = figures.and_then(|f| f.best);
        let own = state.checkpoints.iter().filter(|saved| saved.run == run.id);
        let eval = own.filter_map(|saved| state.evaluated(&saved.name())).max_by_key(|e| e.id);
        let words = [run.name.as_deref().unwrap_or_default(), &run.tags, &run.note];
        let words: Vec<String> = words.iter().filter(|w| !w.is_empty()).map(|w| clean(w)).collect();
        vec![
            format!("{over}{:>3}", run.id),
            run.objective.clone(),
            format!("{}/{}", run.step, run.steps),
            state.status(run).to_string(),
            figures.and_then(|f| f.loss).map_or(String::new(), short),
            best.map_or(String::new(), |(step, cost)| {
                let start = figures.and_then(|f| f.start).filter(|start| *start < cost);
                let start =
                    start.map_or(String::new(), |start| format!(", start {}", short(start)));
                format!("{} at {step}{start}", short(cost))
            }),
            success(eval),
            clean(&run.start),
            words.join(" · "),
        ]
    };
    let listed = Listed {
        title: format!("Runs {} · n name · # tags · N note · d differ · A again", state.runs.len()),
        columns: &[
            ("  run", 5),
            ("objective", 11),
            ("updates", 9),
            ("status", 9),
            ("loss", 7),
            ("best valid", 13),
            ("success, 95 %", 22),
            ("from", 16),
            ("name · tags · note", 12),
        ],
        rows: state.runs.iter().map(cells).collect(),
        at: state.selected,
        empty: "no runs yet: t starts one",
    };
    listed.draw(theme, frame, area);
}

/// All checkpoints.
pub(super) fn checkpoints(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let newest = |saved: &Checkpoint| {
        state.checkpoints.iter().find(|other| other.run == saved.run).map(|other| other.id)
    };
    let cells = |saved: &Checkpoint| {
        let figures = state.lists.checkpoints.get(&saved.id);
        let mark = if state.lists.saved.marked.contains(&saved.id) { "+" } else { " " };
        let best = if figures.is_some_and(|f| f.is_best) {
            "best "
        } else if newest(saved) == Some(saved.id) {
            "newest "
        } else {
            ""
        };
        let away = if figures.is_some_and(|f| f.away.is_some()) { "adapter " } else { "" };
        let label = saved.label.as_deref().map(clean).unwrap_or_default();
        let bytes = figures.and_then(|f| f.bytes);
        vec![
            format!("{mark}{:>3}", saved.id),
            format!("run {} step {}", saved.run, saved.step),
            format!("{best}{away}{label}"),
            figures.and_then(|f| f.validation).map_or(String::new(), short),
            success(state.evaluated(&saved.name())),
            bytes.map_or("no files".into(), |bytes| format!("{:.1} MB", bytes as f64 / 1e6)),
            clean(&saved.note),
        ]
    };
    let bytes: u64 = state.lists.checkpoints.values().filter_map(|figures| figures.bytes).sum();
    let listed = Listed {
        title: format!(
            "Checkpoints {} · {:.0} MB · space mark · w use · v evaluate · b compare · D delete",
            state.checkpoints.len(),
            bytes as f64 / 1e6
        ),
        columns: &[
            ("  no", 5),
            ("what", 16),
            ("name", 16),
            ("valid", 7),
            ("success, 95 %", 22),
            ("size", 9),
            ("note", 12),
        ],
        rows: state.checkpoints.iter().map(cells).collect(),
        at: state.lists.saved.at,
        empty: "no checkpoints yet: a run saves them (t)",
    };
    listed.draw(theme, frame, area);
}

/// All evaluations.
pub(super) fn evaluations(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let cells = |eval: &EvalRow| {
        let mark = if state.lists.played.marked.contains(&eval.id) { "+" } else { " " };
        vec![
            format!("{mark}{:>3}", eval.id),
            clean(&eval.checkpoint),
            rate(eval),
            format!("{:.1}", eval.mean_steps),
            clean(&eval.how()),
        ]
    };
    let listed = Listed {
        title: format!(
            "Evaluations {} · ⏎ by kind · space mark · b how two differ · v evaluate",
            state.evaluations.len()
        ),
        columns: &[
            ("  no", 5),
            ("model", 16),
            ("success, 95 %", 18),
            ("steps", 6),
            ("how it was played", 22),
        ],
        rows: state.evaluations.iter().map(cells).collect(),
        at: state.lists.played.at,
        empty: "no evaluations yet: v lets checkpoints play",
    };
    listed.draw(theme, frame, area);
}
