//! Explore, one what-if: who would do what, how likely that is, what was predicted, and what really
//! happens.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::State;
use crate::agent::prompt::told;
use crate::experience::{ActionEffect, word_f1};
use crate::explore::{Outcome, View};
use crate::text::clean;
use crate::text::percent;
use crate::tui::text::{difference, one_line};
use crate::tui::theme::{Theme, fit};

/// How much of a what-if is shown: all of the one under the cursor, of the others what there is
/// room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brevity {
    /// Everything.
    Full,
    /// Two lines: what comes of it on the second.
    Two,
    /// One line.
    One,
}

/// How the room of the panel is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// How many are shown in full besides the one under the cursor, the first ones.
    pub whole: usize,
    /// How the others are.
    pub rest: Brevity,
    /// Whether there is an empty line between them.
    pub gaps: bool,
}

impl Room {
    /// What `count` what-ifs can show in so many cells. It does not depend on their texts, so that
    /// nothing moves when these arrive.
    pub(super) fn of(count: usize, width: u16, height: u16) -> Self {
        // Lines that one takes in full, mostly.
        let full = if width < 90 { 6 } else { 5 };
        let others = count.saturating_sub(1);
        let height = usize::from(height);
        if (full + 1) * count <= height {
            return Self { whole: others, rest: Brevity::Two, gaps: true };
        }
        match height.saturating_sub(full).checked_sub(2 * others) {
            Some(spare) => {
                let whole = (spare / (full - 2)).min(others);
                Self { whole, rest: Brevity::Two, gaps: false }
            }
            None => Self { whole: 0, rest: Brevity::One, gaps: false },
        }
    }

    /// How the what-if `at` is shown, where `cursor` stands on one.
    pub(super) fn brevity(self, at: usize, cursor: usize) -> Brevity {
        // The one under the cursor is not counted among the first ones.
        let place = at - usize::from(at > cursor);
        if at == cursor || place < self.whole { Brevity::Full } else { self.rest }
    }
}

/// A what-if.
pub(super) struct Cell<'a> {
    pub(super) mark: &'a str,
    pub(super) action: &'a str,
    pub(super) source: &'a str,
    pub(super) outcome: Option<&'a Outcome>,
    pub(super) prediction: Option<&'a str>,
}

