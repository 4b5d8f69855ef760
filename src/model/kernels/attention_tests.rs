use super::*;

#[test]
fn a_tree_is_cut_into_runs_with_the_path_above_each() {
    let chains =
        Chains::new(&[None, Some(0), Some(1), Some(0), Some(3), Some(1), None, Some(6)], 0);
    let seen: Vec<(usize, usize, &[u32])> =
        chains.all.iter().map(|r| (r.start, r.end, r.above.as_slice())).collect();
    assert_eq!(seen, [(0, 3, &[][..]), (3, 5, &[0]), (5, 6, &[0, 1]), (6, 8, &[])]);
}

#[test]
fn pieces_cost_alike_and_hold_every_token_once_in_order() {
    let chain: Vec<Option<usize>> = (0..1000usize).map(|i| i.checked_sub(1)).collect();
    let chains = Chains::new(&chain, 0);
    let tokens: Vec<usize> =
        chains.pieces.iter().flatten().flat_map(|b| b.first..b.first + b.rows).collect();
    assert_eq!(tokens, (0..1000).collect::<Vec<_>>());
    assert!((4..=PIECES + 1).contains(&chains.pieces.len()), "{}", chains.pieces.len());
    assert!(
        chains.pieces[0].len() > 2 * chains.pieces[3].len(),
        "early blocks see less and cost less"
    );
    assert!(Chains::new(&[], 0).pieces.iter().all(Vec::is_empty));
}
