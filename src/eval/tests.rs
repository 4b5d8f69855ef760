//! Evaluations by policies whose games are known.

use std::collections::HashMap;

use super::*;
use crate::control::Cancel;
use crate::env::household::Household;
use crate::env::limited;
use crate::episode::Teacher;
use crate::error::Error;
use crate::scripted::Scripted;

/// Knows the way; takes it only after its own thought.
fn thinker(scope: &Scope) -> Scripted {
    let mut way = HashMap::new();
    for task in choose(&Household, scope).unwrap() {
        let mut episode =
            Episode::open(&Household, &scope.split, &task.id, Purpose::Evaluation, 0).unwrap();
        episode.demonstrate(Teacher::Suite(Some("planner")), &Cancel::default()).unwrap().unwrap();
        let steps = episode.trajectory.steps.iter().enumerate();
        way.extend(steps.map(|(t, step)| (episode.trajectory.state(t), step.action.clone())));
    }
    Scripted::says(|_, thought, _| thought.unwrap_or("fly to the moon").to_string())
        .thinks(move |state, _| way.get(state).cloned().unwrap_or_default())
        .scores(|_, thought, action| if Some(action) == thought { 0.0 } else { -30.0 })
        .foresees(|_, _| Ok("You see nothing.".into()))
        .named("thinker")
}

const USUAL: Play =
    Play { temperature: 0.4, seed: 1, think: false, free: false, predict: false, no_repeat: false };

fn scope() -> Scope {
    Scope { split: "seen".into(), games: 6, seed: 1, share: None }
}

fn play(store: &mut Store, play: Play) -> Summary {
    let suite = limited(std::sync::Arc::new(Household), 20);
    let known = Known { record: Some("r".into()), ..Known::default() };
    let mut thinker = thinker(&scope());
    evaluate(
        store,
        suite.as_ref(),
        &scope(),
        &mut thinker,
        (play, &known),
        &Control::default(),
        &mut |_, _| {},
    )
    .unwrap()
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
    assert_eq!(
        (row.think, row.step_limit, row.restriction.as_deref()),
        (Some(true), Some(20), Some("list"))
    );
    assert_eq!(
        (row.temperature, row.games_seed, row.seed, row.record.as_deref()),
        (Some(0.4), Some(1), 1, Some("r"))
    );
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
    assert_eq!(
        (free.successes, free.invalid),
        (0, 6 * 20),
        "each of twenty steps a game was refused"
    );
    play(&mut store, USUAL);
    play(&mut store, Play { seed: 2, ..USUAL });
    play(&mut store, Play { temperature: 1.0, ..USUAL });
    play(&mut store, Play { think: true, ..USUAL });
    let rows = store.evaluations().unwrap();
    for (i, a) in rows.iter().enumerate() {
        for b in &rows[i + 1..] {
            let key = |row: &EvalRow| {
                (row.seed, row.temperature.map(f64::to_bits), row.think, row.restriction.clone())
            };
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
    let fresh = play(&mut store, Play { temperature: 0.0, no_repeat: true, ..USUAL }).evaluation;
    assert!(paired(&store, &[lost], &[fresh]).unwrap_err().message().contains("repeats"));
    assert!(paired(&store, &[lost, won], &[won]).is_err());
    // Only common games count; none in common is an error.
    let part = |games: std::ops::Range<usize>, store: &mut Store| {
        let (row, all) = store.evaluation(won).unwrap();
        store.add_evaluation(&row, &all[games]).unwrap()
    };
    let head = part(0..4, &mut store);
    let tail = part(4..6, &mut store);
    let some = paired(&store, &[head], &[won]).unwrap();
    assert_eq!((some.pairs, some.unpaired), (4, 2));
    assert!(paired(&store, &[head], &[tail]).unwrap_err().message().contains("no game in common"));
}

#[test]
fn a_stored_evaluation_is_told_with_its_kinds_and_episodes_and_how_two_differ() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let lost = play(&mut store, Play { temperature: 0.0, no_repeat: true, ..USUAL });
    let won = play(&mut store, Play { temperature: 0.0, no_repeat: true, think: true, ..USUAL });
    let lines = told(&store, won.evaluation).unwrap();
    assert!(lines[0].contains(": 6 of 6 = 100.0 % [61.0, 100.0]"), "{}", lines[0]);
    assert_eq!(
        lines[1],
        format!(
            "seen T 0 seed 1, thinking, no repeats, games by seed 1 of household, mean {:.1} steps",
            won.mean_steps
        )
    );
    let lost_by = told(&store, lost.evaluation).unwrap();
    assert!(lost_by.iter().any(|line| line.starts_with("lost by: ")), "{lost_by:?}");
    let kinds = lines.iter().skip(3).take_while(|line| !line.is_empty()).count();
    assert_eq!(kinds, won.kinds.len());
    let (_, games) = store.evaluation(won.evaluation).unwrap();
    let mut episodes: Vec<i64> = games.iter().map(|game| game.trajectory).collect();
    episodes.sort_unstable();
    let episodes: Vec<String> = episodes.iter().map(ToString::to_string).collect();
    assert!(lines.contains(&format!("won: trajectories {}", episodes.join(", "))), "{lines:?}");
    let lines = difference(&store, lost.evaluation, won.evaluation).unwrap();
    assert!(lines[0].contains("95 %, 6 games; exact") && lines[0].contains("too few"), "{lines:?}");
    assert!(lines[1].contains(&format!("both won {}", lost.successes)), "{lines:?}");
}

#[test]
fn how_right_predictions_are_does_not_depend_on_who_plays() {
    // Says what is there, or nothing of it.
    let ask = |right: bool| {
        let mut model = Scripted::says(|_, _, _| String::new()).foresees(move |state, action| {
            let tasks = choose(&Household, &scope())?;
            let opened = tasks.iter().map(|task| Household.open(&task.id));
            let opened: Vec<_> = opened.collect::<Result<_>>()?;
            let same = |task: &str, seen: &str| task == state.task && *seen == *state.observation;
            let found = opened
                .into_iter()
                .find(|found| same(found.env.task(), &found.env.turn().observation));
            let mut env = found.ok_or_else(|| Error::new("another game"))?.env;
            for (action, _) in &state.history {
                env.step(action)?;
            }
            env.step(action)?;
            Ok(if right { env.turn().observation.to_string() } else { "ZZZ".into() })
        });
        foresight(&Household, &scope(), 3, &mut model, &Control::default(), &mut |_| {}).unwrap()
    };
    let right = ask(true);
    let wrong = ask(false);
    assert_eq!((right.all.games, right.all.exact, right.all.f1), (6, 1.0, 1.0));
    assert_eq!((wrong.all.exact, wrong.all.f1), (0.0, 0.0));
    assert!(right.changed.transitions > 0 && right.unchanged.transitions > 0);
    assert_eq!(right.all.transitions, right.changed.transitions + right.unchanged.transitions);
}

#[test]
fn scores_that_are_not_numbers_are_an_error_and_no_lost_game() {
    let mut broken = Scripted::says(|_, _, _| String::new()).scores(|_, _, _| f64::NAN);
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let known = Known::default();
    let done = evaluate(
        &mut store,
        &Household,
        &scope(),
        &mut broken,
        (USUAL, &known),
        &Control::default(),
        &mut |_, _| {},
    );
    assert!(done.unwrap_err().message().contains("not numbers"));
    assert!(store.evaluations().unwrap().is_empty());
}
