//! Train, the state: is it learning, what does it cost, and is it better where it matters?

mod form;
mod typing;
pub mod view;

use std::collections::BTreeMap;

use tui_input::Input;

use super::moved;
use crate::explore::CompareModels;
use crate::store::{Checkpoint, EvalRow, MetricPoint, PoolCount, RunRow, RunStatus};
use crate::train::Forecast;
use crate::train::Plan;
use crate::tui::chart::{Lens, SMOOTHING};
use crate::tui::effect::{DeskCmd, Effect, JobCmd, Kind, MindCmd, RunCmd};
use crate::tui::keys::{Act, Direction};
use typing::{Form, STARTS, pattern};

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
    Forecast(Box<Plan>, Option<&'static str>, Result<Box<Forecast>, String>),
}

/// Curves that can be pinned.
const PINS: usize = 3;

/// The state that is open in Explore: what two models are compared on.
#[derive(Debug, Clone)]
pub struct Open {
    /// The state.
    pub state: crate::experience::State,
    /// Its admissible actions.
    pub actions: Vec<String>,
    /// What the expert does.
    pub expert: Option<String>,
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

    /// The runs whose curve of this name is shown: the one in front, then those laid over it, as far as they are read.
    pub fn shown(&self, name: &str) -> Vec<(i64, &[MetricPoint])> {
        let front = self.run().map(|run| run.id);
        let others = self.overlaid.iter().copied().filter(|id| Some(*id) != front);
        let ids = front.into_iter().chain(others);
        ids.filter_map(|id| Some((id, self.curves.get(&(id, name.to_string()))?.as_slice()))).collect()
    }

