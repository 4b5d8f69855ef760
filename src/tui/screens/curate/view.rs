//! Curate, the drawing.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Wrap};

use super::filter::filter_word;
use super::{Mode, State};
use crate::agent::prompt::first_observation;
use crate::agent::{Case, Writer};
use crate::curation::Finding;
use crate::experience::{REASONS, Reflection, Verdict};
use crate::store::Filter;
use crate::text::clean;
use crate::tui::text::{difference, one_line, remark, typed_line};
use crate::tui::theme::{Theme, centered, fit};

/// Draws the screen.
pub fn draw(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    heading(state, theme, frame, head);
    let Some(item) = state.current() else {
        let [pending, approved, _] = state.queue.verdict_counts;
        let elsewhere = state.filter != Filter::verdict(Some(Verdict::Pending));
        let mut empty = vec![
            Line::default(),
            Line::from(format!("  No reflections: {}.", filter_word(&state.filter))),
        ];
        empty.push(match pending {
            0 => "  In Explore, c collects demonstrations, alternatives and reflections to review \
                  here."
                .into(),
            _ if elsewhere => format!("  {pending} are pending: F, then Enter, lists them.").into(),
            _ => "  reading…".into(),
        });
        if approved > 0 {
            empty.push("  What is approved is trained on: F3, t, reflection.".into());
        }
        empty.push(
            "  f changes the filter, / the words searched for, u takes back the latest act.".into(),
        );
        frame.render_widget(Paragraph::new(empty).wrap(Wrap { trim: false }), body);
        draw_mode(state, theme, frame, body);
        return;
    };
    let editing = matches!(state.mode, Some(Mode::Edit(_)));
    if area.width >= 100 {
        let [left, right] =
            Layout::horizontal([Constraint::Percentage(45), Constraint::Percentage(55)])
                .areas(body);
        draw_state(state, item, theme, frame, left);
        draw_reflection(state, item, theme, frame, right);
    } else if state.evidence && !editing {
        draw_state(state, item, theme, frame, body);
    } else {
        // The text and what rules say of it get the lines they need, the evidence the rest; Tab
        // shows that alone.
        let text = Paragraph::new(reflection_lines(state, item, theme)).wrap(Wrap { trim: false });
        let text = text.line_count(body.width.saturating_sub(2)) as u16;
        let wanted = if editing { body.height / 2 } else { text + 2 };
        let lower = wanted.clamp(5, (body.height * 2 / 3).max(5));
        let [top, bottom] =
            Layout::vertical([Constraint::Min(0), Constraint::Length(lower)]).areas(body);
        draw_state(state, item, theme, frame, top);
        draw_reflection(state, item, theme, frame, bottom);
    }
    draw_mode(state, theme, frame, body);
}

fn heading(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let [pending, approved, rejected] = state.queue.verdict_counts;
    let place = if state.queue.items.is_empty() { 0 } else { state.at + 1 };
    let pace = state.pace().map_or(String::new(), |pace| {
        let left = if pace > 0.1 && pending > 0 {
            format!(" · ~{:.0} min left", pending as f64 / pace)
        } else {
            String::new()
        };
        format!(" · {pace:.1}/min{left}")
    });
    let more = match (state.queue.back, state.queue.on) {
        (None, None) => "",
        (None, Some(_)) => " (more after)",
        (Some(_), None) => " (more before)",
        (Some(_), Some(_)) => " (more before and after)",
    };
    let of = state.queue.items.len();
    let word = filter_word(&state.filter);
    let text = format!(
        " QUEUE {pending} pending · {approved} approved · {rejected} rejected · {place} of \
         {of}{more} {word}{pace}"
    );
    frame.render_widget(
        Paragraph::new(fit(&clean(&text), area.width as usize)).style(theme.strong()),
        area,
    );
}

