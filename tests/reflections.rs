//! What the template writes, held against what executing the actions showed: hundreds of texts of
//! all kinds of task on both suites.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::{json, shared};
use foretaste::agent::Case;
use foretaste::curation::judged;
use foretaste::experience::{ActionEffect, Branch};
use foretaste::store::{Filter, Place, Store};
use tempfile::TempDir;

/// Every collected reflection of a store, with what it is about.
fn collected(dir: &Path) -> Vec<(String, Case, Vec<&'static str>)> {
    let store = Store::open(dir).unwrap();
    let queue = store.queue(&Filter::default(), Place::Start, 10_000).unwrap();
    let about = queue.items.iter().map(|item| {
        let judged = judged(&store, item).unwrap();
        let codes = judged.findings.iter().map(|finding| finding.code).collect();
        (item.text().to_string(), judged.case.unwrap(), codes)
    });
    about.collect()
}

fn sentences(text: &str) -> Vec<&str> {
    text.split_inclusive(['.', '!']).map(|s| s.trim().trim_end_matches(['.', '!'])).collect()
}

/// Names with numbers ("mug 1") in a text.
fn numbered(text: &str) -> Vec<String> {
    let words: Vec<&str> =
        text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let pairs = words.windows(2).filter(|pair| pair[1].bytes().all(|b| b.is_ascii_digit()));
    pairs.map(|pair| pair.join(" ")).collect()
}

/// The numbered things that an outcome shows beside the place that the action is about.
fn shown(branch: &Branch) -> Vec<String> {
    let place = numbered(&branch.action).pop().unwrap_or_default();
    numbered(&branch.observation).into_iter().filter(|thing| *thing != place).collect()
}

fn verb(action: &str) -> &str {
    action.split(' ').next().unwrap()
}

fn noun(named: &str) -> String {
    named.split(' ').next().unwrap_or_default().to_string()
}

fn is_shut(branch: &Branch) -> bool {
    branch.observation.contains("closed") || branch.observation.contains("shut")
}

/// What a sentence says of the things at a place, and whether they are there and what is looked for
/// is not; none where it says nothing of the kind.
fn lists(sentence: &str, branch: &Branch) -> Option<bool> {
    let between = |from: &str, to: &str| {
        let rest = sentence.split_once(from)?.1;
        Some(rest.split_once(to)?.0.to_string())
    };
    let others = between("expect ", " there and no")
        .or_else(|| between("lead me to ", " sooner than"))
        .or_else(|| between("is a place for ", " rather than"))
        .or_else(|| between("but among ", " I would look"))
        .or_else(|| between("show me ", " at best"))?;
    let shown: Vec<String> = shown(branch).iter().map(|thing| noun(thing)).collect();
    let named = others.replace(" and ", ", ");
    let is_shown = |name: &str| {
        name == "other things"
            || shown.iter().any(|thing| name.starts_with(thing.trim_end_matches("fe")))
    };
    let sought =
        ["no ", "some ", "than to a ", "than to an ", "for a ", "for an ", "need a ", "need an "];
    let sought = sought.iter().filter_map(|s| sentence.rsplit_once(s)).map(|(_, last)| last);
    let sought = sought.map(noun).min_by_key(String::len)?;
    Some(named.split(", ").all(is_shown) && !shown.contains(&sought))
}

/// Whether everything that a sentence may claim about an alternative is borne out; none where it
/// claims nothing that is known here.
fn holds(sentence: &str, branch: &Branch, case: &Case) -> Option<bool> {
    if let Some(holds) = lists(sentence, branch) {
        return Some(holds);
    }
    let says = |any: &[&str]| any.iter().any(|phrase| sentence.contains(phrase));
    let task = &case.state.task;
    let cares = ["rinse", "clean", "warm", "heat", "chill", "cool"];
    let history =
        |any: &dyn Fn(&str) -> bool| case.state.history.iter().any(|(action, _)| any(action));
    let claims: [(&[&str], &dyn Fn() -> bool); 18] = [
        (
            &["nothing will have", "as it is", "change nothing", "stay as it", "change a thing"],
            &|| branch.effect == ActionEffect::NoOp,
        ),
        (&["took the", "no other"], &|| {
            let place = numbered(&branch.action).pop().unwrap();
            history(&|action| ["take", "grab"].contains(&verb(action)) && action.ends_with(&place))
        }),
        (&["too soon", "for later", "before I have found"], &|| {
            let home = task.trim_end_matches('.').rsplit(' ').next().unwrap();
            noun(&numbered(&branch.action).pop().unwrap()) == home
        }),
        (&["I am at the", "where I have to be", "before I am done"], &|| {
            let here = numbered(&case.action).pop().unwrap();
            sentence.contains(&here) && numbered(&branch.action)[0] != here
        }),
        (&["take back", "undo what"], &|| {
            let thing = &numbered(&branch.action)[0];
            history(&|action| {
                ["put", "leave", "move"].contains(&verb(action)) && action.contains(thing)
            })
        }),
        (&[" already, so I need not"], &|| history(&|action| verb(action) == verb(&branch.action))),
        (&["be refused", "not work from", "not think that", "not be possible"], &|| {
            branch.effect == ActionEffect::Error
        }),
        (&["to find nothing", "empty", "hardly there"], &|| {
            shown(branch).is_empty() && !is_shut(branch)
        }),
        (&["something shut", "should be shut", "have to open"], &|| is_shut(branch)),
        (&["looked already", "what I have seen", "saw no", "There was no"], &|| {
            history(&|action| {
                action == branch.action || action.ends_with(&numbered(&branch.action)[0])
            })
        }),
        (&["right here", "behind, and I", "within reach", "before me"], &|| {
            let here = numbered(&case.action)[0].clone();
            ["take", "grab", "switch", "use"].contains(&verb(&case.action))
                && sentence.contains(&here)
        }),
        (&["shut away", "out of my reach", "still inside"], &|| {
            ["shut", "close"].contains(&verb(&branch.action))
                && case.action.ends_with(&numbered(&branch.action)[0])
        }),
        (
            &["does not ask for", "something else than", "get rid of it", "The task asks for"],
            &|| {
                let taken = noun(&numbered(&branch.action)[0]);
                let one = |word: &str| word.trim_end_matches('.').trim_end_matches('s').to_string();
                ["take", "grab"].contains(&verb(&branch.action))
                    && task.split(' ').all(|word| one(word) != one(&taken))
            },
        ),
        (&["too early", "before I ", "gets there without", "I should not"], &|| {
            let held = numbered(sentence).into_iter().next().unwrap();
            !history(&|action| cares.contains(&verb(action)) && action.contains(&held))
                || sentence.contains("cannot be")
        }),
        (&["a detour", "cannot be", "past the", "is not where", "not where I"], &|| {
            let place = noun(&numbered(&branch.action).pop().unwrap());
            let home = task.trim_end_matches('.').rsplit(' ').next().unwrap();
            place != home || sentence.contains("not where I") || sentence.contains("yet")
        }),
        (&["let go of", "put down", "where it does not belong", "somewhere else"], &|| {
            ["leave", "move", "put"].contains(&verb(&branch.action))
        }),
        (&["Nothing asks me", "what the task needs", "not asked for"], &|| {
            cares.contains(&verb(&branch.action))
        }),
        (&["not help", "no nearer"], &|| {
            ["open", "shut", "close", "switch", "use"].contains(&verb(&branch.action))
        }),
    ];
    let (_, holds) = claims.into_iter().find(|(phrases, _)| says(phrases))?;
    Some(holds())
}

