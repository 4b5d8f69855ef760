//! Curate, while something is chosen, typed or edited over the screen.

use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui_textarea::{CursorMove, TextArea, WrapMode};
use tui_input::backend::crossterm::EventHandler;

use super::{Mode, State};
use crate::agent::Writer;
use crate::experience::{REASONS, Reflection};
use crate::store::{Decision, Filter, Seen};
use crate::tui::effect::{Effect, MindCmd, StoreCmd};
use crate::tui::keys::selected;
use crate::tui::text::pasted;

impl State {
    /// Whether the store makes a decision wait, so that a person should know: keys do nothing
    /// meanwhile.
    pub fn is_held_up(&self) -> bool {
        self.waiting.is_some_and(|since| since.elapsed() > Duration::from_millis(300))
    }

    /// What is being typed, if it is not kept as it stands now: a draft that survives whatever
    /// happens.
    pub fn draft(&mut self) -> Option<Effect> {
        let Some(Mode::Edit(editor)) = &self.mode else { return None };
        let text = editor.lines().join("\n").trim().to_string();
        let item = self.queue.items.get_mut(self.at)?;
        let draft = Some(text).filter(|text| text != item.text());
        if item.draft == draft {
            return None;
        }
        item.draft.clone_from(&draft);
        Some(Effect::Store(StoreCmd::Draft(item.id, draft)))
    }

    /// What a person sees of a listed reflection.
    pub(super) fn seen_of(&self, item: &Reflection) -> Seen {
        Seen { text: item.text().to_string(), verdict: (!self.blind()).then_some(item.verdict) }
    }

    /// A text that is kept for the next e.
    pub(super) fn drafted(&mut self, id: i64, text: String) -> Vec<Effect> {
        if let Some(item) = self.queue.items.iter_mut().find(|item| item.id == id) {
            item.draft = Some(text.clone());
        }
        vec![Effect::Store(StoreCmd::Draft(id, Some(text)))]
    }

    /// A text from the person's own editor: a new version of what is in front, else kept as a
    /// draft.
    pub(super) fn edited(&mut self, id: i64, text: String) -> Vec<Effect> {
        let at = self.at;
        match self.queue.items.get_mut(at).filter(|item| item.id == id && self.waiting.is_none()) {
            Some(item) if item.text() == text || text.is_empty() => Vec::new(),
            Some(item) => {
                item.draft = Some(text.clone()); // if the store refuses it, e comes back to it
                self.decide(Decision::Edit(text))
            }
            None => self.drafted(id, text),
        }
    }

    /// What the choice that is open is about: the item in front, or all that are listed.
    pub(super) fn seen(&self) -> Vec<i64> {
        match &self.mode {
            None | Some(Mode::Search(_) | Mode::Filters(_) | Mode::Moved) => Vec::new(),
            Some(Mode::Bulk) => self.queue.items.iter().map(|item| item.id).collect(),
            Some(Mode::Reject | Mode::Edit(_) | Mode::Writer | Mode::Attempts(..)) => {
                self.current().map(|item| item.id).into_iter().collect()
            }
        }
    }

    /// Takes a key while something is chosen, typed or edited; none otherwise.
    pub(super) fn type_key(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        match self.mode.take()? {
            Mode::Reject => Some(self.choose(key, Mode::Reject)),
            Mode::Bulk => Some(self.choose(key, Mode::Bulk)),
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

    /// A decision about the item in front, or about everything listed.
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
            KeyCode::Esc | KeyCode::Char('q' | 'x' | 'v') => return Vec::new(),
            _ => None,
        };
        match decision {
            Some(decision) if bulk && self.waiting.is_none() => {
                self.waiting = Some(Instant::now());
                let seen =
                    self.queue.items.iter().map(|item| (item.id, self.seen_of(item))).collect();
                vec![Effect::Store(StoreCmd::DecideAll(seen, decision))]
            }
            Some(decision) => self.decide(decision),
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

    fn edit(&mut self, mut editor: Box<TextArea<'static>>, key: KeyEvent) -> Vec<Effect> {
        let text = editor.lines().join("\n").trim().to_string();
        let Some((id, same)) = self.current().map(|item| (item.id, item.text() == text)) else {
            return Vec::new();
        };
        match key.code {
            KeyCode::Esc => {
                // What was typed is kept for the next e, also across a restart: leaving must not
                // cost a paragraph.
                let draft = Some(text).filter(|_| !same);
                if let Some(item) = self.queue.items.get_mut(self.at) {
                    item.draft.clone_from(&draft);
                }
                vec![Effect::Store(StoreCmd::Draft(id, draft))]
            }
            KeyCode::Char('s')
                if key.modifiers.contains(KeyModifiers::CONTROL) && !text.is_empty() =>
            {
                // If the store refuses it, e comes back to it.
                if let Some(item) = self.queue.items.get_mut(self.at).filter(|_| !same) {
                    item.draft = Some(text.clone());
                }
                self.decide(if same { Decision::Approve } else { Decision::Edit(text) })
            }
            _ => {
                editor.input(key);
                self.mode = Some(Mode::Edit(editor));
                Vec::new()
            }
        }
    }

    /// Takes pasted text.
    pub(super) fn type_text(&mut self, text: &str) {
        match &mut self.mode {
            Some(Mode::Edit(editor)) => _ = editor.insert_str(text),
            Some(Mode::Search(input)) => pasted(input, text),
            _ => {}
        }
    }
}

/// What an edit begins with.
pub(super) fn begun(item: &Reflection) -> &str {
    item.draft.as_deref().unwrap_or(item.text())
}

pub(super) fn editor(item: &Reflection) -> Box<TextArea<'static>> {
    let mut editor = TextArea::new(begun(item).lines().map(str::to_string).collect());
    editor.set_wrap_mode(WrapMode::Word);
    editor.move_cursor(CursorMove::Bottom);
    editor.move_cursor(CursorMove::End);
    Box::new(editor)
}
