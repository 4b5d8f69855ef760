//! Small models whose differences would show, and what both halves ask of them.

use std::sync::Arc;

use foretaste::control::Cancel;
use foretaste::model::cache::PromptCache;
use foretaste::model::config::Config;
use foretaste::model::decoder::Decoder;
use foretaste::model::device::Device;
use foretaste::model::prompt::Prompt;
use foretaste::model::tokenizer::Tokenizer;
use foretaste::model::weights::Trainable;
use foretaste::place::Place;
use foretaste::rng::Rng;

/// A small model with larger weights than a fresh one's, so that differences would show.
pub fn small(kv_heads: usize) -> Trainable {
    let tokenizer = Arc::new(Tokenizer::train(&["walk to shelf 1".into()], 280).unwrap());
    let mut config = Config::small(2, 64, tokenizer.vocab()).unwrap();
    config.kv_heads = kv_heads;
    let mut fresh = Trainable::fresh(&config, tokenizer, 5).unwrap();
    for weights in fresh.weights.iter_mut().filter(|weights| weights.len() > 64) {
        for w in weights.iter_mut() {
            *w *= 6.0;
        }
    }
    fresh
}

/// The same on candle's CPU device: by its autograd.
pub fn on_candle(fresh: &Trainable) -> Trainable {
    Trainable { device: Some(Device::open(Place::Cpu).unwrap()), ..fresh.clone() }
}

/// The same weights for inference.
pub fn decoder(fresh: &Trainable) -> Arc<Decoder> {
    fresh.parts(false).unwrap().build("small").unwrap().decoder
}

pub fn prompt(decoder: &Decoder, tokens: &[u32]) -> Prompt {
    Prompt::new(decoder, tokens, &mut PromptCache::new(0), &Cancel::default()).unwrap()
}

pub fn nats(prompt: &Prompt, decoder: &Decoder, strings: &[Vec<u32>]) -> Vec<f64> {
    prompt
        .score(decoder, strings, &Cancel::default())
        .unwrap()
        .iter()
        .map(|score| score.logp)
        .collect()
}

pub fn random_tokens(rng: &mut Rng, count: usize) -> Vec<u32> {
    (0..count).map(|_| rng.below(250) as u32).collect()
}
