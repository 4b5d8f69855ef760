use crossterm::event::{KeyCode, KeyEvent};

use super::*;
use crate::experience::{Branch, Purpose, Step, Trajectory, Verdict};
use crate::store::{Standing, Thought};
use crate::tui::caps::Caps;
use crate::tui::theme::Palette;

fn step(action: &str, observation: &str) -> Step {
    Step {
        action: action.into(),
        source: "fair".into(),
        observation: observation.into(),
        admissible: None,
        free: vec![],
        reward: 0.0,
        truncated: false,
        done: false,
        success: false,
    }
}

fn told(id: i64) -> Told {
    let trajectory = Trajectory {
        id,
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
        steps: vec![step("go to table 1", "A table."), step("take cup 1", "You hold cup 1.")],
        created_ms: 0,
        world: None,
    };
    let branch = Branch {
        id: 4,
        trajectory: id,
        t: 1,
        action: "look".into(),
        source: "uniform".into(),
        observation: "A table.".into(),
        effect: ActionEffect::NoOp,
        reward: 0.0,
        done: false,
        success: false,
        created_ms: 0,
    };
    let expected = |model: &str, text: &str| Prediction {
        trajectory: id,
        t: 1,
        action: "take cup 1".into(),
        model: model.into(),
        text: text.into(),
        created_ms: 0,
    };
    let reflection = Standing {
        id: 9,
        t: 1,
        author: "you".into(),
        generator: "template".into(),
        text: "Looking shows nothing new.".into(),
        version: 2,
        versions: 2,
        cites: vec![4],
        verdict: Verdict::Rejected,
        reason: Some("GENERIC".into()),
        note: Some("which cup?".into()),
    };
    Told {
        trajectory,
        branches: vec![branch],
        predictions: vec![
            expected("embedded", "You hold plate 1."),
            expected("run 1 step 9", "You hold cup 1."),
        ],
        thoughts: vec![Thought { trajectory: id, t: 1, text: "The cup.".into() }],
        reflections: vec![reflection],
    }
}

fn row(id: i64) -> TrajectorySummary {
    let Trajectory { suite, split, kind, task, purpose, actor, task_id, .. } = told(id).trajectory;
    let (length, success, reward) = (2, false, 0.0);
    TrajectorySummary {
        id,
        suite,
        split,
        kind,
        task,
        purpose,
        by: actor.clone(),
        actor,
        length,
        success,
        reward,
        task_id,
    }
}

fn listed(state: &mut State, ids: &[i64]) -> Vec<Effect> {
    let rows: Vec<_> = ids.iter().map(|id| row(*id)).collect();
    let page = Page { total: rows.len(), from: 0, rows };
    state.update(Msg::List(state.listing.clone(), page))
}

/// The trajectory that is asked for.
fn asked(effects: &[Effect]) -> Option<i64> {
    effects.iter().find_map(|effect| match effect {
        Effect::Store(StoreCmd::Trajectory(id)) => Some(*id),
        _ => None,
    })
}

fn said(effects: &[Effect]) -> String {
    effects
        .iter()
        .map(|effect| match effect {
            Effect::Say(notice) => notice.text.clone(),
            other => format!("{other:?}"),
        })
        .collect()
}

fn open() -> State {
    let mut state = State::default();
    listed(&mut state, &[2, 1]);
    state.update(Msg::Opened(Box::new(told(2)), None));
    state
}

#[test]
fn it_shows_the_newest_until_a_person_has_chosen_one() {
    let mut state = State::default();
    assert_eq!(asked(&listed(&mut state, &[1])), Some(1));
    state.update(Msg::Opened(Box::new(told(1)), None));
    assert_eq!(state.standing_at(), None, "nobody has chosen it: the next session begins anew");
    assert_eq!(asked(&listed(&mut state, &[3, 2, 1])), Some(3), "newer ones came meanwhile");
    state.update(Msg::Opened(Box::new(told(3)), None));
    assert_eq!(asked(&listed(&mut state, &[3, 2, 1])), None, "it is open already");

    state.tick(true, &Jobs::default());
    assert_eq!(asked(&listed(&mut state, &[4, 3, 2, 1])), None, "what is read stays");
    state.tick(false, &Jobs::default());
    assert_eq!(asked(&listed(&mut state, &[4, 3, 2, 1])), Some(4));

    assert_eq!(asked(&state.act(Act::Next)), Some(3));
    state.update(Msg::Opened(Box::new(told(3)), None));
    assert_eq!(asked(&listed(&mut state, &[5, 4, 3, 2, 1])), None, "what was chosen stays");
    assert_eq!(state.standing_at(), Some((3, 0)));
}

