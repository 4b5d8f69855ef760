//! Data, its forms: what an export or an import will do, before it does it.

use std::path::PathBuf;

use crossterm::event::{Event, KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Wrap};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use super::State;
use crate::formats::{Extent, Layout, Observations, Order, Questions, Set};
use crate::selection::{ALL, Criteria};
use crate::store::Intake;
use crate::text::clean;
use crate::tui::effect::{Effect, JobCmd, JobKind, StoreCmd};
use crate::tui::keys::selected;
use crate::tui::text::{grouped, pasted, typed_line};
use crate::tui::theme::{Theme, centered};

/// Something that is filled in.
#[derive(Debug)]
pub enum Form {
    /// What to write.
    Export(Export),
    /// What to read.
    Import(Import),
}

/// An export before it is made.
#[derive(Debug, Default)]
pub struct Export {
    row: usize,
    chosen: [bool; Set::ALL.len()],
    observations: Observations,
    /// One of [`LAYOUTS`]; a set that lacks it is written as usual.
    layout: usize,
    /// 0 for everything, else one of the store's suites and splits.
    origin: usize,
    /// 0 for the only one there is, else one of the store's experts, then all of them.
    expert: usize,
    extents: Option<Vec<Result<Extent, String>>>,
}

/// An import before it is made.
#[derive(Debug, Default)]
pub struct Import {
    path: Input,
    /// Whether the file is being read.
    reading: bool,
    found: Option<Result<Intake, String>>,
    /// How the typed path goes on, where Tab could not say.
    ways: Vec<String>,
}

/// The rows of an export's form below the sets.
const OBSERVATIONS: usize = Set::ALL.len();
const LAYOUT: usize = OBSERVATIONS + 1;
const ORIGIN: usize = LAYOUT + 1;
const EXPERT: usize = ORIGIN + 1;

/// How examples stand in their lines, of what needs no model to be named.
const LAYOUTS: [(Layout, &str); 5] = [
    (Layout::Messages, "messages (OpenAI, TRL, LLaMA-Factory)"),
    (Layout::PromptCompletion, "prompt and completion (TRL)"),
    (Layout::Verl, "parquet of messages (verl)"),
    (Layout::VerlRl, "parquet of tasks (verl's reinforcement learning)"),
    (Layout::Atif, "trajectories as ATIF 1.8"),
];

impl State {
    /// Opens the form of an export.
    pub(super) fn ask_export(&mut self) -> Vec<Effect> {
        let export = Export { chosen: [true, true, true, false, false], ..Export::default() };
        let ask = self.ask(&export);
        self.form = Some(Form::Export(export));
        ask
    }

    /// Opens the form of an import.
    pub(super) fn ask_import(&mut self) -> Vec<Effect> {
        self.form = Some(Form::Import(Import::default()));
        Vec::new()
    }

    fn orders(&self, export: &Export) -> Vec<Order> {
        let origin = export.origin.checked_sub(1).and_then(|at| self.origins.get(at)).cloned();
        let (suite, split) = origin.unzip();
        let all = self.experts.iter().map(String::as_str).chain([ALL]);
        let expert =
            export.expert.checked_sub(1).and_then(|at| all.clone().nth(at)).map(str::to_string);
        let criteria = Criteria { suite, split, expert, ..Criteria::default() };
        let order = |(set, _)| Order {
            set,
            layout: Some(LAYOUTS[export.layout].0)
                .filter(|layout| layout.fits(set))
                .unwrap_or_default(),
            criteria: criteria.clone(),
            held_out: false,
            alternatives_only: false,
            observations: export.observations,
            questions: Questions::default(),
            model: None,
        };
        Set::ALL.map(order).into()
    }

    fn ask(&self, export: &Export) -> Vec<Effect> {
        vec![Effect::Store(StoreCmd::Extents(self.orders(export)))]
    }

    /// Takes in what an export would come to.
    pub(super) fn extents(&mut self, orders: &[Order], found: Vec<Result<Extent, String>>) {
        let Some(Form::Export(mut export)) = self.form.take() else { return };
        if self.orders(&export) == orders {
            export.extents = Some(found);
        }
        self.form = Some(Form::Export(export));
    }

    /// Takes in what a file holds.
    pub(super) fn looked(&mut self, path: &str, found: Result<Intake, String>) {
        if let Some(Form::Import(import)) =
            self.form.as_mut().filter(|form| matches!(form, Form::Import(_)))
            && import.path.value().trim() == path
        {
            import.reading = false;
            import.found = Some(found);
        }
    }

    /// Takes in how a path goes on.
    pub(super) fn completed(&mut self, asked: &str, path: String, ways: Vec<String>) {
        if let Some(Form::Import(import)) = &mut self.form
            && import.path.value() == asked
        {
            import.path = Input::new(path);
            import.ways = ways;
            import.found = None;
        }
    }

    /// Takes a key while a form is open; none otherwise.
    pub(super) fn type_key(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        Some(match self.form.take()? {
            Form::Export(export) => self.export_key(export, key.code),
            Form::Import(import) => self.import_key(import, key),
        })
    }

