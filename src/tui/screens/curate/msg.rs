//! What Curate is told, and what keys mean for a moment.

use ratatui_textarea::TextArea;
use tui_input::Input;

use crate::agent::Case;
use crate::curation::{Finding, Judged};
use crate::experience::Reflection;
use crate::store::{Decision, Filter, Place, Queue, Seen, Undone};

/// What Curate is told.
#[derive(Debug)]
pub enum Msg {
    /// A page of the queue under a filter.
    Queue(Filter, Place, Queue),
    /// What a reflection is about.
    Case(i64, Box<Evidence>),
    /// A decision is in the store.
    Decided(Vec<i64>, Decision),
    /// How many are pending, approved, rejected.
    VerdictCounts([u64; 3]),
    /// An act was taken back, or done again.
    Turned(Undone),
    /// The model has written another attempt: by whom, and what.
    Written(i64, String, String),
    /// What was asked failed; the person may ask again.
    Failed,
    /// A text comes back from the person's own editor.
    Edited(i64, String),
    /// A text for a reflection that is not decided on: it is kept for the next e.
    Drafted(i64, String),
    /// A reflection was just written; it goes in front.
    Show(i64),
    /// How many of the pending each rule points at, by code.
    Pointed(Vec<(String, usize)>),
    /// All versions of a reflection: who wrote each, and the text.
    Attempts(i64, Vec<(String, String)>),
    /// What rules point at in listed reflections.
    Held(Vec<Held>),
    /// All that a filter lists, as it is seen.
    Everything(Filter, Vec<(i64, Seen)>),
}

/// What rules point at in a version of a reflection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The reflection.
    pub id: i64,
    /// The version.
    pub version: usize,
    /// The codes of what they found.
    pub codes: Vec<&'static str>,
    /// Whether one says that it would teach something wrong.
    pub grave: bool,
}

impl Held {
    /// Of the version that stands.
    pub fn of(id: i64, version: usize, found: &[Finding]) -> Self {
        let codes = found.iter().map(|finding| finding.code).collect();
        Self { id, version, codes, grave: found.iter().any(Finding::is_grave) }
    }
}

/// What a reflection is judged by.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The kind of task.
    pub kind: String,
    /// Who acted in the trajectory, in words.
    pub by: String,
    /// Who chose the expert's action, and the latest step before it, by name.
    pub sources: (String, Option<String>),
    /// State, expert's action and executed alternatives; none if they are no longer in the store.
    pub case: Option<Case>,
    /// The text that the rules were held against.
    pub text: String,
    /// What they point at.
    pub findings: Vec<Finding>,
}

impl Evidence {
    /// From what the store has of a reflection.
    pub fn of(item: &Reflection, judged: Judged) -> Self {
        let Judged { trajectory, case, findings } = judged;
        let source = |t: usize| trajectory.steps.get(t).map(|step| step.source.clone());
        Self {
            sources: (source(item.t).unwrap_or_default(), item.t.checked_sub(1).and_then(source)),
            by: trajectory.by(),
            kind: trajectory.kind,
            case,
            text: item.text().to_string(),
            findings,
        }
    }
}

/// What keys mean for a moment.
#[derive(Debug)]
pub enum Mode {
    /// A reason is chosen.
    Reject,
    /// A decision about everything listed is chosen.
    Bulk,
    /// A decision is asked about once more, and what it is about, as it was seen.
    Sure(Decision, Vec<(i64, Seen)>),
    /// Words beside a decision are typed, and what is chosen after them.
    Note(Input, Beside),
    /// A text is edited.
    Edit(Box<TextArea<'static>>),
    /// Words to search for are typed.
    Search(Input),
    /// A filter is chosen; its row.
    Filters(usize),
    /// Who writes another attempt is chosen.
    Writer,
    /// Versions are held against the one that stands: who wrote each and the text, and the one in
    /// front.
    Attempts(Vec<(String, String)>, usize),
    /// The list has changed under a choice, which is over: nothing until that was read.
    Moved,
}

/// What words are said beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// How it stands, which does not change.
    Nothing,
    /// A rejection.
    Rejection,
    /// A decision about everything listed.
    Bulk,
}
