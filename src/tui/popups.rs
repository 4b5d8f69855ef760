//! Boxes over the screens that take all keys: help, palette, texts, questions.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Wrap};

use super::acts::Act;
use super::collecting;
use super::commands::Commands;
use super::effect::{CollectOrder, JobCmd, JobKind};
use super::jobs::{Job, Jobs};
use super::keymap::Keymap;
use super::keys;
use super::palette::Finder;
use super::screen::Screen;
use super::screens::Screens;
use super::sheet::{Sheet, Typed};
use super::theme::{Theme, centered};
use crate::control::Progress;
use crate::text::clean;

/// A box over the screen that takes all keys.
#[derive(Debug, Clone)]
pub enum Popup {
    /// All keys of the screen, scrolled by so many lines.
    Help(usize),
    /// A text, scrolled by so many lines.
    Text(String, Vec<String>, usize),
    /// Everything that can be done, by what is typed.
    Palette(Finder),
    /// What was done, as commands; the selected one.
    Commands(usize),
    /// What becomes of the work that runs?
    Quit,
    /// What is to be collected.
    Collect(Sheet),
    /// What runs now; the selected row.
    Jobs(usize),
}

/// What a box over the screen may know.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The screen in front.
    pub screen: Screen,
    /// All screens.
    pub screens: &'a Screens,
    /// What runs now.
    pub jobs: &'a Jobs,
    /// What keys do.
    pub keymap: &'a Keymap,
    /// What was done in this session.
    pub commands: &'a Commands,
    /// How things look.
    pub theme: Theme,
}

impl Context<'_> {
    /// Whether a key means something now: what does not stands neither in the footer nor in the
    /// palette.
    pub fn applies(&self, act: Act) -> bool {
        if let Act::Own(act) = act { self.screens.applies(act, self.jobs) } else { true }
    }
}

/// What a key in a popup comes to.
#[derive(Debug, Clone)]
pub enum Choice {
    /// The popup stays.
    Stay,
    /// It is closed.
    Close,
    /// It is closed, and this is done.
    Do(Act),
    /// It is closed, this screen is in front, and this is said.
    Go(Screen, String),
    /// The popup stays, and this goes to the clipboard.
    Copy(String),
    /// Leave; running work is stopped cleanly.
    Stop,
    /// Leave; a training run goes on in the background.
    Leave,
    /// Collect this.
    Collect(Box<CollectOrder>),
    /// The popup stays, and this is asked of the jobs.
    Ask(JobCmd),
}

impl Popup {
    /// Takes a key.
    pub fn key(&mut self, key: KeyEvent, context: Context<'_>) -> Choice {
        use KeyCode::{Char, Down, End, Enter, Esc, Home, PageDown, PageUp, Up};
        if let Self::Palette(finder) = self {
            return finder.key(key, context);
        }
        if let Self::Commands(at) = self {
            return context.commands.key(at, key.code);
        }
        if let Self::Help(at) | Self::Text(_, _, at) = self {
            let scrolled = match key.code {
                Char('j') | Down => *at + 1,
                Char('k') | Up => at.saturating_sub(1),
                PageDown | Char(' ') => *at + 10,
                PageUp => at.saturating_sub(10),
                Char('g') | Home => 0,
                Char('G') | End => 100_000,
                _ => return Choice::Close,
            };
            *at = scrolled.min(100_000);
            return Choice::Stay;
        }
        if let Self::Jobs(at) = self {
            let kind = context.jobs.keys().nth(*at).copied();
            match (key.code, kind) {
                (Char('p'), Some(kind)) => return Choice::Ask(JobCmd::Pause(kind)),
                (Char('x'), Some(kind)) => return Choice::Ask(JobCmd::Stop(kind)),
                (Esc | Char('q' | 'J'), _) => return Choice::Close,
                (code, _) => *at = keys::selected(*at, context.jobs.len(), code),
            }
            return Choice::Stay;
        }
        if let Self::Collect(sheet) = self {
            return match sheet.key(key) {
                Typed::Left => Choice::Close,
                // What means nothing is said below the fields.
                Typed::Done => collecting::order(sheet)
                    .map_or(Choice::Stay, |order| Choice::Collect(Box::new(order))),
                Typed::Changed(_) => {
                    collecting::adapt(sheet);
                    Choice::Stay
                }
                _ => Choice::Stay,
            };
        }
        match (self, key.code) {
            (Self::Quit, Char('s' | 'y') | Enter) => Choice::Stop,
            (Self::Quit, Char('b')) if context.jobs.contains_key(&JobKind::Train) => Choice::Leave,
            (_, Esc | Char('q' | 'n')) => Choice::Close,
            _ => Choice::Stay,
        }
    }

