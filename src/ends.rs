//! How the process is asked to end, to stop and to go on, and what holds then.
//!
//! | | first | again |
//! |---|---|---|
//! | Ctrl-C, SIGTERM, SIGQUIT | ends cleanly: a run saves a checkpoint | ends at once; what was acknowledged is committed |
//! | SIGHUP, a terminal that is gone | ends cleanly | the same, and not counted: one closed window sends several |
//! | Ctrl-Z, SIGTSTP | stops when no transaction is open, the terminal given back | |
//! | SIGCONT | the screen is taken again and drawn | |
//!
//! A signal that was ignored when the program started (`nohup`, a shell's background job) stays
//! ignored. Handlers are in place before the terminal is taken. They live on a thread of their own:
//! work that does not look up cannot hold them.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use crate::control::Cancel;
use crate::error::{Error, Result};

/// What happened to the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It is asked to end, for the first time.
    End,
    /// It is asked to stop until it is continued.
    Stop,
    /// It goes on after a stop.
    Continued,
}

/// Whether the terminal is in raw mode and on its other screen.
static SCREEN: AtomicBool = AtomicBool::new(false);

/// What gives it back.
static GIVE_BACK: OnceLock<fn()> = OnceLock::new();

/// Whether the terminal is lent to an editor: what is typed there is not meant for this program.
static LENT: AtomicBool = AtomicBool::new(false);

/// Whether the process was asked to end.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Whether it was asked by more than a window that closed.
static INSISTED: AtomicBool = AtomicBool::new(false);

/// Notes that the terminal is taken, and what gives it back.
pub fn screen_taken(give_back: fn()) {
    _ = GIVE_BACK.set(give_back);
    SCREEN.store(true, Ordering::Release);
}

/// Notes that the terminal is given back.
pub fn screen_given_back() {
    SCREEN.store(false, Ordering::Release);
}

/// Whether the terminal is taken.
pub fn screen_is_taken() -> bool {
    SCREEN.load(Ordering::Acquire)
}

/// Notes whether the terminal is lent to an editor.
pub fn set_lent(lent: bool) {
    LENT.store(lent, Ordering::Release);
}

/// Whether the process was asked to end.
pub fn asked() -> bool {
    ASKED.load(Ordering::Acquire)
}

/// The work that ends when the process is asked to.
static WORK: Mutex<Vec<Cancel>> = Mutex::new(Vec::new());

/// Cancels long work when the process is asked to end, and stops between transactions.
pub fn cancels(cancel: &Cancel) -> Result<()> {
    /// One thread watches for all that a process works on: of two, the second would take the first
    /// signal for the second.
    static WATCHED: AtomicBool = AtomicBool::new(false);
    WORK.lock().unwrap_or_else(PoisonError::into_inner).push(cancel.clone());
    if WATCHED.swap(true, Ordering::AcqRel) {
        return Ok(());
    }
    watch(false, |event| match event {
        Event::End => {
            let work = WORK.lock().unwrap_or_else(PoisonError::into_inner);
            if work.is_empty() {
                at_once(130); // at a prompt nothing is under way
            }
            work.iter().for_each(Cancel::cancel);
            crate::console::tell("stopping cleanly… (again ends at once)");
        }
        Event::Stop => stop(),
        Event::Continued => {}
    })
}

/// The work under way has ended, and the program has not: what ended it is forgotten, and the next
/// piece of work is ended like the first.
pub fn at_rest() {
    WORK.lock().unwrap_or_else(PoisonError::into_inner).clear();
    ASKED.store(false, Ordering::Release);
    INSISTED.store(false, Ordering::Release);
}

/// Held shared by whoever has a transaction open, and alone by whoever is about to stop this
/// process: a stopped process that holds the store's lock would hold up every other program.
static QUIET: RwLock<()> = RwLock::new(());

/// As long as this is held, this process is not stopped by its own doing.
pub fn busy() -> RwLockReadGuard<'static, ()> {
    QUIET.read().unwrap_or_else(PoisonError::into_inner)
}

/// Waits (at most a second) until nobody in this process is [`busy`], and keeps it so.
fn quiet() -> Option<RwLockWriteGuard<'static, ()>> {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(1) {
        if let Ok(quiet) = QUIET.try_write() {
            return Some(quiet);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    None
}

/// Ends at once: the terminal is given back, and whatever is under way is dropped. What was
/// acknowledged is committed.
fn at_once(code: i32) -> ! {
    if let Some(give_back) = GIVE_BACK.get().filter(|_| screen_is_taken()) {
        give_back();
    }
    std::process::exit(code)
}

