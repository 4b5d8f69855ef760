//! Study, what its keys do.

use tui_input::Input;

use super::State;
use crate::tui::effect::{Effect, JobCmd, JobKind, Notice, StudyCmd};
use crate::tui::keys::{Key, key};
use crate::tui::screens::Around;

/// What keys do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// What stands behind the figure under the cursor.
    Read,
    /// The episodes behind it.
    Episodes,
    /// A seed to the side.
    Seed(isize),
    /// Work at the study, from where it stands.
    Start,
    /// Pause the work, or let it go on.
    Pause,
    /// End the work; what is finished stays.
    Stop,
    /// Read a study's file.
    Add,
    /// The next study.
    Next,
    /// Write its page.
    Report,
}

/// The keys of this screen.
pub const KEYS: &[Key<Act>] = &[
    key("read", "enter", Act::Read, "read", "what stands behind the figure under the cursor"),
    key("episodes", "e", Act::Episodes, "episodes", "the games behind the figure, each to be read"),
    key("seed-left", "h left", Act::Seed(-1), "", "the seed before"),
    key("seed-right", "l right", Act::Seed(1), "seed", "the next seed"),
    key("start", "s", Act::Start, "start", "work at this study, from where it stands"),
    key("pause", "p", Act::Pause, "pause", "pause the work, or let it go on"),
    key("stop", "x", Act::Stop, "stop", "end the work: what is finished stays, s goes on"),
    key("add", "a", Act::Add, "add", "read a study's file"),
    key("next", "n", Act::Next, "next", "the next study"),
    key("report", "o", Act::Report, "report", "write results.jsonl, report.md and report.html"),
];

impl State {
    /// Whether a key means something now.
    pub fn applies(&self, act: Act, around: Around<'_>) -> bool {
        let runs = around.runs(JobKind::Study);
        match act {
            Act::Start => !runs && self.front().is_some(),
            Act::Pause | Act::Stop => runs,
            Act::Read | Act::Episodes | Act::Seed(_) | Act::Next | Act::Report => {
                self.front().is_some()
            }
            Act::Add => true,
        }
    }

    /// Does what a key means.
    pub fn act(&mut self, act: Act) -> Vec<Effect> {
        match act {
            Act::Read => match self.read() {
                Some((title, lines)) => vec![Effect::Show(title, lines)],
                None => vec![Effect::Say(Notice::info("nothing was played here yet".into()))],
            },
            Act::Episodes => {
                let none = "no episodes here: they are behind an arm's figure that was played here";
                let show = |behind| Effect::Study(StudyCmd::Episodes(behind));
                vec![self.behind().map_or_else(|| Effect::Say(Notice::info(none.into())), show)]
            }
            Act::Seed(by) => {
                let seeds = self.front().map_or(0, |study| study.design.seeds.len());
                self.seed = self.seed.saturating_add_signed(by).min(seeds.saturating_sub(1));
                Vec::new()
            }
            Act::Start => {
                let Some(study) = self.front() else { return Vec::new() };
                if let Some(job) = &study.doing {
                    let text = format!("another program works at it: {job}");
                    return vec![Effect::Say(Notice::info(text))];
                }
                if study.done.len() == study.jobs.len() {
                    return vec![Effect::Say(Notice::info("every job of it is finished".into()))];
                }
                vec![Effect::Job(JobCmd::Study(Box::new(study.design.clone())))]
            }
            Act::Pause => vec![Effect::Job(JobCmd::Pause(JobKind::Study))],
            Act::Stop => vec![Effect::Job(JobCmd::Stop(JobKind::Study))],
            Act::Add => {
                self.typed = Some(Input::new(self.path.clone()));
                Vec::new()
            }
            Act::Next => self.turn(),
            Act::Report => {
                let name = self.front().map(|study| study.design.name.clone());
                name.map(|name| Effect::Study(StudyCmd::Report(name))).into_iter().collect()
            }
        }
    }
}
