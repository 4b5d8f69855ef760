//! Data: what is in the store, and what a training set would contain.

mod forms;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use crate::formats::{Extent, Order};
use crate::store::{Counts, Intake, Near, Page, TrajectorySummary};
use crate::text::clean;
use crate::train::Objective;
use crate::train::data::DataSummary;
use crate::tui::effect::{DeskCmd, Effect};
use crate::tui::keys::Act;
use crate::tui::theme::{Theme, fit};
use crate::tui::window::Window;
use crate::tui::words::grouped;
use forms::Form;

/// What each objective would train on, or why it cannot yet.
pub type Sets = Vec<(Objective, Result<DataSummary, String>)>;

/// What Data is told.
#[derive(Debug)]
pub enum Msg {
    /// Totals, and bytes on disk.
    Counts(Counts, u64),
    /// Training sets.
    Sets(Sets),
    /// Suites and splits that something was collected in, and who demonstrated.
    Origins(Vec<(String, String)>, Vec<String>),
    /// What exports would come to, each, or why one cannot be made.
    Extents(Vec<Order>, Vec<Result<Extent, String>>),
    /// What is new in a file.
    Looked(String, Result<Intake, String>),
    /// A path, how it goes on as far as that is certain, and the ways it could go on from there.
    Completed(String, String, Vec<String>),
    /// A part of the list of trajectories.
    Trajectories(Page<TrajectorySummary>),
}

/// The screen's state.
#[derive(Debug, Default)]
pub struct State {
    counts: Option<(Counts, u64)>,
    sets: Option<Sets>,
    trajectories: Window<TrajectorySummary>,
    /// What was deleted in this session, the latest last.
    deleted: Vec<i64>,
    /// Where the data is.
    pub root: String,
    /// What is being filled in.
    pub form: Option<Form>,
    /// The suite whose training sets are shown.
    pub suite: String,
    pub(super) origins: Vec<(String, String)>,
    pub(super) experts: Vec<String>,
}

impl State {
    /// Takes in a message.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Counts(counts, bytes) => self.counts = Some((counts, bytes)),
            Msg::Sets(sets) => self.sets = Some(sets),
            Msg::Origins(origins, experts) => (self.origins, self.experts) = (origins, experts),
            Msg::Extents(orders, found) => self.extents(&orders, found),
            Msg::Looked(path, found) => self.looked(&path, found),
            Msg::Completed(asked, path, ways) => self.completed(&asked, path, ways),
            Msg::Trajectories(page) => {
                let near = self.trajectories.take(page, |a, b| a.id == b.id);
                return near.map(fetch).into_iter().collect();
            }
        }
        Vec::new()
    }

    /// Asks for everything again.
    pub fn refresh(&self) -> Vec<Effect> {
        let row = self.trajectories.current().map(|row| row.id);
        let near = row.map_or(Near::Position(self.trajectories.at()), Near::Row);
        vec![Effect::Desk(DeskCmd::Data(self.suite.clone())), fetch(near)]
    }

    /// Does what a key means.
    pub fn act(&mut self, act: Act) -> Vec<Effect> {
        match act {
            Act::Export => return self.ask_export(),
            Act::Import => return self.ask_import(),
            Act::Move(direction) => return self.trajectories.go(direction).map(fetch).into_iter().collect(),
            Act::Delete => {
                let Some(id) = self.trajectories.current().map(|row| row.id) else { return Vec::new() };
                self.deleted.push(id);
                return vec![Effect::Desk(DeskCmd::Delete(id, true))];
            }
            Act::Undo => {
                let last = self.deleted.pop();
                return last.map(|id| Effect::Desk(DeskCmd::Delete(id, false))).into_iter().collect();
            }
            _ => {}
        }
        Vec::new()
    }
}

fn fetch(near: Near) -> Effect {
    Effect::Desk(DeskCmd::Listed(near))
}

/// Draws the screen.
pub fn draw(state: &State, theme: Theme, frame: &mut Frame<'_>, whole: Rect) {
    let [area, below] = Layout::vertical([Constraint::Length(14.min(whole.height)), Constraint::Min(0)]).areas(whole);
    draw_trajectories(state, theme, frame, below);
    let mut lines = Vec::new();
    let mut row = |name: &str, what: String| {
        lines.push(Line::from(vec![Span::styled(format!(" {name:<16}"), theme.strong()), Span::raw(what)]));
    };
    match &state.counts {
        None => row("reading…", String::new()),
        Some((counts, bytes)) => {
            row(
                "demonstrations",
                format!("{} with {} steps", grouped(counts.demonstrations), grouped(counts.demonstration_steps)),
            );
            row("rollouts", format!("{} executed alternatives", grouped(counts.branches)));
            row(
                "reflections",
                format!("{} pending, {} approved, {} rejected", counts.pending, counts.approved, counts.rejected),
            );
            row("explorations", format!("{}", counts.explorations));
            row("runs", format!("{} with {} checkpoints", counts.runs, counts.checkpoints));
            row("disk", format!("{:.1} MB in {}", *bytes as f64 / 1e6, state.root));
        }
    }
    lines.push(Line::default());
    let title = format!(" What a run would train on now, of {} / train", clean(&state.suite));
    lines.push(Line::styled(title, theme.dim()));
    for (objective, set) in state.sets.iter().flatten() {
        let text = match set {
            Ok(set) => format!(
                "{} trees, {} tokens ({} alternatives, {} reflections); {} held out",
                grouped(set.trees as u64),
                grouped(set.tokens as u64),
                grouped(set.branches as u64),
                grouped(set.reflections as u64),
                grouped(set.held_out as u64)
            ),
            Err(why) => clean(why),
        };
        lines.push(Line::from(vec![Span::styled(format!(" {:<16}", objective.word()), theme.strong()), Span::raw(text)]));
    }
    if state.sets.is_none() {
        lines.push(Line::styled(" counting tokens…", theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines).block(theme.panel("Data")).wrap(Wrap { trim: false }), area);
    forms::draw(state, theme, frame, whole);
}

fn draw_trajectories(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let title = format!("Trajectories · {}", state.trajectories.place());
    let block = theme.panel(&title);
    let inner = block.inner(area);
    let line = |(i, row): (usize, Option<&TrajectorySummary>)| {
        let Some(row) = row else { return Line::styled(theme.glyph("…", "..."), theme.dim()) };
        let end = if row.success { "won" } else { "not won" };
        let text = format!(
            "{:>5} {:<13} {:>2} steps {end:<7} {} · {} / {} · {}",
            row.id,
            row.purpose.word(),
            row.length,
            clean(&row.task),
            row.suite,
            row.split,
            clean(&row.actor)
        );
        let line = Line::from(fit(&text, inner.width as usize));
        if i == state.trajectories.at() { line.style(theme.selected()) } else { line }
    };
    let mut lines: Vec<Line<'_>> = state.trajectories.view(inner.height as usize).map(line).collect();
    if lines.is_empty() {
        lines.push(Line::styled("nothing saved yet: c collects, K in Explore keeps an episode", theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
