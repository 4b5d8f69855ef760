//! Orders, batches and held-out games on data where the right answer is known.

use std::collections::{HashMap, HashSet};

use super::*;
use crate::agent::template::Template;
use crate::collect::{self, Contrast, Draw};
use crate::control::{Control, Progress};
use crate::env::household::Household;
use crate::episode::{Scope, Teacher};
use crate::experience::Verdict;
use crate::selection::ALL;
use crate::selection::is_held_out;
use crate::store::{Decision, Filter, Place};
use crate::train::Objective;

/// A store with demonstrations of so many games, `k` alternatives a state, and every reflection
/// approved.
pub(in crate::train) fn store(games: usize, k: usize) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let scope = Scope { split: "train".into(), games, seed: 1, share: None };
    let control = Control::default();
    let quiet = &mut |_: serde_json::Value, _: Progress| {};
    collect::demonstrations(&mut store, &Household, &scope, Teacher::Suite(None), &control, quiet)
        .unwrap();
    collect::branches(&mut store, &Household, &scope, Draw::uniform(k), &control, quiet).unwrap();
    collect::reflections(
        &mut store,
        &Household,
        &scope,
        &Contrast::default(),
        collect::Writing::once(&mut Template),
        &control,
        quiet,
    )
    .unwrap();
    let pending =
        store.queue(&Filter::verdict(Some(Verdict::Pending)), Place::Start, 10_000).unwrap();
    let ids: Vec<i64> = pending.items.iter().map(|item| item.id).collect();
    store.decide_all(&ids, &Decision::Approve).unwrap();
    (dir, store)
}

fn tokenizer() -> Tokenizer {
    super::super::examples::tests::tokenizer()
}

pub(in crate::train) fn plan(objective: Objective, seed: u64) -> Plan {
    Plan { batch: 4, ..Plan::new(objective, 20, seed) }
}

fn data(store: &Store, plan: &Plan) -> Data {
    Data::choose(store, plan, &tokenizer(), 8192).unwrap()
}

/// The trajectories of the first updates of a stage.
fn visited(data: &Data, plan: &Plan, mixture: Mixture, updates: u64) -> Vec<Vec<i64>> {
    let stage = Stage {
        name: "s".into(),
        updates,
        mixture,
        trees: data.found(&mixture).trees,
        tokens: 0.0,
    };
    let mut epochs = data.epochs(plan.seed, &stage);
    (0..updates)
        .map(|step| epochs.batch(step, plan.batch).iter().map(|tree| tree.trajectory).collect())
        .collect()
}

#[test]
fn every_objective_samples_trajectories_and_an_epoch_visits_each_once() {
    let (_dir, store) = store(24, 4);
    let imitation = data(&store, &plan(Objective::Imitation, 1));
    for objective in
        [Objective::Imitation, Objective::WorldModel, Objective::Reflection, Objective::Joint]
    {
        let plan = plan(objective, 1);
        let data = data(&store, &plan);
        assert_eq!(data.summary.trees, data.summary.demonstrations, "{objective:?}");
        assert_eq!(
            data.summary.targets[0], imitation.summary.targets[0],
            "every expert action stands once"
        );
        for stage in plan.stages(|mixture| data.found(mixture)) {
            let count = data.train.len() as u64;
            assert_eq!(stage.trees as u64, count);
            // Four epochs by fours.
            let all: Vec<i64> = visited(&data, &plan, stage.mixture, count).concat();
            for epoch in all.chunks(count as usize) {
                assert_eq!(
                    epoch.iter().collect::<HashSet<_>>().len(),
                    count as usize,
                    "{objective:?} {stage:?}"
                );
            }
            assert_ne!(
                all[..count as usize],
                all[count as usize..2 * count as usize],
                "each epoch has its own order"
            );
        }
    }
}

