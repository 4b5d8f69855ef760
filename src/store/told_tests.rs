use crate::experience::{Purpose, Trajectory, Verdict};
use crate::store::{Decision, NewReflection, Store};

fn trajectory() -> Trajectory {
    Trajectory {
        id: 0,
        suite: "household".into(),
        split: "train".into(),
        task_id: "train/1".into(),
        kind: "place".into(),
        task: "put a cup on the table.".into(),
        purpose: Purpose::Demonstration,
        actor: "fair".into(),
        seed: 1,
        observation: "A room.".into(),
        admissible: None,
        free: vec![],
        steps: vec![],
        created_ms: 0,
        world: None,
    }
}

#[test]
fn a_reflection_is_told_as_it_stands_and_by_whom() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let id = store.add_trajectory(&trajectory()).unwrap();
    let new = |t, text: &str| NewReflection {
        trajectory: id,
        t,
        generator: "rationale-only by template".into(),
        cites: vec![],
        text: text.into(),
    };
    let ids = store.add_reflections(&[new(1, "second state"), new(0, "first")]).unwrap();
    store.decide(ids[0], &Decision::Reject("GENERIC".into())).unwrap();
    store.decide(ids[1], &Decision::Edit("first, better".into())).unwrap();
    let noted = "UPDATE decisions SET note = 'says more' WHERE reflection = ?1";
    store.execute(noted, [ids[0]]).unwrap();

    let told = store.told(id).unwrap();
    let [first, second] = told.reflections.as_slice() else { panic!("{:?}", told.reflections) };
    assert_eq!((first.t, first.text.as_str()), (0, "first, better"));
    assert_eq!(first.provenance(), "by you, version 2 of 2, first rationale-only by template");
    assert_eq!(first.judged(), "approved");
    assert_eq!(
        (second.provenance().as_str(), second.judged().as_str()),
        ("rationale-only by template", "rejected: GENERIC")
    );
    assert_eq!(second.note.as_deref(), Some("says more"));

    store.undo().unwrap();
    let told = store.told(id).unwrap();
    let first = told.reflections_at(0).next().unwrap();
    assert_eq!((first.text.as_str(), first.versions), ("first", 2), "an edit that was taken back");
    assert_eq!(first.verdict, Verdict::Pending);
}
