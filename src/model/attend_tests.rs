use std::sync::Arc;

use super::*;
use crate::rng::Rng;

/// Keys and values of some nodes, `[nodes, kv heads * dim]` each.
type Lines = [Vec<f32>; 2];

/// What a query row takes of the nodes at `seen`, by the definition.
fn plainly(q: &[f32], lines: &Lines, seen: &[usize], head: usize, wide: usize) -> Vec<f64> {
    let dim = q.len();
    let of = |lines: &[f32], node: usize, d: usize| f64::from(lines[node * wide + head * dim + d]);
    let score = |node: &usize| {
        let terms = (0..dim).map(|d| f64::from(q[d]) * of(&lines[0], *node, d));
        (terms.sum::<f64>() / (dim as f64).sqrt()).exp()
    };
    let shares: Vec<f64> = seen.iter().map(score).collect();
    let sum: f64 = shares.iter().sum();
    let mix = |d: usize| {
        seen.iter().zip(&shares).map(move |(node, share)| share * of(&lines[1], *node, d))
    };
    (0..dim).map(|d| mix(d).sum::<f64>() / sum).collect()
}

#[test]
fn rows_take_what_they_see_of_segments_of_any_length_and_of_their_own_tree() {
    let mut rng = Rng::new(6);
    for (dim, heads, kv_heads) in [(32, 2, 2), (64, 6, 2), (48, 3, 1), (20, 4, 4), (96, 8, 2)] {
        let mut config = Config::small(1, 32, 10).unwrap();
        config.hidden = heads * dim;
        config.head_dim = dim;
        config.heads = heads;
        config.kv_heads = kv_heads;
        let wide = kv_heads * dim;
        let mut draw =
            |n: usize| -> Vec<f32> { (0..n).map(|_| (rng.unit() as f32 - 0.5) * 4.0).collect() };
        // A segment of more than two spans, of which a part is seen; one below it, seen as far as
        // its third panel; then a tree of three branches.
        let mut place = None;
        let mut lines: Lines = Default::default();
        for (nodes, used) in [(600, 530), (290, 70)] {
            let mut cache = Cache::new(&config, place.take());
            let parents: Vec<Option<usize>> = (0..nodes).map(|i: usize| i.checked_sub(1)).collect();
            assert!(cache.add(&vec![1; nodes], &parents));
            let own = [draw(nodes * wide), draw(nodes * wide)];
            cache.append(0, [&own[0], &own[1]], kv_heads, dim);
            for (lines, own) in lines.iter_mut().zip(&own) {
                lines.extend_from_slice(&own[..used * wide]);
            }
            place = Some((Arc::new(cache.freeze()), used));
        }
        let mut cache = Cache::new(&config, place);
        let parents: Vec<Option<usize>> =
            (0..120usize).map(|i| if i < 9 { i.checked_sub(1) } else { Some(i - 3) }).collect();
        assert!(cache.add(&vec![2; 120], &parents));
        let own = [draw(120 * wide), draw(120 * wide)];
        cache.append(0, [&own[0], &own[1]], kv_heads, dim);
        for (lines, own) in lines.iter_mut().zip(&own) {
            lines.extend_from_slice(own);
        }
        let above = cache.above();
        for (past, window) in
            [(0, None), (5, None), (119, None), (0, Some(7)), (5, Some(100)), (119, Some(613))]
        {
            config.attends[0].window = window;
            let rows = 120 - past;
            let q = draw(rows * config.hidden);
            let grown = [Grown { cache: &cache, above: &above, past, first: 0 }];
            let got = attend(&config, 0, &grown, &q);
            for row in 0..rows {
                let mut seen: Vec<usize> = Vec::new();
                let mut at = Some(past + row);
                while let Some(node) = at {
                    seen.push(600 + node);
                    at = parents[node];
                }
                // The nearest first: what is seen of it is the beginning.
                seen.extend((0..600).rev());
                seen.truncate(window.unwrap_or(usize::MAX));
                for head in 0..heads {
                    let column = row * config.hidden + head * dim;
                    let group = heads / kv_heads;
                    let want = plainly(&q[column..column + dim], &lines, &seen, head / group, wide);
                    for (got, want) in got[column..].iter().zip(want) {
                        assert!((f64::from(*got) - want).abs() < 2e-5, "{dim} {row}: {got} {want}");
                    }
                }
            }
        }
    }
}
