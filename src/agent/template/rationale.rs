//! A control: a text of the same length before the same action, without any alternative.

use super::words::{self, Forms};
use super::{Template, Text, about, is_command};
use crate::agent::{Case, Reflector};
use crate::control::Cancel;
use crate::error::Result;
use crate::experience::RATIONALE;
use crate::model::sampler::Sampling;
use crate::rng::Rng;

use super::act::Act;
use super::evidence::Contrast;

/// Writes a rationale of the expert's action wherever [`Template`] writes a reflection, about as
/// long: what the task is, what was done so far, what the action is for. It is shown no outcome, of
/// no action: what differs from a reflection is what the executed alternatives showed (the paper's
/// comparison with `STaR`, table 4, without a model's mistakes).
#[derive(Debug, Clone, Copy, Default)]
pub struct Rationale;

/// What can be said in any state, and argues for nothing.
const FILLERS: Forms = &[
    "I keep the task in mind.",
    "One step has to come after the other.",
    "There may be more to be done after this.",
    "I go about it step by step.",
    "Every step should serve the task.",
    "I think about what comes next.",
    "I look at where I am now.",
    "The task is not finished yet.",
    "I want to finish the task in a few steps.",
    "It is good to know what to do next.",
];

/// How a step that was taken is told.
const DONE: Forms =
    &["Before this I did {step}.", "Earlier on I chose {step}.", "I have done {step}."];

impl Reflector for Rationale {
    fn generator(&self) -> String {
        format!("{RATIONALE}template")
    }

    fn sees_outcomes(&self) -> bool {
        false
    }

    fn has_contrast(&self, case: &Case) -> bool {
        Template.has_contrast(case)
    }

    fn reflect(&mut self, cases: &[(&Case, u64)], _: Sampling, _: &Cancel) -> Result<Vec<String>> {
        cases.iter().map(|(case, seed)| Self::write(case, *seed)).collect()
    }
}

impl Rationale {
    /// The text about one case, as long as what [`Template`] writes with the same seed.
    fn write(case: &Case, seed: u64) -> Result<String> {
        let length = Template.write(case, seed)?.len();
        let unseen = Case {
            outcome: String::new(),
            alternatives: Vec::new(),
            others: Vec::new(),
            ..case.clone()
        };
        let contrast = Contrast::of(&unseen);
        let blank = |part: &str| Text {
            rng: Rng::stream(seed, &format!("rationale {part} {}", case.action)),
            said: String::new(),
        };
        let mut last = blank("end");
        let names = contrast.situation.as_ref().map(about).unwrap_or_default();
        let act = Act::of(&case.action);
        let forms = contrast
            .situation
            .as_ref()
            .map_or(&[""][..], |now| words::purpose(now, &contrast.gain, act, false));
        let purpose = last.pick(forms, &names);
        last.say(words::CONCLUSIONS, &[("action", case.action.clone()), ("purpose", purpose)]);
        let mut text = blank("beginning");
        let task = case.state.task.trim().trim_end_matches('.');
        let goals = if is_command(task) { words::GOALS } else { words::STATED_GOALS };
        text.say(goals, &[("goal", task.to_string())]);
        if contrast.situation.as_ref().is_some_and(|now| now.held.is_some()) {
            text.say(words::HELD, &names);
        }
        let mut more: Vec<String> = FILLERS.iter().map(ToString::to_string).collect();
        let steps = case.state.history.iter().map(|(action, _)| action);
        more.extend(steps.map(|step| text.pick(DONE, &[("step", format!("\"{step}\""))])));
        text.rng.shuffle(&mut more);
        for sentence in more {
            // Whatever comes nearer to the length, the conclusion still to come.
            let left = length.saturating_sub(text.said.len() + last.said.len() + 2);
            if left >= sentence.len() / 2 {
                text.add(&sentence);
            }
        }
        Ok(format!("{} {}", text.said, last.said))
    }
}
