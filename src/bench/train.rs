//! A training step: the options and figures of the peers' benchmark script, so that the two can run
//! in turns.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use super::{cpu_s, median, peak_rss_mb};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::adamw::AdamW;
use crate::model::config::Config;
use crate::model::kernels::{forms, mul_nt};
use crate::model::lora::{Adapter, LINEARS};
use crate::model::memory::{self, MemoryPlan};
use crate::model::pack::{Packing, batch};
use crate::model::params::Buffers;
use crate::model::step::{Net, Products};
use crate::model::team::{Priority, Team};
use crate::model::tree::TokenTree;
use crate::model::weights::ModelFiles;
use crate::model::workspace::Workspace;
use crate::paths;
use crate::rng::Rng;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// `small:LAYERSxWIDTH` (random weights, 2,048 tokens, heads of 64), or a model folder.
    pub model: String,
    /// Sequences a step.
    pub batch: usize,
    /// Tokens a sequence.
    pub seq: usize,
    /// Share of tokens that are targets.
    pub supervised: f64,
    /// A token tree instead of sequences: `{"trunk": n, "prompt": p, "branches": [{"attach": a,
    /// "len": l}, …]}`.
    pub tree: Option<std::path::PathBuf>,
    /// The rank of an adapter beside all seven linear layers; full fine-tuning without it.
    pub lora: Option<usize>,
    /// Threads.
    pub threads: usize,
    /// Tokens of one pass at most; all at once without it.
    pub budget: Option<usize>,
    /// Compute layers again on the way back instead of keeping what they computed.
    pub recompute: bool,
    /// Multiply in bf16.
    pub bf16: bool,
    /// Measured steps, after `warmup` others.
    pub steps: usize,
    /// Steps before.
    pub warmup: usize,
}

/// Tokens of a step at most.
const MOST: usize = 1 << 24;

