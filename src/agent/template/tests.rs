use super::*;
use crate::experience::{ActionEffect, Branch, State};

fn case(
    task: &str,
    history: &[(&str, &str)],
    expert: (&str, &str),
    alternatives: &[(&str, &str)],
) -> Case {
    let branch = |(action, observation): &(&str, &str)| Branch {
        id: 1,
        trajectory: 1,
        t: history.len(),
        action: (*action).into(),
        source: "uniform".into(),
        observation: (*observation).into(),
        effect: if observation.is_empty() { ActionEffect::NoOp } else { ActionEffect::Changed },
        done: false,
        reward: 0.0,
        success: false,
        created_ms: 0,
    };
    Case {
        state: State {
            task: task.into(),
            observation: "The room has a shelf 1, a shelf 2, a sink 1, a stove 1, a table 1."
                .into(),
            history: history.iter().map(|(a, o)| ((*a).into(), (*o).into())).collect(),
        },
        action: expert.0.into(),
        outcome: expert.1.into(),
        alternatives: alternatives.iter().map(branch).collect(),
        others: vec![],
        admissible: vec![],
    }
}

/// All that it may write about a case.
fn all(case: &Case) -> String {
    (0..60).map(|seed| Template.write(case, seed).unwrap() + "\n").collect()
}

const GRAB: (&str, &str) = ("grab mug 1 from table 1", "You lift the mug 1 off the table 1.");

#[test]
fn the_outcomes_are_the_reasons_in_words_that_could_stand_before_them() {
    let found = case(
        "put a clean mug on the shelf.",
        &[],
        ("walk to table 1", "You reach the table 1. It holds a mug 1."),
        &[
            ("walk to stove 1", "You reach the stove 1. It holds a pot 2, and a pot 1."),
            ("inspect table 1", ""),
        ],
    );
    let text = all(&found);
    assert!(text.contains("The stove 1 is a place for pots rather than for a mug"), "{text}");
    assert!(text.contains("walk to table 1, where a mug may well be"), "{text}");
    assert!(text.contains("inspect table 1, nothing will have changed"), "{text}");
    for leak in ["pot 1", "pot 2", "mug 1", "expert", "correct", "optimal"] {
        assert!(!text.contains(leak), "{leak}");
    }
    let again = Template.write(&found, 7).unwrap();
    assert_eq!(again, Template.write(&found, 7).unwrap());
}

#[test]
fn what_is_in_hand_and_not_yet_washed_comes_too_early_to_its_place_which_is_never_unlikely() {
    let text = all(&case(
        "wash a mug and bring it to the shelf.",
        &[GRAB],
        ("walk to sink 1", "You reach the sink 1. It holds nothing."),
        &[("walk to shelf 1", "You reach the shelf 1. It holds a cup 1.")],
    ));
    assert!(text.contains("too early: the mug 1 is not clean yet"), "{text}");
    assert!(text.contains("walk to sink 1, where the mug 1 can be washed"), "{text}");
    assert!(!text.contains("rather than") && !text.contains("detour"), "{text}");
}

#[test]
fn nothing_is_said_against_what_is_as_good_and_where_nothing_is_known_that_is_said() {
    let both = [
        // A second mug of two is no "something else".
        case(
            "find two mugs and put them in shelf.",
            &[("go to table 1", "On the table 1, you see a mug 1, and a mug 2.")],
            ("take mug 1 from table 1", "You pick up the mug 1 from the table 1."),
            &[("take mug 2 from table 1", "You pick up the mug 2 from the table 1.")],
        ),
        // Neither place had been looked at, and neither shows what is looked for.
        case(
            "put a mug on the shelf.",
            &[],
            ("walk to table 1", "You reach the table 1. It holds nothing."),
            &[("walk to stove 1", "You reach the stove 1. It holds a pot 1.")],
        ),
    ];
    for case in both {
        assert!(!Template.has_contrast(&case));
        let text = all(&case);
        assert!(text.contains(words::NO_CONTRAST[1]), "{text}");
        assert!(!text.contains("mug 2") && !text.contains("stove"), "{text}");
    }
}

