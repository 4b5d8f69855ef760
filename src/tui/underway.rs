//! The jobs that run behind the screens, as the interface knows them.

use super::app::App;
use super::effect::{DeskCmd, Effect, Kind, MindCmd, Notice, RunCmd};
use super::msg::JobMsg;
use crate::control::Progress;
use crate::error::Error;

/// A running job.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Job {
    /// How far it is.
    pub progress: Option<Progress>,
    /// Whether it is paused.
    pub paused: bool,
}

impl App {
    /// Takes in what a job says.
    pub(super) fn job(&mut self, kind: Kind, msg: JobMsg) -> Vec<Effect> {
        match msg {
            JobMsg::Started => {
                self.jobs.insert(kind, Job::default());
                Vec::new()
            }
            JobMsg::Progress(progress) => {
                self.jobs.entry(kind).or_default().progress = Some(progress);
                Vec::new()
            }
            JobMsg::Paused(paused) => {
                self.jobs.entry(kind).or_default().paused = paused;
                Vec::new()
            }
            JobMsg::Run(run) => {
                self.train.follow(run);
                vec![Effect::Desk(DeskCmd::Run(RunCmd::List))]
            }
            JobMsg::Saved(words) => {
                self.say(Notice::info(format!("{words}; it answers in Explore now")));
                vec![Effect::Mind(MindCmd::Load(None)), Effect::Desk(DeskCmd::Run(RunCmd::List))]
            }
            JobMsg::Ended(result) => {
                self.jobs.remove(&kind);
                // Who stops a run does not want the next one to start.
                let stopped = result.as_ref().is_err_and(Error::is_cancelled);
                match result {
                    Ok(text) => self.say(Notice::info(text)),
                    Err(error) if error.is_cancelled() => {
                        self.say(Notice::info(format!("{kind:?} stopped; nothing is lost")));
                    }
                    Err(error) => self.say(Notice::error(&error)),
                }
                let mut effects = self.refresh();
                effects.extend((kind == Kind::Train && !stopped).then_some(Effect::Desk(DeskCmd::Run(RunCmd::Next))));
                effects
            }
        }
    }
}
