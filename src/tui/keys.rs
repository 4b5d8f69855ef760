//! What a table of keys is made of, and how a selection moves.

use crossterm::event::KeyCode;

/// How far a page goes in a list.
const PAGE: usize = 20;

/// One row of a table of keys.
#[derive(Debug, Clone, Copy)]
pub struct Key<A> {
    /// What a person's own `keys.toml` calls it, unique within its screen.
    pub name: &'static str,
    /// The keys as written in `keys.toml`, any of them, separated by spaces.
    pub keys: &'static str,
    /// What they do.
    pub act: A,
    /// A word for the footer; empty to leave it out there.
    pub short: &'static str,
    /// A sentence for the `?` page and the palette.
    pub long: &'static str,
}

/// What names of acts say that end, delete or decide something.
const GRAVE: [&str; 8] =
    ["approve", "reject", "requeue", "bulk", "stop", "delete", "remove", "quit"];

impl<A> Key<A> {
    /// Whether it ends, deletes or decides something: what nobody should do by a key too many.
    pub fn is_grave(&self) -> bool {
        self.name.split('-').any(|word| GRAVE.contains(&word))
    }
}

/// A row: its name, its keys, what they do, the footer's word, the sentence.
pub const fn key<A>(
    name: &'static str,
    keys: &'static str,
    act: A,
    short: &'static str,
    long: &'static str,
) -> Key<A> {
    Key { name, keys, act, short, long }
}

/// Where a selection moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// One up.
    Up,
    /// One down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first.
    First,
    /// To the last.
    Last,
}

impl Direction {
    /// A selection among `count` items, moved.
    pub fn moved(self, at: usize, count: usize) -> usize {
        let last = count.saturating_sub(1);
        match self {
            Self::Up => at.saturating_sub(1),
            Self::Down => (at + 1).min(last),
            Self::PageUp => at.saturating_sub(PAGE),
            Self::PageDown => (at + PAGE).min(last),
            Self::First => 0,
            Self::Last => last,
        }
    }

    /// What a key means in a box over a screen.
    pub fn of(code: KeyCode) -> Option<Self> {
        match code {
            KeyCode::Char('j') | KeyCode::Down => Some(Self::Down),
            KeyCode::Char('k') | KeyCode::Up => Some(Self::Up),
            KeyCode::PageDown => Some(Self::PageDown),
            KeyCode::PageUp => Some(Self::PageUp),
            KeyCode::Home => Some(Self::First),
            KeyCode::End => Some(Self::Last),
            _ => None,
        }
    }
}

/// A selection in a box over a screen after a key; the same after a key that moves nothing.
pub fn selected(at: usize, count: usize, code: KeyCode) -> usize {
    Direction::of(code).map_or(at, |direction| direction.moved(at, count))
}
