//! Every family of decoders, against what transformers computes (`families/make.py` writes it
//! down), and on token trees against candle's autograd.

use std::path::Path;
use std::sync::Arc;

use foretaste::model::config::{Config, Family};
use foretaste::model::decoder::Decoder;
use foretaste::model::files::serialize;
use foretaste::model::lora::{Adapter, LINEARS};
use foretaste::model::params::Buffers;
use foretaste::model::tree::TokenTree;
use foretaste::model::weights::{ModelFiles, Trainable};
use foretaste::place::{Computing, Place};
use foretaste::rng::Rng;
use proptest::prelude::*;
use serde_json::Value;

use crate::fixtures::*;
use crate::training::{distance, gradient, random_tree, reference};

fn expected() -> Value {
    serde_json::from_str(include_str!("families/expected.json")).unwrap()
}

/// The families by name, with what is expected of each.
pub fn cases() -> Vec<(String, Value)> {
    expected()["cases"].as_object().unwrap().clone().into_iter().collect()
}

fn tokens() -> Vec<u32> {
    expected()["tokens"].as_array().unwrap().iter().map(|t| t.as_u64().unwrap() as u32).collect()
}

/// Numbers in [-1, 1) in steps of 2^-23 by the name that they belong to, as `make.py` draws them.
fn drawn(name: &str, count: usize) -> Vec<f32> {
    let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let value = |i: u64| {
        let mut z = hash.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (1..=count as u64).map(value).collect()
}

fn weight(config: &Config, name: &str, count: usize) -> Vec<f32> {
    let (base, by) = match name {
        _ if name.contains("norm") && config.family == Family::Gemma3 => (0.0, 0.25),
        _ if name.contains("norm") => (1.0, 0.25),
        _ if name.contains("embed") || name.contains("lm_head") => (0.0, 0.5),
        _ => (0.0, 0.25),
    };
    drawn(name, count).into_iter().map(|x| base + by * x).collect()
}

/// A model folder of a case, without a tokenizer.
fn folder(at: &Path, case: &Value) -> Config {
    let config = serde_json::to_vec(&case["config"]).unwrap();
    std::fs::write(at.join("config.json"), &config).unwrap();
    let config = Config::parse(&config).unwrap();
    let tensors = config.tensors().into_iter().map(|(name, shape)| {
        let data = weight(&config, &name, shape.iter().product());
        (name, data, shape)
    });
    let file = serialize(&tensors.collect::<Vec<_>>(), false).unwrap();
    std::fs::write(at.join("model.safetensors"), file).unwrap();
    config
}

/// The same to be trained, with a tokenizer that is not asked.
pub fn trainable(case: &Value) -> Trainable {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), case);
    let (config, weights) = ModelFiles::network(dir.path()).unwrap().weights().unwrap();
    let Trainable { tokenizer, workspace, .. } = small(1);
    Trainable {
        config,
        weights,
        tokenizer,
        adapter: None,
        workspace,
        device: None,
        origin: None,
        away: None,
    }
}

pub fn decoder_of(case: &Value) -> Arc<Decoder> {
    decoder_by(Computing::F32, case)
}

fn decoder_by(by: Computing, case: &Value) -> Arc<Decoder> {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), case);
    let network = ModelFiles::network(dir.path()).unwrap();
    Arc::new(ModelFiles { by, ..network }.decoder().unwrap())
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn log_probabilities_are_those_of_transformers() {
    let tokens = tokens();
    let ways = [Computing::F32, Computing::On(Place::Cpu)];
    for ((name, case), by) in cases().into_iter().flat_map(|case| ways.map(|by| (case.clone(), by)))
    {
        let decoder = decoder_by(by, &case);
        let vocab = decoder.config.vocab as u32;
        let singles: Vec<Vec<u32>> = (0..vocab).step_by(9).map(|token| vec![token]).collect();
        let mut worst: f64 = 0.0;
        for (row, after) in case["logp"].as_array().unwrap().iter().zip((3..).step_by(4)) {
            let got = nats(&prompt(&decoder, &tokens[..=after]), &decoder, &singles);
            for (got, want) in got.iter().zip(numbers(row)) {
                worst = worst.max((got - want).abs());
            }
        }
        println!("{name}{by}: log-probabilities differ by at most {worst:.1e} nats");
        assert!(worst < 1e-3, "{name}{by}: {worst}");
    }
}

/// The targets of `make.py`: each token of the second half after those before it.
fn chain(tokens: &[u32]) -> TokenTree {
    let mut tree = TokenTree::default();
    let (first, second) = tokens.split_at(tokens.len() / 2);
    let end = tree.extend(None, first, 0.0);
    tree.extend(end, second, 1.0);
    tree
}

