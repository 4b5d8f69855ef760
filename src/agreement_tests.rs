//! Agreement on states and scores that are known.

use super::*;
use crate::collect;
use crate::env::household::Household;
use crate::episode::{Scope, Teacher};
use crate::scripted::Scripted;

/// Scores the first `best` of the actions a0 to a3 alike and the others lower; one is enough after
/// a thought. Reads so much.
fn ties(best: usize) -> Scripted {
    let places = |best: usize| {
        move |_: &State, thought: Option<&str>, action: &str| {
            let best = if thought.is_some() { 1 } else { best };
            let place = action.trim_start_matches('a').parse().unwrap_or(9);
            if place < best { 0.0 } else { -50.0 }
        }
    };
    let says = move |_: &State, _: Option<&str>, seed: u64| format!("a{}", seed % best as u64);
    Scripted::says(says).thinks(|_, _| "one is enough".into()).scores(places(best)).reading(10_000)
}

#[test]
fn ties_count_in_part_unlisted_states_are_said_and_none_at_all_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let scope = Scope { split: "seen".into(), games: 1, seed: 1, share: None };
    let control = Control::default();
    let quiet = &mut |_: serde_json::Value, _: Progress| {};
    collect::demonstrations(&mut store, &Household, &scope, Teacher::Suite(None), &control, quiet)
        .unwrap();
    let mut made = store.trajectory(1).unwrap();
    store.set_deleted(1, true).unwrap();
    // Four states, the expert's action the first of four; in the last it is not listed.
    made.steps.truncate(4);
    for step in &mut made.steps {
        step.action = "a0".into();
        step.admissible = Some((0..4).map(|i| format!("a{i}")).collect());
        step.success = true;
    }
    made.admissible.clone_from(&made.steps[0].admissible);
    made.steps[2].admissible = Some(vec!["a1".into()]);
    store.add_trajectory(&made).unwrap();
    let which = Which { suite: "household", split: "seen", expert: "fair", games: 5 };
    let ask = |store: &Store, policy: &mut Scripted, think: bool| {
        agreement(store, which, policy, think, &Control::default(), &mut |_| {})
    };
    let found = ask(&store, &mut ties(2), false).unwrap();
    assert_eq!((found.states, found.unlisted, found.trained_on), (3, 1, 0));
    assert!((found.same - 0.5).abs() < 1e-9 && (found.bits - 1.0).abs() < 1e-6, "{found:?}");
    assert!((found.bits_uniform - 2.0).abs() < 1e-9);
    let thinking = ask(&store, &mut ties(2), true).unwrap();
    assert!((thinking.same - 1.0).abs() < 1e-9 && thinking.think, "its thought decides");
    // A mind that gives no scores is counted by what it writes, and that is said.
    let counted = ask(&store, &mut ties(2).without_scores(), false).unwrap();
    assert_eq!((found.scores, counted.scores), (Scores::Exact, Scores::Frequency));
    assert!(counted.bits > 0.5 && counted.bits < 1.7, "about one of two: {counted:?}");
    let mut long = made.clone();
    long.observation = "word ".repeat(5000);
    store.add_trajectory(&long).unwrap();
    let beside = ask(&store, &mut ties(2), false).unwrap();
    assert_eq!(
        (beside.unread, beside.states),
        (1, 3),
        "one that cannot be read does not spoil the others"
    );
    store.set_deleted(3, true).unwrap();
    let mut unlisted = made.clone();
    unlisted.admissible = None;
    unlisted.steps.iter_mut().for_each(|step| step.admissible = None);
    store.set_deleted(2, true).unwrap();
    store.add_trajectory(&unlisted).unwrap();
    assert!(ask(&store, &mut ties(2), false).unwrap_err().message().contains("listed"));
}
