//! Agents: what agents of others ask their models through the gateway, session by session.

mod acts;
mod judge;
mod view;

use crossterm::event::{Event, KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use crate::store::{AgentRow, CallRow, SessionRow};
use crate::tui::effect::{Effect, JobKind};
use crate::tui::jobs::Jobs;
use crate::tui::keys::Direction;
use crate::tui::screens::Pane;
use crate::tui::text::pasted;
use crate::tui::theme::Theme;
pub use acts::{Act, KEYS};
pub use judge::Answers;

/// What there is, as of one look.
#[derive(Debug, Default)]
pub struct Seen {
    /// The sessions, newest first, [`SESSIONS`] at most.
    pub sessions: Vec<SessionRow>,
    /// All that there are.
    pub total: usize,
    /// The agents.
    pub agents: Vec<AgentRow>,
    /// Who answers, in words.
    pub routes: Vec<String>,
}

/// Sessions that are looked at.
pub const SESSIONS: usize = 500;

/// A call as it is listed.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The call.
    pub row: CallRow,
    /// What was said to the model last, and what it said, a line each.
    pub asked: String,
    /// What it answered, or why it did not.
    pub said: String,
    /// What it would have said in its place.
    pub others: usize,
}

/// What is asked about agents of others.
#[derive(Debug)]
pub enum AgentsCmd {
    /// How everything stands.
    Look,
    /// The calls of a session, those with a text if one is looked for.
    Calls(String, Option<String>),
    /// A call with all that was said.
    Read(i64),
    /// What a session was worth.
    Reward(String, f64),
    /// The answers to a call, once it was said that one is better than another, or no longer is.
    Prefer(i64, Option<(usize, usize, bool)>),
    /// Ask again, so often.
    Try(i64, usize),
    /// Make demonstrations of an agent's conversations.
    Take(i64),
    /// Who answered an agent, and what came of it.
    Compare(i64),
    /// Give an agent another name.
    Name(i64, String),
    /// Have another mind answer.
    Route(String),
    /// Take an agent's last route back.
    Back(String),
}

/// What Agents is told.
#[derive(Debug)]
pub enum Msg {
    /// How everything stands.
    Seen(Seen),
    /// The calls of a session.
    Calls(String, Vec<Listed>),
    /// The answers to a call, to say which is better.
    Answers(Answers),
}

/// What is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    /// An agent's new name.
    Name(i64),
    /// Who answers: `AGENT=MIND`.
    Route,
    /// A text that calls are looked for by.
    Search,
}

/// Which list has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Panel {
    #[default]
    Sessions,
    Calls,
}

/// The screen's state.
#[derive(Debug, Default)]
pub struct State {
    seen: Option<Seen>,
    session: usize,
    /// The calls of the session in front, once they are there.
    calls: Option<(String, Vec<Listed>)>,
    call: usize,
    panel: Panel,
    typed: Option<(Typing, Input)>,
    /// The answers that are judged, and the one under the cursor, from 1.
    judged: Option<(Answers, usize)>,
    search: Option<String>,
    ticks: u32,
}

impl State {
    /// The session under the cursor.
    fn front(&self) -> Option<&SessionRow> {
        self.seen.as_ref()?.sessions.get(self.session)
    }

    /// The calls of the session under the cursor, if they are here.
    fn listed(&self) -> &[Listed] {
        let front = self.front().map(|session| session.name.as_str());
        match &self.calls {
            Some((name, calls)) if Some(name.as_str()) == front => calls,
            _ => &[],
        }
    }

    /// The call under the cursor.
    fn current(&self) -> Option<&Listed> {
        self.listed().get(self.call)
    }

    /// The agent of the call under the cursor, or the only one.
    fn agent(&self) -> Option<&AgentRow> {
        let agents = &self.seen.as_ref()?.agents;
        match self.current() {
            Some(call) => agents.iter().find(|agent| agent.name == call.row.agent),
            None => agents.first().filter(|_| agents.len() == 1),
        }
    }

