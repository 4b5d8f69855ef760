use super::*;
use crate::experience::{Branch, State};
use crate::scripted::Scripted;

fn case(task: &str, action: &str) -> Case {
    let state = State { task: task.into(), ..State::default() };
    let (alternatives, others): (Vec<Branch>, Vec<Branch>) = (Vec::new(), Vec::new());
    let (action, outcome) = (action.to_string(), String::new());
    Case { state, action, outcome, alternatives, others, admissible: Vec::new() }
}

#[test]
fn a_thought_is_kept_where_it_led_to_what_the_expert_did_and_only_there() {
    // Acts as it thought; thinks of a door by an even seed, of a window by an odd one.
    let mind = Scripted::says(|_: &State, thought: Option<&str>, _| {
        thought.unwrap_or("nothing").replace("I want to ", "")
    })
    .thinks(|_, seed| {
        if seed % 2 == 0 { "I want to open the door" } else { "I want to open the window" }.into()
    });
    let mut star = Star(Box::new(mind));
    assert_eq!(star.generator(), "rationale-only by scripted, STaR");
    assert!(!star.sees_outcomes());
    let (door, window) = (case("leave", "open the door"), case("air", "open the window"));
    let cases = [(&door, 2), (&door, 3), (&window, 2), (&window, 5)];
    let texts = star.reflect(&cases, Sampling::GREEDY, &Cancel::default()).unwrap();
    assert_eq!(texts, ["I want to open the door", "", "", "I want to open the window"]);
}