/// What is chosen or typed over the screen.
fn draw_mode(state: &State, theme: Theme, frame: &mut Frame<'_>, body: Rect) {
    let reasons = || {
        REASONS.iter().enumerate().map(|(i, (code, what))| {
            Line::from(vec![
                Span::styled(format!(" {} ", i + 1), theme.key()),
                Span::styled(format!("{code:<18}"), theme.strong()),
                Span::raw(*what),
            ])
        })
    };
    let (title, lines, width) = match &state.mode {
        Some(Mode::Reject) => {
            ("Reject because · 1-9 · Esc leave", reasons().collect::<Vec<_>>(), 86)
        }
        Some(Mode::Bulk) => {
            let count = state.queue.items.len();
            let only = if state.queue.back.or(state.queue.on).is_some() {
                " here, not those on other pages"
            } else {
                ""
            };
            let word = clean(&filter_word(&state.filter));
            let head = Line::styled(format!(" {count} listed{only}: {word}"), theme.strong());
            let keys = Line::from(vec![
                Span::styled(" a", theme.key()),
                Span::raw(" approve  "),
                Span::styled("o", theme.key()),
                Span::raw(" back to pending  "),
                Span::styled("m", theme.key()),
                Span::raw(" flag  or reject all because:"),
            ]);
            (
                "Decide on all of them · one undo · Esc leave",
                [head, keys].into_iter().chain(reasons()).collect(),
                86,
            )
        }
        Some(Mode::Search(input)) => (
            "Text, task or kind contains · ⏎ · ^u clears · Esc leave",
            vec![typed_line(input, body.width.min(60).saturating_sub(2) as usize, theme)],
            60,
        ),
        Some(Mode::Filters(at)) => return draw_filters(state, *at, theme, frame, body),
        Some(Mode::Attempts(attempts, at)) => {
            return draw_attempts(state, attempts, *at, theme, frame, body);
        }
        Some(Mode::Writer) => {
            let row = |(i, (_, what)): (usize, &(_, &'static str))| {
                Line::from(vec![
                    Span::styled(format!(" {} ", i + 1), theme.key()),
                    Span::raw(*what),
                ])
            };
            (
                "Another attempt · 1-4 · Esc leave",
                Writer::ALL.iter().enumerate().map(row).collect(),
                62,
            )
        }
        Some(Mode::Moved) => {
            let what = [
                " What this was about is not in front any more.",
                " Nothing was done; a text is kept as its draft.",
            ];
            ("The list has changed meanwhile · Esc goes on", what.map(Line::raw).to_vec(), 52)
        }
        Some(Mode::Edit(_)) | None => return,
    };
    let area = centered(body, width, lines.len() as u16 + 2);
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(theme.panel(title)), area);
}

