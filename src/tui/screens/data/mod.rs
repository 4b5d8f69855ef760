//! Data: what is in the store, and what a training set would contain.

mod acts;
mod forms;
mod view;

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;

use crate::formats::{Extent, Order};
use crate::store::{Counts, Intake, Near, Page, TrajectorySummary};
use crate::train::Sets;
use crate::tui::effect::{Effect, Notice, StoreCmd};
use crate::tui::keys::Direction;
use crate::tui::screens::Pane;
use crate::tui::theme::Theme;
use crate::tui::window::Window;
pub use acts::{Act, KEYS};
use forms::Form;

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
    /// These were deleted together.
    Deleted(Vec<i64>),
}

/// The screen's state.
#[derive(Debug, Default)]
pub struct State {
    counts: Option<(Counts, u64)>,
    sets: Option<Sets>,
    trajectories: Window<TrajectorySummary>,
    /// What was deleted in this session, together each time, the latest last.
    deleted: Vec<Vec<i64>>,
    /// Where the data is.
    pub root: String,
    /// What is being filled in.
    pub form: Option<Form>,
    /// The suite whose training sets are shown.
    pub suite: String,
    /// The split of it; its usual one without a name.
    split: Option<String>,
    pub(super) origins: Vec<(String, String)>,
    pub(super) experts: Vec<String>,
}

impl State {
    /// Asks for totals and training sets.
    fn count(&self) -> Effect {
        Effect::Store(StoreCmd::Data(self.suite.clone(), self.split.clone()))
    }

    /// The training sets of the next suite and split that have demonstrations.
    fn next_place(&mut self) -> Vec<Effect> {
        let Some(sets) = self.sets.take() else { return Vec::new() };
        let now = sets.places.iter().position(|(s, p, _)| (s, p) == (&sets.suite, &sets.split));
        let next = now.map_or(0, |at| (at + 1) % sets.places.len().max(1));
        let Some((suite, split, _)) = sets.places.get(next) else {
            let text = "nothing is collected yet: c collects".to_string();
            self.sets = Some(sets);
            return vec![Effect::Say(Notice::info(text))];
        };
        self.suite.clone_from(suite);
        self.split = Some(split.clone());
        vec![self.count()]
    }

    /// Takes in a message.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Counts(counts, bytes) => self.counts = Some((counts, bytes)),
            Msg::Sets(sets) => self.sets = Some(sets),
            Msg::Origins(origins, experts) => {
                self.origins = origins;
                self.experts = experts;
            }
            Msg::Extents(orders, found) => self.extents(&orders, found),
            Msg::Deleted(ids) => self.deleted.push(ids),
            Msg::Looked(path, found) => self.looked(&path, found),
            Msg::Completed(asked, path, ways) => self.completed(&asked, path, ways),
            Msg::Trajectories(page) => {
                let near = self.trajectories.take(page, |a, b| a.id == b.id);
                return near.map(fetch).into_iter().collect();
            }
        }
        Vec::new()
    }
}

fn fetch(near: Near) -> Effect {
    Effect::Store(StoreCmd::Listed(near))
}

impl Pane for State {
    fn refresh(&self) -> Vec<Effect> {
        let row = self.trajectories.current().map(|row| row.id);
        let near = row.map_or(Near::Position(self.trajectories.at()), Near::Row);
        vec![self.count(), fetch(near)]
    }

    fn is_dear(&self) -> bool {
        true // all tokens are counted
    }

    fn is_typing(&self) -> bool {
        self.form.is_some()
    }

    fn typing(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        self.type_key(key)
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        self.type_text(text)
    }

    fn go(&mut self, direction: Direction) -> Vec<Effect> {
        self.trajectories.go(direction).map(fetch).into_iter().collect()
    }

    fn copy(&self, _json: bool) -> Option<String> {
        None
    }

    fn draw(&self, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
        view::draw(self, theme, frame, area);
    }
}
