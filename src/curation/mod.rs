//! What a reader of reflections should look at twice: a table of rules, each with the code of a
//! reason to reject.
//!
//! Rules point, they never delete (paper B.3, B.8; `method.md` 6.2 and 6.3 of the project's notes):
//! words that stand in the state itself are not held against a text, since a "correct city" or a
//! gold cup is the task's own.

mod figures;
mod grounds;
mod history;

use serde::Serialize;

use std::collections::HashSet;

use crate::agent::Case;
use crate::agent::template::{NO_CONTRAST, is_shop, leaves_behind, missed, promising};
use crate::collect::case_at;
use crate::error::Result;
use crate::experience::{Reflection, Trajectory};
use crate::store::Store;
pub use figures::{Figures, Pointed, figures, pointed, queue};
pub use history::history;

/// Something a rule points at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The code of the reason.
    pub code: &'static str,
    /// Bytes of the text that it is about; empty for the text as a whole.
    pub span: (usize, usize),
    /// What the rule looks for.
    pub why: &'static str,
}

impl Finding {
    /// Whether it says that the text would teach something wrong: a person is asked once more.
    pub fn is_grave(&self) -> bool {
        GRAVE.contains(&self.code)
    }
}

/// The codes of texts that would teach something wrong: another action than the expert's, things
/// that are not there, a step that leads nowhere.
const GRAVE: [&str; 3] = ["WRONG_CONCLUSION", "HALLUCINATED", "BAD_EXPERT"];

/// Faults of a text about a case: what [`findings`] point at, and what would teach something wrong
/// ten times over.
pub fn faults(text: &str, case: &Case) -> usize {
    findings(text, case).iter().map(|finding| if finding.is_grave() { 10 } else { 1 }).sum()
}

/// How a rule finds what it looks for.
#[derive(Debug, Clone, Copy)]
enum Test {
    /// Any of these phrases, as whole words, unless the state has it too.
    Phrases(&'static [&'static str]),
    /// Something that needs the case: the spans found.
    Find(fn(&Seen<'_>) -> Vec<(usize, usize)>),
}

/// The table: code, what the rule looks for, how.
const RULES: &[(&str, &str, Test)] = &[
    (
        "LABEL_LEAK",
        "speaks of an expert, a label or a numbered choice",
        Test::Phrases(&[
            "expert",
            "correct action",
            "correct choice",
            "chosen action",
            "action taken",
            "optimal",
            "option 1",
            "option 2",
            "alternative 1",
            "alternative 2",
            "alternatives",
            "ground truth",
        ]),
    ),
    (
        "SCAFFOLD_LEAK",
        "quotes the prompt or the task of annotating",
        Test::Phrases(&[
            "prompt",
            "annotation",
            "the instructions",
            "as instructed",
            "reflection",
            "monologue",
        ]),
    ),
    (
        "OUTCOME_LEAK",
        "five words in a row that only an outcome says: fine as evidence, not as foresight",
        Test::Find(quoted),
    ),
    (
        "OUTCOME_LEAK",
        "a numbered thing that only an outcome names: it cannot be known yet",
        Test::Find(foretold),
    ),
    ("HALLUCINATED", "a numbered thing that neither state nor outcomes name", Test::Find(unknown)),
    (
        "WRONG_CONCLUSION",
        "ends on an action that is not the expert's",
        Test::Find(concludes_otherwise),
    ),
    (
        "GENERIC",
        "names places, but nothing that an executed alternative showed, or that the task needs",
        Test::Find(grounds::missing),
    ),
    (
        "MISSED_CONSTRAINT",
        "does not speak of what binds here: the value that is chosen, or what it may cost",
        Test::Find(missed_constraint),
    ),
    ("NO_CONTRAST", "says itself that nothing tells the actions apart", Test::Find(no_contrast)),
    (
        "OVERCONFIDENT",
        "certain about what has not been seen",
        Test::Phrases(&["certainly", "definitely", "guaranteed", "surely"]),
    ),
    (
        "BAD_EXPERT",
        "the expert's step was refused, changed nothing, or leaves a thing that the task names",
        Test::Find(poor_expert),
    ),
    (
        "BAD_ALTERNATIVE",
        "speaks of an action that leads to a thing that the task names, as the expert's does not",
        Test::Find(as_good),
    ),
    (
        "BAD_ALTERNATIVE",
        "speaks of an executed action after which the goal is no farther than after the expert's",
        Test::Find(no_worse),
    ),
    ("DUPLICATED", "says the same sentence twice", Test::Find(twice)),
    (
        "TOO_LONG",
        "over 200 words",
        Test::Find(
            |seen| if seen.text.split_whitespace().count() > 200 { vec![(0, 0)] } else { vec![] },
        ),
    ),
    ("TRUNCATED", "does not end a sentence", Test::Find(cut_off)),
];

/// The rules: code and what each looks for.
pub fn rules() -> impl Iterator<Item = (&'static str, &'static str)> {
    RULES.iter().map(|(code, why, _)| (*code, *why))
}

/// What a rule is given, in lower case.
struct Seen<'a> {
    text: String,
    /// Task, observations and actions up to the state.
    state: String,
    /// What the executed actions led to.
    outcomes: String,
    case: &'a Case,
}

