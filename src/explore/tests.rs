//! Walking, trying and coming back.

use super::*;
use crate::env::NoAdvice;
use crate::env::household::Household;

fn household() -> Arc<dyn Suite> {
    Arc::new(Household)
}

fn session(asked: &str) -> Session {
    Session::open(&household(), "train", "train/3", Some(asked)).unwrap()
}

#[test]
fn going_back_and_on_keeps_every_branch_and_forks_do_not_meet() {
    let mut session = session("fair");
    let start = session.view().unwrap();
    let actions: Vec<String> =
        start.admissible.iter().filter(|a| a.starts_with("walk")).take(2).cloned().collect();
    session.step(&actions[0], "human").unwrap();
    let first = session.view().unwrap();
    assert!(session.back());
    assert_eq!(session.view().unwrap().observation, start.observation);
    session.step(&actions[1], "human").unwrap();
    session.goto(first.node).unwrap();
    assert_eq!(session.view().unwrap().observation, first.observation);
    assert_eq!(session.view().unwrap().trunk.len(), 3);
    session.back();
    session.step(&actions[0], "human").unwrap();
    assert_eq!(
        session.view().unwrap().trunk.len(),
        3,
        "the same action from the same state is the same node"
    );
}

#[test]
fn a_session_comes_back_as_it_was_and_only_a_win_is_kept() {
    let mut session = session("fair");
    assert!(session.demonstration().is_err());
    while let Some((name, advice)) = session.view().unwrap().expert {
        session.step(&advice.action, &name).unwrap();
    }
    let kept = session.demonstration().unwrap();
    assert!(kept.success() && kept.actor == "fair");
    session.back();
    let mut again = Session::restore(&household(), &session.remember(), None).unwrap();
    assert_eq!(again.view().unwrap(), session.view().unwrap());
}

#[test]
fn off_the_walkthrough_another_expert_speaks_and_the_view_says_so() {
    let mut session = session("walkthrough");
    let start = session.view().unwrap();
    let (name, advice) = start.expert.unwrap();
    assert!(name == "walkthrough" && start.silence.is_none());
    let other =
        start.admissible.iter().find(|a| a.starts_with("walk") && **a != advice.action).unwrap();
    session.step(other, "human").unwrap();
    let view = session.view().unwrap();
    assert_eq!(view.silence, Some(NoAdvice::OffPath));
    assert_ne!(view.expert.unwrap().0, "walkthrough");
    assert!(view.distance.unwrap() >= start.distance.unwrap() - 1);
    for asked in ["human", "fair", "planner", "walkthrough"] {
        session.next_expert();
        assert_eq!(session.view().unwrap().asked, asked);
        assert_eq!(
            session.view().unwrap().expert.is_none(),
            asked == "human",
            "only a person leaves it open"
        );
    }
}

#[test]
fn an_alternative_is_held_against_the_expert_by_the_way_that_is_left() {
    let mut session = session("planner");
    let view = session.view().unwrap();
    let left = view.expert_outcome.unwrap().steps_left.unwrap();
    assert_eq!(
        left + 1,
        view.distance.unwrap(),
        "the planner's step brings the goal one step nearer"
    );
    let actions: Vec<_> =
        view.admissible.iter().map(|a| (a.clone(), "uniform".to_string())).collect();
    let starts = session
        .worlds
        .look(&[], |env, experts| experts.optimal_actions(env, &Cancel::default()))
        .unwrap()
        .unwrap();
    for outcome in session.outcomes(&actions).unwrap() {
        let good = matches!(outcome.effect, ActionEffect::SameAsExpert | ActionEffect::EquallyGood);
        assert_eq!(good, outcome.steps_left == Some(left), "{outcome:?}");
        assert_eq!(good, starts.iter().any(|a| **a == *outcome.action), "{outcome:?} {starts:?}");
    }
}

#[test]
fn what_is_kept_is_held_against_the_step_that_was_taken_and_not_the_one_advised() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = crate::store::Store::open(dir.path()).unwrap();
    let mut session = session("planner");
    let view = session.view().unwrap();
    let advised = view.expert.unwrap().1.action;
    let walks = |action: &&String| action.starts_with("walk") && **action != advised;
    let taken = view.admissible.iter().find(walks).unwrap().clone();
    let others: Vec<_> = view
        .admissible
        .iter()
        .filter(|a| **a != taken)
        .map(|a| (a.clone(), "policy".into()))
        .collect();
    let seen = session.outcomes(&others).unwrap();
    session.step(&taken, "human").unwrap();
    while let Some((name, advice)) = session.view().unwrap().expert {
        session.step(&advice.action, &name).unwrap();
    }
    let tried = Tried { outcomes: vec![(view.state.clone(), seen.clone())], ..Tried::default() };
    let Keeping::Kept(kept) = keep(&mut session, &tried, &mut store, false).unwrap() else {
        panic!("there is no other")
    };
    assert!(kept.by.starts_with("planner ") && kept.by.ends_with(", you 1"), "{}", kept.by);
    let expected = against(&mut session.worlds, &[], Some(&taken), &others).unwrap();
    let stored = store.branches(kept.id).unwrap();
    assert_eq!(stored.len(), others.len());
    for (branch, expected) in stored.iter().zip(&expected) {
        assert_eq!((&branch.action, branch.effect), (&expected.action, expected.effect));
    }
    let known = keep(&mut session, &tried, &mut store, false).unwrap();
    assert_eq!(known, Keeping::Known(kept.id));
    let Keeping::Kept(twice) = keep(&mut session, &tried, &mut store, true).unwrap() else {
        panic!("it was asked for twice")
    };
    let found = store.duplicates().unwrap();
    let [same] = &found[..] else { panic!("{found:?}") };
    assert_eq!((same.trajectory, same.same_as), (twice.id, kept.id));
    store.set_deleted(twice.id, true).unwrap();
    assert!(store.duplicates().unwrap().is_empty());
    let differ = seen.iter().zip(&expected).filter(|(seen, own)| seen.effect != own.effect).count();
    assert!(differ > 0, "the step that was taken is not the one advised");
}
