use super::*;

fn bush(trunk: usize, branches: usize, len: usize) -> TokenTree {
    let mut tree = TokenTree::default();
    let end = tree.extend(None, &vec![1; trunk], 1.0);
    for _ in 0..branches {
        tree.extend(end, &vec![2; len], 1.0);
    }
    tree
}

#[test]
fn trees_of_all_sizes_fill_forests_and_only_repeated_trunks_are_waste() {
    let trees = [bush(10, 0, 0), bush(30, 0, 0), bush(20, 12, 10), bush(60, 0, 0), bush(5, 0, 0)];
    let refs: Vec<&TokenTree> = trees.iter().collect();
    let packing = Packing::new(&refs, 100);
    assert_eq!(packing.tokens, 10 + 30 + 140 + 60 + 5);
    assert!(packing.largest <= 100 && packing.passes() <= 4, "{packing:?}");
    assert_eq!(packing.computed, packing.tokens + 20, "one trunk is repeated");
    let weight: f64 = packing.forests.iter().map(|forest| forest.tree.weight()).sum();
    assert!(
        (weight - trees.iter().map(TokenTree::weight).sum::<f64>()).abs() < 1e-3,
        "every target stands once"
    );
    assert_eq!(Packing::new(&refs, 10_000).passes(), 1);
    assert!(Packing::new(&[&bush(500, 0, 0)], 100).largest == 500, "a chain cannot be cut");
    assert_eq!(Packing::new(&[], 100).passes(), 0);
}