/// The largest distance of what was written down of some gradients, relative to their norms.
fn off(want: &Value, shapes: &[(String, Vec<usize>)], grads: &Buffers, samples: usize) -> f64 {
    let want = want.as_object().unwrap();
    assert_eq!(want.len(), shapes.len(), "as many tensors are trained");
    let mut worst: f64 = 0.0;
    for ((name, _), grad) in shapes.iter().zip(grads) {
        let want = numbers(&want[name]);
        let norm = grad.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let step = (grad.len() / samples).max(1);
        let got = grad.iter().step_by(step).take(samples).map(|g| f64::from(*g));
        for (got, want_one) in std::iter::once(norm).chain(got).zip(&want) {
            worst = worst.max((got - want_one).abs() / want[0].max(1e-6));
        }
    }
    worst
}

#[test]
fn losses_and_gradients_are_those_of_transformers_and_peft() {
    let tree = chain(&tokens());
    for (name, case) in cases().into_iter().filter(|(_, case)| case["full"].is_object()) {
        let mut model = trainable(&case);
        let (_, grads) = gradient(&model, std::slice::from_ref(&tree));
        let full = off(&case["full"], &model.net().shapes(), &grads, 3);
        let mut adapter = Adapter::new(&model.config, 4, 8.0, &LINEARS, 0).unwrap();
        let names: Vec<_> = adapter.shapes().to_vec();
        for ((name, _), weights) in names.iter().zip(&mut adapter.weights) {
            *weights = drawn(name, weights.len()).into_iter().map(|x| 0.25 * x).collect();
        }
        model.adapter = Some(adapter);
        let (loss, grads) = gradient(&model, std::slice::from_ref(&tree));
        let lora = off(&case["lora"], &names, &grads, 5);
        let want = case["loss"].as_f64().unwrap();
        println!("{name}: gradients differ by {full:.1e} (full), {lora:.1e} (LoRA)");
        assert!((loss - want).abs() < 1e-4 * want, "{name}: {loss} {want}");
        assert!(full < 1e-4 && lora < 1e-4, "{name}: {full} {lora}");
    }
}

#[test]
fn a_gemma_is_asked_and_not_trained() {
    let (_, case) = cases().into_iter().find(|(name, _)| name == "gemma3").unwrap();
    let model = trainable(&case);
    let said = foretaste::model::step::step(
        model.net(),
        &foretaste::model::parts::Parts::whole(&chain(&tokens())),
        None,
        &foretaste::control::Cancel::default(),
    );
    assert!(said.unwrap_err().message().contains("Gemma 3 is for inference"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn on_trees_the_step_agrees_with_autograd_in_every_family(
        seed in any::<u64>(),
        which in 0usize..10,
        nodes in 3usize..40,
    ) {
        let trained: Vec<_> =
            cases().into_iter().filter(|(_, case)| case["full"].is_object()).collect();
        let (name, case) = &trained[which % trained.len()];
        let model = trainable(case);
        let tree = random_tree(&mut Rng::new(seed), nodes);
        prop_assume!(tree.weight() > 0.0);
        let (loss, grads) = gradient(&model, std::slice::from_ref(&tree));
        let (want_loss, want) = reference(&model, &tree);
        prop_assert!((loss - want_loss).abs() <= 1e-5 * want_loss.abs().max(1.0),
            "{name}: {loss} {want_loss}");
        let off = distance(&grads, &want);
        prop_assert!(off <= 2e-4, "{name}: {off}");
    }

    #[test]
    fn on_trees_cached_scores_are_those_of_training_in_every_family(
        seed in any::<u64>(),
        which in 0usize..10,
        long in 1usize..40,
    ) {
        let trained: Vec<_> =
            cases().into_iter().filter(|(_, case)| case["full"].is_object()).collect();
        let (name, case) = &trained[which % trained.len()];
        let (model, decoder) = (trainable(case), decoder_of(case));
        let mut rng = Rng::new(seed);
        let tokens = random_tokens(&mut rng, long);
        let actions: Vec<Vec<u32>> = (1..9).map(|n| random_tokens(&mut rng, n)).collect();
        let scores = nats(&prompt(&decoder, &tokens), &decoder, &actions);
        for (action, score) in actions.iter().zip(scores) {
            let mut tree = TokenTree::default();
            let end = tree.extend(None, &tokens, 0.0);
            tree.extend(end, action, 1.0);
            let want = -gradient(&model, std::slice::from_ref(&tree)).0;
            prop_assert!((score - want).abs() < 1e-3, "{name}: {score} {want}");
        }
    }
}
