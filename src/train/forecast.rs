//! What a run would train on, take and cost, before it starts.

use super::Mixture;
use super::data::{Data, DataSummary};
use super::plan::{Found, Plan, Stage};
use super::provenance::warnings;
use super::rl::Rl;
use crate::agent;
use crate::error::Result;
use crate::model::memory;
use crate::model::pack::Packing;
use crate::model::step::Net;
use crate::model::tree::TokenTree;
use crate::store::{RunRow, Store};

/// Tokens of a pass, where a plan leaves it open: at least, and at most.
const PASS: (usize, usize) = (2048, 8192);

/// Bytes of a token of an update: its id, its parent, its weight and its kind, as it is drawn, cut,
/// packed (with where it came from) and measured.
const EACH: u64 = 200;

/// Bytes that playing takes, prompts that are kept most of all; and each step of an update's rollouts.
const PLAYING: u64 = 320 << 20;
const EACH_STEP: u64 = 4096;

/// What a run would train on, take and cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// What it trains on.
    pub data: DataSummary,
    /// What each of its mixtures finds there.
    pub found: Vec<(Mixture, Found)>,
    /// Its stages.
    pub stages: Vec<Stage>,
    /// Tokens of all its updates, about.
    pub tokens: u64,
    /// Memory it needs.
    pub memory: memory::MemoryPlan,
    /// Tokens a second of the newest run from the same model by the same engine, if there is one.
    pub speed: Option<f64>,
    /// What a person should know about its start.
    pub warnings: Vec<String>,
}

impl Forecast {
    /// The same for a plan that differs in how many updates are made, and not in what they are made
    /// of.
    #[must_use]
    pub fn of(self, plan: &Plan) -> Self {
        let known = |mixture: &Mixture| {
            let found = self.found.iter().find(|(known, _)| known == mixture);
            found.map_or(Found { trees: 0, tokens: 0.0 }, |(_, found)| *found)
        };
        let stages = plan.stages(known);
        let of = |stage: &Stage| {
            known(&stage.mixture).tokens * (stage.updates * plan.batch as u64) as f64
        };
        let tokens = stages.iter().map(of).sum::<f64>() as u64;
        Self { stages, tokens, ..self }
    }
}

/// Works out a [`Forecast`]; an error says why the run cannot start.
pub fn forecast(store: &Store, plan: &Plan, start: Option<&str>) -> Result<Forecast> {
    plan.check()?;
    let (parts, source) = agent::find(store, start, plan.data.suite.as_deref())?;
    let mut weights = plan.start(&parts, &source)?;
    weights.device = plan.open_device()?;
    let data = Data::choose(store, plan, &weights.tokenizer, weights.config.context)?;
    plan.equip(&mut weights)?;
    let net = Net { recompute: plan.recompute, ..weights.net() };
    let stages = plan.stages(|mixture| data.found(mixture));
    let passes = Passes::new(plan, net, &data, &stages)?;
    // Of the newest run that was computed alike.
    let alike = |run: &RunRow| {
        let config: serde_json::Value = serde_json::from_str(&run.config).unwrap_or_default();
        let of = &config["plan"];
        run.start == source
            && of["torchrun"].is_null() == plan.torchrun.is_none()
            && of["device"].as_str() == plan.device.map(|place| place.to_string()).as_deref()
            && of["lora"].is_null() == plan.lora.is_none()
    };
    let newest = store.runs()?.into_iter().find(alike).map(|run| run.id);
    let speeds = newest.map_or(Ok(Vec::new()), |run| store.metric(run, "tokens_per_s"))?;
    let recent: Vec<f64> = speeds.iter().rev().take(50).filter_map(|point| point.value).collect();
    let speed = (!recent.is_empty()).then(|| recent.iter().sum::<f64>() / recent.len() as f64);
    let found = stages.iter().map(|stage| (stage.mixture, data.found(&stage.mixture))).collect();
    let mut warnings = warnings(store, &source, &data.selection)?;
    warnings.extend(plan.slow());
    let forecast = Forecast {
        data: data.summary,
        found,
        stages,
        tokens: 0,
        memory: passes.memory,
        speed,
        warnings,
    };
    Ok(forecast.of(plan))
}

/// The passes of a run: how many tokens one may have, and what memory it takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passes {
    /// Tokens of one pass at most.
    pub budget: usize,
    /// What the run needs.
    pub memory: memory::MemoryPlan,
}

impl Passes {
    /// For a plan; an error if it is more than may be taken. Where the plan leaves the size of a
    /// pass open it is that of the largest tree, so that none is cut, or less where memory is
    /// short.
    pub fn new(plan: &Plan, net: Net<'_>, data: &Data, stages: &[Stage]) -> Result<Self> {
        if let Some(rl) = &plan.rl {
            return Self::playing(plan, rl, net);
        }
        let mut trees = Vec::new();
        for stage in stages {
            trees.extend(
                data.train.iter().filter_map(|tree| Some(tree.weighed(&stage.mixture)?.tree)),
            );
        }
        let whole = trees.iter().map(TokenTree::len).max().unwrap_or_default();
        let total: usize = trees.iter().map(TokenTree::len).sum();
        let each = total.div_ceil(trees.len().max(1)) as u64;
        let update = (EACH * plan.batch as u64).saturating_mul(each);
        let within = |budget: usize| {
            // A chain longer than the budget cannot be cut.
            let (mut tokens, mut shared) = (budget.min(total), 0);
            for tree in trees.iter().filter(|tree| tree.len() > budget) {
                let parts = Packing::new(&[tree], budget);
                tokens = tokens.max(parts.largest);
                shared = shared.max(parts.shared);
            }
            Self {
                budget,
                memory: memory::MemoryPlan::new(net, tokens, whole, shared).beside(update),
            }
        };
        Self::fitting(plan, whole.clamp(PASS.0, PASS.1), within)
    }

    /// Passes of a size, or of less where the plan leaves that open and memory is short.
    fn fitting(plan: &Plan, size: usize, within: impl Fn(usize) -> Self) -> Result<Self> {
        let fits = |passes: &Self| match plan.memory_limit {
            Some(limit) => passes.memory.check(limit),
            None => passes.memory.check_here(),
        };
        let least = if plan.device.is_some() { PASS.0 / 4 } else { PASS.0 };
        let mut passes = within(plan.budget.unwrap_or(size));
        while plan.budget.is_none() && passes.budget > least && fits(&passes).is_err() {
            passes = within((passes.budget / 2).max(least));
        }
        // What another engine needs it knows itself; what is held out is measured here, and takes less.
        if plan.torchrun.is_none() {
            fits(&passes)?;
        }
        Ok(passes)
    }

    /// For trees that are played first: any size may come, and the policy that plays stands beside
    /// the one that is trained.
    fn playing(plan: &Plan, rl: &Rl, net: Net<'_>) -> Result<Self> {
        let model = 4 * net.config.parameters();
        let starts = if rl.kl > 0.0 { 2 } else { 1 };
        // A step keeps its list, what each action was worth, and what was seen.
        let forks = if rl.method.forks() { rl.forks * rl.width } else { 0 };
        let rollouts = plan.batch.saturating_mul(rl.group).saturating_mul(1 + forks);
        let steps = rollouts.saturating_mul(rl.limit);
        let beside = starts * model + PLAYING + EACH_STEP.saturating_mul(steps as u64);
        let within = |budget: usize| Self {
            budget,
            memory: memory::MemoryPlan::new(net, budget, budget, budget).beside(beside),
        };
        Self::fitting(plan, PASS.1, within)
    }
}
