//! Evaluations by policies whose games are known.

use std::collections::HashMap;

use super::*;
use crate::agent::{Policy, WorldModel};
use crate::control::Cancel;
use crate::env::household::Household;
use crate::env::limited;

/// Knows the way; takes it only after its own thought.
struct Thinker {
    way: HashMap<State, String>,
}

impl Thinker {
    fn new(scope: &Scope) -> Self {
        let mut way = HashMap::new();
        for task in choose(&Household, scope).unwrap() {
            let mut opened = Household.open(&task.id).unwrap();
            let expert = opened.experts.get(Some("planner")).unwrap();
            let mut trajectory = trajectory_at(&opened, &scope.split, Purpose::Evaluation, "x", 0);
            while !opened.env.turn().done {
                let action = expert.advise(opened.env.as_ref(), &Cancel::default()).unwrap().action;
                way.insert(trajectory.state(trajectory.steps.len()), action.clone());
                opened.env.step(&action).unwrap();
                trajectory.steps.push(step_of(opened.env.as_ref(), &action, "x"));
            }
        }
        Self { way }
    }
}

impl Policy for Thinker {
    fn name(&self) -> String {
        "thinker".into()
    }

    fn think(&mut self, state: &State, _: f64, _: u64) -> Result<String> {
        Ok(self.way.get(state).cloned().unwrap_or_default())
    }

    fn score(&mut self, _: &State, thought: Option<&str>, actions: &[String]) -> Result<Vec<f64>> {
        Ok(actions.iter().map(|action| if Some(action.as_str()) == thought { 0.0 } else { -30.0 }).collect())
    }

    fn propose(&mut self, _: &State, thought: Option<&str>, _: f64, seeds: &[u64]) -> Result<Vec<String>> {
        Ok(vec![thought.unwrap_or("fly to the moon").to_string(); seeds.len()])
    }
}

impl WorldModel for Thinker {
    fn predict(
        &mut self,
        _: &State,
        actions: &[String],
        _: &mut (dyn FnMut(usize, &str) -> bool + Send),
    ) -> Result<Vec<String>> {
        Ok(vec!["You see nothing.".into(); actions.len()])
    }
}

const USUAL: Play = Play { temperature: 0.4, seed: 1, think: false, free: false, predict: false };

fn scope() -> Scope {
    Scope { split: "seen".into(), games: 6, seed: 1 }
}

fn play(store: &mut Store, play: Play) -> Summary {
    let (suite, known) =
        (limited(std::sync::Arc::new(Household), 20), Known { record: Some("r".into()), ..Known::default() });
    let mut thinker = Thinker::new(&scope());
    evaluate(store, suite.as_ref(), &scope(), &mut thinker, (play, &known), &Control::default(), &mut |_, _| {}).unwrap()
}

#[test]
fn a_policy_that_acts_on_its_thought_wins_by_thinking_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let thinking = play(&mut store, Play { think: true, ..USUAL });
    let at_once = play(&mut store, Play { temperature: 0.0, ..USUAL });
    assert_eq!((thinking.successes, thinking.invalid), (6, 0));
    assert!(at_once.successes < 6, "{at_once:?}");
    let (row, games) = store.evaluation(thinking.evaluation).unwrap();
    assert_eq!((row.think, row.step_limit, row.restriction.as_deref()), (Some(true), Some(20), Some("list")));
    assert_eq!((row.temperature, row.games_seed, row.seed, row.record.as_deref()), (Some(0.4), Some(1), 1, Some("r")));
    assert_eq!(games.len(), 6);
    let thoughts = store.thoughts(games[0].trajectory).unwrap();
    assert_eq!(thoughts.len(), games[0].steps);
    let steps = store.trajectory(games[0].trajectory).unwrap().steps;
    assert!(thoughts.iter().all(|thought| steps[thought.t].action == thought.text));
}

#[test]
fn free_text_may_be_no_admissible_action_and_evaluations_that_differ_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let free = play(&mut store, Play { free: true, ..USUAL });
    assert_eq!((free.successes, free.invalid), (0, 6 * 20), "each of twenty steps a game was refused");
    play(&mut store, USUAL);
    play(&mut store, Play { seed: 2, ..USUAL });
    play(&mut store, Play { temperature: 1.0, ..USUAL });
    play(&mut store, Play { think: true, ..USUAL });
    let rows = store.evaluations().unwrap();
    for (i, a) in rows.iter().enumerate() {
        for b in &rows[i + 1..] {
            let key = |row: &EvalRow| (row.seed, row.temperature.map(f64::to_bits), row.think, row.restriction.clone());
            assert_ne!(key(a), key(b));
            assert_eq!(a.games, b.games, "the same games");
        }
    }
}

