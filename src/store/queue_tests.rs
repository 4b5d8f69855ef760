use super::*;
use crate::agent::template::Template;
use crate::collect::{self, Contrast, Draw};
use crate::control::{Control, Progress};
use crate::env::household::Household;
use crate::episode::{Scope, Teacher};
use crate::store::Decision;

#[test]
fn kappa_is_agreement_beyond_chance() {
    // Cohen (1960) by hand: 0.7 observed, 0.5 by chance.
    let found = KappaAgreement::of([[15, 10], [5, 20]]);
    assert_eq!((found.both, found.same), (50, 35));
    assert!((found.kappa.unwrap() - 0.4).abs() < 1e-12);
    assert_eq!(
        KappaAgreement::of([[0, 0], [0, 9]]).kappa,
        None,
        "nothing but approvals says nothing"
    );
    assert_eq!(KappaAgreement::of([[0; 2]; 2]), KappaAgreement::default());
}

#[test]
fn pages_of_the_queue_follow_each_other_whatever_is_decided() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let scope = Scope { split: "train".into(), games: 3, seed: 1, share: None };
    let control = Control::default();
    let quiet = &mut |_: serde_json::Value, _: Progress| {};
    collect::demonstrations(&mut store, &Household, &scope, Teacher::Suite(None), &control, quiet)
        .unwrap();
    collect::branches(&mut store, &Household, &scope, Draw::uniform(3), &control, quiet).unwrap();
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
    let ids = |queue: &Queue| queue.items.iter().map(|item| item.id).collect::<Vec<_>>();
    let pending = Filter::verdict(Some(Verdict::Pending));
    let whole = store.queue(&pending, Place::Start, 1000).unwrap();
    assert_eq!((whole.back, whole.on), (None, None));
    let all = ids(&whole);
    let first = store.queue(&pending, Place::Start, 4).unwrap();
    assert_eq!((ids(&first).as_slice(), first.back), (&all[..4], None));
    store.decide_all(&all[..2], &Decision::Approve).unwrap();
    let second = store.queue(&pending, first.on.unwrap(), 4).unwrap();
    assert_eq!(ids(&second), all[4..8], "what was decided before it moves nothing");
    let back = store.queue(&pending, second.back.unwrap(), 4).unwrap();
    assert_eq!((ids(&back).as_slice(), back.back), (&all[2..4], None));
    assert_eq!(store.verdict_counts().unwrap(), [all.len() as u64 - 2, 2, 0]);
    store.undo().unwrap();
    assert_eq!(store.verdict_counts().unwrap(), [all.len() as u64, 0, 0], "both were one act");
    store.redo().unwrap();
    store.set_deleted(whole.items[0].trajectory, true).unwrap();
    assert_eq!(store.verdict_counts().unwrap()[1], 0, "what is deleted is not counted");
}

#[test]
fn a_second_opinion_is_given_blind_changes_nothing_and_can_be_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let scope = Scope { split: "train".into(), games: 2, seed: 1, share: None };
    let control = Control::default();
    let quiet = &mut |_: serde_json::Value, _: Progress| {};
    collect::demonstrations(&mut store, &Household, &scope, Teacher::Suite(None), &control, quiet)
        .unwrap();
    collect::branches(&mut store, &Household, &scope, Draw::uniform(3), &control, quiet).unwrap();
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
    let ids: Vec<i64> = store
        .queue(&Filter::default(), Place::Start, 9)
        .unwrap()
        .items
        .iter()
        .map(|item| item.id)
        .collect();
    store.decide_all(&ids[..3], &Decision::Approve).unwrap();
    store.decide(ids[3], &Decision::Reject("GENERIC".into())).unwrap();
    let blind = Filter { second: Some(Second::Blind), ..Filter::default() };
    let asked = store.queue(&blind, Place::Start, 100).unwrap().items;
    assert_eq!(asked.len(), 4);
    assert!(
        asked.iter().all(|item| item.verdict == Verdict::Pending && item.reason.is_none()),
        "nothing is given away"
    );
    store.decide(ids[0], &Decision::Second(None)).unwrap();
    store.decide(ids[1], &Decision::Second(Some("GENERIC".into()))).unwrap();
    store.decide(ids[3], &Decision::Second(Some("TOO_LONG".into()))).unwrap();
    assert_eq!(store.verdict_counts().unwrap()[1..], [3, 1], "how it stands does not change");
    assert_eq!(store.queue(&blind, Place::Start, 100).unwrap().items.len(), 1);
    let agreement = store.agreement().unwrap();
    assert_eq!((agreement.both, agreement.same), (3, 2));
    let differs = Filter { second: Some(Second::Differs), ..Filter::default() };
    assert_eq!(
        store
            .queue(&differs, Place::Start, 100)
            .unwrap()
            .items
            .iter()
            .map(|item| item.id)
            .collect::<Vec<_>>(),
        [ids[1]]
    );
    store.undo().unwrap();
    assert_eq!(store.agreement().unwrap().both, 2);
    store.decide(ids[0], &Decision::Edit("Another text.".into())).unwrap();
    assert_eq!(
        store.agreement().unwrap().both,
        1,
        "an opinion is about the text that it was given on"
    );
}
