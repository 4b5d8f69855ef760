use super::*;
use crate::rng::Rng;

#[test]
fn few_and_many_rows_give_the_same_products_in_both_forms() {
    let mut rng = Rng::new(2);
    let mut draw = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.unit() as f32 - 0.5).collect() };
    let rows = 200;
    let width = 64;
    let full = Matrix::Full { data: draw(rows * width), width };
    let codes: Vec<i8> = draw(rows * width).iter().map(|w| (w * 250.0) as i8).collect();
    let scales = draw(rows * width / 32);
    let offsets = draw(rows * width / 32);
    let grouped = Matrix::Quantized(Quantized { codes, scales, offsets, group: 32, width });
    let x = draw(40 * width);
    for matrix in [&full, &grouped] {
        assert_eq!((matrix.rows(), matrix.width()), (rows, width));
        let many = matrix.times(&x, Precision::Exact);
        let mut numbers = Vec::new();
        matrix.numbers(0..rows, &mut numbers);
        for m in 0..40 {
            let alone = matrix.times(&x[m * width..(m + 1) * width], Precision::Exact);
            for n in 0..rows {
                let want: f32 = (0..width).map(|i| x[m * width + i] * numbers[n * width + i]).sum();
                let got = (alone[n], many[m * rows + n]);
                assert!(
                    (got.0 - want).abs() < 1e-4 && (got.1 - want).abs() < 1e-4,
                    "{got:?} {want}"
                );
            }
        }
    }
}