    /// Draws it over the screen.
    pub fn draw(&self, context: Context<'_>, frame: &mut Frame<'_>, body: Rect) {
        let theme = context.theme;
        match self {
            Self::Help(at) => {
                let title =
                    format!("{} · j k scroll · any other key leaves", context.screen.as_str());
                scrolled(
                    &title,
                    help(context.keymap, context.screen, theme),
                    *at,
                    (84, 80),
                    theme,
                    frame,
                    body,
                );
            }
            Self::Text(title, lines, at) => {
                let lines = lines.iter().map(|line| Line::from(clean(line))).collect();
                let title = format!("{} · j k scroll · any other key leaves", clean(title));
                scrolled(&title, lines, *at, (110, 56), theme, frame, body);
            }
            Self::Palette(finder) => finder.draw(context, frame, body),
            Self::Commands(at) => {
                let width = usize::from(110.min(body.width).saturating_sub(2));
                let (lines, row) = context.commands.lines(*at, width, theme);
                let title = "Done in this session, the newest first · y copy · Esc leave";
                scrolled(title, lines, row, (110, 40), theme, frame, body);
            }
            Self::Jobs(at) => {
                boxed(
                    "Jobs · p pause or go on · x end cleanly · Esc leave",
                    jobs(context, *at),
                    84,
                    theme,
                    frame,
                    body,
                );
            }
            Self::Quit => {
                let mut lines = vec![
                    Line::from(" Work is under way. A stopped run can go on later."),
                    Line::default(),
                ];
                lines.push(choice("s", "stop cleanly and leave", theme));
                if context.jobs.contains_key(&JobKind::Train) {
                    lines.push(choice("b", "leave; the run goes on in the background", theme));
                }
                lines.push(choice("Esc", "stay", theme));
                boxed("Leave?", lines, 56, theme, frame, body);
            }
            Self::Collect(sheet) => {
                let mut lines = sheet.lines(theme, 82, usize::from(body.height.saturating_sub(8)));
                lines.extend(collecting::words(sheet, theme));
                let title = "Collect · Enter starts · arrows, or type · Esc leaves";
                boxed(title, lines, 84, theme, frame, body);
            }
        }
    }
}

/// What runs now, one line a job.
fn jobs(context: Context<'_>, at: usize) -> Vec<Line<'static>> {
    let theme = context.theme;
    let elsewhere = context.screens.train.background().into_iter();
    let elsewhere =
        elsewhere.map(|run| Line::from(format!(" {run}, in the background (Train, x stops it)")));
    if context.jobs.is_empty() {
        let none = Line::styled("nothing runs here now", theme.dim());
        return std::iter::once(none).chain(elsewhere).collect();
    }
    let line = |(i, (kind, job)): (usize, (&JobKind, &Job))| {
        let far = job.progress.as_ref().map_or("starting".into(), Progress::line);
        let state = if job.paused { " · paused" } else { "" };
        let line = Line::from(format!(" {:<9} {}{state}", format!("{kind:?}"), clean(&far)));
        if i == at { line.style(theme.selected()) } else { line }
    };
    context.jobs.iter().enumerate().map(line).chain(elsewhere).collect()
}

fn choice<'a>(key: &'a str, what: &'a str, theme: Theme) -> Line<'a> {
    Line::from(vec![Span::styled(format!(" {key:<5} "), theme.key()), Span::raw(what)])
}

fn boxed(
    title: &str,
    lines: Vec<Line<'_>>,
    width: u16,
    theme: Theme,
    frame: &mut Frame<'_>,
    body: Rect,
) {
    let text = Paragraph::new(lines).wrap(Wrap { trim: false });
    let rows = text.line_count(width.min(body.width).saturating_sub(2)) as u16;
    let area = centered(body, width, rows + 2);
    frame.render_widget(Clear, area);
    frame.render_widget(text.block(theme.panel(title)), area);
}

fn scrolled(
    title: &str,
    lines: Vec<Line<'_>>,
    at: usize,
    (width, height): (u16, u16),
    theme: Theme,
    frame: &mut Frame<'_>,
    body: Rect,
) {
    let text = Paragraph::new(lines).wrap(Wrap { trim: false });
    let rows =
        text.line_count(width.min(body.width).saturating_sub(2)).min(usize::from(u16::MAX)) as u16;
    let area = centered(body, width, height.min(rows.saturating_add(2)));
    let last = rows.saturating_sub(area.height.saturating_sub(2));
    frame.render_widget(Clear, area);
    frame.render_widget(text.scroll(((at as u16).min(last), 0)).block(theme.panel(title)), area);
}

fn help(keymap: &Keymap, screen: Screen, theme: Theme) -> Vec<Line<'static>> {
    let mut lines: Vec<Line<'static>> = Vec::new();
    let mut own = true;
    for entry in keymap.of(screen) {
        if own && entry.binding.screen.is_none() {
            own = false;
            lines.push(Line::default());
        }
        let key = Span::styled(format!(" {:>13}  ", entry.shown), theme.key());
        lines.push(Line::from(vec![key, Span::raw(entry.binding.key.long)]));
    }
    lines.push(Line::default());
    let words: &[(&str, &str)] = &[
        ("expert", "who knows what to do in this state; e changes who it is"),
        ("alternative", "another action, executed for one step on a copy of the world"),
        ("predicted", "the next state as the model expects it, before it is executed"),
        ("actual", "what the environment really answered; [only predicted] {only actual}"),
        ("reflection", "why the expert's action is preferable, from executed outcomes"),
        ("h p u E", "who chose a step: human, policy, uniform draw, expert"),
    ];
    lines.extend(words.iter().map(|(word, what)| {
        Line::from(vec![Span::styled(format!(" {word:>13}  "), theme.strong()), Span::raw(*what)])
    }));
    lines
}
