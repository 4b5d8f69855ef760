//! One module a screen: its messages, its state, how keys change it, and how it is drawn.

pub mod curate;
pub mod data;
pub mod explore;
pub mod replay;
pub mod train;

use crossterm::event::KeyCode;

use crate::tui::keys::Direction;

/// How far a page goes in a list.
const PAGE: usize = 20;

/// A selection in a box over a screen after a key: the next, the one before, or the same.
pub(super) fn listed(at: usize, count: usize, code: KeyCode) -> usize {
    match code {
        KeyCode::Char('j') | KeyCode::Down => moved(at, count, Direction::Down),
        KeyCode::Char('k') | KeyCode::Up => moved(at, count, Direction::Up),
        _ => at,
    }
}

/// A selection among `count` items, moved.
pub fn moved(at: usize, count: usize, direction: Direction) -> usize {
    let last = count.saturating_sub(1);
    match direction {
        Direction::Up | Direction::Left => at.saturating_sub(1),
        Direction::Down | Direction::Right => (at + 1).min(last),
        Direction::PageUp => at.saturating_sub(PAGE),
        Direction::PageDown => (at + PAGE).min(last),
        Direction::First => 0,
        Direction::Last => last,
    }
}
