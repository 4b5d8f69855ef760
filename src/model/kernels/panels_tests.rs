use super::*;
use crate::model::kernels::mul_nt;
use crate::rng::Rng;

#[test]
fn products_are_those_of_the_operands_whatever_the_edges() {
    let mut rng = Rng::new(9);
    for (m, n, k) in [(1, 1, 1), (3, 32, 5), (33, 17, 40), (70, 100, 265), (24, 96, 192)] {
        let mut draw = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.unit() as f32 - 0.5).collect() };
        let (a, b) = (draw(m * k), draw(n * k));
        let mut want = vec![0.0; m * n];
        mul_nt(&mut want, &a, &b, k, false);
        let left = Left::new(Matrix { data: &a, width: k });
        let right = Right::new(Matrix { data: &b, width: k });
        let mut sums = Vec::new();
        for i in 0..n.div_ceil(PANEL) {
            left.times(right.panel(i), &mut sums);
            assert_eq!(sums.len(), m);
            for (row, sums) in sums.iter().enumerate() {
                for (column, sum) in (i * PANEL..n).zip(sums.0) {
                    let want = want[row * n + column];
                    assert!((sum - want).abs() <= 5e-7 * k as f32, "{m} {n} {k}: {sum} {want}");
                }
            }
        }
    }
}