/// Measures a step: forward, backward, clipping, AdamW.
pub fn run(options: &Options, control: &Control) -> Result<Value> {
    let (config, mut weights) = model(&options.model)?;
    let mut rng = Rng::new(0);
    if options.batch * options.seq > MOST {
        return Err(Error::new(format!(
            "a step of {} sequences of {} tokens",
            options.batch, options.seq
        ))
        .hint(format!("at most {MOST} tokens are taken")));
    }
    let trees = match &options.tree {
        Some(path) => vec![tree(path, &config, &mut rng)?],
        None => (0..options.batch).map(|_| sequence(options, &config, &mut rng)).collect(),
    };
    let trees: Vec<&TokenTree> = trees.iter().collect();
    let tokens: usize = trees.iter().map(|tree| tree.len()).sum();
    let labels =
        trees.iter().flat_map(|tree| &tree.weights).filter(|weight| **weight != 0.0).count();
    let adapter = |rank| Adapter::new(&config, rank, 2.0 * rank as f64, &LINEARS, 0);
    let mut adapter = options.lora.map(adapter).transpose()?;
    let workspace = Workspace::default();
    let products = if options.bf16 { Products::Bf16 } else { Products::F32 };
    let shapes = adapter.as_ref().map_or_else(|| config.tensors(), |a| a.shapes().to_vec());
    let team = Team::new(options.threads, Priority::Interactive)?;
    let net = Net {
        config: &config,
        weights: &weights,
        adapter: adapter.as_ref(),
        recompute: options.recompute,
        products,
        workspace: &workspace,
    };
    let packing = Packing::new(&trees, options.budget.unwrap_or(usize::MAX));
    let mut optimiser = AdamW::new(&shapes);
    let planned = MemoryPlan::new(net, packing.largest);
    let mut times = Vec::new();
    let mut losses = Vec::new();
    let mut spent = cpu_s();
    for i in 0..options.warmup + options.steps {
        control.cancel.check()?;
        if i == options.warmup {
            times = Vec::new();
            spent = cpu_s();
        }
        let started = Instant::now();
        let net = Net {
            config: &config,
            weights: &weights,
            adapter: adapter.as_ref(),
            recompute: options.recompute,
            products,
            workspace: &workspace,
        };
        let done = team.run(|| batch(net, &packing, trees.len(), true, &control.cancel))?;
        let scale = 1.0 / labels.max(1) as f32;
        let trained = adapter.as_mut().map_or(&mut weights, |adapter| &mut adapter.weights);
        team.run(|| optimiser.step(&shapes, trained, &done.grads, scale, 1e-4, 1.0))?;
        times.push(started.elapsed().as_secs_f64());
        workspace.keep(done.grads);
        losses.push(done.losses.iter().map(|loss| loss.total).sum::<f64>() / labels.max(1) as f64);
    }
    let cpu = cpu_s().zip(spent).map(|(now, before)| now - before);
    let fastest = times.iter().copied().fold(f64::MAX, f64::min);
    let slowest = times.iter().copied().fold(0.0, f64::max);
    let middle = median(times);
    let peak = gemm_peak(options.threads)?;
    let flops = operations(&config, tokens, labels, options.lora, packing.passes());
    let name = if options.tree.is_some() { "useful_tokens" } else { "tokens" };
    Ok(json!({
        "args": {
            "model": options.model, "lora": options.lora, "full": options.lora.is_none(),
            "batch": options.batch, "seq": options.seq, "supervised": options.supervised,
            "tree": options.tree, "threads": options.threads, "steps": options.steps,
        },
        format!("{name}_per_s"): tokens as f64 / middle,
        format!("{name}_per_s_min_max"): [tokens as f64 / slowest, tokens as f64 / fastest],
        format!("{name}_per_cpu_s"): cpu.map(|cpu| (tokens * options.steps) as f64 / cpu),
        "step_s": middle,
        "tokens_per_step": tokens,
        "computed_tokens_per_step": packing.computed,
        "tree_efficiency": tokens as f64 / packing.computed as f64,
        "passes_per_step": packing.passes(),
        "labels_per_step": labels,
        "trainable_params": optimiser.first.iter().map(Vec::len).sum::<usize>(),
        "peak_rss_mb": peak_rss_mb(),
        "planned_mb": planned.total >> 20,
        "loss_first": losses.first(),
        "loss_last": losses.last(),
        "units": forms::in_words(),
        "gflops": flops / middle / 1e9,
        "gemm_peak_gflops": peak / 1e9,
        "share_of_gemm_peak": flops / middle / peak,
    }))
}

pub(super) fn model(name: &str) -> Result<(Config, Buffers)> {
    let Some(size) = name.strip_prefix("small:") else {
        return ModelFiles::network(Path::new(name))?.weights();
    };
    let bad = || {
        Error::new(format!(
            "--model {name}: expected small:LAYERSxWIDTH, as in small:8x384, or a folder"
        ))
    };
    let (layers, hidden) = size.split_once('x').ok_or_else(bad)?;
    let layers: usize = layers.parse().map_err(|_| bad())?;
    let hidden: usize = hidden.parse().map_err(|_| bad())?;
    if hidden == 0 || !hidden.is_multiple_of(64) {
        return Err(bad().hint("the width must be a multiple of 64, the width of a head"));
    }
    let mut config = Config::small(layers, hidden, 2048)?;
    let heads = hidden / 64;
    let intermediate = (hidden * 8).div_ceil(3).next_multiple_of(64);
    config.heads = heads;
    config.kv_heads = heads;
    config.intermediate = intermediate;
    config.context = 4096;
    memory::room(4 * config.parameters(), "the model")?;
    let mut rng = Rng::new(1);
    let fill = |shape: &Vec<usize>| {
        let count = shape.iter().product();
        if shape.len() == 1 {
            vec![1.0; count]
        } else {
            (0..count).map(|_| 0.04 * (rng.unit() as f32 - 0.5)).collect()
        }
    };
    let shapes: Vec<Vec<usize>> = config.tensors().into_iter().map(|(_, shape)| shape).collect();
    let weights = shapes.iter().map(fill).collect();
    Ok((config, weights))
}

