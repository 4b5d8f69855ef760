//! Against simulated studies, where the true difference is known.

use super::*;

/// A normal draw, by Box and Muller.
fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.unit()).ln()).sqrt();
    radius * (2.0 * std::f64::consts::PI * rng.unit()).cos()
}

fn chance(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// Two arms on 12 rooms of 20 games: games are hard by 1.5 logits (standard deviation), rooms by
/// 0.5, an arm's seed is off by 0.2, and the second arm's advantage differs between rooms by 0.3.
/// Returns both and the mean difference of their chances over all rooms and seeds that could have
/// been drawn, by many of them.
fn simulated(seeds: u64, advantage: f64, rng: &mut Rng) -> (Won, Won) {
    let mut games = Vec::new();
    for room in 0..12 {
        let (hard, special) = (0.5 * normal(rng), 0.3 * normal(rng));
        for game in 0..20 {
            let task = format!("train/x-{}/{game}", 100 * (room % 4) + room);
            games.push((task, hard + 1.5 * normal(rng), special));
        }
    }
    let mut arms = (Won::new(), Won::new());
    for seed in 0..seeds {
        let off = [0.2 * normal(rng), 0.2 * normal(rng)];
        let mut play = |which: usize| {
            games
                .iter()
                .map(|(task, hard, special)| {
                    let gain = if which == 0 { advantage + special } else { 0.0 };
                    (task.clone(), rng.unit() < chance(0.2 + hard + off[which] + gain))
                })
                .collect()
        };
        arms.0.insert(seed, play(0));
        arms.1.insert(seed, play(1));
    }
    arms
}

fn room(task: &str) -> Room {
    Room::of("alfworld", task)
}

/// The true mean difference, by a large simulation.
fn truth(advantage: f64) -> f64 {
    let mut rng = Rng::stream(77, "truth");
    let n = 400_000;
    let total: f64 = (0..n)
        .map(|_| {
            let hard = 0.2 + 0.5 * normal(&mut rng) + 1.5 * normal(&mut rng);
            let a = chance(hard + 0.2 * normal(&mut rng) + advantage + 0.3 * normal(&mut rng));
            a - chance(hard + 0.2 * normal(&mut rng))
        })
        .sum();
    total / f64::from(n)
}

/// How often the interval holds the truth, in so many simulated studies.
fn coverage(seeds: u64, advantage: f64, studies: usize) -> f64 {
    let truth = truth(advantage);
    let mut rng = Rng::stream(5, "coverage");
    let covers = (0..studies).filter(|_| {
        let (a, b) = simulated(seeds, advantage, &mut rng);
        let found = difference(&a, &b, &room).unwrap();
        (found.interval.0..=found.interval.1).contains(&truth)
    });
    covers.count() as f64 / studies as f64
}

#[test]
fn intervals_of_simulated_studies_hold_the_truth_about_as_often_as_they_say() {
    // 120 studies: a coverage of 95 % is measured within 4 points (two standard errors).
    for (seeds, advantage) in [(5, 0.0), (8, 0.5)] {
        let covered = coverage(seeds, advantage, 120);
        assert!((0.88..=1.0).contains(&covered), "{seeds} seeds, {advantage}: {covered}");
    }
}

#[test]
fn arms_that_play_alike_do_not_differ_and_one_that_wins_all_does() {
    let mut rng = Rng::stream(2, "alike");
    let (a, _) = simulated(3, 0.0, &mut rng);
    let same = difference(&a, &a, &room).unwrap();
    assert_eq!((same.value, same.interval), (0.0, (0.0, 0.0)));
    assert!((same.p - 1.0).abs() < 1e-9);
    assert_eq!((same.games, same.rooms, same.seeds.len()), (240, 12, 3));
    let all = |won: bool| -> Won {
        let games =
            |games: &BTreeMap<String, bool>| games.keys().map(|k| (k.clone(), won)).collect();
        a.iter().map(|(seed, of)| (*seed, games(of))).collect()
    };
    let apart = difference(&all(true), &all(false), &room).unwrap();
    assert_eq!((apart.value, apart.interval), (1.0, (1.0, 1.0)));
    assert!(apart.p < 1e-3);
    assert_eq!(apart.each, [1.0; 3]);
    assert!(difference(&all(true), &Won::new(), &room).is_none());
}

#[test]
fn only_games_that_both_played_with_every_common_seed_count() {
    let of = |pairs: &[(&str, bool)]| -> BTreeMap<String, bool> {
        pairs.iter().map(|(task, won)| ((*task).to_string(), *won)).collect()
    };
    let a = Won::from([(1, of(&[("x", true), ("y", true)])), (2, of(&[("x", true)]))]);
    let b = Won::from([(2, of(&[("x", false), ("z", true)])), (3, of(&[("x", true)]))]);
    let found = difference(&a, &b, &|task| Room::of("household", task)).unwrap();
    assert_eq!((found.seeds, found.games), (vec![2], 1));
    assert_eq!((found.value, found.interval), (1.0, (1.0, 1.0)));
}

#[test]
fn rooms_are_read_from_the_names_of_tasks() {
    let task = "train/pick_two_obj_and_place-CD-None-Safe-323/trial_T2019";
    assert_eq!(room(task), Room { kind: "3".into(), name: "323".into() });
    assert_eq!(room("train/look-A-None-Lamp-5/t").kind, "0");
    assert_eq!(Room::of("household", "train-17").name, "train-17");
}

#[test]
fn holms_correction_is_the_textbooks() {
    // Four tests: 0.01 x 4, 0.02 x 3, 0.03 x 2 is no less than before, 0.04 x 1 neither.
    let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
    assert!(close(&holm(&[0.04, 0.01, 0.03, 0.02]), &[0.06, 0.04, 0.06, 0.06]));
    assert!(close(&holm(&[0.5]), &[0.5]));
    assert!(close(&holm(&[0.7, 0.6]), &[1.0, 1.0]));
    assert!(holm(&[]).is_empty());
}
