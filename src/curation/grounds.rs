//! Whether a text has a ground in the evidence at all.

use super::{Seen, joined, numbered, words};
use crate::agent::template::is_read;
use crate::experience::{ActionEffect, Branch};
use crate::text::singular;

/// Names of things with numbers in a text ("mug" of "mug 1").
fn names(text: &str) -> Vec<String> {
    numbered(&words(text)).map(|pair| pair[0].1.to_string()).collect()
}

/// Words, between bars, that bind a thing to what is to be done: why now, why here.
const RELATIONS: &str = "get rid of|not help|no nearer|cannot be|past the|without| here |first|\
    before|leave|leaves|leaving|already|yet|within reach|in front|belongs|belong|not ask|\
    else than|away|detour|in the way|later|let go|put down|too early|too soon";

/// What is said of an action that leads to what is known, or is done, or is not asked for.
const KNOWN: &str = "already|have to be now|done here|take back|undo|no other|saw no|there was no|\
    have seen|not ask|asks for";

/// What is said of an action that did nothing.
const NOTHING: &str = "nothing|no change|would change|not change|as it is|no use|stay as";

/// What is said of an action that was refused.
const REFUSED: &str = "refuse|not work|not possible|not be possible|that i can ";

/// What is said of a place where nothing is to be seen.
const EMPTY: &str = "empty|nothing|hardly there|bare";

/// What is said of a place that is shut.
const SHUT: &str = "shut|closed|be opened|to open";

/// A text with a reason has a sentence that says what executing an alternative showed, or how what
/// the task is about stands to what is done now. The task, the conclusion, and the names of places
/// are no reason: they fit any step.
pub(super) fn missing(seen: &Seen<'_>) -> Vec<(usize, usize)> {
    let case = seen.case;
    // It reads households: what binds in a shop has a rule of its own, and of other worlds nothing is
    // known that a text should speak of.
    if !is_read(case) {
        return Vec::new();
    }
    let lower = |text: &str| text.to_ascii_lowercase();
    let furniture = names(&lower(&case.state.observation));
    let task = lower(&case.state.task);
    let sentences: Vec<String> = seen
        .text
        .split(['.', '!', '\n'])
        .filter(|sentence| {
            !sentence.trim().is_empty() && !sentence.contains(task.trim_end_matches('.'))
        })
        .map(joined)
        .collect();
    let reasons = match &sentences[..] {
        [reasons @ .., _] if !reasons.is_empty() => reasons,
        all => all,
    };
    // One of "two mugs", and a desklamp that is called a lamp.
    let says = |sentence: &str, name: &str| {
        let stem = singular(name);
        [name.to_string(), stem.clone(), format!("{stem}s"), format!("{stem}es")]
            .iter()
            .any(|name| sentence.contains(&format!(" {name} ")))
            || stem.ends_with("lamp") && sentence.contains(" lamp ")
    };
    let any = |sentence: &str, of: &str| of.split('|').any(|word| sentence.contains(word));
    let task: Vec<String> = words(&task)
        .into_iter()
        .map(|(_, word)| word.to_string())
        .filter(|word| !SAID.contains(&word.as_str()) && !furniture.contains(word))
        .collect();
    let told = |sentence: &String| {
        let is_needed = task.iter().any(|word| says(sentence, word));
        is_needed && any(sentence, RELATIONS)
            || case.alternatives.iter().any(|branch| {
                let action = lower(&branch.action);
                let about = sentence.contains(&joined(&action))
                    || names(&action).iter().any(|name| says(sentence, name));
                let shows = |branch| {
                    let any = |of: &str| any(sentence, of);
                    shows(branch, &furniture, &any, &|name| says(sentence, name))
                };
                about && (any(sentence, KNOWN) || shows(branch))
            })
    };
    if reasons.iter().any(told) { Vec::new() } else { vec![(0, 0)] }
}

/// Whether a sentence about an alternative says what it showed.
fn shows(
    branch: &Branch,
    furniture: &[String],
    any: &dyn Fn(&str) -> bool,
    says: &dyn Fn(&str) -> bool,
) -> bool {
    let outcome = branch.observation.to_ascii_lowercase();
    let things: Vec<String> =
        names(&outcome).into_iter().filter(|name| !furniture.contains(name)).collect();
    let is_shut = outcome.contains("shut") || outcome.contains("closed");
    match branch.effect {
        ActionEffect::NoOp => any(NOTHING),
        ActionEffect::Error => any(REFUSED),
        _ if is_shut => any(SHUT),
        _ if things.is_empty() => any(EMPTY),
        _ => things.iter().any(|thing| says(thing) && !says_itself(branch, thing)),
    }
}

/// Whether the action names the thing itself: to take a cup shows no cup.
fn says_itself(branch: &Branch, thing: &str) -> bool {
    names(&branch.action.to_ascii_lowercase()).iter().any(|name| name == thing)
}

/// Words of tasks that are not what they are about.
const SAID: [&str; 28] = [
    "a", "an", "the", "some", "two", "both", "on", "in", "it", "to", "and", "put", "bring", "find",
    "look", "at", "with", "under", "of", "them", "hold", "examine", "belongs", "belong", "light",
    "by", "clean", "freshly",
];