#[test]
fn neighbouring_updates_of_the_second_half_of_world_modelling_share_nothing_and_repeat_imitations_order()
 {
    let (_dir, store) = store(24, 8);
    let world = plan(Objective::WorldModel, 3);
    let alone = plan(Objective::Imitation, 3);
    let two = data(&store, &world);
    let one = data(&store, &alone);
    let second = visited(&two, &world, Mixture::IMITATION, 5);
    assert_eq!(
        second,
        visited(&one, &alone, Mixture::IMITATION, 5),
        "the same games in the same order"
    );
    for pair in second.windows(2) {
        assert!(pair[0].iter().all(|id| !pair[1].contains(id)), "{pair:?}");
    }
    // And the same tokens: alternatives are neither computed nor counted there.
    let tokens = |data: &Data| data.found(&Mixture::IMITATION);
    assert_eq!(tokens(&two), tokens(&one));
    assert!(two.found(&Mixture::WORLD).tokens > 2.0 * tokens(&two).tokens);
    // Other seeds and objectives with more in them put the same games in orders that follow from
    // the seed alone.
    let reflection = plan(Objective::Reflection, 3);
    assert_eq!(visited(&data(&store, &reflection), &reflection, Mixture::REFLECTION, 5), second);
}

#[test]
fn orders_of_seeds_and_epochs_are_pairwise_different() {
    let (_dir, store) = store(12, 1);
    let mut seen = HashSet::new();
    for seed in 0..16 {
        let plan = Plan { batch: 1, ..plan(Objective::Imitation, seed) };
        let data = data(&store, &plan);
        let count = data.train.len();
        let all: Vec<i64> = visited(&data, &plan, Mixture::IMITATION, 16 * count as u64).concat();
        for epoch in all.chunks(count) {
            assert!(seen.insert(epoch.to_vec()), "seed {seed} repeats an order");
        }
    }
    assert_eq!(seen.len(), 256);
}

#[test]
fn held_out_instances_are_the_same_for_all_experts_runs_and_deletions_and_never_trained_on() {
    let (_dir, mut store) = store(60, 1);
    let control = Control::default();
    let quiet = &mut |_: serde_json::Value, _: Progress| {};
    let scope = Scope { split: "train".into(), games: 60, seed: 1, share: None };
    let other = Teacher::Suite(Some("planner"));
    collect::demonstrations(&mut store, &Household, &scope, other, &control, quiet).unwrap();
    let mut wide = plan(Objective::Imitation, 1);
    wide.data.held_out = 0.4;
    wide.data.expert = Some(ALL.into());
    let both = data(&store, &wide);
    let split = |data: &Data| -> [HashSet<u64>; 2] {
        [false, true].map(|held| {
            data.selection.items.iter().filter(|i| i.held_out == held).map(|i| i.instance).collect()
        })
    };
    let [train, held] = split(&both);
    assert!(!held.is_empty() && train.is_disjoint(&held));
    assert_eq!(both.summary.held_out + both.summary.demonstrations, 120);
    assert_eq!(both.summary.trees, both.train.len(), "nothing is counted that is not trained on");
    // By task: both experts' demonstrations of a game stand on the same side, whatever else is
    // deleted.
    let sides = |data: &Data| -> HashMap<i64, bool> {
        data.selection.items.iter().map(|item| (item.trajectory, item.held_out)).collect()
    };
    let before = sides(&both);
    store.set_deleted(5, true).unwrap();
    let after = sides(&data(&store, &wide));
    assert!(after.iter().all(|(id, held)| before[id] == *held));
    for seed in [2, 3] {
        assert_eq!(
            split(&data(&store, &Plan { seed, ..wide.clone() }))[1],
            split(&data(&store, &wide))[1]
        );
    }
    // A smaller share is part of a larger one.
    let mut narrow = wide.clone();
    narrow.data.held_out = 0.3;
    let some = split(&data(&store, &narrow))[1].clone();
    assert!(some.len() >= LEAST_HELD_OUT && some.is_subset(&held));
    // Fewer than ten games are not held out: they are trained on, and that is said.
    narrow.data.held_out = 0.05;
    let few = data(&store, &narrow);
    let meant = held.iter().filter(|game| is_held_out(**game, 0.05)).count();
    assert!(meant < LEAST_HELD_OUT && few.summary.left_out.too_few == meant);
    assert_eq!((few.summary.held_out, few.summary.demonstrations), (0, 119));
    assert!(few.summary.validation().contains("none"), "{}", few.summary.validation());
    assert!(both.summary.validation().contains(&format!("{} games", held.len())));
}

