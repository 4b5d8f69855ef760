//! `foretaste bench`.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::noise::NoiseBench;
use super::out::tell;
use super::{Common, SuiteArgs, interruptible, number, real};
use crate::agent;
use crate::bench::{self, Sample};
use crate::env::Suite;
use crate::error::Result;

/// Arguments of `foretaste bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    command: BenchCommand,
}

#[derive(Debug, Subcommand)]
enum BenchCommand {
    /// Steps, forks, loading and memory of a suite's environments
    Env(EnvBench),
    /// The planner, from states off the walkthrough
    Plan(PlanBench),
    /// A training step: the options and keys of the peers' script
    Train(TrainBench),
    /// Reading a prompt
    Prefill(InferBench),
    /// One stream after a prompt, and several continuations of it together
    Decode(InferBench),
    /// The probabilities of a list of actions, with the prompt and with the prompt cached
    Score(InferBench),
    /// Explore's questions: all probabilities after a step, predictions for the expert's action and
    /// alternatives
    Agent(AgentBench),
    /// Key to frame of the terminal program, over a pseudo-terminal
    #[cfg(feature = "bench-ui")]
    Ui(UiBench),
    /// How often each expert wins a split's games, and in how many steps
    Experts(ExpertsBench),
    /// How fast demonstrations and uniform alternatives are collected and kept
    Collect(CollectBench),
    /// The gateway under load: what it adds to a call, and whether a call is lost
    Gateway(GatewayBench),
    /// An iteration of reinforcement learning: rollouts, and the update that learns from them
    Rl(RlBench),
    /// How noisy the gradient of each method of reinforcement learning is, in tokens
    Noise(NoiseBench),
    /// Many games at once against an endpoint that answers each question in its own time
    Rollouts(RolloutsBench),
}

#[derive(Debug, Args)]
struct RolloutsBench {
    #[command(flatten)]
    suite: SuiteArgs,
    /// The split
    #[arg(long, default_value = "train")]
    split: String,
    /// Games
    #[arg(long, default_value_t = 2000, value_parser = number::<usize>(1..=1_000_000))]
    games: usize,
    /// Games under way at once, and questions
    #[arg(long, default_value_t = 1000, value_parser = number::<usize>(1..=4096))]
    at_once: usize,
    /// Steps of a game at most
    #[arg(long, default_value_t = 10, value_parser = number::<usize>(1..=1000))]
    limit: usize,
    /// Milliseconds that an answer takes on average
    #[arg(long, default_value_t = 200, value_parser = number::<u64>(0..=60_000))]
    delay_ms: u64,
}

#[derive(Debug, Args)]
struct GatewayBench {
    /// Agents that call at once
    #[arg(long, default_value_t = 100, value_parser = number::<usize>(1..=4096))]
    agents: usize,
    /// Calls of each, one after the other
    #[arg(long, default_value_t = 100, value_parser = number::<usize>(1..=100_000))]
    calls: usize,
    /// Milliseconds that the endpoint behind it takes
    #[arg(long, default_value_t = 20, value_parser = number::<u64>(0..=60_000))]
    delay_ms: u64,
    /// As streams
    #[arg(long)]
    stream: bool,
}

#[derive(Debug, Args)]
struct RlBench {
    #[command(flatten)]
    suite: SuiteArgs,
    /// The split
    #[arg(long, default_value = "train")]
    split: String,
    /// Layers of a fresh model
    #[arg(long, default_value_t = 4, value_parser = number::<usize>(1..=64))]
    layers: usize,
    /// Its width
    #[arg(long, default_value_t = 256, value_parser = number::<usize>(64..=4096))]
    width: usize,
    /// A model in its place: embedded, novice, a checkpoint, a folder
    #[arg(long, value_name = "CHECKPOINT", conflicts_with_all = ["layers", "width"])]
    from: Option<String>,
    /// Tasks
    #[arg(long, default_value_t = 16, value_parser = number::<usize>(1..=1000))]
    tasks: usize,
    /// Rollouts of each
    #[arg(long, default_value_t = 8, value_parser = number::<usize>(1..=1000))]
    group: usize,
    /// Steps of a rollout at most
    #[arg(long, default_value_t = 30, value_parser = number::<usize>(1..=10_000))]
    limit: usize,
    /// Threads of the update
    #[arg(long, default_value_t = 2, value_parser = number::<usize>(1..=1024))]
    threads: usize,
}