#[test]
fn no_key_is_silent_where_it_finds_nothing() {
    let mut state = open();
    assert!(said(&state.act(Act::Previous)).contains("newest"));
    state.act(Act::Next);
    assert!(said(&state.act(Act::Next)).contains("oldest"));
    assert!(said(&state.act(Act::Hit(true))).contains("/ looks for words"));
    state.words = "piano".into();
    assert!(said(&state.look()).contains("contains \"piano\""));
    state.words = "NOTHING new".into();
    assert!(said(&state.look()).contains("1 state has"), "reflections are looked through too");
    assert_eq!(state.t, 1);
    assert!(said(&state.act(Act::Hit(true))).contains("not found after step 1"));
    assert!(said(&state.act(Act::Hit(false))).contains("not found before step 1"));
    assert!(said(&state.act(Act::Mark(false))).contains("nothing is marked before"));
    assert!(said(&state.act(Act::Compare)).contains("is marked: d on another"));
    assert!(said(&state.act(Act::Compare)).contains("no longer marked"));
    state.go(Direction::Last);
    assert!(said(&state.act(Act::Step(true))).contains("last state"));
    state.go(Direction::First);
    assert!(said(&state.act(Act::Step(false))).contains("start"));
    (0..9).for_each(|_| _ = state.act(Act::Speed(true)));
    assert!(said(&state.act(Act::Speed(true))).contains("no faster"));
    let mut empty = State::default();
    assert!(said(&empty.act(Act::Open)).contains("nothing is listed"));
    assert!(said(&empty.act(Act::Next)).contains("nothing is listed"));
    assert!(said(&empty.go(Direction::Down)).contains("nothing is open"));
}

#[test]
fn keys_that_move_go_through_the_panel_that_is_bright() {
    let mut state = open();
    assert!(state.go(Direction::Down).is_empty());
    assert_eq!((state.t, state.list.at()), (1, 0));
    state.next_panel();
    assert_eq!(asked(&state.go(Direction::Down)), Some(1));
    assert_eq!((state.t, state.list.at()), (1, 1));
    state.act(Act::Search);
    state.typing(KeyEvent::from(KeyCode::Char('x')));
    assert!(said(&state.typing(KeyEvent::from(KeyCode::Enter)).unwrap()).contains("\"x\""));
}

fn text(t: usize, width: usize, unicode: bool) -> String {
    let theme = Theme::new(Caps { color: false, unicode }, Palette::Mono);
    let lines = scene::lines((&told(1), None, None), t, theme, width);
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_state_shows_what_each_model_expected_and_what_is_written_about_it() {
    let wide = text(2, 80, false);
    for words in ["embedded predicted", "[plate]", "{cup}", "run 1 step 9 predicted", "= identical"]
    {
        assert!(wide.contains(words), "{words}: {wide}");
    }
    let beside = wide.lines().find(|line| line.contains("[plate]")).unwrap();
    assert!(beside.contains(" | ") && beside.contains("{cup}"), "beside each other: {beside}");
    let narrow = text(2, 30, false);
    assert!(narrow.lines().any(|line| line.contains("[plate]") && !line.contains("{cup}")));

    let written = text(1, 80, true);
    for words in [
        "Reflection 9 by you, version 2 of 2, first by template · rejected: GENERIC",
        "Looking shows nothing new.",
        "note: which cup?",
        "- look  uniform · no-op",
        "▶ take cup 1  fair · taken here, step 2",
    ] {
        assert!(written.contains(words), "{words}: {written}");
    }
    assert!(text(2, 80, true).contains("thought: The cup."));
    assert!(!written.contains("no reflections"));
    let bare = text(0, 80, true);
    assert!(bare.contains("no reflections: c in Explore") && bare.contains("no predictions: K"));
    assert!(!text(2, 80, true).contains("no reflections"), "none can be about the end");
}
