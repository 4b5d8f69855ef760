//! Train, the state: is it learning, what does it cost, and is it better where it matters?

mod acts;
mod choices;
mod details;
mod evaluating;
mod fields;
mod filled;
mod form;
mod grid;
mod lists;
mod sides;
mod typing;
pub mod view;

use std::collections::{BTreeMap, HashMap};

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use tui_input::Input;

use crate::store::{Checkpoint, EvalRow, MetricPoint, RunRow, RunStatus};
use crate::train::{CheckpointFigures, Forecast, Objective, Plan, RunFigures};
use crate::tui::chart::{Lens, SMOOTHING};
use crate::tui::effect::{Effect, EvalOrder, JobCmd, JobKind, MindCmd, Notice, RunCmd, StoreCmd};
use crate::tui::jobs::Jobs;
use crate::tui::keys::Direction;
use crate::tui::screens::Pane;
use crate::tui::sheet::Sheet;
use crate::tui::theme::Theme;
pub use acts::{Act, KEYS};
pub use choices::Choices;
pub use sides::{About, Line, Lists, Side};
use typing::Form;

/// What Train is told.
#[derive(Debug)]
pub enum Msg {
    /// Runs, which of them are being trained by some process, checkpoints, evaluations.
    Runs(Vec<RunRow>, Vec<i64>, Vec<Checkpoint>, Vec<EvalRow>),
    /// A curve of a run, its updates after one if there is one.
    Curve(i64, String, Option<u64>, Vec<MetricPoint>),
    /// What lists of runs and checkpoints show, and the checkpoints that can be brought back.
    Figures(HashMap<i64, RunFigures>, Vec<CheckpointFigures>, Vec<Checkpoint>),
    /// The names of a run's curves, and what they say that a person should know.
    About(i64, Vec<String>, Vec<String>),
    /// What there is to be trained on.
    Choices(Choices),
    /// The run whose turn it is.
    Next(i64),
    /// Whether everything is there that is to play.
    Playable(Box<EvalOrder>, Result<(), String>),
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
    /// What of it is in front.
    pub side: Side,
    /// Whether one curve has all the room.
    pub large: bool,
    /// Runs and checkpoints in figures, and what is chosen among them.
    pub lists: Lists,
    /// The form over the screen.
    pub form: Option<Form>,
    /// The form before an evaluation.
    pub evaluating: Option<Sheet>,
    /// A line that is typed about a run or a checkpoint.
    pub line: Option<Line>,
    /// What there is to be trained on.
    pub choices: Choices,
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
    /// Runs that other processes train.
    pub elsewhere: Vec<i64>,
    /// The run that this program trains, or trained last.
    pub here: Option<i64>,
    /// It, while it is paused.
    pub paused: Option<i64>,
    ticks: u32,
}

impl State {
    /// The run in front.
    pub fn run(&self) -> Option<&RunRow> {
        self.runs.get(self.selected)
    }

    /// The curve that is shown.
    pub fn name(&self) -> &str {
        // What a run that plays optimises says less than how often it wins.
        let plays = self.run().is_some_and(|run| run.objective == Objective::Rl.as_str());
        self.name.as_deref().unwrap_or(if plays { "success" } else { "loss" })
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

    /// How a run stands.
    pub fn status(&self, run: &RunRow) -> &'static str {
        if self.paused == Some(run.id) { "paused" } else { run.status.as_str() }
    }

    /// The run that is trained here was paused, or goes on.
    pub fn pauses(&mut self, paused: bool) {
        self.paused = self.here.filter(|_| paused);
    }

    /// Puts a run that has just begun in front.
    pub fn follow(&mut self, run: i64) {
        self.name = None;
        self.lens.window = None;
        self.lens.cursor = None;
        self.wanted = Some(run);
        self.here = Some(run);
    }

    fn curve_effect(&self) -> Vec<Effect> {
        let front = self.run().map(|run| run.id);
        let others = self.overlaid.iter().copied().filter(|id| Some(*id) != front);
        let ids: Vec<i64> = front.into_iter().chain(others).collect();
        let curves = self.wanted_curves().into_iter().flat_map(|name| {
            let after = |id: &i64| RunCmd::Curve(*id, name.clone(), self.known_until(*id, &name));
            ids.iter().filter(|id| self.grows(**id, &name)).map(after).collect::<Vec<_>>()
        });
        curves
            .chain(front.map(RunCmd::About))
            .map(|command| Effect::Store(StoreCmd::Run(command)))
            .collect()
    }