#[derive(Debug, Args)]
struct CollectBench {
    #[command(flatten)]
    suite: SuiteArgs,
    /// The split
    #[arg(long, default_value = "train")]
    split: String,
    /// At most so many games
    #[arg(long, default_value_t = 200, value_parser = number::<usize>(1..=1_000_000))]
    games: usize,
    /// Alternatives a state
    #[arg(short, long, default_value_t = 4, value_parser = number::<usize>(1..=1000))]
    k: usize,
    /// Seed that draws games and alternatives
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
struct AgentBench {
    #[command(flatten)]
    sample: SampleArgs,
    /// embedded, novice, a checkpoint's number, a model folder, or a GGUF file; +bf16 behind it for
    /// products in bf16
    #[arg(long, default_value = "embedded")]
    checkpoint: String,
    /// Alternatives beside the expert's action
    #[arg(short, long, default_value_t = 4, value_parser = number::<usize>(1..=1000))]
    k: usize,
}

#[cfg(feature = "bench-ui")]
#[derive(Debug, Args)]
struct UiBench {
    /// Keys pressed
    #[arg(long, default_value_t = 400, value_parser = number::<usize>(1..=1_000_000))]
    keys: usize,
    /// Columns of the terminal
    #[arg(long, default_value_t = 120)]
    cols: u16,
    /// Rows of the terminal
    #[arg(long, default_value_t = 40)]
    rows: u16,
    /// Train meanwhile, on two threads
    #[arg(long)]
    train: bool,
    /// Games are collected meanwhile
    #[arg(long)]
    collect: bool,
    /// Steps of trajectories in the store before the program starts
    #[arg(long, default_value_t = 0, value_parser = number::<usize>(0..=1 << 30))]
    steps: usize,
    /// Trajectories of no steps besides, each a row of the lists
    #[arg(
        long,
        default_value_t = 0,
        value_name = "ROWS",
        value_parser = number::<usize>(0..=1 << 30)
    )]
    listed: usize,
}

#[derive(Debug, Args)]
struct InferBench {
    /// small:LAYERSxWIDTH (random weights), a model folder, or a GGUF file; +bf16 behind it for
    /// products in bf16
    #[arg(long, default_value = "small:4x256")]
    model: String,
    /// Tokens of the prompt
    #[arg(long, default_value_t = 500, value_parser = number::<usize>(1..=1 << 20))]
    prompt: usize,
    /// Tokens of one stream
    #[arg(long, default_value_t = 64, value_parser = number::<usize>(1..=1 << 20))]
    decode: usize,
    /// Continuations decoded together
    #[arg(long, default_value_t = 8, value_parser = number::<usize>(1..=1024))]
    k: usize,
    /// Tokens of each of them
    #[arg(long, default_value_t = 24, value_parser = number::<usize>(1..=1 << 20))]
    new: usize,
    /// Actions scored, of 5 to 7 tokens each
    #[arg(long, default_value_t = 23, value_parser = number::<usize>(1..=10_000))]
    candidates: usize,
    /// Threads
    #[arg(long, default_value_t = 2, value_parser = number::<usize>(1..=1024))]
    threads: usize,
    /// Measured rounds, after one other
    #[arg(long, default_value_t = 5, value_parser = number::<usize>(1..=10_000))]
    repeats: usize,
}

impl InferBench {
    fn options(self) -> bench::infer::Options {
        let Self { model, prompt, decode, k, new, candidates, threads, repeats } = self;
        bench::infer::Options { model, prompt, decode, k, new, candidates, threads, repeats }
    }
}