    fn export_key(&mut self, mut export: Export, code: KeyCode) -> Vec<Effect> {
        let mut effects = Vec::new();
        match code {
            KeyCode::Esc | KeyCode::Char('q') => return vec![nothing_more()],
            KeyCode::Enter if export.chosen.contains(&true) => {
                let orders = self
                    .orders(&export)
                    .into_iter()
                    .zip(export.chosen)
                    .filter(|(_, chosen)| *chosen);
                return vec![
                    nothing_more(),
                    Effect::Job(JobCmd::Export(orders.map(|(order, _)| order).collect())),
                ];
            }
            KeyCode::Char(' ' | 'h' | 'l') | KeyCode::Left | KeyCode::Right => {
                match export.row {
                    OBSERVATIONS => {
                        export.observations = match export.observations {
                            Observations::Stripped => Observations::Original,
                            Observations::Original => Observations::Stripped,
                        };
                    }
                    LAYOUT => export.layout = (export.layout + 1) % LAYOUTS.len(),
                    ORIGIN => export.origin = (export.origin + 1) % (self.origins.len() + 1),
                    EXPERT => export.expert = (export.expert + 1) % (self.experts.len() + 2),
                    set => export.chosen[set] = !export.chosen[set],
                }
                if export.row >= OBSERVATIONS {
                    export.extents = None;
                    effects = self.ask(&export);
                }
            }
            code => export.row = selected(export.row, EXPERT + 1, code),
        }
        self.form = Some(Form::Export(export));
        effects
    }

    fn import_key(&mut self, mut import: Import, key: KeyEvent) -> Vec<Effect> {
        let mut effects = Vec::new();
        let path = import.path.value().trim().to_string();
        match (key.code, &import.found) {
            (KeyCode::Esc, _) => return import.changed(),
            (KeyCode::Enter, Some(Ok(intake))) if intake.trajectories > 0 => {
                return vec![Effect::Job(JobCmd::Import(PathBuf::from(path), true))];
            }
            (KeyCode::Enter, _) if !path.is_empty() && !import.reading => {
                import.reading = true;
                import.found = None;
                effects.push(Effect::Job(JobCmd::Import(PathBuf::from(path), false)));
            }
            (KeyCode::Enter, _) => {}
            (KeyCode::Tab, _) => {
                effects.push(Effect::Store(StoreCmd::Complete(import.path.value().to_string())));
            }
            _ => {
                import.path.handle_event(&Event::Key(key));
                effects = import.changed();
            }
        }
        self.form = Some(Form::Import(import));
        effects
    }

    /// Takes pasted text.
    pub(super) fn type_text(&mut self, text: &str) -> Vec<Effect> {
        let Some(Form::Import(import)) = &mut self.form else { return Vec::new() };
        pasted(&mut import.path, text.lines().next().unwrap_or_default().trim());
        import.changed()
    }
}

/// Ends the counting for a form that is closed.
fn nothing_more() -> Effect {
    Effect::Store(StoreCmd::Extents(Vec::new()))
}

impl Import {
    /// What was found is not what is typed now, and what is being read is no longer wanted.
    fn changed(&mut self) -> Vec<Effect> {
        let reading = std::mem::take(&mut self.reading);
        self.found = None;
        self.ways.clear();
        reading.then_some(Effect::Job(JobCmd::Stop(JobKind::Import))).into_iter().collect()
    }
}

/// Draws the form that is open.
pub(super) fn draw(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let width = 90.min(area.width);
    let (title, lines) = match &state.form {
        None => return,
        Some(Form::Export(export)) => {
            ("Export · space change · ⏎ write · Esc leave", of_export(state, export, theme))
        }
        Some(Form::Import(import)) => (
            "Import · Tab completes · ⏎ · Esc leave",
            of_import(import, width.saturating_sub(2) as usize, theme),
        ),
    };
    let text = Paragraph::new(lines).wrap(Wrap { trim: false });
    let rows = text.line_count(width.saturating_sub(2)) as u16;
    let area = centered(area, width, rows + 2);
    frame.render_widget(Clear, area);
    frame.render_widget(text.block(theme.panel(title)), area);
}

fn megabytes(bytes: u64) -> String {
    if bytes < 1_000_000 {
        format!("{:.1} KB", bytes as f64 / 1e3)
    } else {
        format!("{:.1} MB", bytes as f64 / 1e6)
    }
}