    /// Takes in a message.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Runs(runs, alive, checkpoints, evaluations) => {
                let mut effects = self.of_others(&runs, &alive, &checkpoints);
                let stay = self.wanted.take().or_else(|| self.run().map(|run| run.id));
                self.runs = runs;
                self.alive = alive;
                self.forget_what_was_undone();
                let found = stay.and_then(|id| self.runs.iter().position(|run| run.id == id));
                self.selected = found.unwrap_or(self.selected);
                let saved = checkpoints.len() != self.checkpoints.len();
                self.checkpoints = checkpoints;
                self.lists.saved.stay_among(self.checkpoints.iter().map(|saved| saved.id));
                self.evaluations = evaluations;
                self.lists.played.stay_among(self.evaluations.iter().map(|eval| eval.id));
                if saved || self.side != Side::Curves {
                    effects.push(Effect::Store(StoreCmd::Run(RunCmd::Figures)));
                }
                self.selected = self.selected.min(self.runs.len().saturating_sub(1));
                effects.extend(self.curve_effect());
                return effects;
            }
            Msg::About(run, names, alerts) => {
                if self.run().is_some_and(|selected| selected.id == run) {
                    self.names = names;
                    self.alerts = alerts;
                }
            }
            Msg::Curve(run, name, after, points) => self.take_curve(run, name, after, points),
            Msg::Figures(runs, checkpoints, deleted) => {
                self.lists.runs = runs;
                self.lists.checkpoints = checkpoints.into_iter().map(|f| (f.id, f)).collect();
                self.lists.deleted = deleted;
            }
            Msg::Choices(choices) => {
                self.choices = choices;
                self.offer();
            }
            Msg::Playable(order, found) => return self.play(order, found),
            Msg::Next(run) => return vec![Effect::Job(JobCmd::Resume(run))],
            Msg::Forecast(plan, start, forecast) => {
                self.take_forecast(&plan, &start, forecast.map(|forecast| *forecast));
            }
        }
        Vec::new()
    }

    /// What became of runs that other processes trained: one that has ended is said to have, and
    /// its newest checkpoint answers from then on.
    fn of_others(&self, runs: &[RunRow], alive: &[i64], checkpoints: &[Checkpoint]) -> Vec<Effect> {
        let ended = |run: &&RunRow| self.elsewhere.contains(&run.id) && !alive.contains(&run.id);
        let said = |run: &RunRow| {
            let text = format!(
                "run {}, in the background, {} at update {}",
                run.id,
                run.status.as_str(),
                run.step
            );
            Effect::Say(Notice { text, bad: run.status == RunStatus::Failed })
        };
        let mut effects: Vec<Effect> = runs.iter().filter(ended).map(said).collect();
        // A process that came to the end of its run goes on with the queue itself.
        let broke = |run: &RunRow| run.status != RunStatus::Finished;
        let next = self.next_waiting().filter(|_| alive.is_empty());
        if let Some(next) = next.filter(|_| runs.iter().filter(ended).any(broke)) {
            effects.push(sides::say(format!("run {next}, which waited, starts now")));
            effects.push(Effect::Store(StoreCmd::Run(RunCmd::Next)));
        }
        let newest = |all: &[Checkpoint]| all.first().map(|saved| (saved.id, saved.run));
        let saved = newest(checkpoints).filter(|new| Some(*new) != newest(&self.checkpoints));
        if saved.is_some_and(|(_, run)| self.elsewhere.contains(&run)) {
            effects.push(Effect::Mind(MindCmd::Renew));
        }
        effects
    }

    /// Runs that other processes train, and how far each is.
    pub fn background(&self) -> Vec<String> {
        let runs = self.runs.iter().filter(|run| self.elsewhere.contains(&run.id));
        runs.map(|run| format!("run {} {}/{}", run.id, run.step, run.steps)).collect()
    }

    /// The run that waits longest.
    pub fn next_waiting(&self) -> Option<i64> {
        let waiting = self.runs.iter().filter(|run| run.status == RunStatus::Queued);
        waiting.map(|run| run.id).min()
    }

    fn stopped(&self, run: &RunRow) -> bool {
        run.status != RunStatus::Finished && !self.alive.contains(&run.id)
    }

    /// The run in front, if it waits for its turn.
    fn waiting(&self) -> Option<i64> {
        self.run().filter(|run| run.status == RunStatus::Queued).map(|run| run.id)
    }

    /// The run in front, if another process trains it.
    fn trained_elsewhere(&self, training: bool) -> Option<i64> {
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
        let here = jobs.contains_key(&JobKind::Train);
        self.elsewhere = if here { Vec::new() } else { self.alive.clone() };
        // Another program may start a run at any time, and end it while nobody looks here.
        let every = match (front, self.alive.is_empty()) {
            (true, true) if here => 1,
            (true, false) => 1,
            (false, false) => 4,
            (true, true) => 8,
            (false, true) => 20,
        };
        if self.ticks.is_multiple_of(every) { self.refresh() } else { Vec::new() }
    }

    fn is_typing(&self) -> bool {
        self.form.is_some()
            || self.searching.is_some()
            || self.evaluating.is_some()
            || self.line.is_some()
    }

    fn typing(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        self.type_key(key)
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        self.type_text(text)
    }

    fn next_panel(&mut self) {
        self.side = self.side.next();
    }

    fn go(&mut self, direction: Direction) -> Vec<Effect> {
        let (list, length) = match self.side {
            Side::Checkpoints => (&mut self.lists.saved, self.checkpoints.len()),
            Side::Evaluations => (&mut self.lists.played, self.evaluations.len()),
            Side::Curves | Side::Runs => {
                self.selected = direction.moved(self.selected, self.runs.len());
                self.lens.window = None;
                self.lens.cursor = None;
                return self.curve_effect();
            }
        };
        list.at = direction.moved(list.at, length);
        Vec::new()
    }

    fn copy(&self, json: bool) -> Option<String> {
        if self.side == Side::Evaluations {
            return serde_json::to_string(self.evaluation()?).ok();
        }
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
        if jobs.contains_key(&JobKind::Train) || !self.alive.is_empty() {
            theme.glyph("▸", ">").to_string()
        } else {
            String::new()
        }
    }

    fn draw(&self, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
        view::draw(self, theme, frame, area);
    }
}
