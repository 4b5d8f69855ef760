//! What commands write: results to stdout, progress to stderr.

use std::time::{Duration, Instant};

use serde_json::Value;

pub use crate::console::{ask, ends_with_output, is_terminal, page, prompt, say, tell};
use crate::console::{over, write};
use crate::control::Progress;
use crate::{console, text};

/// A command's output.
pub struct Out {
    json: bool,
    live: bool,
    last: Option<Instant>,
}

impl Out {
    /// JSON lines, or text for a person.
    pub fn new(json: bool) -> Self {
        Self { json, live: console::is_watched(), last: None }
    }

    /// Writes one result; when it returns, the result has left the program.
    pub fn line(&self, json: &Value, words: impl FnOnce() -> String) {
        if self.json {
            write(&text::json(json), "\n");
        } else {
            say(&words());
        }
    }

    /// Writes a line of JSON; as durable as [`Out::line`].
    #[expect(clippy::unused_self, reason = "what is written goes through here")]
    pub fn raw(&self, line: &str) {
        write(&text::escaped(line), "\n");
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
        if self.live {
            over(&progress.line(), if finished { "\n" } else { "" });
        } else {
            tell(&progress.line());
        }
    }
}

/// A row as `key value` pairs for a person.
pub fn pairs(row: &Value) -> String {
    let Value::Object(map) = row else { return row.to_string() };
    let pairs = map.iter().map(|(key, value)| match value {
        Value::String(text) => format!("{key} {text}"),
        other => format!("{key} {other}"),
    });
    pairs.collect::<Vec<_>>().join("  ")
}
