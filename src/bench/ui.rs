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
}

const F1: &[u8] = b"\x1bOP";
const F3: &[u8] = b"\x1bOR";

/// A program in a terminal: what it shows, and how many bytes it wrote for that.
struct Terminal {
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<Mutex<(vt100::Parser, u64)>>,
    cancel: Cancel,
}

impl Terminal {
    fn open(options: &Options, data: &Path, cancel: &Cancel) -> Result<Self> {
        let failed = |e: &dyn std::fmt::Display| Error::new(format!("opening a pseudo-terminal: {e}"));
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
        std::thread::spawn(move || {
            let (mut bytes, _master) = (vec![0; 65536], pair.master);
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

    fn shows(&self, text: &str) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).0.screen().contents().contains(text)
    }

    /// Presses a key and waits until `text` is on the screen, or no longer is; returns the milliseconds that took.
    fn press(&mut self, key: &[u8], text: &str, there: bool) -> Result<f64> {
        let started = Instant::now();
        self.writer.write_all(key).and_then(|()| self.writer.flush()).map_err(|e| Error::new(format!("a key: {e}")))?;
        while self.shows(text) != there {
            self.cancel.check()?;
            if started.elapsed() > Duration::from_secs(60) {
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

/// Presses keys and measures until the screen shows what they do: the page of keys opened and closed.
pub fn run(options: &Options, cancel: &Cancel) -> Result<Value> {
    let dir = tempfile::tempdir().map_err(|e| Error::new(format!("a data directory for the benchmark: {e}")))?;
    let data = dir.path();
    let mut collect = Command::new(&options.program);
    let collect = collect.arg("--data-dir").arg(data).args(["collect", "demos", "--games", "60"]);
    let done = collect.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !done.is_ok_and(|status| status.success()) {
        return Err(Error::new(format!("{}: collecting a few games failed", options.program.display())));
    }
    let started = Instant::now();
    let mut terminal = Terminal::open(options, data, cancel)?;
    let first = terminal.press(b"", "Trunk", true)?;
    terminal.press(b"", "actual", true)?;
    let useful = 1e3 * started.elapsed().as_secs_f64();
    if options.train {
        terminal.press(F3, "no runs yet", true)?;
        terminal.press(b"t", "updates of 8 trees", true)?;
        terminal.press(&b"+".repeat(200), "10200 updates", true)?;
        terminal.press(b"\r", "/10200", true)?;
        terminal.press(F1, "Trunk", true)?;
    }
    let (mut times, mut sizes) = (Vec::new(), Vec::new());
    for i in 0..options.keys.max(2) / 2 {
        for (key, there) in [(b"?", true), (b"?", false)] {
            // Not in step with anything that redraws on its own.
            std::thread::sleep(Duration::from_millis(23 + (i as u64 * 7) % 31));
            let before = terminal.bytes();
            times.push(terminal.press(key, "any other key leaves", there)?);
            sizes.push((terminal.bytes() - before) as f64);
        }
    }
    Ok(json!({
        "cols": options.size.0, "rows": options.size.1, "keys": options.keys, "training": options.train,
        "first_frame_ms": first, "useful_frame_ms": useful,
        "key_to_frame_ms": spread(times), "bytes_a_key": spread(sizes),
    }))
}
