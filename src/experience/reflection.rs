//! A reflection as a person reads it: its texts, who wrote them, and how it stands.

use serde::{Deserialize, Serialize};

use super::Verdict;

/// A generated reflection with its later versions and its standing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reflection {
    /// Row id.
    pub id: i64,
    /// The trajectory and state it is about.
    pub trajectory: i64,
    /// The state's index.
    pub t: usize,
    /// What wrote the first version: "template", or "model <source>".
    pub generator: String,
    /// The executed branches it may cite.
    pub cites: Vec<i64>,
    /// Version texts, the generated one first; a later one is a person's edit.
    pub versions: Vec<String>,
    /// Where it stands.
    pub verdict: Verdict,
    /// The code of a rejection.
    pub reason: Option<String>,
    /// Whether a person wants to look at it again.
    pub flagged: bool,
    /// An edit that was begun and not saved.
    pub draft: Option<String>,
    /// How many versions there are, generated and edited.
    pub written: usize,
    /// The number of the version that stands, from 1.
    pub version: usize,
    /// Who wrote that version: "you", or a generator.
    pub author: String,
    /// When it was written, in milliseconds since 1970.
    pub written_ms: i64,
    /// When it was decided how the reflection stands, in milliseconds since 1970; none before.
    pub decided_ms: Option<i64>,
    /// Who decided it: "you", or "another store" where it was imported; none before.
    pub decided_by: Option<String>,
    /// The newest words that a person said beside a decision.
    pub note: Option<String>,
    /// The kind of task that it is about.
    pub kind: String,
    /// The expert's action in that state.
    pub action: String,
}

impl Reflection {
    /// The newest version.
    pub fn text(&self) -> &str {
        self.versions.last().map_or("", String::as_str)
    }
}
