//! Curate, the list: what is selected in it, and what is known of its rows.

use std::collections::{BTreeMap, HashMap};

use super::{Held, Order, State};
use crate::experience::Reflection;
use crate::store::{Filter, Seen};
use crate::tui::effect::{Effect, StoreCmd};
use crate::tui::keys::Direction;

/// The list's state.
#[derive(Debug, Default)]
pub struct List {
    /// Whether it stands in place of one item.
    pub shown: bool,
    /// How it is sorted.
    pub order: Order,
    /// What is selected, as it was seen.
    pub selected: BTreeMap<i64, Seen>,
    /// Where a range begins.
    anchor: Option<i64>,
    held: HashMap<i64, Held>,
    /// Whether rules are being held against rows.
    pub(super) holding: bool,
}

impl List {
    /// What is selected, as a decision is about it.
    pub(super) fn chosen(&self) -> Vec<(i64, Seen)> {
        self.selected.iter().map(|(id, seen)| (*id, seen.clone())).collect()
    }

    /// What rules point at in a row, once that is known.
    pub fn held(&self, item: &Reflection) -> Option<&Held> {
        self.held.get(&item.id).filter(|held| held.version == item.version)
    }

    /// Takes in what rules point at.
    pub(super) fn hold(&mut self, held: Vec<Held>) {
        self.held.extend(held.into_iter().map(|held| (held.id, held)));
    }

    /// No longer selects what was decided on.
    pub(super) fn forget(&mut self, ids: &[i64]) {
        for id in ids {
            self.selected.remove(id);
        }
    }
}

impl State {
    /// Whether the list is in front; second opinions are given one by one.
    pub fn lists(&self) -> bool {
        self.list.shown && !self.blind()
    }

    /// Whether keys are about what is selected.
    pub fn selects(&self) -> bool {
        self.lists() && !self.list.selected.is_empty()
    }

    /// The list, or the item in front.
    pub(super) fn toggle_list(&mut self) -> Vec<Effect> {
        self.list.shown = !self.list.shown;
        self.fetch()
    }

    /// Selects the item in front, or no longer, and goes on to the next.
    pub(super) fn select(&mut self) -> Vec<Effect> {
        let Some((id, seen)) = self.current().map(|item| (item.id, self.seen_of(item))) else {
            return Vec::new();
        };
        if self.list.selected.remove(&id).is_none() {
            self.list.selected.insert(id, seen);
        }
        self.list.anchor = Some(id);
        self.walk(Direction::Down)
    }

    /// Selects everything from the last one that was selected to the one in front.
    pub(super) fn select_range(&mut self) {
        let items = &self.queue.items;
        let begin = self.list.anchor.and_then(|id| items.iter().position(|item| item.id == id));
        let begin = begin.unwrap_or(self.at);
        let (from, to) = (begin.min(self.at), begin.max(self.at));
        let range = items.iter().take(to + 1).skip(from);
        let seen: Vec<_> = range.map(|item| (item.id, self.seen_of(item))).collect();
        self.list.selected.extend(seen);
        self.list.anchor = self.current().map(|item| item.id);
    }

    /// Selects all that the filter lists, on other pages too; nothing, if something is selected.
    pub(super) fn select_all(&mut self) -> Vec<Effect> {
        if !self.list.selected.is_empty() {
            self.list.selected.clear();
            return Vec::new();
        }
        if self.queue.back.or(self.queue.on).is_some() {
            return vec![Effect::Store(StoreCmd::Everything(self.filter.clone()))];
        }
        self.list.selected = self.many().into_iter().collect();
        Vec::new()
    }

    /// Takes in all that a filter lists.
    pub(super) fn take_everything(&mut self, filter: &Filter, all: Vec<(i64, Seen)>) {
        if *filter == self.filter && self.mode.is_none() && self.waiting.is_none() {
            self.list.selected.extend(all);
        }
    }

    /// What has changed since it was selected is not selected any more: nobody has seen it so.
    pub(super) fn check_selected(&mut self) {
        let changed = self.queue.items.iter().filter(|item| {
            self.list.selected.get(&item.id).is_some_and(|seen| *seen != self.seen_of(item))
        });
        let changed: Vec<i64> = changed.map(|item| item.id).collect();
        self.list.forget(&changed);
    }
}
