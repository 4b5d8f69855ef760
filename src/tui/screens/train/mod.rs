//! Train, the state: is it learning, what does it cost, and is it better where it matters?

mod acts;
mod form;
mod typing;
pub mod view;

use std::collections::BTreeMap;

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use tui_input::Input;

use crate::store::{Checkpoint, EvalRow, MetricPoint, PoolCount, RunRow, RunStatus};
use crate::train::Forecast;
use crate::train::Plan;
use crate::tui::chart::{Lens, SMOOTHING};
use crate::tui::effect::{Effect, JobCmd, JobKind, RunCmd, StoreCmd};
use crate::tui::jobs::Jobs;
use crate::tui::keys::Direction;
use crate::tui::screens::Pane;
use crate::tui::theme::Theme;
pub use acts::{Act, KEYS};
use typing::Form;
pub use typing::command;

/// What Train is told.
#[derive(Debug)]
pub enum Msg {
    /// Runs, which of them are being trained by some process, checkpoints, evaluations.
    Runs(Vec<RunRow>, Vec<i64>, Vec<Checkpoint>, Vec<EvalRow>),
    /// A curve of a run.
    Curve(i64, String, Vec<MetricPoint>),
    /// The names of a run's curves, and what they say that a person should know.
    About(i64, Vec<String>, Vec<String>),
    /// Who demonstrated, and the pools of alternatives.
    Choices(Vec<(String, u64)>, Vec<PoolCount>),
    /// The run whose turn it is.
    Next(i64),
    /// What a plan would train on, take and cost, or why it cannot start.
    Forecast(Box<Plan>, String, Result<Box<Forecast>, String>),
}

/// The screen's state.
#[derive(Debug, Default)]
pub struct State {
    /// Runs, newest first.
    pub runs: Vec<RunRow>,
    /// Those that some process is training now.
    pub alive: Vec<i64>,
    /// Checkpoints, newest first.
    pub checkpoints: Vec<Checkpoint>,
    /// Evaluations, newest first.
    pub evaluations: Vec<EvalRow>,
    /// The run in front.
    pub selected: usize,
    /// The form over the screen.
    pub form: Option<Form>,
    /// Who demonstrated what a run could train on, and how often.
    pub experts: Vec<(String, u64)>,
    /// The pools of alternatives there.
    pub pools: Vec<PoolCount>,
    /// How curves are looked at.
    pub lens: Lens,
    /// Runs laid over the one in front.
    pub overlaid: Vec<i64>,
    /// What the curves of the run in front say.
    pub alerts: Vec<String>,
    /// Curves that stay in view below the chosen one.
    pub pinned: Vec<String>,
    /// A regular expression for the names of curves, where only some are wanted.
    pub words: String,
    /// They are being typed.
    pub searching: Option<Input>,
    /// The run to put in front.
    wanted: Option<i64>,
    names: Vec<String>,
    name: Option<String>,
    curves: BTreeMap<(i64, String), Vec<MetricPoint>>,
    pub(super) suite: Option<String>,
    ticks: u32,
}

impl State {
    /// The run in front.
    pub fn run(&self) -> Option<&RunRow> {
        self.runs.get(self.selected)
    }

