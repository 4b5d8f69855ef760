use super::*;
use crate::rng::Rng;

#[test]
fn few_rows_are_what_the_plain_sums_are_whatever_stands_beside_them() {
    let mut rng = Rng::new(1);
    let mut draw = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.unit() as f32 - 0.5).collect() };
    for (rows, width, group) in [(5, 96, 32), (3, 64, 16), (2, 32, 32), (23, 32, 32)] {
        let weight = draw(rows * width);
        let x = draw(MAX_ROWS * width);
        let codes: Vec<i8> = weight.iter().map(|w| (w * 250.0) as i8).collect();
        let scales = draw(rows * width / group);
        let offsets = draw(rows * width / group);
        let coded = QuantView { codes: &codes, scales: &scales, offsets: &offsets, group };
        let value = |i: usize| scales[i / group] * f32::from(codes[i]) + offsets[i / group];
        for m in 1..=MAX_ROWS {
            let x = &x[..m * width];
            let full = skinny_f32(&weight, x, width);
            let quantised = skinny_q8(coded, x, width);
            for (i, (a, b)) in full.iter().zip(&quantised).enumerate() {
                let n = i / m;
                let m = i % m;
                let row = |i: usize| x[m * width + i];
                let want: f32 = (0..width).map(|i| weight[n * width + i] * row(i)).sum();
                let coded: f32 = (0..width).map(|i| value(n * width + i) * row(i)).sum();
                assert!(
                    (a - want).abs() < 1e-5 && (b - coded).abs() < 1e-3,
                    "{a} {want} {b} {coded}"
                );
            }
            let fast = skinny_q8_fast(coded, x, width);
            assert!(
                fast.iter().zip(&quantised).all(|(a, b)| (a - b).abs() < 1e-2),
                "{fast:?} {quantised:?}"
            );
            for (kernel, all) in
                [(skinny_q8 as fn(_, &_, _) -> _, &quantised), (skinny_q8_fast, &fast)]
            {
                let alone: Vec<f32> = kernel(coded, &x[(m - 1) * width..], width);
                assert_eq!(alone, all.iter().skip(m - 1).step_by(m).copied().collect::<Vec<_>>());
            }
            let alone = skinny_f32(&weight, &x[(m - 1) * width..], width);
            assert_eq!(alone, full.iter().skip(m - 1).step_by(m).copied().collect::<Vec<_>>());
        }
    }
}
