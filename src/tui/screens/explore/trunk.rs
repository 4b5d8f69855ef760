//! Explore, the tree walked so far: its panel, and the cursor that looks at nodes.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

use super::State;
use super::panels::Panel;
use crate::experience::{EXPERTS, HUMAN, PERTURBED, POLICY, UNIFORM};
use crate::explore::{TrunkLine, View};
use crate::text::clean;
use crate::tui::page;
use crate::tui::text::wrapped;
use crate::tui::theme::{Theme, fit};

/// A letter for who chose a step: it shows without colour.
fn letter(source: &str) -> &'static str {
    match source {
        "" => " ",
        HUMAN => "h",
        POLICY => "p",
        UNIFORM | PERTURBED => "u",
        expert if EXPERTS.contains(&expert) => "E",
        // A model by its name: the episode was its own before.
        _ => "p",
    }
}

impl State {
    /// The line of the tree that the cursor looks at: where one stands until it is moved.
    pub(super) fn looked_at<'a>(&self, view: &'a View) -> Option<(usize, &'a TrunkLine)> {
        let of = |node: usize| view.trunk.iter().enumerate().find(|(_, line)| line.node == node);
        self.looking.and_then(of).or_else(|| of(view.node))
    }

    /// The node that the cursor looks at, where it is another than the one that one stands in.
    pub(super) fn elsewhere(&self) -> Option<usize> {
        let view = self.view.as_ref().filter(|_| self.panel == Panel::Trunk)?;
        self.looked_at(view).map(|(_, line)| line.node).filter(|node| *node != view.node)
    }
}

/// A node in one line; its name stands behind its action.
pub(super) fn trunk_line<'a>(view: &View, at: usize, theme: Theme, width: usize) -> Line<'a> {
    let line = &view.trunk[at];
    let name = if line.name.is_empty() { String::new() } else { format!("  {}", quoted(line)) };
    // Where there is no room for both, both are cut.
    let name = fit(&name, (width / 2).max(width.saturating_sub(head(view, line, theme).width())));
    let head = fit(&head(view, line, theme), width.saturating_sub(name.width()));
    Line::styled(format!("{head}{name}"), style(view, line, theme))
}

fn quoted(line: &TrunkLine) -> String {
    format!("\"{}\"", clean(&line.name))
}

fn head(view: &View, line: &TrunkLine, theme: Theme) -> String {
    let mark = if line.node == view.node { theme.glyph("▶", ">") } else { " " };
    let action = if line.action.is_empty() { "start".to_string() } else { clean(&line.action) };
    let branch = if line.on_path { "" } else { theme.glyph("└ ", "` ") };
    format!("{mark}{:>2} {} {branch}{action}", line.depth, letter(&line.source))
}

fn style(view: &View, line: &TrunkLine, theme: Theme) -> Style {
    if line.node == view.node {
        theme.strong()
    } else if line.on_path {
        Style::new()
    } else {
        theme.dim()
    }
}

/// A node in the panel: where action and name do not fit beside each other, the name stands below.
fn rows(view: &View, line: &TrunkLine, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let style = style(view, line, theme);
    let head = head(view, line, theme);
    let name = if line.name.is_empty() { String::new() } else { quoted(line) };
    if name.is_empty() || head.width() + 2 + name.width() <= width {
        let gap = if name.is_empty() { "" } else { "  " };
        return vec![Line::styled(fit(&format!("{head}{gap}{name}"), width), style)];
    }
    vec![
        Line::styled(fit(&head, width), style),
        Line::styled(fit(&format!("      {name}"), width), style),
    ]
}

/// Draws the panel.
pub(super) fn draw(state: &State, view: &View, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let block = theme.panel_of("Trunk", state.panel == Panel::Trunk);
    let mut inner = block.inner(area);
    frame.render_widget(block, area);
    let looked = state.looked_at(view);
    if let Some((_, line)) = looked.filter(|_| state.elsewhere().is_some()) {
        inner.height -= preview(line, theme, frame, inner);
    }
    let width = inner.width as usize;
    let cursor = looked.map_or(0, |(at, _)| at);
    let mut lines = Vec::new();
    let mut end = 0;
    for (at, line) in view.trunk.iter().enumerate() {
        let mut of = rows(view, line, theme, width);
        if at == cursor && state.panel == Panel::Trunk {
            for row in &mut of {
                row.style = row.style.patch(theme.selected());
            }
        }
        lines.extend(of);
        if at == cursor {
            end = lines.len();
        }
    }
    // A line below the cursor stays in view: there is more.
    let below = usize::from(end < lines.len());
    let from = (end + below).saturating_sub(inner.height as usize);
    let shown: Vec<Line<'_>> = lines.into_iter().skip(from).collect();
    frame.render_widget(Paragraph::new(shown), inner);
    if view.trunk.len() == 1 && inner.height > 6 {
        hints(theme, frame, inner);
    }
}

/// What was seen at the node under the cursor, at the foot of the panel; returns its rows.
fn preview(line: &TrunkLine, theme: Theme, frame: &mut Frame<'_>, area: Rect) -> u16 {
    let most = area.height / 2;
    let rule =
        format!("{0} seen at step {1} · Enter goes there {0}", theme.glyph("─", "-"), line.depth);
    let mut text = vec![Line::styled(fit(&rule, area.width as usize), theme.dim())];
    let seen = wrapped(&clean(&page::brief(&line.observation)), area.width as usize);
    text.extend(seen.into_iter().map(Line::from));
    let height = (text.len() as u16).min(most);
    let at = Rect { y: area.bottom() - height, height, ..area };
    frame.render_widget(Paragraph::new(text), at);
    height
}

/// What to press first, at the foot of a tree that is not begun.
fn hints(theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let hints = [
        (theme.glyph("⏎", "Enter"), "take the expert's step"),
        ("1-4", "try an alternative instead"),
        ("?", "all keys, and what the words mean"),
    ];
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (key, what) in hints {
        for (row, text) in
            wrapped(what, (area.width as usize).saturating_sub(7)).into_iter().enumerate()
        {
            let key = if row == 0 { key } else { "" };
            lines.push(Line::from(vec![
                Span::styled(format!(" {key:<6}"), theme.key()),
                Span::styled(text, theme.dim()),
            ]));
        }
    }
    let height = (lines.len() as u16).min(area.height);
    let bottom = Rect { y: area.bottom() - height, height, ..area };
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), bottom);
}
