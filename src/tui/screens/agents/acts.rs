//! Agents, what its keys do.

use tui_input::Input;

use super::{Panel, State, Typing};
use crate::tui::effect::{AgentsCmd, Effect, JobCmd, JobKind, Notice};
use crate::tui::keys::{Key, key};
use crate::tui::screens::Around;

/// What keys do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Listen, or stop listening.
    Gateway,
    /// Read the call under the cursor, or go from a session to its calls.
    Read,
    /// Say that the session succeeded, or that it did not.
    Reward(bool),
    /// What else the model would have said.
    Try,
    /// Say which of these is better.
    Prefer,
    /// Demonstrations of the agent's rewarded conversations.
    Take,
    /// Old and new beside each other.
    Compare,
    /// Give the agent another name.
    Name,
    /// Who answers.
    Route,
    /// Take the agent's last route back.
    Back,
    /// Look for calls.
    Search,
}

/// The keys of this screen.
pub const KEYS: &[Key<Act>] = &[
    key("gateway", "s", Act::Gateway, "listen", "let agents call their models here, or stop that"),
    key(
        "read",
        "enter",
        Act::Read,
        "read",
        "the calls of a session; a call with all that was said before it",
    ),
    key("won", "+", Act::Reward(true), "won", "the session succeeded: reward 1"),
    key("lost", "-", Act::Reward(false), "lost", "the session did not succeed: reward 0"),
    key(
        "try",
        "b",
        Act::Try,
        "what else",
        "four other answers of the mind that answered; nothing of them is executed",
    ),
    key(
        "prefer",
        "p",
        Act::Prefer,
        "prefer",
        "say which of the other answers is better than what was said, or worse",
    ),
    key(
        "take",
        "d",
        Act::Take,
        "demonstrations",
        "make demonstrations of this agent's conversations that were worth 1 or more",
    ),
    key(
        "compare",
        "c",
        Act::Compare,
        "compare",
        "what sessions were worth by who answered this agent in them",
    ),
    key("route", "m", Act::Route, "who answers", "have another mind answer an agent from now on"),
    key("route-back", "u", Act::Back, "", "take this agent's last route back"),
    key("name", "n", Act::Name, "name", "give this agent another name"),
    key(
        "search",
        "/",
        Act::Search,
        "search",
        "only calls in whose last message or reply a text stands",
    ),
];

/// Answers that are asked for beside the one that was given.
const OTHERS: usize = 4;

fn info(text: &str) -> Vec<Effect> {
    vec![Effect::Say(Notice::info(text.into()))]
}

impl State {
    /// Whether a key means something now.
    pub fn applies(&self, act: Act, _around: Around<'_>) -> bool {
        match act {
            Act::Gateway | Act::Route | Act::Search => true,
            Act::Read | Act::Reward(_) => self.front().is_some(),
            Act::Try => self.current().is_some(),
            Act::Prefer => self.current().is_some_and(|call| call.others > 0),
            Act::Take | Act::Compare | Act::Name | Act::Back => self.agent().is_some(),
        }
    }

    /// Does what a key means.
    pub fn act(&mut self, act: Act, around: Around<'_>) -> Vec<Effect> {
        let ask = |command| vec![Effect::Agents(command)];
        match act {
            Act::Gateway if around.runs(JobKind::Gateway) => {
                vec![Effect::Job(JobCmd::Stop(JobKind::Gateway))]
            }
            Act::Gateway => vec![Effect::Job(JobCmd::Gateway)],
            Act::Read if self.panel == Panel::Sessions => {
                self.panel = Panel::Calls;
                Vec::new()
            }
            Act::Read => match self.current() {
                Some(call) => ask(AgentsCmd::Read(call.row.id)),
                None => info("no calls yet"),
            },
            Act::Reward(won) => match self.front() {
                Some(session) => {
                    ask(AgentsCmd::Reward(session.name.clone(), f64::from(u8::from(won))))
                }
                None => Vec::new(),
            },
            Act::Try => match self.current() {
                Some(call) => ask(AgentsCmd::Try(call.row.id, OTHERS)),
                None => Vec::new(),
            },
            Act::Prefer => match self.current() {
                Some(call) => ask(AgentsCmd::Prefer(call.row.id, None)),
                None => Vec::new(),
            },
            Act::Take => self.agent().map_or_else(Vec::new, |agent| ask(AgentsCmd::Take(agent.id))),
            Act::Compare => {
                self.agent().map_or_else(Vec::new, |agent| ask(AgentsCmd::Compare(agent.id)))
            }
            Act::Back => {
                self.agent().map_or_else(Vec::new, |agent| ask(AgentsCmd::Back(agent.name.clone())))
            }
            Act::Name => {
                let typed = self
                    .agent()
                    .map(|agent| (Typing::Name(agent.id), Input::new(agent.name.clone())));
                self.typed = typed;
                Vec::new()
            }
            Act::Route => {
                let named =
                    self.agent().map(|agent| format!("{}=", agent.name)).unwrap_or_default();
                self.typed = Some((Typing::Route, Input::new(named)));
                Vec::new()
            }
            Act::Search => {
                self.typed =
                    Some((Typing::Search, Input::new(self.search.clone().unwrap_or_default())));
                Vec::new()
            }
        }
    }

    /// What was typed.
    pub(super) fn entered(&mut self, what: Typing, text: String) -> Vec<Effect> {
        match what {
            Typing::Search => self.found(Some(text).filter(|text| !text.is_empty())),
            _ if text.is_empty() => Vec::new(),
            Typing::Name(agent) => vec![Effect::Agents(AgentsCmd::Name(agent, text))],
            Typing::Route => vec![Effect::Agents(AgentsCmd::Route(text))],
        }
    }

    /// Looks for another text.
    pub(super) fn found(&mut self, search: Option<String>) -> Vec<Effect> {
        self.search = search;
        self.call = 0;
        self.read()
    }
}
