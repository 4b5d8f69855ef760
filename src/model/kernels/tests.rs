use super::*;

#[test]
fn exp_is_exact_enough_everywhere_it_is_used() {
    for i in -8700..=1000 {
        let x = i as f32 / 100.0;
        let got = f64::from(exp(x));
        let want = f64::from(x).exp();
        assert!((got - want).abs() <= 4e-7 * want, "{x}: {got} {want}");
    }
    assert!(exp(-1e9) < 1e-37);
    assert!(exp(1e9) > 1e38 && exp(88.0) > 1e38);
    let mut gate = vec![-200.0, 200.0, 0.5];
    let mut up = vec![1.0, 1.0, 1.0];
    let dout = vec![1.0; 3];
    let mut shut = gate.clone();
    swiglu(&mut shut, &up);
    assert!(shut[0].abs() < 1e-30 && (shut[1] - 200.0).abs() < 1e-3, "{shut:?}");
    swiglu_back(&mut gate, &mut up, &dout);
    assert!(gate[0].abs() < 1e-30 && (gate[1] - 1.0).abs() < 1e-6, "{gate:?}");
}
