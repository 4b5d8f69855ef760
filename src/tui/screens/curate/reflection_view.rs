//! Curate, the drawing of a reflection: who wrote it, the text, how it stands, what rules point at.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use ratatui_textarea::TextArea;

use super::order::words;
use super::words::{provenance, standing};
use super::{Mode, State};
use crate::curation::Finding;
use crate::experience::{Reflection, Verdict};
use crate::text::clean;
use crate::tui::text::{difference, one_line};
use crate::tui::theme::{Theme, fit};

/// Draws it, or the editor on it.
pub(super) fn draw_reflection(
    state: &State,
    item: &Reflection,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    if let Some(Mode::Edit(editor)) = &state.mode {
        return draw_editor(state, editor, theme, frame, area);
    }
    let flag = if item.flagged { format!("{} ", theme.glyph("⚑", "!")) } else { String::new() };
    let draft = if item.draft.is_some() { " · draft on e" } else { "" };
    let held_up = if state.is_held_up() { " · waiting for the store" } else { "" };
    let title = format!(
        "{flag}Reflection {} · {}{draft}{held_up} · {} words",
        item.id,
        provenance(item),
        words(item.text())
    );
    let text = Paragraph::new(reflection_lines(state, item, theme)).wrap(Wrap { trim: false });
    frame.render_widget(text.block(theme.panel(&title)), area);
}

/// The lines that it needs at a width, its frame with them.
pub(super) fn wanted_lines(state: &State, item: &Reflection, theme: Theme, width: u16) -> u16 {
    let text = Paragraph::new(reflection_lines(state, item, theme)).wrap(Wrap { trim: false });
    text.line_count(width.saturating_sub(2)).min(1000) as u16 + 2
}

/// Its beginning, below evidence that was given the room: it is not gone.
pub(super) fn draw_folded(item: &Reflection, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let title = format!("Reflection {} · Tab unfolds it", item.id);
    let text = fit(&one_line(item.text()), usize::from(area.width).saturating_sub(2));
    frame.render_widget(Paragraph::new(text).block(theme.panel(&title)), area);
}

/// The editor, and what rules point at in what is typed.
fn draw_editor(
    state: &State,
    editor: &TextArea<'_>,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let title = if area.width >= 70 {
        "Editing · ^s keep, pending · ^o keep and approve · ^z ^y undo, redo · Esc draft"
    } else {
        "^s keep · ^o approve · ^z undo · Esc"
    };
    let block = theme.panel(title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let found = state.findings_typed(editor).unwrap_or_default();
    let lines: Vec<Line<'_>> = found.iter().map(|found| finding_line(found, "", theme)).collect();
    let lower = (lines.len() as u16).min(inner.height / 2);
    let [upper, lower] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(lower)]).areas(inner);
    frame.render_widget(editor, upper);
    frame.render_widget(Paragraph::new(lines), lower);
}

/// The text, or what changed in it, how it stands, and what rules point at.
fn reflection_lines<'a>(state: &State, item: &Reflection, theme: Theme) -> Vec<Line<'a>> {
    let findings =
        state.evidence_of(item).map(|evidence| evidence.findings.as_slice()).unwrap_or_default();
    let mut lines = if let ([first, _], true) = (item.versions.as_slice(), state.difference) {
        let (old, new) = difference(&clean(first), &clean(item.text()), theme);
        vec![
            Line::styled("generated, [taken out]:", theme.dim()),
            Line::from(old),
            Line::default(),
            Line::styled("now, {put in}:", theme.dim()),
            Line::from(new),
        ]
    } else {
        highlighted(item.text(), findings, theme)
    };
    lines.push(Line::default());
    let style = match item.verdict {
        Verdict::Pending => theme.dim(),
        Verdict::Approved => theme.good(),
        Verdict::Rejected => theme.bad(),
    };
    lines.push(Line::styled(clean(&standing(item, crate::store::now_ms())), style));
    lines.extend(item.note.as_ref().map(|note| Line::raw(format!("note: “{}”", one_line(note)))));
    if state.writing.is_some() {
        lines.push(Line::styled("another attempt is being written…", theme.dim()));
    }
    lines.extend(findings.iter().map(|found| finding_line(found, item.text(), theme)));
    if item.versions.len() > 1 && !state.difference {
        lines.push(Line::styled("d shows what changed since it was generated", theme.dim()));
    }
    lines
}

/// What a rule points at, with the words of the text that it is about.
pub(super) fn finding_line<'a>(found: &Finding, text: &str, theme: Theme) -> Line<'a> {
    let about = text.get(found.span.0..found.span.1).map(clean).unwrap_or_default();
    let about = if about.is_empty() {
        String::new()
    } else {
        format!(" “{}”", fit(&about.replace('\n', " "), 40))
    };
    Line::from(vec![
        Span::styled(format!("{} {}{about}", theme.glyph("⚑", "!"), found.code), theme.warn()),
        Span::styled(format!("  {}", found.why), theme.dim()),
    ])
}

/// The text, with what rules point at marked.
fn highlighted<'a>(text: &str, findings: &[Finding], theme: Theme) -> Vec<Line<'a>> {
    let marked = |at: usize| findings.iter().any(|s| (s.span.0..s.span.1).contains(&at));
    let mut lines = Vec::new();
    let mut at = 0;
    for line in text.split('\n') {
        let mut spans: Vec<Span<'a>> = Vec::new();
        let mut run = (String::new(), false);
        for (i, c) in line.char_indices() {
            let here = marked(at + i);
            if here != run.1 && !run.0.is_empty() {
                let style = if run.1 { theme.marked() } else { Style::new() };
                spans.push(Span::styled(clean(&std::mem::take(&mut run.0)), style));
            }
            run.0.push(c);
            run.1 = here;
        }
        spans.push(Span::styled(clean(&run.0), if run.1 { theme.marked() } else { Style::new() }));
        lines.push(Line::from(spans));
        at += line.len() + 1;
    }
    lines
}
