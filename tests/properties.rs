//! What must hold of every world, on games of both suites: forks are independent, a fork goes on as
//! a replay would, admissible actions do something, plans are shortest, and the fair expert knows
//! only what it was told.

mod common;

use std::collections::HashSet;
use std::sync::Arc;

use foretaste::control::Cancel;
use foretaste::env::household::{Difficulty, generate};
use foretaste::env::tw_pddl::TwPddl;
use foretaste::env::tw_pddl::game::{Game, GameFile};
use foretaste::env::{Environment, Experts, NoAdvice};
use foretaste::rng::Rng;

fn household(split: &str, index: usize) -> GameFile {
    generate(split, index, &Difficulty::default()).unwrap().file
}

fn open(file: &GameFile) -> (TwPddl, Experts) {
    let game = Game::new(file).unwrap();
    (TwPddl::new(&game).unwrap(), foretaste::env::tw_pddl::experts(&game).unwrap())
}

/// Games of the household, and some real ones where they are there.
fn games() -> Vec<GameFile> {
    let mut games: Vec<GameFile> =
        (0..12).map(|i| household(["train", "seen", "unseen"][i % 3], i)).collect();
    let Some(root) = common::shared() else { return games };
    for group in std::fs::read_dir(root.join("json_2.1.1/valid_unseen")).unwrap().step_by(7) {
        for trial in std::fs::read_dir(group.unwrap().path()).unwrap().take(1) {
            let text = std::fs::read(trial.unwrap().path().join("game.tw-pddl")).unwrap();
            games.push(serde_json::from_slice(&text).unwrap());
        }
    }
    games
}

fn draw(env: &dyn Environment, rng: &mut Rng) -> Arc<str> {
    rng.pick(env.turn().actions.listed.as_ref().unwrap()).unwrap().clone()
}

#[test]
fn a_fork_never_affects_its_parent_and_goes_on_as_a_replay_does() {
    for (g, file) in games().iter().enumerate() {
        let (start, _) = open(file);
        let mut rng = Rng::stream(g as u64, "forks");
        let mut env = start.clone();
        let mut done: Vec<Arc<str>> = Vec::new();
        for _ in 0..25 {
            let before = (env.turn().clone(), env.fingerprint(), env.world().text_facts());
            let mut fork = env.fork().unwrap();
            let mut walked = done.clone();
            for _ in 0..6 {
                let action = draw(fork.as_ref(), &mut rng);
                fork.step(&action).unwrap();
                walked.push(action);
            }
            assert_eq!((env.turn().clone(), env.fingerprint(), env.world().text_facts()), before);
            let mut replay = open(file).0;
            for action in &walked {
                replay.step(action).unwrap();
            }
            assert_eq!(replay.turn(), fork.turn());
            assert_eq!(replay.fingerprint(), fork.fingerprint());
            let action = draw(&env, &mut rng);
            env.step(&action).unwrap();
            done.push(action);
        }
    }
}

#[test]
fn an_admissible_action_changes_something_or_asks_for_information_or_repeats_a_treatment() {
    const ASKS: [&str; 7] =
        ["look", "inventory", "help", "examine", "look around", "check hands", "inspect"];
    const TREATS: [&str; 8] = ["clean", "heat", "cool", "slice", "rinse", "warm", "chill", "use"];
    for (g, file) in games().iter().enumerate() {
        let (mut env, _) = open(file);
        let mut rng = Rng::stream(g as u64, "actions");
        for _ in 0..20 {
            for action in env.turn().actions.listed.clone().unwrap().iter() {
                let mut fork = env.fork().unwrap();
                fork.step(action).unwrap();
                assert_ne!(&*fork.turn().observation, "Nothing happens.", "{action}");
                let starts = |words: &[&str]| words.iter().any(|word| action.starts_with(word));
                let asks = starts(&ASKS);
                let treats = starts(&TREATS);
                let changed = fork.fingerprint() != env.fingerprint();
                assert!(changed != asks || (treats && !asks), "{action}: changed {changed}");
            }
            let action = draw(&env, &mut rng);
            env.step(&action).unwrap();
        }
    }
}