    /// Asks for the calls of the session under the cursor.
    fn read(&self) -> Vec<Effect> {
        let name = self.front().map(|session| session.name.clone());
        name.map(|name| Effect::Agents(AgentsCmd::Calls(name, self.search.clone())))
            .into_iter()
            .collect()
    }

    /// Takes in a message.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Seen(seen) => {
                // Whoever looks at a session goes on looking at it: a key is meant for that one.
                let front = self.front().map(|session| session.name.clone());
                let at =
                    front.and_then(|name| seen.sessions.iter().position(|one| one.name == name));
                self.session = at.unwrap_or_default();
                self.seen = Some(seen);
                return self.read();
            }
            Msg::Answers(answers) => {
                let same = self.judged.as_ref().filter(|(known, _)| known.call == answers.call);
                let at = same.map_or(1, |(_, at)| *at);
                self.judged = Some((answers, at));
            }
            Msg::Calls(name, calls) => {
                let same = self.calls.as_ref().is_some_and(|(known, _)| *known == name);
                let at_end = self.call + 1 >= self.listed().len();
                self.calls = Some((name, calls));
                // The last call stays in front while one comes after the other.
                if !same || at_end {
                    self.call = self.listed().len().saturating_sub(1);
                }
            }
        }
        Vec::new()
    }
}

impl Pane for State {
    fn refresh(&self) -> Vec<Effect> {
        vec![Effect::Agents(AgentsCmd::Look)]
    }

    fn is_dear(&self) -> bool {
        true
    }

    fn tick(&mut self, front: bool, jobs: &Jobs) -> Vec<Effect> {
        self.ticks = self.ticks.wrapping_add(1);
        // Another program may be the gateway.
        let due = self.ticks.is_multiple_of(4) || jobs.contains_key(&JobKind::Gateway);
        if front && due { vec![Effect::Agents(AgentsCmd::Look)] } else { Vec::new() }
    }

    fn is_typing(&self) -> bool {
        self.typed.is_some() || self.judged.is_some()
    }

    fn typing(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        if self.judged.is_some() {
            return Some(self.judging(key));
        }
        let (what, mut input) = self.typed.take()?;
        match key.code {
            KeyCode::Esc => {
                Some(if what == Typing::Search { self.found(None) } else { Vec::new() })
            }
            KeyCode::Enter => Some(self.entered(what, input.value().trim().to_string())),
            _ => {
                input.handle_event(&Event::Key(key));
                self.typed = Some((what, input));
                Some(Vec::new())
            }
        }
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        if let Some((_, input)) = &mut self.typed {
            pasted(input, text);
        }
        Vec::new()
    }

    fn go(&mut self, direction: Direction) -> Vec<Effect> {
        let sessions = self.seen.as_ref().map_or(0, |seen| seen.sessions.len());
        let (at, count) = match self.panel {
            Panel::Sessions => (self.session, sessions),
            Panel::Calls => (self.call, self.listed().len()),
        };
        let at = direction.moved(at, count);
        match self.panel {
            Panel::Sessions => {
                self.session = at;
                self.read()
            }
            Panel::Calls => {
                self.call = at;
                Vec::new()
            }
        }
    }

    fn next_panel(&mut self) {
        self.panel = match self.panel {
            Panel::Sessions => Panel::Calls,
            Panel::Calls => Panel::Sessions,
        };
    }

    fn copy(&self, json: bool) -> Option<String> {
        let call = self.current()?;
        if json {
            return serde_json::to_string(&call.row).ok();
        }
        Some(call.said.clone())
    }

    fn badge(&self, jobs: &Jobs, theme: Theme) -> String {
        if jobs.contains_key(&JobKind::Gateway) {
            theme.glyph("▸", ">").into()
        } else {
            String::new()
        }
    }

    fn draw(&self, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
        view::draw(self, theme, frame, area);
    }
}
