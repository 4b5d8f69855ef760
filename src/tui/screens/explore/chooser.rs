//! Explore, choosing a game from a list: the suite, the split, then the game, by words of its name.

use std::collections::BTreeSet;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Clear, Paragraph};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use super::State;
use super::typing::Typing;
use crate::env::TaskRef;
use crate::explore::HUMAN;
use crate::text::clean;
use crate::tui::collecting::Offered;
use crate::tui::effect::{Effect, WorldCmd};
use crate::tui::text::{grouped, typed_line};
use crate::tui::theme::{Theme, centered, fit};

/// The games of a split, and where else there are some.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Games {
    /// The suite.
    pub suite: String,
    /// Suites that can be opened.
    pub suites: Vec<String>,
    /// The split.
    pub split: String,
    /// The suite's splits.
    pub splits: Vec<String>,
    /// The games.
    pub tasks: Vec<TaskRef>,
    /// Who can be asked to demonstrate.
    pub experts: Vec<String>,
    /// Why there are none.
    pub why: Option<String>,
}

impl Games {
    /// The kinds of task among them.
    pub fn kinds(&self) -> Vec<String> {
        let kinds: BTreeSet<&String> = self.tasks.iter().map(|task| &task.kind).collect();
        kinds.into_iter().cloned().collect()
    }
}

impl State {
    /// What the form before collecting can choose from, what is open first; a person cannot be
    /// asked in bulk.
    pub fn offered(&self) -> Offered {
        let first = |open: Option<String>, all: &[String]| {
            let others = all.iter().filter(|one| Some(*one) != open.as_ref()).cloned();
            open.iter().cloned().chain(others).collect()
        };
        let expert = self.view.as_ref().map(|view| view.asked.clone());
        Offered {
            splits: first(self.split().map(str::to_string), &self.around.splits),
            experts: first(expert.filter(|asked| asked != HUMAN), &self.around.experts),
            kinds: self.around.kinds(),
        }
    }

    /// Takes in which games there are.
    pub(super) fn take_games(&mut self, games: Games, open: bool) {
        if open {
            self.around.clone_from(&games);
        }
        if let Some(Typing::Game(chooser)) = &mut self.typing {
            chooser.take(games);
        }
    }

    /// Opens the list.
    pub(super) fn choose_game(&mut self) -> Vec<Effect> {
        let (chooser, effects) = Chooser::open();
        self.typing = Some(Typing::Game(Box::new(chooser)));
        effects
    }
}

/// What is being chosen.
#[derive(Debug, Clone, Default)]
pub struct Chooser {
    /// What there is; none until it was listed.
    pub games: Option<Games>,
    words: Input,
    at: usize,
}

/// What a key comes to.
pub enum Chosen {
    /// It stays open; this is asked meanwhile.
    Stays(Vec<Effect>),
    /// It is closed, and this is done.
    Done(Vec<Effect>),
}

fn list(suite: Option<String>, split: Option<String>) -> Vec<Effect> {
    vec![Effect::World(WorldCmd::Games(suite, split))]
}

impl Chooser {
    /// Opens it on what is open.
    pub fn open() -> (Self, Vec<Effect>) {
        (Self::default(), list(None, None))
    }

    /// The games with all the words in their names or kinds.
    fn fitting(&self) -> Vec<&TaskRef> {
        let words: Vec<String> =
            self.words.value().split_whitespace().map(str::to_lowercase).collect();
        let fits = |task: &&TaskRef| {
            let name = format!("{} {}", task.id, task.kind).to_lowercase();
            words.iter().all(|word| name.contains(word))
        };
        self.games.iter().flat_map(|games| &games.tasks).filter(fits).collect()
    }

    /// The one after (or before) what is chosen now, round.
    fn beside(all: &[String], now: &str, on: bool) -> Option<String> {
        let count = all.len();
        let at = all.iter().position(|one| one == now)?;
        all.get((at + if on { 1 } else { count - 1 }) % count).filter(|next| *next != now).cloned()
    }

