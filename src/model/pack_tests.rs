use super::*;
use crate::model::parts::tests::bush;

#[test]
fn trees_of_all_sizes_fill_forests_and_nothing_is_computed_twice() {
    let trees = [(10, 0, 0), (30, 0, 0), (20, 12, 10), (60, 0, 0), (5, 0, 0)];
    let trees = trees.map(|(trunk, branches, len)| bush(trunk, branches, len, false));
    let refs: Vec<&TokenTree> = trees.iter().collect();
    let packing = Packing::new(&refs, 100);
    assert_eq!(packing.tokens, 10 + 30 + 140 + 60 + 5);
    assert_eq!(packing.computed, packing.tokens - 4 - 12, "the ends of branches are targets only");
    assert!(packing.largest <= 100 && packing.shared == 20, "{packing:?}");
    assert_eq!(packing.passes(), 1 + 3 + 1, "{packing:?}");
    let weight: f64 = packing.forests.iter().map(|forest| forest.parts.tree.weight()).sum();
    assert!(
        (weight - trees.iter().map(TokenTree::weight).sum::<f64>()).abs() < 1e-3,
        "every target stands once"
    );
    let one = Packing::new(&refs, 10_000);
    assert_eq!((one.passes(), one.shared), (1, 0));
    assert_eq!(Packing::new(&[], 100).passes(), 0);
}
