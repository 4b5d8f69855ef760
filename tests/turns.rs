//! What a world may say of a turn, through everything: free text beside a list (and an empty list,
//! which is not none), rewards between nothing and one, and episodes that are cut off.

mod common;
#[path = "common/mind.rs"]
mod mind;
#[path = "common/shop.rs"]
mod shop;

use common::json;
use foretaste::collect::{self, Draw};
use foretaste::control::{Control, Progress};
use foretaste::episode::{Play, Scope, Teacher};
use foretaste::eval::{Known, evaluate};
use foretaste::experience::{ActionEffect, PERTURBED};
use foretaste::formats::{Observations, Order, Questions, Set, export_file, import::import};
use foretaste::selection::{ALL, Criteria};
use foretaste::store::{Listing, Near, Store};
use mind::Scripted;
use shop::Shops;

fn played(store: &mut Store, script: &[&'static str]) -> foretaste::eval::Summary {
    let scope = Scope { split: "train".into(), games: 3, seed: 1, share: None };
    let play = Play { seed: 1, ..Play::default() };
    let mut policy = Scripted::script(script);
    let known = Known::default();
    let control = Control::default();
    evaluate(store, &Shops, &scope, &mut policy, (play, &known), &control, &mut |_, _| {}).unwrap()
}

#[test]
fn rewards_forms_and_ends_go_through_collecting_evaluating_storing_and_exchanging() {
    let dir = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let scope = Scope { split: "train".into(), games: 3, seed: 1, share: None };
    let control = Control::default();
    let quiet = &mut |_: serde_json::Value, _: Progress| {};
    collect::demonstrations(&mut store, &Shops, &scope, Teacher::Suite(None), &control, quiet)
        .unwrap();
    collect::branches(&mut store, &Shops, &scope, Draw::uniform(4), &control, quiet).unwrap();
    for demo in store.demonstrations(Some("shops"), None).unwrap() {
        let trajectory = store.trajectory(demo.id).unwrap();
        assert_eq!((trajectory.steps.len(), trajectory.reward(), demo.reward), (3, 1.0, 1.0));
        assert_eq!(trajectory.admissible_at(0), Some(&[][..]), "an empty list, which is not none");
        assert_eq!(trajectory.free, ["search[…]"]);
        assert_eq!(trajectory.steps[0].free, ["search[…]"], "beside a list");
        assert!(trajectory.steps.iter().all(|step| !step.truncated));
        let branches = store.branches(demo.id).unwrap();
        let front: Vec<&str> = branches
            .iter()
            .filter(|branch| branch.t == 0)
            .map(|branch| branch.source.as_str())
            .collect();
        assert!(
            front.iter().all(|source| *source == PERTURBED),
            "nothing is listed there: {front:?}"
        );
        assert!(!front.is_empty(), "a search has others beside it");
        assert!(
            branches
                .iter()
                .any(|branch| branch.effect == ActionEffect::Changed && branch.reward == 0.0)
        );
    }
    // A purchase that is half right, a shop that closes, and a search that is admissible.
    let half = played(&mut store, &["search[red mug]", "click[red mug]", "click[buy now]"]);
    assert_eq!((half.successes, half.invalid), (1, 0), "{half:?}");
    assert!((half.mean_reward - (1.0 + 0.5 + 0.5) / 3.0).abs() < 1e-9, "{half:?}");
    let play = Play { seed: 1, ..Play::default() };
    assert!(half.in_words(&play).contains("mean reward 0.667"), "{}", half.in_words(&play));
    let never = played(&mut store, &["search[red mug]"]);
    assert_eq!((never.successes, never.mean_reward), (0, 0.0));
    let rows = store.list(&Listing::default(), Near::Position(0), 3).unwrap().rows;
    for row in &rows {
        let last = store.trajectory(row.id).unwrap().steps.pop().unwrap();
        assert!(last.done && last.truncated && !last.success, "cut off, and not lost by itself");
    }
    let (eval, games) = store.evaluation(half.evaluation).unwrap();
    assert_eq!(eval.mean_reward, Some(half.mean_reward));
    assert!((games.iter().map(|game| game.reward).sum::<f64>() - 2.0).abs() < 1e-9);
    // Another store gets all of it.
    let file = other.path().join("t.jsonl");
    let criteria =
        Criteria { suite: Some("shops".into()), expert: Some(ALL.into()), ..Criteria::default() };
    let order = Order {
        layout: foretaste::formats::Layout::default(),
        set: Set::Trajectories,
        criteria,
        held_out: false,
        alternatives_only: false,
        observations: Observations::default(),
        questions: Questions::default(),
        model: None,
    };
    let lines = export_file(&store, &order, &file, &control, &mut |_| {}).unwrap().lines;
    assert_eq!(lines, 3);
    let second = Store::open(&other.path().join("data")).unwrap();
    import(&second, (&file, None), true, &control, &mut |_| {}).unwrap();
    let all = |store: &Store| -> Vec<_> {
        let demos = store.demonstrations(None, None).unwrap();
        demos
            .iter()
            .map(|demo| {
                let of = store.trajectory(demo.id).unwrap();
                let alternatives: Vec<_> = store
                    .branches(demo.id)
                    .unwrap()
                    .into_iter()
                    .map(|b| (b.t, b.action, b.reward, b.done))
                    .collect();
                (of.task_id, of.free, of.admissible, of.steps, alternatives)
            })
            .collect()
    };
    assert_eq!(all(&second), all(&store));
    // As a person sees it.
    let row = json(dir.path(), &["replay", &rows[0].id.to_string()]);
    assert!(row.last().unwrap()["truncated"] == true && row.last().unwrap()["reward"] == 0.0);
    let listed = json(dir.path(), &["data", "list", "evaluations"]);
    assert!(
        listed.iter().any(|row| row["mean_reward"].as_f64() == Some(half.mean_reward)),
        "{listed:?}"
    );
}

#[test]
fn whoever_writes_what_nobody_takes_is_held_to_the_list_where_there_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let scope = Scope { split: "train".into(), games: 3, seed: 1, share: None };
    let control = Control::default();
    let mut babbles = Scripted::script(&["search[red mug]", "click[nothing]", "click[nothing]"])
        .scores(|_, _, action| if action == "click[red mug]" { 0.0 } else { -9.0 });
    let (known, script) = (Known::default(), &["search[red mug]", "click[nothing]"]);
    let held = evaluate(
        &mut store,
        &Shops,
        &scope,
        &mut babbles,
        (Play { seed: 1, ..Play::default() }, &known),
        &control,
        &mut |_, _| {},
    );
    let mut writes = Scripted::script(script);
    let freely = Play { seed: 1, free: true, ..Play::default() };
    let free = evaluate(
        &mut store,
        &Shops,
        &scope,
        &mut writes,
        (freely, &known),
        &control,
        &mut |_, _| {},
    );
    let (held, free) = (held.unwrap(), free.unwrap());
    assert_eq!((held.invalid, held.restriction.as_str()), (0, "both"));
    assert!(
        held.held > 0 && held.in_words(&Play::default()).contains("held to the list"),
        "{held:?}"
    );
    assert_eq!((free.held, free.restriction.as_str()), (0, "free"));
    assert!(free.invalid > 0);
}
