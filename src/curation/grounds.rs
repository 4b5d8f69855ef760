//! Whether a text has a ground in the evidence at all.

use super::{Seen, joined, words};

/// A text with a reason has a sentence that says something which only an outcome showed, or one
/// about an alternative together with what it did, or with what the task is about. The names of
/// places alone are no reason: they fit any step.
pub(super) fn missing(seen: &Seen<'_>) -> Vec<(usize, usize)> {
    let case = seen.case;
    let actions =
        case.alternatives.iter().map(|branch| joined(&branch.action.to_ascii_lowercase()));
    let actions: Vec<String> = actions.collect();
    let first = case.state.observation.to_ascii_lowercase();
    let places = joined(&format!("{first}\n{}", actions.concat()));
    let is_told = |w: &str| w.len() > 1 && !COMMON.contains(&w);
    let outcomes: Vec<String> =
        case.alternatives.iter().map(|branch| branch.observation.to_ascii_lowercase()).collect();
    // Furniture is what the first observation lists.
    let mut shown = outcomes.iter().flat_map(|outcome| words(outcome)).map(|(_, w)| w);
    let text = joined(&seen.text);
    // "pots" of a pot.
    let says = |w: &str| ["", "s", "es"].iter().any(|end| text.contains(&format!(" {w}{end} ")));
    let names = |w: &str| is_told(w) && !places.contains(&format!(" {w} "));
    if shown.any(|w| names(w) && says(w)) {
        return Vec::new();
    }
    let task = case.state.task.to_ascii_lowercase();
    let grounded = seen.text.split(['.', '!', '\n']).map(joined).any(|sentence| {
        actions.iter().any(|action| {
            // One of "two mugs" as well.
            let about = |(_, w): &(usize, &str)| {
                let w = format!(" {}", w.trim_end_matches('s'));
                is_told(w.trim()) && sentence.contains(&w) && !action.contains(&w)
            };
            // By the action as a whole, or by what it acts on.
            let object: Vec<&str> = action.split(' ').rev().take(3).collect();
            let object = format!(" {} {} ", object[2], object[1]);
            sentence.contains(if sentence.contains(action) { action } else { &object })
                && (words(&task).iter().any(about) || EFFECTS.iter().any(|e| sentence.contains(e)))
        })
    });
    if grounded { Vec::new() } else { vec![(0, 0)] }
}

/// Words that say nothing about an alternative.
const COMMON: [&str; 20] = [
    "the", "you", "and", "with", "there", "nothing", "from", "see", "are", "that", "this", "for",
    "not", "its", "put", "place", "it", "is", "on", "to",
];

/// What is said of an action that did nothing, or was done before.
const EFFECTS: [&str; 13] = [
    "empty",
    "shut",
    "not ask",
    "have to open",
    "nothing",
    "change",
    "as it is",
    "refused",
    "not work",
    "not possible",
    "no use",
    "already",
    "can ",
];
