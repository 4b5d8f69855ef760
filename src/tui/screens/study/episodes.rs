//! Study, the episodes behind a figure: a list of games, and one of them read whole.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::text::{Line, Span};

use crate::store::PlayedGame;
use crate::text::clean;
use crate::tui::effect::{Effect, StudyCmd};
use crate::tui::text::wrapped;
use crate::tui::theme::Theme;

/// Lines that a page goes.
const PAGE: usize = 10;

/// Where some episodes are: a study by name, and one of its evaluations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// The study.
    pub study: String,
    /// The evaluation in its store.
    pub evaluation: i64,
    /// Arm, test set and seed, in words.
    pub title: String,
}

/// The episodes of an evaluation.
#[derive(Debug)]
pub struct Episodes {
    /// Where they are.
    pub behind: Behind,
    games: Vec<PlayedGame>,
    at: usize,
    /// The one that is read, and the line on top.
    reading: Option<(Vec<String>, usize)>,
}

impl Episodes {
    /// A list of them, lost ones first: they are what is looked for.
    pub fn new(behind: Behind, mut games: Vec<PlayedGame>) -> Self {
        games.sort_by_key(|game| game.success);
        Self { behind, games, at: 0, reading: None }
    }

    /// Takes in an episode that was asked for, if it is still the one under the cursor.
    pub fn read(&mut self, trajectory: i64, lines: Vec<String>) {
        if self.games.get(self.at).is_some_and(|game| game.trajectory == trajectory) {
            self.reading = Some((lines, 0));
        }
    }

    /// What a key does; none once they are left.
    pub fn key(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        let by: isize = match key.code {
            KeyCode::Down | KeyCode::Char('j') => 1,
            KeyCode::Up | KeyCode::Char('k') => -1,
            KeyCode::PageDown | KeyCode::Char(' ') => PAGE as isize,
            KeyCode::PageUp => -(PAGE as isize),
            KeyCode::Home | KeyCode::Char('g') => isize::MIN,
            KeyCode::End | KeyCode::Char('G') => isize::MAX,
            KeyCode::Enter if self.reading.is_none() => {
                let game = self.games.get(self.at)?;
                let (study, trajectory) = (self.behind.study.clone(), game.trajectory);
                return Some(vec![Effect::Study(StudyCmd::Episode(study, trajectory))]);
            }
            KeyCode::Esc | KeyCode::Char('q') => {
                return self.reading.take().map(|_| Vec::new());
            }
            _ => 0,
        };
        let (at, last) = match &mut self.reading {
            Some((lines, at)) => (at, lines.len().saturating_sub(1)),
            None => (&mut self.at, self.games.len().saturating_sub(1)),
        };
        *at = at.saturating_add_signed(by).min(last);
        Some(Vec::new())
    }

    /// The lines that fit, under a title.
    pub fn draw(&self, theme: Theme, width: usize, height: usize) -> (String, Vec<Line<'static>>) {
        let Behind { title, evaluation, .. } = &self.behind;
        if let Some((lines, at)) = &self.reading {
            let game = self.games.get(self.at).map_or("", |game| &game.task_id);
            let below = lines.iter().skip(*at);
            let all = below.flat_map(|line| wrapped(&clean(line), width));
            let shown = all.take(height).map(Line::raw).collect();
            return (format!("esc: back · {}", clean(game)), shown);
        }
        let from = (self.at + 1).saturating_sub(height);
        let shown = self.games.iter().enumerate().skip(from).take(height);
        let lines = shown.map(|(i, game)| Self::row(game, i == self.at, theme, width));
        let won = self.games.iter().filter(|game| game.success).count();
        let of = format!(
            "enter: read, esc: back · {won} of {} won · {title}, evaluation {evaluation}",
            self.games.len()
        );
        (of, lines.collect())
    }

    fn row(game: &PlayedGame, cursor: bool, theme: Theme, width: usize) -> Line<'static> {
        let mark = if cursor { theme.glyph("▸", ">") } else { " " };
        let (word, style) =
            if game.success { ("won ", theme.good()) } else { ("lost", theme.bad()) };
        // Near copies differ at their ends.
        let name = clean(&game.task_id);
        let room = width.saturating_sub(19);
        let skipped = name.chars().count().saturating_sub(room);
        let name: String = match skipped {
            0 => name,
            _ => std::iter::once('…').chain(name.chars().skip(skipped)).collect(),
        };
        Line::from(vec![
            Span::raw(mark.to_string()),
            Span::styled(word, style),
            Span::raw(format!(" {:>4} steps  ", game.steps)),
            Span::styled(name, if cursor { theme.selected() } else { theme.frame() }),
        ])
    }
}
