//! A training step: the options and figures of the peers' benchmark script, so that the two can run
//! in turns.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use super::{cpu_s, median, peak_rss_mb};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::adamw::{AdamW, Change};
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

/// Measures a step: forward, backward, clipping, AdamW. Of a tree then also steps of flat
/// sequences, to say what of its tokens' worth it reaches: both by the tokens that they have (the
/// ends of branches, which are not computed, among them). Memory is that of the steps of the tree.
pub fn run(options: &Options, control: &Control) -> Result<Value> {
    let mut trial = Trial::new(options)?;
    let mut rng = Rng::new(0);
    if options.batch * options.seq > MOST {
        return Err(Error::new(format!(
            "a step of {} sequences of {} tokens",
            options.batch, options.seq
        ))
        .hint(format!("at most {MOST} tokens are taken")));
    }
    let path = options.tree.as_deref();
    let of = path.map(|path| tree(path, &trial.config, &mut Rng::new(0))).transpose()?;
    // Of a tree the sequences beside it have the same share of targets.
    let targets = |tree: &TokenTree| tree.weights.iter().filter(|w| **w != 0.0).count();
    let share = |tree: &TokenTree| targets(tree) as f64 / tree.len().max(1) as f64;
    let supervised = of.as_ref().map_or(options.supervised, share);
    let flat: Vec<TokenTree> = (0..options.batch)
        .map(|_| sequence(options.seq, supervised, &trial.config, &mut rng))
        .collect();
    let flat: Vec<&TokenTree> = flat.iter().collect();
    let trees = of.as_ref().map_or_else(|| flat.clone(), |tree| vec![tree]);
    let packing = Packing::new(&trees, options.budget.unwrap_or(usize::MAX));
    let planned = MemoryPlan::new(trial.net(), packing.largest, packing.largest, packing.shared);
    let done = trial.measure(&trees, &packing, control)?;
    let peak_rss_mb = peak_rss_mb();
    let peak = gemm_peak(options.threads)?;
    let tokens = packing.tokens;
    let flops =
        operations(&trial.config, packing.computed, done.labels, options.lora, packing.passes());
    let name = if of.is_some() { "useful_tokens" } else { "tokens" };
    let mut out = json!({
        "args": {
            "model": options.model, "lora": options.lora, "full": options.lora.is_none(),
            "batch": options.batch, "seq": options.seq, "supervised": options.supervised,
            "tree": options.tree, "threads": options.threads, "steps": options.steps,
        },
        format!("{name}_per_s"): tokens as f64 / done.step_s,
        format!("{name}_per_s_min_max"): [tokens as f64 / done.slowest, tokens as f64 / done.fastest],
        format!("{name}_per_cpu_s"): done.cpu_s.map(|cpu| (tokens * options.steps) as f64 / cpu),
        "step_s": done.step_s,
        "tokens_per_step": tokens,
        "computed_tokens_per_step": packing.computed,
        "passes_per_step": packing.passes(),
        "labels_per_step": done.labels,
        "trainable_params": trial.optimiser.first.iter().map(Vec::len).sum::<usize>(),
        "peak_rss_mb": peak_rss_mb,
        "planned_mb": planned.total >> 20,
        "loss_first": done.losses.first(),
        "loss_last": done.losses.last(),
        "units": forms::in_words(),
        "gflops": flops / done.step_s / 1e9,
        "gemm_peak_gflops": peak / 1e9,
        "share_of_gemm_peak": flops / done.step_s / peak,
    });
    if let Some(tree) = &of {
        let packing = Packing::new(&flat, options.budget.unwrap_or(usize::MAX));
        let rate = packing.tokens as f64 / trial.measure(&flat, &packing, control)?.step_s;
        // Each branch as a sequence of its own repeats a token for every end below it.
        let flattened: usize = tree.leaves(|_| true).iter().sum();
        out["flattening_ratio"] = json!(flattened as f64 / tokens as f64);
        out["flat_tokens_per_s"] = json!(rate);
        out["tree_efficiency"] = json!(tokens as f64 / done.step_s / rate);
    }
    Ok(out)
}

