//! Agents, the drawing: who calls and who answers on top, sessions left, their calls right.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{Listed, Panel, Seen, State, Typing};
use crate::store::{AgentRow, SessionRow};
use crate::text::{clean, counted};
use crate::tui::text::{grouped, wrapped};
use crate::tui::theme::{Theme, fit};

/// Agents that are listed by name.
const AGENTS: usize = 4;

pub fn draw(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let width = area.width.saturating_sub(2) as usize;
    let Some(seen) = state.seen.as_ref().filter(|seen| !seen.sessions.is_empty()) else {
        let lines = match &state.seen {
            None => vec![Line::styled("…", theme.dim())],
            Some(seen) => nobody_yet(seen, theme, width),
        };
        let lines = typed(state, theme, lines, area.height.saturating_sub(2) as usize);
        frame.render_widget(Paragraph::new(lines).block(theme.panel("Agents")), area);
        return;
    };
    let head = head(seen, theme, width);
    let typing = u16::from(state.typed.is_some());
    let [top, lists, bottom] = Layout::vertical([
        Constraint::Length(head.len() as u16 + 2),
        Constraint::Min(3),
        Constraint::Length(typing),
    ])
    .areas(area);
    let title = counted(seen.agents.len() as u64, "agent");
    frame.render_widget(Paragraph::new(head).block(theme.panel(&title)), top);
    let [left, right] =
        Layout::horizontal([Constraint::Percentage(38), Constraint::Fill(1)]).areas(lists);
    sessions(state, seen, theme, frame, left);
    calls(state, theme, frame, right);
    if let Some((answers, at)) = &state.judged {
        super::judge::draw((answers, *at), theme, frame, area);
    }
    if typing > 0 {
        let lines = typed(state, theme, Vec::new(), 1);
        frame.render_widget(Paragraph::new(lines), bottom);
    }
}

/// The line that is typed, below all others.
fn typed(
    state: &State,
    theme: Theme,
    mut lines: Vec<Line<'static>>,
    height: usize,
) -> Vec<Line<'static>> {
    let Some((what, input)) = &state.typed else { return lines };
    let asked = match what {
        Typing::Name(_) => "the agent's name: ",
        Typing::Route => "AGENT=MIND, or AGENT=OLD,NEW: ",
        Typing::Search => "calls with: ",
    };
    lines.truncate(height.saturating_sub(1));
    lines.push(Line::from(vec![
        Span::styled(asked, theme.key()),
        Span::raw(clean(input.value())),
        Span::styled(" ", theme.selected()),
    ]));
    lines
}

fn nobody_yet(seen: &Seen, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let text = "no agent has called yet. s listens (outside: foretaste gateway): change your agent's base_url and \
                key to what is said then, run it as ever, and its calls arrive here, each a state to look at, to \
                reward and to learn from. m says who answers; the embedded model does unless you name another.";
    let routes = seen.routes.iter().map(|route| format!("answers {route}"));
    let lines = wrapped(text, width).into_iter().chain(routes);
    lines.map(|line| Line::styled(line, theme.dim())).collect()
}

fn head(seen: &Seen, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let one = |agent: &AgentRow| {
        let cost = agent.cost.map(|cost| format!(", cost {cost:.4}")).unwrap_or_default();
        let tools = if agent.tools.is_empty() { "no tools" } else { agent.tools.as_str() };
        let text = format!(
            "{:<14} {} in {}, {} tokens{cost} · {}",
            clean(&agent.name),
            counted(agent.calls, "call"),
            counted(agent.sessions, "session"),
            grouped(agent.prompt_tokens + agent.answer_tokens),
            clean(tools)
        );
        Line::raw(fit(&text, width))
    };
    let mut lines: Vec<Line<'static>> = seen.agents.iter().take(AGENTS).map(one).collect();
    if seen.agents.len() > AGENTS {
        let more = format!("and {} more: foretaste gateway agents", seen.agents.len() - AGENTS);
        lines.push(Line::styled(fit(&more, width), theme.dim()));
    }
    let answers = format!("answers  {}", clean(&seen.routes.join(" · ")));
    lines.push(Line::styled(fit(&answers, width), theme.dim()));
    lines
}

/// The first row that is shown so that the cursor is in sight.
fn first(at: usize, height: usize) -> usize {
    (at + 1).saturating_sub(height.max(1))
}