pub(super) fn draw(count: usize, config: &Config, rng: &mut Rng) -> Vec<u32> {
    (0..count).map(|_| rng.between(3, config.vocab - 1) as u32).collect()
}

fn sequence(options: &Options, config: &Config, rng: &mut Rng) -> TokenTree {
    let mut tree = TokenTree::default();
    tree.extend(None, &draw(options.seq, config, rng), 1.0);
    for weight in &mut tree.weights {
        *weight *= f32::from(u8::from(rng.unit() < options.supervised));
    }
    tree
}

/// Every node is a target once, except the prompt.
fn tree(path: &Path, config: &Config, rng: &mut Rng) -> Result<TokenTree> {
    let text =
        paths::read_whole(path, 64 << 20).map_err(|e| Error::io("reading the tree", path, &e))?;
    let bad = |what: &str| {
        Error::new(format!("{}: {what}", path.display()))
            .hint("the peers' trees.py writes such files")
    };
    let raw: Value = serde_json::from_slice(&text).map_err(|e| bad(&e.to_string()))?;
    let number = |value: &Value| {
        value.as_u64().map(|n| n as usize).ok_or_else(|| bad("a number is missing"))
    };
    let trunk = number(&raw["trunk"])?;
    let prompt = number(&raw["prompt"])?;
    let mut tree = TokenTree::default();
    tree.extend(None, &draw(trunk, config, rng), 1.0);
    for weight in tree.weights.iter_mut().take(prompt) {
        *weight = 0.0;
    }
    for branch in raw["branches"].as_array().ok_or_else(|| bad("no branches"))? {
        let attach = number(&branch["attach"])?;
        let len = number(&branch["len"])?;
        let at = attach
            .checked_sub(1)
            .filter(|at| *at < trunk)
            .ok_or_else(|| bad("a branch attached outside the trunk"))?;
        tree.extend(Some(at), &draw(len, config, rng), 1.0);
    }
    Ok(tree)
}

/// Floating-point operations of the matrix products of a step: forward, the gradient of the input,
/// and that of the weight where it is trained. Logits are computed for targets only.
fn operations(
    config: &Config,
    tokens: usize,
    labels: usize,
    lora: Option<usize>,
    forests: usize,
) -> f64 {
    let h = config.hidden;
    let inner = config.intermediate;
    let kv = config.kv_heads * config.head_dim();
    let layer = h * (2 * h + 2 * kv) + 3 * h * inner;
    let low = lora.map_or(0, |rank| rank * (2 * 2 * h + 2 * (h + kv) + 3 * (h + inner)));
    let frozen = (config.layers * layer * tokens + h * config.vocab * labels) as f64;
    let passes = if lora.is_some() { 4.0 } else { 6.0 };
    // An adapter: its gradients take four narrow products, and it is merged on the way forth and on
    // the way back.
    let merged = (4 * lora.unwrap_or_default() * config.layers * layer * forests) as f64;
    passes * frozen + 4.0 * (config.layers * low * tokens) as f64 + merged
}

/// Operations a second of the matrix product alone, on as many threads, each with a product of its
/// own.
fn gemm_peak(threads: usize) -> Result<f64> {
    const SHAPE: (usize, usize, usize) = (512, 576, 1536);
    const ROUNDS: usize = 60;
    let (m, k, n) = SHAPE;
    let work = || {
        let a = vec![0.5; m * k];
        let b = vec![0.25; n * k];
        let mut out = vec![0.0; m * n];
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let started = Instant::now();
            mul_nt(&mut out, &a, &b, k, false);
            times.push(started.elapsed().as_secs_f64());
        }
        black_box(&out);
        2.0 * (m * k * n) as f64 / median(times)
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let rates = workers
            .into_iter()
            .map(|w| w.join().map_err(|_| Error::new("a worker thread broke off")));
        rates.sum()
    })
}
