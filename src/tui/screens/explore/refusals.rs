//! Explore, which keys mean something now, and what is answered where one does not.

use super::panels::Panel;
use super::{Act, State};
use crate::tui::effect::{Effect, JobKind, Notice};
use crate::tui::screens::Around;

/// Something to be read below the screen.
pub(super) fn say(text: String) -> Vec<Effect> {
    vec![Effect::Say(Notice::info(text))]
}

impl State {
    /// Whether a key means something now.
    pub fn applies(&self, act: Act, around: Around<'_>) -> bool {
        (act != Act::Collect || !around.runs(JobKind::Collect)) && self.why_not(act).is_none()
    }

    /// What is answered to a key that means nothing now.
    pub fn refuse(&self, act: Act) -> Vec<Effect> {
        let collecting = || "games are being collected: J shows how far that is".to_string();
        say(self.why_not(act).unwrap_or_else(collecting))
    }

    /// Why a key means nothing now, and what to do instead.
    fn why_not(&self, act: Act) -> Option<String> {
        let Some(view) = &self.view else {
            let plays = matches!(
                act,
                Act::StepExpert | Act::Alternative(_) | Act::TakeSelected | Act::Back | Act::Keep
            );
            return plays.then(|| "no task is open yet".into());
        };
        let hidden = || Some("what expert and model say is hidden: H shows it".into());
        let over = || Some("the episode is over here: u goes back, ] opens the next task".into());
        let silent = || {
            Some(match &view.silence {
                Some(why) => format!("{} is silent here ({why}): e lets another speak", view.asked),
                None => "you are the expert here: e lets another speak".into(),
            })
        };
        match act {
            Act::StepExpert | Act::TakeSelected if self.elsewhere().is_some() => None,
            Act::StepExpert
            | Act::More
            | Act::TakeSelected
            | Act::Type
            | Act::Prompt
            | Act::Reflect
                if view.done =>
            {
                over()
            }
            Act::StepExpert | Act::Alternative(_) | Act::GoOn | Act::ExpertGoesOn
                if self.hidden =>
            {
                hidden()
            }
            Act::TakeSelected if self.hidden && self.panel == Panel::WhatIf => hidden(),
            Act::StepExpert | Act::Reflect if view.expert.is_none() => silent(),
            Act::Alternative(_) | Act::GoOn | Act::ExpertGoesOn if self.chosen.is_empty() => {
                if view.done { over() } else { Some("no alternative is chosen here yet".into()) }
            }
            Act::Reflect if self.outcomes.is_empty() => {
                Some("nothing was executed here yet that a reflection could cite".into())
            }
            Act::Back if view.depth == 0 => Some("this is the start of the task".into()),
            Act::Keep if !view.success => {
                Some("the goal is not reached here: play on, then K keeps the episode".into())
            }
            _ => None,
        }
    }
}
