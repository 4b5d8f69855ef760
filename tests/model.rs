//! The decoder against itself and against candle-transformers' Llama: trees equal their flattened sequences, cached
//! scoring equals computing from scratch.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use foretaste::model::config::Config;
use foretaste::model::decoder::Decoder;
use foretaste::model::generate::{Decoding, Prompt};
use foretaste::model::sampler::Sampling;
use foretaste::model::tokenizer::Tokenizer;
use foretaste::model::tree::TokenTree;
use foretaste::model::weights::Trainable;
use foretaste::rng::Rng;
use proptest::prelude::*;

fn small(kv_heads: usize) -> Trainable {
    let tokenizer = Arc::new(Tokenizer::train(&["walk to shelf 1".into()], 280).unwrap());
    let mut config = Config::small(2, 64, tokenizer.vocab()).unwrap();
    config.kv_heads = kv_heads;
    let mut fresh = Trainable::fresh(&config, tokenizer, 5).unwrap();
    // Larger weights than a fresh model's, so that differences would show.
    for var in fresh.vars.values_mut() {
        if var.as_tensor().rank() > 1 {
            var.set(&(var.as_tensor() * 6.0).unwrap()).unwrap();
        }
    }
    fresh
}

fn random_tokens(rng: &mut Rng, count: usize) -> Vec<u32> {
    (0..count).map(|_| rng.below(250) as u32).collect()
}

fn value(tensor: &Tensor) -> f64 {
    f64::from(tensor.to_scalar::<f32>().unwrap())
}

#[test]
fn agrees_with_candle_transformers_llama() {
    use candle_transformers::models::llama::{Cache, Llama, LlamaConfig};
    for kv_heads in [2, 1] {
        let fresh = small(kv_heads);
        let json = fresh.model.decoder.config.to_json(0);
        let config: LlamaConfig = serde_json::from_value(json).unwrap();
        let config = config.into_config(false);
        let tensors: HashMap<String, Tensor> = fresh.vars.iter().map(|(n, v)| (n.clone(), v.as_tensor().clone())).collect();
        let vars = candle_nn::VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let llama = Llama::load(vars, &config).unwrap();
        let tokens = random_tokens(&mut Rng::new(2), 20);
        let mut cache = Cache::new(false, DType::F32, &config, &Device::Cpu).unwrap();
        let input = Tensor::new(tokens.as_slice(), &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let want: Vec<f32> = llama.forward(&input, 0, &mut cache).unwrap().squeeze(0).unwrap().to_vec1().unwrap();
        let prompt = Prompt::new(&fresh.model.decoder, &tokens, None).unwrap();
        let singles: Vec<Vec<u32>> = (0..want.len() as u32).map(|t| vec![t]).collect();
        let got = prompt.score(&fresh.model.decoder, &singles).unwrap();
        let top = f64::from(want.iter().copied().fold(f32::MIN, f32::max));
        let norm = top + want.iter().map(|l| (f64::from(*l) - top).exp()).sum::<f64>().ln();
        for (logit, score) in want.iter().zip(got) {
            assert!((f64::from(*logit) - norm - score).abs() < 1e-4, "{logit} {norm} {score}");
        }
    }
}

/// Every branch of a random tree as a sequence of its own, with each node's weight counted once.
fn flattened(tree: &TokenTree) -> Vec<TokenTree> {
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
            let weight = if counted[node] { 0.0 } else { tree.weights[node] };
            counted[node] = true;
            above = flat.extend(above, &[tree.tokens[node]], weight);
        }
        out.push(flat);
    }
    out
}

