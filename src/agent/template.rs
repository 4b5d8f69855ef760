//! A reflection written by rule from the executed outcomes: deterministic, and possible with no
//! model.
//!
//! It follows the leak-safe profile: it speaks of what the agent can know in this state and of what
//! it *expects*; the outcomes decide what is worth saying, but none is told as if it had been seen,
//! and nothing is called the expert's.

use super::{Case, Reflector};
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::experience::{ActionEffect, Branch, State};
use crate::model::sampler::Sampling;
use crate::rng::Rng;

/// The template writer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Template;

impl Reflector for Template {
    fn generator(&self) -> String {
        "template".into()
    }

    fn sees_outcomes(&self) -> bool {
        true
    }

    fn reflect(&mut self, cases: &[(&Case, u64)], _: Sampling, _: &Cancel) -> Result<Vec<String>> {
        cases.iter().map(|(case, seed)| self.write(case, *seed)).collect()
    }
}

impl Template {
    /// The monologue about one case.
    pub fn write(self, case: &Case, seed: u64) -> Result<String> {
        if case.alternatives.is_empty() {
            return Err(Error::new("UNEXECUTED: a reflection needs an executed alternative"));
        }
        let mut rng = Rng::stream(seed, &case.action);
        let mut pick =
            |choices: &[&str]| rng.pick(choices).map_or(String::new(), |c| (*c).to_string());
        let mut text = format!(
            "{} {}.",
            pick(&["The task is to", "I need to", "My goal is to"]),
            goal(&case.state.task)
        );
        if let Some(held) = holding(&case.state) {
            text.push_str(&format!(" I hold {held}."));
        }
        let worse: Vec<&Branch> =
            case.alternatives.iter().filter(|other| !promising(other, case)).collect();
        for other in distinct(&worse) {
            let sentence = match other.effect {
                ActionEffect::NoOp => {
                    pick(&["would change nothing here", "should leave everything as it is"])
                }
                ActionEffect::Error => {
                    pick(&["is not possible here", "should not work from this place"])
                }
                ActionEffect::SameAsExpert | ActionEffect::EquallyGood | ActionEffect::NoWorse => {
                    continue;
                }
                ActionEffect::Ends if other.success => continue,
                ActionEffect::Changed | ActionEffect::Ends => {
                    cost(other, &case.action, &case.state)
                }
            };
            // A bare command ("inventory", "help") is no verb that a sentence could be built on.
            let bare = !other.action.contains(' ') && other.action != "look";
            let doing =
                if bare { format!("\"{}\"", other.action) } else { format!("To {}", other.action) };
            text.push_str(&format!(" {doing} {sentence}."));
        }
        let purpose = purpose(&case.action, &case.state);
        text.push_str(&format!(
            " {} {}{purpose}.",
            pick(&["So I should", "Better to", "I will"]),
            case.action
        ));
        Ok(text)
    }
}

/// The task as it reads after "the task is to".
fn goal(task: &str) -> &str {
    task.trim().trim_end_matches('.')
}

/// What the history says is in hand: the last thing lifted that was not put down.
pub(crate) fn holding(state: &State) -> Option<String> {
    let mut held = None;
    for (action, observation) in &state.history {
        let words: Vec<&str> = action.split_whitespace().collect();
        match words.first() {
            Some(&("grab" | "take")) if !observation.starts_with("Nothing happens") => {
                held = Some(format!("the {}", words.get(1..3)?.join(" ")));
            }
            Some(&("leave" | "move" | "put")) if !observation.starts_with("Nothing happens") => {
                held = None;
            }
            _ => {}
        }
    }
    held
}

/// At most three alternatives, one for each verb: a list of every one would bury the decision.
fn distinct<'a>(alternatives: &[&'a Branch]) -> Vec<&'a Branch> {
    let mut seen: Vec<&str> = Vec::new();
    let mut kept = Vec::new();
    for branch in alternatives {
        let verb = branch.action.split_whitespace().next().unwrap_or_default();
        if !seen.contains(&verb) && kept.len() < 3 {
            seen.push(verb);
            kept.push(*branch);
        }
    }
    kept
}

