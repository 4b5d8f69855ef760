//! Train, its sides: curves, runs as a table, checkpoints, evaluations; and what is typed about a
//! run or a checkpoint.

use std::collections::{BTreeSet, HashMap};

use crossterm::event::{Event, KeyCode, KeyEvent};
use serde_json::Value;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use super::State;
use crate::place::model_alone;
use crate::store::{Checkpoint, EvalRow, RunRow};
use crate::train::{CheckpointFigures, RunFigures};
use crate::tui::effect::{Effect, Notice, RunCmd, StoreCmd};

/// What of Train is in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Side {
    /// Curves of the run in front.
    #[default]
    Curves,
    /// All runs, a line each.
    Runs,
    /// All checkpoints, a line each.
    Checkpoints,
    /// All evaluations, a line each.
    Evaluations,
}

impl Side {
    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Curves => Self::Runs,
            Self::Runs => Self::Checkpoints,
            Self::Checkpoints => Self::Evaluations,
            Self::Evaluations => Self::Curves,
        }
    }
}

/// What lists show beside rows, and what is chosen in them.
#[derive(Debug, Default)]
pub struct Lists {
    /// Runs in figures.
    pub runs: HashMap<i64, RunFigures>,
    /// Checkpoints in figures.
    pub checkpoints: HashMap<i64, CheckpointFigures>,
    /// Checkpoints that were deleted and can be brought back.
    pub deleted: Vec<Checkpoint>,
    /// Checkpoints: the one in front, and those that are marked.
    pub saved: Chosen,
    /// Evaluations, likewise.
    pub played: Chosen,
}

/// Where the cursor of a list is, and what is marked in it.
#[derive(Debug, Default)]
pub struct Chosen {
    /// The row in front.
    pub at: usize,
    /// Rows that are marked, by number.
    pub marked: BTreeSet<i64>,
}

impl Chosen {
    /// Marks a row, or no longer.
    pub fn toggle(&mut self, id: i64) {
        if !self.marked.remove(&id) {
            self.marked.insert(id);
        }
    }

    /// Forgets rows that are gone.
    pub fn stay_among(&mut self, ids: impl Iterator<Item = i64>) {
        let there: BTreeSet<i64> = ids.collect();
        self.marked.retain(|id| there.contains(id));
        self.at = self.at.min(there.len().saturating_sub(1));
    }
}

/// What a line is typed about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The name of a run.
    RunName(i64),
    /// Words to find a run by.
    RunTags(i64),
    /// A note on a run.
    RunNote(i64),
    /// The name of a checkpoint.
    Label(i64),
    /// A note on a checkpoint.
    Note(i64),
}

impl About {
    /// What stands over the line.
    pub fn title(self) -> String {
        match self {
            Self::RunName(id) => format!("Name of run {id}"),
            Self::RunTags(id) => format!("Tags of run {id}, words with spaces between"),
            Self::RunNote(id) => format!("Note on run {id}"),
            Self::Label(id) => format!("Name of checkpoint {id}: commands find it by that, too"),
            Self::Note(id) => format!("Note on checkpoint {id}"),
        }
    }
}

/// A line that is being typed.
#[derive(Debug)]
pub struct Line {
    /// What about.
    pub about: About,
    /// What stands there.
    pub input: Input,
}

