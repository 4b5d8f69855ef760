//! Curate, the drawing.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

use super::boxes::draw_mode;
use super::filter::filter_word;
use super::list_view::draw_list;
use super::reflection_view::{draw_folded, draw_reflection, wanted_lines};
use super::state_view::draw_state;
use super::{Mode, Order, State};
use crate::experience::{Reflection, Verdict};
use crate::store::Filter;
use crate::text::clean;
use crate::tui::text::remark;
use crate::tui::theme::{Theme, fit};

/// From this width on, state and reflection stand side by side.
const WIDE: u16 = 100;

/// What they take of it.
const HALVES: [Constraint; 2] = [Constraint::Percentage(45), Constraint::Percentage(55)];

/// From this height on, the text under the cursor stands below the list.
const HIGH: u16 = 18;

/// Draws the screen.
pub fn draw(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    heading(state, theme, frame, head);
    let editing = matches!(state.mode, Some(Mode::Edit(_)));
    match state.current() {
        None => draw_empty(state, frame, body),
        Some(item) if state.lists() && !editing => draw_rows(state, item, theme, frame, body),
        Some(item) => draw_item(state, item, theme, frame, body),
    }
    draw_mode(state, theme, frame, body);
}

fn draw_empty(state: &State, frame: &mut Frame<'_>, body: Rect) {
    let [pending, approved, _] = state.queue.verdict_counts;
    let elsewhere = state.filter != Filter::verdict(Some(Verdict::Pending));
    let mut empty = vec![
        Line::default(),
        Line::from(format!("  No reflections: {}.", clean(&filter_word(&state.filter)))),
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
}

/// The list, and below it where there is room what stands under its cursor: what it is judged by
/// and the text, side by side or, where that is too narrow, the one of them that Tab chose.
fn draw_rows(state: &State, item: &Reflection, theme: Theme, frame: &mut Frame<'_>, body: Rect) {
    if body.height < HIGH {
        return draw_list(state, theme, frame, body);
    }
    let is_wide = body.width >= WIDE;
    let lower = if is_wide { body.height / 2 } else { body.height / 3 };
    let rows = [Constraint::Min(0), Constraint::Length(lower.max(7))];
    let [top, bottom] = Layout::vertical(rows).areas(body);
    draw_list(state, theme, frame, top);
    if is_wide {
        let [left, right] = Layout::horizontal(HALVES).areas(bottom);
        draw_state(state, item, theme, frame, left);
        draw_reflection(state, item, theme, frame, right);
    } else if state.evidence {
        draw_state(state, item, theme, frame, bottom);
        hint(" Tab: the text ", bottom, theme, frame);
    } else {
        draw_reflection(state, item, theme, frame, bottom);
        hint(" Tab: what it is judged by ", bottom, theme, frame);
    }
}

/// What a key shows, on the frame below.
fn hint(text: &str, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
    let inner = Rect { width: area.width.saturating_sub(1), ..area };
    remark(text, area.bottom() - 1, inner, theme, frame);
}

/// One item: what it is judged by, and the text.
fn draw_item(state: &State, item: &Reflection, theme: Theme, frame: &mut Frame<'_>, body: Rect) {
    let editing = matches!(state.mode, Some(Mode::Edit(_)));
    if body.width >= WIDE {
        let [left, right] = Layout::horizontal(HALVES).areas(body);
        draw_state(state, item, theme, frame, left);
        return draw_reflection(state, item, theme, frame, right);
    }
    // The text and what rules say of it get the lines they need, the evidence the rest; Tab gives
    // that all but the text's beginning, which says how to come back.
    let lower = if state.evidence && !editing {
        3.min(body.height / 3)
    } else {
        let wanted =
            if editing { body.height / 2 } else { wanted_lines(state, item, theme, body.width) };
        wanted.clamp(5, (body.height * 2 / 3).max(5))
    };
    let [top, bottom] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(lower)]).areas(body);
    draw_state(state, item, theme, frame, top);
    if state.evidence && !editing {
        draw_folded(item, theme, frame, bottom);
    } else {
        draw_reflection(state, item, theme, frame, bottom);
    }
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
    let chosen = chosen(state);
    let text = format!(
        " QUEUE {pending} pending · {approved} approved · {rejected} rejected · {place} of \
         {of}{more} {word}{chosen}{pace}"
    );
    // Where not all of it fits, what is selected comes first: keys are about that.
    let width = area.width as usize;
    let text = if text.chars().count() > width && !chosen.is_empty() {
        format!(" {place} of {of}{more}{chosen} · {word}")
    } else {
        text
    };
    frame.render_widget(Paragraph::new(fit(&clean(&text), width)).style(theme.strong()), area);
}

/// What is selected, and how the list is sorted.
fn chosen(state: &State) -> String {
    let mut text = match state.list.selected.len() {
        0 => String::new(),
        n if state.lists() => format!(" · {n} selected"),
        n => format!(" · {n} selected in the list"),
    };
    if state.lists() && state.list.order != Order::Number {
        let word = state.list.order.word();
        let unheld = if state.list.order == Order::Rules { state.unheld() } else { 0 };
        let here =
            if state.queue.back.or(state.queue.on).is_some() { ", of this page" } else { "" };
        text += &format!(" · by {word}{here}");
        if unheld > 0 {
            text += &format!(" (once {unheld} more are looked at)");
        }
    }
    text
}
