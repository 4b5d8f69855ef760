//! Trees as rows of tokens, for an engine that knows no trees: each path once, and each target on one
//! path, so that the sum over all rows is that over the trees.

use serde::Serialize;

use crate::train::examples::Example;

/// A path of a tree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    /// Its tokens.
    pub ids: Vec<u32>,
    /// The place, weight and kind (its slot among [`crate::train::examples::TARGETS`]) of each target; the
    /// logits before a place say what stands there.
    pub targets: Vec<(usize, f32, usize)>,
}

/// What one process computes in one pass.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Pass {
    /// Of few tokens in all, once they are padded; may be none.
    pub rows: Vec<Row>,
    /// What the losses of the update are divided by.
    pub normaliser: f64,
}

/// The paths of a tree that have a target of their own.
pub(super) fn rows(example: &Example) -> Vec<Row> {
    let tree = &example.tree;
    let mut is_leaf = vec![true; tree.len()];
    for parent in tree.parents.iter().flatten() {
        is_leaf[*parent] = false;
    }
    let mut taken = vec![false; tree.len()];
    let mut found = Vec::new();
    for leaf in (0..tree.len()).filter(|i| is_leaf[*i]) {
        let mut path = vec![leaf];
        while let Some(above) = path.last().and_then(|at| tree.parents[*at]) {
            path.push(above);
        }
        path.reverse();
        let mut targets = Vec::new();
        for (place, node) in path.iter().copied().enumerate().skip(1) {
            let weight = tree.weights[node];
            let Some(slot) = example.kinds[node].slot().filter(|_| weight != 0.0) else { continue };
            if !std::mem::replace(&mut taken[node], true) {
                targets.push((place, weight, slot));
            }
        }
        if !targets.is_empty() {
            found.push(Row { ids: path.iter().map(|node| tree.tokens[*node]).collect(), targets });
        }
    }
    found
}

/// Deals the rows of an update out: into passes of at most `budget` tokens once they are padded to the
/// longest (a longer row stands alone), as many as a multiple of `processes`.
pub(super) fn dealt(mut rows: Vec<Row>, budget: usize, processes: usize) -> Vec<Vec<Row>> {
    // Those of like length together: little is padded.
    rows.sort_by_key(|row| std::cmp::Reverse(row.ids.len()));
    let mut passes: Vec<Vec<Row>> = Vec::new();
    for row in rows {
        match passes.last_mut() {
            Some(last) if (last.len() + 1) * last[0].ids.len() <= budget => last.push(row),
            _ => passes.push(vec![row]),
        }
    }
    if passes.len() < processes {
        passes = evenly(passes.into_iter().flatten(), processes);
    }
    let whole = passes.len().max(1).next_multiple_of(processes);
    passes.resize(whole, Vec::new());
    passes
}

/// Rows, the longest first, in as many passes as there are processes, each of about as many tokens.
fn evenly(rows: impl Iterator<Item = Row>, processes: usize) -> Vec<Vec<Row>> {
    let mut passes = vec![Vec::new(); processes];
    let mut tokens = vec![0; processes];
    for row in rows {
        let least = (0..processes).min_by_key(|place| tokens[*place]).unwrap_or_default();
        tokens[least] += row.ids.len();
        passes[least].push(row);
    }
    passes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::examples::TokenRole;

    /// 1 → 2 → 3 → 4, and 2 → 5: 3, 4 and 5 are targets.
    fn example() -> Example {
        let mut example = Example::default();
        let trunk = example.add(None, &[1, 2], TokenRole::Context);
        example.add(trunk, &[3, 4], TokenRole::Action);
        example.add(trunk, &[5], TokenRole::Observation);
        example.tree.weights = vec![0.0, 0.0, 1.0, 1.0, 0.5];
        example
    }

    #[test]
    fn each_target_stands_on_one_path() {
        let found = rows(&example());
        assert_eq!(found[0].ids, [1, 2, 3, 4]);
        assert_eq!(found[0].targets, [(2, 1.0, 0), (3, 1.0, 0)]);
        assert_eq!(found[1], Row { ids: vec![1, 2, 5], targets: vec![(2, 0.5, 1)] });
        let mut shared = example();
        shared.tree.weights[1] = 1.0;
        shared.kinds[1] = TokenRole::Action;
        let counted: usize = rows(&shared).iter().map(|row| row.targets.len()).sum();
        assert_eq!(counted, 4, "what paths share is counted once");
    }

    #[test]
    fn rows_are_dealt_out_by_length_to_every_process() {
        let row = |n: usize| Row { ids: vec![0; n], targets: vec![(1, 1.0, 0)] };
        let all = vec![row(4), row(9), row(5), row(2)];
        let passes = dealt(all.clone(), 10, 2);
        let lengths: Vec<Vec<usize>> =
            passes.iter().map(|pass| pass.iter().map(|row| row.ids.len()).collect()).collect();
        assert_eq!(lengths, [vec![9], vec![5, 4], vec![2], vec![]]);
        let lengths: Vec<Vec<usize>> = dealt(all, 1000, 2)
            .iter()
            .map(|pass| pass.iter().map(|row| row.ids.len()).collect())
            .collect();
        assert_eq!(lengths, [vec![9, 2], vec![5, 4]], "one pass each where there is room");
        assert_eq!(dealt(Vec::new(), 10, 3).len(), 3);
    }
}
