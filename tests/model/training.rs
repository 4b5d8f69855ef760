//! The training step: trees equal their flattened sequences, gradients agree with autograd and with
//! the loss's slope.

use std::collections::BTreeSet;

use foretaste::control::Cancel;
use foretaste::model::adamw::zeros;
use foretaste::model::lora::{Adapter, LINEARS};
use foretaste::model::pack::{Packing, batch};
use foretaste::model::params::Buffers;
use foretaste::model::parts::Parts;
use foretaste::model::step::{Loss, Net, Products};
use foretaste::model::team::{Priority, Team};
use foretaste::model::tree::TokenTree;
use foretaste::model::weights::Trainable;
use foretaste::rng::Rng;
use proptest::prelude::*;

use crate::fixtures::*;

/// Every branch of a random tree as a sequence of its own, with each node's weight counted once or
/// in each sequence.
fn flattened(tree: &TokenTree, once: bool) -> Vec<TokenTree> {
    let mut counted = vec![false; tree.len()];
    let is_parent: Vec<bool> = (0..tree.len()).map(|i| tree.parents.contains(&Some(i))).collect();
    let mut out = Vec::new();
    for leaf in (0..tree.len()).filter(|i| !is_parent[*i]) {
        let mut path = vec![leaf];
        while let Some(parent) = tree.parents[path[path.len() - 1]] {
            path.push(parent);
        }
        path.reverse();
        let mut flat = TokenTree::default();
        let mut above = None;
        for node in path {
            let weight = if once && counted[node] { 0.0 } else { tree.weights[node] };
            counted[node] = true;
            above = flat.extend(above, &[tree.tokens[node]], weight);
        }
        out.push(flat);
    }
    out
}

/// A whole tree's loss, and its gradients.
fn step(net: Net<'_>, tree: &TokenTree, grads: Option<&mut Buffers>) -> Loss {
    let parts = Parts::whole(tree);
    foretaste::model::step::step(net, &parts, grads, &Cancel::default()).unwrap()
}

/// Loss and gradients by hand.
pub fn gradient(fresh: &Trainable, trees: &[TokenTree]) -> (f64, Buffers) {
    let mut grads = zeros(&fresh.net().shapes());
    let mut loss = 0.0;
    for tree in trees.iter().filter(|tree| tree.weight() > 0.0) {
        loss += step(fresh.net(), tree, Some(&mut grads)).total;
    }
    (loss, grads)
}

/// An adapter that changes something.
fn adapted(mut fresh: Trainable, seed: u64) -> Trainable {
    let mut adapter = Adapter::new(&fresh.config, 3, 5.0, &LINEARS, seed).unwrap();
    let mut rng = Rng::new(seed);
    adapter.weights.iter_mut().flatten().for_each(|w| *w = 0.2 * (rng.unit() as f32 - 0.5));
    fresh.adapter = Some(adapter);
    fresh
}

/// Loss and gradients by candle's autograd.
pub fn reference(fresh: &Trainable, tree: &TokenTree) -> (f64, Buffers) {
    let there = on_candle(fresh);
    let whole = Packing::new(&[tree], usize::MAX);
    let done = batch(there.net(), &whole, 1, true, &Cancel::default()).unwrap();
    (done.losses[0].total, done.grads)
}

/// Sums of the same terms in another order are no farther apart. The worst of 3,000 random trees,
/// plain and with adapters, is at 7e-6; a term that is missing or counted twice is at 1e-2.
const SAME: f32 = 3e-5;

/// Relative distance of the worst tensor. One whose gradient nearly cancels (a query over keys that
/// are nearly alike) is as far off as the terms that cancel are rounded: it is held against a
/// hundredth of the whole gradient.
pub fn distance(got: &Buffers, want: &Buffers) -> f32 {
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>().sqrt();
    let whole = norm(&mut want.iter().flatten().copied());
    let one = |(got, want): (&Vec<f32>, &Vec<f32>)| {
        let off = norm(&mut got.iter().zip(want).map(|(g, w)| g - w));
        off / norm(&mut want.iter().copied()).max(0.01 * whole)
    };
    got.iter().zip(want).map(one).fold(0.0, f32::max)
}

