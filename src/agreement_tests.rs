//! Agreement on states and scores that are known.

use super::*;
use crate::collect::{self, Scope, Teacher};
use crate::env::household::Household;
use crate::experience::State;

/// Scores the first `best` listed actions alike and the others lower.
struct Ties(usize);

impl Policy for Ties {
    fn name(&self) -> String {
        "ties".into()
    }

    fn reads(&self, state: &State) -> Result<bool> {
        Ok(state.observation.len() < 10_000)
    }

    fn think(&mut self, _: &State, _: f64, _: u64) -> Result<String> {
        Ok("one is enough".into())
    }

    fn score(&mut self, _: &State, thought: Option<&str>, actions: &[String]) -> Result<Vec<f64>> {
        let best = if thought.is_some() { 1 } else { self.0 };
        Ok((0..actions.len()).map(|i| if i < best { 0.0 } else { -50.0 }).collect())
    }

    fn propose(&mut self, _: &State, _: Option<&str>, _: f64, _: &[u64]) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

#[test]
fn ties_count_in_part_unlisted_states_are_said_and_none_at_all_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let scope = Scope { split: "seen".into(), games: 1, seed: 1 };
    let (control, quiet) = (Control::default(), &mut |_: serde_json::Value, _: Progress| {});
    collect::demonstrations(&mut store, &Household, &scope, Teacher::Suite(None), &control, quiet).unwrap();
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
    let ask = |store: &Store, policy: &mut Ties, think: bool| {
        agreement(store, which, policy, think, &Control::default(), &mut |_| {})
    };
    let found = ask(&store, &mut Ties(2), false).unwrap();
    assert_eq!((found.states, found.unlisted, found.trained_on), (3, 1, 0));
    assert!((found.same - 0.5).abs() < 1e-9 && (found.bits - 1.0).abs() < 1e-6, "{found:?}");
    assert!((found.bits_uniform - 2.0).abs() < 1e-9);
    let thinking = ask(&store, &mut Ties(2), true).unwrap();
    assert!((thinking.same - 1.0).abs() < 1e-9 && thinking.think, "its thought decides");
    let mut long = made.clone();
    long.observation = "word ".repeat(5000);
    store.add_trajectory(&long).unwrap();
    let beside = ask(&store, &mut Ties(2), false).unwrap();
    assert_eq!((beside.unread, beside.states), (1, 3), "one that cannot be read does not spoil the others");
    store.set_deleted(3, true).unwrap();
    let mut unlisted = made.clone();
    unlisted.admissible = None;
    unlisted.steps.iter_mut().for_each(|step| step.admissible = None);
    store.set_deleted(2, true).unwrap();
    store.add_trajectory(&unlisted).unwrap();
    assert!(ask(&store, &mut Ties(2), false).unwrap_err().message().contains("listed"));
}
