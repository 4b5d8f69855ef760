//! Key to frame: the real program in a pseudo-terminal, its screen read as a terminal would.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};
use serde_json::{Value, json};

use super::spread;
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::experience::Purpose;
use crate::store::{Listing, Near, Store};

/// What to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program.
    pub program: PathBuf,
    /// Keys pressed.
    pub keys: usize,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Whether a training run goes on meanwhile, on two threads of the same program.
    pub train: bool,
    /// Whether games are collected meanwhile, as fast as they can be.
    pub collect: bool,
    /// Steps of trajectories in the store before the program starts.
    pub steps: usize,
    /// Trajectories of no steps in the store besides, each a row of the lists.
    pub rows: usize,
}

const F1: &[u8] = b"\x1bOP";
const F3: &[u8] = b"\x1bOR";
const F4: &[u8] = b"\x1bOS";
const PAGE_DOWN: &[u8] = b"\x1b[6~";
const PAGE_UP: &[u8] = b"\x1b[5~";

/// A program in a terminal: what it shows, and how many bytes it wrote for that.
struct Terminal {
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<Mutex<(vt100::Parser, u64)>>,
    cancel: Cancel,
}

impl Terminal {
    fn open(options: &Options, data: &Path, cancel: &Cancel) -> Result<Self> {
        let failed =
            |e: &dyn std::fmt::Display| Error::new(format!("opening a pseudo-terminal: {e}"));
        let (cols, rows) = options.size;
        let size = PtySize { cols, rows, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).map_err(|e| failed(&e))?;
        let mut command = CommandBuilder::new(&options.program);
        command.arg("--data-dir");
        command.arg(data);
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        let child = pair.slave.spawn_command(command).map_err(|e| failed(&e))?;
        drop(pair.slave);
        let mut source = pair.master.try_clone_reader().map_err(|e| failed(&e))?;
        let seen = Arc::new(Mutex::new((vt100::Parser::new(rows, cols, 0), 0)));
        let writer = pair.master.take_writer().map_err(|e| failed(&e))?;
        let shared = Arc::clone(&seen);
        #[allow(
            clippy::disallowed_methods,
            reason = "it reads what the program under test draws, and nothing hangs on it"
        )]
        std::thread::spawn(move || {
            let mut bytes = vec![0; 65536];
            let _master = pair.master;
            while let Ok(count @ 1..) = source.read(&mut bytes) {
                let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
                seen.0.process(&bytes[..count]);
                seen.1 += count as u64;
            }
        });
        Ok(Self { writer, child, seen, cancel: cancel.clone() })
    }

    fn bytes(&self) -> u64 {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Waits until nothing is written for a while, or not much longer: a program that is at work
    /// never falls quiet. Returns all bytes so far.
    fn quiet(&self) -> u64 {
        let started = Instant::now();
        loop {
            let before = self.bytes();
            std::thread::sleep(Duration::from_millis(250));
            if self.bytes() == before || started.elapsed() > Duration::from_secs(5) {
                return self.bytes();
            }
        }
    }

    /// Presses a key and waits for the first bytes of the frame that follows; returns the
    /// milliseconds that took.
    fn answered(&mut self, key: &[u8]) -> Result<f64> {
        let before = self.bytes();
        let started = Instant::now();
        self.writer
            .write_all(key)
            .and_then(|()| self.writer.flush())
            .map_err(|e| Error::new(format!("a key: {e}")))?;
        while self.bytes() == before {
            self.cancel.check()?;
            if started.elapsed() > Duration::from_secs(10) {
                return Err(Error::new("no frame within ten seconds of a key"));
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        Ok(1e3 * started.elapsed().as_secs_f64())
    }

    /// Seconds of processor time that the program has used, and its memory in megabytes (Linux
    /// only).
    fn used(&self) -> Option<(f64, f64)> {
        let pid = self.child.process_id()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        let ticks: f64 =
            fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let resident =
            status.lines().find(|line| line.starts_with("VmRSS:"))?.split_whitespace().nth(1)?;
        Some((ticks / 100.0, resident.parse::<f64>().ok()? / 1024.0))
    }

    fn shows(&self, text: &str) -> bool {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .screen()
            .contents()
            .contains(text)
    }

    /// Presses a key and waits until `text` is on the screen, or no longer is; returns the
    /// milliseconds that took.
    fn press(&mut self, key: &[u8], text: &str, there: bool) -> Result<f64> {
        let started = Instant::now();
        self.writer
            .write_all(key)
            .and_then(|()| self.writer.flush())
            .map_err(|e| Error::new(format!("a key: {e}")))?;
        while self.shows(text) != there {
            self.cancel.check()?;
            if started.elapsed() > Duration::from_mins(1) {
                let state = if there { "did not appear" } else { "did not go" };
                return Err(Error::new(format!("`{text}` {state} within a minute of a key")));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(1e3 * started.elapsed().as_secs_f64())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Presses keys and measures until the screen shows what they do: the page of keys opened and
/// closed.
pub fn run(options: &Options, cancel: &Cancel) -> Result<Value> {
    let dir = tempfile::tempdir()
        .map_err(|e| Error::new(format!("a data directory for the benchmark: {e}")))?;
    let data = dir.path();
    let mut collect = Command::new(&options.program);
    let collect = collect.arg("--data-dir").arg(data).args(["collect", "demos", "--games", "60"]);
    let done = collect.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !done.is_ok_and(|status| status.success()) {
        return Err(Error::new(format!(
            "{}: collecting a few games failed",
            options.program.display()
        )));
    }
    fill(data, (options.steps, options.rows), cancel)?;
    let started = Instant::now();
    let mut terminal = Terminal::open(options, data, cancel)?;
    let first = terminal.press(b"", "┌ What if", true)?;
    terminal.press(b"", "actual", true)?;
    let useful = 1e3 * started.elapsed().as_secs_f64();
    if options.train {
        terminal.press(F3, "no runs yet", true)?;
        terminal.press(b"t", "objective", true)?;
        terminal.press(b"jjjjjjj10200", "10,200 updates", true)?;
        terminal.press(b"\r", "/10200", true)?;
        terminal.press(F1, "┌ What if", true)?;
    }
    if options.collect {
        terminal.press(b"c", "20 games", true)?;
        terminal.press(&b"+".repeat(500), "5000 games", true)?;
        terminal.press(b"\r", "demonstrations", true)?;
    }
    let busy = options.train || options.collect;
    let mut times = Vec::new();
    let mut sizes = Vec::new();
    for i in 0..options.keys.max(2) / 2 {
        for (key, there) in [(b"?", true), (b"?", false)] {
            // Not in step with anything that redraws on its own.
            std::thread::sleep(Duration::from_millis(23 + (i as u64 * 7) % 31));
            let before = terminal.bytes();
            times.push(terminal.press(key, "any other key leaves", there)?);
            sizes.push((terminal.bytes() - before) as f64);
        }
    }
    let idle = idle(&terminal, busy);
    let step_bytes = if busy { Vec::new() } else { steps(&mut terminal)? };
    let scroll = if options.collect { Default::default() } else { scrolling(&mut terminal)? };
    Ok(json!({
        "steps_in_store": options.steps, "rows_in_store": options.rows,
        "idle_cpu_percent": idle.map(|i| i.0), "resident_mb": idle.map(|i| i.1),
        "bytes_a_step_in_explore": spread(step_bytes), "list_key_to_frame_ms": spread(scroll.0),
        "list_page_to_rows_ms": spread(scroll.1),
        "cols": options.size.0, "rows": options.size.1, "keys": options.keys,
        "training": options.train, "collecting": options.collect,
        "first_frame_ms": first, "useful_frame_ms": useful,
        "key_to_frame_ms": spread(times), "bytes_a_key": spread(sizes),
    }))
}

/// Trajectories of fifty steps, so many steps in all, and so many rows more.
fn fill(data: &Path, (steps, rows): (usize, usize), cancel: &Cancel) -> Result<()> {
    let mut store = Store::open(data)?;
    let Some(first) =
        store.list(&Listing::default(), Near::Position(0), 1)?.rows.first().map(|row| row.id)
    else {
        return Ok(());
    };
    let mut trajectory = store.trajectory(first)?;
    let step = trajectory.steps[0].clone();
    trajectory.purpose = Purpose::Evaluation;
    trajectory.steps = vec![step; 50];
    // Durability is not what is measured here.
    store.db.pragma_update(None, "synchronous", "off")?;
    for _ in 0..steps / 50 {
        cancel.check()?;
        store.add_trajectory(&trajectory)?;
    }
    store.db.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
         INSERT INTO trajectories (suite, split, task_id, kind, task, purpose, actor, seed, \
         observation, admissible, success, length, created_ms) \
         SELECT suite, split, task_id, kind, task, 'evaluation', actor, seed, observation, \
         admissible, 0, 0, 0 \
         FROM n JOIN trajectories WHERE trajectories.id = ?2 AND ?1 > 0",
        [rows as i64, first],
    )?;
    Ok(())
}

/// Share of one processor over five seconds in which nothing is pressed, and memory; not measured
/// while it works.
fn idle(terminal: &Terminal, busy: bool) -> Option<(f64, f64)> {
    if busy {
        return None;
    }
    terminal.quiet();
    let (before, _) = terminal.used()?;
    std::thread::sleep(Duration::from_secs(5));
    let (after, resident) = terminal.used()?;
    Some((100.0 * (after - before) / 5.0, resident))
}

/// Bytes written for steps in Explore, with all that arrives after them.
fn steps(terminal: &mut Terminal) -> Result<Vec<f64>> {
    let mut sizes = Vec::new();
    for _ in 0..12 {
        let before = terminal.quiet();
        terminal.answered(b"\r")?;
        sizes.push((terminal.quiet() - before) as f64);
        if terminal.shows("solved") {
            terminal.answered(b"]")?;
        }
    }
    Ok(sizes)
}

/// Down the list of trajectories: key to frame; and key to rows, leaping through it by pages and
/// from end to end.
fn scrolling(terminal: &mut Terminal) -> Result<(Vec<f64>, Vec<f64>)> {
    terminal.press(F4, "Steps", true)?;
    terminal.quiet();
    terminal.answered(b"\t")?; // from the steps to the list
    let mut times = Vec::new();
    for i in 0..200 {
        std::thread::sleep(Duration::from_millis(17 + i % 13));
        // Fifty down, fifty up: the selection moves in a short list too.
        times.push(terminal.answered(if i / 50 % 2 == 0 { b"j" } else { b"k" })?);
    }
    let mut leaps = Vec::new();
    for key in [b"G".as_slice(), b"g"]
        .into_iter()
        // Three pages there and back: also in a list of sixty every one of them changes something.
        .chain((0..102).map(|i| if i / 3 % 2 == 0 { PAGE_DOWN } else { PAGE_UP }))
        .chain([b"G".as_slice(), b"g"])
    {
        let started = Instant::now();
        terminal.answered(key)?;
        // A row that is not there yet is shown as an ellipsis alone.
        while terminal.shows("│…  ") {
            terminal.cancel.check()?;
            std::thread::sleep(Duration::from_micros(200));
        }
        leaps.push(1e3 * started.elapsed().as_secs_f64());
    }
    Ok((times, leaps))
}
