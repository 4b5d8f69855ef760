//! What a training run needs of memory, before it starts.

use serde::Serialize;

use super::config::Config;
use super::device;
use super::step::{LOGITS, Net};
use crate::error::{Error, Result};

/// Bytes by what they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MemoryPlan {
    /// The weights, and the adapter beside them; where candle computes on the processor, also its own and
    /// their gradients.
    pub weights: u64,
    /// Gradients of what is trained.
    pub gradients: u64,
    /// The optimiser's two moments.
    pub optimiser: u64,
    /// What a pass keeps for the way back, and works with there.
    pub activations: u64,
    /// Logits that exist at once.
    pub logits: u64,
    /// The trees of an update, as they are drawn and packed.
    #[serde(default)]
    pub trees: u64,
    /// What a GPU needs of its own memory, which is not in the total.
    #[serde(default)]
    pub device: u64,
    /// All of it.
    pub total: u64,
}

impl MemoryPlan {
    /// For passes of at most `tokens` tokens at once, all of them targets, of trees that have at most
    /// `tree` each, `shared` of them shared by the parts of one.
    pub fn new(net: Net<'_>, tokens: usize, tree: usize, shared: usize) -> Self {
        let count = |shapes: &[(String, Vec<usize>)]| -> u64 {
            shapes.iter().map(|(_, shape)| shape.iter().product::<usize>() as u64).sum()
        };
        let Config { hidden: h, intermediate, vocab, layers, .. } = *net.config;
        let (wide, kv) = (net.config.queries(), net.config.keys());
        let model = count(&net.config.tensors());
        let trained = count(&net.shapes());
        let adapter = if net.adapter.is_some() { trained } else { 0 };
        // See `step::Saved`; the way back holds as much again of one layer, and a few rows of its
        // own.
        let heads = if net.config.head_norms { wide + kv } else { 0 };
        let layer = 3 * h + 2 * wide + 2 * kv + heads + 2 * intermediate + 2;
        let kept = if net.recompute { layers * h + layer } else { layers * layer };
        let back = 6 * h + 2 * wide + 2 * kv + heads + 2 * intermediate;
        // Keys and values, what they cost, and a copy before those of a part.
        let parts = 6 * kv * layers * shared;
        let merged = if net.adapter.is_some() { model / layers as u64 } else { 0 };
        let here = 4 * ((kept + back) * tokens + parts) as u64 + 4 * merged;
        let logits = 4 * (LOGITS.min(vocab * tokens) as u64);
        // A device has weights and gradients of its own, and computes every layer again.
        let copies = 4 * (model + adapter + trained);
        let there = 4 * device::numbers(net.config, tokens, tree) as u64;
        let (copies, activations, logits, gpu) = match net.device {
            None => (0, here, logits, 0),
            Some(device) if device.is_here() => (copies, there, logits, 0),
            Some(_) => (0, 0, 0, copies + there + logits),
        };
        let plan = Self {
            weights: 4 * (model + adapter) + copies,
            gradients: 4 * trained,
            optimiser: 8 * trained,
            activations,
            logits,
            device: gpu,
            trees: 0,
            total: 0,
        };
        let total = plan.weights + plan.gradients + plan.optimiser + plan.activations + plan.logits;
        Self { total, ..plan }
    }

    /// The same with the trees of an update beside it.
    #[must_use]
    pub fn beside(self, trees: u64) -> Self {
        Self { trees, total: self.total.saturating_add(trees), ..self }
    }

    /// Refuses what does not fit into `limit` bytes: of a GPU's memory where one computes.
    pub fn check(&self, limit: u64) -> Result<()> {
        self.within(if self.device > 0 { self.device } else { self.total }, limit)
    }

    /// Refuses what does not fit into the memory that is free here, if that is known.
    pub fn check_here(&self) -> Result<()> {
        available().map_or(Ok(()), |free| self.within(self.total, free))
    }

    fn within(&self, asked: u64, limit: u64) -> Result<()> {
        if asked <= limit {
            return Ok(());
        }
        Err(Error::new(format!("the run needs {self}; the limit is {}", size(limit))).hint(
            "fewer tokens a pass (--budget), fewer trajectories an update (--batch), --recompute (of the \
             engine here), --lora, a smaller model, or a higher --memory-limit",
        ))
    }
}

impl std::fmt::Display for MemoryPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { weights, gradients, optimiser, activations, logits, trees, device, total } =
            self;
        let parts = [
            ("weights", weights),
            ("gradients", gradients),
            ("optimiser", optimiser),
            ("activations", activations),
            ("logits", logits),
            ("trees", trees),
        ];
        let parts: Vec<String> =
            parts.iter().map(|(name, bytes)| format!("{name} {}", size(**bytes))).collect();
        write!(f, "{} of memory ({})", size(*total), parts.join(", "))?;
        if *device > 0 {
            write!(f, "; {} of the GPU's", size(*device))?;
        }
        Ok(())
    }
}

/// Bytes for people.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000_000 => format!("{} MB", bytes.div_ceil(1_000_000)),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

/// Refuses what does not fit into the memory that is there, before any is asked for: a file of a
/// few bytes can claim to be larger than every machine.
pub fn room(bytes: u64, what: &str) -> Result<()> {
    match available() {
        Some(there) if bytes > there => Err(Error::new(format!(
            "{what} needs {} of memory; {} are free",
            size(bytes),
            size(there)
        ))
        .hint("ask for less (a smaller or a quantised model), or use a machine with more memory")),
        _ => Ok(()),
    }
}

/// Memory that can be had without swapping, where the system says so.
pub fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::step::Products;
    use crate::model::workspace::Workspace;

    #[test]
    fn a_plan_adds_up_and_is_refused_in_words() {
        let config = Config::small(8, 384, 2048).unwrap();
        let weights = Vec::new();
        let workspace = Workspace::default();
        let net = Net {
            config: &config,
            weights: &weights,
            adapter: None,
            recompute: false,
            products: Products::F32,
            workspace: &workspace,
            device: None,
        };
        let plan = MemoryPlan::new(net, 2048, 2048, 0);
        assert!((300_000_000..900_000_000).contains(&plan.total), "{plan}");
        assert!(
            MemoryPlan::new(Net { recompute: true, ..net }, 2048, 2048, 0).activations
                < plan.activations / 2
        );
        assert!(plan.check(plan.total).is_ok());
        let said = plan.check(100_000_000).unwrap_err().to_string();
        assert!(said.contains("the limit is 100 MB") && said.contains("--budget"), "{said}");
    }
}
