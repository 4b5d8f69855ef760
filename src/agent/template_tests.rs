use super::*;

fn case(alternatives: Vec<Branch>) -> Case {
    let history =
        vec![("grab mug 1 from table 1".into(), "You lift the mug 1 off the table 1.".into())];
    Case {
        state: State {
            task: "put a clean mug on the shelf.".into(),
            observation: String::new(),
            history,
        },
        action: "walk to sink 1".into(),
        outcome: "You reach the sink 1.".into(),
        alternatives,
        others: vec![],
        admissible: vec![],
    }
}

fn branch(action: &str, effect: ActionEffect) -> Branch {
    Branch {
        id: 1,
        trajectory: 1,
        t: 1,
        action: action.into(),
        source: "uniform".into(),
        observation: "SECRET OUTCOME".into(),
        effect,
        done: false,
        reward: 0.0,
        success: false,
    }
}

#[test]
fn explains_from_outcomes_without_telling_them_or_naming_a_label() {
    let text = Template
        .write(
            &case(vec![
                branch("inspect mug 1", ActionEffect::NoOp),
                branch("walk to shelf 1", ActionEffect::Changed),
            ]),
            3,
        )
        .unwrap();
    assert!(text.contains("To inspect mug 1") && text.contains("walk to sink 1"), "{text}");
    assert!(text.contains("I hold the mug 1"), "{text}");
    for leak in ["SECRET", "expert", "correct", "optimal"] {
        assert!(!text.contains(leak), "{text}");
    }
    let again = Template.write(
        &case(vec![
            branch("inspect mug 1", ActionEffect::NoOp),
            branch("walk to shelf 1", ActionEffect::Changed),
        ]),
        3,
    );
    assert_eq!(again.unwrap(), text);
}

#[test]
fn a_walk_back_says_what_was_seen_there_and_bare_commands_are_quoted() {
    let mut back = case(vec![branch("inventory", ActionEffect::NoOp)]);
    back.state.task = "look at pencil under the desklamp.".into();
    back.state.history = vec![
        (
            "go to shelf 1".into(),
            "You arrive at shelf 1. On the shelf 1, you see a alarmclock 3, and a pencil 1.".into(),
        ),
        (
            "go to shelf 2".into(),
            "You arrive at shelf 2. On the shelf 2, you see a desklamp 1.".into(),
        ),
    ];
    back.action = "go to shelf 1".into();
    let text = Template.write(&back, 1).unwrap();
    assert!(text.contains("go to shelf 1, since I saw the pencil 1 there"), "{text}");
    assert!(text.contains(" \"inventory\" ") && !text.contains("To inventory"), "{text}");
}

#[test]
fn writes_nothing_without_an_executed_alternative() {
    assert!(Template.write(&case(Vec::new()), 1).unwrap_err().message().contains("UNEXECUTED"));
}
