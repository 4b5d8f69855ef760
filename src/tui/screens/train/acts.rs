//! Train, what its keys do.

use tui_input::Input;

use super::State;
use super::sides::{Side, say};
use crate::explore::{CompareModels, View};
use crate::tui::chart::{Lens, SMOOTHING};
use crate::tui::effect::{Effect, EvalCmd, JobCmd, JobKind, MindCmd, RunCmd, StoreCmd};
use crate::tui::keys::{Key, key};
use crate::tui::screens::Around;

/// Curves that can be pinned.
const PINS: usize = 3;

/// What keys do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Start a run.
    Start,
    /// Start a run of reinforcement learning.
    Play,
    /// Fill the form in with the run in front.
    Again,
    /// Pause or go on.
    Pause,
    /// Stop cleanly.
    Stop,
    /// Go on with what stopped.
    Resume,
    /// Evaluate now.
    Evaluate,
    /// One curve with all the room, or all in a grid.
    Large,
    /// Name a run or a checkpoint.
    Name,
    /// Words to find a run by.
    Tags,
    /// A note on a run or a checkpoint.
    Note,
    /// How two plans differ.
    Differ,
    /// Delete checkpoints.
    Delete,
    /// Bring back what was deleted last.
    BringBack,
    /// Delete what nothing needs of a run's checkpoints.
    Prune,
    /// Curves as files.
    Export,
    /// Load a checkpoint into Explore.
    Use,
    /// Next curve.
    Metric,
    /// The cursor to a later value (or an earlier one).
    Cursor(bool),
    /// Zoom in (or out).
    Zoom(bool),
    /// What is in view moved right (or left).
    Pan(bool),
    /// Keep a curve in view, or no longer.
    Pin,
    /// Look for text.
    Search,
    /// Everything in view again.
    Fit,
    /// Smoothing of the curve.
    Smooth,
    /// Logarithmic axis, or linear.
    Log,
    /// What the horizontal axis counts.
    Axis,
    /// What start and newest checkpoint make of the state that is open in Explore.
    BeforeAfter,
    /// Lay the selected run's curve over the others, or take it off.
    Overlay,
}

/// The keys of this screen.
pub const KEYS: &[Key<Act>] = &[
    key(
        "train",
        "t",
        Act::Start,
        "train",
        "start a run, or queue it behind the one under way: objective, data, start, learning rate, \
         LoRA, validation in a form",
    ),
    key(
        "play",
        "R",
        Act::Play,
        "",
        "rl, reinforcement learning: the same form, set to play and learn from that",
    ),
    key(
        "again",
        "A",
        Act::Again,
        "again",
        "the selected run once more, with whatever you change: its settings are filled in",
    ),
    key("pause", "p", Act::Pause, "pause", "pause the run, or let it go on"),
    key(
        "stop",
        "x",
        Act::Stop,
        "stop",
        "stop cleanly: the run is saved and can go on later; take a run that waits out of the \
         queue",
    ),
    key(
        "resume",
        "r",
        Act::Resume,
        "resume",
        "go on with the selected run from its last checkpoint",
    ),
    key(
        "evaluate",
        "v",
        Act::Evaluate,
        "evaluate",
        "let checkpoints (or other models) play the same games: how many, which, how",
    ),
    key(
        "use",
        "w",
        Act::Use,
        "use",
        "let the chosen checkpoint (or the selected run's newest) answer in Explore",
    ),
    key("curve", "m", Act::Metric, "curve", "the next curve"),
    key(
        "large",
        "enter",
        Act::Large,
        "large",
        "the chosen curve alone, or all in a grid; an evaluation by kind of task, with its episodes",
    ),
    key("name", "n", Act::Name, "", "name the run or checkpoint in front"),
    key("tags", "#", Act::Tags, "", "words to find the run by"),
    key("note", "N", Act::Note, "", "a note on the run or checkpoint in front"),
    key(
        "differ",
        "d",
        Act::Differ,
        "",
        "how the plans of this run and the one laid over it differ",
    ),
    key(
        "delete",
        "D",
        Act::Delete,
        "",
        "delete the chosen checkpoints; their files stay for a day, and u brings them back",
    ),
    key("bring-back", "u", Act::BringBack, "", "bring back the checkpoint that was deleted last"),
    key(
        "delete-unneeded",
        "C",
        Act::Prune,
        "",
        "delete the run's checkpoints that nothing needs: all but the best, the newest, ends of \
         stages, and those in use",
    ),
    key("export", "X", Act::Export, "", "the run's curves as CSV and as TensorBoard events"),
    key("left", "h left", Act::Cursor(false), "", "the cursor to an earlier value"),
    key("right", "l right", Act::Cursor(true), "cursor", "the cursor to a later value"),
    key("zoom-in", "+ =", Act::Zoom(true), "zoom", "zoom in around the cursor"),
    key("zoom-out", "-", Act::Zoom(false), "", "zoom out"),
    key("pan-right", "]", Act::Pan(true), "", "what is zoomed in moved on by a quarter"),
    key("pan-left", "[", Act::Pan(false), "", "what is zoomed in moved back by a quarter"),
    key(
        "pin",
        "P",
        Act::Pin,
        "pin",
        "keep this curve in view below the others (three at most), or no longer",
    ),
    key(
        "search",
        "/",
        Act::Search,
        "",
        "only curves whose names fit this regular expression; m goes through them",
    ),
    key("fit", "0", Act::Fit, "", "everything in view again, without a cursor"),
    key("smooth", "s", Act::Smooth, "smooth", "smoothing: none, 0.9, 0.98"),
    key("log", "i", Act::Log, "log", "logarithmic or linear values"),
    key("axis", "a", Act::Axis, "axis", "by update, by minutes, by tokens"),
    key(
        "before-after",
        "b",
        Act::BeforeAfter,
        "before/after",
        "compare what the run's start and its newest checkpoint make of the state open in Explore; \
         compare two marked evaluations",
    ),
    key(
        "overlay",
        "space",
        Act::Overlay,
        "overlay",
        "lay the selected run's curve over the others, or take it off; mark a checkpoint or an \
         evaluation",
    ),
];