#[derive(Debug, Args)]
struct TrainBench {
    /// small:LAYERSxWIDTH (random weights) or a model folder
    #[arg(long, default_value = "small:4x256")]
    model: String,
    /// An adapter of this rank beside all seven linear layers of each block
    #[arg(
        long,
        value_name = "R",
        required_unless_present = "full",
        conflicts_with = "full",
        value_parser = number::<usize>(1..=4096)
    )]
    lora: Option<usize>,
    /// Full fine-tuning
    #[arg(long)]
    full: bool,
    /// Sequences a step
    #[arg(long, default_value_t = 8, value_parser = number::<usize>(1..=65_536))]
    batch: usize,
    /// Tokens a sequence
    #[arg(long, default_value_t = 256, value_parser = number::<usize>(2..=1 << 20))]
    seq: usize,
    /// Share of tokens that are targets
    #[arg(long, default_value_t = 1.0, value_parser = real(0.0..=1.0))]
    supervised: f64,
    /// A token tree (JSON) instead of sequences
    #[arg(long, value_name = "FILE")]
    tree: Option<std::path::PathBuf>,
    /// Threads
    #[arg(long, default_value_t = 2, value_parser = number::<usize>(1..=1024))]
    threads: usize,
    /// Tokens of one pass at most (default: the whole step)
    #[arg(long, value_name = "TOKENS", value_parser = number::<usize>(1..=1 << 30))]
    budget: Option<usize>,
    /// Activation checkpointing
    #[arg(long)]
    recompute: bool,
    /// Multiply in bf16
    #[arg(long)]
    bf16: bool,
    /// Measured steps
    #[arg(long, default_value_t = 5, value_parser = number::<usize>(1..=1_000_000))]
    steps: usize,
    /// Steps before
    #[arg(long, default_value_t = 2, value_parser = number::<usize>(0..=1_000_000))]
    warmup: usize,
}