impl State {
    /// The checkpoint in front.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoints.get(self.lists.saved.at)
    }

    /// The evaluation in front.
    pub fn evaluation(&self) -> Option<&EvalRow> {
        self.evaluations.get(self.lists.played.at)
    }

    /// Those that are marked, else the one in front: on the side of checkpoints; the one that
    /// played the evaluation in front, on theirs; elsewhere the newest of the run in front.
    pub fn chosen(&self) -> Vec<&Checkpoint> {
        match self.side {
            Side::Checkpoints => {}
            Side::Evaluations => {
                let played = self.evaluation().map(|eval| model_alone(&eval.checkpoint));
                let is_it = |saved: &&Checkpoint| Some(saved.name().as_str()) == played;
                return self.checkpoints.iter().filter(is_it).collect();
            }
            Side::Curves | Side::Runs => return self.newest_checkpoint().into_iter().collect(),
        }
        let is_marked = |saved: &&Checkpoint| self.lists.saved.marked.contains(&saved.id);
        let marked: Vec<&Checkpoint> = self.checkpoints.iter().filter(is_marked).collect();
        if marked.is_empty() { self.checkpoint().into_iter().collect() } else { marked }
    }

    /// The evaluation of most games of a model of that name, of equals the newest: the one that says
    /// most.
    pub fn evaluated(&self, name: &str) -> Option<&EvalRow> {
        let own = self.evaluations.iter().filter(|eval| model_alone(&eval.checkpoint) == name);
        own.max_by_key(|eval| (eval.n, eval.id))
    }

    /// A line to be typed about what is in front, with what stands there now.
    pub(super) fn write_about(&mut self, what: fn(&Self) -> Option<(About, String)>) {
        self.line = what(self).map(|(about, text)| Line { about, input: Input::new(text) });
    }

    /// The name of what is in front.
    pub(super) fn named(&self) -> Option<(About, String)> {
        if self.side == Side::Checkpoints {
            let saved = self.checkpoint()?;
            return Some((About::Label(saved.id), saved.label.clone().unwrap_or_default()));
        }
        let run = self.run().filter(|_| self.side != Side::Evaluations)?;
        Some((About::RunName(run.id), run.name.clone().unwrap_or_default()))
    }

    /// The note on what is in front.
    pub(super) fn noted(&self) -> Option<(About, String)> {
        if self.side == Side::Checkpoints {
            return self.checkpoint().map(|saved| (About::Note(saved.id), saved.note.clone()));
        }
        let run = self.run().filter(|_| self.side != Side::Evaluations);
        run.map(|run| (About::RunNote(run.id), run.note.clone()))
    }

    /// The tags of the run in front.
    pub(super) fn tagged(&self) -> Option<(About, String)> {
        self.run().map(|run| (About::RunTags(run.id), run.tags.clone()))
    }

    /// Takes a key for the line that is typed.
    pub(super) fn type_line(&mut self, mut line: Line, key: KeyEvent) -> Vec<Effect> {
        match key.code {
            KeyCode::Esc => Vec::new(),
            KeyCode::Enter => {
                let text = line.input.value().trim().to_string();
                vec![Effect::Store(StoreCmd::Run(RunCmd::Write(line.about, text)))]
            }
            _ => {
                line.input.handle_event(&Event::Key(key));
                self.line = Some(line);
                Vec::new()
            }
        }
    }

    /// Deletes the chosen checkpoints; they can be brought back for a day.
    pub(super) fn delete(&mut self) -> Vec<Effect> {
        let ids: Vec<i64> = self.chosen().iter().map(|saved| saved.id).collect();
        self.lists.saved.marked.clear();
        vec![Effect::Store(StoreCmd::Run(RunCmd::DeleteCheckpoints(ids)))]
    }

    /// Brings back what was deleted last.
    pub(super) fn bring_back(&self) -> Vec<Effect> {
        let last = self.lists.deleted.first().map(|saved| saved.deleted_ms);
        let together = self.lists.deleted.iter().filter(|saved| Some(saved.deleted_ms) == last);
        let ids: Vec<i64> = together.map(|saved| saved.id).collect();
        if ids.is_empty() {
            return vec![say("no checkpoint was deleted since yesterday".into())];
        }
        vec![Effect::Store(StoreCmd::Run(RunCmd::BringBack(ids)))]
    }

    /// How the plans of two runs differ: the one in front and the one that is laid over it.
    pub(super) fn differ(&self) -> Vec<Effect> {
        let front = self.run();
        let other = self.runs.iter().find(|run| {
            self.overlaid.contains(&run.id) && front.is_some_and(|front| front.id != run.id)
        });
        let (Some(a), Some(b)) = (other, front) else {
            return vec![say(
                "space lays another run over this one; then d says how they differ".into()
            )];
        };
        let title = format!("Run {} and run {}", a.id, b.id);
        vec![Effect::Show(title, differences(a, b))]
    }
}

/// A remark for the status bar.
pub fn say(text: String) -> Effect {
    Effect::Say(Notice::info(text))
}

/// The settings in which two runs differ, a line each: the first's, then the second's.
pub fn differences(a: &RunRow, b: &RunRow) -> Vec<String> {
    let settings = |run: &RunRow| {
        let config: Value = serde_json::from_str(&run.config).unwrap_or_default();
        let mut all = Vec::new();
        flatten("", &config["plan"], &mut all);
        all.push(("start".into(), run.start.clone()));
        all
    };
    let [of_a, of_b] = [settings(a), settings(b)];
    let value = |all: &[(String, String)], name: &str| {
        all.iter().find(|(known, _)| known == name).map_or("—".to_string(), |(_, v)| v.clone())
    };
    let mut names: Vec<&String> = of_a.iter().chain(&of_b).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    let line = |name: &&String| {
        let [a, b] = [value(&of_a, name), value(&of_b, name)];
        (a != b).then(|| format!("{name:<22} {a}  →  {b}"))
    };
    let lines: Vec<String> = names.iter().filter_map(line).collect();
    if lines.is_empty() { vec!["their plans are the same".into()] } else { lines }
}

fn flatten(path: &str, value: &Value, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            let dot = if path.is_empty() { "" } else { "." };
            flatten(&format!("{path}{dot}{key}"), value, out);
        }),
        Value::Null => {}
        Value::String(text) => out.push((path.to_string(), text.clone())),
        other => out.push((path.to_string(), other.to_string())),
    }
}

#[cfg(test)]
#[path = "sides_tests.rs"]
mod tests;
