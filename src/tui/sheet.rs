//! A form of fields, one below the other: the keys go to the one under the cursor. Left and right
//! go through its choices, and where it takes others they are typed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::theme::{Theme, fit};
use crate::text::clean;

/// What may be typed into a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Only what its choices are.
    Choice,
    /// A number beside them.
    Number,
    /// Any text beside them.
    Text,
    /// The same, where the keys that move (h, j, k, l, y) do so until something was typed: whoever
    /// goes through the form by them writes nothing on the way.
    Name,
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What the form knows it by.
    pub name: &'static str,
    /// What stands before it.
    pub label: &'static str,
    /// What it is set to.
    pub value: String,
    /// What left and right go through.
    pub choices: Vec<String>,
    /// What may be typed.
    pub takes: Takes,
    /// What stands behind it while the cursor is there.
    pub hint: String,
    /// Whether it means something now.
    pub shown: bool,
}

impl Field {
    /// One that is set to the first of its choices.
    pub fn new(name: &'static str, label: &'static str, takes: Takes, choices: &[&str]) -> Self {
        let choices: Vec<String> = choices.iter().map(ToString::to_string).collect();
        let value = choices.first().cloned().unwrap_or_default();
        Self { name, label, value, choices, takes, hint: String::new(), shown: true }
    }

    /// With a word about it.
    #[must_use]
    pub fn hint(self, hint: &str) -> Self {
        Self { hint: hint.to_string(), ..self }
    }
}

/// What a key did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// The cursor moved, or nothing.
    Moved,
    /// The value of this field.
    Changed(&'static str),
    /// What is filled in is to be done.
    Done,
    /// The form is left.
    Left,
    /// Nothing: the key is the form's own.
    Other,
}

/// The fields and the cursor among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// The fields.
    pub fields: Vec<Field>,
    at: usize,
    /// Whether something was typed since the cursor came here: until then typing begins anew.
    begun: bool,
}

impl Sheet {
    /// With the cursor on the first field.
    pub fn new(fields: Vec<Field>) -> Self {
        Self { fields, at: 0, begun: false }
    }

    /// Whether another has the same fields with the same choices.
    pub fn is_like(&self, other: &Self) -> bool {
        let asks = |sheet: &Self| -> Vec<(&'static str, Vec<String>)> {
            let fields = sheet.fields.iter();
            // In whatever order: the one that is open comes first.
            let sorted = |mut all: Vec<String>| {
                all.sort();
                all
            };
            fields.map(|field| (field.name, sorted(field.choices.clone()))).collect()
        };
        // The first choice of a split is the one that is open.
        let open = |sheet: &Self| -> Option<String> {
            let split = sheet.fields.iter().find(|field| field.name == "split");
            split.and_then(|field| field.choices.first().cloned())
        };
        asks(self) == asks(other) && open(self) == open(other)
    }

    /// The field under the cursor.
    pub fn field(&self) -> Option<&Field> {
        self.fields.get(self.at)
    }

    /// What a field is set to; nothing where there is none of that name.
    pub fn value(&self, name: &str) -> &str {
        self.fields.iter().find(|field| field.name == name).map_or("", |field| &field.value)
    }

