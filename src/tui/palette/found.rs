//! What the palette finds for what was typed, in which order, and the rows that show it.

use unicode_width::UnicodeWidthStr;

use crate::tui::acts::Act;
use crate::tui::keymap::Entry;
use crate::tui::popups::Context;
use crate::tui::screen::Screen;

/// Something that was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit<'a> {
    pub(super) entry: &'a Entry,
    /// The screen to go to for it; none for what can be done here.
    pub(super) elsewhere: Option<Screen>,
    /// Whether its name begins with what was typed.
    named: bool,
}

impl Hit<'_> {
    /// What ends, deletes or decides something: only its own name brings it to the front.
    pub(super) fn is_held_back(&self) -> bool {
        self.elsewhere.is_none() && !self.named && self.entry.binding.key.is_grave()
    }

    /// The key, and where it is one.
    fn place(&self) -> String {
        let key = self.entry.first();
        self.elsewhere.map_or(key.to_string(), |screen| {
            format!("{} {} · {key}", screen.key()[0].to_uppercase(), screen.as_str())
        })
    }
}

/// What was typed, as words in small letters.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// What matches: every typed word begins a word of its name or of its sentence. This screen first,
/// then what is the same everywhere, then other screens; in each what is called so before what
/// only speaks of it. What is held back comes last.
pub(super) fn hits<'a>(context: Context<'a>, typed: &str) -> Vec<Hit<'a>> {
    let wanted: Vec<String> = words(typed).collect();
    // Marks alone are looked for as they are, and found nowhere.
    if wanted.is_empty() && !typed.trim().is_empty() {
        return Vec::new();
    }
    let mut found: Vec<([bool; 2], usize, Hit<'a>)> = Vec::new();
    for entry in context.keymap.entries.iter().filter(|entry| !moves(entry.binding.key.act)) {
        let of = entry.binding.screen;
        let elsewhere = of.filter(|screen| *screen != context.screen);
        if elsewhere.is_none() && !context.applies(entry.binding.key.act) {
            continue;
        }
        let key = &entry.binding.key;
        let place = elsewhere.map_or("", Screen::as_str);
        let there: Vec<String> = words(&format!("{} {} {place}", key.name, key.long)).collect();
        let begun = |part: &String| there.iter().any(|word| word.starts_with(part.as_str()));
        if !wanted.iter().all(begun) {
            continue;
        }
        let own: Vec<String> = words(key.name).collect();
        let in_name = |part: &String| own.iter().any(|word| word.starts_with(part.as_str()));
        let called = !wanted.is_empty() && wanted.iter().all(in_name);
        let named = called && own[0].starts_with(wanted[0].as_str());
        let hit = Hit { entry, elsewhere, named };
        let group = elsewhere.map_or(usize::from(of.is_none()), |_| 2);
        found.push(([hit.is_held_back(), !called], group, hit));
    }
    found.sort_by_key(|([held, other], group, _)| (*held, *group, *other));
    found.into_iter().map(|(.., hit)| hit).collect()
}

/// Whether an act only moves something, or is one of several by number: that is no thing to look
/// for by name.
fn moves(act: Act) -> bool {
    match act {
        Act::Move(_) | Act::Palette => true,
        Act::Own(act) => act.is_motion() || act.numbered(1).is_some(),
        _ => false,
    }
}

/// The rows of one thing that was found: its key, its name, and its whole sentence.
pub(super) fn rows(hit: &Hit<'_>, more: &str, width: usize) -> Vec<String> {
    let key = &hit.entry.binding.key;
    let head = format!(" {:>9}  {:<15} ", hit.place(), key.name);
    let wide = width >= 60;
    let indent = if wide { 28 } else { 3 };
    let said = wrapped(&format!("{}{more}", key.long), width.saturating_sub(indent + 1));
    let mut out = Vec::new();
    let beside = wide && head.width() <= indent;
    if !beside {
        out.push(format!(" {}  {}", hit.place(), key.name));
    }
    for (i, part) in said.into_iter().enumerate() {
        let lead = if i == 0 && beside { head.as_str() } else { "" };
        out.push(format!("{lead:<indent$}{part}"));
    }
    let fill = |row: String| {
        let blank = width.saturating_sub(row.width());
        row + &" ".repeat(blank)
    };
    out.into_iter().map(fill).collect()
}

/// A sentence in lines of at most so many cells.
pub(in crate::tui) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            line.push_str(word);
        } else if line.width() + 1 + word.width() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_string());
        }
    }
    lines
}
