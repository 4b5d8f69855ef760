//! `foretaste model complete`: what a model writes after a prompt, with every option of decoding.

use std::fs::File;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{Common, interruptible, number, out, real};
use crate::agent;
use crate::error::{Error, Result};
use crate::model::cache::PromptCache;
use crate::model::decode::{Decoding, Opening, Stops, Written};
use crate::model::memory;
use crate::model::prompt::Prompt;
use crate::model::sampler::Sampling;
use crate::model::team::{Priority, Team};
use crate::model::trie::Trie;
use crate::paths;
use crate::rng::Rng;

/// Arguments of `foretaste model complete`.
#[derive(Debug, Args)]
pub struct CompleteArgs {
    /// The prompt; control tokens written in it count as themselves
    prompt: String,
    /// embedded, novice, a checkpoint's number, a model folder, or a GGUF file (default: the newest
    /// checkpoint)
    #[arg(long)]
    checkpoint: Option<String>,
    /// Continuations, decoded together
    #[arg(short, long, default_value_t = 1, value_parser = number::<usize>(1..=1024))]
    k: usize,
    /// Tokens of a continuation at most
    #[arg(long, default_value_t = 96, value_parser = number::<usize>(1..=1_000_000))]
    limit: usize,
    /// 0 takes the likeliest token each time
    #[arg(long, default_value_t = 0.0, value_parser = real(0.0..=100.0))]
    temperature: f64,
    /// Keep the likeliest tokens with at least this much probability
    #[arg(long, default_value_t = 1.0, value_parser = real(0.0..=1.0))]
    top_p: f64,
    /// Keep at most so many tokens; 0 keeps all
    #[arg(long, default_value_t = 0)]
    top_k: usize,
    /// Keep tokens at least so likely, as a share of the likeliest
    #[arg(long, default_value_t = 0.0, value_parser = real(0.0..=1.0))]
    min_p: f64,
    /// Make tokens that were written already less likely; 1 changes nothing
    #[arg(long, default_value_t = 1.0, value_parser = real(1e-3..=1e3))]
    repetition: f64,
    /// A text that ends a continuation; may be given several times
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Write one of the lines of this file and nothing else
    #[arg(long, value_name = "FILE")]
    only: Option<PathBuf>,
    /// Seed of the continuations
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// A list of what may be written has at most so many bytes.
const ONLY: u64 = 64 << 20;

/// Runs the command.
pub fn run(common: &Common, args: &CompleteArgs) -> Result<()> {
    let model = agent::load(&common.store()?, args.checkpoint.as_deref(), None)?;
    let decoder = &*model.decoder;
    let tokenizer = &*model.tokenizer;
    let cancel = interruptible()?.cancel;
    let team = Team::all(Priority::Interactive)?;
    let mut tokens = tokenizer.encode(&args.prompt)?;
    // As the tokenizer itself opens a text, unless the prompt has it already.
    if !tokens.starts_with(&tokenizer.opening) {
        tokens.splice(0..0, tokenizer.opening.iter().copied());
    }
    memory::room(
        decoder.config.kept(tokens.len() + args.k * args.limit),
        "the keys and values of so many tokens",
    )?;
    let prompt = team.run(|| Prompt::new(decoder, &tokens, &mut PromptCache::new(0), &cancel))?;

    let lines = match &args.only {
        Some(path) => File::open(path)
            .and_then(|file| paths::text(paths::limited(file, ONLY)?))
            .map_err(|e| Error::io("reading", path, &e))?,
        None => String::new(),
    };
    let mut allowed = Vec::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let mut tokens = tokenizer.encode_plain(line.trim())?;
        tokens.push(tokenizer.end);
        allowed.push(tokens);
    }
    let (trie, _) = Trie::new(allowed.iter().map(Vec::as_slice));
    let seeds = Rng::seeds(args.seed, "continuation", args.k);
    let how = Decoding {
        ends: &tokenizer.ends,
        stops: (!args.stop.is_empty()).then_some(Stops { tokenizer, texts: &args.stop }),
        only: args.only.is_some().then_some(&trie),
        limit: args.limit,
        sampling: Sampling {
            temperature: args.temperature,
            top_p: args.top_p,
            top_k: args.top_k,
            min_p: args.min_p,
            repetition: args.repetition,
        },
        logps: false,
        cancel: &cancel,
    };
    let out = common.out();
    let stream = args.k == 1 && !out.is_json();
    let mut written = Vec::new();
    let mut shown = 0;
    let mut each = |_: usize, token: u32| {
        written.push(token);
        let text = tokenizer.decode(&written).unwrap_or_default();
        // A character may still be incomplete at the end.
        if let (true, Some(new)) = (stream && !text.ends_with('\u{fffd}'), text.get(shown..)) {
            out::ask(new);
            shown = text.len();
        }
        true
    };
    let starts = vec![vec![]; args.k];
    let asks = [Opening { prompt: &prompt, starts: &starts, seeds: &seeds }];
    let mut told = |_: usize, start: usize, token: u32| each(start, token);
    let found = team.run(|| Prompt::decode_all(decoder, &asks, &how, &mut told))?;
    // The probability of a text that came to its end includes that end; one that was cut short is
    // the beginning of many. A string of `--only` has its end among its tokens.
    let mut whole = Vec::with_capacity(found.len());
    for Written { tokens, ended, .. } in found.into_iter().flatten() {
        let finished = ended.is_some() || tokens.last() == Some(&tokenizer.end);
        whole.push((tokens.into_iter().chain(ended).collect::<Vec<u32>>(), finished));
    }
    let strings: Vec<Vec<u32>> = whole.iter().map(|(tokens, _)| tokens.clone()).collect();
    let scores = team.run(|| prompt.score(decoder, &strings, &cancel))?;
    for ((tokens, finished), score) in whole.iter().zip(scores) {
        let text = tokenizer.decode(tokens)?;
        let row = json!({
            "text": text, "finished": finished, "tokens": score.tokens, "nats": score.logp,
            "nats_per_token": score.per_token(),
        });
        out.line(&row, || {
            if stream { String::new() } else { format!("{:8.2} nats  {text}", score.logp) }
        });
    }
    Ok(())
}