fn gradient(fresh: &Trainable, trees: &[TokenTree]) -> (f64, HashMap<String, Vec<f32>>) {
    let (mut loss, mut sums): (f64, HashMap<String, Vec<f32>>) = (0.0, HashMap::new());
    for tree in trees.iter().filter(|tree| tree.weight() > 0.0) {
        let one = fresh.model.decoder.loss(tree).unwrap();
        let grads = one.backward().unwrap();
        loss += value(&one);
        for (name, var) in &fresh.vars {
            if let Some(grad) = grads.get(var.as_tensor()) {
                let flat: Vec<f32> = grad.flatten_all().unwrap().to_vec1().unwrap();
                let sum = sums.entry(name.clone()).or_insert_with(|| vec![0.0; flat.len()]);
                sum.iter_mut().zip(flat).for_each(|(s, g)| *s += g);
            }
        }
    }
    (loss, sums)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_tree_has_the_loss_and_gradient_of_its_flattened_sequences(seed in any::<u64>(), nodes in 3usize..24) {
        let fresh = small(1);
        let mut rng = Rng::new(seed);
        let mut tree = TokenTree::default();
        tree.extend(None, &random_tokens(&mut rng, 2), 1.0);
        for _ in 0..nodes {
            let (parent, token) = (rng.below(tree.len()), random_tokens(&mut rng, 1));
            tree.extend(Some(parent), &token, [0.0, 1.0, 0.5][rng.below(3)]);
        }
        let (loss, grads) = gradient(&fresh, std::slice::from_ref(&tree));
        let (want_loss, want) = gradient(&fresh, &flattened(&tree));
        prop_assert!((loss - want_loss).abs() <= 1e-5 * want_loss.abs().max(1.0), "{loss} {want_loss}");
        for (name, want) in want {
            let norm = want.iter().map(|w| w * w).sum::<f32>().sqrt();
            let off = grads[&name].iter().zip(&want).map(|(g, w)| (g - w) * (g - w)).sum::<f32>().sqrt();
            prop_assert!(off <= 1e-4 * norm.max(1e-3), "{name}: {off} of {norm}");
        }
    }

    #[test]
    fn cached_scores_equal_scores_from_scratch(seed in any::<u64>()) {
        let fresh = small(2);
        let decoder: &Decoder = &fresh.model.decoder;
        let mut rng = Rng::new(seed);
        let prompt = random_tokens(&mut rng, 12);
        let actions: Vec<Vec<u32>> = (1..5).map(|n| random_tokens(&mut rng, n)).collect();
        let whole = Prompt::new(decoder, &prompt, None).unwrap();
        let scores = whole.score(decoder, &actions).unwrap();
        let other: Vec<u32> = prompt[..7].iter().copied().chain(random_tokens(&mut rng, 3)).collect();
        let reused = Prompt::new(decoder, &prompt, Some(Prompt::new(decoder, &other, None).unwrap())).unwrap();
        let again = reused.score(decoder, &actions[..2]).unwrap();
        for (action, score) in actions.iter().zip(&scores) {
            let mut chain = TokenTree::default();
            let end = chain.extend(None, &prompt, 0.0);
            chain.extend(end, action, 1.0);
            let want = -value(&decoder.loss(&chain).unwrap());
            prop_assert!((score - want).abs() < 1e-4, "{score} {want}");
        }
        prop_assert!((scores[0] - again[0]).abs() < 1e-4 && (scores[1] - again[1]).abs() < 1e-4);
    }
}

#[test]
fn decoding_together_equals_decoding_alone() {
    let fresh = small(1);
    let decoder = &fresh.model.decoder;
    let prompt = Prompt::new(decoder, &random_tokens(&mut Rng::new(1), 9), None).unwrap();
    let starts: Vec<Vec<u32>> = vec![vec![1, 2, 3], vec![4], vec![]];
    let options = Decoding { stop: 9999, limit: 6, sampling: Sampling::GREEDY, seed: 1 };
    let together = prompt.decode(decoder, &starts, &options, &mut |_, _| true).unwrap();
    for (start, want) in starts.iter().zip(&together) {
        let alone = prompt.decode(decoder, std::slice::from_ref(start), &options, &mut |_, _| true).unwrap();
        assert_eq!(&alone[0], want);
        assert_eq!(want.len(), 6);
    }
    let sampled = |seed| {
        let options = Decoding { sampling: Sampling { temperature: 1.0, top_p: 1.0 }, seed, ..options };
        prompt.decode(decoder, &starts, &options, &mut |_, _| true).unwrap()
    };
    assert_eq!(sampled(7), sampled(7), "a seed repeats");
    assert_ne!(sampled(7), sampled(8));
}