    /// Takes a key.
    pub fn key(&mut self, key: KeyEvent) -> Chosen {
        let count = self.fitting().len();
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match (key.code, &self.games) {
            (KeyCode::Esc, _) => return Chosen::Done(Vec::new()),
            (KeyCode::Enter, Some(games)) => {
                let Some(task) = self.fitting().get(self.at).copied() else {
                    return Chosen::Stays(Vec::new());
                };
                let (suite, split, id) =
                    (games.suite.clone(), games.split.clone(), task.id.clone());
                return Chosen::Done(vec![Effect::World(WorldCmd::Open(suite, split, id))]);
            }
            (KeyCode::Left | KeyCode::Right, Some(games)) => {
                let on = key.code == KeyCode::Right;
                let split = Self::beside(&games.splits, &games.split, on);
                let suite = games.suite.clone();
                return Chosen::Stays(split.map_or(Vec::new(), |s| list(Some(suite), Some(s))));
            }
            (KeyCode::Tab, Some(games)) => {
                let suite = Self::beside(&games.suites, &games.suite, true);
                return Chosen::Stays(suite.map_or(Vec::new(), |suite| list(Some(suite), None)));
            }
            (KeyCode::Down, _) => self.at = (self.at + 1).min(count.saturating_sub(1)),
            (KeyCode::Up, _) => self.at = self.at.saturating_sub(1),
            (KeyCode::PageDown, _) => self.at = (self.at + 10).min(count.saturating_sub(1)),
            (KeyCode::PageUp, _) => self.at = self.at.saturating_sub(10),
            (KeyCode::Char('u'), _) if control => {
                self.words = Input::default();
                self.at = 0;
            }
            _ => {
                self.words.handle_event(&Event::Key(key));
                self.at = self.at.min(self.fitting().len().saturating_sub(1));
            }
        }
        Chosen::Stays(Vec::new())
    }

    /// Takes in what there is.
    pub fn take(&mut self, games: Games) {
        self.at = 0;
        self.games = Some(games);
    }

    /// Takes pasted text.
    pub fn paste(&mut self, text: &str) {
        crate::tui::text::pasted(&mut self.words, text);
        self.at = 0;
    }

    /// Draws it over the screen.
    pub fn draw(&self, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
        let over = centered(area, 90, 30);
        frame.render_widget(Clear, over);
        let block =
            theme.panel("Games · type words · left, right: split · Tab suite · Enter opens");
        let inner = block.inner(over);
        let Some(games) = &self.games else {
            let text = Paragraph::new(Line::styled("listing…", theme.dim())).block(block);
            return frame.render_widget(text, over);
        };
        let marked = |all: &[String], now: &str| -> String {
            let one = |name: &String| if name == now { format!("[{name}]") } else { name.clone() };
            clean(&all.iter().map(one).collect::<Vec<_>>().join(" "))
        };
        let found = self.fitting();
        let mut lines = vec![
            Line::from(format!(
                " {}   {}",
                marked(&games.suites, &games.suite),
                marked(&games.splits, &games.split)
            )),
            typed_line(&self.words, usize::from(inner.width), theme),
            Line::styled(
                match &games.why {
                    Some(why) => format!(" {}", clean(why)),
                    None => format!(
                        " {} of {} games",
                        grouped(found.len() as u64),
                        grouped(games.tasks.len() as u64)
                    ),
                },
                theme.dim(),
            ),
        ];
        let rows = usize::from(inner.height).saturating_sub(lines.len());
        let from = (self.at + 1).saturating_sub(rows);
        lines.extend(found.iter().enumerate().skip(from).take(rows).map(|(i, task)| {
            let text = format!(" {}  {}", clean(&task.id), clean(&task.kind));
            let line = Line::from(fit(&text, usize::from(inner.width)));
            if i == self.at { line.style(theme.selected()) } else { line }
        }));
        frame.render_widget(Paragraph::new(lines).block(block), over);
    }
}

#[cfg(test)]
#[path = "chooser_tests.rs"]
mod tests;