impl State {
    /// Whether a key means something now.
    pub fn applies(&self, act: Act, around: Around<'_>) -> bool {
        let training = around.runs(JobKind::Train);
        match act {
            Act::Evaluate => !around.runs(JobKind::Evaluate),
            Act::Pause => training,
            Act::Stop => {
                training || self.trained_elsewhere(training).is_some() || self.waiting().is_some()
            }
            Act::Resume => {
                !training
                    && self.alive.is_empty()
                    && self.run().is_some_and(|run| self.stopped(run))
            }
            Act::BeforeAfter if self.side == Side::Evaluations => self.evaluations.len() > 1,
            Act::Use | Act::BeforeAfter => !self.chosen().is_empty(),
            Act::Delete | Act::Prune => {
                self.side == Side::Checkpoints && self.checkpoint().is_some()
            }
            Act::BringBack => self.side == Side::Checkpoints,
            Act::Name | Act::Note => self.named().is_some(),
            Act::Tags => self.is_of_runs() && self.run().is_some(),
            Act::Differ => self.is_of_runs() && self.runs.len() > 1,
            Act::Overlay | Act::Large => {
                self.run().is_some() || self.checkpoint().is_some() || self.evaluation().is_some()
            }
            Act::Pan(_) => self.lens.window.is_some(),
            Act::Again
            | Act::Export
            | Act::Metric
            | Act::Smooth
            | Act::Log
            | Act::Axis
            | Act::Zoom(_)
            | Act::Fit
            | Act::Pin => self.run().is_some(),
            _ => true,
        }
    }

    /// Whether what is in front is a run.
    fn is_of_runs(&self) -> bool {
        matches!(self.side, Side::Curves | Side::Runs)
    }

