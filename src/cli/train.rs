//! `foretaste train`.

use clap::Args;
use serde_json::{Map, Value, json};

use super::engine::EngineArgs;
use super::rl::RlArgs;
use super::{Common, interruptible, number, out, real};
use crate::error::Result;
use crate::experience::{ANSWERS, ActionEffect};
use crate::model::step::Products;
use crate::selection::{ALL, Criteria, HELD_OUT, Share};
use crate::store::Store;
use crate::train::data::DataSummary;
use crate::train::elsewhere::Elsewhere;
use crate::train::trainer::{self, Event};
use crate::train::{
    Budget, Moments, Objective, Plan, Preferences, Schedule, Stage, Tuning, usual_start,
};

/// Arguments of `foretaste train`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct TrainArgs {
    /// What to optimise: imitation, world-model, reflection, both, list, dpo, rl (or joint, which
    /// made the embedded model)
    #[arg(long, required_unless_present_any = ["resume", "queued"])]
    objective: Option<String>,
    /// Updates; of world-model those of the imitation stage, unless --match says otherwise
    #[arg(long, default_value_t = 200)]
    steps: u64,
    /// Passes over the trajectories, in place of --steps
    #[arg(long, conflicts_with = "steps", value_name = "N")]
    epochs: Option<f64>,
    /// Seed of the data order
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Start from: embedded, embedded-alfworld, newest (checkpoint), a checkpoint's number or name, a model folder, or
    /// a name of the hub (default: the embedded model that knows the suite)
    #[arg(long, value_name = "CHECKPOINT")]
    from: Option<String>,
    /// Trajectories an update, each with all that hangs off it; of rl, tasks
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// Peak learning rate of a stage (default: 5e-4; of rl 1e-4)
    #[arg(long)]
    rate: Option<f64>,
    #[command(flatten)]
    tuning: TuningArgs,
    #[command(flatten)]
    data: ChoiceArgs,
    #[command(flatten)]
    rl: RlArgs,
    /// Of dpo, what the distance from the start counts (default: 0.1)
    #[arg(long, value_parser = real(1e-4..=100.0))]
    beta: Option<f64>,
    /// How many updates world modelling and the imitation after it get
    #[arg(long = "match", value_enum, default_value_t = Budget::Stage2, value_name = "BUDGET")]
    matched: Budget,
    /// Passes over the data of world modelling
    #[arg(long, default_value_t = 1.0, value_name = "N")]
    world_epochs: f64,
    /// What becomes of the optimiser's moments between the stages
    #[arg(long, value_enum, default_value_t = Moments::Reset)]
    moments: Moments,
    /// A control: deal the next states out among the alternatives of their trajectory
    #[arg(long)]
    shuffled: bool,
    /// World modelling of executed alternatives alone, without the expert's own next states
    #[arg(long)]
    alternatives_only: bool,
    /// Threads; results do not depend on how many
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Tokens of one pass at most: an update's trees are packed into as many passes as they need
    /// (default: as many as the largest tree has, up to 8,192 and as far as there is memory)
    #[arg(long, value_parser = number::<usize>(1..=1 << 30))]
    budget: Option<usize>,
    /// Activation checkpointing: a third more work for a fraction of the memory
    #[arg(long)]
    recompute: bool,
    /// Multiply in bf16: operands of products are rounded to it, while weights, gradients, moments
    /// and every sum stay f32. Faster where the processor has a matrix unit (foretaste doctor says)
    #[arg(long)]
    bf16: bool,
    /// Megabytes that the run may take (default: what the machine has free)
    #[arg(long, value_name = "MB")]
    memory_limit: Option<u64>,
    /// Updates between checkpoints (default: a quarter of the run, at least 25, of rl 10)
    #[arg(long, value_parser = number::<u64>(1..=u64::MAX))]
    save_every: Option<u64>,
    /// Updates between validations on what is held out (default: at every checkpoint)
    #[arg(long, value_parser = number::<u64>(1..=u64::MAX))]
    validate_every: Option<u64>,
    /// Keep every checkpoint (else, where games are held out, only the newest, the best on those,
    /// ends of stages, and those in use)
    #[arg(long)]
    keep_all: bool,
    /// Train an adapter of this rank beside all linear layers (LoRA) in place of the weights
    #[arg(long, value_name = "R")]
    lora: Option<usize>,
    /// The adapter's alpha: its output is multiplied with alpha / R (default: twice the rank)
    #[arg(long, requires = "lora", value_name = "ALPHA")]
    alpha: Option<f64>,
    /// The linear layers that it stands beside (default: all)
    #[arg(long, requires = "lora", value_delimiter = ',', value_name = "LAYERS")]
    modules: Vec<String>,
    #[command(flatten)]
    engine: EngineArgs,
    /// Go on with this run from its newest checkpoint, or start it if it waits
    #[arg(long, value_name = "RUN", conflicts_with = "objective")]
    resume: Option<i64>,
    /// Only write it down: it waits for its turn
    #[arg(long, requires = "objective")]
    queue: bool,
    /// Then train every run that waits, the oldest first (alone: only those)
    #[arg(long, conflicts_with = "queue")]
    queued: bool,
}

