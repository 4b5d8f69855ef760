use super::*;
use crate::rng::Rng;

#[test]
fn the_share_of_signal_is_that_of_gradients_made_with_it() {
    // A mean of length 1 and noise of length 3: a tenth of the expected square is signal.
    let mut rng = Rng::stream(1, "noise");
    let mut inside = 0;
    for _ in 0..40 {
        let gradients: Vec<Vec<f32>> = (0..64)
            .map(|_| {
                let mut one: Vec<f32> = (0..90)
                    .map(|_| (rng.unit() + rng.unit() + rng.unit() - 1.5) as f32 * 0.632_46)
                    .collect();
                one[0] += 1.0;
                one
            })
            .collect();
        let (share, (low, high)) = signal(&products(&gradients)).unwrap();
        assert!((0.02..0.25).contains(&share), "{share}");
        inside += usize::from(low <= 0.1 && 0.1 <= high);
    }
    assert!(inside >= 34, "{inside} of 40 intervals have it");
}

#[test]
fn equal_gradients_are_all_signal_and_none_says_nothing() {
    let (share, ends) = signal(&products(&vec![vec![1.0, -2.0]; 5])).unwrap();
    assert!((share - 1.0).abs() < 1e-12 && (ends.1 - 1.0).abs() < 1e-9, "{share} {ends:?}");
    assert_eq!(signal(&products(&vec![vec![0.0]; 5])), None);
    assert_eq!(signal(&products(&[vec![1.0], vec![1.0]])), None);
}
