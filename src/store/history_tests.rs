use crate::agent::template::Template;
use crate::collect::{self, Contrast, Draw};
use crate::control::{Control, Progress};
use crate::env::household::Household;
use crate::episode::{Scope, Teacher};
use crate::experience::{Reflection, Verdict};
use crate::store::{Decision, Filter, Place, Store};

/// A store with reflections about one game.
fn curated() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let scope = Scope { split: "train".into(), games: 1, seed: 1, share: None };
    let control = Control::default();
    let quiet = &mut |_: serde_json::Value, _: Progress| {};
    let suite = &Household;
    collect::demonstrations(&mut store, suite, &scope, Teacher::Suite(None), &control, quiet)
        .unwrap();
    collect::branches(&mut store, suite, &scope, Draw::uniform(3), &control, quiet).unwrap();
    let how = Contrast::default();
    let mut template = Template;
    let writing = collect::Writing::once(&mut template);
    collect::reflections(&mut store, suite, &scope, &how, writing, &control, quiet).unwrap();
    (dir, store)
}

fn first(store: &Store) -> Reflection {
    store.queue(&Filter::default(), Place::Start, 1).unwrap().items.remove(0)
}

#[test]
fn a_revision_is_pending_until_it_is_approved_and_undo_takes_it_back() {
    let (_dir, mut store) = curated();
    let before = first(&store);
    assert_eq!((before.author.as_str(), before.version, before.decided_ms), ("template", 1, None));
    assert!(!before.kind.is_empty() && !before.action.is_empty() && before.written_ms > 0);
    store.decide(before.id, &Decision::Approve).unwrap();
    store.set_draft(before.id, Some("Mine.")).unwrap();
    store.decide(before.id, &Decision::Revise("Mine.".into())).unwrap();
    let revised = first(&store);
    assert_eq!((revised.text(), revised.author.as_str()), ("Mine.", "you"));
    assert_eq!((revised.version, revised.written, revised.verdict), (2, 2, Verdict::Pending));
    assert_eq!(revised.draft, None, "it is a version now");
    assert!(store.approved(before.trajectory).unwrap().is_empty(), "it does not count yet");
    store.decide(before.id, &Decision::Approve).unwrap();
    assert_eq!(store.approved(before.trajectory).unwrap()[0].text, "Mine.");
    store.undo().unwrap();
    let undone = store.undo().unwrap().unwrap();
    assert_eq!((undone.act.as_str(), undone.verdict), ("revise", Verdict::Approved));
    assert_eq!(first(&store).text(), before.text());
}

#[test]
fn what_is_said_stands_beside_a_decision_and_is_found_and_listed() {
    let (_dir, mut store) = curated();
    let id = first(&store).id;
    let reject = Decision::Reject("GENERIC".into());
    store.decide_noted(&[id], &reject, Some("says nothing of the Shelf")).unwrap();
    store.decide(id, &Decision::Note("look at it with Ada".into())).unwrap();
    let noted = first(&store);
    assert_eq!(noted.note.as_deref(), Some("look at it with Ada"));
    assert_eq!(noted.verdict, Verdict::Rejected, "words decide nothing");
    assert_eq!(noted.reason.as_deref(), Some("GENERIC"));
    assert_eq!(noted.decided_by.as_deref(), Some("you"));
    let found = |words: &str| {
        let filter = Filter { words: words.into(), ..Filter::default() };
        store.queue(&filter, Place::Start, 100).unwrap().items.len()
    };
    assert_eq!((found("nothing of the shelf"), found("with ada"), found("with bob")), (1, 1, 0));
    let notes: Vec<_> = store.audit(2).unwrap().into_iter().map(|row| row.note).collect();
    assert_eq!(notes[1].as_deref(), Some("says nothing of the Shelf"));
    let acts: Vec<_> = store.history(id).unwrap().into_iter().map(|event| event.act).collect();
    assert_eq!(acts, ["written", "reject", "note"]);
    store.undo().unwrap();
    assert_eq!(first(&store).note.as_deref(), Some("says nothing of the Shelf"));
    assert!(store.history(id).unwrap()[2].undone);
    assert_eq!(crate::curation::history(&store.history(id).unwrap()).len(), 3);
}
