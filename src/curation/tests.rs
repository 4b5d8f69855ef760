use super::*;
use crate::experience::{ActionEffect, Branch, State};

fn case() -> Case {
    let branch = |action: &str, observation: &str| Branch {
        id: 1,
        trajectory: 1,
        t: 0,
        action: action.into(),
        source: "uniform".into(),
        observation: observation.into(),
        effect: ActionEffect::Changed,
        done: false,
        reward: 0.0,
        success: false,
        created_ms: 0,
    };
    Case {
        state: State {
            task: "put a cup in shelf.".into(),
            observation: "You see a shelf 1, a desk 1 and a bed 1.".into(),
            history: vec![],
        },
        action: "take cup 1".into(),
        outcome: "You take the cup 1.".into(),
        alternatives: vec![branch(
            "go to shelf 1",
            "You arrive at shelf 1. On it are a vase 2 and a vase 1.",
        )],
        others: vec![],
        admissible: ["take cup 1", "go to shelf 1", "go to drawer 3", "look"]
            .map(str::to_string)
            .into(),
    }
}

fn codes(text: &str) -> Vec<&'static str> {
    findings(text, &case()).into_iter().map(|s| s.code).collect()
}

#[test]
fn a_good_reflection_is_left_alone() {
    assert!(
        codes("The cup 1 is here. At the shelf there are only vases yet, so I take cup 1.")
            .is_empty()
    );
}

#[test]
fn a_reason_in_a_persons_words_is_not_generic() {
    for text in [
        "The cup stands in front of me; going anywhere else would only cost steps. I take cup 1.",
        "Shelves like that hold vases, shelf 1 as well. So I take cup 1.",
        "To go to shelf 1 would lead away from the cup 1, which is right here. I take cup 1.",
    ] {
        assert!(!codes(text).contains(&"GENERIC"), "{text}");
    }
}

#[test]
fn each_rule_points_at_what_it_looks_for() {
    for (text, code) in [
        ("The expert goes to the shelf 1 later, so I take cup 1.", "LABEL_LEAK"),
        ("This reflection is about the shelf 1. I take cup 1.", "SCAFFOLD_LEAK"),
        ("On it are a vase 2 and nothing else at the shelf. I take cup 1.", "OUTCOME_LEAK"),
        ("The drawer 9 is far from the shelf 1. I take cup 1.", "HALLUCINATED"),
        ("The cup 1 is here. So I go to shelf 1.", "WRONG_CONCLUSION"),
        ("I should do it.", "GENERIC"),
        ("To go to shelf 1 seems a less likely place. So I take cup 1.", "GENERIC"),
        ("To go to shelf 1 seems less useful for my cup. So I take cup 1.", "GENERIC"),
        ("I want to see it done, nothing more. So I take cup 1.", "GENERIC"),
        ("I know of nothing that speaks against the other ways. I take cup 1.", "NO_CONTRAST"),
        ("The shelf 1 is certainly empty. I take cup 1.", "OVERCONFIDENT"),
        ("The shelf 1 does not hold it. the shelf 1 does not hold it. I take cup 1.", "DUPLICATED"),
        ("The shelf 1 does not hold it, so I", "TRUNCATED"),
    ] {
        assert!(codes(text).contains(&code), "{text}: {:?}", codes(text));
    }
    assert!(codes(&"shelf word. ".repeat(150)).contains(&"TOO_LONG"));
    let mut poor = case();
    poor.outcome = "Nothing happens.".into();
    assert!(findings("x.", &poor).iter().any(|s| s.code == "BAD_EXPERT"));
    let mut leaving = case();
    leaving.state.history =
        vec![("go to desk 1".into(), "On the desk 1, you see a cup 2, and a desklamp 1.".into())];
    leaving.action = "go to bed 1".into();
    let points = |case: &Case| findings("x.", case).iter().any(|s| s.code == "BAD_EXPERT");
    assert!(points(&leaving));
    leaving.state.task = "look at pen under the desklamp.".into();
    assert!(!points(&leaving), "the lamp stays where it is");
    let mut blind = case();
    blind.action = "go to bed 1".into();
    blind.outcome = "You arrive at bed 1. On it, you see nothing.".into();
    blind.alternatives[0].action = "go to desk 1".into();
    blind.alternatives[0].observation = "You arrive at desk 1. On it, you see a cup 4.".into();
    let text = "To go to desk 1 seems less likely. I go to bed 1.";
    let found = findings(text, &blind);
    let found = found.iter().find(|s| s.code == "BAD_ALTERNATIVE").unwrap();
    assert_eq!(&text[found.span.0..found.span.1], "go to desk 1");
    blind.outcome = "You arrive at bed 1. On it, you see a cup 5.".into();
    assert!(
        findings(text, &blind).iter().all(|s| s.code != "BAD_ALTERNATIVE"),
        "the expert's way is as good"
    );
}

