//! Curate, the drawing of what a reflection is judged by.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::{Evidence, State};
use crate::agent::Case;
use crate::agent::prompt::first_observation;
use crate::experience::Reflection;
use crate::text::clean;
use crate::tui::page;
use crate::tui::text::{one_line, remark};
use crate::tui::theme::Theme;

/// Draws the state, the expert's action and what was executed beside it.
pub(super) fn draw_state(
    state: &State,
    item: &Reflection,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
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
    let about = format!("{} · step {} · played by {}", evidence.kind, item.t, evidence.by);
    lines.push(Line::styled(clean(&about), theme.dim()));
    if let Some((action, _)) = case.state.history.last() {
        let by = evidence.sources.1.as_deref().map(|by| format!("  by {by}")).unwrap_or_default();
        lines.push(Line::styled(clean(&format!("> {action}{by}")), theme.dim()));
    }
    let now =
        case.state.history.last().map_or(&case.state.observation, |(_, observation)| observation);
    // As the model reads it: without the engine's banner and the line that repeats the task.
    let now = first_observation(now, &case.state.task);
    let now = page::whole(&now);
    lines.extend(clean(&now).lines().map(|line| Line::from(line.to_string())));
    let told = lines.len();
    lines.push(Line::default());
    let mut jump = None;
    for (i, tried) in tried(evidence, case, state.outcome, theme).into_iter().enumerate() {
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
        return draw_abridged(
            &lines[..told],
            tried(evidence, case, None, theme),
            theme,
            frame,
            inner,
        );
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
fn tried<'a>(
    evidence: &Evidence,
    case: &Case,
    outcome: Option<usize>,
    theme: Theme,
) -> Vec<[Line<'a>; 2]> {
    let two = |mark: String, tried: [&str; 4], style: Style| {
        let [action, observation, effect, source] = tried;
        let tag = |text: String| Span::styled(text, theme.dim());
        let head = vec![
            Span::styled(format!("{mark} "), theme.key()),
            Span::styled(clean(action), style.add_modifier(Modifier::BOLD)),
            tag(if effect.is_empty() { String::new() } else { format!("  {effect}") }),
            tag(if source.is_empty() { String::new() } else { format!("  by {}", clean(source)) }),
        ];
        [Line::from(head), Line::from(format!("  → {}", one_line(&page::brief(observation))))]
    };
    let expert = [case.action.as_str(), &case.outcome, "", &evidence.sources.0];
    let expert = two("E".into(), expert, theme.good());
    let others = case.alternatives.iter().enumerate().map(|(i, branch)| {
        let style = if outcome == Some(i + 1) { theme.selected() } else { Style::new() };
        let tried = [&branch.action, &branch.observation, branch.effect.as_str(), &branch.source];
        two((i + 1).to_string(), tried, style)
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
    // Who proposed an action gives way to what it led to.
    let one = |[head, outcome]: [Line<'a>; 2]| {
        Line::from(head.spans.into_iter().take(3).chain(outcome.spans).collect::<Vec<_>>())
    };
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
