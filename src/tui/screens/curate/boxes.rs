//! Curate, the boxes over the screen: what is chosen, asked about or typed.

use std::collections::HashSet;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::choices_view::{draw_attempts, draw_filters};
use super::filter::filter_word;
use super::reflection_view::finding_line;
use super::{Mode, State};
use crate::agent::Writer;
use crate::experience::REASONS;
use crate::store::{Decision, Seen};
use crate::text::clean;
use crate::tui::text::typed_line;
use crate::tui::theme::{Theme, centered};

/// A box: its title, its lines, its width, and the cells it is scrolled by to the right.
type Choice<'a> = (String, Vec<Line<'a>>, u16, u16);

/// Draws what is chosen or typed over the screen.
pub(super) fn draw_mode(state: &State, theme: Theme, frame: &mut Frame<'_>, body: Rect) {
    let (title, lines, width, scroll) = match &state.mode {
        None | Some(Mode::Edit(_)) => return,
        Some(Mode::Filters(at)) => return draw_filters(state, *at, theme, frame, body),
        Some(Mode::Attempts(attempts, at)) => {
            return draw_attempts(state, attempts, *at, theme, frame, body);
        }
        Some(Mode::Reject) => reject(state, theme),
        Some(Mode::Bulk) => bulk(state, theme),
        Some(Mode::Sure(decision, subject)) => sure(state, decision, subject, theme),
        Some(Mode::Note(input, _)) => {
            let title = format!("A note beside {} · ⏎ keeps it · Esc", about(&state.subject()));
            typed(title, input, 86.min(body.width), theme)
        }
        Some(Mode::Search(input)) => {
            let title = "Note, text, task or kind contains · ⏎ · ^u clears · Esc".to_string();
            typed(title, input, 60.min(body.width), theme)
        }
        Some(Mode::Writer) => writer(state, theme),
        Some(Mode::Moved) => {
            let what = [
                " What this was about is not in front any more.",
                " Nothing was done; a text is kept as its draft.",
            ];
            let title = "The list has changed meanwhile · Esc goes on".to_string();
            (title, what.map(Line::raw).to_vec(), 52, 0)
        }
    };
    let area = centered(body, width, lines.len() as u16 + 2);
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).scroll((0, scroll)).block(theme.panel(&title)), area);
}

/// What a decision is about, in words.
fn about(subject: &[(i64, Seen)]) -> String {
    match subject {
        [] => "nothing".into(),
        [(id, _)] => format!("reflection {id}"),
        all => format!("{} selected", all.len()),
    }
}

/// A line being typed, its caret in sight.
fn typed<'a>(title: String, input: &tui_input::Input, width: u16, theme: Theme) -> Choice<'a> {
    let line = typed_line(input, usize::from(width.saturating_sub(2)), theme);
    (title, vec![line], width, 0)
}

fn reasons<'a>(theme: Theme) -> impl Iterator<Item = Line<'a>> {
    REASONS.iter().enumerate().map(move |(i, (code, what))| {
        Line::from(vec![
            Span::styled(format!(" {} ", i + 1), theme.key()),
            Span::styled(format!("{code:<18}"), theme.strong()),
            Span::raw(*what),
        ])
    })
}

/// What was said beside the decision, or how to say something.
fn said<'a>(state: &State, theme: Theme) -> Line<'a> {
    let text = match &state.note {
        Some(words) => format!(" beside it: “{}”", clean(words)),
        None => " say something beside it".into(),
    };
    Line::from(vec![Span::styled(" N", theme.key()), Span::styled(text, theme.dim())])
}

fn reject<'a>(state: &State, theme: Theme) -> Choice<'a> {
    let title = match state.subject().len() {
        0 | 1 => "Reject because · 1-9 · Esc leave".to_string(),
        n => format!("Reject {n} because · 1-9 · one undo · Esc leave"),
    };
    (title, reasons(theme).chain([said(state, theme)]).collect(), 86, 0)
}

