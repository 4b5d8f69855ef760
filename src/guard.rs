//! A panic is a defect of this program or of a library below it; a person meets it as an error, on
//! a terminal that is theirs again, and never as the end of work that another thread does well.
//!
//! [`install`] takes the place of the standard hook, which writes to standard error and so panics a
//! second time (and aborts) where that is gone. What may meet foreign data runs in [`guarded`].

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

use crate::error::{Error, Kind, Result};

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Takes the place of the standard panic hook: the report goes to the log, and to whoever guards
/// the thread; only a panic that nobody guards is written to standard error (which may be gone).
pub fn install() {
    std::panic::set_hook(Box::new(|info| {
        let report = format!("{} at {}", said(info.payload()), place(info));
        tracing::error!("panic: {report}");
        if DEPTH.get() > 0 {
            PLACE.set(Some(place(info)));
        } else if !crate::ends::screen_is_taken() {
            crate::console::tell(&format!("panic: {report}"));
        }
    }));
}

fn place(info: &PanicHookInfo<'_>) -> String {
    info.location().map_or_else(|| "an unknown place".into(), ToString::to_string)
}

fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without words".into())
}

/// Does `body`; a panic in it becomes an error that says what was being done, and where.
pub fn guarded<T>(doing: &str, body: impl FnOnce() -> Result<T>) -> Result<T> {
    DEPTH.set(DEPTH.get() + 1);
    let done = catch_unwind(AssertUnwindSafe(body));
    DEPTH.set(DEPTH.get() - 1);
    done.unwrap_or_else(|payload| {
        // A panic of a worker of a pool comes here without a place; the log has it.
        let at = PLACE.take().map_or_else(String::new, |place| format!(" ({place})"));
        Err(Error::new(format!("{doing} broke off: {}{at}", said(payload.as_ref())))
            .of(Kind::Defect)
            .hint(
                "this is a defect, or a file that a library cannot bear; what was shown as saved \
                 is saved",
            ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_that_says_what_was_done() {
        let error =
            guarded("reading a thing", || -> Result<()> { panic!("no {}", "luck") }).unwrap_err();
        assert!(error.message().starts_with("reading a thing broke off: no luck"), "{error}");
        assert_eq!(guarded("x", || Ok(3)).unwrap(), 3);
    }
}
