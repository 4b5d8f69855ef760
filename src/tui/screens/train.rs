//! Train: is it learning, what does it cost, and is it better where it matters?

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Chart, Clear, Dataset, GraphType, Paragraph, Wrap};

use super::explore::moved;
use crate::experience::wilson;
use crate::store::{Checkpoint, EvalRow, MetricPoint, RunRow, RunStatus};
use crate::train::{Objective, Plan};
use crate::tui::effect::{DeskCmd, Effect, JobCmd, Kind};
use crate::tui::keys::{Act, Direction};
use crate::tui::theme::{Theme, centered, fit};

/// What Train is told.
#[derive(Debug)]
pub enum Msg {
    /// Runs, which of them are being trained by some process, checkpoints, evaluations.
    Runs(Vec<RunRow>, Vec<i64>, Vec<Checkpoint>, Vec<EvalRow>),
    /// A curve of a run, and the names of its curves.
    Curve(i64, String, Vec<MetricPoint>, Vec<String>),
}

/// What a run can start from, and how the form says it.
const STARTS: [(Option<&str>, &str); 3] = [
    (None, "the newest checkpoint, else the embedded model"),
    (Some("embedded"), "the embedded model"),
    (Some("novice"), "the novice: little trained, to watch it learn"),
];

/// The form before a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    objective: usize,
    steps: u64,
    start: usize,
}

const OBJECTIVES: [(Objective, &str); 3] = [
    (Objective::Imitation, "the expert's actions"),
    (Objective::WorldModel, "next states of executed actions, then imitation"),
    (Objective::Reflection, "approved reflections mixed with imitation"),
];

/// The screen's state.
#[derive(Debug, Default)]
pub struct State {
    /// Runs, newest first.
    pub runs: Vec<RunRow>,
    alive: Vec<i64>,
    checkpoints: Vec<Checkpoint>,
    evaluations: Vec<EvalRow>,
    selected: usize,
    names: Vec<String>,
    name: Option<String>,
    curve: Option<(i64, String, Vec<MetricPoint>)>,
    form: Option<Form>,
}

impl State {
    fn run(&self) -> Option<&RunRow> {
        self.runs.get(self.selected)
    }

    /// Puts a run that has just begun in front.
    pub fn follow(&mut self) {
        self.selected = 0;
        self.name = None;
    }

    fn curve_effect(&self) -> Vec<Effect> {
        let name = self.name.clone().unwrap_or_else(|| "loss".into());
        self.run().map(|run| Effect::Desk(DeskCmd::Curve(run.id, name))).into_iter().collect()
    }

    /// Takes in a message.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Runs(runs, alive, checkpoints, evaluations) => {
                (self.runs, self.alive) = (runs, alive);
                (self.checkpoints, self.evaluations) = (checkpoints, evaluations);
                self.selected = self.selected.min(self.runs.len().saturating_sub(1));
                return self.curve_effect();
            }
            Msg::Curve(run, name, points, names) => {
                if self.run().is_some_and(|selected| selected.id == run) {
                    (self.curve, self.names) = (Some((run, name, points)), names);
                }
            }
        }
        Vec::new()
    }

    /// Does what a key means; `training` says whether a run is under way here.
    pub fn act(&mut self, act: Act, training: bool) -> Vec<Effect> {
        match act {
            Act::Start if !training => {
                self.form = Some(Form { objective: 0, steps: 200, start: 0 });
                Vec::new()
            }
            Act::Pause => vec![Effect::Job(JobCmd::Pause(Kind::Train))],
            Act::Stop => vec![Effect::Job(JobCmd::Stop(Kind::Train))],
            Act::Requeue if !training => match self.run() {
                Some(run) if run.status != RunStatus::Finished => vec![Effect::Job(JobCmd::Resume(run.id))],
                _ => Vec::new(),
            },
            Act::Use => {
                let run = self.run().map(|run| run.id);
                let found = self.checkpoints.iter().find(|checkpoint| Some(checkpoint.run) == run);
                found.map(|checkpoint| Effect::LoadModel(Some(checkpoint.id.to_string()))).into_iter().collect()
            }
            Act::Metric => {
                let now = self.name.clone().unwrap_or_else(|| "loss".into());
                let at = self.names.iter().position(|name| *name == now).map_or(0, |at| at + 1);
                self.name = self.names.get(at % self.names.len().max(1)).cloned();
                self.curve_effect()
            }
            Act::Move(direction) => {
                self.selected = moved(self.selected, self.runs.len(), direction);
                self.curve_effect()
            }
            _ => Vec::new(),
        }
    }

    /// Takes a key while the form is open; none otherwise.
    pub fn typing(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        let mut form = self.form.take()?;
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return Some(Vec::new()),
            KeyCode::Enter => {
                let plan = Plan { rate: 5e-4, ..Plan::new(OBJECTIVES[form.objective].0, form.steps, 1) };
                return Some(vec![Effect::Job(JobCmd::Train(Box::new(plan), STARTS[form.start].0))]);
            }
            KeyCode::Char('j') | KeyCode::Down => form.objective = moved(form.objective, 3, Direction::Down),
            KeyCode::Char('k') | KeyCode::Up => form.objective = moved(form.objective, 3, Direction::Up),
            KeyCode::Char(digit @ '1'..='3') => form.objective = digit.to_digit(10).map_or(0, |d| d as usize - 1),
            KeyCode::Char('s') => form.start = (form.start + 1) % STARTS.len(),
            KeyCode::Char('+' | 'l') | KeyCode::Right => form.steps = (form.steps + 50).min(100_000),
            KeyCode::Char('-' | 'h') | KeyCode::Left => form.steps = form.steps.saturating_sub(50).max(10),
            _ => {}
        }
        self.form = Some(form);
        Some(Vec::new())
    }
}

