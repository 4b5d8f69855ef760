//! The games of Explore that were left, each with the tree that was walked in it.

use std::collections::VecDeque;

use crate::explore::Session;
use crate::tui::screens::explore::GAMES;

/// They, the one left last at the end; each with the node whose episode was kept.
#[derive(Default)]
pub(super) struct Games(VecDeque<(Session, Option<usize>)>);

impl Games {
    /// Puts one aside. Its worlds go: they are led to where they are wanted again.
    pub(super) fn put(&mut self, mut session: Session, kept: Option<usize>) {
        session.release();
        self.0.push_back((session, kept));
        if self.0.len() > GAMES {
            self.0.pop_front();
        }
    }

    /// Takes one up again.
    pub(super) fn take(&mut self, split: &str, task: &str) -> Option<(Session, Option<usize>)> {
        let at = self.0.iter().position(|(session, _)| session.is_of(split, task))?;
        self.0.remove(at)
    }
}