#[test]
fn pairs_count_what_each_won_and_refuse_what_was_not_played_alike() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let lost = play(&mut store, Play { temperature: 0.0, ..USUAL }).evaluation;
    let won = play(&mut store, Play { temperature: 0.0, think: true, ..USUAL }).evaluation;
    let found = paired(&store, &[lost], &[won]).unwrap();
    let already = store.evaluation(lost).unwrap().0.successes as usize;
    assert_eq!((found.games, found.pairs, found.both, found.only_b), (6, 6, already, 6 - already));
    assert_eq!((found.only_a, found.neither, found.unpaired), (0, 0, 0));
    assert!(found.interval.0 <= found.difference && found.difference <= found.interval.1);
    let warm = play(&mut store, Play { temperature: 1.0, ..USUAL }).evaluation;
    assert!(paired(&store, &[lost], &[warm]).unwrap_err().message().contains("temperature"));
    assert!(paired(&store, &[lost, won], &[won]).is_err());
    // Only common games count; none in common is an error.
    let part = |games: std::ops::Range<usize>, store: &mut Store| {
        let (row, all) = store.evaluation(won).unwrap();
        store.add_evaluation(&row, &all[games]).unwrap()
    };
    let (head, tail) = (part(0..4, &mut store), part(4..6, &mut store));
    let some = paired(&store, &[head], &[won]).unwrap();
    assert_eq!((some.pairs, some.unpaired), (4, 2));
    assert!(paired(&store, &[head], &[tail]).unwrap_err().message().contains("no game in common"));
}

#[test]
fn picks_follow_the_scores_and_the_temperature() {
    let scores = [0.7f64.ln(), 0.2f64.ln(), 0.1f64.ln()];
    let count = |temperature: f64| {
        let mut counts = [0; 3];
        let mut rng = Rng::new(1);
        (0..20_000).for_each(|_| counts[pick(&scores, temperature, &mut rng)] += 1);
        counts
    };
    assert_eq!(count(0.0), [20_000, 0, 0]);
    let near = |counts: [i32; 3], shares: [f64; 3]| {
        counts.iter().zip(shares).all(|(count, share)| (f64::from(*count) / 20_000.0 - share).abs() < 0.012)
    };
    assert!(near(count(1.0), [0.7, 0.2, 0.1]), "{:?}", count(1.0));
    // At T = 1/2 the shares are squared: 0.49, 0.04, 0.01 of 0.54.
    assert!(near(count(0.5), [0.907, 0.074, 0.019]), "{:?}", count(0.5));
    assert_eq!(pick(&[f64::NEG_INFINITY, 0.0], 1.0, &mut Rng::new(1)), 1);
}

#[test]
fn how_right_predictions_are_does_not_depend_on_who_plays() {
    /// Says what is there, or nothing of it.
    struct Known(bool);
    impl WorldModel for Known {
        fn predict(
            &mut self,
            state: &State,
            actions: &[String],
            _: &mut (dyn FnMut(usize, &str) -> bool + Send),
        ) -> Result<Vec<String>> {
            let mut opened = None;
            for task in choose(&Household, &scope())? {
                let found = Household.open(&task.id)?;
                if found.env.task() == state.task && *found.env.turn().observation == *state.observation {
                    opened = Some(found);
                }
            }
            let mut env = opened.ok_or_else(|| Error::new("another game"))?.env;
            for (action, _) in &state.history {
                env.step(action)?;
            }
            actions
                .iter()
                .map(|action| {
                    let mut fork = env.fork()?;
                    fork.step(action)?;
                    Ok(if self.0 { fork.turn().observation.to_string() } else { "ZZZ".into() })
                })
                .collect()
        }
    }
    let ask =
        |right: bool| foresight(&Household, &scope(), 3, &mut Known(right), &Control::default(), &mut |_| {}).unwrap();
    let (right, wrong) = (ask(true), ask(false));
    assert_eq!((right.all.games, right.all.exact, right.all.f1), (6, 1.0, 1.0));
    assert_eq!((wrong.all.exact, wrong.all.f1), (0.0, 0.0));
    assert!(right.changed.transitions > 0 && right.unchanged.transitions > 0);
    assert_eq!(right.all.transitions, right.changed.transitions + right.unchanged.transitions);
}

#[test]
fn scores_that_are_not_numbers_are_an_error_and_no_lost_game() {
    struct Broken;
    impl Policy for Broken {
        fn name(&self) -> String {
            "broken".into()
        }
        fn think(&mut self, _: &State, _: f64, _: u64) -> Result<String> {
            Ok(String::new())
        }
        fn score(&mut self, _: &State, _: Option<&str>, actions: &[String]) -> Result<Vec<f64>> {
            Ok(vec![f64::NAN; actions.len()])
        }
        fn propose(&mut self, _: &State, _: Option<&str>, _: f64, _: &[u64]) -> Result<Vec<String>> {
            Ok(Vec::new())
        }
    }
    impl WorldModel for Broken {
        fn predict(
            &mut self,
            _: &State,
            _: &[String],
            _: &mut (dyn FnMut(usize, &str) -> bool + Send),
        ) -> Result<Vec<String>> {
            Ok(Vec::new())
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let known = Known::default();
    let done =
        evaluate(&mut store, &Household, &scope(), &mut Broken, (USUAL, &known), &Control::default(), &mut |_, _| {});
    assert!(done.unwrap_err().message().contains("not numbers"));
    assert!(store.evaluations().unwrap().is_empty());
}
