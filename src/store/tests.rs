use super::opening::SCHEMA;
use super::*;

#[test]
fn a_newer_store_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path()).unwrap().db.pragma_update(None, "user_version", 99).unwrap();
    let error = Store::open(dir.path()).unwrap_err();
    assert!(
        error.message().contains("newer foretaste")
            && error.next_step().unwrap().contains("--data-dir")
    );
}

#[test]
fn a_store_of_the_first_version_is_brought_up_with_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let old = Connection::open(dir.path().join("foretaste.sqlite")).unwrap();
    old.execute_batch(SCHEMA[0]).unwrap();
    old.execute_batch("PRAGMA user_version = 1; INSERT INTO settings VALUES ('screen', 'Data');")
        .unwrap();
    drop(old);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.setting("screen").unwrap().as_deref(), Some("Data"));
    assert!(store.audit(10).unwrap().is_empty());
}

#[test]
fn how_reflections_stand_survives_the_third_version() {
    let dir = tempfile::tempdir().unwrap();
    let old = Connection::open(dir.path().join("foretaste.sqlite")).unwrap();
    old.execute_batch(SCHEMA[0]).unwrap();
    old.execute_batch(SCHEMA[1]).unwrap();
    old.execute_batch(
        "PRAGMA user_version = 2;
         INSERT INTO trajectories VALUES (1, 's', 'p', 't', 'k', 'g', 'demonstration', 'a', 1, 'o', '[]', 1, 0, 0, 0);
         INSERT INTO reflections VALUES (1, 1, 0, 'w', '[]', 0), (2, 1, 0, 'w', '[]', 0), (3, 1, 0, 'w', '[]', 0);
         INSERT INTO decisions (reflection, act, verdict, version, created_ms, undone) VALUES
         (1, 'approve', 'approved', 1, 0, 0), (2, 'approve', 'approved', 1, 0, 0), (2, 'reject', 'rejected', 1, 0, 0),
         (3, 'approve', 'approved', 1, 0, 1);",
    )
    .unwrap();
    drop(old);
    assert_eq!(Store::open(dir.path()).unwrap().verdict_counts().unwrap(), [1, 1, 1]);
}

#[test]
fn alternatives_of_an_older_store_stand_in_the_pools_of_who_proposed_them() {
    let dir = tempfile::tempdir().unwrap();
    let old = Connection::open(dir.path().join("foretaste.sqlite")).unwrap();
    SCHEMA[..3].iter().for_each(|step| old.execute_batch(step).unwrap());
    old.execute_batch(
        "PRAGMA user_version = 3;
         INSERT INTO trajectories VALUES (1, 's', 'p', 't', 'k', 'g', 'demonstration', 'a', 1, 'o', '[]', 1, 2, 0, 0);
         INSERT INTO branches VALUES
         (1, 1, 0, 'w', 'uniform', 'o', 'changed', 0, 0, 0), (2, 1, 0, 'x', 'policy', 'o', 'changed', 0, 0, 0),
         (3, 1, 0, 'y', 'uniform', 'o', 'changed', 0, 0, 0), (4, 1, 1, 'x', 'human', 'o', 'changed', 0, 0, 0),
         (5, 1, 1, 'w', 'uniform', 'o', 'changed', 0, 0, 0);
         INSERT INTO evaluations (checkpoint, suite, split, seed, n, successes, mean_steps, created_ms)
         VALUES ('embedded', 's', 'p', 1, 20, 5, 40.0, 0);",
    )
    .unwrap();
    drop(old);
    let store = Store::open(dir.path()).unwrap();
    let place = |drawn: &Drawn| (drawn.branch.id, drawn.place.pool.clone(), drawn.place.rank);
    let all: Vec<_> = store.drawn(1, None).unwrap().iter().map(place).collect();
    let pool = |id, pool: &str, rank| (id, pool.to_string(), rank);
    let want = [
        pool(2, "policy", 0),
        pool(1, "uniform", 0),
        pool(3, "uniform", 1),
        pool(4, "explore", 0),
        pool(5, "uniform", 0),
    ];
    assert_eq!(all, want);
    assert_eq!(store.trajectory(1).unwrap().world, None);
    let eval = &store.evaluations().unwrap()[0];
    assert_eq!((eval.n, eval.temperature, eval.think, eval.games_seed), (20, None, None, None));
}

#[test]
fn what_older_stores_hold_is_worth_its_success() {
    let dir = tempfile::tempdir().unwrap();
    let old = Connection::open(dir.path().join("foretaste.sqlite")).unwrap();
    SCHEMA[..5].iter().for_each(|step| old.execute_batch(step).unwrap());
    old.execute_batch(
        "PRAGMA user_version = 5;
         INSERT INTO trajectories (id, suite, split, task_id, kind, task, purpose, actor, seed, observation, admissible,
            success, length, created_ms) VALUES (1, 's', 'p', 't', 'k', 'g', 'demonstration', 'a', 1, 'o', '[\"x\"]', 1, 2, 0);
         INSERT INTO steps VALUES (1, 0, 'x', 'a', 'o', '[]', 0, 0), (1, 1, 'y', 'a', 'won', '[]', 1, 1);
         INSERT INTO branches (trajectory, t, action, source, observation, effect, done, success, created_ms)
            VALUES (1, 1, 'z', 'uniform', 'o', 'ends', 1, 1, 0), (1, 0, 'z', 'uniform', 'o', 'no-op', 0, 0, 0);
         INSERT INTO evaluations (checkpoint, suite, split, seed, n, successes, mean_steps, created_ms)
            VALUES ('c', 's', 'p', 1, 4, 1, 9.0, 0);",
    )
    .unwrap();
    drop(old);
    let store = Store::open(dir.path()).unwrap();
    let trajectory = store.trajectory(1).unwrap();
    let steps: Vec<_> = trajectory
        .steps
        .iter()
        .map(|step| (step.reward, step.truncated, step.free.len()))
        .collect();
    assert_eq!(steps, [(0.0, false, 0), (1.0, false, 0)]);
    assert_eq!(
        (trajectory.reward(), trajectory.listed_at(0), trajectory.listed_at(1).len()),
        (1.0, &["x".into()][..], 0)
    );
    assert!(trajectory.admissible_at(1).is_some(), "an empty list, as it was written");
    assert_eq!(
        store.branches(1).unwrap().iter().map(|branch| branch.reward).collect::<Vec<_>>(),
        [0.0, 1.0]
    );
    assert_eq!(store.evaluations().unwrap()[0].mean_reward, Some(0.25));
}

#[test]
fn programs_that_start_together_in_an_empty_directory_all_find_a_store() {
    for _ in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| Store::open(dir.path()).unwrap().set_setting("a", "b").unwrap());
            }
        });
    }
}

#[test]
fn a_damaged_store_says_so() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("foretaste.sqlite"), vec![7u8; 9000]).unwrap();
    assert!(Store::open(dir.path()).unwrap_err().next_step().unwrap().contains("damaged"));
}

#[test]
fn two_programs_share_one_directory() {
    let dir = tempfile::tempdir().unwrap();
    let a = Store::open(dir.path()).unwrap();
    let b = Store::open(dir.path()).unwrap();
    a.set_setting("screen", "curate").unwrap();
    assert_eq!(b.setting("screen").unwrap().as_deref(), Some("curate"));
    std::thread::scope(|scope| {
        for store in [a, b] {
            scope.spawn(move || {
                (0..50).for_each(|i| store.set_setting("k", &i.to_string()).unwrap());
            });
        }
    });
}
