//! What commands write: results to stdout, progress to stderr.

use std::io::{ErrorKind, IsTerminal, Write};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::control::Progress;

/// A command's output.
pub struct Out {
    json: bool,
    live: bool,
    last: Option<Instant>,
}

impl Out {
    /// JSON lines, or text for a person.
    pub fn new(json: bool) -> Self {
        Self { json, live: std::io::stderr().is_terminal(), last: None }
    }

    /// Writes one result; when it returns, the result has left the program. A closed pipe ends the program quietly.
    pub fn line(&self, json: &Value, text: impl FnOnce() -> String) {
        self.raw(&if self.json { json.to_string() } else { text() });
    }

    /// Writes a line as it is; as durable as [`Out::line`].
    #[expect(clippy::unused_self, reason = "what is written goes through here")]
    pub fn raw(&self, line: &str) {
        let mut stdout = std::io::stdout().lock();
        let written = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
            Err(error) => {
                eprintln!("error: writing to stdout: {error}");
                std::process::exit(1);
            }
            Ok(()) => {}
        }
    }

    /// Whether results are JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Shows how far a job is: in place on a terminal, now and then in a log.
    pub fn progress(&mut self, progress: &Progress) {
        let pause = Duration::from_millis(if self.live { 100 } else { 10_000 });
        let finished = progress.total > 0 && progress.done >= progress.total;
        if !finished && self.last.is_some_and(|last| last.elapsed() < pause) {
            return;
        }
        self.last = Some(Instant::now());
        let text = progress.line();
        if self.live {
            eprint!("\r\x1b[K{text}{}", if finished { "\n" } else { "" });
        } else {
            eprintln!("{text}");
        }
    }
}
