use super::*;
use crate::control::Cancel;
use std::collections::BTreeSet;

fn game(split: &str, index: usize) -> Generated {
    generate(split, index, &Difficulty::default()).unwrap()
}

#[test]
fn walkthrough_and_fair_expert_win_within_the_step_limit() {
    for (split, index) in
        SPLITS.iter().flat_map(|(split, _)| (0..120).map(move |index| (split, index)))
    {
        for name in ["walkthrough", "fair"] {
            let opened = Household.open(&format!("{split}/{index}")).unwrap();
            let mut env = opened.env;
            let expert = opened.experts.get(Some(name)).unwrap();
            let mut steps = 0;
            while let Ok(advice) = expert.advise(env.as_ref(), &Cancel::default()) {
                assert!(
                    env.turn().admits(&advice.action),
                    "{split}/{index} {name}: {}",
                    advice.action
                );
                env.step(&advice.action).unwrap();
                steps += 1;
                assert!(
                    steps <= crate::env::STEP_LIMIT,
                    "{split}/{index} {name} takes {steps} steps"
                );
            }
            assert!(
                env.turn().success,
                "{split}/{index} ({}) not won by {name} in {steps} steps",
                opened.task.kind
            );
        }
    }
}

#[test]
fn the_fair_expert_takes_what_it_needs_where_it_sees_it() {
    // The lamp, or the second of two, was not seen yet.
    for (index, walk, takes) in [
        (22, "walk to shelf 1", "grab statue 1 from shelf 1"),
        (36, "walk to sofa 1", "grab box 1 from sofa 1"),
        (38, "walk to shelf 2", "grab towel 2 from shelf 2"),
    ] {
        let opened = Household.open(&format!("train/{index}")).unwrap();
        let mut env = opened.env;
        env.step(walk).unwrap();
        let fair = opened.experts.get(Some("fair")).unwrap();
        let advice = fair.advise(env.as_ref(), &Cancel::default()).unwrap();
        assert_eq!(advice.action, takes, "{}", env.turn().observation);
        // With full hands it looks on; the first of two it brings to where both are to be.
        env.step(takes).unwrap();
        let advice = fair.advise(env.as_ref(), &Cancel::default()).unwrap();
        assert!(advice.action.starts_with("walk to "), "{}", advice.action);
        if index == 38 {
            assert_eq!(advice.action, "walk to rack 1");
            env.step(&advice.action).unwrap();
            let advice = fair.advise(env.as_ref(), &Cancel::default()).unwrap();
            assert_eq!(advice.action, "leave towel 2 at rack 1", "{}", env.turn().observation);
        }
    }
}

#[test]
fn same_seed_same_games_and_all_six_kinds() {
    let kinds: BTreeSet<_> = (0..60).map(|i| game("train", i).kind).collect();
    assert_eq!(kinds.len(), 6);
    // Byte for byte on every platform: a change here changes every stored demonstration's
    // world.
    let text: String =
        (0..200).map(|i| serde_json::to_string(&game("train", i).file).unwrap()).collect();
    assert_eq!(
        sha1_smol::Sha1::from(text).digest().to_string(),
        "a8c9c16d26e52d64ed07d8acb9817c6b54b303a1"
    );
    assert_ne!(game("train", 7).file.pddl_problem, game("seen", 7).file.pddl_problem);
}

#[test]
fn difficulty_is_kept_to_and_an_impossible_one_is_refused() {
    let hard = Difficulty { distractors: (12, 14), furniture: (9, 20), steps: (12, 50) };
    for index in 0..10 {
        let file = generate("train", index, &hard).unwrap().file;
        assert!(file.walkthrough.len() >= 12);
        assert!(file.pddl_problem.matches("- furniture").count() >= 9);
        assert!(file.pddl_problem.matches("- thing").count() >= 10);
    }
    let never = Difficulty { furniture: (90, 99), ..Difficulty::default() };
    assert!(generate("train", 0, &never).unwrap_err().message().contains("difficulty"));
}

#[test]
fn unknown_tasks_are_refused_with_the_way_to_list_them() {
    for id in ["train", "train/x", "nowhere/1", "train/-1"] {
        assert!(Household.open(id).err().unwrap().next_step().unwrap().contains("env list"));
    }
    let beyond = Household.open("train/4000").err().unwrap();
    assert!(beyond.next_step().unwrap().contains("train/0 to train/3999"), "{beyond}");
    assert!(Household.open("unseen/139").is_ok() && Household.open("unseen/140").is_err());
}
