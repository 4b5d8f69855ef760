//! Limits on *work*: what a file of a kilobyte asks for can be more than a lifetime of computing,
//! so whoever reads or plays what came from outside does it within a number of units, and under the
//! cancel of whoever waits for it.
//!
//! Both belong to the thread: the innermost loops (a join over facts, a derivation of text) are
//! closures below closures, and count with [`spend`] without being handed anything. A unit is about
//! as much as unifying an atom with a fact, or writing a piece of text: some ten nanoseconds.

use std::cell::{Cell, RefCell};

use crate::control::Cancel;
use crate::error::{Error, Result};

thread_local! {
    static LEFT: Cell<u64> = const { Cell::new(u64::MAX) };
    /// When the cancel is looked at next: looking at every unit would cost more than the unit.
    static LOOK: Cell<u64> = const { Cell::new(0) };
    static STOPPED: Cell<bool> = const { Cell::new(false) };
    static CANCEL: RefCell<Option<Cancel>> = const { RefCell::new(None) };
}

/// Between two looks at the cancel.
const EVERY: u64 = 1 << 14;

/// Spends `units` of what this thread may do. False once nothing is left or its cancel was asked
/// for: stop, and return; the [`within`] around it makes the error.
#[inline]
pub fn spend(units: u64) -> bool {
    let left = LEFT.get();
    let look = LOOK.get();
    // A world asks a dozen times a step, and its step takes two microseconds.
    if left >= units && look > units {
        LEFT.set(if left == u64::MAX { left } else { left - units });
        LOOK.set(look - units);
        return true;
    }
    spend_looking(units)
}

/// The same where nothing is left, or the cancel is to be looked at.
#[cold]
fn spend_looking(units: u64) -> bool {
    let left = LEFT.get();
    if left < units {
        LEFT.set(0);
        return false;
    }
    if left != u64::MAX {
        LEFT.set(left - units);
    }
    LOOK.set(EVERY);
    let stopped = CANCEL.with_borrow(|cancel| cancel.as_ref().is_some_and(Cancel::is_cancelled));
    STOPPED.set(stopped);
    !stopped
}

/// Whether nothing is left: what was found so far is not all there is.
pub fn is_spent() -> bool {
    LEFT.get() == 0 || STOPPED.get()
}

/// What [`within`] makes an error with the limit of; a place may stand before it.
const SPENT: &str = "too much work";

/// [`spend`] as an error, for code that returns one.
pub fn work(units: u64) -> Result<()> {
    if spend(units) { Ok(()) } else { Err(Error::new(SPENT)) }
}

/// [`is_spent`] as an error.
pub fn check() -> Result<()> {
    if is_spent() { Err(Error::new(SPENT)) } else { Ok(()) }
}

/// Whether whoever waits for this thread asked it to stop: for code that waits for something
/// outside and counts no work.
pub fn is_cancelled() -> bool {
    CANCEL.with_borrow(|cancel| cancel.as_ref().is_some_and(Cancel::is_cancelled))
}

/// The cancel of whoever waits for this thread; one that nobody asks for where nobody waits.
pub fn cancel() -> Cancel {
    CANCEL.with_borrow(|cancel| cancel.clone().unwrap_or_default())
}

/// Does `body` within `units` of work (and within what is left outside).
///
/// # Errors
/// What `body` returns; and when the units ran out, whatever it returned, an error that names the
/// limit.
pub fn within<T>(units: u64, doing: &str, body: impl FnOnce() -> Result<T>) -> Result<T> {
    let outside = LEFT.get();
    let given = units.min(outside);
    LEFT.set(given);
    let done = body();
    let spent = LEFT.get() == 0;
    LEFT.set(if outside == u64::MAX { outside } else { outside - (given - LEFT.get()) });
    if STOPPED.get() {
        return Err(Error::cancelled());
    }
    if spent {
        let said = done.err().map(|e| e.message().to_string()).unwrap_or_default();
        let place = said.strip_suffix(SPENT).unwrap_or_default();
        return Err(Error::new(format!(
            "{place}{doing} takes more than {given} steps of work, which is the limit"
        ))
        .hint(
            "real files take a hundredth of it; this one multiplies something out (alternatives, \
             free variables)",
        ));
    }
    done
}

/// From now on all work of this thread is under a cancel: for a thread that does one job and ends.
pub fn obey(cancel: &Cancel) {
    CANCEL.set(Some(cancel.clone()));
    LOOK.set(0);
}

/// Does `body` under a cancel; without one it would go on to its limit of work.
pub fn under<T>(cancel: &Cancel, body: impl FnOnce() -> Result<T>) -> Result<T> {
    cancel.check()?;
    let before = CANCEL.replace(Some(cancel.clone()));
    LOOK.set(0);
    let done = body();
    CANCEL.set(before);
    LOOK.set(0);
    let stopped = STOPPED.replace(false);
    if stopped { Err(Error::cancelled()) } else { done }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
