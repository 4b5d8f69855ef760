//! Drawing from a policy whose proposals are known.

use super::*;
use crate::collect::{self, Contrast, Draw, Writing};
use crate::control::{Cancel, Control, Progress};
use crate::env::household::Household;
use crate::env::{Environment, Experts, Opened, Suite, TaskRef};
use crate::episode::{Scope, Teacher, Worlds, way};
use crate::experience::{ActionEffect, State};
use crate::scripted::Scripted;
use crate::store::Store;

/// Proposes what a seed picks of some answers; thinks a thought of its own.
fn scripted(answers: &[&'static str]) -> Scripted {
    let answers = answers.to_vec();
    let says = move |_: &State, _: Option<&str>, seed: u64| {
        answers[(seed % answers.len() as u64) as usize].to_string()
    };
    Scripted::says(says).thinks(|_, seed| format!("thought {seed}")).scores(|_, _, _| 0.0)
}

fn policy(policy: &mut Scripted) -> Proposer<'_> {
    Proposer::Policy { policy, think: false, keep_invalid: false, mixed: false }
}

/// A demonstration with a list of ten actions.
fn trajectory() -> Trajectory {
    let (_dir, store) = store(1);
    let mut trajectory = store.trajectory(1).unwrap();
    trajectory.admissible = Some((0..10).map(|i| format!("a{i}")).collect());
    trajectory.steps[0].action = "a0".into();
    trajectory
}

fn actions(drawn: &[(String, Membership)]) -> Vec<&str> {
    drawn.iter().map(|(action, _)| action.as_str()).collect()
}

fn store(games: usize) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let control = Control::default();
    let quiet = &mut |_: serde_json::Value, _: Progress| {};
    collect::demonstrations(
        &mut store,
        &Household,
        &scope(games),
        Teacher::Suite(None),
        &control,
        quiet,
    )
    .unwrap();
    (dir, store)
}

fn scope(games: usize) -> Scope {
    Scope { split: "train".into(), games, seed: 1, share: None }
}

fn branches(store: &mut Store, draw: Draw<'_>) -> Result<Vec<serde_json::Value>> {
    let mut rows = Vec::new();
    let report = &mut |row: serde_json::Value, _: Progress| rows.push(row);
    collect::branches(store, &Household, &scope(100), draw, &Control::default(), report)?;
    Ok(rows)
}

#[test]
fn a_pool_of_k_is_the_beginning_of_every_larger_one_whoever_proposes() {
    let trajectory = trajectory();
    for seed in 0..50 {
        for uniform in [true, false] {
            let mut mind = scripted(&["a0", "a1", "nonsense", "a2", "a3"]);
            let mut draw = |have: &[String], k: usize| {
                let mut proposer = if uniform { Proposer::Uniform } else { policy(&mut mind) };
                proposer
                    .draw((&trajectory, 0, None), ("pool", have, k), seed, &Cancel::default())
                    .unwrap()
            };
            let whole = draw(&[], 6);
            let names = actions(&whole);
            assert_eq!(names.len(), 6);
            assert!(
                !names.contains(&"a0") && !names.contains(&"nonsense"),
                "not the expert's, and admissible: {names:?}"
            );
            let mut distinct = names.clone();
            distinct.sort_unstable();
            distinct.dedup();
            assert_eq!(distinct.len(), 6);
            assert_eq!(
                whole.iter().map(|(_, place)| place.rank).collect::<Vec<_>>(),
                [0, 1, 2, 3, 4, 5]
            );
            let first = draw(&[], 2);
            let have: Vec<String> = first.iter().map(|(action, _)| action.clone()).collect();
            assert_eq!([first, draw(&have, 6)].concat(), whole, "seed {seed}");
        }
    }
}

