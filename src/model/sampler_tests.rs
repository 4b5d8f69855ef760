use super::*;
use crate::model::kernels::log_sum;

#[test]
fn temperature_zero_is_greedy_and_each_cut_keeps_what_it_says() {
    let logits = [0.0, 2.0, 1.9, -5.0];
    let mut rng = Rng::new(3);
    assert_eq!(sample(&logits, Sampling::GREEDY, &[], &mut rng), 1);
    let mut drawn = |how: Sampling, written: &[u32]| {
        let mut kinds: Vec<_> = (0..300).map(|_| sample(&logits, how, written, &mut rng)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    };
    assert_eq!(drawn(Sampling { top_p: 0.8, ..Sampling::at(1.0) }, &[]), [1, 2]);
    assert_eq!(drawn(Sampling { top_k: 1, ..Sampling::at(1.0) }, &[]), [1]);
    assert_eq!(drawn(Sampling { min_p: 0.5, ..Sampling::at(1.0) }, &[]), [1, 2]);
    assert_eq!(drawn(Sampling::at(1.0), &[]), [0, 1, 2]);
    assert_eq!(drawn(Sampling { repetition: 50.0, ..Sampling::GREEDY }, &[1, 1]), [2]);
    let sum: f64 = logits.iter().map(|logit| (f64::from(*logit) - log_sum(&logits)).exp()).sum();
    assert!((sum - 1.0).abs() < 1e-6, "{sum}");
}