impl TrainArgs {
    /// The plan that they ask for.
    fn plan(self, objective: &str) -> Result<Plan> {
        let objective = Objective::from_name(objective)?;
        let usual = Plan::new(objective, self.steps, self.seed);
        let (torchrun, device) = self.engine.settings()?;
        let rl = self.rl.settings(objective)?;
        let by_tokens = rl.as_ref().is_some_and(|rl| rl.tokens.is_some());
        Ok(Plan {
            epochs: self.epochs,
            batch: self.batch,
            rate: self.rate.unwrap_or(match objective {
                Objective::Rl => 1e-4,
                _ => 5e-4,
            }),
            tuning: self.tuning.tuning(by_tokens),
            workers: self.workers,
            data: self.data.criteria("train"),
            lora: self.lora,
            alpha: self.alpha,
            modules: self.modules,
            budget: self.budget.map(|budget| budget.max(1)),
            recompute: self.recompute,
            products: if self.bf16 { Products::Bf16 } else { Products::F32 },
            memory_limit: self.memory_limit.map(|megabytes| megabytes.saturating_mul(1_000_000)),
            save_every: self.save_every,
            validate_every: self.validate_every,
            matched: self.matched,
            world_epochs: self.world_epochs,
            moments: self.moments,
            shuffled: self.shuffled,
            alternatives_only: self.alternatives_only,
            keep_all: self.keep_all,
            rl,
            torchrun,
            device,
            beta: self.beta.or(usual.beta),
            ..usual
        })
    }
}

/// How fast weights are changed.
#[derive(Debug, Args)]
struct TuningArgs {
    /// How the rate falls after its warm-up (default: cosine; with --tokens, constant)
    #[arg(long, value_enum)]
    schedule: Option<Schedule>,
    /// Share of a stage's updates over which the rate rises (default: 0.05; with --tokens, 0)
    #[arg(long, value_name = "SHARE")]
    warmup: Option<f64>,
    /// What the rate falls to, as a share of its peak
    #[arg(long, default_value_t = Tuning::default().floor, value_name = "SHARE")]
    floor: f64,
    /// Weight decay
    #[arg(long, default_value_t = Tuning::default().decay)]
    decay: f64,
    /// Global norm that gradients are scaled down to
    #[arg(long, default_value_t = Tuning::default().clip, value_name = "NORM")]
    clip: f64,
}

impl TuningArgs {
    fn tuning(&self, by_tokens: bool) -> Tuning {
        let Self { schedule, warmup, floor, decay, clip } = *self;
        let usual = Tuning::usual(by_tokens);
        let (schedule, warmup) =
            (schedule.unwrap_or(usual.schedule), warmup.unwrap_or(usual.warmup));
        Tuning { schedule, warmup, floor, decay, clip }
    }
}

