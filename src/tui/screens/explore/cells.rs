//! Explore, one what-if: who would do what, how likely that is, what was predicted, and what really
//! happens.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::room::Form;
use crate::env::NoAdvice;
use crate::experience::{ActionEffect, word_f1};
use crate::explore::{Outcome, View};
use crate::text::clean;
use crate::text::percent;
use crate::tui::aligned::aligned;
use crate::tui::text::wrapped;
use crate::tui::theme::{Theme, fit};

/// A what-if.
pub(super) struct Cell<'a> {
    /// The key that takes it, or `E`.
    pub mark: String,
    /// The action.
    pub action: &'a str,
    /// Who proposed it.
    pub source: &'a str,
    /// What it led to, once it was executed.
    pub outcome: Option<&'a Outcome>,
    /// What it was expected to lead to, as far as that is known, in a line.
    pub predicted: String,
    /// What it really led to, in a line.
    pub actual: String,
    /// The share of words that the prediction got right, once both are known to their end.
    pub right: Option<f64>,
    /// How likely the policy finds it, once that is known.
    pub share: Option<f64>,
    /// How somebody's play went on from it.
    pub went_on: Option<&'a str>,
    /// What another mind makes of it, where one is asked.
    pub beside: Option<Other>,
    /// What stands where the policy's answer is not there: that it comes, or that it does not.
    pub waits: &'static str,
}

/// What another mind makes of an action.
pub(super) struct Other {
    /// What it goes by.
    pub name: String,
    /// How likely it finds the action, as it is shown.
    pub share: String,
    /// What it expects, as far as that is known, in a line.
    pub predicted: Option<String>,
    /// Whether it came to its end.
    pub complete: bool,
}

/// Where the texts of a what-if begin: behind its mark, and behind their labels.
const INDENT: usize = 3;
const LABEL: usize = 13;

/// Below so many columns words are short: an action needs its room.
const NARROW: usize = 56;

/// Below this share of words right a prediction is no version of what came.
const STRANGE: f64 = 0.25;

/// The first rows; that there are more is said at the end of the last.
fn shortened(mut rows: Vec<String>, most: usize) -> Vec<String> {
    if rows.len() > most {
        rows.truncate(most);
        rows.iter_mut().skip(most - 1).for_each(|row| row.push_str(" …"));
    }
    rows
}

/// How far the goal is after an action.
fn from_there(view: &View, outcome: &Outcome) -> String {
    match outcome.steps_left {
        Some(left) => {
            format!("{left} step{} to the goal from there", if left == 1 { "" } else { "s" })
        }
        None if view.distance == Err(NoAdvice::NoPlanner) => "another state".into(),
        None => "no way to the goal known from there".into(),
    }
}

/// What came of an action, in a few words.
fn tag(view: &View, outcome: &Outcome) -> String {
    match (outcome.effect, outcome.success) {
        (_, true) => "solves the task".to_string(),
        (ActionEffect::NoOp, _) => "no-op: the state did not change".into(),
        (ActionEffect::Error, _) => "refused by the environment".into(),
        (ActionEffect::SameAsExpert, _) => "same state as the expert's".into(),
        (ActionEffect::Ends, _) if outcome.reward != 0.0 => {
            format!("ends the episode, worth {:.2}", outcome.reward)
        }
        (ActionEffect::Ends, _) => "ends the episode".into(),
        (ActionEffect::EquallyGood, _) => {
            let how =
                if better(view, outcome) { "better than the expert's" } else { "equally good" };
            format!("{how}: {}", from_there(view, outcome))
        }
        (ActionEffect::NoWorse, _) => format!("no worse: {}", from_there(view, outcome)),
        (ActionEffect::Changed, _) => from_there(view, outcome),
    }
}

/// The same in a word, where it is something that stands out.
fn word(view: &View, outcome: &Outcome) -> &'static str {
    match (outcome.effect, outcome.success) {
        (_, true) => "solves",
        (ActionEffect::NoOp, _) => "no-op",
        (ActionEffect::Error, _) => "refused",
        (ActionEffect::SameAsExpert, _) => "same",
        (ActionEffect::Ends, _) => "ends",
        (ActionEffect::EquallyGood, _) if better(view, outcome) => "better",
        (ActionEffect::EquallyGood, _) => "as good",
        (ActionEffect::NoWorse, _) => "no worse",
        (ActionEffect::Changed, _) => "",
    }
}

