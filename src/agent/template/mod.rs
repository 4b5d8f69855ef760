//! A reflection written by rule from the executed outcomes: deterministic, and possible with no
//! model.
//!
//! It follows the leak-safe profile: it speaks of what the agent can know in this state and of what
//! it *expects*. What it expects is what executing the actions showed (`evidence`): it says of an
//! alternative only what its outcome or the history bears out, in words that could stand before it,
//! without the numbers that nobody could know; and it calls nothing the expert's. Where nothing
//! tells the actions apart it says so, and no more.

mod act;
mod evidence;
mod goal;
mod rationale;
mod shop;
mod situation;
mod words;

use std::mem::discriminant;

use super::{Case, Reflector};
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::model::sampler::Sampling;
use crate::rng::Rng;
use crate::text;
pub(crate) use act::Act;
use evidence::{Claim, Contrast};
pub use evidence::{is_read, leaves_behind, promising};
use goal::Care;
pub(crate) use goal::Goal;
pub use rationale::Rationale;
pub use shop::{is_shop, missed};
use situation::{Need, Situation};
use words::Forms;
pub use words::NO_CONTRAST;

/// The template writer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Template;

/// Arguments in a text at most: a list of every one would bury the decision.
const ARGUMENTS: usize = 3;

impl Reflector for Template {
    fn generator(&self) -> String {
        "template".into()
    }

    fn sees_outcomes(&self) -> bool {
        true
    }

    fn has_contrast(&self, case: &Case) -> bool {
        if shop::is_shop(case) { shop::has_contrast(case) } else { Contrast::of(case).tells() }
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
        if shop::is_shop(case) {
            return Ok(shop::write(case, seed));
        }
        let contrast = Contrast::of(case);
        let mut text = Text { rng: Rng::stream(seed, &case.action), said: String::new() };
        let task = case.state.task.trim().trim_end_matches('.');
        let goal = [("goal", task.to_string())];
        text.say(if is_command(task) { words::GOALS } else { words::STATED_GOALS }, &goal);
        let about = contrast.situation.as_ref().map(about).unwrap_or_default();
        if contrast.situation.as_ref().is_some_and(|now| now.held.is_some()) {
            text.say(words::HELD, &about);
        }
        let claims = if contrast.tells() { distinct(&contrast) } else { Vec::new() };
        for (action, claim) in &claims {
            let now = contrast.situation.as_ref().map(|now| now.need);
            let more = now.map_or(&[][..], |need| words::against_now(claim, need));
            let forms = if more.is_empty() { words::against(claim) } else { more };
            text.say(forms, &[&of_claim(action, claim)[..], &about].concat());
        }
        if claims.is_empty() {
            text.say(words::NO_CONTRAST, &[]);
        }
        let act = Act::of(&case.action);
        let has_seen = contrast.situation.as_ref().and_then(|now| seen_there(now, act));
        let purpose = contrast
            .situation
            .as_ref()
            .map_or(&[""][..], |now| words::purpose(now, &contrast.gain, act, has_seen.is_some()));
        let mut last = about;
        last.push(("thing", has_seen.unwrap_or_default()));
        let purpose = text.pick(purpose, &last);
        let action = case.action.clone();
        text.say(words::CONCLUSIONS, &[("action", action), ("purpose", purpose)]);
        Ok(text.said)
    }
}

