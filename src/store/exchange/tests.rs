use proptest::prelude::*;

use super::*;
use crate::agent::template::Template;
use crate::collect::{self, Contrast, Draw};
use crate::control::{Control, Progress};
use crate::env::household::Household;
use crate::episode::{Scope, Teacher};
use crate::store::{Decision, Filter, Place, Store};

/// A store with a few games, the second demonstration twice, and what hangs off them.
fn collected(seed: u64) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let scope = Scope { split: "train".into(), games: 2, seed, share: None };
    let control = Control::default();
    let quiet = &mut |_: serde_json::Value, _: Progress| {};
    let suite = &Household;
    collect::demonstrations(&mut store, suite, &scope, Teacher::Suite(None), &control, quiet)
        .unwrap();
    let again = store.trajectory(2).unwrap();
    store.add_trajectory(&again).unwrap();
    collect::branches(&mut store, suite, &scope, Draw::uniform(2), &control, quiet).unwrap();
    collect::reflections(
        &mut store,
        suite,
        &scope,
        &Contrast::default(),
        collect::Writing::once(&mut Template),
        &control,
        quiet,
    )
    .unwrap();
    let action = store.trajectory(1).unwrap().steps[0].action.clone();
    let (model, text) = ("embedded".to_string(), "I expect a pot.".to_string());
    store
        .add_predictions(&[Prediction { trajectory: 1, t: 0, action, model, text, created_ms: 0 }])
        .unwrap();
    store.add_thoughts(&[Thought { trajectory: 1, t: 0, text: "Hm.".into() }]).unwrap();
    (dir, store)
}

/// One act, by numbers that follow from nothing.
fn act(store: &mut Store, (which, what): (usize, usize)) {
    let all = store.queue(&Filter::default(), Place::Start, 1000).unwrap().items;
    let id = all[which % all.len()].id;
    let next = all[(which + 1) % all.len()].id;
    match what {
        0 => _ = store.decide(id, &Decision::Approve).unwrap(),
        1 => _ = store.decide_all(&[id, next], &Decision::Reject("GENERIC".into())).unwrap(),
        2 => _ = store.decide(id, &Decision::Edit(format!("mine, {which}"))).unwrap(),
        3 => _ = store.decide(id, &Decision::Second(Some("BAD_EXPERT".into()))).unwrap(),
        4 => _ = store.decide(id, &Decision::Flag(which.is_multiple_of(2))).unwrap(),
        5 => _ = store.decide(id, &Decision::Attempt("model x".into(), "again".into())).unwrap(),
        6 => _ = store.undo().unwrap(),
        7 => store.set_draft(id, Some("begun")).unwrap(),
        _ => {
            let noted =
                "UPDATE decisions SET note = 'why' WHERE id = (SELECT max(id) FROM decisions)";
            store.db.execute(noted, []).unwrap();
        }
    }
}

/// Everything, but for the numbers of rows.
fn whole(store: &Store) -> Vec<Record> {
    let all = store.experiences(None, None).unwrap();
    let record = |row: &crate::store::TrajectorySummary| {
        let mut record = store.record(row.id).unwrap();
        record.trajectory.id = 0;
        record.branches.iter_mut().for_each(|b| (b.id, b.trajectory) = (0, 0));
        record.predictions.iter_mut().for_each(|p| p.trajectory = 0);
        record.thoughts.iter_mut().for_each(|t| t.trajectory = 0);
        record
    };
    all.iter().map(record).collect()
}

/// As lines of a file carry them.
fn carried(from: &Store, to: &Store) -> Intake {
    let lines: Vec<String> =
        whole(from).iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    let read = |line: &String| {
        let record: Record = serde_json::from_str(line).unwrap();
        record.check().map(|()| record)
    };
    let said = to.take_in(lines.iter().map(read), false, &mut |_| Ok(())).unwrap();
    let done = to.take_in(lines.iter().map(read), true, &mut |_| Ok(())).unwrap();
    assert_eq!(said, done, "what a look says is what is done");
    done
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_left_a_store_makes_an_equal_one(
        acts in proptest::collection::vec((0..40usize, 0..9usize), 0..40),
        later in proptest::collection::vec((0..40usize, 0..9usize), 0..12),
        seed in 1..4u64,
    ) {
        let (_dir, mut from) = collected(seed);
        for one in acts {
            act(&mut from, one);
        }
        let there = tempfile::tempdir().unwrap();
        let to = Store::open(there.path()).unwrap();
        prop_assert_eq!(carried(&from, &to).trajectories, 3);
        prop_assert_eq!(whole(&from), whole(&to));
        prop_assert_eq!(from.statistics().unwrap(), to.statistics().unwrap());
        prop_assert_eq!(from.agreement().unwrap(), to.agreement().unwrap());
        // Once more brings nothing, and what is done afterwards follows.
        let again = carried(&from, &to);
        prop_assert_eq!((again.trajectories, again.known, again.completed), (0, 3, 0));
        // An undo is no act of its own that could follow; drafts are whoever's they are.
        later.into_iter().filter(|(_, what)| *what < 6).for_each(|one| act(&mut from, one));
        carried(&from, &to);
        prop_assert_eq!(whole(&from), whole(&to));
    }
}

