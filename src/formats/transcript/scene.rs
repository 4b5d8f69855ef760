//! What there is to read about one state, as rows of text.

use std::fmt;

use super::{ending, facts};
use crate::agent::prompt::{rightness, told as without_place};
use crate::experience::{Branch, worth};
use crate::store::{Standing, Told};
use crate::text::{apart, clean, signed};

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// What the environment said, and texts.
    Plain,
    /// What was done.
    Strong,
    /// About it.
    Dim,
}

/// A row: how far in it begins, and its text without an end of line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub indent: usize,
    pub tone: Tone,
    pub text: String,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indent = if self.text.is_empty() { 0 } else { self.indent };
        write!(f, "{:indent$}{}", "", self.text)
    }
}

/// Rows that are being written.
#[derive(Default)]
struct Rows(Vec<Row>);

impl Rows {
    /// A text from outside, line by line.
    fn put(&mut self, indent: usize, tone: Tone, text: &str) {
        let text = clean(text.trim_end());
        let row = |line: &str| Row { indent, tone, text: line.trim_end().to_string() };
        self.0.extend(text.split('\n').map(row));
    }

    fn gap(&mut self) {
        self.put(0, Tone::Plain, "");
    }

    /// What each model expected of an action, over what came of it.
    fn pairs(&mut self, told: &Told, (t, action): (usize, &str), indent: usize, actual: &str) {
        let actual = without_place(actual).trim();
        for expected in told.expected(t, action) {
            let right = 100.0 * rightness(&expected.text, actual);
            let [left, other] = apart(&expected.text, actual);
            let left = signed(&left, ['[', ']']);
            let label = format!("{} predicted ({right:.0} % of words right): ", expected.model);
            self.put(indent, Tone::Dim, &(label + &left));
            let came = if right < 100.0 { signed(&other, ['{', '}']) } else { "the same".into() };
            self.put(indent, Tone::Dim, &format!("actual: {came}"));
        }
    }

    fn alternative(&mut self, told: &Told, branch: &Branch) {
        let worth = worth(branch.reward, branch.success);
        let worth = worth.map(|worth| format!(", worth {worth}")).unwrap_or_default();
        let won = if branch.success { ", reaches the goal" } else { "" };
        let about = format!("[{}{worth}{won}; {}]", branch.effect.as_str(), told.by(branch));
        self.put(4, Tone::Strong, &format!("- {} {about}", branch.action));
        self.put(8, Tone::Plain, &format!("→ {}", in_line(&branch.observation)));
        self.pairs(told, (branch.t, &branch.action), 8, &branch.observation);
    }

    fn reflection(&mut self, told: &Told, reflection: &Standing) {
        let head = format!(
            "Reflection {} {} · {}",
            reflection.id,
            reflection.provenance(),
            reflection.judged()
        );
        self.gap();
        self.put(4, Tone::Strong, &head);
        self.put(8, Tone::Plain, &reflection.text);
        let cited = cited(told, reflection);
        if !cited.is_empty() {
            self.put(8, Tone::Dim, &format!("written from: {cited}"));
        }
        if let Some(note) = &reflection.note {
            self.put(8, Tone::Dim, &format!("note: {note}"));
        }
    }
}

/// The alternatives that a reflection was written from.
pub(super) fn cited(told: &Told, reflection: &Standing) -> String {
    let cited = told.branches.iter().filter(|branch| reflection.cites.contains(&branch.id));
    cited.map(|branch| branch.action.as_str()).collect::<Vec<_>>().join(" · ")
}

fn in_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What there is to read about state `t`: how one came there, what was expected and seen, what else
/// was executed there, and what was written about it.
pub(super) fn scene(told: &Told, t: usize) -> Vec<Row> {
    let trajectory = &told.trajectory;
    let mut rows = Rows::default();
    match t.checked_sub(1).and_then(|before| Some((before, trajectory.steps.get(before)?))) {
        None => {
            rows.put(0, Tone::Strong, &trajectory.task);
            let facts = facts(trajectory).map(|(name, value)| match name {
                "suite / split" | "kind" | "result" | "written by" => value,
                _ => format!("{name} {value}"),
            });
            rows.put(0, Tone::Dim, &facts.join(" · "));
        }
        Some((before, step)) => {
            rows.gap();
            if let Some(thought) = told.thought(before) {
                rows.put(4, Tone::Dim, &format!("thought: {thought}"));
            }
            let worth = worth(step.reward, step.success);
            let worth = worth.map(|worth| format!(", worth {worth}")).unwrap_or_default();
            let text = format!("{t:3} > {}  ({}{worth})", step.action, step.source);
            rows.put(0, Tone::Strong, &text);
            rows.pairs(told, (before, &step.action), 4, &step.observation);
        }
    }
    rows.gap();
    rows.put(0, Tone::Plain, trajectory.observation_at(t).trim());
    if told.branches_at(t).next().is_some() {
        rows.gap();
        rows.put(2, Tone::Dim, "Executed here besides:");
        told.branches_at(t).for_each(|branch| rows.alternative(told, branch));
    }
    told.reflections_at(t).for_each(|reflection| rows.reflection(told, reflection));
    if t > 0 && t == trajectory.steps.len() {
        rows.gap();
        rows.put(0, Tone::Strong, &ending(trajectory));
    }
    rows.0
}
