use super::*;

const SHARES: [f64; 5] = [0.05, 0.6, 0.2, 0.1, 0.05];

#[test]
fn the_likeliest_come_in_order_and_without_the_experts() {
    let choosing = AlternativeSampling { k: 3, ..AlternativeSampling::default() };
    assert_eq!(choosing.choose(&SHARES, Some(1), "a"), [2, 3, 0]);
    assert_eq!(choosing.choose(&[], None, "a"), [0; 0]);
}

#[test]
fn draws_follow_the_shares_repeat_with_their_seed_and_stay_in_the_nucleus() {
    let mut choosing =
        AlternativeSampling { proposer: Proposer::Sampled, k: 1, ..AlternativeSampling::default() };
    let mut first = 0;
    for seed in 0..2000 {
        choosing.seed = seed;
        let drawn = choosing.choose(&SHARES, None, "a");
        assert_eq!(drawn, choosing.choose(&SHARES, None, "a"));
        first += usize::from(drawn == [1]);
    }
    assert!((1100..1300).contains(&first), "{first} of 2000 where six in ten are due");
    let cut = AlternativeSampling { top_p: 0.7, k: 5, ..choosing };
    let mut drawn = cut.choose(&SHARES, None, "a");
    drawn.sort_unstable();
    assert_eq!(drawn, [1, 2]);
}

#[test]
fn settings_stay_within_bounds_whatever_is_pressed() {
    let mut choosing = AlternativeSampling::default();
    let mut rng = Rng::new(3);
    for _ in 0..10_000 {
        choosing.change(rng.below(AlternativeSampling::ROWS), rng.below(2) == 0);
        assert!(choosing.is_sound(), "{choosing:?}");
    }
}