#[test]
fn invalid_proposals_are_replaced_and_said_to_be_or_kept_where_that_is_asked_for() {
    let trajectory = trajectory();
    let mut mind = scripted(&["nonsense"]);
    let drawn = policy(&mut mind)
        .draw((&trajectory, 0, None), ("policy", &[], 3), 1, &Cancel::default())
        .unwrap();
    assert!(drawn.iter().all(|(_, place)| place.source == UNIFORM && place.model == "scripted"));
    let mut keep =
        Proposer::Policy { policy: &mut mind, think: true, keep_invalid: true, mixed: false };
    let drawn =
        keep.draw((&trajectory, 0, None), ("policy", &[], 3), 1, &Cancel::default()).unwrap();
    assert_eq!(drawn[0].0, "nonsense");
    assert_eq!(
        (drawn[0].1.source.as_str(), drawn[0].1.model.as_str()),
        (POLICY, "scripted, thinking")
    );
    assert_eq!(drawn[1].1.source, UNIFORM, "the same proposal again is no other alternative");
    assert!(
        mind.heard.lock().unwrap().thoughts[3..]
            .iter()
            .all(|thought| thought.as_deref().is_some_and(|t| t.starts_with("thought")))
    );
    // Nobody is asked where there is nothing left to draw.
    let asked = mind.heard.lock().unwrap().texts;
    let have: Vec<String> = (1..10).map(|i| format!("a{i}")).collect();
    assert!(
        policy(&mut mind)
            .draw((&trajectory, 0, None), ("policy", &have, 20), 1, &Cancel::default())
            .unwrap()
            .is_empty()
    );
    assert_eq!(mind.heard.lock().unwrap().texts, asked);
}

#[test]
fn where_nothing_is_listed_a_policy_still_proposes_and_constant_answers_are_left_out() {
    let mut trajectory = trajectory();
    let mut mind = scripted(&["search[red mug]", "a0"]);
    trajectory.admissible = None;
    let drawn = policy(&mut mind)
        .draw((&trajectory, 0, None), ("policy", &[], 8), 1, &Cancel::default())
        .unwrap();
    assert_eq!(actions(&drawn), ["search[red mug]"], "once, and never the expert's");
    assert!(
        Proposer::Uniform
            .draw((&trajectory, 0, None), ("uniform", &[], 8), 1, &Cancel::default())
            .unwrap()
            .is_empty()
    );
    trajectory.suite = "alfworld".into();
    trajectory.admissible = Some(["a0", "help", "look"].map(String::from).into());
    for mut proposer in [Proposer::Uniform, policy(&mut scripted(&["help"]))] {
        assert_eq!(
            actions(
                &proposer
                    .draw((&trajectory, 0, None), ("x", &[], 4), 1, &Cancel::default())
                    .unwrap()
            ),
            ["look"]
        );
    }
}

#[test]
fn uniform_alternatives_leave_room_for_the_policys_and_a_pool_is_of_one_model() {
    let (_dir, mut store) = store(2);
    let states: usize =
        store.demonstrations(None, None).unwrap().iter().map(|demo| demo.length).sum();
    let of = |store: &Store, pool: &str| -> usize {
        (1..=2).map(|id| store.drawn(id, Some(pool)).unwrap().len()).sum()
    };
    branches(&mut store, Draw::uniform(4)).unwrap();
    let mut mind = scripted(&["look around", "check hands", "fly"]);
    let asked = |policy: &mut Scripted, k: usize, store: &mut Store| {
        let proposer = Proposer::Policy { policy, think: false, keep_invalid: false, mixed: false };
        branches(store, Draw { pool: None, k, proposer, expert: None, visits: false })
    };
    asked(&mut mind, 2, &mut store).unwrap();
    let rows = asked(&mut mind, 3, &mut store).unwrap();
    let uniform = of(&store, UNIFORM);
    assert!(uniform > 3 * states && uniform <= 4 * states);
    assert_eq!(of(&store, POLICY), 3 * states);
    let from = |source: &str| -> u64 {
        rows.iter().map(|row| row["from"][source].as_u64().unwrap()).sum()
    };
    assert!(from(UNIFORM) > 0 && from(POLICY) + from(UNIFORM) == states as u64, "{rows:?}");
    let proposed = (1..=2)
        .flat_map(|id| store.drawn(id, Some(POLICY)).unwrap())
        .filter(|d| d.place.source == POLICY);
    assert!(proposed.count() > states, "two of what it says are alternatives nearly everywhere");
    // Again: nothing is missing, and the report says what was there.
    let again = asked(&mut mind, 3, &mut store).unwrap();
    assert!(again.iter().all(|row| row["branches"] == serde_json::json!([]) && row["had"].as_u64().unwrap() > 0));
    let mut other = scripted(&["fly"]).named("another");
    let error = asked(&mut other, 4, &mut store).unwrap_err();
    assert!(error.message().contains("scripted") && error.message().contains("another"), "{error}");
    // Reflections are written from one pool, and at most so many of a state.
    let control = Control::default();
    let quiet = &mut |_: serde_json::Value, _: Progress| {};
    let mut write = |contrast: Contrast, store: &mut Store| {
        let writer = &mut crate::agent::template::Template;
        collect::reflections(
            store,
            &Household,
            &scope(2),
            &contrast,
            Writing::once(writer),
            &control,
            quiet,
        )
    };
    write(Contrast { k: 2, ..Contrast::default() }, &mut store).unwrap();
    let pool: Vec<i64> = (1..=2)
        .flat_map(|id| store.drawn(id, Some(POLICY)).unwrap())
        .filter(|drawn| drawn.place.rank < 2)
        .map(|drawn| drawn.branch.id)
        .collect();
    let filter = crate::store::Filter::default();
    let written = store.queue(&filter, crate::store::Place::Start, 1000).unwrap().items;
    assert!(!written.is_empty());
    for reflection in &written {
        assert!(
            reflection.cites.len() <= 2 && reflection.cites.iter().all(|id| pool.contains(id)),
            "{reflection:?}"
        );
    }
    let nothing =
        write(Contrast { pool: Some("nobody".into()), ..Contrast::default() }, &mut store)
            .unwrap_err();
    assert!(nothing.message().contains("nobody"));
}