/// Why an alternative that changes the world is worse, as far as its kind tells.
fn cost(other: &Branch, action: &str, state: &State) -> String {
    let verb = |text: &str| text.split_whitespace().next().unwrap_or_default().to_string();
    match verb(&other.action).as_str() {
        "walk" | "go" if looked_at(&other.action, state) => {
            "would lead back to where I have looked already".into()
        }
        "walk" | "go" if verb(action) == verb(&other.action) => {
            "seems a less likely place for what I need".into()
        }
        "walk" | "go" => "would take me away before I am done here".into(),
        "shut" | "close" => "would hide what I may still need".into(),
        "leave" | "move" | "put" => "would put down what I still need".into(),
        "grab" | "take" => "would fill my hands with something else".into(),
        "open" => "would cost a step without need".into(),
        _ => "would not bring me closer".into(),
    }
}

/// Where an action walks to, if it does.
pub(crate) fn walks_to(action: &str) -> Option<&str> {
    action.strip_prefix("go to ").or_else(|| action.strip_prefix("walk to "))
}

/// Whether the place that an action walks to was walked to before.
fn looked_at(action: &str, state: &State) -> bool {
    walks_to(action).is_some() && state.history.iter().any(|(before, _)| before == action)
}

/// A thing that the task names and that was last seen where a walk leads.
fn seen_there(action: &str, state: &State) -> Option<String> {
    let place = walks_to(action)?;
    let (_, observation) = state.history.iter().rev().find(|(before, _)| before == action)?;
    thing_of(&state.task, observation, place)
}

/// The first numbered thing in an observation whose noun the task names ("pencil 1"), the place
/// itself aside.
pub(crate) fn thing_of(task: &str, observation: &str, place: &str) -> Option<String> {
    let words: Vec<&str> =
        observation.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let named = |noun: &str| task.split(|c: char| !c.is_alphanumeric()).any(|word| word == noun);
    let numbered = words
        .windows(2)
        .filter(|pair| pair[1].chars().all(|c| c.is_ascii_digit()) && named(pair[0]));
    numbered.map(|pair| pair.join(" ")).find(|thing| thing != place)
}

/// Whether empty hands find there what the task names, which where the expert goes is not to be
/// found. Read in ALFWorld: an expert that does not know better walks past it, and nothing true can
/// be said against the other way.
pub(crate) fn promising(other: &Branch, case: &Case) -> bool {
    let thing = |action: &str, outcome: &str| {
        let place = walks_to(action)?;
        thing_of(&case.state.task, outcome, place).filter(|thing| !thing.contains("lamp"))
    };
    holding(&case.state).is_none()
        && thing(&other.action, &other.observation).is_some()
        && thing(&case.action, &case.outcome).is_none()
        && seen_there(&case.action, &case.state).is_none()
}

/// What the action is for, in the anticipatory voice.
fn purpose(action: &str, state: &State) -> String {
    let verb = action.split_whitespace().next().unwrap_or_default();
    if let (None, Some(thing)) = (holding(state), seen_there(action, state)) {
        return format!(", since I saw the {thing} there");
    }
    let reason = match verb {
        "walk" | "go" if holding(state).is_some() => {
            "since the next thing to do with it is done there"
        }
        "walk" | "go" if looked_at(action, state) => "since what I need may be there after all",
        "walk" | "go" => "since I have not looked there yet",
        "open" => "to see what is inside",
        "grab" | "take" => "because the task needs it",
        "rinse" | "clean" | "warm" | "heat" | "chill" | "cool" => {
            "because the task asks for that first"
        }
        "leave" | "move" | "put" => "because that is where it belongs",
        // With empty hands, light alone finishes nothing: read in ALFWorld, where experts may
        // switch it on first.
        "switch" | "use" if holding(state).is_some() => "which should finish the task",
        "switch" | "use" => "so that there is light once I hold what I need",
        _ => return String::new(),
    };
    format!(", {reason}")
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