#[test]
fn what_was_decided_otherwise_stays_and_is_counted() {
    let (_dir, mut from) = collected(1);
    let there = tempfile::tempdir().unwrap();
    let mut to = Store::open(there.path()).unwrap();
    carried(&from, &to);
    from.decide(1, &Decision::Approve).unwrap();
    from.decide(2, &Decision::Approve).unwrap();
    to.decide(1, &Decision::Reject("GENERIC".into())).unwrap();
    let found = carried(&from, &to);
    assert_eq!((found.known, found.completed, found.continued, found.differing), (3, 1, 1, 1));
    let stand = |store: &Store| {
        let items = store.queue(&Filter::default(), Place::Start, 2).unwrap().items;
        items.iter().map(|item| item.verdict).collect::<Vec<_>>()
    };
    assert_eq!(stand(&to), [Verdict::Rejected, Verdict::Approved]);
}

#[test]
fn a_history_that_comes_to_something_else_is_refused() {
    let (_dir, mut store) = collected(1);
    store.decide(1, &Decision::Approve).unwrap();
    let mut record = store.record(1).unwrap();
    record.check().unwrap();
    record.reflections[0].verdict = Verdict::Rejected;
    assert!(record.check().unwrap_err().message().contains("approved"));
    let mut line = serde_json::to_value(store.record(1).unwrap()).unwrap();
    line["reflections"][0]["mood"] = "good".into();
    let refused = serde_json::from_value::<Record>(line).unwrap_err();
    assert!(refused.to_string().contains("mood"), "{refused}");
}

#[test]
fn what_stands_beside_a_decision_comes_over_and_an_undo_is_followed() {
    let (_dir, mut from) = collected(1);
    let there = tempfile::tempdir().unwrap();
    let mut to = Store::open(there.path()).unwrap();
    from.decide(1, &Decision::Approve).unwrap();
    carried(&from, &to);
    // Each goes its own way: a note there, a flag here.
    from.decide(2, &Decision::Note("look at it".into())).unwrap();
    to.decide(2, &Decision::Flag(true)).unwrap();
    from.undo().unwrap();
    from.decide(2, &Decision::Note("look at it".into())).unwrap();
    let found = carried(&from, &to);
    assert_eq!((found.continued, found.differing), (1, 0));
    let acts = |store: &Store, id: i64| -> Vec<String> {
        store.history(id).unwrap().into_iter().map(|event| event.act).collect()
    };
    assert_eq!(acts(&to, 2), ["written", "flag", "note"]);
    assert_eq!(carried(&from, &to).completed, 0, "and only once");
    // What was taken back where it was decided is taken back here, and no redo brings it again.
    from.undo().unwrap();
    from.undo().unwrap();
    carried(&from, &to);
    let stands = |store: &Store| store.verdict_counts().unwrap();
    assert_eq!(stands(&to), stands(&from));
    assert!(to.redo().unwrap().is_none(), "nobody here took anything back");
}

#[test]
fn what_was_deleted_here_does_not_come_back_by_itself() {
    let (_dir, from) = collected(1);
    let there = tempfile::tempdir().unwrap();
    let to = Store::open(there.path()).unwrap();
    carried(&from, &to);
    to.set_deleted(1, true).unwrap();
    let found = carried(&from, &to);
    assert_eq!((found.trajectories, found.known, found.deleted), (0, 3, 1));
    assert_eq!(to.experiences(None, None).unwrap().len(), 2);
}

#[test]
fn two_imports_at_once_are_one_after_the_other() {
    let (_dir, from) = collected(1);
    let there = tempfile::tempdir().unwrap();
    let to = Store::open(there.path()).unwrap();
    let second = Store::open(there.path()).unwrap();
    let mut refused = false;
    let records = whole(&from);
    to.take_in(records.iter().cloned().map(Ok), true, &mut |_| {
        let again = second.take_in(records.iter().cloned().map(Ok), true, &mut |_| Ok(()));
        refused |= again.is_err_and(|error| error.message().contains("another import"));
        Ok(())
    })
    .unwrap();
    assert!(refused && to.experiences(None, None).unwrap().len() == 3);
}

