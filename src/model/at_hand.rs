//! The threads of a team beside the one that leads: at hand as long as work goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rayon::Yield;

use super::team::{Priority, yield_to_interactive};

/// Who is at hand before work begins.
pub enum AtHand {
    /// So many have come.
    Awaited(usize),
    /// It has begun.
    Late,
}

/// How long those who are to be at hand are waited for.
const AWAITED: Duration = Duration::from_micros(200);

impl AtHand {
    /// Whether a thread that comes now is in time.
    pub fn come(who: &Mutex<Self>) -> bool {
        match &mut *who.lock().unwrap_or_else(PoisonError::into_inner) {
            Self::Awaited(count) => {
                *count += 1;
                true
            }
            Self::Late => false,
        }
    }

    /// Waits a little for `all` to come; who comes later is late.
    pub fn wait(who: &Mutex<Self>, all: usize) {
        let since = Instant::now();
        loop {
            let mut who = who.lock().unwrap_or_else(PoisonError::into_inner);
            let are_there = matches!(*who, Self::Awaited(count) if count == all);
            if are_there || since.elapsed() > AWAITED {
                *who = Self::Late;
                return;
            }
            drop(who);
            // Not given away: on a busy machine it would come back milliseconds later.
            std::hint::spin_loop();
        }
    }
}

/// How long a thread looks for work before it takes naps.
pub const EAGER: Duration = Duration::from_millis(1);

/// How long a nap is.
const NAP: Duration = Duration::from_micros(50);

/// Takes what the leading thread deals out until all is done. A thread of rayon that finds nothing
/// falls asleep within microseconds, and waking it costs more than a layer's product of one row:
/// there are four a layer and token.
pub fn stay(done: &AtomicBool, priority: Priority) {
    let mut since = Instant::now();
    while !done.load(Ordering::Acquire) {
        match rayon::yield_now() {
            Some(Yield::Executed) => since = Instant::now(),
            _ if since.elapsed() < EAGER => std::thread::yield_now(),
            _ => {
                if priority == Priority::Background {
                    yield_to_interactive();
                }
                std::thread::sleep(NAP);
            }
        }
    }
}