    /// Does what a key means.
    pub fn act(&mut self, act: Act, around: Around<'_>) -> Vec<Effect> {
        let training = around.runs(JobKind::Train);
        match act {
            // Two runs at once would halve each other.
            Act::Start => return self.open_form(training || !self.alive.is_empty(), None),
            Act::Play => return self.open_play(training || !self.alive.is_empty()),
            Act::Again => {
                let again = self.run().cloned();
                return self.open_form(training || !self.alive.is_empty(), again);
            }
            Act::Pause => return vec![Effect::Job(JobCmd::Pause(JobKind::Train))],
            Act::Stop => {
                if let Some(run) = self.waiting() {
                    return vec![Effect::Store(StoreCmd::Run(RunCmd::Unqueue(run)))];
                }
                let elsewhere = self
                    .trained_elsewhere(training)
                    .map(|id| Effect::Store(StoreCmd::Run(RunCmd::StopElsewhere(id))));
                return vec![elsewhere.unwrap_or(Effect::Job(JobCmd::Stop(JobKind::Train)))];
            }
            Act::Resume => {
                let resume = self.run().map(|run| Effect::Job(JobCmd::Resume(run.id)));
                return resume.into_iter().collect();
            }
            Act::Use => {
                let chosen = self.chosen();
                let load = chosen.first().map(|saved| MindCmd::Load(Some(saved.id.to_string())));
                return load.map(Effect::Mind).into_iter().collect();
            }
            Act::BeforeAfter if self.side == Side::Evaluations => return self.difference(),
            Act::BeforeAfter => return self.compare(around.open),
            Act::Metric => {
                self.next_curve();
                return self.curve_effect();
            }
            Act::Overlay => return self.overlay(),
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
            Act::Fit => {
                self.lens.window = None;
                self.lens.cursor = None;
            }
            Act::Zoom(closer) => {
                let mut lens = self.lens;
                lens.zoom(self.points(), closer);
                self.lens = lens;
            }
            Act::Cursor(later) => {
                let mut lens = self.lens;
                lens.moved(self.points(), later);
                self.lens = lens;
            }
            Act::Evaluate => return self.open_evaluation(),
            Act::Large if self.side == Side::Evaluations => {
                let id = self.evaluation().map(|eval| eval.id);
                let told =
                    id.map(|id| Effect::Store(StoreCmd::Run(RunCmd::Eval(EvalCmd::Told(id)))));
                return told.into_iter().collect();
            }
            Act::Large => {
                self.large = !self.large;
                return self.curve_effect();
            }
            Act::Name => self.write_about(Self::named),
            Act::Tags => self.write_about(Self::tagged),
            Act::Note => self.write_about(Self::noted),
            Act::Differ => return self.differ(),
            Act::Delete => return self.delete(),
            Act::BringBack => return self.bring_back(),
            Act::Prune => {
                let run = self.checkpoint().map(|saved| saved.run);
                let prune = run.map(|run| Effect::Store(StoreCmd::Run(RunCmd::Prune(run))));
                return prune.into_iter().collect();
            }
            Act::Export => {
                let run = self.run().map(|run| run.id);
                let export = run.map(|run| Effect::Store(StoreCmd::Run(RunCmd::Curves(run))));
                return export.into_iter().collect();
            }
        }
        Vec::new()
    }

    /// Marks the checkpoint in front, or lays the run in front over others; or no longer.
    fn overlay(&mut self) -> Vec<Effect> {
        let marked = match self.side {
            Side::Checkpoints => {
                self.checkpoint().map(|saved| saved.id).map(|id| (id, &mut self.lists.saved))
            }
            Side::Evaluations => {
                self.evaluation().map(|eval| eval.id).map(|id| (id, &mut self.lists.played))
            }
            Side::Curves | Side::Runs => None,
        };
        if let Some((id, list)) = marked {
            list.toggle(id);
            return Vec::new();
        }
        let Some(id) = self.run().map(|run| run.id) else { return Vec::new() };
        if self.overlaid.contains(&id) {
            self.overlaid.retain(|other| *other != id);
        } else {
            self.overlaid.push(id);
        }
        self.curve_effect()
    }

    /// Two checkpoints, or the start of a run and one of its checkpoints, on the state that is open
    /// in Explore.
    fn compare(&self, open: Option<&View>) -> Vec<Effect> {
        let chosen = self.chosen();
        let (Some(open), Some(last)) = (open, chosen.first()) else {
            return vec![say("no state is open in Explore to compare them on".into())];
        };
        // The newest first: of two that are marked the older one is before.
        let start = self.runs.iter().find(|run| run.id == last.run).map(|run| run.start.clone());
        let before = chosen.get(1).map(|saved| saved.id.to_string()).or(start);
        let compared = CompareModels {
            before: before.unwrap_or_else(|| "embedded".into()),
            after: last.id.to_string(),
            state: open.state.clone(),
            actions: open.admissible.clone(),
            expert: open.expert.as_ref().map(|(_, advice)| advice.action.clone()),
        };
        vec![Effect::Mind(MindCmd::Compare(Box::new(compared)))]
    }

    /// How two evaluations differ: those that are marked, the older one first; of one, it and the
    /// one in front.
    fn difference(&self) -> Vec<Effect> {
        let mut ids = self.lists.played.marked.clone();
        if ids.len() == 1 {
            ids.extend(self.evaluation().map(|eval| eval.id));
        }
        let ids: Vec<i64> = ids.into_iter().collect();
        let [a, b] = ids[..] else {
            return vec![say("space marks evaluations: two can be held against each other".into())];
        };
        vec![Effect::Store(StoreCmd::Run(RunCmd::Eval(EvalCmd::Difference(a, b))))]
    }

    /// Goes on to the next curve whose name is wanted.
    fn next_curve(&mut self) {
        let names = self.listed();
        let at = names.iter().position(|name| name == self.name()).map_or(0, |at| at + 1);
        let next = names.get(at % names.len().max(1)).cloned();
        self.name = next.or(self.name.take());
    }
}
