//! Games whose end is known.

use super::*;
use crate::experience::{Purpose, Step};

fn game(task: &str, steps: &[(&str, &str)]) -> Trajectory {
    let step = |(action, observation): &(&str, &str)| Step {
        action: (*action).into(),
        source: "policy".into(),
        observation: (*observation).into(),
        admissible: None,
        free: Vec::new(),
        reward: 0.0,
        done: false,
        success: false,
        truncated: false,
    };
    Trajectory {
        id: 1,
        suite: "household".into(),
        split: "seen".into(),
        task_id: "t".into(),
        kind: "k".into(),
        task: task.into(),
        purpose: Purpose::Evaluation,
        actor: "x".into(),
        seed: 1,
        observation: "You are in a room.".into(),
        admissible: None,
        free: Vec::new(),
        created_ms: 0,
        world: None,
        steps: steps.iter().map(step).collect(),
    }
}

const TASK: &str = "put a clean mug in the cabinet.";

fn of(steps: &[(&str, &str)]) -> Failure {
    Failure::of(&game(TASK, steps), 0).unwrap()
}

#[test]
fn each_kind_is_read_from_what_was_done() {
    let walk = ("go to desk 1", "You arrive at desk 1. On the desk 1, you see a mug 1.");
    let take = ("take mug 1 from desk 1", "You pick up the mug 1 from the desk 1.");
    let away = ("go to shelf 1", "You arrive at shelf 1. On the shelf 1, you see nothing.");
    assert_eq!(of(&[walk, away]), Failure::NothingTaken);
    assert_eq!(of(&[walk, take, away]), Failure::Unfinished);
    let other = ("take pen 2 from desk 1", "You pick up the pen 2 from the desk 1.");
    assert_eq!(of(&[walk, other, away]), Failure::WrongThing);
    let put = ("move mug 1 to shelf 1", "You move the mug 1 to the shelf 1.");
    assert_eq!(of(&[walk, take, away, put]), Failure::WrongPlace);
    let home = ("move mug 1 to cabinet 3", "You move the mug 1 to the cabinet 3.");
    assert_eq!(of(&[walk, take, home]), Failure::Unfinished, "it was not cleaned");
    // What was taken up again is not misplaced.
    assert_eq!(of(&[walk, take, away, put, take]), Failure::Unfinished);
    let look = ("look", "You are facing the desk 1.");
    assert_eq!(of(&[walk, look, look, look, look, look]), Failure::Loop);
    let none = ("open desk 1", "Nothing happens.");
    assert_eq!(of(&[walk, none, take, none]), Failure::Refused);
    assert_eq!(Failure::of(&game(TASK, &[walk, take]), 1), Some(Failure::Refused));
    assert_eq!(Failure::of(&game(TASK, &[]), 0), Some(Failure::NothingTaken));
    assert_eq!(
        Failure::of(&game("find the answer", &[walk, take]), 0),
        Some(Failure::Unfinished),
        "a task of another world tells nothing of things and places"
    );
    let mut won = game(TASK, &[walk]);
    won.steps[0].success = true;
    assert_eq!(Failure::of(&won, 1), None);
}

#[test]
fn a_purchase_that_is_not_what_was_asked_for_is_an_end_and_one_that_was_never_made_is_none() {
    let search = ("search[red mug]", "Page 1");
    let mut bought = game("i need a red mug", &[search, ("click[buy now]", "Thank you")]);
    bought.suite = "webshop".into();
    assert_eq!(Failure::of(&bought, 0), Some(Failure::Unfinished));
    let last = bought.steps.last_mut().unwrap();
    (last.done, last.reward) = (true, 0.8);
    assert_eq!(Failure::of(&bought, 0), Some(Failure::Short));
    bought.steps.last_mut().unwrap().truncated = true;
    assert_eq!(Failure::of(&bought, 0), Some(Failure::Unfinished), "cut off");
    (bought.steps.last_mut().unwrap().truncated, bought.steps.last_mut().unwrap().success) =
        (false, true);
    assert_eq!(Failure::of(&bought, 0), None);
}
