//! What the status bar says, and for how long.

use super::app::App;
use super::effect::Notice;

/// After so many half seconds what was said is taken for read.
const FADES: u8 = 20;

/// A failure is there to be read for so many half seconds at least, whatever keys are pressed.
const READ: u8 = 3;

impl App {
    /// Says something in the status bar.
    pub fn say(&mut self, notice: Notice) {
        if notice.bad {
            tracing::error!("{}", notice.text);
        } else {
            tracing::info!("{}", notice.text);
        }
        if self.notices.len() == 100 {
            self.notices.pop_front();
            self.heard = self.heard.saturating_sub(1);
        }
        self.notices.push_back(notice);
        self.age = 0;
    }

    /// What was said is read after a while, if nothing failed.
    pub(super) fn grow_old(&mut self) {
        self.age = self.age.saturating_add(1);
        if self.age >= FADES && self.notices.back().is_some_and(|notice| !notice.bad) {
            self.heard = self.notices.len();
        }
    }

    /// Who goes on has read what was said before this key: of a failure once it was there to be
    /// read, of the rest once something else is done.
    pub(super) fn go_on(&mut self, does: bool) {
        let failed = self.notices.back().is_some_and(|notice| notice.bad);
        // What was said just now may come of this very key.
        if self.age > 0 && (if failed { self.age >= READ } else { does }) {
            self.heard = self.notices.len();
        }
    }

    /// What is said in the line above the keys.
    pub fn said(&self) -> Option<&Notice> {
        self.notices.back().filter(|_| self.notices.len() > self.heard)
    }
}
