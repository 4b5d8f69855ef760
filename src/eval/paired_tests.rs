use super::*;

#[test]
fn the_exact_test_agrees_with_tables() {
    assert!((mcnemar(1, 9) - 22.0 / 1024.0).abs() < 1e-12, "2 (C(10,0) + C(10,1)) / 2^10");
    assert!((mcnemar(0, 5) - 0.0625).abs() < 1e-12);
    assert_eq!((mcnemar(0, 0), mcnemar(4, 4)), (1.0, 1.0));
}

#[test]
fn an_interval_of_games_that_agree_is_a_point_and_one_of_coins_is_as_wide_as_theirs() {
    assert_eq!(bootstrap(&vec![vec![(0, 1.0)]; 20], 1), (1.0, 1.0));
    let coins: Vec<Vec<(usize, f64)>> = (0..400).map(|i| vec![(0, f64::from(i % 2))]).collect();
    let (low, high) = bootstrap(&coins, 1);
    assert!(
        (low - 0.451).abs() < 0.01 && (high - 0.549).abs() < 0.01,
        "0.5 ± 1.96 · 0.025: {low} {high}"
    );
}

#[test]
fn an_interval_of_several_seeds_is_as_wide_as_what_seeds_do() {
    // Two seeds that disagree on every game: the mean says nothing of a third.
    let games = vec![vec![(0, 0.4), (1, -0.2)]; 400];
    let (low, high) = bootstrap(&games, 2);
    assert!((low + 0.2).abs() < 1e-9 && (high - 0.4).abs() < 1e-9, "{low} {high}");
    // Under no true difference, a seed effect of its own for each evaluation, and games that
    // differ: it must hold 0.
    let mut rng = Rng::new(3);
    let mut held = 0;
    for _ in 0..60 {
        let effect: Vec<f64> =
            (0..8).map(|_| 0.1 * (rng.unit() + rng.unit() + rng.unit() - 1.5)).collect();
        let games: Vec<Vec<(usize, f64)>> = (0..80)
            .map(|_| effect.iter().enumerate().map(|(i, e)| (i, e + rng.unit() - 0.5)).collect())
            .collect();
        let (low, high) = bootstrap_of(&games, 8, 400);
        held += usize::from(low <= 0.0 && 0.0 <= high);
    }
    assert!(held >= 50, "{held} of 60");
}

#[test]
fn newcombes_interval_is_the_published_one_and_never_a_point() {
    // The first is of children's airways before and after a transplantation (Fagerland, Lydersen
    // and Laake, Statistics in Medicine 33, 2850, 2014), the others worked out apart.
    for (counts, low, high) in [
        ([1, 1, 7, 12], 0.026, 0.507),
        ([36, 12, 2, 0], -0.3404, -0.0569),
        ([43, 0, 0, 7], -0.0638, 0.0638),
        ([0, 30, 0, 0], -1.0, -0.8395),
    ] {
        let (l, h) = newcombe(counts);
        assert!((l - low).abs() < 6e-4 && (h - high).abs() < 6e-4, "{counts:?}: {l} {h}");
    }
    let (low, high) = newcombe([0, 0, 0, 6]);
    assert!(low < -0.3 && high > 0.3, "no game of six won by either says little: {low} {high}");
}
