use proptest::prelude::*;

use super::*;
use crate::rng::Rng;

/// A trunk of so many tokens, and branches of like length that leave it at its end or, evenly,
/// along it.
pub fn bush(trunk: usize, branches: usize, len: usize, along: bool) -> TokenTree {
    let mut tree = TokenTree::default();
    let end = tree.extend(None, &vec![1; trunk], 1.0);
    for i in 0..branches {
        let from = if along { Some(i * trunk / branches) } else { end };
        tree.extend(from, &vec![2; len], 1.0);
    }
    tree
}

#[test]
fn what_only_ends_a_branch_is_a_target_and_is_not_computed() {
    let parts = Parts::whole(&bush(10, 3, 5, false));
    assert_eq!((parts.computed(), parts.ends.len()), (10 + 3 * 4, 1));
    assert_eq!(parts.origin[22..], [14, 19, 24]);
    let mut context = bush(10, 0, 0, false);
    context.extend(Some(9), &[3; 20], 0.0);
    assert_eq!(Parts::whole(&context).computed(), 9, "nothing that counts follows");
    assert_eq!(Parts::whole(&TokenTree::default()).computed(), 0);
}

#[test]
fn a_tree_over_the_budget_is_computed_in_few_parts_below_what_they_share() {
    for along in [false, true] {
        let tree = bush(60, 20, 10, along);
        let parts = Parts::new(&tree, 120);
        assert!(parts.largest() <= 120, "{:?}", parts.ends);
        assert!((4..=6).contains(&parts.ends.len()), "{:?}", parts.ends);
        assert_eq!(parts.computed(), Parts::whole(&tree).computed(), "nothing twice");
    }
    assert_eq!(Parts::new(&bush(500, 0, 0, false), 100).ends, [499], "a chain cannot be cut");
    let long = Parts::new(&bush(500, 20, 10, false), 100);
    assert!(long.shared() == 500 && long.ends.len() <= 12, "{:?}", long.ends);
    // Few long branches, and a shared part that leaves little room.
    for (tree, budget, most) in [
        (bush(100, 4, 402, false), 500, 501),
        (bush(2000, 60, 80, false), 256, 2159),
        (bush(2000, 10, 80, false), 2100, 2079),
        (bush(7500, 50, 60, false), 7800, 7800),
    ] {
        let parts = Parts::new(&tree, budget);
        assert!(parts.largest() <= most, "{budget}: {} in {:?}", parts.largest(), parts.ends);
    }
}

proptest! {
    #[test]
    fn every_token_stands_once_and_sees_its_part_and_what_is_shared(
        seed in any::<u64>(),
        tokens in 1usize..200,
        roots in 1usize..4,
        budget in 0usize..100,
    ) {
        let mut rng = Rng::new(seed);
        let mut tree = TokenTree::default();
        for i in 0..tokens {
            // Mostly chains.
            let is_chain = rng.unit() < 0.7;
            let parent = if is_chain { i.checked_sub(1) } else { (i > 0).then(|| rng.below(i)) };
            let parent = parent.filter(|_| i >= roots);
            tree.extend(parent, &[i as u32], f32::from(u8::from(rng.unit() < 0.5)));
        }
        let parts = Parts::new(&tree, budget);
        let whole = Parts::whole(&tree);
        prop_assert_eq!(parts.computed(), whole.computed());
        prop_assert!(parts.largest() <= whole.largest());
        let mut origin = parts.origin.clone();
        origin.sort_unstable();
        prop_assert_eq!(origin, (0..tokens).collect::<Vec<_>>());
        prop_assert!(parts.ends.windows(2).all(|ends| ends[0] < ends[1]));
        for (new, old) in parts.origin.iter().enumerate() {
            prop_assert_eq!(parts.tree.tokens[new], tree.tokens[*old]);
            prop_assert_eq!(parts.tree.weights[new].to_bits(), tree.weights[*old].to_bits());
            let Some(parent) = parts.tree.parents[new] else {
                prop_assert_eq!(tree.parents[*old], None);
                continue;
            };
            prop_assert_eq!(Some(parts.origin[parent]), tree.parents[*old]);
            prop_assert!(parent < new);
            if parts.tree.weights[new] != 0.0 {
                prop_assert!(parent < parts.computed(), "a target's parent is computed");
            }
            let part = |token: usize| parts.ends.partition_point(|end| *end <= token);
            if new < parts.computed() {
                prop_assert!(part(parent) == 0 || part(parent) == part(new));
            }
        }
    }
}
