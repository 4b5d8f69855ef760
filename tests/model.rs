//! The decoder against itself and against candle-transformers' Llama: trees equal their flattened sequences, cached
//! scoring equals computing from scratch.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var};
use foretaste::control::Cancel;
use foretaste::model::adamw::zeros;
use foretaste::model::cache::Recent;
use foretaste::model::config::Config;
use foretaste::model::decoder::Decoder;
use foretaste::model::generate::{Decoding, Prompt, Stops};
use foretaste::model::lora::{Adapter, LINEARS};
use foretaste::model::pack::{Packing, batch};
use foretaste::model::reference::Reference;
use foretaste::model::sampler::Sampling;
use foretaste::model::step::{Buffers, Net, step};
use foretaste::model::team::{Priority, Team};
use foretaste::model::tokenizer::Tokenizer;
use foretaste::model::tree::TokenTree;
use foretaste::model::trie::Trie;
use foretaste::model::weights::Trainable;
use foretaste::rng::Rng;
use proptest::prelude::*;

/// A small model with larger weights than a fresh one's, so that differences would show.
fn small(kv_heads: usize) -> Trainable {
    let tokenizer = Arc::new(Tokenizer::train(&["walk to shelf 1".into()], 280).unwrap());
    let mut config = Config::small(2, 64, tokenizer.vocab()).unwrap();
    config.kv_heads = kv_heads;
    let mut fresh = Trainable::fresh(&config, tokenizer, 5);
    for weights in fresh.weights.iter_mut().filter(|weights| weights.len() > 64) {
        for w in weights.iter_mut() {
            *w *= 6.0;
        }
    }
    fresh
}

/// The same weights as candle variables, and a decoder over them.
fn candle(fresh: &Trainable) -> (HashMap<String, Var>, Reference) {
    let var = |data: Vec<f32>, shape: Vec<usize>| {
        Var::from_tensor(&Tensor::from_vec(data, shape, &Device::Cpu).unwrap()).unwrap()
    };
    let vars: HashMap<String, Var> =
        fresh.named().into_iter().map(|(name, data, shape)| (name, var(data, shape))).collect();
    let tensors = vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
    (vars, Reference::new(fresh.config.clone(), &tensors).unwrap())
}

/// The same weights for inference.
fn decoder(fresh: &Trainable) -> Arc<Decoder> {
    fresh.parts(false).unwrap().build("small").unwrap().decoder
}

fn prompt(decoder: &Decoder, tokens: &[u32]) -> Prompt {
    Prompt::new(decoder, tokens, &mut Recent::new(0), &Cancel::default()).unwrap()
}

fn nats(prompt: &Prompt, decoder: &Decoder, strings: &[Vec<u32>]) -> Vec<f64> {
    prompt.score(decoder, strings, &Cancel::default()).unwrap().iter().map(|score| score.nats).collect()
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
        let (vars, _) = candle(&fresh);
        let decoder = decoder(&fresh);
        let json = fresh.config.to_json(0);
        let config: LlamaConfig = serde_json::from_value(json).unwrap();
        let config = config.into_config(false);
        let tensors: HashMap<String, Tensor> = vars.iter().map(|(n, v)| (n.clone(), v.as_tensor().clone())).collect();
        let vars = candle_nn::VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let llama = Llama::load(vars, &config).unwrap();
        let tokens = random_tokens(&mut Rng::new(2), 20);
        let mut cache = Cache::new(false, DType::F32, &config, &Device::Cpu).unwrap();
        let input = Tensor::new(tokens.as_slice(), &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let want: Vec<f32> = llama.forward(&input, 0, &mut cache).unwrap().squeeze(0).unwrap().to_vec1().unwrap();
        let singles: Vec<Vec<u32>> = (0..want.len() as u32).map(|t| vec![t]).collect();
        let got = nats(&prompt(&decoder, &tokens), &decoder, &singles);
        let top = f64::from(want.iter().copied().fold(f32::MIN, f32::max));
        let norm = top + want.iter().map(|l| (f64::from(*l) - top).exp()).sum::<f64>().ln();
        for (logit, score) in want.iter().zip(got) {
            assert!((f64::from(*logit) - norm - score).abs() < 1e-4, "{logit} {norm} {score}");
        }
    }
}

