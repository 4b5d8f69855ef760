use super::*;
use crate::store::RunStatus;
use crate::train::{Objective, Plan};
use crate::tui::effect::{EvalCmd, JobCmd};
use crate::tui::screens::train;

fn run(id: i64, plan: &Plan, start: &str) -> RunRow {
    RunRow {
        id,
        objective: plan.objective.as_str().into(),
        status: RunStatus::Finished,
        config: serde_json::json!({"plan": plan}).to_string(),
        seed: plan.seed,
        start: start.into(),
        step: plan.steps,
        steps: plan.steps,
        pid: None,
        error: None,
        name: None,
        tags: String::new(),
        note: String::new(),
        created_ms: 0,
    }
}

#[test]
fn two_plans_differ_in_what_was_changed() {
    let usual = Plan::new(Objective::Imitation, 50, 1);
    let mut other = Plan { rate: 2e-3, lora: Some(8), ..usual.clone() };
    other.data.held_out = 0.2;
    let [a, b] = [run(1, &usual, "embedded"), run(2, &other, "run 1 step 50")];
    let said = differences(&a, &b);
    let has = |words: &[&str]| said.iter().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(
        has(&["rate", "0.001  →  0.002"]) && has(&["data.held_out", "0.05  →  0.2"]),
        "{said:?}"
    );
    assert!(has(&["lora", "—  →  8"]) && has(&["start", "embedded  →  run 1 step 50"]), "{said:?}");
    assert_eq!(said.len(), 4, "{said:?}");
    assert_eq!(differences(&a, &a), ["their plans are the same"]);
}

#[test]
fn what_is_typed_about_a_row_is_written_down_by_enter_alone() {
    let mut state = State {
        runs: vec![run(4, &Plan::new(Objective::Joint, 5, 1), "embedded")],
        ..State::default()
    };
    state.write_about(State::tagged);
    for c in "two words".chars() {
        assert!(state.type_key(KeyCode::Char(c).into()).unwrap().is_empty());
    }
    let written = state.type_key(KeyCode::Enter.into()).unwrap();
    assert!(
        matches!(&written[..], [Effect::Store(StoreCmd::Run(RunCmd::Write(About::RunTags(4), text)))]
            if text == "two words"),
        "{written:?}"
    );
    state.write_about(State::noted);
    assert!(state.type_key(KeyCode::Esc.into()).unwrap().is_empty() && state.line.is_none());
}

#[test]
fn what_is_chosen_are_the_marked_ones_or_the_one_in_front() {
    let saved = |id: i64| Checkpoint {
        id,
        run: 1,
        step: id as u64,
        folder: String::new(),
        digest: None,
        label: None,
        note: String::new(),
        created_ms: 0,
        deleted_ms: None,
    };
    let mut state = State { checkpoints: vec![saved(3), saved(2), saved(1)], ..State::default() };
    state.side = Side::Checkpoints;
    state.lists.saved.at = 1;
    let ids = |state: &State| state.chosen().iter().map(|saved| saved.id).collect::<Vec<_>>();
    assert_eq!(ids(&state), [2]);
    state.lists.saved.marked = [1, 3].into();
    assert_eq!(ids(&state), [3, 1]);
    let deleted = state.delete();
    assert!(
        matches!(&deleted[..], [Effect::Store(StoreCmd::Run(RunCmd::DeleteCheckpoints(ids)))] if ids == &[3, 1]),
        "{deleted:?}"
    );
    assert!(state.lists.saved.marked.is_empty());
}

#[test]
fn the_form_before_an_evaluation_stays_until_all_that_plays_was_found() {
    let mut state = State { suite: Some("household".into()), ..State::default() };
    state.open_evaluation();
    let asked = |effects: Vec<Effect>| match effects.into_iter().next() {
        Some(Effect::Store(StoreCmd::Run(RunCmd::Eval(EvalCmd::Playable(order, suite))))) => {
            assert_eq!(suite.as_deref(), Some("household"));
            order
        }
        other => panic!("{other:?}"),
    };
    let order = asked(state.type_key(KeyCode::Enter.into()).unwrap());
    let missing = Err("nosuch: nothing is there".to_string());
    let effects = state.update(train::Msg::Playable(order.clone(), missing));
    assert!(matches!(&effects[..], [Effect::Say(said)] if said.bad), "{effects:?}");
    assert!(state.evaluating.is_some(), "what was typed is still there");
    // Something else was typed meanwhile: the answer is about what no longer stands there.
    state.type_key(KeyCode::Right.into());
    assert!(state.update(train::Msg::Playable(order, Ok(()))).is_empty());
    let order = asked(state.type_key(KeyCode::Enter.into()).unwrap());
    let effects = state.update(train::Msg::Playable(order.clone(), Ok(())));
    let played =
        |effect: &Effect| matches!(effect, Effect::Job(JobCmd::Evaluate(to)) if *to == order);
    assert!(effects.iter().any(played) && state.evaluating.is_none(), "{effects:?}");
}