/// Draws the screen.
pub fn draw(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    if area.width >= 80 {
        let columns = [Constraint::Length(34), Constraint::Min(0)];
        let [left, right] = Layout::horizontal(columns).areas(area);
        let [runs, evaluations] = Layout::vertical([Constraint::Min(0), Constraint::Length(8)]).areas(left);
        let [chart, details] = Layout::vertical([Constraint::Percentage(60), Constraint::Percentage(40)]).areas(right);
        draw_runs(state, theme, frame, runs);
        draw_evaluations(state, theme, frame, evaluations);
        draw_chart(state, theme, frame, chart);
        draw_details(state, theme, frame, details);
    } else {
        let [runs, chart] = Layout::vertical([Constraint::Length(5), Constraint::Min(0)]).areas(area);
        draw_runs(state, theme, frame, runs);
        draw_chart(state, theme, frame, chart);
    }
    if let Some(form) = &state.form {
        draw_form(form, theme, frame, area);
    }
}

fn status(state: &State, run: &RunRow) -> &'static str {
    match run.status {
        RunStatus::Running if !state.alive.contains(&run.id) => "broke off",
        status => status.word(),
    }
}

fn draw_runs(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let block = theme.panel("Runs");
    let inner = block.inner(area);
    let mut lines: Vec<Line<'_>> = Vec::new();
    let from = (state.selected + 1).saturating_sub(inner.height as usize);
    for (i, run) in state.runs.iter().enumerate().skip(from).take(inner.height as usize) {
        let text = format!("{:>2} {:<11} {:>4}/{:<4} {}", run.id, run.objective, run.step, run.steps, status(state, run));
        let line = Line::from(fit(&text, inner.width as usize));
        lines.push(if i == state.selected { line.style(theme.selected()) } else { line });
    }
    if lines.is_empty() {
        lines.push(Line::styled("no runs yet: t starts one", theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn draw_evaluations(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for eval in state.evaluations.iter().take(6) {
        let (low, high) = wilson(eval.successes, eval.n);
        let text = format!("{}/{} [{:.0}–{:.0} %] {}", eval.successes, eval.n, 100.0 * low, 100.0 * high, eval.checkpoint);
        lines.push(Line::from(fit(&text, area.width.saturating_sub(2) as usize)));
    }
    if lines.is_empty() {
        lines.push(Line::styled("not evaluated yet: v", theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines).block(theme.panel("Success, 95 % interval")), area);
}

/// At most two points a column, the smallest and the largest, so that spikes survive.
fn envelope(points: &[(f64, f64)], columns: usize) -> Vec<(f64, f64)> {
    let per = points.len().div_ceil(columns.max(1)).max(1);
    if per == 1 {
        return points.to_vec();
    }
    points
        .chunks(per)
        .flat_map(|chunk| {
            let low = chunk.iter().min_by(|a, b| a.1.total_cmp(&b.1));
            let high = chunk.iter().max_by(|a, b| a.1.total_cmp(&b.1));
            low.into_iter().chain(high).copied().collect::<Vec<_>>()
        })
        .collect()
}

fn smooth(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut mean: Option<f64> = None;
    points
        .iter()
        .map(|(x, y)| {
            let next = mean.map_or(*y, |m| 0.9 * m + 0.1 * y);
            mean = Some(next);
            (*x, next)
        })
        .collect()
}

fn draw_chart(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let Some((run, name, points)) = state.curve.as_ref().filter(|(run, _, _)| state.run().is_some_and(|r| r.id == *run))
    else {
        frame.render_widget(theme.panel("Curve"), area);
        return;
    };
    let known: Vec<(f64, f64)> =
        points.iter().filter_map(|p| Some((p.step as f64, p.value.filter(|v| v.is_finite())?))).collect();
    let missing = points.len() - known.len();
    let Some((_, last)) = known.last().copied() else {
        frame.render_widget(Paragraph::new("no values yet").style(theme.dim()).block(theme.panel("Curve")), area);
        return;
    };
    let gaps = if missing > 0 { format!(" · {missing} not a number") } else { String::new() };
    let title = format!("run {run} · {name} {last:.4}{gaps} · m next curve");
    let (low, high) = known.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), (_, y)| (l.min(*y), h.max(*y)));
    let room = ((high - low) * 0.05).max(high.abs().max(1e-9) * 1e-3);
    // A loss is never negative; an axis that starts below nothing would say that it could be.
    let (low, high) = (if low >= 0.0 { (low - room).max(0.0) } else { low - room }, high + room);
    let (first, end) = (known[0].0, known[known.len() - 1].0.max(known[0].0 + 1.0));
    let block = theme.panel(&title);
    if block.inner(area).height < 4 || block.inner(area).width < 16 {
        frame.render_widget(Paragraph::new(format!("{name} {last:.4}")).block(block), area);
        return;
    }
    let columns = area.width as usize * 2;
    let (raw, smoothed) = (envelope(&known, columns), envelope(&smooth(&known), columns));
    let few = known.len() < 8;
    let mut sets = vec![
        Dataset::default()
            .marker(theme.marker())
            .graph_type(if few { GraphType::Scatter } else { GraphType::Line })
            .style(theme.dim())
            .data(&raw),
    ];
    if !few {
        sets.push(
            Dataset::default().marker(theme.marker()).graph_type(GraphType::Line).style(theme.good()).data(&smoothed),
        );
    }
    let x = Axis::default()
        .bounds([first, end])
        .labels([format!("{first:.0}"), "step".into(), format!("{end:.0}")])
        .style(theme.dim());
    let middle = f64::midpoint(low, high);
    let y = Axis::default()
        .bounds([low, high])
        .labels([format!("{low:.3}"), format!("{middle:.3}"), format!("{high:.3}")])
        .style(theme.dim());
    frame.render_widget(Chart::new(sets).block(block).x_axis(x).y_axis(y), area);
}

fn draw_details(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let mut lines = Vec::new();
    if let Some(run) = state.run() {
        let config: serde_json::Value = serde_json::from_str(&run.config).unwrap_or_default();
        let data = &config["data"];
        lines.push(Line::from(vec![
            Span::styled(format!("{} ", run.objective), theme.strong()),
            Span::raw(status(state, run)),
        ]));
        lines.push(Line::from(format!(
            "data: {} demonstrations, {} alternatives, {} reflections, {} tokens in {} trees",
            data["demonstrations"], data["branches"], data["reflections"], data["tokens"], data["trees"]
        )));
        let plan = &config["plan"];
        lines.push(Line::from(format!(
            "budget: {} updates of {} trees, rate {}, {} workers · seed {} · from {}",
            run.steps, plan["batch"], plan["rate"], plan["workers"], run.seed, run.start
        )));
        if run.objective == "world-model" {
            lines.push(Line::styled(
                format!("world modelling to step {}, then imitation (matched-total)", run.steps / 2),
                theme.dim(),
            ));
        }
        let mine: Vec<String> =
            state.checkpoints.iter().filter(|c| c.run == run.id).map(|c| format!("{} (#{})", c.step, c.id)).collect();
        lines.push(Line::from(format!(
            "checkpoints at step: {}",
            if mine.is_empty() { "none yet".into() } else { mine.join(", ") }
        )));
        if let Some(error) = &run.error {
            lines.push(Line::styled(format!("failed: {error}. r goes on from the last checkpoint."), theme.bad()));
        } else if status(state, run) == "broke off" {
            lines.push(Line::styled(
                "its process ended without finishing. r goes on from the last checkpoint.",
                theme.warn(),
            ));
        }
    } else {
        lines.push(Line::from("Training needs data: in Explore, c collects it; in Curate, a approves reflections."));
        lines.push(Line::from("Then t starts a run, in the background. You can go on exploring meanwhile."));
    }
    frame.render_widget(Paragraph::new(lines).block(theme.panel("This run")).wrap(Wrap { trim: false }), area);
}

fn draw_form(form: &Form, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let area = centered(area, 72, 9);
    frame.render_widget(Clear, area);
    let mut lines = Vec::new();
    for (i, (objective, what)) in OBJECTIVES.iter().enumerate() {
        let line = Line::from(format!(" {} {:<12} {what}", i + 1, objective.word()));
        lines.push(if i == form.objective { line.style(theme.selected()) } else { line });
    }
    lines.push(Line::default());
    lines.push(Line::from(vec![
        Span::raw(format!(" {} updates of 8 trees  ", form.steps)),
        Span::styled("+ - change", theme.key()),
    ]));
    let start = STARTS[form.start].1;
    lines.push(Line::from(vec![Span::raw(format!(" from {start}  ")), Span::styled("s change", theme.key())]));
    frame.render_widget(Paragraph::new(lines).block(theme.panel("Train · ⏎ start · Esc leave")), area);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_keeps_spikes() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i), 1.0)).collect();
        points[54_321].1 = 99.0;
        let drawn = envelope(&points, 100);
        assert!(drawn.len() <= 202 && drawn.iter().any(|(_, y)| (*y - 99.0).abs() < 1e-9));
        assert!(envelope(&[], 10).is_empty());
    }
}
