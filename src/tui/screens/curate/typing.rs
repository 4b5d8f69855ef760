//! Curate, while something is chosen, typed or edited over the screen.

use crossterm::event::{Event, KeyCode, KeyEvent};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use super::{Beside, Mode, State};
use crate::agent::Writer;
use crate::experience::REASONS;
use crate::store::{Decision, Filter};
use crate::tui::effect::{Effect, MindCmd};
use crate::tui::keys::selected;
use crate::tui::text::pasted;

impl State {
    /// Takes a key while something is chosen, typed or edited; none otherwise.
    pub(super) fn type_key(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        match self.mode.take()? {
            Mode::Reject => Some(self.choose(key, Mode::Reject)),
            Mode::Bulk => Some(self.choose(key, Mode::Bulk)),
            Mode::Sure(decision, about) => Some(self.make_sure(decision, about, key.code)),
            Mode::Note(input, beside) => Some(self.type_note(input, beside, key)),
            Mode::Edit(editor) => Some(self.edit(editor, key)),
            Mode::Filters(at) => Some(self.choose_filter(at, key.code)),
            Mode::Writer => Some(self.choose_writer(key.code)),
            Mode::Moved => {
                self.mode =
                    (!matches!(key.code, KeyCode::Esc | KeyCode::Enter)).then_some(Mode::Moved);
                Some(Vec::new())
            }
            Mode::Attempts(attempts, at) => Some(self.choose_attempt(attempts, at, key.code)),
            Mode::Search(mut input) => Some(match key.code {
                KeyCode::Esc => Vec::new(),
                KeyCode::Enter => {
                    let words = input.value().trim().to_string();
                    self.filter_by(Filter { words, ..self.filter.clone() })
                }
                _ => {
                    input.handle_event(&Event::Key(key));
                    self.mode = Some(Mode::Search(input));
                    Vec::new()
                }
            }),
        }
    }

    /// Words beside a decision, a line of them.
    fn type_note(&mut self, mut input: Input, beside: Beside, key: KeyEvent) -> Vec<Effect> {
        match key.code {
            KeyCode::Enter => return self.noted(input.value(), beside),
            KeyCode::Esc if beside == Beside::Nothing => return Vec::new(),
            KeyCode::Esc => {
                // What is said already stays, and so does the choice.
                let words = self.note.take().unwrap_or_default();
                return self.noted(&words, beside);
            }
            _ => _ = input.handle_event(&Event::Key(key)),
        }
        self.mode = Some(Mode::Note(input, beside));
        Vec::new()
    }

    /// A decision with a reason, or about many.
    fn choose(&mut self, key: KeyEvent, mode: Mode) -> Vec<Effect> {
        let bulk = matches!(mode, Mode::Bulk);
        let decision = match key.code {
            KeyCode::Char(digit @ '1'..='9') => {
                let reason = digit.to_digit(10).and_then(|d| REASONS.get(d as usize - 1));
                reason.map(|(code, _)| Decision::Reject((*code).into()))
            }
            KeyCode::Char('a') if bulk => Some(Decision::Approve),
            KeyCode::Char('o') if bulk => Some(Decision::Requeue),
            KeyCode::Char('m') if bulk => Some(Decision::Flag(true)),
            KeyCode::Char('N') => {
                let said = self.note.clone().unwrap_or_default();
                let beside = if bulk { Beside::Bulk } else { Beside::Rejection };
                self.mode = Some(Mode::Note(Input::new(said), beside));
                return Vec::new();
            }
            KeyCode::Esc | KeyCode::Char('q' | 'x' | 'v') => {
                self.note = None;
                return Vec::new();
            }
            _ => None,
        };
        match decision {
            Some(decision) if bulk => self.send(self.many(), decision),
            Some(decision) => self.send(self.subject(), decision),
            None => {
                self.mode = Some(mode);
                Vec::new()
            }
        }
    }

    /// Who writes another attempt.
    fn choose_writer(&mut self, code: KeyCode) -> Vec<Effect> {
        let digit = if let KeyCode::Char(c) = code { c.to_digit(10) } else { None };
        let chosen = digit.and_then(|digit| Writer::ALL.get((digit as usize).wrapping_sub(1)));
        let Some((writer, _)) = chosen else {
            self.mode =
                (!matches!(code, KeyCode::Esc | KeyCode::Char('q' | 'r'))).then_some(Mode::Writer);
            return Vec::new();
        };
        let asked =
            self.current().and_then(|item| Some((item.id, self.evidence_of(item)?.case.clone()?)));
        self.writing = asked.as_ref().and_then(|_| self.current().map(|item| self.seen_of(item)));
        asked
            .map(|(id, case)| Effect::Mind(MindCmd::Regenerate(id, *writer, Box::new(case))))
            .into_iter()
            .collect()
    }

    /// A version held against the one that stands; Enter lets it stand.
    fn choose_attempt(
        &mut self,
        attempts: Vec<(String, String)>,
        at: usize,
        code: KeyCode,
    ) -> Vec<Effect> {
        let next = match code {
            KeyCode::Esc | KeyCode::Char('q' | 'D') => return Vec::new(),
            KeyCode::Enter => {
                let stands = self.current().map(|item| item.text().to_string());
                let chosen =
                    attempts.into_iter().nth(at).filter(|(_, text)| stands.as_ref() != Some(text));
                return chosen.map_or_else(Vec::new, |(author, text)| {
                    self.decide(Decision::Attempt(author, text))
                });
            }
            code => selected(at, attempts.len(), code),
        };
        self.mode = Some(Mode::Attempts(attempts, next));
        Vec::new()
    }

    /// Takes pasted text.
    pub(super) fn type_text(&mut self, text: &str) {
        match &mut self.mode {
            Some(Mode::Edit(editor)) => _ = editor.insert_str(text),
            Some(Mode::Search(input) | Mode::Note(input, _)) => pasted(input, text),
            _ => {}
        }
    }
}
