//! The door to the terminal for all that is not drawn: text from outside cannot drive it, and a
//! stream that is gone ends the work cleanly in place of panicking. clippy refuses prints that go
//! round it.

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::control::Cancel;
use crate::text;

/// What a stream that is gone ends: the work under way, cleanly.
static WORK: Mutex<Option<Cancel>> = Mutex::new(None);

/// Whether standard output is gone.
static GONE: AtomicBool = AtomicBool::new(false);

/// From now on the end of standard output ends this work cleanly in place of the program at once.
pub fn ends_with_output(cancel: &Cancel) {
    if let Ok(mut work) = WORK.lock() {
        *work = Some(cancel.clone());
    }
}

/// Writes a line for a person to standard error, unable to drive the terminal; if that is gone,
/// nobody reads it.
#[allow(clippy::disallowed_methods, reason = "the door")]
pub fn tell(line: &str) {
    _ = writeln!(std::io::stderr().lock(), "{}", text::clean(line));
}

/// A question to a person on standard error.
#[allow(clippy::disallowed_methods, reason = "the door")]
pub fn prompt(question: &str) {
    let mut err = std::io::stderr().lock();
    _ = write!(err, "{}", text::clean(question)).and_then(|()| err.flush());
}

/// Writes a line for a person to standard output, unable to drive the terminal.
pub fn say(line: &str) {
    write(&text::clean(line), "\n");
}

/// The same without the end of the line: a question.
pub fn ask(question: &str) {
    write(&text::clean(question), "");
}

/// Writes text of this program's own as it is: a page, completions for a shell.
pub fn page(page: &str) {
    write(page, "");
}

/// Writes a line as it is, with its end, and flushes. A closed pipe ends work under way cleanly,
/// and a program without any quietly; all else that cannot be written is an error.
#[allow(clippy::disallowed_methods, reason = "the door")]
pub fn write(line: &str, end: &str) {
    if GONE.load(Ordering::Acquire) {
        return;
    }
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(line.as_bytes()).and_then(|()| stdout.write_all(end.as_bytes()));
    let Err(error) = written.and_then(|()| stdout.flush()) else { return };
    GONE.store(true, Ordering::Release);
    let closed = error.kind() == ErrorKind::BrokenPipe;
    if !closed {
        tell(&format!("error: writing to stdout: {error}"));
    }
    match WORK.lock().ok().and_then(|work| work.clone()) {
        Some(work) => work.cancel(),
        None => std::process::exit(i32::from(!closed)),
    }
}

/// Whether standard output is a terminal.
#[allow(clippy::disallowed_methods, reason = "the door")]
pub fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Writes over the line that stands on standard error.
#[allow(clippy::disallowed_methods, reason = "the door")]
pub fn over(line: &str, end: &str) {
    _ = write!(std::io::stderr().lock(), "\r\x1b[K{}{end}", text::clean(line));
}

/// Whether nothing may be drawn over, whatever the terminal can: what reads aloud reads lines.
static LINES: AtomicBool = AtomicBool::new(false);

/// From now on progress is told in lines, one below the other.
pub fn only_lines() {
    LINES.store(true, Ordering::Release);
}

/// Whether standard error is a terminal that may be written over.
#[allow(clippy::disallowed_methods, reason = "the door")]
pub fn is_watched() -> bool {
    !LINES.load(Ordering::Acquire) && std::io::stderr().is_terminal()
}
