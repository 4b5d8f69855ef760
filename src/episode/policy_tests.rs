use super::*;

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
        counts
            .iter()
            .zip(shares)
            .all(|(count, share)| (f64::from(*count) / 20_000.0 - share).abs() < 0.012)
    };
    assert!(near(count(1.0), [0.7, 0.2, 0.1]), "{:?}", count(1.0));
    // At T = 1/2 the shares are squared: 0.49, 0.04, 0.01 of 0.54.
    assert!(near(count(0.5), [0.907, 0.074, 0.019]), "{:?}", count(0.5));
    assert_eq!(pick(&[f64::NEG_INFINITY, 0.0], 1.0, &mut Rng::new(1)), 1);
}
