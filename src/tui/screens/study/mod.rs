//! Study: which way of training is better, and how sure is that?

mod acts;
mod episodes;
mod rows;
mod view;

use crossterm::event::{Event, KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use crate::store::PlayedGame;
use crate::study::Standing;
use crate::tui::effect::{Effect, JobKind, Notice, StudyCmd};
use crate::tui::jobs::Jobs;
use crate::tui::keys::Direction;
use crate::tui::screens::Pane;
use crate::tui::text::pasted;
use crate::tui::theme::Theme;
pub use acts::{Act, KEYS};
pub use episodes::Behind;
use episodes::Episodes;
use rows::{Row, rows};

/// What Study is told.
#[derive(Debug)]
pub enum Msg {
    /// All studies, as they stand.
    Studies(Vec<Standing>),
    /// A study's file was read: this one is to be looked at.
    Added(String),
    /// The episodes behind a figure.
    Episodes(Behind, Vec<PlayedGame>),
    /// One of them, in lines.
    Episode(i64, Vec<String>),
}

/// The screen's state.
#[derive(Debug, Default)]
pub struct State {
    /// All studies by name; none before they were read.
    pub studies: Option<Vec<Standing>>,
    /// The name of the one in front.
    pub name: Option<String>,
    /// The line under the cursor.
    at: usize,
    /// The seed under the cursor.
    seed: usize,
    /// The path of a file that is being typed.
    pub typed: Option<Input>,
    /// The one that was typed last, until its study is there.
    path: String,
    /// The episodes behind a figure, while they are looked at.
    episodes: Option<Episodes>,
    ticks: u32,
}

/// Half seconds between two looks while nobody works at a study here.
const LOOKS: u32 = 6;

impl State {
    /// The study in front.
    pub fn front(&self) -> Option<&Standing> {
        let all = self.studies.as_ref()?;
        let named = all.iter().find(|one| Some(&one.design.name) == self.name.as_ref());
        named.or(all.first())
    }

    /// The lines of the study in front.
    fn lines(&self) -> Vec<Row<'_>> {
        self.front().map(rows).unwrap_or_default()
    }

    /// The study so many places on.
    fn turn(&mut self) -> Vec<Effect> {
        let Some(all) = self.studies.as_ref().filter(|all| all.len() > 1) else {
            return vec![Effect::Say(Notice::info("there is no other study".into()))];
        };
        let front = self.front().map(|one| one.design.name.clone());
        let at = all.iter().position(|one| Some(&one.design.name) == front.as_ref());
        let next = at.map_or(0, |at| (at + 1) % all.len());
        self.name = Some(all[next].design.name.clone());
        (self.at, self.seed) = (0, 0);
        Vec::new()
    }

    /// Takes in a message.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Studies(all) => {
                self.studies = Some(all);
                self.at = self.at.min(self.lines().len().saturating_sub(1));
                // A line that can be read, if there is one.
                if !self.lines().get(self.at).is_some_and(Row::is_read) {
                    self.go(Direction::Down);
                }
            }
            Msg::Added(name) => {
                self.name = Some(name);
                self.path.clear();
                (self.at, self.seed) = (0, 0);
                return self.refresh();
            }
            Msg::Episodes(behind, games) => self.episodes = Some(Episodes::new(behind, games)),
            Msg::Episode(trajectory, lines) => {
                if let Some(episodes) = &mut self.episodes {
                    episodes.read(trajectory, lines);
                }
            }
        }
        Vec::new()
    }

    /// The episodes behind the figure under the cursor, where they were played here.
    fn behind(&self) -> Option<Behind> {
        let study = self.front()?;
        let Row::Arm { test, arm, .. } = self.lines().get(self.at).copied()? else { return None };
        let of = arm.seeds.get(self.seed.min(arm.seeds.len().saturating_sub(1)))?;
        let evaluation = i64::try_from(of.evaluation?).ok()?;
        let title = format!("{}, seed {} on {}", arm.name, of.seed, test.name);
        Some(Behind { study: study.design.name.clone(), evaluation, title })
    }

    /// What is under the cursor, in lines to be read.
    fn read(&self) -> Option<(String, Vec<String>)> {
        let study = self.front()?;
        match self.lines().get(self.at)? {
            Row::Arm { condition, test, arm } => {
                let of = arm.seeds.get(self.seed.min(arm.seeds.len().saturating_sub(1)))?;
                Some(view::cell(study, condition, test, arm, of))
            }
            Row::Comparison { test, one } => Some(view::comparison(test, one)),
            _ => None,
        }
    }
}