    /// The curve that is shown.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("loss")
    }

    /// The runs whose curve of this name is shown: the one in front, then those laid over it, as
    /// far as they are read.
    pub fn shown(&self, name: &str) -> Vec<(i64, &[MetricPoint])> {
        let front = self.run().map(|run| run.id);
        let others = self.overlaid.iter().copied().filter(|id| Some(*id) != front);
        let ids = front.into_iter().chain(others);
        ids.filter_map(|id| Some((id, self.curves.get(&(id, name.to_string()))?.as_slice())))
            .collect()
    }

    /// The curve that was chosen, if one was.
    pub fn curve(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Takes up what the last session looked at.
    pub fn come_back(&mut self, curve: Option<String>, pinned: Vec<String>, lens: Lens) {
        self.pinned = pinned;
        self.name = curve;
        self.lens = Lens { smoothing: lens.smoothing % SMOOTHING.len(), ..lens };
    }

    fn points(&self) -> &[MetricPoint] {
        self.shown(self.name()).first().map(|(_, points)| *points).unwrap_or_default()
    }

    /// Puts a run that has just begun in front.
    pub fn follow(&mut self, run: i64) {
        self.name = None;
        self.lens.window = None;
        self.lens.cursor = None;
        self.wanted = Some(run);
    }

    fn curve_effect(&self) -> Vec<Effect> {
        let front = self.run().map(|run| run.id);
        let others = self.overlaid.iter().copied().filter(|id| Some(*id) != front);
        let ids: Vec<i64> = front.into_iter().chain(others).collect();
        let names = std::iter::once(self.name()).chain(self.pinned.iter().map(String::as_str));
        let curves =
            names.flat_map(|name| ids.iter().map(move |id| RunCmd::Curve(*id, name.to_string())));
        curves
            .chain(front.map(RunCmd::About))
            .map(|command| Effect::Store(StoreCmd::Run(command)))
            .collect()
    }

    /// Takes in a message.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Runs(runs, alive, checkpoints, evaluations) => {
                let stay = self.wanted.take().or_else(|| self.run().map(|run| run.id));
                self.runs = runs;
                self.alive = alive;
                let found = stay.and_then(|id| self.runs.iter().position(|run| run.id == id));
                self.selected = found.unwrap_or(self.selected);
                self.checkpoints = checkpoints;
                self.evaluations = evaluations;
                self.selected = self.selected.min(self.runs.len().saturating_sub(1));
                return self.curve_effect();
            }
            Msg::About(run, names, alerts) => {
                if self.run().is_some_and(|selected| selected.id == run) {
                    self.names = names;
                    self.alerts = alerts;
                }
            }
            Msg::Curve(run, name, points) => {
                // Only what can be shown is kept.
                let front = self.name().to_string();
                let pinned = &self.pinned;
                self.curves.retain(|(_, known), _| *known == front || pinned.contains(known));
                self.curves.insert((run, name), points);
            }
            Msg::Choices(experts, pools) => {
                self.experts = experts;
                self.pools = pools;
            }
            Msg::Next(run) => return vec![Effect::Job(JobCmd::Resume(run))],
            Msg::Forecast(plan, start, forecast) => {
                let wanted = self
                    .form
                    .as_ref()
                    .is_some_and(|form| (self.plan(form), &form.start) == (plan, &start));
                if let Some(form) = self.form.as_mut().filter(|_| wanted) {
                    form.forecast = Some(forecast.map(|forecast| *forecast));
                }
            }
        }
        Vec::new()
    }

    fn stopped(&self, run: &RunRow) -> bool {
        run.status != RunStatus::Finished && !self.alive.contains(&run.id)
    }

    /// The run in front, if it waits for its turn.
    fn waiting(&self) -> Option<i64> {
        self.run().filter(|run| run.status == RunStatus::Queued).map(|run| run.id)
    }

    /// The run in front, if another process trains it.
    fn elsewhere(&self, training: bool) -> Option<i64> {
        self.run().map(|run| run.id).filter(|id| !training && self.alive.contains(id))
    }

    fn newest_checkpoint(&self) -> Option<&Checkpoint> {
        let run = self.run()?.id;
        self.checkpoints.iter().find(|checkpoint| checkpoint.run == run)
    }

    /// Runs are on the suite that is open.
    pub fn set_suite(&mut self, suite: &str) {
        self.suite = Some(suite.to_string());
    }
}

impl Pane for State {
    fn refresh(&self) -> Vec<Effect> {
        vec![Effect::Store(StoreCmd::Run(RunCmd::List))]
    }

    fn tick(&mut self, front: bool, jobs: &Jobs) -> Vec<Effect> {
        self.ticks = self.ticks.wrapping_add(1);
        // Another program may start a run at any time.
        let now_and_then = self.ticks.is_multiple_of(8);
        let due =
            front && (now_and_then || jobs.contains_key(&JobKind::Train) || !self.alive.is_empty());
        if due { self.refresh() } else { Vec::new() }
    }

    fn is_typing(&self) -> bool {
        self.form.is_some() || self.searching.is_some()
    }

    fn typing(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        self.type_key(key)
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        self.type_text(text);
        Vec::new()
    }

    fn go(&mut self, direction: Direction) -> Vec<Effect> {
        self.selected = direction.moved(self.selected, self.runs.len());
        self.lens.window = None;
        self.lens.cursor = None;
        self.curve_effect()
    }

    fn copy(&self, json: bool) -> Option<String> {
        let run = self.run()?;
        if json {
            let points = self.points();
            return serde_json::to_string(
                &serde_json::json!({"run": run, "curve": self.name(), "points": points}),
            )
            .ok();
        }
        let line = |p: &MetricPoint| {
            format!("{}\t{}\n", p.step, p.value.map_or(String::new(), |v| v.to_string()))
        };
        Some(self.points().iter().map(line).collect())
    }
    fn badge(&self, jobs: &Jobs, theme: Theme) -> String {
        if jobs.contains_key(&JobKind::Train) {
            theme.glyph("▸", ">").to_string()
        } else {
            String::new()
        }
    }

    fn draw(&self, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
        view::draw(self, theme, frame, area);
    }
}