/// A model and its optimiser, for steps to be measured.
struct Trial<'a> {
    options: &'a Options,
    config: Config,
    weights: Buffers,
    adapter: Option<Adapter>,
    shapes: Vec<(String, Vec<usize>)>,
    optimiser: AdamW,
    workspace: Workspace,
    team: Team,
}

/// What some steps took.
struct Measured {
    /// Seconds of the median step, the fastest, and the slowest.
    step_s: f64,
    fastest: f64,
    slowest: f64,
    /// Seconds of processors in all steps.
    cpu_s: Option<f64>,
    /// The mean loss of each step.
    losses: Vec<f64>,
    /// Targets a step.
    labels: usize,
}

impl<'a> Trial<'a> {
    fn new(options: &'a Options) -> Result<Self> {
        let (config, weights) = model(&options.model)?;
        let adapter = |rank| Adapter::new(&config, rank, 2.0 * rank as f64, &LINEARS, 0);
        let adapter = options.lora.map(adapter).transpose()?;
        let shapes = adapter.as_ref().map_or_else(|| config.tensors(), |a| a.shapes().to_vec());
        let optimiser = AdamW::new(&shapes);
        let team = Team::new(options.threads, Priority::Interactive)?;
        let workspace = Workspace::default();
        Ok(Self { options, config, weights, adapter, shapes, optimiser, workspace, team })
    }

    fn net(&self) -> Net<'_> {
        Net {
            device: None,
            config: &self.config,
            weights: &self.weights,
            adapter: self.adapter.as_ref(),
            recompute: self.options.recompute,
            products: if self.options.bf16 { Products::Bf16 } else { Products::F32 },
            workspace: &self.workspace,
        }
    }

    fn measure(
        &mut self,
        trees: &[&TokenTree],
        packing: &Packing,
        control: &Control,
    ) -> Result<Measured> {
        let weights = trees.iter().flat_map(|tree| &tree.weights);
        let labels = weights.filter(|weight| **weight != 0.0).count().max(1);
        let mut times = Vec::new();
        let mut losses = Vec::new();
        let mut before = cpu_s();
        for i in 0..self.options.warmup + self.options.steps {
            control.cancel.check()?;
            if i == self.options.warmup {
                times.clear();
                before = cpu_s();
            }
            let started = Instant::now();
            let sums = || batch(self.net(), packing, trees.len(), true, &control.cancel);
            let done = self.team.run(sums)?;
            let scale = 1.0 / labels as f32;
            let by = Change { scale, rate: 1e-4, decay: 0.01, clip: 1.0 };
            let Self { adapter, weights, optimiser, shapes, .. } = self;
            let trained = adapter.as_mut().map_or(weights, |adapter| &mut adapter.weights);
            let update = || optimiser.step(shapes, trained, &done.grads, by);
            self.team.run(update)?;
            times.push(started.elapsed().as_secs_f64());
            self.workspace.keep(done.grads);
            losses.push(done.losses.iter().map(|loss| loss.total).sum::<f64>() / labels as f64);
        }
        Ok(Measured {
            fastest: times.iter().copied().fold(f64::MAX, f64::min),
            slowest: times.iter().copied().fold(0.0, f64::max),
            step_s: median(times),
            cpu_s: cpu_s().zip(before).map(|(now, before)| now - before),
            losses,
            labels,
        })
    }
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
    config.head_dim = 64;
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

fn sequence(tokens: usize, supervised: f64, config: &Config, rng: &mut Rng) -> TokenTree {
    let mut tree = TokenTree::default();
    tree.extend(None, &draw(tokens, config, rng), 1.0);
    for weight in &mut tree.weights {
        *weight *= f32::from(u8::from(rng.unit() < supervised));
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
    parts: usize,
) -> f64 {
    let h = config.hidden;
    let inner = config.intermediate;
    let kv = config.keys();
    let layer = h * (2 * h + 2 * kv) + 3 * h * inner;
    let low = lora.map_or(0, |rank| rank * (2 * 2 * h + 2 * (h + kv) + 3 * (h + inner)));
    let frozen = (config.layers * layer * tokens + h * config.vocab * labels) as f64;
    let passes = if lora.is_some() { 4.0 } else { 6.0 };
    // An adapter: its gradients take four narrow products, and it is merged on the way forth and on
    // the way back.
    let merged = (4 * lora.unwrap_or_default() * config.layers * layer * parts) as f64;
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