/// What is trained on, or exported for another trainer.
#[derive(Debug, Args)]
pub struct ChoiceArgs {
    /// Only data of this suite
    #[arg(long)]
    suite: Option<String>,
    /// Only demonstrations of this split; `all` for every one (default: train)
    #[arg(long)]
    split: Option<String>,
    /// Only demonstrations by this expert; `all` mixes them (needed where there are several)
    #[arg(long)]
    expert: Option<String>,
    /// Only a share of the split's instances: 1/8, or 1/8@3 by the seed 3
    #[arg(long)]
    share: Option<Share>,
    /// Only texts by this writer, as `data list reflections` names it
    #[arg(long)]
    writer: Option<String>,
    /// Which pool of alternatives world modelling trains on: uniform, policy, explore, a name, or
    /// all
    #[arg(long, default_value = crate::experience::UNIFORM, value_name = "POOL")]
    branches: String,
    /// At most so many alternatives a state, the first ones drawn; 0 leaves only the expert's own
    /// next states
    #[arg(short, value_parser = number::<usize>(0..=1000))]
    k: Option<usize>,
    /// Leave out alternatives of these effects: changed, no-op, error, same-as-expert, equally-good,
    /// no-worse, ends
    #[arg(long, value_delimiter = ',', value_name = "EFFECTS", value_parser = ActionEffect::parse)]
    without: Vec<ActionEffect>,
    /// At most this share of a trajectory's alternatives may be refused actions
    #[arg(long, value_name = "SHARE", value_parser = real(0.0..=1.0))]
    errors: Option<f64>,
    /// Also what the expert answered in the states of visits (collect visits), of this pool
    #[arg(long, value_name = "POOL", num_args = 0..=1, default_missing_value = ANSWERS)]
    visits: Option<String>,
    /// Also texts that a model wrote without sight of any outcome
    #[arg(long)]
    rationales: bool,
    /// Share of instances (room and task) kept out of training: the same ones for every run
    #[arg(long, default_value_t = HELD_OUT, value_name = "SHARE")]
    held_out: f64,
}

impl ChoiceArgs {
    /// The name of a flag that only means something for what is trained on, if one was given.
    pub fn beyond_place(&self) -> Option<&'static str> {
        let usual = Criteria::default();
        let given = [
            (self.expert.is_some(), "--expert"),
            (self.share.is_some(), "--share"),
            (self.writer.is_some(), "--writer"),
            (self.branches != usual.pool, "--branches"),
            (self.k.is_some(), "-k"),
            (!self.without.is_empty(), "--without"),
            (self.errors.is_some(), "--errors"),
            (self.visits.is_some(), "--visits"),
            (self.rationales, "--rationales"),
            (self.held_out.to_bits() != usual.held_out.to_bits(), "--held-out"),
        ];
        given.iter().find(|(given, _)| *given).map(|(_, flag)| *flag)
    }

    /// As criteria; without a word about the split it is `split`.
    pub fn criteria(self, split: &str) -> Criteria {
        Criteria {
            suite: self.suite,
            split: Some(self.split.unwrap_or_else(|| split.to_string()))
                .filter(|split| split != ALL),
            expert: self.expert,
            share: self.share,
            writer: self.writer,
            pool: self.branches,
            k: self.k,
            rationales: self.rationales,
            visits: self.visits,
            without: self.without,
            errors: self.errors,
            held_out: self.held_out,
        }
    }
}

/// What a run trains on, in words, a line each.
pub fn describe(data: &DataSummary, stages: &[Stage], batch: usize) -> Vec<String> {
    let mut lines = vec![format!(
        "{} demonstrations, {} alternatives, {} reflections; {} trees of {} unique tokens",
        data.demonstrations, data.branches, data.reflections, data.trees, data.tokens,
    )];
    if let Some(preferred) = data.preferred() {
        lines[0] = preferred;
    }
    lines.push(data.validation());
    lines.push(data.targets_in_words(stages));
    lines.extend(stages.iter().map(|stage| {
        format!(
            "{}: {} updates, {:.2} epochs over {} trees",
            stage.name,
            stage.updates,
            stage.epochs(batch),
            stage.trees
        )
    }));
    lines.extend(data.notes());
    lines
}