impl Pane for State {
    fn refresh(&self) -> Vec<Effect> {
        vec![Effect::Study(StudyCmd::Look)]
    }

    fn is_dear(&self) -> bool {
        true // every study's store is opened
    }

    fn tick(&mut self, front: bool, jobs: &Jobs) -> Vec<Effect> {
        self.ticks = self.ticks.wrapping_add(1);
        // Another program may work at one.
        let due = self.ticks.is_multiple_of(LOOKS) || jobs.contains_key(&JobKind::Study);
        if front && due && self.ticks.is_multiple_of(2) { self.refresh() } else { Vec::new() }
    }

    fn is_typing(&self) -> bool {
        self.typed.is_some() || self.episodes.is_some()
    }

    fn typing(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        if let Some(mut episodes) = self.episodes.take() {
            let effects = episodes.key(key);
            self.episodes = effects.is_some().then_some(episodes);
            return Some(effects.unwrap_or_default());
        }
        let mut input = self.typed.take()?;
        match key.code {
            KeyCode::Esc => {}
            KeyCode::Enter if !input.value().trim().is_empty() => {
                // What was not found stands there again.
                self.path = input.value().trim().to_string();
                return Some(vec![Effect::Study(StudyCmd::Add(self.path.clone()))]);
            }
            _ => {
                input.handle_event(&Event::Key(key));
                self.typed = Some(input);
            }
        }
        Some(Vec::new())
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        if let Some(input) = &mut self.typed {
            pasted(input, text);
        }
        Vec::new()
    }

    fn go(&mut self, direction: Direction) -> Vec<Effect> {
        let lines = self.lines();
        let last = lines.len().saturating_sub(1);
        // Headings are passed over.
        let stands = |at: &usize| lines.get(*at).is_some_and(Row::is_read);
        let on = |from: usize, by: usize| {
            (from + 1..=(from + by).min(last)).rev().find(stands).or((from + 1..=last).find(stands))
        };
        let back = |from: usize, by: usize| {
            (from.saturating_sub(by)..from).find(stands).or((0..from).rev().find(stands))
        };
        let at = match direction {
            Direction::Down => on(self.at, 1),
            Direction::Up => back(self.at, 1),
            Direction::PageDown => on(self.at, 10),
            Direction::PageUp => back(self.at, 10),
            Direction::First => (0..=last).find(stands),
            Direction::Last => (0..=last).rev().find(stands),
        };
        self.at = at.unwrap_or(self.at);
        Vec::new()
    }

    fn copy(&self, json: bool) -> Option<String> {
        let study = self.front()?;
        if json {
            return serde_json::to_string(&study.report).ok();
        }
        Some(crate::study::markdown(&study.report))
    }

    fn badge(&self, jobs: &Jobs, _theme: Theme) -> String {
        if jobs.contains_key(&JobKind::Study) { " ▶".into() } else { String::new() }
    }

    fn place(&self) -> Option<[String; 2]> {
        let study = self.front()?;
        let (done, of) = (study.done.len(), study.jobs.len());
        Some([format!("{} {done}/{of} jobs", study.design.name), format!("{done}/{of}")])
    }

    fn draw(&self, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
        view::draw(self, theme, frame, area);
    }
}