/// Calls `tell` for everything that happens to the process from now on: when this returns, it is
/// watched for. With `terminal` a terminal that is gone counts as being asked to end, also where no
/// signal says so.
#[cfg(unix)]
pub fn watch(terminal: bool, tell: impl Fn(Event) + Send + 'static) -> Result<()> {
    use tokio::signal::unix::{Signal, SignalKind, signal};
    let ignored = ignored();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let body = move || {
        let failed = |e: std::io::Error| Error::new(format!("watching for signals: {e}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = match runtime.map_err(failed) {
            Ok(runtime) => runtime,
            Err(error) => {
                _ = ready.send(Err(error));
                return;
            }
        };
        runtime.block_on(async {
            // A signal that is left ignored never comes: its place is held by one that is never
            // sent to this program.
            let wanted = |kind: SignalKind| -> std::io::Result<Signal> {
                let left = ignored >> (kind.as_raw_value() - 1) & 1 == 1;
                signal(if left { SignalKind::io() } else { kind })
            };
            let all = || -> std::io::Result<[Signal; 6]> {
                let stop = SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw());
                let go_on = SignalKind::from_raw(rustix::process::Signal::CONT.as_raw());
                Ok([
                    wanted(SignalKind::interrupt())?,
                    wanted(SignalKind::terminate())?,
                    wanted(SignalKind::quit())?,
                    wanted(SignalKind::hangup())?,
                    wanted(stop)?,
                    signal(go_on)?,
                ])
            };
            let [mut int, mut term, mut quit, mut hup, mut stop, mut go_on] =
                match all().map_err(failed) {
                    Ok(signals) => signals,
                    Err(error) => {
                        _ = ready.send(Err(error));
                        return;
                    }
                };
            _ = ready.send(Ok(()));
            let mut look = tokio::time::interval(Duration::from_millis(300));
            loop {
                // The exit code of one that a signal ended, for those that end at once.
                let (event, again) = tokio::select! {
                    _ = int.recv() => (Event::End, Some(130)),
                    _ = term.recv() => (Event::End, Some(143)),
                    _ = quit.recv() => (Event::End, Some(131)),
                    _ = hup.recv() => (Event::End, None),
                    _ = stop.recv() => (Event::Stop, None),
                    _ = go_on.recv() => (Event::Continued, None),
                    _ = look.tick(), if terminal => {
                        if std::io::stdin().is_terminal() { continue }
                        (Event::End, None)
                    }
                };
                if LENT.load(Ordering::Acquire) {
                    match (event, again) {
                        // Ctrl-C and Ctrl-\\ are the editor's; Ctrl-Z stops it, and whoever waits
                        // for it.
                        (_, Some(130 | 131)) | (Event::Continued, _) => continue,
                        (Event::Stop, _) => {
                            self::stop();
                            continue;
                        }
                        _ => {}
                    }
                }
                if event != Event::End {
                    tell(event);
                    continue;
                }
                // A window that closes is told to more than one: only who asks twice means it.
                let first = !ASKED.swap(true, Ordering::AcqRel);
                let twice = again.filter(|_| INSISTED.swap(true, Ordering::AcqRel));
                match twice {
                    Some(code) => at_once(code),
                    None if first => tell(event),
                    None => {}
                }
            }
        });
    };
    std::thread::Builder::new()
        .name("ends".into())
        .spawn(body)
        .map_err(|e| Error::new(format!("starting a thread: {e}")))?;
    is_ready.recv().unwrap_or_else(|_| Err(Error::new("watching for signals broke off")))
}

/// The signals that this process was started with ignored, as a mask (bit 0 is signal 1). Linux
/// tells; elsewhere none.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

/// Stops this process, and those that were started with it as one job, until the shell continues
/// them, at a moment when it holds no lock on the store. A job that no shell waits for is not
/// stopped: nobody could continue it.
#[cfg(unix)]
pub fn stop() {
    use rustix::process::{Signal, kill_current_process_group};
    if has_shell() {
        let _quiet = quiet();
        _ = kill_current_process_group(Signal::STOP);
    }
}

/// Whether somebody outside of this job, at the same terminal, has started it: a shell that can
/// continue it.
#[cfg(unix)]
fn has_shell() -> bool {
    use rustix::process::{Pid, getpgid, getpgrp, getppid, getsid};
    let session = getsid(None).ok();
    let job = getpgrp();
    let mut above = getppid();
    while let Some(pid) =
        above.filter(|pid| session.is_some() && getsid(Some(*pid)).ok() == session)
    {
        if getpgid(Some(pid)).is_ok_and(|theirs| theirs != job) {
            return true;
        }
        // A script that runs this program is of its job. Linux tells who has started that;
        // elsewhere it is taken for a shell.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))
        else {
            return true;
        };
        let after = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        above = after.and_then(Pid::from_raw);
    }
    false
}

/// Where there are no such signals, only Ctrl-C is watched for.
#[cfg(not(unix))]
pub fn watch(_terminal: bool, tell: impl Fn(Event) + Send + 'static) -> Result<()> {
    let body = move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            return;
        };
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() {
                if ASKED.swap(true, Ordering::AcqRel) {
                    at_once(130);
                }
                tell(Event::End);
            }
        });
    };
    std::thread::Builder::new()
        .name("ends".into())
        .spawn(body)
        .map_err(|e| Error::new(format!("starting a thread: {e}")))?;
    Ok(())
}

/// There is no stopping here.
#[cfg(not(unix))]
pub fn stop() {}