#[test]
fn a_thing_that_only_an_outcome_names_is_pointed_at() {
    let text = "The vase 2 is waiting at shelf 1, which does not help, so I take cup 1.";
    let found = findings(text, &case());
    let found: Vec<_> = found.iter().filter(|s| s.code == "OUTCOME_LEAK").collect();
    assert_eq!(found.iter().map(|s| &text[s.span.0..s.span.1]).collect::<Vec<_>>(), ["vase 2"]);
    assert!(codes(text).iter().all(|code| *code != "HALLUCINATED"), "an outcome does name it");
    assert!(
        codes("At shelf 1 or drawer 3 there are but vases, so I take cup 1.").is_empty(),
        "the list names it"
    );
}

#[test]
fn arguing_against_what_is_as_good_is_pointed_at() {
    for (effect, points) in [
        (ActionEffect::EquallyGood, true),
        (ActionEffect::NoWorse, true),
        (ActionEffect::SameAsExpert, true),
        (ActionEffect::Changed, false),
        (ActionEffect::NoOp, false),
    ] {
        let mut case = case();
        let mut other = case.alternatives[0].clone();
        other.action = "go to drawer 3".into();
        other.effect = effect;
        case.others = vec![other];
        let text = "To go to shelf 1 or go to drawer 3 would not bring me closer. I take cup 1.";
        let found = findings(text, &case).into_iter().find(|s| s.code == "BAD_ALTERNATIVE");
        assert_eq!(
            found.as_ref().map(|s| &text[s.span.0..s.span.1]),
            points.then_some("go to drawer 3"),
            "{effect:?}"
        );
        assert!(
            findings("Not go to drawer 31, shelf 1. I take cup 1.", &case)
                .iter()
                .all(|s| s.code != "BAD_ALTERNATIVE")
        );
    }
}

#[test]
fn ending_on_any_other_admissible_action_is_pointed_at_whether_it_was_executed_or_not() {
    let points = |text: &str| findings(text, &case()).iter().any(|s| s.code == "WRONG_CONCLUSION");
    assert!(points("The cup 1 is near shelf 1. So I go to drawer 3."), "never executed");
    assert!(points("The cup 1 is near shelf 1. So I go to shelf 1."));
    assert!(!points("So I take cup 1."));
    assert!(!points("So I take cup 1 and do not go to drawer 3."));
}

#[test]
fn spans_are_byte_ranges_of_the_text_whatever_it_holds() {
    for text in ["日本語 expert 🎉 at shelf 1", "É expert", "drawer 7 日本", "", "…"] {
        for s in findings(text, &case()) {
            assert!(text.get(s.span.0..s.span.1).is_some(), "{text} {s:?}");
        }
    }
}

#[test]
fn in_a_shop_what_binds_is_spoken_of_and_amounts_are_known() {
    let page = "Instruction:\nx\n[button] Back to Search [button_]\nPage 1 (Total results: 2)\n\n\
                [button] F1 [button_]\nA lamp\n$60.99\n\n[button] F2 [button_]\nB lamp\n$84.99\n";
    let mut shop = case();
    shop.state = State {
        task: "i want a lamp, and price lower than 70.00 dollars".into(),
        observation: "WebShop\nInstruction:\nx\n[button] Search [button_]".into(),
        history: vec![("search[lamp]".into(), page.into())],
    };
    shop.action = "click[f1]".into();
    shop.outcome = "A lamp\nPrice: $60.99".into();
    shop.alternatives.truncate(1);
    shop.alternatives[0].action = "click[f2]".into();
    shop.alternatives[0].observation = "B lamp\nPrice: $84.99".into();
    let codes = |text: &str| -> Vec<_> {
        findings(text, &shop).into_iter().map(|finding| finding.code).collect()
    };
    assert_eq!(codes("F2 looks worse, so I click[f1]."), ["MISSED_CONSTRAINT"]);
    assert_eq!(codes("$84.99 is above the limit of 70.00 dollars, so I click[f1]."), [""; 0]);
    assert_eq!(
        codes("$99.50 is above the limit of 70.00 dollars, so I click[f1]."),
        ["HALLUCINATED"]
    );
}
