//! What Curate's list asks for beside its pages: what rules point at in its rows, and all that a
//! filter lists.

use std::path::PathBuf;

use super::{Mailbox, aside};
use crate::curation::{self, judged};
use crate::error::Result;
use crate::experience::Reflection;
use crate::guard::guarded;
use crate::store::{Filter, Place, Seen, Store};
use crate::tui::effect::Notice;
use crate::tui::msg::Msg;
use crate::tui::screens::curate;

/// So many reflections can be selected at once: a decision about them is one act, which others that
/// write to the store wait for.
const MOST: usize = 20_000;

/// Reflections that are read at a time.
const PAGE: usize = 2000;

/// Holds the rules against rows of the list.
pub(super) fn hold(store: &Store, items: &[Reflection]) -> Result<curate::Msg> {
    let held = items.iter().map(|item| {
        let found = judged(store, item)?.findings;
        Ok(curate::Held::of(item.id, item.version, &found))
    });
    Ok(curate::Msg::Held(held.collect::<Result<_>>()?))
}

/// All that a filter lists, up to a bound that is said. Among a million that takes seconds: a
/// thread of its own.
pub(super) fn everything(root: PathBuf, filter: Filter, mail: Mailbox) {
    let own = mail.clone();
    aside("selecting", &own, move || {
        let read = || read(&Store::open(&root)?, &filter);
        let (all, more) = guarded("selecting all that is listed", read)?;
        if more {
            let n = all.len();
            let said = "are selected; decide on them, then A selects the next";
            mail.send(Msg::Notice(Notice::info(format!("the first {n} that are listed {said}"))));
        }
        mail.send(Msg::from(curate::Msg::Everything(filter, all)));
        Ok(())
    });
}

/// What a filter lists, as it is seen, and whether there is more.
fn read(store: &Store, filter: &Filter) -> Result<(Vec<(i64, Seen)>, bool)> {
    let mut all = Vec::new();
    let mut place = Place::Start;
    loop {
        let queue = curation::queue(store, filter, place, PAGE)?;
        all.extend(queue.items.into_iter().map(|item| {
            let seen = Seen { text: item.text().to_string(), verdict: Some(item.verdict) };
            (item.id, seen)
        }));
        match queue.on {
            Some(next) if all.len() < MOST => place = next,
            on => return Ok((all, on.is_some())),
        }
    }
}