fn sessions(state: &State, seen: &Seen, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let (width, height) =
        (area.width.saturating_sub(2) as usize, area.height.saturating_sub(2) as usize);
    let row = |(i, session): (usize, &SessionRow)| {
        let cursor = i == state.session;
        let mark = if cursor { theme.glyph("▸", ">") } else { " " };
        let (worth, style) = match session.reward {
            None => ("   ".to_string(), theme.dim()),
            Some(reward) if reward >= 1.0 => (format!("{reward:>3}"), theme.good()),
            Some(reward) => (format!("{reward:>3}"), theme.bad()),
        };
        let failed =
            if session.failed > 0 { format!(" {}!", session.failed) } else { String::new() };
        let tail = format!(" {:>4}{failed} ", session.calls);
        let room = width.saturating_sub(tail.chars().count() + worth.chars().count() + 1);
        let name = clean(&session.name);
        let skipped = name.chars().count().saturating_sub(room);
        let name: String = if skipped == 0 {
            format!("{name:room$}")
        } else {
            std::iter::once('…').chain(name.chars().skip(skipped + 1)).collect()
        };
        let front = cursor && state.panel == Panel::Sessions;
        Line::from(vec![
            Span::raw(mark.to_string()),
            Span::styled(name, if front { theme.selected() } else { theme.frame() }),
            Span::styled(tail, if session.failed > 0 { theme.bad() } else { theme.dim() }),
            Span::styled(worth, style),
        ])
    };
    let from = first(state.session, height);
    let lines: Vec<Line<'static>> =
        seen.sessions.iter().enumerate().skip(from).take(height).map(row).collect();
    let of = if seen.total > seen.sessions.len() {
        format!("{} newest of {} sessions", seen.sessions.len(), grouped(seen.total as u64))
    } else {
        counted(seen.total as u64, "session")
    };
    let title = format!("{of} · calls, reward");
    frame.render_widget(Paragraph::new(lines).block(theme.panel(&title)), area);
}

fn calls(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let (width, height) =
        (area.width.saturating_sub(2) as usize, area.height.saturating_sub(2) as usize);
    let all = state.listed();
    let searched = state.search.as_ref().map(|text| format!(" with “{}”", clean(text)));
    let searched = searched.unwrap_or_default();
    let title = match state.current() {
        Some(call) => format!(
            "call {} of {}{searched} · {}",
            state.call + 1,
            all.len(),
            clean(&call.row.agent)
        ),
        None => format!("no calls{searched}"),
    };
    // Two lines a call, one for what the model was told and one for what it said.
    let from = first(state.call, height / 2);
    let shown = all.iter().enumerate().skip(from).take(height.div_ceil(2));
    let lines: Vec<Line<'static>> =
        shown.flat_map(|(i, call)| of_call(state, i, call, theme, width)).take(height).collect();
    frame.render_widget(Paragraph::new(lines).block(theme.panel(&title)), area);
}

fn of_call(
    state: &State,
    i: usize,
    call: &Listed,
    theme: Theme,
    width: usize,
) -> [Line<'static>; 2] {
    let cursor = i == state.call && state.panel == Panel::Calls;
    let mark = if i == state.call { theme.glyph("▸", ">") } else { " " };
    let row = &call.row;
    let relation = match row.relation.as_str() {
        "continued" => String::new(),
        other => format!("{other} · "),
    };
    let asked = format!("  {relation}{}", clean(&call.asked));
    let others = match call.others {
        0 => String::new(),
        n => format!(" (+{n} not executed)"),
    };
    let exact = if row.exact { "" } else { theme.glyph("≈", "~") };
    let tail = format!(" {} {exact}{}+{}", clean(&row.mind), row.prompt_tokens, row.answer_tokens);
    let room = width.saturating_sub(2);
    let tail = if tail.chars().count() * 2 > room { String::new() } else { tail };
    let said = format!("{} {}{others}", theme.glyph("→", ">"), clean(&call.said));
    let said = fit(&said, room.saturating_sub(tail.chars().count()));
    let gap = room.saturating_sub(said.chars().count() + tail.chars().count());
    let style = match (cursor, row.answered) {
        (true, _) => theme.selected(),
        (false, Some(_)) => theme.frame(),
        (false, None) => theme.bad(),
    };
    [
        Line::styled(fit(&asked, width), theme.dim()),
        Line::from(vec![
            Span::raw(format!("{mark} ")),
            Span::styled(said, style),
            Span::raw(" ".repeat(gap)),
            Span::styled(tail, theme.dim()),
        ]),
    ]
}