#[test]
fn anything_else_is_answered_with_nothing_happens() {
    for file in games() {
        let (mut env, _) = open(&file);
        let before = env.fingerprint();
        let listed = env.turn().actions.listed.clone().unwrap();
        for odd in [
            "",
            "   ",
            "dance",
            "LOOK",
            "go to nowhere 1",
            "take apple 1 from",
            "\u{0}",
            "walk to\tsink 1",
            "привет",
        ] {
            env.step(odd).unwrap();
            assert_eq!(&*env.turn().observation, "Nothing happens.", "{odd:?}");
            assert_eq!(
                (env.fingerprint(), env.turn().actions.listed.as_ref()),
                (before, Some(&listed))
            );
        }
        let spaced = format!("  {} \r", listed[0]);
        env.step(&spaced).unwrap();
        assert_ne!(
            &*env.turn().observation,
            "Nothing happens.",
            "white space around a command is dropped"
        );
    }
}

/// The depth of the nearest goal by exhaustive search over forks, and the first actions that lead
/// to one so soon.
fn exhaustive(env: &TwPddl, most: usize) -> Option<(usize, Vec<Arc<str>>)> {
    /// A state, and the first actions of all ways to it.
    type Reached = (TwPddl, Vec<Arc<str>>);
    let mut seen = HashSet::from([env.fingerprint()]);
    let mut layer: Vec<Reached> = vec![(env.clone(), Vec::new())];
    for depth in 1..=most {
        let mut next: Vec<Reached> = Vec::new();
        let mut firsts: Vec<Arc<str>> = Vec::new();
        let mut at = std::collections::HashMap::new();
        for (state, starts) in &layer {
            for action in state.turn().actions.listed.clone().unwrap().iter() {
                let mut fork = state.clone();
                fork.step(action).unwrap();
                let mine = if depth == 1 { vec![Arc::clone(action)] } else { starts.clone() };
                if fork.turn().success {
                    firsts.extend(mine);
                } else if let Some(known) = at.get(&fork.fingerprint()).copied() {
                    let (_, starts): &mut Reached = &mut next[known];
                    starts.extend(mine);
                } else if seen.insert(fork.fingerprint()) {
                    at.insert(fork.fingerprint(), next.len());
                    next.push((fork, mine));
                }
            }
        }
        if !firsts.is_empty() {
            firsts.sort();
            firsts.dedup();
            return Some((depth, firsts));
        }
        layer = next;
    }
    None
}

#[test]
fn plans_are_shortest_and_every_start_of_one_is_known() {
    let mut compared = 0;
    let mut several = 0;
    for (g, file) in games().iter().enumerate() {
        let (start, experts) = open(file);
        let planner = experts.get(Some("planner")).unwrap();
        let mut rng = Rng::stream(g as u64, "plans");
        for _ in 0..6 {
            let mut env = start.clone();
            for _ in 0..rng.between(0, 12) {
                let action = draw(&env, &mut rng);
                env.step(&action).unwrap();
            }
            // Along the plan until the goal is near enough to be found by trying everything.
            while let Ok(advice) = planner.advise(&env, &Cancel::default()) {
                let left = advice.steps_left.unwrap();
                if left <= 3 {
                    let (depth, firsts) = exhaustive(&env, 4).unwrap();
                    assert_eq!(left, depth);
                    let mut starts = experts.optimal_actions(&env, &Cancel::default()).unwrap();
                    starts.sort();
                    assert_eq!(starts, firsts);
                    assert!(starts.iter().any(|start| **start == *advice.action));
                    compared += 1;
                    several += usize::from(starts.len() > 1);
                }
                env.step(&advice.action).unwrap();
            }
            assert!(
                env.turn().success
                    || planner.advise(&env, &Cancel::default()) == Err(NoAdvice::Unsolvable)
            );
        }
    }
    eprintln!(
        "{compared} states compared with exhaustive search, {several} of them with several equally \
         good actions"
    );
    assert!(compared > 150 && several > 20);
}

