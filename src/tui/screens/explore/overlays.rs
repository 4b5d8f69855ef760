//! Explore, what stands over it while something is typed or chosen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};
use tui_input::Input;

use super::trunk::trunk_line;
use super::view::draw_admissible;
use super::{State, Typing};
use crate::agent::alternatives::{AlternativeSampling, Proposer};
use crate::explore::View;
use crate::surprise::Surprise;
use crate::text::clean;
use crate::tui::text::typed_line;
use crate::tui::theme::{Theme, centered, fit};

/// Draws it.
pub fn draw(state: &State, view: &View, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    match &state.typing {
        Some(Typing::Action(input)) => draw_typing(state, input, theme, frame, area),
        Some(Typing::Node(at)) => draw_nodes(state, view, *at, theme, frame, area),
        Some(Typing::Name(_, input)) => draw_name(input, theme, frame, area),
        Some(Typing::Minds(input)) => draw_minds("Who answers", input, theme, frame, area),
        Some(Typing::Beside(input)) => draw_minds("Who is asked beside", input, theme, frame, area),
        Some(Typing::Sampling(at)) => draw_sampling(&state.choosing, *at, theme, frame, area),
        Some(Typing::Surprise(at)) => draw_surprises(&state.surprises, *at, theme, frame, area),
        Some(Typing::Game(chooser)) => chooser.draw(theme, frame, area),
        None => {}
    }
}

fn draw_typing(state: &State, typed: &Input, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let Some(view) = &state.view else { return };
    // Below the middle, so that the observation can be read meanwhile.
    let below = Rect {
        y: area.y + area.height * 42 / 100,
        height: area.height - area.height * 42 / 100,
        ..area
    };
    let area = if below.height >= 8 { centered(below, 70, 14) } else { centered(area, 70, 14) };
    frame.render_widget(Clear, area);
    let block = theme.panel("Action · ⏎ send · Tab complete · Esc leave");
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let [input, list] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(inner);
    frame.render_widget(typed_line(typed, input.width as usize, theme), input);
    let text = typed.value();
    draw_admissible(state, view, theme, frame, list, text);
    if !text.is_empty() && state.shown_actions(text).is_empty() && list.height > 1 {
        let hint =
            Line::styled("nothing admissible fits; it would be sent as it stands", theme.warn());
        frame.render_widget(hint, Rect { y: list.y + 1, height: 1, ..list });
    }
}

fn draw_sampling(
    choosing: &AlternativeSampling,
    at: usize,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let area = centered(area, 64, AlternativeSampling::ROWS as u16 + 5);
    frame.render_widget(Clear, area);
    let AlternativeSampling { proposer, k, temperature, top_p, seed } = choosing;
    let what = match proposer {
        Proposer::Likeliest => "the policy's likeliest actions",
        Proposer::Sampled => "drawn by the policy's shares",
        Proposer::Uniform => "drawn uniformly, as the paper does",
    };
    let rows = [
        ("proposer", format!("{} - {what}", proposer.as_str())),
        ("K", k.to_string()),
        ("temperature", format!("{temperature}")),
        ("top-p", format!("{top_p}")),
        ("seed", seed.to_string()),
    ];
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (i, (name, value)) in rows.into_iter().enumerate() {
        let idle = matches!(
            (i, proposer),
            (2 | 3, Proposer::Likeliest | Proposer::Uniform) | (4, Proposer::Likeliest)
        );
        let style = if i == at { theme.selected() } else { Style::new() };
        let value = Span::styled(value, if idle { theme.dim() } else { Style::new() });
        lines.push(Line::from(vec![
            Span::styled(format!(" {name:<12} "), style),
            Span::raw(" "),
            value,
        ]));
    }
    lines.extend([
        Line::default(),
        Line::styled(" Alternatives of this and of later states; kept for next time.", theme.dim()),
    ]);
    let block = theme.panel("Alternatives · j k choose · h l change · Enter done");
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn draw_name(input: &Input, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let area = centered(area, 56, 3);
    frame.render_widget(Clear, area);
    let block = theme.panel("Name of this node · ⏎ done · Esc leave");
    let line = typed_line(input, area.width.saturating_sub(2) as usize, theme);
    frame.render_widget(Paragraph::new(line).block(block), area);
}

/// The box in which a person says who answers, or who is asked beside.
fn draw_minds(what: &str, input: &Input, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let area = centered(area, 76, 7);
    frame.render_widget(Clear, area);
    let title = format!("{what} · ⏎ load · Esc leave");
    let block = theme.panel(&title);
    let lines = vec![
        typed_line(input, area.width.saturating_sub(2) as usize, theme),
        Line::default(),
        Line::styled("one: embedded, 12, a folder, http://127.0.0.1:8080/v1", theme.dim()),
        Line::styled("by role: policy=embedded, world=12, reflector=writer", theme.dim()),
        Line::styled("nothing: the newest checkpoint", theme.dim()),
    ];
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn draw_nodes(
    state: &State,
    view: &View,
    at: usize,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let area = centered(area, 76, view.trunk.len() as u16 + 4);
    frame.render_widget(Clear, area);
    let block = theme.panel("Nodes · j k choose · ⏎ go · Esc leave");
    let inner = block.inner(area);
    let at = at.min(view.trunk.len().saturating_sub(1));
    let rows = inner.height.saturating_sub(2) as usize;
    let from = (at + 1).saturating_sub(rows);
    let line = |i: usize| {
        let line = trunk_line(view, i, theme, inner.width as usize);
        if i == at { line.style(theme.selected()) } else { line }
    };
    let mut lines: Vec<Line<'_>> = (from..view.trunk.len()).take(rows).map(line).collect();
    let marked = state.marked.and_then(|node| view.trunk.iter().find(|line| line.node == node));
    let with = marked.map_or("where you stand".into(), |line| {
        format!("step {} {}", line.depth, clean(&line.action))
    });
    lines.extend([
        Line::styled(fit(&format!(" c compares with {with}"), inner.width as usize), theme.dim()),
        Line::styled(" space mark · n name · d delete (with all below) · u undo", theme.dim()),
    ]);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn draw_surprises(found: &[Surprise], at: usize, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let area = centered(area, 104, found.len().min(30) as u16 + 3);
    frame.render_widget(Clear, area);
    let title = format!(
        "Most surprising · {} of {} · j k choose · ⏎ go there · Esc leave",
        at + 1,
        found.len()
    );
    let block = theme.panel(&title);
    let inner = block.inner(area);
    let rows = inner.height.saturating_sub(1) as usize;
    let from = (at + 1).saturating_sub(rows);
    let mut lines = vec![Line::styled(
        " traj. step  prediction  expert's action, and what the policy is sure of instead",
        theme.dim(),
    )];
    for (i, s) in found.iter().enumerate().skip(from).take(rows) {
        let instead = s
            .instead
            .as_ref()
            .map_or("agrees".to_string(), |a| format!("{:.0} % {a}", 100.0 * s.sure));
        let right = 100.0 * s.right;
        let text =
            format!("{:>6} {:>4} {right:>7.0} %    {}  |  {instead}", s.trajectory, s.t, s.expert);
        let line = Line::from(fit(&clean(&text), inner.width as usize));
        lines.push(if i == at { line.style(theme.selected()) } else { line });
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