fn of_export<'a>(state: &State, export: &Export, theme: Theme) -> Vec<Line<'a>> {
    let says = [
        "the expert's actions",
        "next states",
        "approved reflections",
        "the expert's over a worse",
        "all of it, for i elsewhere",
    ];
    let mut lines = Vec::new();
    let mut row = |at: usize, text: String| {
        let cursor = if at == export.row { theme.glyph("▶", ">") } else { " " };
        let line = Line::from(format!("{cursor} {text}"));
        lines.push(if at == export.row { line.style(theme.strong()) } else { line });
    };
    for (at, ((_, name), says)) in Set::ALL.iter().zip(says).enumerate() {
        let extent = match &export.extents {
            Some(extents) => match extents.get(at) {
                Some(Ok(extent)) => format!(
                    "{:>9} lines {:>9}",
                    grouped(extent.lines as u64),
                    megabytes(extent.bytes)
                ),
                _ => format!("{:>25}", "not yet"),
            },
            None => format!("{:>25}", "counting"),
        };
        let mark = if export.chosen[at] { "[x]" } else { "[ ]" };
        row(at, format!("{mark} {name:<15}{extent}  {says}"));
    }
    let how = match export.observations {
        Observations::Stripped => "stripped, as common harnesses give them",
        Observations::Original => "byte for byte as the engine printed them",
    };
    row(OBSERVATIONS, format!("    observations   {how}"));
    let (layout, says) = LAYOUTS[export.layout];
    let chosen = || Set::ALL.iter().zip(export.chosen).filter(|(_, chosen)| *chosen);
    let fitting = chosen().filter(|((set, _), _)| layout.fits(*set)).count();
    let others = match fitting {
        0 => "; no chosen set has it",
        some if some < chosen().count() => "; others as usual",
        _ => "",
    };
    row(LAYOUT, format!("    as             {says}{others}"));
    let origin = export.origin.checked_sub(1).and_then(|at| state.origins.get(at));
    let origin = origin
        .map_or("every suite and split".into(), |(suite, split)| format!("{suite} / {split} only"));
    row(ORIGIN, format!("    from           {}", clean(&origin)));
    let expert = match export.expert {
        0 => "the expert, without what you played".to_string(),
        at => state
            .experts
            .get(at - 1)
            .map_or("all experts, mixed".to_string(), |name| format!("{} only", clean(name))),
    };
    row(EXPERT, format!("    by             {expert}"));
    let held = export
        .extents
        .iter()
        .flatten()
        .filter_map(|found| found.as_ref().ok())
        .map(|extent| extent.held_out);
    if let Some(held) = held.max().filter(|held| *held > 0) {
        lines
            .push(Line::styled(format!("    but for {held} held out for validation"), theme.dim()));
    }
    let played =
        state.origins.iter().map(|(_, split)| split.as_str()).find(|split| *split != "train");
    if let Some(split) = played.filter(|_| export.origin == 0) {
        lines.push(Line::styled(
            format!("    with {}, where evaluations play", clean(split)),
            theme.warn(),
        ));
    }
    lines.push(Line::default());
    let chosen = export
        .extents
        .iter()
        .flatten()
        .zip(export.chosen)
        .filter(|(_, chosen)| *chosen)
        .map(|(found, _)| found);
    if let Some(why) = chosen.clone().find_map(|found| found.as_ref().err()) {
        lines.push(Line::styled(format!("  {}", clean(why)), theme.bad()));
    } else {
        let chosen = chosen.flatten();
        let (files, bytes) =
            chosen.fold((0, 0), |(files, bytes), extent| (files + 1, bytes + extent.bytes));
        let what = if files == 0 {
            String::new()
        } else {
            format!("{files} new files, {}, ", megabytes(bytes))
        };
        lines.push(Line::from(format!(
            "  {what}into {}/exports; nothing is overwritten.",
            clean(&state.root)
        )));
    }
    lines
}

fn of_import<'a>(import: &Import, width: usize, theme: Theme) -> Vec<Line<'a>> {
    let mut lines = vec![
        Line::from("  A file of trajectories, this program's (`e`) or another tool's:"),
        typed_line(&import.path, width, theme),
    ];
    if !import.ways.is_empty() {
        lines.push(Line::styled(format!("  {}", clean(&import.ways.join("  "))), theme.dim()));
    }
    lines.push(Line::default());
    match &import.found {
        None if import.reading => lines.push(Line::styled("  reading", theme.dim())),
        None => lines
            .push(Line::styled("  Enter reads it and says what would be taken in.", theme.dim())),
        Some(Err(why)) => lines.push(Line::styled(format!("  {}", clean(why)), theme.bad())),
        Some(Ok(intake)) => {
            let Intake { trajectories, steps, branches, reflections, decided, .. } = *intake;
            lines.push(Line::from(vec![
                Span::styled(
                    format!("  {} new trajectories", grouped(trajectories as u64)),
                    theme.strong(),
                ),
                Span::raw(format!(
                    ": {} steps, {} alternatives, {} reflections ({} decided)",
                    grouped(steps as u64),
                    grouped(branches as u64),
                    grouped(reflections as u64),
                    grouped(decided as u64)
                )),
            ]));
            lines.extend(intake.of_known().iter().map(|line| Line::from(format!("  {line}"))));
            let next = if intake.is_empty() {
                "There is nothing to take in."
            } else {
                "Enter takes it in."
            };
            lines.push(Line::styled(format!("  {next}"), theme.dim()));
        }
    }
    lines
}