#[test]
fn a_time_that_is_none_is_refused() {
    let (_dir, mut store) = collected(1);
    store.decide(1, &Decision::Approve).unwrap();
    for time in [-9_000_000_000_000_000_000, 9_000_000_000_000_000_000] {
        let mut record = store.record(1).unwrap();
        record.reflections[0].history[0].created_ms = time;
        assert!(record.check().unwrap_err().message().contains("has a time of"));
    }
}

#[test]
fn a_flag_comes_over_once_also_where_another_text_stands() {
    let (_dir, mut from) = collected(1);
    let there = tempfile::tempdir().unwrap();
    let mut to = Store::open(there.path()).unwrap();
    carried(&from, &to);
    from.decide(1, &Decision::Edit("a text of theirs".into())).unwrap();
    from.decide(1, &Decision::Flag(true)).unwrap();
    to.decide(1, &Decision::Reject("GENERIC".into())).unwrap();
    let flags = |store: &Store| {
        store.history(1).unwrap().iter().filter(|event| event.act == "flag").count()
    };
    assert_eq!((carried(&from, &to).differing, flags(&to)), (1, 1));
    carried(&from, &to);
    assert_eq!(flags(&to), 1, "not a second time");
}

#[test]
fn an_action_of_two_lines_is_not_two_actions() {
    let (_dir, from) = collected(1);
    let game = from.trajectory(1).unwrap();
    let one = |actions: &[&str]| {
        let mut trajectory = Trajectory { task_id: "x1".into(), ..game.clone() };
        let step = trajectory.steps.remove(0);
        let act =
            |action: &&str| crate::experience::Step { action: (*action).into(), ..step.clone() };
        trajectory.steps = actions.iter().map(act).collect();
        Record {
            trajectory,
            branches: Vec::new(),
            pools: Vec::new(),
            reflections: Vec::new(),
            predictions: Vec::new(),
            thoughts: Vec::new(),
            origin: None,
        }
    };
    let all = [&["a\nb"][..], &["a", "b"], &["1:a1:b"], &["a", "b"]].map(one);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let read = || all.iter().cloned().map(Ok);
    let first = store.take_in(read(), true, &mut |_| Ok(())).unwrap();
    assert_eq!((first.trajectories, first.known), (4, 0), "the last is a second time the same");
    let again = store.take_in(read(), true, &mut |_| Ok(())).unwrap();
    assert_eq!((again.trajectories, again.known), (0, 4));
}

#[test]
fn what_was_named_after_its_file_is_known_by_what_is_in_it() {
    let (_dir, from) = collected(1);
    let mut record = whole(&from).remove(0);
    let origin = Origin { format: "messages".into(), source: "{\"messages\": []}".into() };
    let now = origin.name();
    let older = format!("runs 3 {}", &now[now.len() - 16..now.len() - 8]);
    record.origin = Some(origin);
    let named = |name: &str| {
        let mut record = record.clone();
        record.trajectory.task_id = name.into();
        record
    };
    let there = tempfile::tempdir().unwrap();
    let to = Store::open(there.path()).unwrap();
    let take = |name: &str| {
        let intake = to.take_in(std::iter::once(Ok(named(name))), true, &mut |_| Ok(())).unwrap();
        (intake.trajectories, intake.known)
    };
    assert_eq!(take(&older), (1, 0));
    for name in [&older, &now, &older.replace("runs 3", "another file")] {
        assert_eq!(take(name), (0, 1), "{name}");
    }
    let kept = &to.experiences(None, None).unwrap()[0];
    assert_eq!(kept.task_id, older, "what is in the store keeps its name");
    assert_eq!(take("runs 3 00000000"), (1, 0), "a name that only looks like one");
}

#[test]
fn what_a_pool_lacks_comes_behind_what_it_has() {
    let (_dir, from) = collected(1);
    let mut known = whole(&from).remove(0);
    known.pools.truncate(1);
    let Placed { t, place, .. } = known.pools[0].clone();
    let placed = |action: &str, rank: usize, pool: &str| {
        let place = Membership { pool: pool.into(), rank, ..place.clone() };
        Placed { t, action: action.into(), place }
    };
    let mut new = known.clone();
    new.pools.extend([placed("b", 5, &place.pool), placed("a", 2, &place.pool)]);
    new.pools.push(placed("a", 4, "mine"));
    let lacking = lacking::Lacking::of(&known, new).beside.pools;
    let mut ranks: Vec<_> =
        lacking.iter().map(|p| (p.place.pool.as_str(), p.action.as_str(), p.place.rank)).collect();
    ranks.sort_unstable();
    let (pool, next) = (place.pool.as_str(), place.rank + 1);
    let mut wanted = [("mine", "a", 4), (pool, "a", next), (pool, "b", next + 1)];
    wanted.sort_unstable();
    assert_eq!(ranks, wanted);
}
