//! Inference: reading a prompt, decoding, scoring a list; the options and keys of the peers'
//! script.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{median, peak_rss_mb};
use crate::control::Cancel;
use crate::error::Result;
use crate::model::cache::PromptCache;
use crate::model::decode::Decoding;
use crate::model::decoder::Decoder;
use crate::model::kernels::forms;
use crate::model::memory;
use crate::model::prompt::Prompt;
use crate::model::sampler::Sampling;
use crate::model::score::Score;
use crate::model::team::{Priority, Team};
use crate::model::weights::{ModelFiles, matrices};
use crate::place::Computing;
use crate::rng::Rng;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// `small:LAYERSxWIDTH` (random weights), a model folder, or a GGUF file.
    pub model: String,
    /// Tokens of the prompt.
    pub prompt: usize,
    /// Tokens of one stream.
    pub decode: usize,
    /// Continuations decoded together.
    pub k: usize,
    /// Tokens of each of them.
    pub new: usize,
    /// Actions scored, of 5 to 7 tokens each.
    pub candidates: usize,
    /// Threads.
    pub threads: usize,
    /// Measured rounds after one other.
    pub repeats: usize,
}

/// Times that a prompt is cancelled, evenly spread over its duration.
const CANCELLED: u32 = 20;

/// A model with a random prompt.
struct Bench<'a> {
    options: &'a Options,
    decoder: Decoder,
    team: Team,
    prompt: Vec<u32>,
    rng: Rng,
    cancel: &'a Cancel,
}

impl<'a> Bench<'a> {
    fn new(options: &'a Options, cancel: &'a Cancel) -> Result<Self> {
        let (name, by) = Computing::of(&options.model);
        let decoder = if name.starts_with("small:") {
            let (config, weights) = super::train::model(name)?;
            let weights = matrices(&config, weights).into_iter().map(Ok);
            Decoder::new(config, weights, by)?
        } else {
            let network = ModelFiles::network(Path::new(name))?;
            ModelFiles { by, ..network }.decoder()?
        };
        // Keys and values of the prompt and of what is written after it.
        let written = options.decode.max(options.k * options.new);
        let kept = decoder.config.kept(options.prompt + written);
        memory::room(kept, "the keys and values of so many tokens")?;
        let mut rng = Rng::new(0);
        let prompt = super::train::draw(options.prompt.max(1), &decoder.config, &mut rng);
        Ok(Self {
            options,
            decoder,
            team: Team::new(options.threads, Priority::Interactive)?,
            prompt,
            rng,
            cancel,
        })
    }

    fn prompt(&self, recent: &mut PromptCache) -> Result<Prompt> {
        self.prompt_until(recent, self.cancel)
    }

    fn prompt_until(&self, recent: &mut PromptCache, cancel: &Cancel) -> Result<Prompt> {
        self.team.run(|| Prompt::new(&self.decoder, &self.prompt, recent, cancel))
    }

    fn decode(&self, prompt: &Prompt, starts: &[Vec<u32>], limit: usize) -> Result<usize> {
        // No token ends it: every stream writes `limit` tokens.
        let ends = &[u32::MAX];
        let sampling = Sampling::GREEDY;
        let cancel = self.cancel;
        let how = Decoding { ends, stops: None, only: None, limit, sampling, logps: false, cancel };
        let found =
            self.team.run(|| prompt.decode(&self.decoder, starts, &[], &how, &mut |_, _| true))?;
        Ok(found.iter().map(Vec::len).sum())
    }

    fn score(&self, prompt: &Prompt, actions: &[Vec<u32>]) -> Result<Vec<Score>> {
        self.team.run(|| prompt.score(&self.decoder, actions, self.cancel))
    }

