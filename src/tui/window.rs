//! A list of any length, of which only the rows around the cursor are here; the store has the
//! others.

use super::keys::Direction;
use super::text::grouped;
use crate::store::{Near, Page};

/// Rows that are fetched at a time.
pub const LENGTH: usize = 1000;

/// So many rows before the end of what is here, the next page is asked for.
const MARGIN: usize = 300;

/// A list and a cursor in it.
#[derive(Debug)]
pub struct Window<T> {
    page: Page<T>,
    at: usize,
    asked: bool,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self { page: Page::default(), at: 0, asked: false }
    }
}

impl<T> Window<T> {
    /// The number of rows, here or not.
    pub fn total(&self) -> usize {
        self.page.total
    }

    /// The cursor's position, from 0.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Where the cursor stands, in words: "17 of 3,456".
    pub fn place(&self) -> String {
        let place = if self.page.total == 0 { 0 } else { self.at + 1 };
        format!("{} of {}", grouped(place as u64), grouped(self.page.total as u64))
    }

    /// The row at a position, if it is here.
    fn row(&self, position: usize) -> Option<&T> {
        self.page.rows.get(position.checked_sub(self.page.from)?)
    }

    /// The row under the cursor, if it is here.
    pub fn current(&self) -> Option<&T> {
        self.row(self.at)
    }

    /// What fits into so many lines, with positions; none for a row that is not here yet.
    pub fn view(&self, height: usize) -> impl Iterator<Item = (usize, Option<&T>)> {
        let from = (self.at + 1).saturating_sub(height);
        (from..self.page.total.min(from + height)).map(|position| (position, self.row(position)))
    }

    /// Moves the cursor; says what to fetch, if that is needed.
    #[must_use]
    pub fn go(&mut self, direction: Direction) -> Option<Near> {
        self.at = direction.moved(self.at, self.page.total);
        self.missing()
    }

    /// Puts the cursor back to the first row, of a list that is about to come.
    pub fn restart(&mut self) {
        self.at = 0;
        self.asked = true;
    }

    fn missing(&mut self) -> Option<Near> {
        let here = self.page.from..self.page.from + self.page.rows.len();
        let near = self.at.saturating_sub(MARGIN)..(self.at + MARGIN).min(self.page.total);
        let enough = near.start >= here.start && near.end <= here.end;
        (!enough && !std::mem::replace(&mut self.asked, true)).then_some(Near::Position(self.at))
    }

    /// Takes a page. The cursor stays on its row, where `same` says that it is the same; otherwise
    /// at its position. Says what to fetch next, if a person has gone on meanwhile.
    #[must_use]
    pub fn take(&mut self, page: Page<T>, same: impl Fn(&T, &T) -> bool) -> Option<Near> {
        self.asked = false;
        let stays =
            self.current().and_then(|row| page.rows.iter().position(|other| same(row, other)));
        self.at =
            stays.map_or(self.at, |found| page.from + found).min(page.total.saturating_sub(1));
        self.page = page;
        self.missing()
    }

    /// Puts the cursor on the first row that is here and for which `is` holds.
    pub fn find(&mut self, is: impl Fn(&T) -> bool) {
        if let Some(found) = self.page.rows.iter().position(is) {
            self.at = self.page.from + found;
        }
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