/// How far the goal is after an action.
fn from_there(outcome: &Outcome) -> String {
    match outcome.steps_left {
        Some(left) => {
            format!("{left} step{} to the goal from there", if left == 1 { "" } else { "s" })
        }
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
        (ActionEffect::Ends, _) => "ends the episode".into(),
        (ActionEffect::EquallyGood, _) => {
            let how =
                if better(view, outcome) { "better than the expert's" } else { "equally good" };
            format!("{how}: {}", from_there(outcome))
        }
        (ActionEffect::NoWorse, _) => format!("no worse: {}", from_there(outcome)),
        (ActionEffect::Changed, _) => from_there(outcome),
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
    /// Writes it.
    pub(super) fn lines(
        &self,
        (state, view): (&State, &View),
        brevity: Brevity,
        theme: Theme,
        width: usize,
        lines: &mut Vec<Line<'_>>,
    ) {
        let share = view.admissible.iter().position(|a| a == self.action);
        let share = share.and_then(|i| state.shares.as_ref()?.get(i).copied());
        let share = share.map_or("p    …  ".to_string(), |share| format!("p {}", percent(share)));
        let predicted = self.prediction.map(clean).unwrap_or_default();
        let actual = self
            .outcome
            .map(|outcome| clean(told(&outcome.observation).trim()))
            .unwrap_or_default();
        let known = state.predicted && self.prediction.is_some() && self.outcome.is_some();
        let right = known.then(|| word_f1(&predicted, &actual));
        let end = match (brevity, right) {
            // An action needs its room.
            (_, Some(_)) if width < 56 => format!("{share}  {}", self.source),
            (Brevity::Full, _) | (_, None) => format!("{share}  {}", self.source),
            (Brevity::Two, Some(right)) => {
                format!("{:>3.0} % right  {share}  {}", 100.0 * right, self.source)
            }
            (Brevity::One, Some(right)) => {
                let word = self.outcome.map_or("", |outcome| word(view, outcome));
                format!("{word:<8}{:>3.0} % right  {share}  {}", 100.0 * right, self.source)
            }
        };
        let room = width.saturating_sub(end.chars().count() + 4);
        let style = if self.mark == "E" { theme.good() } else { Style::new() };
        lines.push(Line::from(vec![
            Span::styled(format!("{}  ", self.mark), theme.key()),
            Span::styled(
                format!("{:room$} ", fit(&clean(self.action), room)),
                style.add_modifier(Modifier::BOLD),
            ),
            Span::styled(end, theme.dim()),
        ]));
        match (brevity, self.outcome) {
            (Brevity::One, _) => {}
            (Brevity::Two, outcome) => {
                let text = outcome.map_or("…".into(), |outcome| {
                    format!("{} · {}", tag(view, outcome), one_line(&actual))
                });
                lines.push(Line::styled(fit(&format!("   {text}"), width), theme.dim()));
            }
            (Brevity::Full, None) => {
                lines.push(Line::from(vec![
                    Span::styled("   predicted ", theme.dim()),
                    Span::raw(predicted),
                ]));
                lines.extend([Line::styled("   actual    …", theme.dim()), Line::default()]);
            }
            (Brevity::Full, Some(outcome)) => {
                contrast(predicted, &actual, right, theme, lines);
                if let Some(how) = state.went_on.get(self.action) {
                    lines.push(Line::styled(format!("   {}", clean(how)), theme.key()));
                }
                let style = if outcome.success { theme.good() } else { theme.dim() };
                lines.extend([
                    Line::styled(format!("   {}", tag(view, outcome)), style),
                    Line::default(),
                ]);
            }
        }
    }
}

/// What was predicted over what really happened, with what is only in one of them marked.
fn contrast(
    predicted: String,
    actual: &str,
    right: Option<f64>,
    theme: Theme,
    lines: &mut Vec<Line<'_>>,
) {
    let label = |text: &'static str| Span::styled(text, theme.dim());
    match right {
        Some(_) if predicted.trim() == actual => {
            lines.push(Line::from(vec![label("   predicted "), Span::raw(predicted)]));
            lines.push(Line::from(vec![
                label("   actual    "),
                Span::styled("= identical", theme.good()),
            ]));
        }
        Some(right) => {
            let score = format!("  {:.0} % of words right", 100.0 * right);
            let (left, right) = difference(&beginning(&predicted), &beginning(actual), theme);
            lines.push(Line::from([vec![label("   predicted ")], left].concat()));
            lines.push(Line::from(
                [vec![label("   actual    ")], right, vec![Span::styled(score, theme.warn())]]
                    .concat(),
            ));
        }
        None => {
            let waiting = if predicted.is_empty() { "…".to_string() } else { predicted };
            lines.push(Line::from(vec![label("   predicted "), Span::raw(waiting)]));
            lines.push(Line::from(vec![label("   actual    "), Span::raw(beginning(actual))]));
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_fit_are_whole_and_the_rest_shrink_before_any_goes_out_of_view() {
        for (count, width, height, whole, rest, gaps) in [
            (5, 48, 35, 4, Brevity::Two, true),
            (5, 48, 34, 4, Brevity::Two, false),
            (5, 48, 29, 3, Brevity::Two, false),
            (9, 48, 35, 3, Brevity::Two, false),
            (5, 78, 18, 1, Brevity::Two, false),
            (5, 78, 13, 0, Brevity::One, false),
            (5, 98, 13, 0, Brevity::Two, false),
            (1, 38, 4, 0, Brevity::Two, false),
        ] {
            let room = Room::of(count, width, height);
            assert_eq!(room, Room { whole, rest, gaps }, "{count} in {width}x{height}");
            let shown =
                |cursor| (0..count).filter(move |at| room.brevity(*at, cursor) == Brevity::Full);
            for cursor in 0..count {
                assert_eq!(shown(cursor).count(), whole + 1);
                assert!(shown(cursor).any(|at| at == cursor));
            }
        }
    }
}