fn bulk<'a>(state: &State, theme: Theme) -> Choice<'a> {
    let about = state.many();
    let count = about.len();
    let word = clean(&filter_word(&state.filter));
    let head = if state.selects() {
        format!(" {count} selected")
    } else if state.queue.back.or(state.queue.on).is_some() {
        format!(" {count} listed here, not those on other pages: {word}")
    } else {
        format!(" {count} listed: {word}")
    };
    let keys = Line::from(vec![
        Span::styled(" a", theme.key()),
        Span::raw(" approve  "),
        Span::styled("o", theme.key()),
        Span::raw(" back to pending  "),
        Span::styled("m", theme.key()),
        Span::raw(" flag  or reject all because:"),
    ]);
    let head = [Some(Line::styled(head, theme.strong())), warned(state, &about, theme), Some(keys)];
    let lines = head.into_iter().flatten().chain(reasons(theme));
    let title = "Decide on all of them · one undo · Esc leave".to_string();
    (title, lines.chain([said(state, theme)]).collect(), 86, 0)
}

/// What is asked once more, and why.
fn sure<'a>(
    state: &State,
    decision: &Decision,
    subject: &[(i64, Seen)],
    theme: Theme,
) -> Choice<'a> {
    let word = match decision {
        Decision::Approve => "Approve",
        Decision::Edit(_) => "Approve the edit of",
        Decision::Requeue => "Back to pending:",
        Decision::Flag(true) => "Flag",
        Decision::Flag(false) => "Take the flag off",
        _ => "Decide on",
    };
    let text = matches!(decision, Decision::Edit(_));
    let front = state.current().map(|item| item.id);
    let chosen = subject.len() > 1 || subject.first().map(|(id, _)| *id) != front;
    let title = format!("{word} {} · ⏎ yes · Esc no", about(subject));
    if chosen {
        return (title, many_lines(state, decision, subject, theme), 70, 0);
    }
    let mut lines = match state.findings_at_stake(decision) {
        Some(found) => {
            let head = " A rule says that it would teach something wrong:";
            let found = found.iter().filter(|finding| finding.is_grave());
            let found = found.map(|finding| finding_line(finding, "", theme));
            [Line::raw(head)].into_iter().chain(found).collect()
        }
        None => vec![Line::raw(" The rules were not held against your text yet.")],
    };
    let kept = " Esc keeps it as a draft; e goes on with it.";
    lines.extend(text.then(|| Line::styled(kept, theme.dim())));
    (title, lines, 86, 0)
}

fn one(state: &State) -> String {
    state.current().map_or(String::new(), |item| format!("reflection {}", item.id))
}

/// What a person should know of a decision about many.
fn many_lines<'a>(
    state: &State,
    decision: &Decision,
    subject: &[(i64, Seen)],
    theme: Theme,
) -> Vec<Line<'a>> {
    let here: HashSet<i64> = state.queue.items.iter().map(|item| item.id).collect();
    let hidden = subject.iter().filter(|(id, _)| !here.contains(id)).count();
    let mut lines = vec![Line::raw(" One act: u takes all of it back.")];
    lines.extend((hidden > 0).then(|| {
        Line::styled(format!(" {hidden} of them are not on this page of the list."), theme.warn())
    }));
    if *decision == Decision::Approve {
        lines.extend(warned(state, subject, theme));
    }
    lines
}

/// What rules say of many that may be approved.
fn warned<'a>(state: &State, about: &[(i64, Seen)], theme: Theme) -> Option<Line<'a>> {
    let (grave, unknown) = state.grave_among(about);
    let mut said = Vec::new();
    if grave > 0 {
        said.push(format!(" {grave} would teach wrong, a rule says."));
    }
    if unknown > 0 {
        said.push(format!(" {unknown} were not checked by rules yet."));
    }
    (!said.is_empty()).then(|| Line::styled(said.concat(), theme.warn()))
}

fn writer<'a>(state: &State, theme: Theme) -> Choice<'a> {
    let row = |(i, (_, what)): (usize, &(_, &'static str))| {
        Line::from(vec![Span::styled(format!(" {} ", i + 1), theme.key()), Span::raw(*what)])
    };
    let lines = Writer::ALL.iter().enumerate().map(row).collect();
    (format!("Another attempt at {} · 1-4 · Esc leave", one(state)), lines, 78, 0)
}
