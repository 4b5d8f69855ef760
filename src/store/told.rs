//! Everything of one trajectory that a person reads: what was done, what else was executed, what
//! was expected and thought, and what was written about it.

use rusqlite::Row;
use serde::Serialize;

use super::reading::{json, known};
use super::{Prediction, Store, Thought};
use crate::error::Result;
use crate::experience::{Branch, POLICY, Purpose, RATIONALE, Trajectory, UNIFORM, Verdict};

impl Told {
    /// Who an executed action is by, in words: in a visit an expert's own is its answer.
    pub fn by(&self, branch: &Branch) -> String {
        let drawn = [UNIFORM, POLICY].contains(&branch.source.as_str());
        match self.trajectory.purpose {
            Purpose::Visit if !drawn => format!("{}'s answer", branch.source),
            _ => branch.source.clone(),
        }
    }
}

/// A reflection as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Row id.
    pub id: i64,
    /// The state it is about.
    pub t: usize,
    /// Who wrote the text that stands.
    pub author: String,
    /// Who wrote the first version.
    pub generator: String,
    /// The text that stands.
    pub text: String,
    /// Which version that is, from 1.
    pub version: usize,
    /// How many versions there are.
    pub versions: usize,
    /// The executed alternatives it may cite.
    pub cites: Vec<i64>,
    /// How it stands.
    pub verdict: Verdict,
    /// The code of a rejection.
    pub reason: Option<String>,
    /// What a person said beside a decision, the newest.
    pub note: Option<String>,
}

impl Standing {
    /// Who wrote it and which version stands, in words: "by you, version 2 of 2, first by
    /// template".
    pub fn provenance(&self) -> String {
        let mut words = by(&self.author);
        if self.versions > 1 {
            words += &format!(", version {} of {}", self.version, self.versions);
        }
        if self.author != self.generator {
            words += &format!(", first {}", by(&self.generator));
        }
        words
    }

    /// How it stands, with the reason.
    pub fn judged(&self) -> String {
        let reason = self.reason.as_deref().map(|code| format!(": {code}")).unwrap_or_default();
        format!("{}{reason}", self.verdict.as_str())
    }
}

/// Who wrote it; of a rationale its name says so already.
fn by(author: &str) -> String {
    if author.starts_with(RATIONALE) { author.to_string() } else { format!("by {author}") }
}

/// A trajectory and everything that hangs off its states.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// What was done.
    pub trajectory: Trajectory,
    /// What else was executed.
    pub branches: Vec<Branch>,
    /// What models expected, the newest model's last.
    pub predictions: Vec<Prediction>,
    /// What was thought before acting.
    pub thoughts: Vec<Thought>,
    /// What was written about it, by state.
    pub reflections: Vec<Standing>,
}

impl Told {
    /// The alternatives that were executed in a state.
    pub fn branches_at(&self, t: usize) -> impl Iterator<Item = &Branch> {
        self.branches.iter().filter(move |branch| branch.t == t)
    }

    /// The reflections of a state.
    pub fn reflections_at(&self, t: usize) -> impl Iterator<Item = &Standing> {
        self.reflections.iter().filter(move |reflection| reflection.t == t)
    }

    /// What each model expected of an action in a state, the newest model's last.
    pub fn expected<'a>(
        &'a self,
        t: usize,
        action: &'a str,
    ) -> impl DoubleEndedIterator<Item = &'a Prediction> {
        self.predictions.iter().filter(move |p| p.t == t && p.action == action)
    }

    /// What was thought in a state.
    pub fn thought(&self, t: usize) -> Option<&str> {
        self.thoughts.iter().find(|thought| thought.t == t).map(|thought| thought.text.as_str())
    }
}

impl Store {
    /// A trajectory with everything that hangs off its states.
    pub fn told(&self, id: i64) -> Result<Told> {
        Ok(Told {
            trajectory: self.trajectory(id)?,
            branches: self.branches(id)?,
            predictions: self.predictions(id)?,
            thoughts: self.thoughts(id)?,
            reflections: self.standing(id)?,
        })
    }

    /// The reflections of a trajectory as they stand, by state.
    fn standing(&self, trajectory: i64) -> Result<Vec<Standing>> {
        let mut rows = self.db.prepare_cached(
            "SELECT r.id, r.t, v.author, r.generator, v.text, v.n, (SELECT count(*) FROM versions \
             WHERE reflection = r.id), r.cites, r.verdict, d.reason, nullif((SELECT note FROM \
             decisions WHERE reflection = r.id AND undone = 0 AND note IS NOT NULL ORDER BY id \
             DESC LIMIT 1), '') \
             FROM reflections r \
             LEFT JOIN decisions d ON d.id = (SELECT max(id) FROM decisions WHERE reflection = \
             r.id AND undone = 0) \
             JOIN versions v ON v.reflection = r.id AND v.n = coalesce(d.version, 1) \
             WHERE r.trajectory = ?1 ORDER BY r.t, r.id",
        )?;
        Ok(rows.query_map([trajectory], standing)?.collect::<rusqlite::Result<_>>()?)
    }
}

fn standing(row: &Row<'_>) -> rusqlite::Result<Standing> {
    Ok(Standing {
        id: row.get(0)?,
        t: row.get::<_, i64>(1)? as usize,
        author: row.get(2)?,
        generator: row.get(3)?,
        text: row.get(4)?,
        version: row.get::<_, i64>(5)? as usize,
        versions: row.get::<_, i64>(6)? as usize,
        cites: json(row, 7)?,
        verdict: known(row, 8, Verdict::from_name)?,
        reason: row.get(9)?,
        note: row.get(10)?,
    })
}

#[cfg(test)]
#[path = "told_tests.rs"]
mod tests;
