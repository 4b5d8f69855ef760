use super::*;

/// The update of one weight in f64, as the paper writes it (Loshchilov and Hutter, 2019,
/// algorithm 2).
fn by_hand(mut w: f64, grads: &[f64], rate: f64, decay: f64) -> f64 {
    let mut m = 0.0;
    let mut v = 0.0;
    for (t, g) in grads.iter().enumerate() {
        let n = t as i32 + 1;
        m = 0.9 * m + 0.1 * g;
        v = 0.98 * v + 0.02 * g * g;
        let m = m / (1.0 - 0.9f64.powi(n));
        let v = v / (1.0 - 0.98f64.powi(n));
        w -= rate * decay * w + rate * m / (v.sqrt() + 1e-8);
    }
    w
}

fn by(scale: f32, rate: f64, clip: f64) -> Change {
    Change { scale, rate, decay: 0.01, clip }
}

#[test]
fn updates_are_those_computed_by_hand() {
    let shapes = [("matrix".to_string(), vec![1, 2]), ("gain".to_string(), vec![2])];
    let mut weights = vec![vec![0.5, -1.5], vec![1.0, 2.0]];
    let mut optimiser = AdamW::new(&shapes);
    let grads = [[0.3, -0.2, 0.1, 0.05], [0.1, 0.4, -0.2, 0.3], [-0.5, 0.2, 0.0, 0.1]];
    for row in grads {
        // Gradients are summed over 4 targets: the scale makes the mean of them.
        let summed = vec![vec![4.0 * row[0], 4.0 * row[1]], vec![4.0 * row[2], 4.0 * row[3]]];
        let norm = optimiser.step(&shapes, &mut weights, &summed, by(0.25, 1e-2, 10.0)).unwrap();
        let want = row.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>().sqrt();
        assert!((norm - want).abs() < 1e-6, "the norm before clipping: {norm} {want}");
    }
    let start = [0.5, -1.5, 1.0, 2.0];
    for (i, weight) in weights.concat().into_iter().enumerate() {
        let own: Vec<f64> = grads.iter().map(|row| f64::from(row[i])).collect();
        // Weight decay of 0.01 for matrices, none for gains.
        let want = by_hand(start[i], &own, 1e-2, if i < 2 { 0.01 } else { 0.0 });
        assert!((f64::from(weight) - want).abs() < 2e-6, "weight {i}: {weight} {want}");
    }
    assert_eq!(optimiser.updates, 3);
}

#[test]
fn a_gradient_over_the_limit_is_cut_to_it_as_a_whole() {
    let shapes = [("a".to_string(), vec![1]), ("b".to_string(), vec![1])];
    let step = |grads: [f32; 2], clip: f64| {
        let mut optimiser = AdamW::new(&shapes);
        let mut weights = vec![vec![0.0], vec![0.0]];
        let norm = optimiser
            .step(&shapes, &mut weights, &grads.map(|g| vec![g]).to_vec(), by(1.0, 1e-2, clip))
            .unwrap();
        (norm, optimiser.first.concat())
    };
    let (norm, first) = step([30.0, -40.0], 1.0);
    assert!((norm - 50.0).abs() < 1e-9, "what is reported is the norm before");
    let (_, scaled) = step([0.6, -0.8], 100.0);
    assert!(first.iter().zip(&scaled).all(|(a, b)| (a - b).abs() < 1e-7), "{first:?} {scaled:?}");
    let bad = AdamW::new(&shapes).step(
        &shapes,
        &mut vec![vec![0.0]; 2],
        &vec![vec![f32::NAN]; 2],
        by(1.0, 1.0, 1.0),
    );
    assert!(bad.is_err());
}
