use super::*;

#[test]
fn branches_share_their_prefix_and_count_positions_along_their_path() {
    let mut tree = TokenTree::default();
    let trunk = tree.extend(None, &[1, 2], 1.0);
    tree.extend(trunk, &[3, 4], 1.0);
    tree.extend(trunk, &[5], 0.5);
    assert_eq!(tree.positions(), [0, 1, 2, 3, 2]);
    assert_eq!(tree.weights, [0.0, 1.0, 1.0, 1.0, 0.5]);
    assert_eq!(tree.clone().by_multiplicity().weights, [0.0, 2.0, 1.0, 1.0, 0.5]);
    let mut two = tree.clone();
    two.join(&tree);
    assert_eq!(two.parents[5..7], [None, Some(5)]);
    assert_eq!(two.positions()[5..], [0, 1, 2, 3, 2]);
}