#[test]
fn a_walk_back_says_what_was_seen_there_and_bare_commands_are_quoted() {
    let back = case(
        "look at pencil under the desklamp.",
        &[
            ("go to shelf 1", "On the shelf 1, you see a alarmclock 3, and a pencil 1."),
            ("go to shelf 2", "On the shelf 2, you see a desklamp 1."),
        ],
        ("go to shelf 1", "On the shelf 1, you see a alarmclock 3, and a pencil 1."),
        &[("inventory", "")],
    );
    let text = all(&back);
    assert!(text.contains("go to shelf 1, since I saw the pencil 1 there"), "{text}");
    assert!(text.contains("\"inventory\"") && !text.contains("to inventory"), "{text}");
}

#[test]
fn of_other_worlds_it_says_only_what_the_environment_did() {
    let mut shop = case(
        "buy a red shirt under 30 dollars.",
        &[],
        ("search[red shirt]", "Results: B01 Red Shirt $20"),
        &[("search[blue]", "Results: B07 Blue Hat $9"), ("click[back]", "")],
    );
    shop.state.observation = "Welcome to the shop.".into();
    let text = all(&shop);
    assert!(text.contains("click[back]") && !text.contains("blue"), "{text}");
}

#[test]
fn writes_nothing_without_an_executed_alternative() {
    let bare = case("put a mug on the shelf.", &[], ("look", ""), &[]);
    assert!(Template.write(&bare, 1).unwrap_err().message().contains("UNEXECUTED"));
}

#[test]
fn tasks_are_read_in_all_their_wordings() {
    let read = |task: &str| {
        let now = Situation::of(&case(task, &[], ("look", ""), &[]).state).unwrap();
        let place = now.goal.place.unwrap_or_else(|| "lamp".into());
        format!("{} {:?} {place} {}", now.goal.thing, now.goal.care, now.goal.two)
    };
    for (task, want) in [
        ("put a mug on the shelf.", "mug None shelf false"),
        ("a mug belongs on the shelf.", "mug None shelf false"),
        ("put some mug on shelf.", "mug None shelf false"),
        ("clean some mug and put it in shelf.", "mug Some(Clean) shelf false"),
        ("a freshly washed mug belongs on the shelf.", "mug Some(Clean) shelf false"),
        ("put a hot mug in shelf.", "mug Some(Heat) shelf false"),
        ("warm a mug and bring it to the shelf.", "mug Some(Heat) shelf false"),
        ("a cold mug belongs on the shelf.", "mug Some(Cool) shelf false"),
        ("both boxes belong on the shelf.", "box None shelf true"),
        ("find two mug and put them in shelf.", "mug None shelf true"),
        ("examine the cd with the desklamp.", "cd None lamp false"),
        ("hold a book in the light of the lamp.", "book None lamp false"),
        ("examine a book by lamp light.", "book None lamp false"),
    ] {
        assert_eq!(read(task), want, "{task}");
    }
}

#[test]
fn a_rationale_is_as_long_and_speaks_of_no_alternative() {
    let found = case(
        "put a clean mug on the shelf.",
        &[("walk to shelf 1", "You reach the shelf 1. It holds nothing.")],
        ("walk to table 1", "You reach the table 1. It holds a mug 1."),
        &[
            ("walk to stove 1", "You reach the stove 1. It holds a pot 2, and a pot 1."),
            ("inspect shelf 1", ""),
        ],
    );
    let (mut own, mut other) = (0, 0);
    for seed in 0..60 {
        let cases = [(&found, seed)];
        let how = crate::agent::REFLECTING;
        let text = Rationale.reflect(&cases, how, &Cancel::default()).unwrap().remove(0);
        for said in ["stove", "pot", "inspect", "mug 1"] {
            assert!(!text.contains(said), "{said}: {text}");
        }
        assert!(text.contains("walk to table 1"), "{text}");
        own += text.len();
        other += Template.write(&found, seed).unwrap().len();
    }
    // The mean over seeds: sentences are whole.
    assert!((0.85..1.15).contains(&(own as f64 / other as f64)), "{own} against {other}");
    assert!(Rationale.has_contrast(&found) && !Rationale.sees_outcomes());
}
