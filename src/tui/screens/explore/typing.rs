//! Explore, while something is typed or chosen over the screen.

use crossterm::event::{Event, KeyCode, KeyEvent};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use super::State;
use super::chooser::{Chooser, Chosen};
use crate::agent::NEWEST;
use crate::agent::alternatives::AlternativeSampling;
use crate::explore::HUMAN;
use crate::tui::effect::{Effect, MindCmd, WorldCmd};
use crate::tui::keys::selected;
use crate::tui::text::pasted;

/// What is being typed over the screen.
#[derive(Debug, Clone)]
pub enum Typing {
    /// An action.
    Action(Input),
    /// A node of the tree is being chosen; the index of its line.
    Node(usize),
    /// A node is being named.
    Name(usize, Input),
    /// A surprise is being chosen; its index.
    Surprise(usize),
    /// How alternatives are chosen is being set; the row.
    Sampling(usize),
    /// Who answers is being said.
    Minds(Input),
    /// Who is asked beside is being said.
    Beside(Input),
    /// A game is being chosen.
    Game(Box<Chooser>),
}

/// Who answers here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Minds {
    /// The mind that predicts.
    pub world: String,
    /// All of them, as they stand in the title: empty until one is loaded.
    pub described: String,
    /// Whether a person named them, and it is not whoever is newest.
    pub named: bool,
}

impl State {
    /// Takes a key while something is typed; none if nothing is.
    pub(super) fn type_key(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        let mut typing = self.typing.take()?;
        let effects = match &mut typing {
            Typing::Action(input) => match key.code {
                KeyCode::Esc => return Some(Vec::new()),
                KeyCode::Enter => {
                    let action = input.value().trim().to_string();
                    let step =
                        |action: String| vec![Effect::World(WorldCmd::Step(action, HUMAN.into()))];
                    return Some(if action.is_empty() { Vec::new() } else { step(action) });
                }
                KeyCode::Tab => {
                    if let Some((_, action)) = self.shown_actions(input.value()).first() {
                        *input = Input::new((*action).to_string());
                    }
                    Vec::new()
                }
                _ => typed(input, key),
            },
            Typing::Surprise(at) => {
                match key.code {
                    KeyCode::Esc | KeyCode::Char('q' | 'S') => return Some(Vec::new()),
                    KeyCode::Enter => {
                        let found =
                            self.surprises.get(*at).map(|s| WorldCmd::BranchOff(s.trajectory, s.t));
                        return Some(found.map(Effect::World).into_iter().collect());
                    }
                    code => *at = selected(*at, self.surprises.len(), code),
                }
                Vec::new()
            }
            Typing::Sampling(row) => {
                let mut choosing = self.choosing;
                match key.code {
                    KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q' | 'p') => {
                        return Some(Vec::new());
                    }
                    KeyCode::Char('l' | '+' | '=' | ' ') | KeyCode::Right => {
                        choosing.change(*row, true);
                    }
                    KeyCode::Char('h' | '-') | KeyCode::Left => choosing.change(*row, false),
                    code => *row = selected(*row, AlternativeSampling::ROWS, code),
                }
                self.choose_by(choosing)
            }
            Typing::Game(chooser) => match chooser.key(key) {
                Chosen::Stays(effects) => effects,
                Chosen::Done(effects) => return Some(effects),
            },
            Typing::Minds(input) => match key.code {
                KeyCode::Esc => return Some(Vec::new()),
                KeyCode::Enter => {
                    let named = input.value().trim().to_string();
                    // Connecting takes its time: until then nobody is said to answer.
                    self.minds = Minds::default();
                    let named = Some(named).filter(|named| !named.is_empty());
                    return Some(vec![Effect::Mind(MindCmd::Load(named))]);
                }
                _ => typed(input, key),
            },
            Typing::Beside(input) => match key.code {
                KeyCode::Esc => return Some(Vec::new()),
                KeyCode::Enter => {
                    let named = input.value().trim();
                    let named = if named.is_empty() { NEWEST } else { named };
                    return Some(self.ask_beside(Some(named.to_string())));
                }
                _ => typed(input, key),
            },
            Typing::Node(at) => return Some(self.choosing_a_node(*at, key.code)),
            Typing::Name(node, input) => match key.code {
                KeyCode::Esc => return Some(Vec::new()),
                KeyCode::Enter => {
                    let name = input.value().to_string();
                    return Some(vec![Effect::World(WorldCmd::Name(*node, name))]);
                }
                _ => typed(input, key),
            },
        };
        self.typing = Some(typing);
        Some(effects)
    }

    /// A key while a node is chosen. The list stays open but for Enter and Esc.
    fn choosing_a_node(&mut self, at: usize, code: KeyCode) -> Vec<Effect> {
        let Some(view) = &self.view else { return Vec::new() };
        let count = view.trunk.len();
        let here = view.node;
        let at = at.min(count.saturating_sub(1));
        let Some(node) = view.trunk.get(at).map(|line| line.node) else { return Vec::new() };
        let world = |command: WorldCmd| vec![Effect::World(command)];
        let (next, effects) = match code {
            KeyCode::Esc | KeyCode::Char('q' | 'b') => return Vec::new(),
            KeyCode::Enter => return world(WorldCmd::Goto(node)),
            KeyCode::Char('n') => {
                self.typing = Some(Typing::Name(node, Input::new(view.trunk[at].name.clone())));
                return Vec::new();
            }
            KeyCode::Char('c') => {
                return world(WorldCmd::Compare(self.marked.unwrap_or(here), node));
            }
            KeyCode::Char('d') => (at, world(WorldCmd::Remove(node))),
            KeyCode::Char('u') => (at, world(WorldCmd::PutBack)),
            KeyCode::Char(' ') => {
                self.marked = if self.marked == Some(node) { None } else { Some(node) };
                (at, Vec::new())
            }
            code => (selected(at, count, code), Vec::new()),
        };
        self.typing = Some(Typing::Node(next));
        effects
    }

    /// Takes pasted text.
    pub(super) fn type_text(&mut self, text: &str) {
        if let Some(
            Typing::Action(input)
            | Typing::Name(_, input)
            | Typing::Minds(input)
            | Typing::Beside(input),
        ) = &mut self.typing
        {
            pasted(input, text);
        } else if let Some(Typing::Game(chooser)) = &mut self.typing {
            chooser.paste(text);
        }
    }
}

fn typed(input: &mut Input, key: KeyEvent) -> Vec<Effect> {
    input.handle_event(&Event::Key(key));
    Vec::new()
}
