//! What was done in this session, each thing as the command that does the same: the log under `@`.
//! It is written where effects leave the interface, so that nothing is done beside it.

mod same;

use std::collections::VecDeque;
use std::path::Path;

use crossterm::event::KeyCode;
use ratatui::style::Style;
use ratatui::text::Line;

pub use same::same;

use super::effect::Effect;
use super::keys;
use super::palette::wrapped;
use super::popups::Choice;
use super::theme::Theme;
use crate::text::{clean, quoted};

/// As many as are kept.
const KEPT: usize = 200;

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// This command line does the same.
    Command(String),
    /// No command does; what was done, and why not.
    Alone(String),
}

impl Done {
    /// As a line of the log.
    pub fn line(&self) -> String {
        match self {
            Self::Command(line) => line.clone(),
            Self::Alone(what) => format!("no command: {what}"),
        }
    }
}

/// Where a session works: what its commands have to say besides what they do.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The suite.
    pub suite: String,
    /// The folder of the suite's files, where one was named.
    pub files: Option<String>,
    /// The split that the suite is evaluated on.
    pub evaluated_on: Option<String>,
    /// The data directory, where it is not the usual one.
    pub data_dir: Option<String>,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Commands {
    /// Where.
    pub place: Place,
    /// The newest first.
    done: VecDeque<Done>,
}

impl Commands {
    /// Of a session with a suite; nothing was done yet.
    pub fn of(suite: &str) -> Self {
        let place = Place { suite: suite.to_string(), ..Place::default() };
        Self { place, done: VecDeque::new() }
    }

    /// Notes what leaves the interface.
    pub fn note(&mut self, effects: &[Effect]) {
        for done in effects.iter().flat_map(|effect| same(effect, &self.place)) {
            self.done.push_front(done);
        }
        self.done.truncate(KEPT);
    }

    /// What was done, the newest first.
    pub fn done(&self) -> impl Iterator<Item = &Done> {
        self.done.iter()
    }

    /// Takes a key while the log is read.
    pub(super) fn key(&self, at: &mut usize, code: KeyCode) -> Choice {
        match (code, self.done.get(*at)) {
            (KeyCode::Char('y'), Some(done)) => return Choice::Copy(done.line()),
            (KeyCode::Esc | KeyCode::Char('q' | '@'), _) => return Choice::Close,
            (code, _) => *at = keys::selected(*at, self.done.len(), code),
        }
        Choice::Stay
    }

    /// The log in lines of at most so many cells, and the first that has to be seen.
    pub(super) fn lines(&self, at: usize, width: usize, theme: Theme) -> (Vec<Line<'_>>, usize) {
        if self.done.is_empty() {
            let none = "nothing yet: what you decide, collect, train, evaluate and export stands \
                        here as a command";
            return (vec![Line::styled(none, theme.dim())], 0);
        }
        let mut lines = Vec::new();
        let mut row = 0;
        for (i, done) in self.done.iter().enumerate() {
            let plain = if matches!(done, Done::Alone(_)) { theme.dim() } else { Style::new() };
            let style = if i == at { theme.selected() } else { plain };
            if i == at {
                row = lines.len();
            }
            for (part, text) in
                wrapped(&clean(&done.line()), width.saturating_sub(3)).iter().enumerate()
            {
                let lead = if part == 0 { " " } else { "   " };
                lines.push(Line::styled(format!("{lead}{text}"), style));
            }
        }
        // What stands above it is seen as well.
        (lines, row.saturating_sub(4))
    }
}

impl Place {
    /// The data directory as commands name it: not at all where it is the usual one.
    pub fn set_data_dir(&mut self, root: &Path, usual: Option<&Path>) {
        self.data_dir = (usual != Some(root)).then(|| root.display().to_string());
    }

    /// A command with what has to be said of where.
    fn command(&self, words: &str) -> Done {
        let at = self.data_dir.as_ref().map(|dir| format!(" --data-dir {}", quoted(dir)));
        Done::Command(format!("foretaste{} {words}", at.unwrap_or_default()))
    }

    /// The options that name the suite.
    fn suite(&self) -> String {
        let files = self.files.as_ref().map(|files| format!(" --data {}", quoted(files)));
        format!("--suite {}{}", quoted(&self.suite), files.unwrap_or_default())
    }
}