#[test]
fn two_experts_are_never_mixed_unasked() {
    let (_dir, mut store) = store(4, 1);
    let control = Control::default();
    let quiet = &mut |_: serde_json::Value, _: Progress| {};
    let scope = Scope { split: "train".into(), games: 4, seed: 1, share: None };
    collect::demonstrations(
        &mut store,
        &Household,
        &scope,
        Teacher::Suite(Some("planner")),
        &control,
        quiet,
    )
    .unwrap();
    let mut plan = plan(Objective::Imitation, 1);
    plan.data.held_out = 0.0;
    let error = Data::choose(&store, &plan, &tokenizer(), 8192).map(|_| ()).unwrap_err();
    assert!(error.message().contains("fair (4), planner (4)"), "{error}");
    assert!(error.next_step().unwrap().contains("--expert"));
    for (name, count) in [("fair", 4), ("planner", 4), (ALL, 8)] {
        plan.data.expert = Some(name.into());
        assert_eq!(data(&store, &plan).summary.demonstrations, count, "{name}");
    }
}

#[test]
fn pools_and_numbers_of_alternatives_are_chosen_and_what_is_left_out_is_counted() {
    let (_dir, mut store) = store(6, 4);
    let mut plan = plan(Objective::WorldModel, 1);
    plan.data.held_out = 0.0;
    let count = |store: &Store, plan: &Plan| data(store, plan).summary.branches;
    let steps: usize =
        store.demonstrations(None, None).unwrap().iter().map(|demo| demo.length).sum();
    let all = count(&store, &plan);
    assert!(all > 3 * steps && all <= 4 * steps);
    plan.data.k = Some(2);
    assert_eq!(count(&store, &plan), 2 * steps);
    plan.data.k = Some(0);
    assert_eq!(count(&store, &plan), 0, "only the expert's own next states");
    plan.data.k = None;
    plan.data.pool = "policy".into();
    let error = Data::choose(&store, &plan, &tokenizer(), 8192).map(|_| ()).unwrap_err();
    assert!(
        error.message().contains("policy")
            && error.next_step().unwrap().contains("--proposer policy"),
        "{error}"
    );
    // The same episode kept twice counts once; an older reflection of a state gives way to a newer
    // one.
    let mut again = store.trajectory(1).unwrap();
    again.id = 0;
    store.add_trajectory(&again).unwrap();
    let first = store.approved(1).unwrap()[0].clone();
    let cites =
        store.branches(1).unwrap().iter().filter(|b| b.t == first.t).map(|b| b.id).collect();
    let newer = crate::store::NewReflection {
        trajectory: 1,
        t: first.t,
        generator: "me".into(),
        cites,
        text: "I should walk on.".into(),
    };
    let id = store.add_reflections(&[newer]).unwrap()[0];
    store.decide(id, &Decision::Approve).unwrap();
    let mut reflection = Plan::new(Objective::Reflection, 1, 1);
    reflection.data.held_out = 0.0;
    let read = data(&store, &reflection);
    assert_eq!((read.summary.left_out.duplicates, read.summary.left_out.superseded), (1, 1));
    assert!(read.selection.items.iter().any(|item| item.reflections.contains(&(id, 1))));
    assert!(
        read.selection.items.iter().all(|item| !item.reflections.contains(&(first.reflection, 1)))
    );
}

#[test]
fn shuffled_outcomes_are_the_same_texts_beside_other_actions() {
    let (_dir, store) = store(8, 4);
    let plan = plan(Objective::WorldModel, 1);
    let control = Plan { shuffled: true, ..plan.clone() };
    let straight = data(&store, &plan);
    let dealt = data(&store, &control);
    assert_eq!(straight.summary.targets, dealt.summary.targets);
    assert_eq!(straight.summary.branches, dealt.summary.branches);
    assert_ne!(straight.digest, dealt.digest);
    assert_eq!(dealt.digest, data(&store, &control).digest, "dealt out by the seed");
}