fn draw_attempts(
    state: &State,
    attempts: &[(String, String)],
    at: usize,
    theme: Theme,
    frame: &mut Frame<'_>,
    body: Rect,
) {
    let (Some(item), Some((author, text))) = (state.current(), attempts.get(at)) else { return };
    let area = centered(body, body.width.saturating_sub(4), body.height.saturating_sub(2));
    frame.render_widget(Clear, area);
    let title =
        format!("Version {} of {} · j k · ⏎ let it stand · Esc leave", at + 1, attempts.len());
    let block = theme.panel(&title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let (old, new) = difference(&clean(text), &clean(item.text()), theme);
    let sides = [(format!("by {}", clean(author)), old), ("what stands".to_string(), new)];
    let half = [Constraint::Percentage(50), Constraint::Percentage(50)];
    let split = if inner.width >= 80 { Layout::horizontal(half) } else { Layout::vertical(half) };
    let areas: [Rect; 2] = split.areas(inner);
    for ((head, spans), area) in sides.into_iter().zip(areas) {
        let lines = vec![Line::styled(head, theme.strong()), Line::from(spans)];
        frame.render_widget(
            Paragraph::new(lines).wrap(Wrap { trim: false }),
            Rect { width: area.width.saturating_sub(1), ..area },
        );
    }
}

fn draw_filters(state: &State, at: usize, theme: Theme, frame: &mut Frame<'_>, body: Rect) {
    let filters = state.filters();
    let area = centered(body, 76, filters.len() as u16 + 4);
    frame.render_widget(Clear, area);
    let block = theme.panel("Show only · j k · ⏎ show · s keep the present · d forget · Esc");
    let inner = block.inner(area);
    let rows = inner.height.saturating_sub(2) as usize;
    let from = (at + 1).saturating_sub(rows);
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (i, filter) in filters.iter().enumerate().skip(from).take(rows) {
        let kept = if i < state.saved.len() { theme.glyph("⚑", "!") } else { " " };
        let counted = filter.rule.as_ref().filter(|_| i >= state.saved.len());
        let counted = counted
            .map(|code| state.points_at(code).map_or("…".into(), |count| count.to_string()));
        let style = if i == at { theme.selected() } else { Style::new() };
        let name = fit(&clean(&filter_word(filter)), 58);
        lines.push(Line::from(vec![
            Span::raw(format!(" {kept} ")),
            Span::styled(format!("{name:<58}"), style),
            Span::styled(format!("{:>6}", counted.unwrap_or_default()), theme.key()),
        ]));
    }
    lines.extend([
        Line::default(),
        Line::styled(
            " Beside a rule: how many pending it points at. Nothing is dropped.",
            theme.dim(),
        ),
    ]);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn draw_state(state: &State, item: &Reflection, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let block = theme.panel("State");
    let inner = block.inner(area);
    let case = match state.evidence_of(item) {
        None => Err(Line::styled("…", theme.dim())),
        Some(evidence) => evidence.case.as_ref().map(|case| (evidence, case)).ok_or_else(|| {
            Line::styled("its executed alternatives are no longer in the store", theme.bad())
        }),
    };
    let (evidence, case) = match case {
        Ok(found) => found,
        Err(line) => return frame.render_widget(Paragraph::new(line).block(block), area),
    };
    let mut lines = vec![Line::styled(clean(&case.state.task), theme.strong())];
    let about =
        format!("{} · step {} · {} steps before", evidence.kind, item.t, case.state.history.len());
    lines.push(Line::styled(clean(&about), theme.dim()));
    if let Some((action, _)) = case.state.history.last() {
        lines.push(Line::styled(format!("> {}", clean(action)), theme.dim()));
    }
    let now =
        case.state.history.last().map_or(&case.state.observation, |(_, observation)| observation);
    // As the model reads it: without the engine's banner and the line that repeats the task.
    let now = first_observation(now, &case.state.task);
    lines.extend(clean(&now).lines().map(|line| Line::from(line.to_string())));
    let told = lines.len();
    lines.push(Line::default());
    let mut jump = None;
    for (i, tried) in tried(case, state.outcome, theme).into_iter().enumerate() {
        lines.extend(tried);
        jump = if i > 0 && state.outcome == Some(i) { Some(lines.len()) } else { jump };
    }
    let rows = |lines: &[Line<'_>]| {
        Paragraph::new(lines.to_vec())
            .wrap(Wrap { trim: false })
            .line_count(inner.width)
            .min(usize::from(u16::MAX)) as u16
    };
    let all = rows(&lines);
    if all > inner.height && jump.is_none() && state.scroll == 0 && !state.evidence {
        frame.render_widget(block, area);
        return draw_abridged(&lines[..told], tried(case, None, theme), theme, frame, inner);
    }
    // A jump brings the outcome's last line into view.
    let wanted = jump.map_or(state.scroll, |end| rows(&lines[..end]).saturating_sub(inner.height));
    let scroll = wanted.min(all.saturating_sub(inner.height));
    frame.render_widget(
        Paragraph::new(lines).wrap(Wrap { trim: false }).block(block).scroll((scroll, 0)),
        area,
    );
}

/// What was executed, the expert's action first: two lines each.
fn tried<'a>(case: &Case, outcome: Option<usize>, theme: Theme) -> Vec<[Line<'a>; 2]> {
    let two = |mark: String, action: &str, observation: &str, tag: &str, style: Style| {
        let head = vec![
            Span::styled(format!("{mark} "), theme.key()),
            Span::styled(clean(action), style.add_modifier(Modifier::BOLD)),
            Span::styled(
                if tag.is_empty() { String::new() } else { format!("  {tag}") },
                theme.dim(),
            ),
        ];
        [Line::from(head), Line::from(format!("  → {}", one_line(observation)))]
    };
    let expert = two("E".into(), &case.action, &case.outcome, "", theme.good());
    let others = case.alternatives.iter().enumerate().map(|(i, branch)| {
        let style = if outcome == Some(i + 1) { theme.selected() } else { Style::new() };
        two((i + 1).to_string(), &branch.action, &branch.observation, branch.effect.as_str(), style)
    });
    std::iter::once(expert).chain(others).collect()
}

/// Where not everything fits, every outcome stays in view on a line of its own (the expert's whole,
/// if it can be), and the text before them gives way.
fn draw_abridged<'a>(
    told: &[Line<'a>],
    tried: Vec<[Line<'a>; 2]>,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let one = |[head, outcome]: [Line<'a>; 2]| Line::from([head.spans, outcome.spans].concat());
    let text = Paragraph::new(told.to_vec()).wrap(Wrap { trim: false });
    let told = text.line_count(area.width) as u16;
    let below = tried.len() as u16;
    let mut tried = tried.into_iter().map(one);
    let expert = Paragraph::new(tried.next().unwrap_or_default()).wrap(Wrap { trim: false });
    let room = area.height.saturating_sub(told + below);
    let first = (expert.line_count(area.width) as u16).min(1 + room);
    let rows = [
        Constraint::Min(0),
        Constraint::Length(first),
        Constraint::Length(below.saturating_sub(1)),
    ];
    let [top, middle, bottom] = Layout::vertical(rows).areas(area);
    frame.render_widget(text, top);
    frame.render_widget(expert, middle);
    frame.render_widget(Paragraph::new(tried.collect::<Vec<_>>()), bottom);
    if told > top.height && top.height > 0 {
        remark(" … Tab ", top.bottom() - 1, top, theme, frame);
    }
}

fn draw_reflection(
    state: &State,
    item: &Reflection,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    if let Some(Mode::Edit(editor)) = &state.mode {
        let block = theme.panel("Editing · ^s save and approve · Esc leave, keeping a draft");
        let inner = block.inner(area);
        frame.render_widget(block, area);
        frame.render_widget(editor.as_ref(), inner);
        return;
    }
    let flag = if item.flagged { format!("{} ", theme.glyph("⚑", "!")) } else { String::new() };
    let words = item.text().split_whitespace().count();
    let draft = if item.draft.is_some() { " · draft on e" } else { "" };
    let versions =
        if item.written > 1 { format!(" · {} versions", item.written) } else { String::new() };
    let held_up = if state.is_held_up() { " · waiting for the store" } else { "" };
    let generator = clean(&item.generator);
    let title = format!(
        "{flag}Reflection {} · {generator}{versions}{draft}{held_up} · {words} words",
        item.id
    );
    let text = Paragraph::new(reflection_lines(state, item, theme)).wrap(Wrap { trim: false });
    frame.render_widget(text.block(theme.panel(&title)), area);
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
    lines.push(match item.verdict {
        Verdict::Pending => Line::styled("pending", theme.dim()),
        Verdict::Approved => Line::styled("approved", theme.good()),
        Verdict::Rejected => {
            Line::styled(format!("rejected: {}", item.reason.as_deref().unwrap_or("")), theme.bad())
        }
    });
    if state.writing.is_some() {
        lines.push(Line::styled("another attempt is being written…", theme.dim()));
    }
    for s in findings {
        let about = item.text().get(s.span.0..s.span.1).map(clean).unwrap_or_default();
        let about = if about.is_empty() {
            String::new()
        } else {
            format!(" “{}”", fit(&about.replace('\n', " "), 40))
        };
        lines.push(Line::from(vec![
            Span::styled(format!("{} {}{about}", theme.glyph("⚑", "!"), s.code), theme.warn()),
            Span::styled(format!("  {}", s.why), theme.dim()),
        ]));
    }
    if item.versions.len() > 1 && !state.difference {
        lines.push(Line::styled("d shows what changed since it was generated", theme.dim()));
    }
    lines
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