/// The household, in which one game is another than it was.
struct Changed(TaskRef, &'static str);

impl Suite for Changed {
    fn name(&self) -> &'static str {
        "household"
    }

    fn splits(&self) -> Vec<String> {
        Household.splits()
    }

    fn tasks(&self, split: &str) -> Result<Vec<TaskRef>> {
        Household.tasks(split)
    }

    fn open(&self, id: &str) -> Result<Opened> {
        Household.open(if id == self.0.id { self.1 } else { id })
    }
}

#[test]
fn a_demonstration_in_another_world_is_passed_over_and_counted() {
    let (_dir, mut store) = store(3);
    let demos = store.demonstrations(None, None).unwrap();
    let task = TaskRef { id: demos[1].task_id.clone(), kind: String::new() };
    let suite = Changed(task, "train/3999");
    let mut rows = Vec::new();
    let report = &mut |row: serde_json::Value, _: Progress| rows.push(row);
    let done = collect::branches(
        &mut store,
        &suite,
        &scope(3),
        Draw::uniform(2),
        &Control::default(),
        report,
    );
    assert!(done.unwrap_err().message().contains("STATE_MISMATCH"));
    assert_eq!(rows.iter().filter(|row| row["skipped"] == demos[1].id).count(), 1, "{rows:?}");
    assert!(store.branches(demos[1].id).unwrap().is_empty());
    assert!(
        !store.branches(demos[0].id).unwrap().is_empty()
            && !store.branches(demos[2].id).unwrap().is_empty()
    );
}

#[test]
fn retracing_compares_the_world_every_observation_and_the_last() {
    let (_dir, store) = store(1);
    let trajectory = store.trajectory(1).unwrap();
    let last = trajectory.steps.len();
    let walk = |trajectory: &Trajectory| {
        Worlds::of(&Household, trajectory)?.look(&way(&trajectory.steps[..last]), |_, _| ())
    };
    walk(&trajectory).unwrap();
    let fails = |edit: &dyn Fn(&mut Trajectory)| {
        let mut edited = trajectory.clone();
        edit(&mut edited);
        let error = walk(&edited).unwrap_err();
        assert!(error.message().contains("STATE_MISMATCH"), "{error}");
    };
    fails(&|tr| tr.observation.push('!'));
    fails(&|tr| tr.steps[0].observation.push('!'));
    fails(&|tr| tr.steps[last - 1].observation.push('!'));
    fails(&|tr| tr.world = tr.world.map(|world| world ^ 1));
    assert!(trajectory.world.is_some());
    walk(&Trajectory { world: None, ..trajectory.clone() }).unwrap();
}

#[test]
fn nothing_is_kept_beside_a_demonstration_that_was_answered_otherwise() {
    let (_dir, mut store) = store(1);
    let recorded = store.trajectory(1).unwrap();
    for t in 0..recorded.steps.len() {
        let mut edited = Trajectory { id: 0, ..recorded.clone() };
        edited.steps[t].observation.push('!');
        store.set_deleted(1, true).unwrap();
        let id = store.add_trajectory(&edited).unwrap();
        let error = branches(&mut store, Draw::uniform(2)).unwrap_err();
        assert!(error.message().contains(&format!("trajectory {id} at step {}", t + 1)), "{error}");
        assert!(store.branches(id).unwrap().is_empty(), "step {t}");
        store.set_deleted(id, true).unwrap();
    }
}