/// What stands for the names in braces.
type Names = [(&'static str, String)];

/// A text as it is written.
struct Text {
    rng: Rng,
    said: String,
}

impl Text {
    /// One of some forms, filled in.
    fn pick(&mut self, forms: Forms, names: &Names) -> String {
        let mut text = self.rng.pick(forms).map_or(String::new(), |form| (*form).to_string());
        for (name, value) in names {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    /// One of some sentences.
    fn say(&mut self, forms: Forms, names: &Names) {
        let sentence = self.pick(forms, names);
        self.add(&sentence);
    }

    /// A sentence as it is, but for its first letter.
    fn add(&mut self, sentence: &str) {
        if !self.said.is_empty() {
            self.said.push(' ');
        }
        let mut letters = sentence.chars();
        self.said.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        self.said.push_str(letters.as_str());
    }
}

/// Whether a task reads after "the task is to".
fn is_command(task: &str) -> bool {
    let first = task.split_whitespace().next().unwrap_or_default();
    !matches!(first, "a" | "an" | "both" | "the" | "some")
}

/// What a situation is spoken of with.
fn about(now: &Situation) -> Vec<(&'static str, String)> {
    let sought = if now.need == Need::Lamp { "lamp" } else { &now.goal.thing };
    let held = now.held.as_ref().map_or(String::new(), |held| format!("the {held}"));
    let care = match now.need {
        Need::Care(care) => Some(care),
        _ => now.goal.care,
    };
    let home = now.goal.place.clone().unwrap_or_default();
    let help = match now.need {
        Need::Thing => format!("to get {}", article(sought)),
        Need::Care(care) => format!("to have {held} {}", care.to_be()),
        Need::Place => format!("to bring {held} where it belongs"),
        Need::Lamp => format!("to hold {held} in the light"),
    };
    vec![
        ("one", article(sought)),
        ("sought", sought.to_string()),
        ("held", held),
        ("home", home),
        ("done", care.map_or("", Care::done).to_string()),
        ("cared", care.map_or("", Care::to_be).to_string()),
        ("help", help),
    ]
}

/// What a claim about an action is spoken of with.
fn of_claim(action: &str, claim: &Claim) -> Vec<(&'static str, String)> {
    let place = match Act::of(action) {
        Act::Walk(place) | Act::Open(place) | Act::Shut(place) | Act::Put(_, place) => place,
        _ => ("", ""),
    };
    // A bare command ("inventory", "help") is no verb that a sentence could be built on.
    let is_bare = !action.contains(' ') && action != "look";
    let said = if is_bare { format!("ask for \"{action}\"") } else { action.to_string() };
    let mut names = vec![("action", said), ("place", format!("{} {}", place.0, place.1))];
    match claim {
        Claim::Leaves(thing) | Claim::Hides(thing) | Claim::Away(thing) => {
            names.push(("thing", thing.clone()));
        }
        Claim::Others(others) => names.push(("others", listed(others))),
        _ => {}
    }
    names
}

/// "pots, pans and cups": two kinds at most, and "other things" for the rest.
fn listed(names: &[String]) -> String {
    match names {
        [] => "other things".into(),
        [one] => plural(one),
        [one, other] => format!("{} and {}", plural(one), plural(other)),
        [one, other, ..] => format!("{}, {} and other things", plural(one), plural(other)),
    }
}

/// What is not counted.
const MASS: [&str; 3] = ["bread", "lettuce", "toiletpaper"];

/// More than one of it.
fn plural(name: &str) -> String {
    if MASS.contains(&name) { name.into() } else { text::plural(name) }
}

/// "a mug", "an egg".
fn article(name: &str) -> String {
    let vowel = name.starts_with(['a', 'e', 'i', 'o']);
    match name {
        _ if MASS.contains(&name) => format!("some {name}"),
        _ if vowel => format!("an {name}"),
        _ => format!("a {name}"),
    }
}

/// The claims to be spoken of: one of each kind, what changes nothing last.
fn distinct(contrast: &Contrast<'_>) -> Vec<(String, Claim)> {
    let mut claims: Vec<_> = contrast.claims.iter().collect();
    claims.sort_by_key(|(_, claim)| *claim == Claim::Nothing);
    let mut kept: Vec<(String, Claim)> = Vec::new();
    for (branch, claim) in claims {
        let is_said = |(_, said): &(String, Claim)| discriminant(said) == discriminant(claim);
        if kept.len() < ARGUMENTS && !kept.iter().any(is_said) {
            kept.push((branch.action.clone(), claim.clone()));
        }
    }
    kept
}

/// What is looked for, where it was last seen where a walk leads.
fn seen_there(now: &Situation, act: Act<'_>) -> Option<String> {
    let Act::Walk((name, number)) = act else { return None };
    now.found(now.seen(&format!("{name} {number}"))?).cloned()
}

#[cfg(test)]
mod tests;