/// Runs the command.
pub fn run(common: &Common, args: TrainArgs) -> Result<()> {
    let mut store = common.store()?;
    let out = common.out();
    let mut live = common.out();
    let control = interruptible()?;
    let mut each = |event: Event<'_>| match event {
        Event::Begun { run, start, plan, data, stages, memory, warnings } => {
            let row = json!({
                "run": run, "start": start, "data": data, "stages": stages, "memory": memory,
                "warnings": warnings,
            });
            out.line(&row, || {
                let what = match &plan.rl {
                    Some(rl) => rl.in_words(plan.batch),
                    None => describe(data, stages, plan.batch).join("\n  "),
                };
                // What another engine needs it knows itself.
                let by = match (&plan.torchrun, plan.device) {
                    (Some(of), _) => of.in_words(),
                    (None, Some(device)) => format!("candle on {device}, {memory}"),
                    (None, None) => memory.to_string(),
                };
                format!("run {run} from {start}: {what}; {by}")
            });
            for warning in warnings {
                out::tell(&format!("warning: {warning}"));
            }
        }
        Event::Update { step, metrics, progress } => {
            let row: Map<String, Value> = std::iter::once(("step".to_string(), json!(step)))
                .chain(metrics.iter().map(|(name, value)| (name.clone(), json!(value))))
                .collect();
            // An update that plays takes long: each is said.
            let plays = metrics.iter().any(|(name, _)| name == "success");
            if out.is_json() || plays || step % 10 == 0 {
                let cumulative =
                    |name: &str| name.starts_with("tokens_u") || name.starts_with("targets_");
                out.line(&Value::Object(row), || {
                    let shown = metrics.iter().filter(|(name, _)| !cumulative(name));
                    let shown = shown.map(|(name, value)| format!("{name} {}", figure(*value)));
                    format!("step {step}  {}", shown.collect::<Vec<_>>().join("  "))
                });
            }
            live.progress(&progress);
        }
        Event::Doing(progress) => live.progress(&progress),
        Event::Saved { step, folder, set_aside, removed, whole } => {
            let said = |path: &std::path::Path| path.display().to_string();
            let row = json!({"saved": said(folder), "step": step, "whole": whole, "set_aside": set_aside.map(said), "removed": removed});
            out.line(&row, || format!("saved {}{}", folder.display(), event.besides()));
        }
    };
    let finished =
        |run: i64| out.line(&json!({"finished": run}), || format!("run {run} is finished"));
    let TrainArgs { queue, queued, resume, from, .. } = &args;
    let (queue, queued, from) = (*queue, *queued, from.clone());
    match (*resume, args.objective.clone()) {
        (Some(run), _) => {
            let EngineArgs { python, device, .. } = &args.engine;
            let by = Elsewhere { python: python.clone(), device: *device };
            finished(trainer::resume_elsewhere(&mut store, run, &by, &control, &mut each)?);
        }
        (None, None) => {}
        (None, Some(objective)) => {
            let captured = args.rl.captured.clone();
            let mut plan = args.plan(&objective)?;
            if let Some(of) = plan.rl.as_mut().and_then(|rl| rl.captured.as_mut()) {
                of.id = store.called_agent(&of.agent)?.id;
                of.upto = store.last_call()?;
            }
            if let Some(agent) = captured.filter(|_| plan.rl.is_none()) {
                plan.preferences = Some(Preferences::so_far(&store, &agent)?);
            }
            plan.check()?;
            let from = match from {
                Some(from) => from,
                None => start(&store, &plan)?.to_string(),
            };
            if queue {
                let run = trainer::queue(&store, &plan, &from)?;
                let next = "foretaste train --queued";
                out.line(&json!({"queued": run}), || {
                    format!("run {run} waits for its turn: {next}")
                });
                return Ok(());
            }
            let (parts, source) =
                crate::agent::find(&store, Some(&from), plan.data.suite.as_deref())?;
            let weights = plan.start(&parts, &source)?;
            finished(trainer::train(&mut store, &plan, weights, &source, &control, &mut each)?);
        }
    }
    while queued && let Some(run) = trainer::next_queued(&mut store, &control, &mut each)? {
        finished(run);
    }
    Ok(())
}

/// A metric with as many digits as it takes: rates are small, tokens are many.
fn figure(value: f64) -> String {
    match value.abs() {
        x if x >= 1000.0 => format!("{value:.0}"),
        x if x > 0.0 && x < 0.01 => format!("{value:.2e}"),
        _ => format!("{value:.4}"),
    }
}

/// The embedded model that knows the suite which is trained on: the one that is named, or the one
/// that demonstrations are there of.
fn start(store: &Store, plan: &Plan) -> Result<&'static str> {
    let suite = match &plan.data.suite {
        Some(suite) => Some(suite.clone()),
        None => store.demonstrated()?.into_iter().next().map(|(suite, ..)| suite),
    };
    Ok(usual_start(suite.as_deref().unwrap_or_default()))
}