#[test]
fn an_alternative_that_leaves_the_goal_no_farther_than_the_expert_does_is_no_worse() {
    let (_dir, mut store) = store(40);
    branches(&mut store, Draw::uniform(20)).unwrap();
    let mut seen = [0, 0, 0];
    for demo in store.demonstrations(None, None).unwrap() {
        let trajectory = store.trajectory(demo.id).unwrap();
        let mut worlds = Worlds::of(&Household, &trajectory).unwrap();
        let way = way(&trajectory.steps);
        for branch in store.branches(demo.id).unwrap() {
            let way = &way[..branch.t];
            let left = |env: &dyn Environment, experts: &Experts| {
                experts.distance(env, &Cancel::default()).unwrap()
            };
            let mut distance = |action: &str| {
                worlds.execute(way, action, |_, env, experts| left(env, experts)).unwrap().1
            };
            let expert = distance(&trajectory.steps[branch.t].action);
            let other = distance(&branch.action);
            let before = worlds.look(way, left).unwrap();
            match branch.effect {
                ActionEffect::Changed => {
                    assert!(other > expert && other >= before, "{branch:?}");
                    seen[0] += 1;
                }
                ActionEffect::NoWorse => {
                    assert!(other <= expert && other >= before && !branch.worse(), "{branch:?}");
                    seen[1] += 1;
                }
                ActionEffect::EquallyGood => {
                    assert!(other < before && !branch.worse(), "{branch:?}");
                    seen[2] += 1;
                }
                _ => {}
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 10), "{seen:?}");
}

#[test]
fn games_of_a_job_are_chosen_by_its_seed_among_those_that_have_demonstrations() {
    let (_dir, mut store) = store(12);
    let covered = |store: &mut Store, games: usize, seed: u64| -> Vec<i64> {
        let mut ids = Vec::new();
        let report = &mut |row: serde_json::Value, _: Progress| {
            ids.push(row["trajectory"].as_i64().unwrap());
        };
        let scope = Scope { split: "train".into(), games, seed, share: None };
        collect::branches(store, &Household, &scope, Draw::uniform(1), &Control::default(), report)
            .unwrap();
        ids
    };
    let all = covered(&mut store, 100, 1);
    assert_eq!(
        all,
        (1..=12).collect::<Vec<_>>(),
        "the order in which the same seed collected them"
    );
    let few = covered(&mut store, 4, 7);
    let others = covered(&mut store, 4, 8);
    assert_eq!((few.len(), others.len()), (4, 4));
    assert_ne!(few, others);
    assert_eq!(few, covered(&mut store, 4, 7));
    assert_eq!(covered(&mut store, 2, 7), few[..2], "fewer are the first of more");
}

#[test]
fn a_mixture_asks_the_policy_for_every_other_draw_and_grows_as_it_would_have_been() {
    let trajectory = trajectory();
    let mut mind = scripted(&["a7", "a3"]);
    let mut mixed =
        Proposer::Policy { policy: &mut mind, think: false, keep_invalid: false, mixed: true };
    assert_eq!(mixed.pool(), "mixture");
    let cancel = Cancel::default();
    let all = mixed.draw((&trajectory, 0, None), ("mixture", &[], 4), 1, &cancel).unwrap();
    let sources: Vec<&str> = all.iter().map(|(_, place)| place.source.as_str()).collect();
    assert_eq!(sources, [UNIFORM, POLICY, UNIFORM, POLICY]);
    assert!(["a7", "a3"].contains(&all[1].0.as_str()), "{:?}", actions(&all));
    let distinct: HashSet<&str> = actions(&all).into_iter().collect();
    assert_eq!(distinct.len(), 4);
    // The first three, then the fourth, are the same four.
    let first = mixed.draw((&trajectory, 0, None), ("mixture", &[], 3), 1, &cancel).unwrap();
    let have: Vec<String> = first.iter().map(|(action, _)| action.clone()).collect();
    let fourth = mixed.draw((&trajectory, 0, None), ("mixture", &have, 4), 1, &cancel).unwrap();
    assert_eq!([first, fourth].concat(), all);
}