    /// Milliseconds from cancelling to the end of reading a prompt that is cancelled after some
    /// seconds; none if it was over by then.
    fn stops_within_ms(&self, after: f64) -> Result<Option<f64>> {
        self.cancel.check()?;
        let cancel = Cancel::default();
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                std::thread::sleep(Duration::from_secs_f64(after));
                cancel.cancel();
                Instant::now()
            });
            let done = self.prompt_until(&mut PromptCache::new(0), &cancel);
            let ended = Instant::now();
            let asked = other.join().unwrap_or(ended);
            Ok(done.is_err().then(|| ended.duration_since(asked).as_secs_f64() * 1e3))
        })
    }

    /// Wall times of some work, as the peers' script prints them.
    fn measure(
        &self,
        what: &str,
        units: Option<usize>,
        mut work: impl FnMut() -> Result<()>,
    ) -> Result<Value> {
        let mut times = Vec::new();
        for round in 0..=self.options.repeats.max(1) {
            self.cancel.check()?;
            let started = Instant::now();
            work()?;
            if round > 0 {
                times.push(started.elapsed().as_secs_f64());
            }
        }
        let least = times.iter().copied().fold(f64::MAX, f64::min);
        let most = times.iter().copied().fold(0.0, f64::max);
        let wall = median(times);
        let mut row = json!({
            "what": what, "model": self.options.model, "threads": self.options.threads,
            "wall_s": wall,
            "min_s": least, "max_s": most, "repeats": self.options.repeats,
            "peak_rss_mb": peak_rss_mb(),
            "weights_mb": self.decoder.bytes() >> 20,
            "units": forms::in_words(),
        });
        if let Some(units) = units {
            row["tok_s"] = json!(units as f64 / wall);
        }
        Ok(row)
    }
}

/// Reading a prompt from nothing, and how soon that stops when it is no longer wanted.
pub fn prefill(options: &Options, cancel: &Cancel) -> Result<Vec<Value>> {
    let bench = Bench::new(options, cancel)?;
    let row = bench.measure("prefill", Some(options.prompt), || {
        bench.prompt(&mut PromptCache::new(0)).map(drop)
    })?;
    let wall = row["wall_s"].as_f64().unwrap_or_default();
    let times = (0..CANCELLED)
        .map(|i| bench.stops_within_ms(wall * (f64::from(i) + 0.5) / f64::from(CANCELLED)));
    let times: Vec<f64> =
        times.collect::<Result<Vec<Option<f64>>>>()?.into_iter().flatten().collect();
    let count = times.len();
    let most = times.iter().copied().fold(0.0, f64::max);
    Ok(vec![
        row,
        json!({"what": "cancel", "cancelled": count, "median_ms": median(times), "max_ms": most}),
    ])
}

/// One stream after a prompt that is there; several together, prompt included.
pub fn decode(options: &Options, cancel: &Cancel) -> Result<Vec<Value>> {
    let bench = Bench::new(options, cancel)?;
    let ready = bench.prompt(&mut PromptCache::new(0))?;
    let one = || bench.decode(&ready, &[vec![]], options.decode).map(drop);
    let starts: Vec<Vec<u32>> =
        (0..options.k as u32).map(|i| vec![1000 % bench.decoder.config.vocab as u32 + i]).collect();
    let many = || {
        let prompt = bench.prompt(&mut PromptCache::new(0))?;
        bench.decode(&prompt, &starts, options.new.saturating_sub(1)).map(drop)
    };
    Ok(vec![
        bench.measure("decode_1_stream", Some(options.decode), one)?,
        bench.measure(
            &format!("k{}x{}_parallel", options.k, options.new),
            Some(options.k * options.new),
            many,
        )?,
    ])
}

/// Exact scores of a list: prompt included, prompt cached, and how far they are from scores one by
/// one.
pub fn score(options: &Options, cancel: &Cancel) -> Result<Vec<Value>> {
    let mut bench = Bench::new(options, cancel)?;
    let config = bench.decoder.config.clone();
    let actions: Vec<Vec<u32>> = (0..options.candidates)
        .map(|i| super::train::draw(5 + i % 3, &config, &mut bench.rng))
        .collect();
    let name = format!("score_{}", options.candidates);
    let cold = || {
        bench
            .prompt(&mut PromptCache::new(0))
            .and_then(|prompt| bench.score(&prompt, &actions))
            .map(drop)
    };
    let cold = bench.measure(&format!("{name}_cold"), None, cold)?;
    let mut recent = PromptCache::new(1 << 30);
    bench.prompt(&mut recent)?;
    let cached =
        || bench.prompt(&mut recent).and_then(|prompt| bench.score(&prompt, &actions)).map(drop);
    let cached = bench.measure(&format!("{name}_prefix_cached"), None, cached)?;
    let prompt = bench.prompt(&mut recent)?;
    let together = bench.score(&prompt, &actions)?;
    let mut worst = 0.0f64;
    for (action, score) in actions.iter().zip(&together) {
        let alone = bench.score(&prompt, std::slice::from_ref(action))?;
        worst = worst.max((alone[0].logp - score.logp).abs());
    }
    let share =
        cached["wall_s"].as_f64().zip(cold["wall_s"].as_f64()).map(|(cached, cold)| cached / cold);
    Ok(vec![
        cold,
        cached,
        json!({"what": name, "score_max_abs_diff": worst, "cached_share_of_cold": share}),
    ])
}
