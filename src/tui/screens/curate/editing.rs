//! Curate, a text while it is edited: what is typed is a draft until it is a version, and a version
//! is pending until it is approved.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui_textarea::{CursorMove, TextArea, WrapMode};

use super::deciding::PERSON;
use super::sheet::text_of;
use super::{Mode, State};
use crate::curation::Finding;
use crate::experience::{Reflection, Verdict};
use crate::store::Decision;
use crate::tui::effect::{Effect, StoreCmd};

impl State {
    /// What is being typed, if it is not kept as it stands now: a draft that survives whatever
    /// happens.
    pub fn draft(&mut self) -> Option<Effect> {
        let Some(Mode::Edit(editor)) = &self.mode else { return None };
        let text = typed(editor);
        let item = self.queue.items.get_mut(self.at)?;
        let draft = Some(text).filter(|text| text != item.text());
        if item.draft == draft {
            return None;
        }
        item.draft.clone_from(&draft);
        Some(Effect::Store(StoreCmd::Draft(item.id, draft)))
    }

    /// A text that is kept for the next e.
    pub(super) fn drafted(&mut self, id: i64, file: &str) -> Vec<Effect> {
        let text = text_of(file);
        if let Some(item) = self.queue.items.iter_mut().find(|item| item.id == id) {
            item.draft = Some(text.clone());
        }
        vec![Effect::Store(StoreCmd::Draft(id, Some(text)))]
    }

    /// A text from the person's own editor: a pending version of what is in front, else kept as a
    /// draft.
    pub(super) fn edited(&mut self, id: i64, file: &str) -> Vec<Effect> {
        let text = text_of(file);
        let at = self.at;
        match self.queue.items.get_mut(at).filter(|item| item.id == id && self.waiting.is_none()) {
            Some(item) if item.text() == text || text.is_empty() => Vec::new(),
            Some(item) => {
                item.draft = Some(text.clone()); // if the store refuses it, e comes back to it
                self.decide(Decision::Revise(text))
            }
            None => self.drafted(id, &text),
        }
    }

    /// What rules point at in what is typed; none while that cannot be known.
    pub fn findings_typed(&self, editor: &TextArea<'_>) -> Option<Vec<Finding>> {
        self.findings_in(self.current()?, &typed(editor))
    }

    /// A key while a text is edited.
    pub(super) fn edit(
        &mut self,
        mut editor: Box<TextArea<'static>>,
        key: KeyEvent,
    ) -> Vec<Effect> {
        let text = typed(&editor);
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return self.put_aside(text),
            KeyCode::Char('s') if control && !text.is_empty() => return self.keep(text, false),
            KeyCode::Char('o') if control && !text.is_empty() => return self.keep(text, true),
            KeyCode::Char('z') if control => _ = editor.undo(),
            KeyCode::Char('y') if control => _ = editor.redo(),
            _ => _ = editor.input(key),
        }
        self.mode = Some(Mode::Edit(editor));
        Vec::new()
    }

    /// Leaves the editor. What was typed is kept for the next e, also across a restart: leaving
    /// must not cost a paragraph.
    fn put_aside(&mut self, text: String) -> Vec<Effect> {
        let Some(item) = self.queue.items.get_mut(self.at) else { return Vec::new() };
        let draft = Some(text).filter(|text| text != item.text());
        item.draft.clone_from(&draft);
        vec![Effect::Store(StoreCmd::Draft(item.id, draft))]
    }

    /// Makes a version of what was typed: pending, or approved if no rule objects.
    fn keep(&mut self, text: String, approve: bool) -> Vec<Effect> {
        let Some(item) = self.queue.items.get_mut(self.at) else { return Vec::new() };
        let same = item.text() == text;
        if same && approve {
            return self.ask_about(Decision::Approve);
        }
        if same {
            return self.put_aside(text);
        }
        item.draft = Some(text.clone()); // if the store refuses it, e comes back to it
        if approve {
            self.ask_about(Decision::Edit(text))
        } else {
            self.decide(Decision::Revise(text))
        }
    }

    /// Takes in that a person's version is in the store: it stays in front, pending, whatever is
    /// listed.
    pub(super) fn revised(&mut self, ids: &[i64], text: &str) -> Vec<Effect> {
        for item in self.queue.items.iter_mut().filter(|item| ids.contains(&item.id)) {
            item.versions.truncate(1);
            item.versions.push(text.to_string());
            item.written += 1;
            item.version = item.written;
            item.author = PERSON.to_string();
            item.verdict = Verdict::Pending;
            item.reason = None;
            item.decided_ms = None;
            item.decided_by = None;
            if item.draft.as_deref() == Some(text) {
                item.draft = None;
            }
        }
        self.fetch()
    }
}

/// What was typed.
fn typed(editor: &TextArea<'_>) -> String {
    editor.lines().join("\n").trim().to_string()
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
