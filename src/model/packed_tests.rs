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

/// The same laid out, what is whole also in bf16.
fn packed(rows: usize, width: usize, rng: &mut Rng) -> Vec<Packed> {
    let mut all: Vec<Packed> = Vec::new();
    for matrix in weights(rows, width, rng) {
        if matches!(matrix, Matrix::Full { .. }) {
            all.push(Packed::new(matrix.clone(), Products::Bf16));
        }
        all.push(Packed::new(matrix, Products::F32));
    }
    all
}

#[test]
fn what_is_rounded_is_as_near_as_bf16_is() {
    let mut rng = Rng::new(6);
    for (rows, width) in [(1, 32), (40, 96), (70, 50)] {
        let numbers: Vec<f32> = (0..rows * width).map(|_| rng.unit() as f32 - 0.5).collect();
        let full = Matrix::Full { data: numbers.clone(), width };
        let rounded = Packed::new(full, Products::Bf16);
        assert!(rounded.bytes() <= (rows + 32) * (width + 31) * 2);
        for row in 0..rows {
            let mut found = Vec::new();
            rounded.row(row, &mut found);
            for (found, number) in found.iter().zip(&numbers[row * width..(row + 1) * width]) {
                assert!((found - number).abs() <= number.abs() / 256.0);
            }
        }
    }
}

#[test]
fn products_are_the_plain_sums_in_every_form_for_few_rows_and_for_many() {
    let mut rng = Rng::new(2);
    let width = 96;
    for rows in [1, 33, 200] {
        for packed in packed(rows, width, &mut rng) {
            let mut numbers = Vec::new();
            (0..rows).for_each(|row| packed.row(row, &mut numbers));
            for m in [1, 2, 3, 7, 8, 9, 30, 61] {
                let x: Vec<f32> = (0..m * width).map(|_| rng.unit() as f32 * 4.0 - 2.0).collect();
                for (precision, bound) in [(Precision::Exact, 1e-6), (Precision::Fast, 1e-4)] {
                    // Many rows are rounded to bf16 as well, by one part in 512 at most.
                    let is_rounded = m > FEW && matches!(packed.form, Form::Rounded(_));
                    let bound = if is_rounded { 2e-3 } else { bound };
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
    for packed in packed(ROWS, width, &mut rng) {
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
    for packed in packed(40, 64, &mut rng) {
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
    let all = packed(48, 96, &mut rng);
    for m in [1, 8, 60] {
        let x: Vec<f32> = (0..m * 96).map(|_| rng.unit() as f32 - 0.5).collect();
        let together = products([&all[0], &all[1], &all[2], &all[3]], &x, Precision::Exact);
        for (matrix, together) in all.iter().zip(&together) {
            assert_eq!(&matrix.times(&x, Precision::Exact), together);
        }
    }
}
