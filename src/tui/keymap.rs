//! The table with a person's own keys in it: `keys.toml` in the data directory.
//!
//! ```toml
//! [explore]
//! more = "m"
//! [everywhere]
//! palette = [":", "ctrl-k"]
//! ```

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use toml::Spanned;

use super::acts::{Act, Binding, table};
use super::screen::Screen;
use crate::error::{Error, Result};
use crate::paths;

/// A key with Ctrl or Alt held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Chord(KeyCode, KeyModifiers);

impl Chord {
    fn of(key: KeyEvent) -> Self {
        Self(key.code, key.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let mut held = KeyModifiers::NONE;
        while let Some((prefix, after)) =
            rest.split_once('-').filter(|(prefix, after)| !prefix.is_empty() && !after.is_empty())
        {
            let more = match prefix {
                "ctrl" => KeyModifiers::CONTROL,
                "alt" => KeyModifiers::ALT,
                _ => return None,
            };
            if held.contains(more) {
                return None;
            }
            held |= more;
            rest = after;
        }
        let mut chars = rest.chars();
        if let (Some(c), None) = (chars.next(), chars.next()) {
            // What no key sends by itself, and what cannot be seen in the help, is no key.
            let seen = unicode_width::UnicodeWidthChar::width(c).is_some_and(|width| width > 0);
            return (seen && !c.is_whitespace()).then_some(Self(KeyCode::Char(c), held));
        }
        let named = NAMED.iter().find(|(name, ..)| *name == rest).map(|(_, code, _)| *code);
        let function = || {
            rest.strip_prefix('f')?.parse().ok().filter(|n| (1..=12).contains(n)).map(KeyCode::F)
        };
        named.or_else(function).map(|code| Self(code, held))
    }
}

/// Keys with names, and how they are shown.
const NAMED: [(&str, KeyCode, &str); 13] = [
    ("enter", KeyCode::Enter, "⏎"),
    ("space", KeyCode::Char(' '), "space"),
    ("tab", KeyCode::Tab, "tab"),
    ("backspace", KeyCode::Backspace, "backspace"),
    ("delete", KeyCode::Delete, "delete"),
    ("up", KeyCode::Up, "↑"),
    ("down", KeyCode::Down, "↓"),
    ("left", KeyCode::Left, "←"),
    ("right", KeyCode::Right, "→"),
    ("home", KeyCode::Home, "home"),
    ("end", KeyCode::End, "end"),
    ("pageup", KeyCode::PageUp, "PgUp"),
    ("pagedown", KeyCode::PageDown, "PgDn"),
];

/// How keys of the table are shown to a person.
fn shown(keys: &str) -> String {
    if keys == "1 2 3 4 5 6 7 8 9" {
        return "1-9".into();
    }
    let word = |key: &str| {
        let named =
            NAMED.iter().find(|(name, ..)| *name == key).map(|(.., shown)| (*shown).to_string());
        let function =
            || Some(key).filter(|key| key.len() > 1 && key.starts_with('f')).map(str::to_uppercase);
        let control = || key.strip_prefix("ctrl-").map(|rest| format!("^{rest}"));
        named.or_else(control).or_else(function).unwrap_or_else(|| key.to_string())
    };
    keys.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// One row, with the keys that count.
#[derive(Debug)]
pub struct Entry {
    /// The row of the table.
    pub binding: Binding,
    /// The keys, for people.
    pub shown: String,
    keys: String,
}

impl Entry {
    /// Whether a person gave it keys of their own.
    pub fn is_own(&self) -> bool {
        self.keys != self.binding.key.keys
    }

    /// The first of its keys, for the footer.
    pub fn first(&self) -> &str {
        self.shown.split(' ').next().unwrap_or_default()
    }
}

/// All keys.
#[derive(Debug)]
pub struct Keymap {
    /// The rows, those of screens first.
    pub entries: Vec<Entry>,
    index: HashMap<(Option<Screen>, Chord), usize>,
}

impl Default for Keymap {
    fn default() -> Self {
        let entries = table().map(|b| Entry {
            shown: shown(b.key.keys),
            keys: b.key.keys.to_string(),
            binding: b,
        });
        let mut map = Self { entries: entries.collect(), index: HashMap::new() };
        // A test holds the table to having no conflicts.
        map.reindex(&HashMap::new()).unwrap_or_default();
        map
    }
}

impl Keymap {
    /// The table with the overrides of a file, if it is there. Unknown names, unreadable keys and
    /// conflicts are refused with their line.
    pub fn load(path: &Path) -> Result<Self> {
        Self::with(&paths::settings(path)?).map_err(|error| error.at(path.display()))
    }

    /// The table with overrides.
    pub fn with(text: &str) -> Result<Self> {
        type File = BTreeMap<String, BTreeMap<Spanned<String>, toml::Value>>;
        let mut map = Self::default();
        let file: File = toml::from_str(text).map_err(|e| Error::new(e.to_string()))?;
        let mut lines = HashMap::new();
        for (scope, rows) in file {
            for (name, keys) in rows {
                let line = text[..name.span().start].matches('\n').count() + 1;
                let wrong = |what: String, hint: &str| {
                    Error::new(format!("line {line}: {what}")).hint(hint)
                };
                let known = map.entries.iter().position(|e| {
                    word(e.binding.screen) == scope && e.binding.key.name == name.get_ref()
                });
                let entry = known.ok_or_else(|| {
                    wrong(
                        format!("there is no `{}` in [{scope}]", name.get_ref()),
                        "names: foretaste keys",
                    )
                })?;
                let list = match &keys {
                    toml::Value::String(one) => Some(vec![one.as_str()]),
                    toml::Value::Array(list) => list.iter().map(toml::Value::as_str).collect(),
                    _ => None,
                };
                let list = list.ok_or_else(|| {
                    wrong("keys are a string or a list of strings".into(), "like \"ctrl-k\"")
                })?;
                if let Some(key) = list.iter().find(|key| Chord::parse(key).is_none()) {
                    return Err(wrong(
                        format!("`{key}` is no key"),
                        "like s, S, ?, space, enter, f5, ctrl-k, alt-x",
                    ));
                }
                let keys = list.join(" ");
                map.entries[entry].shown = shown(&keys);
                map.entries[entry].keys = keys;
                lines.insert(entry, line);
            }
        }
        map.reindex(&lines)?;
        // Ctrl-C is a key like another here: without one that leaves, nothing would.
        let quit = map
            .entries
            .iter()
            .position(|entry| entry.binding.key.act == Act::Quit && entry.keys.is_empty());
        if let Some(line) = quit.and_then(|quit| lines.get(&quit)) {
            return Err(Error::new(format!("line {line}: no key is left to leave the program by"))
                .hint("like quit = \"q\""));
        }
        Ok(map)
    }

    fn reindex(&mut self, lines: &HashMap<usize, usize>) -> Result<()> {
        self.index.clear();
        for (i, entry) in self.entries.iter().enumerate() {
            for chord in entry.keys.split(' ').filter_map(Chord::parse) {
                if let Some(other) = self.index.insert((entry.binding.screen, chord), i) {
                    let line =
                        lines.get(&i).or_else(|| lines.get(&other)).copied().unwrap_or_default();
                    let a = entry.binding.key.name;
                    let b = self.entries[other].binding.key.name;
                    let scope = word(entry.binding.screen);
                    return Err(Error::new(format!(
                        "line {line}: `{a}` and `{b}` of [{scope}] share a key"
                    ))
                    .hint(format!("give `{b}` another key too")));
                }
            }
        }
        Ok(())
    }

    /// What a key does on a screen.
    pub fn lookup(&self, screen: Screen, key: KeyEvent) -> Option<Act> {
        let chord = Chord::of(key);
        let found =
            self.index.get(&(Some(screen), chord)).or_else(|| self.index.get(&(None, chord)));
        let act = found.map(|i| self.entries[*i].binding.key.act);
        let digit =
            if let KeyCode::Char(c) = key.code { c.to_digit(10).map(|n| n as usize) } else { None };
        match (act, digit) {
            (Some(Act::Own(act)), n) if act.numbered(1).is_some() => {
                // A key that is no digit says of none which it means.
                act.numbered(n.filter(|n| *n > 0)?).map(Act::Own)
            }
            (None, Some(n)) => Screen::ALL.get(n.wrapping_sub(1)).copied().map(Act::Show),
            (act, _) => act,
        }
    }

    /// The rows of a screen, its own first, then those of all screens.
    pub fn of(&self, screen: Screen) -> impl Iterator<Item = &Entry> {
        let own = self.entries.iter().filter(move |e| e.binding.screen == Some(screen));
        own.chain(self.entries.iter().filter(|e| e.binding.screen.is_none()))
    }
}

/// What a screen's section is called in `keys.toml`.
pub fn word(screen: Option<Screen>) -> String {
    screen.map_or("everywhere".into(), |screen| screen.as_str().to_lowercase())
}

/// The table as a page of the docs.
pub fn page() -> String {
    let mut out = String::from(
        "# Keys\n\nWritten by `foretaste keys --markdown`; your own go into `keys.toml` in the \
         data directory.\n",
    );
    let map = Keymap::default();
    let mut scope = String::new();
    for entry in &map.entries {
        let now = word(entry.binding.screen);
        if now != scope {
            out += &format!("\n## [{now}]\n\n| key | name | what it does |\n|---|---|---|\n");
            scope = now;
        }
        out += &format!(
            "| `{}` | {} | {} |\n",
            entry.shown, entry.binding.key.name, entry.binding.key.long
        );
    }
    out
}

#[cfg(test)]
#[path = "keymap_tests.rs"]
mod tests;