/// What a reflection is judged by.
#[derive(Debug)]
pub struct Judged {
    /// The trajectory that it is about a state of.
    pub trajectory: Trajectory,
    /// State, expert's action and executed alternatives; none where they are no longer in the
    /// store.
    pub case: Option<Case>,
    /// What the rules point at in the text that stands.
    pub findings: Vec<Finding>,
}

/// Reads it from the store.
pub fn judged(store: &Store, reflection: &Reflection) -> Result<Judged> {
    let trajectory = store.trajectory(reflection.trajectory)?;
    let branches = store.branches(reflection.trajectory)?;
    // A rationale cites nothing; a person judges it by all that was executed.
    let all: Vec<i64> = branches.iter().map(|branch| branch.id).collect();
    let cited = if reflection.cites.is_empty() { &all } else { &reflection.cites };
    let case = case_at(&trajectory, &branches, cited, reflection.t);
    let findings = case.as_ref().map(|case| findings(reflection.text(), case)).unwrap_or_default();
    Ok(Judged { trajectory, case, findings })
}

/// Everything that the rules point at in a text about a case.
pub fn findings(text: &str, case: &Case) -> Vec<Finding> {
    let mut state = format!("{}\n{}", case.state.task, case.state.observation);
    for (action, observation) in &case.state.history {
        state += &format!("\n{action}\n{observation}");
    }
    let mut outcomes = case.outcome.clone();
    for branch in case.alternatives.iter().chain(&case.others) {
        outcomes += &format!("\n{}", branch.observation);
    }
    // ASCII only, so that bytes of the lowered text are bytes of the text.
    let seen = Seen {
        text: text.to_ascii_lowercase(),
        state: state.to_ascii_lowercase(),
        outcomes: outcomes.to_ascii_lowercase(),
        case,
    };
    let mut found = Vec::new();
    for (code, why, test) in RULES {
        let spans = match test {
            Test::Phrases(phrases) => {
                phrases.iter().filter_map(|phrase| word(&seen, phrase)).collect()
            }
            Test::Find(find) => find(&seen),
        };
        found.extend(spans.into_iter().map(|span| Finding { code, span, why }));
    }
    found.sort_by_key(|s| s.span);
    found
}

/// Where a phrase stands as whole words; none if the state says it too.
fn word(seen: &Seen<'_>, phrase: &str) -> Option<(usize, usize)> {
    if seen.state.contains(phrase) {
        return None;
    }
    let whole = |at: usize| {
        let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        !letter(seen.text[..at].chars().next_back())
            && !letter(seen.text[at + phrase.len()..].chars().next())
    };
    seen.text
        .match_indices(phrase)
        .map(|(at, _)| at)
        .find(|at| whole(*at))
        .map(|at| (at, at + phrase.len()))
}

