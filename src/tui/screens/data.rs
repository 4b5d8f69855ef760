//! Data: what is in the store, and what a training set would contain.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use crate::store::Counts;
use crate::train::Objective;
use crate::train::trainer::DataSummary;
use crate::tui::effect::{DeskCmd, Effect};
use crate::tui::keys::Act;
use crate::tui::theme::Theme;

/// What each objective would train on, or why it cannot yet.
pub type Sets = Vec<(Objective, Result<DataSummary, String>)>;

/// What Data is told.
#[derive(Debug)]
pub enum Msg {
    /// Totals, and bytes on disk.
    Counts(Counts, u64),
    /// Training sets.
    Sets(Sets),
}

/// The screen's state.
#[derive(Debug, Default)]
pub struct State {
    counts: Option<(Counts, u64)>,
    sets: Option<Sets>,
    /// Where the data is.
    pub root: String,
}

impl State {
    /// Takes in a message.
    pub fn update(&mut self, msg: Msg) {
        match msg {
            Msg::Counts(counts, bytes) => self.counts = Some((counts, bytes)),
            Msg::Sets(sets) => self.sets = Some(sets),
        }
    }
}

/// Does what a key means.
pub fn act(act: Act) -> Vec<Effect> {
    if act == Act::Start { vec![Effect::Desk(DeskCmd::Export)] } else { Vec::new() }
}

/// Draws the screen.
pub fn draw(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let mut lines = Vec::new();
    let mut row = |name: &str, what: String| {
        lines.push(Line::from(vec![Span::styled(format!(" {name:<16}"), theme.strong()), Span::raw(what)]));
    };
    match &state.counts {
        None => row("reading…", String::new()),
        Some((counts, bytes)) => {
            row("demonstrations", format!("{} with {} steps", counts.demonstrations, counts.demonstration_steps));
            row("rollouts", format!("{} executed alternatives", counts.branches));
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
    lines.push(Line::styled(" What a run would train on now", theme.dim()));
    for (objective, set) in state.sets.iter().flatten() {
        let text = match set {
            Ok(set) => format!(
                "{} trees, {} tokens ({} alternatives, {} reflections)",
                set.trees, set.tokens, set.branches, set.reflections
            ),
            Err(why) => format!("nothing yet. {why}"),
        };
        lines.push(Line::from(vec![Span::styled(format!(" {:<16}", objective.word()), theme.strong()), Span::raw(text)]));
    }
    if state.sets.is_none() {
        lines.push(Line::styled(" counting tokens…", theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines).block(theme.panel("Data")).wrap(Wrap { trim: false }), area);
}