/// Every branch of a random tree as a sequence of its own, with each node's weight counted once or in each sequence.
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

/// Loss and gradients by hand.
fn gradient(fresh: &Trainable, trees: &[TokenTree]) -> (f64, Buffers) {
    let mut grads = zeros(&fresh.net().shapes());
    let mut loss = 0.0;
    for tree in trees.iter().filter(|tree| tree.weight() > 0.0) {
        loss += step(fresh.net(), tree, Some(&mut grads)).unwrap().total;
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
fn reference(fresh: &Trainable, tree: &TokenTree) -> (f64, Buffers) {
    let (vars, reference) = candle(fresh);
    let loss = reference.loss(tree).unwrap();
    let grads = loss.backward().unwrap();
    let flat = |name: &String| {
        let grad = grads.get(vars[name].as_tensor()).unwrap();
        grad.flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    (value(&loss), fresh.config.tensors().iter().map(|(name, _)| flat(name)).collect())
}

/// Relative distance of the worst tensor.
fn distance(got: &Buffers, want: &Buffers) -> f32 {
    let one = |(got, want): (&Vec<f32>, &Vec<f32>)| {
        let norm = want.iter().map(|w| w * w).sum::<f32>().sqrt();
        let off = got.iter().zip(want).map(|(g, w)| (g - w) * (g - w)).sum::<f32>().sqrt();
        off / norm.max(1e-3)
    };
    got.iter().zip(want).map(one).fold(0.0, f32::max)
}

fn random_tree(rng: &mut Rng, nodes: usize) -> TokenTree {
    let mut tree = TokenTree::default();
    tree.extend(None, &random_tokens(rng, 2), 1.0);
    for _ in 0..nodes {
        let (parent, token) = (rng.below(tree.len()), random_tokens(rng, 1));
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
        prop_assert!((loss - want_loss).abs() <= 1e-5 * want_loss.abs().max(1.0), "{loss} {want_loss}");
        let off = distance(&grads, &want);
        prop_assert!(off <= 1e-5, "{off}");
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
        let mut adapter = Adapter::new(&fresh.config, 3, 5.0, &LINEARS[rng.below(3)..], seed).unwrap();
        let plain = step(fresh.net(), &tree, None).unwrap().total;
        let untouched = step(Net { adapter: Some(&adapter), ..fresh.net() }, &tree, None).unwrap().total;
        prop_assert!((plain - untouched).abs() <= 1e-6 * plain.max(1.0), "a fresh adapter changes nothing");
        for b in adapter.weights.iter_mut().skip(1).step_by(2) {
            for b in b.iter_mut() {
                *b = 0.2 * (rng.unit() as f32 - 0.5);
            }
        }
        let net = Net { adapter: Some(&adapter), ..fresh.net() };
        let mut grads = zeros(&net.shapes());
        let loss = step(net, &tree, Some(&mut grads)).unwrap().total;

        let mut merged = small(kv_heads);
        adapter.merge(&mut merged.weights);
        let (merged_loss, full) = gradient(&merged, std::slice::from_ref(&tree));
        prop_assert!((loss - merged_loss).abs() <= 1e-5 * loss.max(1.0), "{loss} {merged_loss}");
        // dA = s·Bᵀ·dW and dB = s·dW·Aᵀ.
        let (scale, rank) = (adapter.scale(), adapter.rank);
        let mut want = Buffers::new();
        for (t, (_, shape)) in fresh.config.tensors().iter().enumerate() {
            let Some(at) = adapter.pair(t) else { continue };
            let (out, inner, dw) = (shape[0], shape[1], &full[t]);
            let (a, b) = (&adapter.weights[at], &adapter.weights[at + 1]);
            let sum = |terms: usize, f: &dyn Fn(usize) -> f32| (0..terms).map(f).sum::<f32>() * scale;
            want.push((0..rank * inner).map(|i| sum(out, &|o| b[o * rank + i / inner] * dw[o * inner + i % inner])).collect());
            want.push((0..out * rank).map(|i| sum(inner, &|j| dw[i / rank * inner + j] * a[i % rank * inner + j])).collect());
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
        budget in 20usize..120,
        recompute in any::<bool>(),
    ) {
        let fresh = small(1);
        let mut rng = Rng::new(seed);
        let mut trees: Vec<TokenTree> = (0..rng.between(1, 3)).map(|_| random_tree(&mut rng, 12)).collect();
        // One bushy tree that is worth cutting.
        let mut bush = TokenTree::default();
        let trunk = bush.extend(None, &random_tokens(&mut rng, 3), 1.0);
        (0..8).for_each(|_| _ = bush.extend(trunk, &random_tokens(&mut rng, 9), 1.0));
        trees.push(bush);
        trees.retain(|tree| tree.weight() > 0.0);
        let (loss, grads) = gradient(&fresh, &trees);
        let refs: Vec<&TokenTree> = trees.iter().collect();
        let packing = Packing::new(&refs, budget);
        let on = |threads, net| {
            Team::new(threads, Priority::Interactive).unwrap().run(|| batch(net, &packing, refs.len(), true)).unwrap()
        };
        let done = on(1, fresh.net());
        let again = on(threads, Net { recompute, ..fresh.net() });
        prop_assert_eq!(&done.grads, &again.grads, "the same bits every time");
        let sum: f64 = done.losses.iter().map(|loss| loss.total).sum();
        prop_assert!((loss - sum).abs() <= 1e-5 * loss.abs().max(1.0), "{loss} {sum}");
        let off = distance(&done.grads, &grads);
        prop_assert!(off <= 1e-5, "{off}");
        for (tree, loss) in trees.iter().zip(&done.losses) {
            let mut nodes: Vec<usize> = loss.nats.iter().map(|(node, _)| *node).collect();
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
            fresh.trained().iter_mut().flatten().zip(grads.iter().flatten()).for_each(|(w, g)| *w += by * g);
            step(fresh.net(), &tree, None).unwrap().total
        };
        let slope = (at(reach) - at(-2.0 * reach)) / (2.0 * reach);
        prop_assert!((slope - length).abs() < 0.02 * length, "{slope} {length}");
    }

    #[test]
    fn the_hand_written_step_agrees_with_autograd(seed in any::<u64>(), nodes in 3usize..40, kv_heads in 1usize..3) {
        let fresh = small(kv_heads);
        let tree = random_tree(&mut Rng::new(seed), nodes);
        prop_assume!(tree.weight() > 0.0);
        let (loss, grads) = gradient(&fresh, std::slice::from_ref(&tree));
        let (want_loss, want) = reference(&fresh, &tree);
        prop_assert!((loss - want_loss).abs() <= 1e-5 * want_loss.abs().max(1.0), "{loss} {want_loss}");
        let off = distance(&grads, &want);
        prop_assert!(off <= 1e-4, "{off}");
    }

    #[test]
    fn cached_scores_equal_scores_from_scratch_and_do_not_depend_on_what_is_scored_beside(
        seed in any::<u64>(),
        kv_heads in 1usize..3,
        threads in 1usize..3,
    ) {
        let fresh = small(kv_heads);
        let (_, reference) = candle(&fresh);
        let decoder = &*decoder(&fresh);
        let team = Team::new(threads, Priority::Interactive).unwrap();
        let mut rng = Rng::new(seed);
        let cancel = Cancel::default();
        let tokens = random_tokens(&mut rng, 90);
        let mut actions: Vec<Vec<u32>> = (1..12).map(|n| random_tokens(&mut rng, n)).collect();
        actions.push([actions[5].as_slice(), &[7, 8]].concat());
        let whole = team.run(|| prompt(decoder, &tokens));
        let scores = team.run(|| nats(&whole, decoder, &actions));
        // The same prompt by way of two others that it shares some of its tokens with.
        let mut recent = Recent::new(usize::MAX);
        let mut reused = |tokens: &[u32]| Prompt::new(decoder, tokens, &mut recent, &cancel).unwrap();
        reused(&[&tokens[..7], &[1, 2, 3]].concat());
        reused(&[&tokens[..40], &[4]].concat());
        reused(&tokens[..60]);
        let reused = reused(&tokens);
        prop_assert_eq!(reused.len(), whole.len());
        for (i, action) in actions.iter().enumerate() {
            let mut chain = TokenTree::default();
            let end = chain.extend(None, &tokens, 0.0);
            chain.extend(end, action, 1.0);
            let want = -value(&reference.loss(&chain).unwrap());
            let alone = nats(&reused, decoder, std::slice::from_ref(action))[0];
            prop_assert!((scores[i] - want).abs() < 1e-4 && (alone - want).abs() < 1e-4, "{} {alone} {want}", scores[i]);
        }
    }
}

/// A model as a GGUF file: f32, q and k with interleaved rotary pairs.
fn gguf(fresh: &Trainable) -> Vec<u8> {
    let text = |text: &str| [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    let config = &fresh.config;
    let number = |name: &str, value: usize| {
        [text(&format!("llama.{name}")), [4u32, value as u32].map(u32::to_le_bytes).concat()].concat()
    };
    let settings = [
        [text("general.architecture"), 8u32.to_le_bytes().to_vec(), text("llama")].concat(),
        number("embedding_length", config.hidden),
        number("feed_forward_length", config.intermediate),
        number("block_count", config.layers),
        number("attention.head_count", config.heads),
        number("attention.head_count_kv", config.kv_heads),
        number("context_length", config.context),
        [text("llama.attention.layer_norm_rms_epsilon"), 6u32.to_le_bytes().to_vec(), 1e-5f32.to_le_bytes().to_vec()]
            .concat(),
    ];
    let names = [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("model.layers.", "blk."),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ];
    let (mut entries, mut data, mut count) = (Vec::new(), Vec::new(), 0u64);
    for (name, values, shape) in fresh.named() {
        let theirs = names.iter().fold(name.clone(), |name, (ours, theirs)| name.replace(ours, theirs));
        let sides: Vec<u8> = shape.iter().rev().flat_map(|side| (*side as u64).to_le_bytes()).collect();
        entries.extend(
            [text(&theirs), (shape.len() as u32).to_le_bytes().to_vec(), sides, 0u32.to_le_bytes().to_vec()].concat(),
        );
        entries.extend((data.len() as u64).to_le_bytes());
        count += 1;
        let (dim, width) = (config.head_dim(), shape[shape.len() - 1]);
        let turned = name.contains("q_proj") || name.contains("k_proj");
        for row in 0..values.len() / width {
            // Row 2i + j of a head is row j · dim/2 + i of Hugging Face's.
            let from = if turned { row / dim * dim + row % 2 * (dim / 2) + row % dim / 2 } else { row };
            data.extend(values[from * width..(from + 1) * width].iter().flat_map(|value| value.to_le_bytes()));
        }
        data.resize(data.len().next_multiple_of(32), 0);
    }
    let head = [
        b"GGUF".to_vec(),
        3u32.to_le_bytes().to_vec(),
        count.to_le_bytes().to_vec(),
        (settings.len() as u64).to_le_bytes().to_vec(),
    ];
    let mut bytes = [head.concat(), settings.concat(), entries].concat();
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    bytes.extend(data);
    bytes
}

#[test]
fn a_gguf_file_gives_the_scores_of_the_folder_that_it_was_made_from() {
    let fresh = small(1);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    std::fs::write(&path, gguf(&fresh)).unwrap();
    std::fs::write(dir.path().join("tokenizer.json"), fresh.tokenizer.to_json().unwrap()).unwrap();
    let read = foretaste::model::Model::load(&path).unwrap();
    assert_eq!(read.decoder.config, fresh.config);
    let tokens = random_tokens(&mut Rng::new(3), 30);
    let actions: Vec<Vec<u32>> = (1..6).map(|n| random_tokens(&mut Rng::new(n), n as usize)).collect();
    let of = |decoder: &Decoder| nats(&prompt(decoder, &tokens), decoder, &actions);
    for (got, want) in of(&read.decoder).iter().zip(of(&decoder(&fresh))) {
        assert!((got - want).abs() < 1e-6, "{got} {want}");
    }
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 100]).unwrap();
    let said = foretaste::model::Model::load(&path).unwrap_err();
    assert!(said.message().contains("model.gguf") && said.message().contains("does not lie within"), "{said}");
}

#[test]
fn decoding_together_equals_decoding_alone() {
    let fresh = small(1);
    let decoder = &*decoder(&fresh);
    let prompt = prompt(decoder, &random_tokens(&mut Rng::new(1), 9));
    let starts: Vec<Vec<u32>> = vec![vec![1, 2, 3], vec![4], vec![], vec![1, 2]];
    let cancel = Cancel::default();
    let options =
        Decoding { stop: 9999, stops: None, only: None, limit: 6, sampling: Sampling::GREEDY, seed: 1, cancel: &cancel };
    let together = prompt.decode(decoder, &starts, &options, &mut |_, _| true).unwrap();
    for (start, want) in starts.iter().zip(&together) {
        let alone = prompt.decode(decoder, std::slice::from_ref(start), &options, &mut |_, _| true).unwrap();
        assert_eq!(&alone[0], want);
        assert_eq!(want.len(), 6);
    }
    let sampled = |seed| {
        let options = Decoding { sampling: Sampling::at(1.0), seed, ..options };
        prompt.decode(decoder, &starts, &options, &mut |_, _| true).unwrap()
    };
    assert_eq!(sampled(7), sampled(7), "a seed repeats");
    assert_ne!(sampled(7), sampled(8));

    // Only what a trie allows is written, with the end token where a string may end before a longer one.
    let allowed: Vec<Vec<u32>> = vec![vec![10, 11], vec![10, 12, 13], vec![14], vec![10, 12]];
    let (trie, _) = Trie::new(allowed.iter().map(Vec::as_slice));
    let options = Decoding { only: Some(&trie), stop: 20, sampling: Sampling::at(5.0), ..options };
    let mut seen = std::collections::HashSet::new();
    for seed in 0..40 {
        let written = prompt.decode(decoder, &[vec![], vec![]], &Decoding { seed, ..options }, &mut |_, _| true).unwrap();
        assert!(written.iter().all(|tokens| allowed.contains(tokens)), "{written:?}");
        seen.extend(written);
    }
    assert_eq!(seen.len(), 4);

    let texts = ["a".to_string()];
    let letter = fresh.tokenizer.encode("a").unwrap()[0];
    let (only, _) = Trie::new([&[letter, letter, letter][..]]);
    let stops = Some(Stops { tokenizer: &fresh.tokenizer, texts: &texts });
    let options = Decoding { only: Some(&only), stops, ..options };
    assert_eq!(prompt.decode(decoder, &[vec![]], &options, &mut |_, _| true).unwrap(), [[letter]]);

    cancel.cancel();
    assert!(prompt.decode(decoder, &starts, &options, &mut |_, _| true).unwrap_err().is_cancelled());
}