/// Whether the goal is nearer from there than from where the expert's action leads.
fn better(view: &View, outcome: &Outcome) -> bool {
    let expert = view.expert_outcome.as_ref().and_then(|expert| expert.steps_left);
    expert.is_some_and(|expert| outcome.steps_left.is_some_and(|left| left < expert))
}

impl Cell<'_> {
    /// The first line: the mark, the action, and what there is to say at its end.
    pub(super) fn head(
        &self,
        view: &View,
        form: Form,
        theme: Theme,
        width: usize,
    ) -> Line<'static> {
        let share = self.share.map_or("p    …  ".into(), |share| format!("p {}", percent(share)));
        let other = self.beside.as_ref().filter(|other| !other.share.is_empty());
        let share = other.map_or_else(|| share.clone(), |o| format!("{share} | {}", o.share));
        let right = self
            .right
            .filter(|_| form != Form::Whole && width >= NARROW)
            .map_or_else(String::new, |right| format!("{:>3.0} % right  ", 100.0 * right));
        let word = self.outcome.map_or("", |outcome| word(view, outcome));
        let word = match form {
            Form::Brief(0) if width >= NARROW => format!("{word:<8} "),
            _ => String::new(),
        };
        // What is done is read whole before anything is said about it: two actions may differ in
        // their last letter.
        let action = clean(self.action);
        let source = clean(self.source);
        let ends = [
            format!("{word}{right}{share}  {source}"),
            format!("{word}{share}  {source}"),
            format!("{share}  {source}"),
            share.clone(),
        ];
        let room = |end: &String| width.saturating_sub(end.chars().count() + INDENT + 1);
        let fits = |end: &&String| room(end) >= action.chars().count();
        let end = ends.iter().find(fits).unwrap_or(&ends[3]);
        let room = room(end);
        let style = if self.mark == "E" { theme.good() } else { Style::new() };
        Line::from(vec![
            Span::styled(format!("{:<INDENT$}", self.mark), theme.key()),
            Span::styled(
                format!("{:room$} ", fit(&action, room)),
                style.add_modifier(Modifier::BOLD),
            ),
            Span::styled(end.clone(), theme.dim()),
        ])
    }

    /// What came of it in brief, in rows: how play went on first, which was asked for.
    pub(super) fn brief(&self, view: &View, width: usize) -> Vec<String> {
        let mut said: Vec<String> = self.went_on.map(clean).into_iter().collect();
        match self.outcome {
            Some(outcome) => {
                said.push(tag(view, outcome));
                let right = self.right.filter(|_| width < NARROW);
                said.extend(right.map(|right| format!("{:.0} % right", 100.0 * right)));
                said.push(beginning(&self.actual));
            }
            None => said.push("…".into()),
        }
        wrapped(&said.join(" · "), width.saturating_sub(INDENT))
    }

    /// Everything below the first line. Until the prediction is complete there are as many lines as
    /// it will take, as a rule: what stands below does not move when it comes.
    pub(super) fn body(&self, view: &View, theme: Theme, width: usize) -> Vec<Line<'static>> {
        let mut lines = self.texts(theme, width.saturating_sub(LABEL));
        lines.extend(self.other(theme, width.saturating_sub(LABEL)));
        if let Some(how) = self.went_on {
            lines.extend(indented(&clean(how), width, theme.key()));
        }
        let Some(outcome) = self.outcome else {
            lines.push(Line::default());
            return lines;
        };
        let of = if width < NARROW { "right" } else { "of words right" };
        let right = self.right.filter(|_| self.predicted != self.actual);
        let right =
            right.map_or_else(String::new, |right| format!(" · {:.0} % {of}", 100.0 * right));
        let style = if outcome.success { theme.good() } else { theme.dim() };
        lines.extend(indented(&format!("{}{right}", tag(view, outcome)), width, style));
        lines
    }

    /// What another mind expects, and how much of it is right, below what really happened.
    fn other(&self, theme: Theme, width: usize) -> Vec<Line<'static>> {
        let Some(other) = &self.beside else { return Vec::new() };
        let text = other.predicted.as_deref().unwrap_or_default();
        let known = other.complete && self.outcome.is_some();
        let said = match text {
            _ if known && text == self.actual => "= identical".to_string(),
            "" if other.complete => "(nothing)".to_string(),
            "" => "…".to_string(),
            _ if known => {
                let right = 100.0 * word_f1(text, &self.actual);
                format!("{} · {right:.0} % right", beginning(text))
            }
            _ => beginning(text),
        };
        labelled(&fit(&other.name, LABEL - 4), wrapped(&said, width), theme)
    }

    /// What was predicted over what really happened.
    fn texts(&self, theme: Theme, width: usize) -> Vec<Line<'static>> {
        let identical = self.predicted == self.actual;
        let predicted = beginning(&self.predicted);
        let actual = beginning(&self.actual);
        if self.right.is_none() {
            let or =
                |text: String, none: &str| if text.is_empty() { none.to_string() } else { text };
            let below = wrapped(&or(actual, "…"), width);
            let above = wrapped(&or(predicted, self.waits), width);
            let unknown = if self.outcome.is_none() && width < NARROW { 4 } else { 2 };
            let reserved = (2 * below.len()).max(unknown);
            let mut lines = labelled("predicted", above, theme);
            lines.extend(labelled("actual", below, theme));
            lines.resize_with(lines.len().max(reserved), Line::default);
            return lines;
        }
        if identical {
            let mut lines = labelled("predicted", wrapped(&predicted, width), theme);
            lines.push(Line::from(vec![
                label("actual", theme),
                Span::styled("= identical", theme.good()),
            ]));
            return lines;
        }
        // Word under word two texts that have next to nothing in common can be read neither way.
        let above = wrapped(&predicted, width);
        if self.right.is_some_and(|right| right < STRANGE) && above.len() > 1 {
            let mut lines = labelled("predicted", shortened(above, 2), theme);
            lines.extend(labelled("actual", wrapped(&actual, width), theme));
            return lines;
        }
        // A row that says nothing is left out, but for the first: it says that there is none.
        let line = |row: usize, name, text: &str, words: Vec<Span<'static>>| {
            let words = match (row, words.is_empty()) {
                (0, true) if text.is_empty() => vec![Span::styled("(nothing)", theme.dim())],
                (1.., true) => return None,
                _ => words,
            };
            Some(Line::from([vec![label(name, theme)], words].concat()))
        };
        let rows = aligned(&predicted, &actual, width, theme).into_iter().enumerate();
        rows.flat_map(|(row, [above, below])| {
            [line(row, "predicted", &predicted, above), line(row, "actual", &actual, below)]
        })
        .flatten()
        .collect()
    }
}

fn label(name: &str, theme: Theme) -> Span<'static> {
    Span::styled(format!("   {name:<9} "), theme.dim())
}

/// Rows behind a label, all of them as far to the right.
fn labelled(name: &str, rows: Vec<String>, theme: Theme) -> Vec<Line<'static>> {
    let line = |(row, text): (usize, String)| {
        Line::from(vec![label(if row == 0 { name } else { "" }, theme), Span::raw(text)])
    };
    rows.into_iter().enumerate().map(line).collect()
}

/// A text below the mark, in rows.
pub(super) fn indented(text: &str, width: usize, style: Style) -> Vec<Line<'static>> {
    let rows = wrapped(text, width.saturating_sub(INDENT));
    rows.into_iter().map(|row| Line::styled(format!("{:INDENT$}{row}", ""), style)).collect()
}

/// Longer texts are shown up to this many words; taking the step shows them whole.
const SHOWN_WORDS: usize = 48;

/// The first words of a long text.
fn beginning(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.len() > SHOWN_WORDS {
        format!("{} …", words[..SHOWN_WORDS].join(" "))
    } else {
        text.to_string()
    }
}