/// What is left of a sentence without the names in it.
fn skeleton(sentence: &str, case: &Case) -> String {
    let mut names = format!("{} {} {}", case.state.task, case.state.observation, case.action);
    for branch in case.alternatives.iter().chain(&case.others) {
        names += &format!(" {} {}", branch.action, branch.observation);
    }
    case.state.history.iter().for_each(|(a, o)| names += &format!(" {a} {o}"));
    let names: BTreeSet<String> = names
        .to_ascii_lowercase()
        .split(|c: char| !c.is_ascii_alphanumeric())
        .map(str::to_string)
        .collect();
    let words = sentence.split(|c: char| !c.is_ascii_alphanumeric());
    let kept = words.filter(|word| {
        let word = word.to_ascii_lowercase();
        !names.contains(&word) && !names.contains(word.trim_end_matches('s'))
    });
    kept.collect::<Vec<_>>().join(" ")
}

fn check(dir: &Path, forms: &mut BTreeSet<String>) -> usize {
    let all = collected(dir);
    for (text, case, codes) in &all {
        let poor: Vec<_> = codes.iter().filter(|code| **code != "BAD_EXPERT").collect();
        assert!(poor.is_empty(), "{poor:?}: {text}");
        let said = sentences(text);
        let (last, said) = said.split_last().unwrap();
        assert!(last.contains(&case.action), "{text}");
        assert!(said[0].contains(case.state.task.trim_end_matches('.')), "{text}");
        let held = ["I hold the ", "I have the "];
        let about = said[1..].iter().filter(|sentence| {
            !held.iter().any(|s| sentence.starts_with(s)) && !sentence.ends_with(" is in my hand")
        });
        let mut arguments = 0;
        for sentence in about {
            // The longest action that is named: "walk to shelf 1" stands in "walk to shelf 12".
            let named = case.alternatives.iter().filter(|branch| {
                let place = numbered(&branch.action).pop().unwrap_or_default();
                sentence.contains(&branch.action)
                    || sentence.contains(&format!("\"{}\"", branch.action))
                    || !place.is_empty() && sentence.contains(&format!("he {place} "))
            });
            let branch =
                named.max_by_key(|branch| (sentence.contains(&branch.action), branch.action.len()));
            let branch = branch.unwrap_or_else(|| panic!("about nothing: {sentence} / {text}"));
            assert!(branch.worse(), "{text}");
            let holds = holds(sentence, branch, case);
            assert_eq!(holds, Some(true), "{sentence} / {branch:?} / {text}");
            for other in &case.others {
                let as_good = !other.worse() && other.action != case.action;
                assert!(!as_good || !sentence.ends_with(&other.action), "{text}");
            }
            arguments += 1;
        }
        assert!(arguments > 0, "collected without a reason: {text}");
        forms.extend(sentences(text)[1..].iter().map(|sentence| skeleton(sentence, case)));
    }
    all.len()
}

#[test]
fn every_claim_is_borne_out_by_what_was_executed_on_both_suites() {
    let household = TempDir::new().unwrap();
    json(household.path(), &["collect", "all", "--games", "70", "-k", "4"]);
    let mut forms = BTreeSet::new();
    let mut texts = check(household.path(), &mut forms);
    let mut least = 300;
    if let Some(root) = shared() {
        let alfworld = TempDir::new().unwrap();
        let games = root.join("json_2.1.1");
        let data = ["--suite", "alfworld", "--data", games.to_str().unwrap()];
        let scope = ["collect", "all", "--split", "valid_seen", "--games", "60", "-k", "4"];
        json(alfworld.path(), &[&scope[..], &data].concat());
        texts += check(alfworld.path(), &mut forms);
        least = 500;
    }
    assert!(texts >= least, "{texts}");
    assert!(forms.len() >= 60, "{} ways: {forms:#?}", forms.len());
}