pub fn random_tree(rng: &mut Rng, nodes: usize) -> TokenTree {
    let mut tree = TokenTree::default();
    tree.extend(None, &random_tokens(rng, 2), 1.0);
    for _ in 0..nodes {
        let parent = rng.below(tree.len());
        let token = random_tokens(rng, 1);
        tree.extend(Some(parent), &token, [0.0, 1.0, 0.5][rng.below(3)]);
    }
    tree
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_tree_has_the_loss_and_gradient_of_its_flattened_sequences(
        seed in any::<u64>(),
        nodes in 3usize..24,
        lora in any::<bool>(),
        once in any::<bool>(),
    ) {
        let fresh = if lora { adapted(small(1), seed) } else { small(1) };
        let tree = random_tree(&mut Rng::new(seed), nodes);
        let sequences = flattened(&tree, once);
        let tree = if once { tree } else { tree.by_multiplicity() };
        let (loss, grads) = gradient(&fresh, std::slice::from_ref(&tree));
        let (want_loss, want) = gradient(&fresh, &sequences);
        prop_assert!((loss - want_loss).abs() <= 1e-5 * want_loss.abs().max(1.0),
        "{loss} {want_loss}");
        let off = distance(&grads, &want);
        prop_assert!(off <= SAME, "{off}");
    }

    #[test]
    fn an_adapter_has_the_gradient_that_the_chain_rule_gives_and_merges_to_the_same_loss(
        seed in any::<u64>(),
        nodes in 6usize..30,
        kv_heads in 1usize..3,
    ) {
        let fresh = small(kv_heads);
        let mut rng = Rng::new(seed);
        let tree = random_tree(&mut rng, nodes);
        prop_assume!(tree.weight() > 0.0);
        let mut adapter = Adapter::new(&fresh.config, 3, 5.0, &LINEARS[rng.below(3)..],
        seed).unwrap();
        let plain = step(fresh.net(), &tree, None).total;
        let untouched = step(Net { adapter: Some(&adapter), ..fresh.net() }, &tree,
        None).total;
        prop_assert!((plain - untouched).abs() <= 1e-6 * plain.max(1.0), "a fresh adapter changes \
            nothing");
        for b in adapter.weights.iter_mut().skip(1).step_by(2) {
            for b in b.iter_mut() {
                *b = 0.2 * (rng.unit() as f32 - 0.5);
            }
        }
        let net = Net { adapter: Some(&adapter), ..fresh.net() };
        let mut grads = zeros(&net.shapes());
        let loss = step(net, &tree, Some(&mut grads)).total;

        let mut merged = small(kv_heads);
        adapter.merge(&mut merged.weights);
        let (merged_loss, full) = gradient(&merged, std::slice::from_ref(&tree));
        prop_assert!((loss - merged_loss).abs() <= 1e-5 * loss.max(1.0), "{loss} {merged_loss}");
        // dA = s·Bᵀ·dW and dB = s·dW·Aᵀ.
        let scale = adapter.scale();
        let rank = adapter.rank;
        let mut want = Buffers::new();
        for (t, (_, shape)) in fresh.config.tensors().iter().enumerate() {
            let Some(at) = adapter.pair(t) else { continue };
            let out = shape[0];
            let inner = shape[1];
            let dw = &full[t];
            let a = &adapter.weights[at];
            let b = &adapter.weights[at + 1];
            let sum = |terms: usize,
            f: &dyn Fn(usize) -> f32| (0..terms).map(f).sum::<f32>() * scale;
            want.push((0..rank * inner).map(|i| sum(out,
            &|o| b[o * rank + i / inner] * dw[o * inner + i % inner])).collect());
            want.push((0..out * rank).map(|i| sum(inner,
            &|j| dw[i / rank * inner + j] * a[i % rank * inner + j])).collect());
        }
        let off = distance(&grads, &want);
        prop_assert!(off <= 1e-4, "{off}");

        let (settings, tensors) = adapter.to_peft("small").unwrap();
        prop_assert_eq!(Adapter::from_peft(&fresh.config, &settings, &tensors).unwrap(), adapter);
    }

    #[test]
    fn packed_forests_give_the_same_sums_and_bits_on_any_number_of_threads(
        seed in any::<u64>(),
        threads in 1usize..5,
        budget in 5usize..120,
        recompute in any::<bool>(),
        lora in any::<bool>(),
    ) {
        let fresh = if lora { adapted(small(1), seed) } else { small(1) };
        let mut rng = Rng::new(seed);
        let mut trees: Vec<TokenTree> = (0..rng.between(1, 3)).map(|_| random_tree(&mut rng,
        12)).collect();
        // Bushy trees that are worth cutting.
        trees.push(random_tree(&mut rng, 60));
        let mut bush = TokenTree::default();
        let trunk = bush.extend(None, &random_tokens(&mut rng, 3), 1.0);
        (0..8).for_each(|_| _ = bush.extend(trunk, &random_tokens(&mut rng, 9), 1.0));
        trees.push(bush);
        trees.retain(|tree| tree.weight() > 0.0);
        let (loss, grads) = gradient(&fresh, &trees);
        let refs: Vec<&TokenTree> = trees.iter().collect();
        let packing = Packing::new(&refs, budget);
        let on = |threads, net| {
            Team::new(threads, Priority::Interactive).unwrap().run(|| batch(net, &packing,
            refs.len(), true, &Cancel::default())).unwrap()
        };
        let done = on(1, fresh.net());
        let again = on(threads, Net { recompute, ..fresh.net() });
        prop_assert_eq!(&done.grads, &again.grads, "the same bits every time");
        let only = Team::new(threads, Priority::Interactive).unwrap().run(|| batch(fresh.net(),
        &packing, refs.len(), false, &Cancel::default())).unwrap();
        prop_assert_eq!(&only.losses, &done.losses, "the same without gradients");
        let there = on_candle(&fresh);
        let there = batch(there.net(), &packing, refs.len(), true, &Cancel::default()).unwrap();
        let off = distance(&there.grads, &grads);
        prop_assert!(off <= 1e-4, "on a device: {off}");
        for (here, there) in done.losses.iter().zip(&there.losses) {
            prop_assert!((here.total - there.total).abs() <= 1e-5 * here.total.abs().max(1.0));
            let nodes = |loss: &Loss| loss.nll.iter().map(|(node, _)| *node).collect::<BTreeSet<_>>();
            prop_assert_eq!(nodes(here), nodes(there));
        }
        let sum: f64 = done.losses.iter().map(|loss| loss.total).sum();
        prop_assert!((loss - sum).abs() <= 1e-5 * loss.abs().max(1.0), "{loss} {sum}");
        let off = distance(&done.grads, &grads);
        prop_assert!(off <= SAME, "{off}");
        for (tree, loss) in trees.iter().zip(&done.losses) {
            let mut nodes: Vec<usize> = loss.nll.iter().map(|(node, _)| *node).collect();
            nodes.sort_unstable();
            let targets = (0..tree.len()).filter(|i| tree.weights[*i] != 0.0 && tree.parents[*i].is_some());
            prop_assert_eq!(nodes, targets.collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss(seed in any::<u64>(), lora in any::<bool>()) {
        let mut fresh = if lora { adapted(small(1), seed) } else { small(1) };
        let mut rng = Rng::new(seed);
        let tree = random_tree(&mut rng, 20);
        let (_, grads) = gradient(&fresh, std::slice::from_ref(&tree));
        // Along the gradient itself, where the slope is its length and far above rounding.
        let length = grads.iter().flatten().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>().sqrt();
        prop_assume!(length > 1e-3);
        let reach = 2e-3;
        let mut at = |by: f64| {
            let by = (by / length) as f32;
            fresh.trained().iter_mut().flatten().zip(grads.iter().flatten()).for_each(|(w,
            g)| *w += by * g);
            step(fresh.net(), &tree, None).total
        };
        let slope = (at(reach) - at(-2.0 * reach)) / (2.0 * reach);
        prop_assert!((slope - length).abs() < 0.02 * length, "{slope} {length}");
    }

    #[test]
    fn the_hand_written_step_agrees_with_autograd(
        seed in any::<u64>(),
        nodes in 3usize..40,
        kv_heads in 1usize..3,
        lora in any::<bool>(),
    ) {
        let fresh = if lora { adapted(small(kv_heads), seed) } else { small(kv_heads) };
        let tree = random_tree(&mut Rng::new(seed), nodes);
        prop_assume!(tree.weight() > 0.0);
        let (loss, grads) = gradient(&fresh, std::slice::from_ref(&tree));
        let (want_loss, want) = reference(&fresh, &tree);
        prop_assert!((loss - want_loss).abs() <= 1e-5 * want_loss.abs().max(1.0),
        "{loss} {want_loss}");
        let off = distance(&grads, &want);
        prop_assert!(off <= 1e-4, "{off}");
    }
}

#[test]
fn in_bf16_losses_and_gradients_are_near_those_in_f32_and_the_same_on_any_number_of_threads() {
    for seed in 0..12 {
        let fresh = small(1 + seed as usize % 2);
        let mut rng = Rng::new(seed);
        let mut tree = random_tree(&mut rng, 60);
        tree.weights.iter_mut().skip(2).for_each(|weight| *weight = 1.0);
        let (loss, grads) = gradient(&fresh, std::slice::from_ref(&tree));
        let packing = Packing::new(&[&tree], 1000);
        let on = |threads, recompute| {
            let net = Net { products: Products::Bf16, recompute, ..fresh.net() };
            let team = Team::new(threads, Priority::Interactive).unwrap();
            team.run(|| batch(net, &packing, 1, true, &Cancel::default())).unwrap()
        };
        let done = on(1, false);
        assert_eq!(done.grads, on(3, true).grads, "the same bits every time");
        // A number in bf16 is off by at most one part in 512, and sums of such errors go both ways.
        let rounded = done.losses[0].total;
        assert!((loss - rounded).abs() <= 3e-3 * loss, "{loss} {rounded}");
        let off = distance(&done.grads, &grads);
        assert!((1e-5..2e-2).contains(&off), "{off}");
    }
}
