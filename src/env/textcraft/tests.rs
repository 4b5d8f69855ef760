use super::*;
use crate::control::Cancel;
use crate::env::PLANNER;

#[test]
fn every_task_is_made_by_what_is_told_in_as_many_steps_as_the_planner_says() {
    let suite = TextCraft::open(None).unwrap();
    for (split, games) in [("train", 150), ("seen", 50), ("deep", 60)] {
        for task in suite.tasks(split).unwrap().iter().take(games) {
            for expert in ["fair", PLANNER] {
                let mut opened = suite.open(&task.id).unwrap();
                assert_eq!(opened.task.kind, task.kind);
                let expert = opened.experts.get(Some(expert)).unwrap();
                let first = expert.advise(opened.env.as_ref(), &Cancel::default()).unwrap();
                let mut left = first.steps_left.unwrap();
                while left > 0 {
                    let advice = expert.advise(opened.env.as_ref(), &Cancel::default()).unwrap();
                    assert_eq!(advice.steps_left, Some(left), "{task:?} {}", advice.action);
                    assert!(opened.env.turn().admits(&advice.action), "{}", advice.action);
                    opened.env.step(&advice.action).unwrap();
                    left -= 1;
                }
                assert!(opened.env.turn().success, "{task:?}");
            }
        }
    }
}

#[test]
fn no_action_of_the_list_does_better_than_the_planner_says() {
    let suite = TextCraft::open(None).unwrap();
    for task in suite.tasks("train").unwrap().iter().take(25) {
        let opened = suite.open(&task.id).unwrap();
        let mut env = opened.env;
        let mut rng = Rng::stream(3, &task.id);
        for _ in 0..12 {
            let Ok(before) = opened.experts.distance(env.as_ref(), &Cancel::default()) else {
                break;
            };
            let list = env.turn().actions.list().to_vec();
            for action in &list {
                let mut fork = env.fork().unwrap();
                fork.step(action).unwrap();
                let after = opened.experts.distance(fork.as_ref(), &Cancel::default()).unwrap();
                assert!(after + 1 >= before, "{} {action}: {before} then {after}", task.id);
            }
            env.step(&list[rng.below(list.len())]).unwrap();
            if env.turn().done {
                break;
            }
        }
    }
}
