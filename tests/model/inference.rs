//! Inference: cached scores equal scores from scratch, files of another format give the same
//! scores, streams decoded together equal streams decoded alone.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use foretaste::control::Cancel;
use foretaste::model::cache::PromptCache;
use foretaste::model::decode::{Decoding, Stops};
use foretaste::model::decoder::Decoder;
use foretaste::model::prompt::Prompt;
use foretaste::model::sampler::Sampling;
use foretaste::model::team::{Priority, Team};
use foretaste::model::tree::TokenTree;
use foretaste::model::trie::Trie;
use foretaste::model::weights::ModelFiles;
use foretaste::place::Computing;
use foretaste::rng::Rng;
use proptest::prelude::*;

use crate::fixtures::*;
use crate::gguf::gguf;
use crate::training::reference;

#[test]
fn agrees_with_candle_transformers_llama() {
    use candle_transformers::models::llama::{Cache, Llama, LlamaConfig};
    for kv_heads in [2, 1] {
        let fresh = small(kv_heads);
        let decoder = decoder(&fresh);
        let json = fresh.config.to_json(0);
        let config: LlamaConfig = serde_json::from_value(json).unwrap();
        let config = config.into_config(false);
        let tensor = |(name, data, shape): (String, Vec<f32>, Vec<usize>)| {
            (name, Tensor::from_vec(data, shape, &Device::Cpu).unwrap())
        };
        let tensors: HashMap<String, Tensor> = fresh.named().into_iter().map(tensor).collect();
        let vars = candle_nn::VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let llama = Llama::load(vars, &config).unwrap();
        let tokens = random_tokens(&mut Rng::new(2), 20);
        let mut cache = Cache::new(false, DType::F32, &config, &Device::Cpu).unwrap();
        let input = Tensor::new(tokens.as_slice(), &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let want: Vec<f32> =
            llama.forward(&input, 0, &mut cache).unwrap().squeeze(0).unwrap().to_vec1().unwrap();
        let singles: Vec<Vec<u32>> = (0..want.len() as u32).map(|t| vec![t]).collect();
        let got = nats(&prompt(&decoder, &tokens), &decoder, &singles);
        let top = f64::from(want.iter().copied().fold(f32::MIN, f32::max));
        let norm = top + want.iter().map(|l| (f64::from(*l) - top).exp()).sum::<f64>().ln();
        for (logit, score) in want.iter().zip(got) {
            assert!((f64::from(*logit) - norm - score).abs() < 1e-4, "{logit} {norm} {score}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn cached_scores_equal_scores_from_scratch_and_do_not_depend_on_what_is_scored_beside(
        seed in any::<u64>(),
        kv_heads in 1usize..3,
        threads in 1usize..3,
        there in any::<bool>(),
    ) {
        let fresh = small(kv_heads);
        let decoder = &*if there { on_candle(&fresh).model("there").unwrap().decoder } else { decoder(&fresh) };
        let team = Team::new(threads, Priority::Interactive).unwrap();
        let mut rng = Rng::new(seed);
        let cancel = Cancel::default();
        let tokens = random_tokens(&mut rng, 90);
        let mut actions: Vec<Vec<u32>> = (1..12).map(|n| random_tokens(&mut rng, n)).collect();
        actions.push([actions[5].as_slice(), &[7, 8]].concat());
        let whole = team.run(|| prompt(decoder, &tokens));
        let scores = team.run(|| nats(&whole, decoder, &actions));
        // The same prompt by way of two others that it shares some of its tokens with.
        let mut recent = PromptCache::new(usize::MAX);
        let mut reused = |tokens: &[u32]| Prompt::new(decoder, tokens, &mut recent,
        &cancel).unwrap();
        reused(&[&tokens[..7], &[1, 2, 3]].concat());
        reused(&[&tokens[..40], &[4]].concat());
        reused(&tokens[..60]);
        let reused = reused(&tokens);
        prop_assert_eq!(reused.len(), whole.len());
        for (i, action) in actions.iter().enumerate() {
            let mut chain = TokenTree::default();
            let end = chain.extend(None, &tokens, 0.0);
            chain.extend(end, action, 1.0);
            let want = -reference(&fresh, &chain).0;
            let alone = nats(&reused, decoder, std::slice::from_ref(action))[0];
            prop_assert!((scores[i] - want).abs() < 1e-4 && (alone - want).abs() < 1e-4,
            "{} {alone} {want}", scores[i]);
        }
    }
}

#[test]
fn a_gguf_file_gives_the_scores_of_the_folder_that_it_was_made_from() {
    let fresh = small(1);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    std::fs::write(&path, gguf(&fresh, "llama", &[])).unwrap();
    std::fs::write(dir.path().join("tokenizer.json"), fresh.tokenizer.to_json().unwrap()).unwrap();
    let read = foretaste::model::Model::load(&path).unwrap();
    assert_eq!(read.decoder.config, fresh.config);
    let tokens = random_tokens(&mut Rng::new(3), 30);
    let actions: Vec<Vec<u32>> =
        (1..6).map(|n| random_tokens(&mut Rng::new(n), n as usize)).collect();
    let of = |decoder: &Decoder| nats(&prompt(decoder, &tokens), decoder, &actions);
    for (got, want) in of(&read.decoder).iter().zip(of(&decoder(&fresh))) {
        assert!((got - want).abs() < 1e-6, "{got} {want}");
    }
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 100]).unwrap();
    let said = foretaste::model::Model::load(&path).unwrap_err();
    assert!(
        said.message().contains("model.gguf") && said.message().contains("does not lie within"),
        "{said}"
    );
}

#[test]
fn in_bf16_scores_are_near_those_in_f32() {
    let fresh = small(1);
    let files = fresh.parts(false).unwrap();
    let rounded = ModelFiles { by: Computing::Bf16, ..files }.build("small").unwrap().decoder;
    let whole = decoder(&fresh);
    assert!(rounded.bytes() < whole.bytes() * 2 / 3);
    let tokens = random_tokens(&mut Rng::new(3), 30);
    let actions: Vec<Vec<u32>> =
        (1..6).map(|n| random_tokens(&mut Rng::new(n), n as usize)).collect();
    let of = |decoder: &Decoder| nats(&prompt(decoder, &tokens), decoder, &actions);
    for ((rounded, whole), action) in of(&rounded).iter().zip(of(&whole)).zip(&actions) {
        let off = (rounded - whole).abs() / action.len() as f64;
        assert!(off > 0.0 && off < 0.05, "{rounded} {whole}");
    }
}

#[test]
fn decoding_together_equals_decoding_alone() {
    let fresh = small(1);
    let decoder = &*decoder(&fresh);
    let prompt = prompt(decoder, &random_tokens(&mut Rng::new(1), 9));
    let starts: Vec<Vec<u32>> = vec![vec![1, 2, 3], vec![4], vec![], vec![1, 2]];
    let cancel = Cancel::default();
    let options = Decoding {
        ends: &[9999],
        stops: None,
        only: None,
        limit: 6,
        sampling: Sampling::GREEDY,
        logps: false,
        cancel: &cancel,
    };
    let together = prompt.decode(decoder, &starts, &[], &options, &mut |_, _| true).unwrap();
    for (start, want) in starts.iter().zip(&together) {
        let alone = prompt
            .decode(decoder, std::slice::from_ref(start), &[], &options, &mut |_, _| true)
            .unwrap();
        assert_eq!(&alone[0], want);
        assert_eq!(want.len(), 6);
    }
    let sampled = |seed| {
        let seeds = Rng::seeds(seed, "test", starts.len());
        let options = Decoding { sampling: Sampling::at(1.0), ..options };
        prompt.decode(decoder, &starts, &seeds, &options, &mut |_, _| true).unwrap()
    };
    assert_eq!(sampled(7), sampled(7), "a seed repeats");
    assert_ne!(sampled(7), sampled(8));

    // Only what a trie allows is written, with the end token where a string may end before a longer
    // one.
    let allowed: Vec<Vec<u32>> = vec![vec![10, 11], vec![10, 12, 13], vec![14], vec![10, 12]];
    let (trie, _) = Trie::new(allowed.iter().map(Vec::as_slice));
    let options =
        Decoding { only: Some(&trie), ends: &[20], sampling: Sampling::at(5.0), ..options };
    let mut seen = std::collections::HashSet::new();
    for seed in 0..40 {
        let seeds = Rng::seeds(seed, "test", 2);
        let written =
            prompt.decode(decoder, &[vec![], vec![]], &seeds, &options, &mut |_, _| true).unwrap();
        assert!(written.iter().all(|tokens| allowed.contains(tokens)), "{written:?}");
        seen.extend(written);
    }
    assert_eq!(seen.len(), 4);

    let texts = ["a".to_string()];
    let letter = fresh.tokenizer.encode("a").unwrap()[0];
    let (only, _) = Trie::new([&[letter, letter, letter][..]]);
    let stops = Some(Stops { tokenizer: &fresh.tokenizer, texts: &texts });
    let options = Decoding { only: Some(&only), stops, ..options };
    assert_eq!(
        prompt.decode(decoder, &[vec![]], &[], &options, &mut |_, _| true).unwrap(),
        [[letter]]
    );

    cancel.cancel();
    assert!(
        prompt
            .decode(decoder, &starts, &[], &options, &mut |_, _| true)
            .unwrap_err()
            .is_cancelled()
    );
}
