use super::*;
use crate::rng::Rng;

/// Rows of a weight that is worth more than one thread.
const ROWS: usize = 470;

/// A weight in each form: numbers, and codes of eight and of four bits in groups of 32 and 16.
fn weights(rows: usize, width: usize, rng: &mut Rng) -> Vec<Matrix> {
    let mut draw = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.unit() as f32 - 0.5).collect() };
    let mut all = vec![Matrix::Full { data: draw(rows * width), width }];
    for (spread, least, group, has_offsets) in [
        (250.0, 0.0, 32, true),
        (250.0, 0.0, 16, false),
        (15.0, -0.6, 32, false),
        (15.0, 7.5, 32, true),
    ] {
        let codes = draw(rows * width).iter().map(|w| (w * spread + least) as i8).collect();
        let scales = draw(rows * width / group);
        let offsets = if has_offsets { draw(rows * width / group) } else { Vec::new() };
        all.push(Matrix::Quantized(Quantized { codes, scales, offsets, group, width }));
    }
    all
}

#[test]
fn products_are_the_plain_sums_in_every_form_for_few_rows_and_for_many() {
    let mut rng = Rng::new(2);
    let width = 96;
    for rows in [1, 33, 200] {
        for matrix in weights(rows, width, &mut rng) {
            let packed = Packed::new(matrix.clone());
            let mut numbers = Vec::new();
            matrix.numbers(0..rows, &mut numbers);
            for row in [0, rows / 2, rows - 1] {
                let mut found = Vec::new();
                packed.row(row, &mut found);
                assert_eq!(found, numbers[row * width..(row + 1) * width]);
            }
            for m in [1, 2, 3, 7, 8, 9, 30, 61] {
                let x: Vec<f32> = (0..m * width).map(|_| rng.unit() as f32 * 4.0 - 2.0).collect();
                for (precision, bound) in [(Precision::Exact, 1e-6), (Precision::Fast, 1e-4)] {
                    let got = packed.times(&x, precision);
                    for (i, got) in got.iter().enumerate() {
                        let x = &x[i / rows * width..][..width];
                        let weight = &numbers[i % rows * width..][..width];
                        let terms =
                            x.iter().zip(weight).map(|(x, w)| f64::from(*x) * f64::from(*w));
                        let want: f64 = terms.clone().sum();
                        let size: f64 = terms.map(f64::abs).sum();
                        let error = (f64::from(*got) - want).abs();
                        assert!(error <= bound * size, "{m} rows: {got} {want} {size}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_row_comes_to_the_same_whatever_stands_beside_it() {
    let mut rng = Rng::new(3);
    let width = 64;
    for matrix in weights(ROWS, width, &mut rng) {
        let packed = Packed::new(matrix);
        let x: Vec<f32> = (0..40 * width).map(|_| rng.unit() as f32 - 0.5).collect();
        for precision in [Precision::Exact, Precision::Fast] {
            let alone = |m: usize| packed.times(&x[m * width..(m + 1) * width], precision);
            let few = packed.times(&x[..FEW * width], precision);
            for m in 0..FEW {
                assert_eq!(few[m * ROWS..(m + 1) * ROWS], alone(m));
            }
            let all = packed.times(&x, precision);
            let some = packed.times(&x[..20 * width], precision);
            assert_eq!(all[..20 * ROWS], some);
        }
    }
}

#[test]
fn what_is_no_number_stays_none() {
    let mut rng = Rng::new(4);
    for matrix in weights(40, 64, &mut rng) {
        let packed = Packed::new(matrix);
        for poison in [f32::NAN, f32::INFINITY] {
            let mut x = vec![0.5; 3 * 64];
            x[70] = poison;
            for precision in [Precision::Exact, Precision::Fast] {
                let out = packed.times(&x, precision);
                assert!(out[..40].iter().chain(&out[80..]).all(|value| value.is_finite()));
                assert!(out[40..80].iter().all(|value| !value.is_finite()));
            }
        }
    }
}

#[test]
fn matrices_of_unlike_forms_are_multiplied_together() {
    let mut rng = Rng::new(5);
    let all: Vec<Packed> = weights(48, 96, &mut rng).into_iter().map(Packed::new).collect();
    for m in [1, 8, 60] {
        let x: Vec<f32> = (0..m * 96).map(|_| rng.unit() as f32 - 0.5).collect();
        let together = products([&all[0], &all[1], &all[2], &all[3]], &x, Precision::Exact);
        for (matrix, together) in all.iter().zip(&together) {
            assert_eq!(&matrix.times(&x, Precision::Exact), together);
        }
    }
}