/// Words with where they stand, punctuation at their ends left out.
fn words(text: &str) -> Vec<(usize, &str)> {
    let start = text.as_ptr() as usize;
    let trimmed = text.split_whitespace().map(|w| w.trim_matches(|c: char| !c.is_alphanumeric()));
    trimmed.filter(|w| !w.is_empty()).map(|w| (w.as_ptr() as usize - start, w)).collect()
}

/// Words with a number behind them ("mug 1"), both.
fn numbered<'a, 't>(words: &'a [(usize, &'t str)]) -> impl Iterator<Item = &'a [(usize, &'t str)]> {
    words.windows(2).filter(|pair| pair[1].1.bytes().all(|b| b.is_ascii_digit()))
}

fn joined(text: &str) -> String {
    let all: Vec<&str> = words(text).into_iter().map(|(_, w)| w).collect();
    format!(" {} ", all.join(" "))
}

fn quoted(seen: &Seen<'_>) -> Vec<(usize, usize)> {
    const RUN: usize = 5;
    let state = joined(&seen.state);
    let outcomes = joined(&seen.outcomes);
    let text = words(&seen.text);
    let mut found: Vec<(usize, usize)> = Vec::new();
    // The end of a sentence and the beginning of the next are no quotation.
    let goes_on = |run: &&[(usize, &str)]| {
        !seen.text[run[0].0..run[RUN - 1].0].contains(['.', '!', '?', '\n'])
    };
    for run in text.windows(RUN).filter(goes_on) {
        let phrase = format!(" {} ", run.iter().map(|(_, w)| *w).collect::<Vec<_>>().join(" "));
        if outcomes.contains(&phrase) && !state.contains(&phrase) {
            let from = run[0].0;
            let to = run[RUN - 1].0 + run[RUN - 1].1.len();
            match found.last_mut() {
                Some(last) if last.1 >= from => last.1 = to,
                _ => found.push((from, to)),
            }
        }
    }
    found
}

/// Where a text names numbered things ("mug 2") that neither the state nor what could be done in it
/// names.
fn new_things(seen: &Seen<'_>, told: bool) -> Vec<(usize, usize)> {
    let Case { action, alternatives, others, admissible, .. } = seen.case;
    let tried = alternatives.iter().chain(others).map(|branch| &branch.action);
    let actions: Vec<&str> = tried.chain([action]).chain(admissible).map(String::as_str).collect();
    let known = joined(&format!("{}\n{}", seen.state, actions.join("\n").to_ascii_lowercase()));
    let outcomes = joined(&seen.outcomes);
    let text = words(&seen.text);
    // In a shop numbers are amounts and sizes: each stands for itself.
    if is_shop(seen.case) {
        let has_digit = |word: &str| word.bytes().any(|b| b.is_ascii_digit());
        let amounts = text.iter().filter(|(_, word)| has_digit(word) && !word.contains('['));
        let is_new = |(_, word): &&(usize, &str)| {
            let name = format!(" {word} ");
            !known.contains(&name) && outcomes.contains(&name) == told
        };
        return amounts.filter(is_new).map(|(at, word)| (*at, at + word.len())).collect();
    }
    let numbered =
        numbered(&text).filter(|pair| pair[0].1.bytes().all(|b| b.is_ascii_alphabetic()));
    numbered
        .filter(|pair| {
            let name = format!(" {} {} ", pair[0].1, pair[1].1);
            !known.contains(&name) && outcomes.contains(&name) == told
        })
        .map(|pair| (pair[0].0, pair[1].0 + pair[1].1.len()))
        .collect()
}

/// Things that nothing names: the policy could not know them.
fn unknown(seen: &Seen<'_>) -> Vec<(usize, usize)> {
    new_things(seen, false)
}

/// Things that only outcomes name: the policy cannot know them when it acts.
fn foretold(seen: &Seen<'_>) -> Vec<(usize, usize)> {
    new_things(seen, true)
}