#[derive(Debug, Args)]
struct ExpertsBench {
    #[command(flatten)]
    suite: SuiteArgs,
    /// The split
    #[arg(long, default_value = "train")]
    split: String,
    /// At most so many games (default: all)
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
    games: usize,
    /// Seed that draws games, if not all are played
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Which suite, and which of its games.
#[derive(Debug, Args)]
struct SampleArgs {
    #[command(flatten)]
    suite: SuiteArgs,
    /// Only this split (default: all)
    #[arg(long)]
    split: Option<String>,
    /// How many games
    #[arg(long, default_value_t = 100)]
    games: usize,
    /// Seed that draws games, states and actions
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl SampleArgs {
    fn open(self) -> Result<(Arc<dyn Suite>, Sample)> {
        Ok((self.suite.open()?, Sample { split: self.split, games: self.games, seed: self.seed }))
    }
}

#[derive(Debug, Args)]
struct PlanBench {
    #[command(flatten)]
    sample: SampleArgs,
    /// States of each game: a point of the walkthrough and 10 to 50 random steps from there
    #[arg(long, default_value_t = 10, value_parser = number::<usize>(1..=1_000_000))]
    states: usize,
}

#[derive(Debug, Args)]
struct EnvBench {
    #[command(flatten)]
    sample: SampleArgs,
    /// Episodes of random admissible actions in each game
    #[arg(long, default_value_t = 20, value_parser = number::<usize>(1..=1_000_000))]
    episodes: usize,
    /// Worker threads
    #[arg(long, default_value_t = 1, value_parser = number::<usize>(1..=1024))]
    threads: usize,
    /// Forks of one game to keep alive at once (a million takes about 3 GB)
    #[arg(long, default_value_t = 10_000, value_parser = number::<usize>(0..=1 << 30))]
    forks: usize,
}

/// Runs the command.
pub fn run(common: &Common, args: BenchArgs) -> Result<()> {
    let rows =
        |rows: Vec<Value>| rows.iter().for_each(|row| common.out().line(row, || lines(row) + "\n"));
    let cancel = interruptible()?.cancel;
    let figures = match args.command {
        BenchCommand::Agent(AgentBench { sample, checkpoint, k }) => {
            let (suite, sample) = sample.open()?;
            let model = crate::agent::load(&common.store()?, Some(&checkpoint), None)?;
            bench::agent::run(suite.as_ref(), &sample, model, k, &cancel)?
        }
        #[cfg(feature = "bench-ui")]
        BenchCommand::Ui(UiBench { keys, cols, rows, train, collect, steps, listed }) => {
            let program = std::env::current_exe()
                .map_err(|e| crate::error::Error::new(format!("finding this program: {e}")))?;
            bench::ui::run(
                &bench::ui::Options {
                    program,
                    keys,
                    size: (cols, rows),
                    train,
                    collect,
                    steps,
                    rows: listed,
                },
                &cancel,
            )?
        }
        BenchCommand::Prefill(args) => {
            return bench::infer::prefill(&args.options(), &cancel).map(rows);
        }
        BenchCommand::Decode(args) => {
            return bench::infer::decode(&args.options(), &cancel).map(rows);
        }
        BenchCommand::Score(args) => {
            return bench::infer::score(&args.options(), &cancel).map(rows);
        }
        BenchCommand::Env(EnvBench { sample, episodes, threads, forks }) => {
            let (suite, sample) = sample.open()?;
            let options = bench::env::Options { sample, episodes, threads, forks };
            bench::env::run(suite.as_ref(), &options, &interruptible()?)?
        }
        BenchCommand::Plan(PlanBench { sample, states }) => {
            let (suite, sample) = sample.open()?;
            bench::plan::run(suite.as_ref(), &sample, states, &interruptible()?)?
        }
        BenchCommand::Train(args) => {
            let TrainBench { model, lora, full: _, batch, seq, supervised, tree, threads, .. } =
                args;
            let TrainBench { budget, recompute, bf16, steps, warmup, .. } = args;
            let options = bench::train::Options {
                model,
                batch,
                seq,
                supervised,
                tree,
                lora,
                threads,
                budget,
                recompute,
                bf16,
                steps,
                warmup,
            };
            bench::train::run(&options, &interruptible()?)?
        }
        BenchCommand::Gateway(GatewayBench { agents, calls, delay_ms, stream }) => {
            let options = bench::gateway::Options { agents, calls, delay_ms, stream };
            bench::gateway::run(&options, &cancel)?
        }
        BenchCommand::Rl(args) => rl(common, args)?,
        BenchCommand::Noise(args) => return args.run(common, rows),
        BenchCommand::Rollouts(RolloutsBench { suite, split, games, at_once, limit, delay_ms }) => {
            let suite = suite.open()?;
            let options = bench::rollouts::Options { split, games, at_once, limit, delay_ms };
            bench::rollouts::run(suite.as_ref(), &options, &interruptible()?)?
        }
        BenchCommand::Collect(CollectBench { suite, split, games, k, seed }) => {
            let suite = suite.open()?;
            let sample = Sample { split: Some(split), games, seed };
            bench::collect::run(suite.as_ref(), &sample, k, &interruptible()?)?
        }
        BenchCommand::Experts(ExpertsBench { suite, split, games, seed }) => {
            let suite = suite.open()?;
            let sample = Sample { split: Some(split), games, seed };
            let mut report = |row: Value| tell(&row.to_string());
            bench::experts::run(suite.as_ref(), &sample, &interruptible()?, &mut report)?
        }
    };
    common.out().line(&figures, || lines(&figures));
    Ok(())
}

/// An iteration of reinforcement learning.
fn rl(common: &Common, args: RlBench) -> Result<Value> {
    let RlBench { suite, split, layers, width, from, tasks, group, limit, threads } = args;
    let found = |name: String| agent::find(&common.store()?, Some(&name), None);
    let (shape, from) = ((layers, width), from.map(found).transpose()?);
    let options = bench::rl::Options { shape, from, split, tasks, group, limit, threads };
    bench::rl::run(suite.open()?.as_ref(), &options, &interruptible()?)
}

/// A figure a line.
fn lines(figures: &Value) -> String {
    let rounded = |value: &Value| match value.as_f64() {
        Some(number) if number.fract() != 0.0 => format!("{number:.3}"),
        _ => value.to_string(),
    };
    let fields = figures.as_object().into_iter().flatten();
    fields.map(|(key, value)| format!("{key:26} {}", rounded(value))).collect::<Vec<_>>().join("\n")
}