    /// A field by its name.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Field> {
        self.fields.iter_mut().find(|field| field.name == name)
    }

    /// Sets a field.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        if let Some(field) = self.get_mut(name) {
            field.value = value.into();
        }
    }

    /// Shows a field, or hides it while it means nothing.
    pub fn show(&mut self, name: &str, shown: bool) {
        if let Some(field) = self.get_mut(name) {
            field.shown = shown;
        }
        if self.fields.get(self.at).is_some_and(|field| !field.shown) {
            self.go(false);
        }
    }

    fn go(&mut self, on: bool) {
        self.begun = false;
        let count = self.fields.len();
        for _ in 0..count {
            self.at = (self.at + if on { 1 } else { count - 1 }) % count;
            if self.fields[self.at].shown {
                return;
            }
        }
    }

    /// The next choice, or the one before; from a value that is none of them, the first.
    fn turn(&mut self, on: bool) -> Typed {
        self.begun = false;
        let Some(field) = self.fields.get_mut(self.at) else { return Typed::Moved };
        let count = field.choices.len();
        let now = field.choices.iter().position(|choice| *choice == field.value);
        let next = match now {
            Some(at) if count > 0 => (at + if on { 1 } else { count - 1 }) % count,
            _ => 0,
        };
        let Some(choice) = field.choices.get(next).filter(|choice| **choice != field.value) else {
            return Typed::Moved;
        };
        field.value.clone_from(choice);
        Typed::Changed(field.name)
    }

    /// Takes a key.
    pub fn key(&mut self, key: KeyEvent) -> Typed {
        let takes = self.field().map_or(Takes::Choice, |field| field.takes);
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => return Typed::Done,
            KeyCode::Esc => return Typed::Left,
            KeyCode::Backspace => return self.edit(|value| _ = value.pop()),
            KeyCode::Char('u') if control => return self.edit(String::clear),
            KeyCode::Char(c) if takes == Takes::Text && !control => return self.typed(c),
            KeyCode::Char(c)
                if takes == Takes::Name && !control && (self.begun || !"hjkly ".contains(c)) =>
            {
                return self.typed(c);
            }
            KeyCode::Char(c @ ('0'..='9' | '.' | 'e' | '-' | '+')) if takes == Takes::Number => {
                return self.typed(c);
            }
            KeyCode::Down | KeyCode::Tab | KeyCode::Char('j') => self.go(true),
            KeyCode::Up | KeyCode::BackTab | KeyCode::Char('k') => self.go(false),
            KeyCode::Right | KeyCode::Char('l' | ' ') => return self.turn(true),
            KeyCode::Left | KeyCode::Char('h') => return self.turn(false),
            _ => return Typed::Other,
        }
        Typed::Moved
    }

    fn edit(&mut self, change: impl FnOnce(&mut String)) -> Typed {
        let Some(field) = self.fields.get_mut(self.at).filter(|f| f.takes != Takes::Choice) else {
            return Typed::Moved;
        };
        self.begun = true;
        change(&mut field.value);
        Typed::Changed(field.name)
    }

    fn typed(&mut self, c: char) -> Typed {
        let anew = !self.begun;
        self.edit(|value| {
            // A comma goes on with a list.
            if anew && c != ',' {
                value.clear();
            }
            value.push(c);
        })
    }

    /// Takes pasted text.
    pub fn paste(&mut self, text: &str) -> Typed {
        let mut done = Typed::Moved;
        for c in text.chars().filter(|c| !c.is_control()) {
            if self.field().is_some_and(|field| field.takes != Takes::Choice) {
                done = self.typed(c);
            }
        }
        done
    }

    /// The fields as lines, at most `rows` of them around the cursor; the last one says how many are
    /// below.
    pub fn lines(&self, theme: Theme, width: usize, rows: usize) -> Vec<Line<'static>> {
        let shown: Vec<usize> = (0..self.fields.len()).filter(|i| self.fields[*i].shown).collect();
        let at = shown.iter().position(|i| *i == self.at).unwrap_or_default();
        let labels = self.fields.iter().map(|field| field.label.chars().count()).max();
        let labels = labels.unwrap_or_default();
        if shown.len() <= rows {
            return shown.iter().map(|i| self.line(*i, labels, theme, width)).collect();
        }
        let rows = rows.saturating_sub(1).max(1);
        let from = (at + 1).saturating_sub(rows);
        let mut lines: Vec<Line<'static>> =
            shown[from..].iter().take(rows).map(|i| self.line(*i, labels, theme, width)).collect();
        let below = shown.len() - from - lines.len();
        let more = match (from, below) {
            (0, below) => format!("  {below} more below"),
            (above, 0) => format!("  {above} more above"),
            (above, below) => format!("  {above} more above, {below} below"),
        };
        lines.push(Line::styled(more, theme.dim()));
        lines
    }

    fn line(&self, i: usize, labels: usize, theme: Theme, width: usize) -> Line<'static> {
        let field = &self.fields[i];
        let here = i == self.at;
        let mark = if here { theme.glyph("▸", ">") } else { " " };
        let [open, close] = if here && field.choices.len() > 1 {
            [theme.glyph("‹", "<"), theme.glyph("›", ">")]
        } else {
            [" ", " "]
        };
        let caret = if here && field.takes != Takes::Choice { "_" } else { "" };
        let room = width.saturating_sub(labels + 6);
        let value = clean(&field.value);
        let value = fit(&value, room.min(value.chars().count().max(1)));
        let text = format!("{mark} {:<labels$} {open}{value}{caret}{close}", field.label);
        let left = width.saturating_sub(text.chars().count() + 1);
        let style = if here { theme.selected() } else { Style::default() };
        let mut spans = vec![Span::styled(text, style)];
        if here && left > 12 {
            spans.push(Span::styled(format!(" {}", fit(&field.hint, left)), theme.dim()));
        }
        Line::from(spans)
    }
}

#[cfg(test)]
#[path = "sheet_tests.rs"]
mod tests;