    /// The curve that was chosen, if one was.
    pub fn curve(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Takes up what the last session looked at.
    pub fn come_back(&mut self, curve: Option<String>, pinned: Vec<String>, lens: Lens) {
        self.pinned = pinned;
        (self.name, self.lens) = (curve, Lens { smoothing: lens.smoothing % SMOOTHING.len(), ..lens });
    }

    fn points(&self) -> &[MetricPoint] {
        self.shown(self.name()).first().map(|(_, points)| *points).unwrap_or_default()
    }

    /// Puts a run that has just begun in front.
    pub fn follow(&mut self, run: i64) {
        (self.name, self.lens.window, self.lens.cursor) = (None, None, None);
        self.wanted = Some(run);
    }

    fn curve_effect(&self) -> Vec<Effect> {
        let front = self.run().map(|run| run.id);
        let others = self.overlaid.iter().copied().filter(|id| Some(*id) != front);
        let ids: Vec<i64> = front.into_iter().chain(others).collect();
        let names = std::iter::once(self.name()).chain(self.pinned.iter().map(String::as_str));
        let curves = names.flat_map(|name| ids.iter().map(move |id| RunCmd::Curve(*id, name.to_string())));
        curves.chain(front.map(RunCmd::About)).map(|command| Effect::Desk(DeskCmd::Run(command))).collect()
    }

    /// Takes in a message.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Runs(runs, alive, checkpoints, evaluations) => {
                let stay = self.wanted.take().or_else(|| self.run().map(|run| run.id));
                (self.runs, self.alive) = (runs, alive);
                let found = stay.and_then(|id| self.runs.iter().position(|run| run.id == id));
                self.selected = found.unwrap_or(self.selected);
                (self.checkpoints, self.evaluations) = (checkpoints, evaluations);
                self.selected = self.selected.min(self.runs.len().saturating_sub(1));
                return self.curve_effect();
            }
            Msg::About(run, names, alerts) => {
                if self.run().is_some_and(|selected| selected.id == run) {
                    (self.names, self.alerts) = (names, alerts);
                }
            }
            Msg::Curve(run, name, points) => {
                // Only what can be shown is kept.
                let (front, pinned) = (self.name().to_string(), &self.pinned);
                self.curves.retain(|(_, known), _| *known == front || pinned.contains(known));
                self.curves.insert((run, name), points);
            }
            Msg::Choices(experts, pools) => (self.experts, self.pools) = (experts, pools),
            Msg::Next(run) => return vec![Effect::Job(JobCmd::Resume(run))],
            Msg::Forecast(plan, start, forecast) => {
                let wanted =
                    self.form.as_ref().is_some_and(|form| (self.plan(form), STARTS[form.start].0) == (plan, start));
                if let Some(form) = self.form.as_mut().filter(|_| wanted) {
                    form.forecast = Some(forecast.map(|forecast| *forecast));
                }
            }
        }
        Vec::new()
    }

    /// Whether a key means something now; `training` says whether a run is under way here.
    pub fn applies(&self, act: Act, training: bool) -> bool {
        match act {
            Act::Pause => training,
            Act::Stop => training || self.elsewhere(training).is_some() || self.waiting().is_some(),
            Act::Resume => !training && self.alive.is_empty() && self.run().is_some_and(|run| self.stopped(run)),
            Act::Use | Act::Nodes => {
                self.run().is_some_and(|run| self.checkpoints.iter().any(|checkpoint| checkpoint.run == run.id))
            }
            Act::Pan(_) => self.lens.window.is_some(),
            Act::Overlay | Act::Metric | Act::Smooth | Act::Log | Act::Axis | Act::Zoom(_) | Act::Fit | Act::Pin => {
                self.run().is_some()
            }
            _ => true,
        }
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

    /// Does what a key means; `training` says whether a run is under way here, `open` what is open in Explore.
    pub fn act(&mut self, act: Act, training: bool, open: Option<Open>) -> Vec<Effect> {
        if !self.applies(act, training) {
            return Vec::new();
        }
        match act {
            Act::Start => {
                // Two runs at once would halve each other.
                let queue = training || !self.alive.is_empty();
                let form = Form { queue, ..Form::default() };
                let data = self.plan(&form).data;
                self.form = Some(form);
                let choices = Effect::Desk(DeskCmd::Run(RunCmd::Choices(data.suite, data.split, data.expert)));
                return std::iter::once(choices).chain(self.ask()).collect();
            }
            Act::Pause => return vec![Effect::Job(JobCmd::Pause(Kind::Train))],
            Act::Stop => {
                if let Some(run) = self.waiting() {
                    return vec![Effect::Desk(DeskCmd::Run(RunCmd::Unqueue(run)))];
                }
                let elsewhere = self.elsewhere(training).map(|id| Effect::Desk(DeskCmd::Run(RunCmd::StopElsewhere(id))));
                return vec![elsewhere.unwrap_or(Effect::Job(JobCmd::Stop(Kind::Train)))];
            }
            Act::Resume => return self.run().map(|run| Effect::Job(JobCmd::Resume(run.id))).into_iter().collect(),
            Act::Use => {
                let found = self.newest_checkpoint();
                let load = found.map(|checkpoint| MindCmd::Load(Some(checkpoint.id.to_string())));
                return load.map(Effect::Mind).into_iter().collect();
            }
            Act::Nodes => {
                let (Some(open), Some(run), Some(newest)) = (open, self.run(), self.newest_checkpoint()) else {
                    return Vec::new();
                };
                let (before, after) = (run.start.clone(), newest.id.to_string());
                let Open { state, actions, expert } = open;
                let compared = CompareModels { before, after, state, actions, expert };
                return vec![Effect::Mind(MindCmd::Compare(Box::new(compared)))];
            }
            Act::Metric => {
                let pattern = pattern(&self.words).ok();
                let fits = |name: &&String| pattern.as_ref().is_none_or(|pattern| pattern.is_match(name));
                let names: Vec<&String> = self.names.iter().filter(fits).collect();
                let at = names.iter().position(|name| *name == self.name()).map_or(0, |at| at + 1);
                self.name = names.get(at % names.len().max(1)).map(|name| (*name).clone()).or(self.name.take());
                return self.curve_effect();
            }
            Act::Overlay => {
                let Some(id) = self.run().map(|run| run.id) else { return Vec::new() };
                if self.overlaid.contains(&id) {
                    self.overlaid.retain(|other| *other != id);
                } else {
                    self.overlaid.push(id);
                }
                return self.curve_effect();
            }
            Act::Smooth => self.lens.smoothing = (self.lens.smoothing + 1) % SMOOTHING.len(),
            Act::Log => self.lens.log = !self.lens.log,
            Act::Axis => {
                let by = self.lens.by.next(self.points());
                self.lens = Lens { by, window: None, cursor: None, ..self.lens };
            }
            Act::Pan(right) => {
                let mut lens = self.lens;
                lens.pan(self.points(), right);
                self.lens = lens;
            }
            Act::Pin => {
                let name = self.name().to_string();
                if self.pinned.contains(&name) {
                    self.pinned.retain(|known| *known != name);
                } else if self.pinned.len() < PINS {
                    self.pinned.push(name);
                }
                return self.curve_effect();
            }
            Act::Search => self.searching = Some(Input::new(self.words.clone())),
            Act::Fit => (self.lens.window, self.lens.cursor) = (None, None),
            Act::Zoom(closer) => {
                let mut lens = self.lens;
                lens.zoom(self.points(), closer);
                self.lens = lens;
            }
            Act::Move(direction @ (Direction::Left | Direction::Right)) => {
                let mut lens = self.lens;
                lens.moved(self.points(), direction == Direction::Right);
                self.lens = lens;
            }
            Act::Move(direction) => {
                self.selected = moved(self.selected, self.runs.len(), direction);
                (self.lens.window, self.lens.cursor) = (None, None);
                return self.curve_effect();
            }
            _ => {}
        }
        Vec::new()
    }

    fn newest_checkpoint(&self) -> Option<&Checkpoint> {
        let run = self.run()?.id;
        self.checkpoints.iter().find(|checkpoint| checkpoint.run == run)
    }

    /// Runs are on the suite that is open.
    pub fn set_suite(&mut self, suite: &str) {
        self.suite = Some(suite.to_string());
    }

    /// What is in front, for the clipboard.
    pub fn copy(&self, json: bool) -> Option<String> {
        let run = self.run()?;
        if json {
            let points = self.points();
            return serde_json::to_string(&serde_json::json!({"run": run, "curve": self.name(), "points": points})).ok();
        }
        let line = |p: &MetricPoint| format!("{}\t{}\n", p.step, p.value.map_or(String::new(), |v| v.to_string()));
        Some(self.points().iter().map(line).collect())
    }
}
