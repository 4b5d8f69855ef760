use super::*;

fn candidate(suite: &str, task_id: &str, task: &str, observation: &str) -> Candidate {
    let kind = "clean".to_string();
    let [suite, task_id, task, observation] =
        [suite, task_id, task, observation].map(str::to_string);
    Candidate { id: 1, suite, task_id, kind, task, actor: "fair".into(), observation }
}

#[test]
fn near_copies_are_one_instance_whatever_their_number_order_and_wording() {
    let room = "The room has a sink 1, a shelf 1, and a shelf 2.";
    let first = candidate(
        "household",
        "train/1",
        "wash a mug.",
        &format!("{room}\n\nYour errand: wash a mug."),
    );
    let again =
        "The room has a shelf 2, a sink 1, and a shelf 1.\n\nYour errand: bring a clean mug.";
    let second = candidate("household", "train/77", "bring a clean mug.", again);
    assert_eq!(instance_of(&first), instance_of(&second));
    let other =
        "The room has a shelf 2, a sink 1, and a shelf 3.\n\nYour errand: bring a clean mug.";
    assert_ne!(
        instance_of(&first),
        instance_of(&candidate("household", "train/2", "bring a clean mug.", other))
    );
    let warm = Candidate { kind: "heat".into(), ..first.clone() };
    assert_ne!(instance_of(&first), instance_of(&warm));
    assert_ne!(
        instance_of(&first),
        instance_of(&Candidate { suite: "another".into(), ..first.clone() })
    );
    // ALFWorld's folders say it themselves.
    let trial = |trial: &str| {
        let id = format!("train/pick_clean_then_place_in_recep-Mug-None-Shelf-3/{trial}");
        instance_of(&candidate("alfworld", &id, trial, trial))
    };
    assert_eq!(trial("trial_1"), trial("trial_2"));
}

#[test]
fn tasks_without_a_room_are_told_apart_by_what_is_asked() {
    let of = |id: &str, task: &str| instance_of(&candidate("messages", id, task, ""));
    assert_eq!(of("a", "Name the capital of Peru."), of("b", "Name the capital of Peru."));
    assert_ne!(of("a", "Name the capital of Peru."), of("a", "Name the capital of Chile."));
    assert_ne!(of("a", ""), of("b", ""));
}

#[test]
fn what_older_programs_let_a_model_write_is_a_rationale_too() {
    for (author, rationale) in [
        ("template", false),
        ("you", false),
        ("rationale-only by run 3 step 20, T 0", true),
        ("model embedded", true),
    ] {
        assert_eq!(is_rationale(author), rationale, "{author}");
    }
}

#[test]
fn the_held_out_share_is_that_share_of_instances() {
    let held = |share: f64| {
        (0..20_000).filter(|i| is_held_out(digest::of([i.to_string().as_str()]), share)).count()
    };
    assert_eq!((held(0.0), held(1.1)), (0, 20_000));
    for share in [0.05, 0.2, 0.5] {
        let got = held(share) as f64 / 20_000.0;
        assert!((got - share).abs() < 0.01, "{share}: {got}");
    }
}

#[test]
fn of_refused_actions_no_more_stay_than_a_share_of_what_is_left() {
    for (all, refused) in [(0, 0), (8, 8), (8, 4), (9, 1), (25, 3), (100, 60), (7, 0)] {
        for most in [0.0, 0.1, 0.12, 0.25, 0.3, 0.5, 0.7, 0.9, 1.0] {
            let stay = spared(all, refused, most);
            let left = all - refused + stay;
            assert!(stay <= refused && stay as f64 <= most * left as f64 + 1e-9);
            // One more would be too many.
            assert!(stay == refused || (stay + 1) as f64 > most * (left + 1) as f64 - 1e-9);
        }
    }
}
