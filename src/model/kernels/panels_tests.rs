use super::*;
use crate::model::kernels::{mul_nn, mul_nt, mul_tn};
use crate::rng::Rng;

#[test]
fn products_are_those_of_the_operands_whatever_the_edges() {
    let mut rng = Rng::new(9);
    for (m, n, k) in [(1, 1, 1), (3, 32, 5), (33, 17, 40), (70, 100, 265), (24, 96, 192)] {
        let mut draw = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.unit() as f32 - 0.5).collect() };
        let (a, b, c) = (draw(m * k), draw(n * k), draw(m * n));
        let near = |found: &[f32], want: &[f32], terms: usize| {
            for (x, y) in found.iter().zip(want) {
                assert!((x - y).abs() <= 5e-7 * terms as f32, "{m} {n} {k}: {x} {y}");
            }
        };
        let of = |data, width| Matrix { data, width };
        let mut left = Left::default();
        let mut right = Right::default();
        for adds in [false, true] {
            let (mut found, mut want) = (vec![1.0; m * n], vec![1.0; m * n]);
            left.rows(of(&a, k));
            right.rows(of(&b, k));
            product(&mut found, &left, &right, adds);
            mul_nt(&mut want, &a, &b, k, adds);
            near(&found, &want, k);
            let (mut found, mut want) = (vec![1.0; m * k], vec![1.0; m * k]);
            left.rows(of(&c, n));
            product_of_columns(&mut found, &left, of(&b, k), adds);
            mul_nn(&mut want, &c, &b, n, adds);
            near(&found, &want, n);
        }
        // Some rows of a weight's gradient.
        let from = n / 3;
        let (mut found, mut want) = (vec![1.0; (n - from) * k], vec![1.0; (n - from) * k]);
        left.columns(of(&c, n), from..n);
        product_of_columns(&mut found, &left, of(&a, k), true);
        mul_tn(&mut want, (&c, n), from, &a);
        near(&found, &want, m);
    }
}
