//! `foretaste train`.

use clap::Args;
use serde_json::{Map, Value, json};

use super::{Common, interruptible};
use crate::error::Result;
use crate::model::weights::Trainable;
use crate::train::trainer::{self, Event};
use crate::train::{Objective, Plan, checkpoint};

/// Arguments of `foretaste train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// What to optimise: imitation, world-model, reflection (or joint, which made the embedded model)
    #[arg(long, required_unless_present_any = ["resume", "queued"])]
    objective: Option<String>,
    /// Updates
    #[arg(long, default_value_t = 200)]
    steps: u64,
    /// Seed of the data order
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Start from: embedded, a checkpoint's number, or a model folder (default: the newest checkpoint, else embedded)
    #[arg(long, value_name = "CHECKPOINT")]
    from: Option<String>,
    /// Trees an update
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// Peak learning rate
    #[arg(long, default_value_t = 5e-4)]
    rate: f64,
    /// Threads; results do not depend on how many
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Tokens of one pass at most: an update's trees are packed into as many passes as they need
    #[arg(long, default_value_t = 2048)]
    budget: usize,
    /// Activation checkpointing: a third more work for a fraction of the memory
    #[arg(long)]
    recompute: bool,
    /// Megabytes that the run may take (default: what the machine has free)
    #[arg(long, value_name = "MB")]
    memory_limit: Option<u64>,
    /// Updates between checkpoints (default: a quarter of the run)
    #[arg(long)]
    save_every: Option<u64>,
    /// Only data of this suite
    #[arg(long)]
    suite: Option<String>,
    /// Only demonstrations of this split; `all` for every one
    #[arg(long, default_value = "train")]
    split: String,
    /// Train an adapter of this rank beside all linear layers (LoRA) in place of the weights
    #[arg(long, value_name = "R")]
    lora: Option<usize>,
    /// Go on with this run from its newest checkpoint, or start it if it waits
    #[arg(long, value_name = "RUN", conflicts_with_all = ["objective", "from"])]
    resume: Option<i64>,
    /// Only write it down: it waits for its turn
    #[arg(long, requires = "objective")]
    queue: bool,
    /// Then train every run that waits, the oldest first (alone: only those)
    #[arg(long, conflicts_with = "queue")]
    queued: bool,
}

/// Runs the command.
pub fn run(common: &Common, args: TrainArgs) -> Result<()> {
    let mut store = common.store()?;
    let (out, mut live) = (common.out(), common.out());
    let control = interruptible();
    let mut each = |event: Event<'_>| match event {
        Event::Begun { run, data, memory } => out.line(&json!({"run": run, "data": data, "memory": memory}), || {
            format!(
                "run {run}: {} demonstrations, {} alternatives, {} reflections, {} tokens; {memory}",
                data.demonstrations, data.branches, data.reflections, data.tokens
            )
        }),
        Event::Update { step, metrics, progress } => {
            let row: Map<String, Value> = std::iter::once(("step".to_string(), json!(step)))
                .chain(metrics.iter().map(|(name, value)| ((*name).to_string(), json!(value))))
                .collect();
            if out.is_json() || step % 10 == 0 {
                out.line(&Value::Object(row), || {
                    let shown = metrics.iter().map(|(name, value)| format!("{name} {value:.4}"));
                    format!("step {step}  {}", shown.collect::<Vec<_>>().join("  "))
                });
            }
            live.progress(&progress);
        }
        Event::Saved { step, folder } => {
            out.line(&json!({"saved": folder, "step": step}), || format!("saved {}", folder.display()));
        }
    };
    let finished = |run: i64| out.line(&json!({"finished": run}), || format!("run {run} is finished"));
    match (args.resume, &args.objective) {
        (Some(run), _) => finished(trainer::resume(&mut store, run, &control, &mut each)?),
        (None, None) => {}
        (None, Some(objective)) => {
            let objective = Objective::from_word(objective)?;
            let mut plan = Plan::new(objective, args.steps, args.seed);
            (plan.batch, plan.rate, plan.workers, plan.suite) = (args.batch.max(1), args.rate, args.workers, args.suite);
            plan.lora = args.lora;
            (plan.budget, plan.recompute) = (args.budget.max(1), args.recompute);
            plan.memory_limit = args.memory_limit.map(|megabytes| megabytes * 1_000_000);
            plan.split = Some(args.split).filter(|split| split != "all");
            plan.save_every = args.save_every.unwrap_or(plan.save_every).max(1);
            if args.queue {
                let run = trainer::queue(&store, &plan, args.from.as_deref())?;
                let next = "foretaste train --queued";
                out.line(&json!({"queued": run}), || format!("run {run} waits for its turn: {next}"));
                return Ok(());
            }
            let (parts, source) = checkpoint::find(&store, args.from.as_deref())?;
            let weights = Trainable::from_parts(&parts, &source)?;
            finished(trainer::train(&mut store, &plan, weights, &source, &control, &mut each)?);
        }
    }
    while let Some(run) = store.next_queued()?.filter(|_| args.queued) {
        finished(trainer::resume(&mut store, run, &control, &mut each)?);
    }
    Ok(())
}