#[test]
fn the_fair_expert_acts_alike_until_it_is_told_something_different() {
    let mut moved = 0;
    for index in 0..60 {
        let file = household("train", index);
        // Another thing's place, which nobody has been told yet, must not change what it does.
        let problem = file.pddl_problem.clone();
        let things: Vec<&str> =
            problem.lines().filter(|line| line.starts_with("(within ")).collect();
        let places: Vec<&str> =
            things.iter().filter_map(|line| line.split([' ', ')']).nth(2)).collect();
        for (i, line) in things.iter().enumerate() {
            let other = places[(i + 1) % places.len()];
            let changed = line.replacen(places[i], other, 1);
            if changed == *line {
                continue;
            }
            let twin =
                GameFile { pddl_problem: problem.replacen(line, &changed, 1), ..file.clone() };
            let (mut a, experts) = open(&file);
            let (mut b, twins) = open(&twin);
            let fair = experts.get(Some("fair")).unwrap();
            let other_fair = twins.get(Some("fair")).unwrap();
            while a.turn() == b.turn() {
                let one = fair.advise(&a, &Cancel::default());
                let two = other_fair.advise(&b, &Cancel::default());
                assert_eq!(one, two, "train/{index}: `{line}` against `{changed}`");
                let Ok(advice) = one else { break };
                a.step(&advice.action).unwrap();
                b.step(&advice.action).unwrap();
            }
            moved += 1;
        }
    }
    assert!(moved > 200, "only {moved} twins");
}

#[test]
fn a_game_that_cannot_be_won_is_proved_so_and_still_playable() {
    let file = (0..40)
        .map(|i| household("train", i))
        .find(|file| file.pddl_problem.contains("(not (= ?t ?u))"))
        .unwrap();
    // Only one of the two things that the errand needs.
    let goal = file.pddl_problem.split("(tkindof ?t ").nth(1).unwrap().split(')').next().unwrap();
    let line = file
        .pddl_problem
        .lines()
        .find(|l| l.contains("(within ") && l.contains(&format!(" {goal})")))
        .unwrap();
    let problem = file.pddl_problem.replacen(line, "", 1);
    let (mut env, experts) =
        open(&GameFile { pddl_problem: problem, solvable: Some(false), ..file.clone() });
    assert_eq!(experts.distance(&env, &Cancel::default()), Err(NoAdvice::Unsolvable));
    let fair = experts.get(Some("fair")).unwrap();
    let mut steps = 0;
    while let Ok(advice) = fair.advise(&env, &Cancel::default()) {
        env.step(&advice.action).unwrap();
        steps += 1;
        assert!(steps < 60, "it looks everywhere once and then says so");
    }
    assert!(!env.turn().success && env.turn().actions.listed.as_ref().unwrap().len() > 2);
}

#[test]
fn a_search_ends_at_its_limits_and_when_it_is_cancelled() {
    use foretaste::env::tw_pddl::plan::{Limits, Planner, Solution};
    let (env, experts) = open(&household("train", 4));
    let planner = Planner::new(Arc::clone(env.world().game()));
    let few = Limits { nodes: 2, ..Limits::default() };
    assert!(matches!(planner.plan(env.world(), false, &few).unwrap(),
        Solution::GaveUp(nodes) if nodes >= 2));
    assert_eq!(NoAdvice::GaveUp(500).to_string(), "no plan found within 500 nodes");
    let cancel = Cancel::default();
    cancel.cancel();
    let planner = experts.get(Some("planner")).unwrap();
    assert_eq!(planner.advise(&env, &cancel), Err(NoAdvice::Cancelled));
    assert!(
        planner.advise(&env, &Cancel::default()).is_ok(),
        "a cancelled search is not remembered as an answer"
    );
}