fn concludes_otherwise(seen: &Seen<'_>) -> Vec<(usize, usize)> {
    let trimmed = seen.text.trim_end_matches(['.', '!', ' ', '\n']);
    let from = trimmed.rfind(['.', '!', '\n']).map_or(0, |at| at + 1);
    let last = joined(&trimmed[from..]);
    let says = |action: &str| last.contains(&joined(&action.to_ascii_lowercase()));
    let tried = seen.case.alternatives.iter().chain(&seen.case.others).map(|branch| &branch.action);
    let mut all = tried.chain(&seen.case.admissible).chain([&seen.case.action]);
    // An action that could not even be taken is no better an ending: what could be done tells the
    // verbs.
    let verb = |action: &String| action.split(' ').next().unwrap_or_default().to_ascii_lowercase();
    let other = all.any(|action| {
        says(action) || (action.contains(' ') && last.contains(&format!(" {} ", verb(action))))
    });
    if other && !says(&seen.case.action) { vec![(from, trimmed.len())] } else { Vec::new() }
}

/// Of a shop: what is asked for, binds in this case, and is not mentioned.
fn missed_constraint(seen: &Seen<'_>) -> Vec<(usize, usize)> {
    let missed = is_shop(seen.case) && missed(seen.case, &seen.text).is_some();
    if missed { vec![(0, 0)] } else { Vec::new() }
}

/// Where the template says that it has no reason.
fn no_contrast(seen: &Seen<'_>) -> Vec<(usize, usize)> {
    let said = NO_CONTRAST.iter().map(|said| said.to_ascii_lowercase());
    said.filter_map(|said| seen.text.find(&said).map(|at| (at, at + said.len()))).collect()
}

fn poor_expert(seen: &Seen<'_>) -> Vec<(usize, usize)> {
    let before = seen
        .case
        .state
        .history
        .last()
        .map_or(&seen.case.state.observation, |(_, observation)| observation);
    let outcome = seen.case.outcome.trim();
    if outcome == before.trim() || outcome == "Nothing happens." || leaves_behind(seen.case) {
        vec![(0, 0)]
    } else {
        Vec::new()
    }
}

fn as_good(seen: &Seen<'_>) -> Vec<(usize, usize)> {
    promising(seen.case)
        .into_iter()
        .filter_map(|branch| {
            let action = branch.action.to_ascii_lowercase();
            seen.text.find(&action).map(|at| (at, at + action.len()))
        })
        .collect()
}

fn no_worse(seen: &Seen<'_>) -> Vec<(usize, usize)> {
    let good = seen
        .case
        .others
        .iter()
        .filter(|branch| !branch.worse() && branch.action != seen.case.action);
    good.filter_map(|branch| {
        let action = branch.action.to_ascii_lowercase();
        seen.text
            .match_indices(&action)
            .map(|(at, _)| at)
            .find(|at| {
                // "shelf 1" is not spoken of where "shelf 12" is.
                !seen.text[at + action.len()..].starts_with(|c: char| c.is_alphanumeric())
            })
            .map(|at| (at, at + action.len()))
    })
    .collect()
}

fn twice(seen: &Seen<'_>) -> Vec<(usize, usize)> {
    let start = seen.text.as_ptr() as usize;
    let sentences: Vec<&str> =
        seen.text.split(['.', '!', '\n']).map(str::trim).filter(|s| s.len() > 20).collect();
    let mut known = HashSet::new();
    let again = (0..sentences.len()).find(|i| !known.insert(sentences[*i]));
    again
        .map(|i| (sentences[i].as_ptr() as usize - start, sentences[i]))
        .map(|(at, s)| (at, at + s.len()))
        .into_iter()
        .collect()
}

fn cut_off(seen: &Seen<'_>) -> Vec<(usize, usize)> {
    let text = seen.text.trim_end();
    if text.ends_with(['.', '!', '?', '"', '”', ')', '。']) { Vec::new() } else { vec![(0, 0)] }
}

#[cfg(test)]
mod tests;
