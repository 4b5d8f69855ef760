//! Curate, the list's order, and what rules point at in its rows.

use std::cmp::Reverse;

use super::{Held, State};
use crate::experience::Reflection;
use crate::tui::effect::{Effect, StoreCmd};

/// Rows that the rules are held against at a time: a decision need not wait for more.
const AT_ONCE: usize = 40;

/// By which column the rows that are here are sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// As they were written.
    #[default]
    Number,
    /// What rules point at most, first.
    Rules,
    /// The kind of task, then the expert's action.
    Kind,
    /// Who wrote the version that stands.
    Author,
    /// Pending, approved, rejected.
    Verdict,
    /// The longest first.
    Length,
}

impl Order {
    /// All of them, with the word for each.
    const ALL: [(Self, &'static str); 6] = [
        (Self::Number, "number"),
        (Self::Rules, "rules"),
        (Self::Kind, "kind"),
        (Self::Author, "author"),
        (Self::Verdict, "verdict"),
        (Self::Length, "length"),
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()].0
    }
}

impl State {
    /// Sorts by the next column; the item in front stays in front.
    pub(super) fn next_order(&mut self) -> Vec<Effect> {
        self.list.order = self.list.order.next();
        self.sort();
        self.fetch()
    }

    /// Sorts what is here, and keeps the cursor on its row.
    fn sort(&mut self) {
        let front = self.current().map(|item| item.id);
        self.order_rows();
        let found = front.and_then(|id| self.queue.items.iter().position(|item| item.id == id));
        self.at = found.unwrap_or(self.at);
    }

    /// Sorts what is here; the store's pages follow each other by number. Second opinions keep
    /// their order, which has no meaning.
    pub(super) fn order_rows(&mut self) {
        if self.blind() {
            return;
        }
        let list = &self.list;
        let items = &mut self.queue.items;
        items.sort_by_key(|item| item.id);
        match list.order {
            Order::Number => {}
            Order::Rules => items.sort_by_key(|item| {
                Reverse(list.held(item).map(|held| (held.grave, held.codes.len())))
            }),
            Order::Kind => {
                items.sort_by(|a, b| (&a.kind, &a.action).cmp(&(&b.kind, &b.action)));
            }
            Order::Author => items.sort_by(|a, b| a.author.cmp(&b.author)),
            Order::Verdict => items.sort_by_key(|item| item.verdict as usize),
            Order::Length => items.sort_by_key(|item| Reverse(words(item.text()))),
        }
    }

    /// How many rows that are here the rules were not held against yet.
    pub fn unheld(&self) -> usize {
        self.queue.items.iter().filter(|item| self.list.held(item).is_none()).count()
    }

    /// Asks for what rules point at in the rows around the cursor, then, if the list is sorted by
    /// that, in all that are here.
    pub(super) fn hold_rules(&mut self) -> Option<Effect> {
        if !self.lists() || self.list.holding {
            return None;
        }
        let near = self.at.saturating_sub(AT_ONCE)..self.at + AT_ONCE;
        let everywhere = self.list.order == Order::Rules;
        let unheld = |(i, item): &(usize, &Reflection)| {
            (near.contains(i) || everywhere) && self.list.held(item).is_none()
        };
        let mut wanted: Vec<(usize, &Reflection)> =
            self.queue.items.iter().enumerate().filter(unheld).collect();
        wanted.sort_by_key(|(i, _)| i.abs_diff(self.at));
        let wanted: Vec<Reflection> =
            wanted.into_iter().take(AT_ONCE).map(|(_, item)| item.clone()).collect();
        self.list.holding = !wanted.is_empty();
        self.list.holding.then_some(Effect::Store(StoreCmd::Hold(wanted)))
    }

    /// Takes in what rules point at in some rows; once all are known, the order follows.
    pub(super) fn take_held(&mut self, held: Vec<Held>) -> Vec<Effect> {
        self.list.holding = false;
        self.list.hold(held);
        if self.list.order == Order::Rules && self.unheld() == 0 {
            self.sort();
        }
        self.hold_rules().into_iter().collect()
    }
}

/// How long a text is, in words.
pub(super) fn words(text: &str) -> usize {
    text.split_whitespace().count()
}
