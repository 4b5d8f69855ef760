//! What every screen stands in: the tabs above, the keys that apply now and the running jobs below,
//! popups over it.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::app::App;
use super::effect::JobKind;
use super::screen::Screen;
use super::text::one_line;
use super::theme::{Theme, fit, ratio};
use crate::control::seconds;

/// The smallest terminal that shows the screens.
pub const SMALLEST: (u16, u16) = (40, 12);

/// Draws everything; on a terminal without UTF-8, marks of our own become ASCII.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    draw_all(app, frame);
    if app.theme.unicode() {
        return;
    }
    for cell in &mut frame.buffer_mut().content {
        let stand_in = match cell.symbol() {
            "│" => "|",
            "─" | "–" | "—" => "-",
            "┌" | "┐" | "└" | "┘" | "├" => "+",
            "•" => "*",
            "·" | "…" => ".",
            "→" | "▶" | "▸" => ">",
            "←" => "<",
            "⏎" => "E",
            "⚑" | "▲" => "!",
            "“" | "”" => "\"",
            "‹" => "(",
            "›" => ")",
            "●" => "O",
            "×" => "x",
            "↑" => "^",
            "↓" => "v",
            _ => continue,
        };
        cell.set_symbol(stand_in);
    }
}

fn draw_all(app: &App, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let text = format!(
            "{}x{} is too small.\nforetaste needs {}x{}.\nq quits.",
            area.width, area.height, SMALLEST.0, SMALLEST.1
        );
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: false }), area);
        return;
    }
    // What was said is there to be read: up to three lines of it, the rest under its key.
    let notice = app.said().map(|notice| {
        let style = if notice.bad { app.theme.bad() } else { app.theme.good() };
        let mark = if notice.bad { "!" } else { app.theme.glyph("·", "-") };
        Paragraph::new(format!(" {mark} {}", one_line(&notice.text)))
            .style(style)
            .wrap(Wrap { trim: true })
    });
    let said = notice.as_ref().map_or(0, |text| text.line_count(area.width).min(3) as u16);
    let rows = [
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(said),
        Constraint::Length(1),
    ];
    let [tabs, body, said, keys] = Layout::vertical(rows).areas(area);
    frame.render_widget(Paragraph::new(tab_line(app, tabs.width as usize)), tabs);
    app.screens.get(app.screen).draw(app.theme, frame, body);
    if let Some(notice) = notice {
        frame.render_widget(notice, said);
    }
    frame.render_widget(Paragraph::new(key_line(app, keys.width as usize)), keys);
    if let Some(popup) = &app.popup {
        popup.draw(app.context(), frame, body);
    }
}

/// What stands before the tabs.
const NAME: &str = " foretaste ";

/// The program's name, where the tabs leave room for it.
fn name(app: &App, width: usize) -> &'static str {
    let used: usize = tabs(app, width).map(|(_, text)| text.chars().count()).sum();
    if NAME.len() + used > width { " " } else { NAME }
}

/// The tabs, from left to right.
fn tabs(app: &App, width: usize) -> impl Iterator<Item = (Screen, String)> {
    Screen::ALL.into_iter().map(move |screen| {
        let badge = app.screens.get(screen).badge(&app.jobs, app.theme);
        let word = if width >= 60 || app.screen == screen { screen.as_str() } else { "" };
        let space = if word.is_empty() { "" } else { " " };
        let key = screen.key()[0].to_uppercase();
        (screen, format!(" {key}{space}{word}{badge} "))
    })
}

/// The tab at a column of the first line.
pub fn tab_at(app: &App, width: usize, column: usize) -> Option<Screen> {
    let mut end = name(app, width).len();
    tabs(app, width).find_map(|(screen, text)| {
        let begin = end;
        end += text.chars().count();
        (begin..end).contains(&column).then_some(screen)
    })
}

fn tab_line(app: &App, width: usize) -> Line<'static> {
    let theme = app.theme;
    let name = name(app, width);
    let mut spans = vec![Span::styled(name, theme.strong())];
    let mut used = name.len();
    for (screen, text) in tabs(app, width) {
        used += text.chars().count();
        spans.push(Span::styled(
            text,
            if app.screen == screen { theme.selected() } else { theme.dim() },
        ));
    }
    if let Some(place) = app.screens.get(app.screen).place() {
        let text = place.into_iter().find(|text| used + text.len() + 2 <= width);
        if let Some(text) = text {
            spans.push(Span::styled(format!("{text:>0$} ", width - used - 1), theme.dim()));
        }
    }
    Line::from(spans)
}

/// The keys of this screen as far as they fit, `?` always, then a cell for each running job.
fn key_line(app: &App, width: usize) -> Line<'static> {
    let theme = app.theme;
    let jobs: Vec<String> =
        app.jobs.iter().map(|(kind, job)| job_cell(*kind, job, theme, width < 100)).collect();
    let elsewhere = app.screens.train.background().into_iter();
    let jobs: Vec<String> = jobs.into_iter().chain(elsewhere).collect();
    let jobs = jobs.join("  ");
    let mut room = width.saturating_sub(jobs.chars().count() + 10);
    let mut spans = vec![Span::raw(" ")];
    if app.taken() {
        spans.push(Span::styled("keys go to the box above  ", theme.dim()));
        spans.push(Span::styled(fit(&jobs, width.saturating_sub(28)), theme.warn()));
        return Line::from(spans);
    }
    let own = app.keymap.entries.iter().filter(|e| e.binding.screen == Some(app.screen));
    for entry in
        own.filter(|e| !e.binding.key.short.is_empty() && app.context().applies(e.binding.key.act))
    {
        let key = entry.first();
        let word = entry.binding.key.short;
        let size = key.chars().count() + word.chars().count() + 4;
        if size > room {
            continue;
        }
        room -= size;
        spans.push(Span::styled(key.to_string(), theme.key()));
        spans.push(Span::raw(format!(" {word} · ")));
    }
    spans.push(Span::styled("?", theme.key()));
    spans.push(Span::raw(" keys  "));
    spans.push(Span::styled(fit(&jobs, width.saturating_sub(10)), theme.warn()));
    Line::from(spans)
}

fn job_cell(kind: JobKind, job: &super::jobs::Job, theme: Theme, short: bool) -> String {
    let Some(progress) = &job.progress else {
        return format!("{kind:?} {}", if job.paused { "paused" } else { "starting" });
    };
    let share = ratio(progress.done as f64, progress.total as f64);
    let state = if job.paused {
        " paused".to_string()
    } else {
        progress.left_s.map_or(String::new(), |s| format!(" {}", seconds(s)))
    };
    // What has neither an end nor a rate is there, and has done so much.
    if progress.total == 0 && progress.rate == 0.0 {
        return format!("{} {}{state}", progress.doing, progress.far());
    }
    if short {
        let far =
            if progress.total == 0 { progress.far() } else { format!("{:.0} %", 100.0 * share) };
        return format!("{} {far}{state}", progress.doing);
    }
    let bar = theme.bar(share, 6);
    let frame = theme.glyph("▏", "|");
    format!(
        "{} {} {frame}{bar:<6}{frame}{}{state}",
        progress.doing,
        progress.far(),
        progress.pace(" ")
    )
}
