//! Reading PEFT's adapters: `adapter_config.json` says how each pair is scaled, the tensors say
//! which layers have one and of what rank.

use std::collections::HashSet;

use regex::Regex;
use serde_json::{Map, Value};

use super::{Adapter, LINEARS, Linear, linears, side};
use crate::error::{Error, Result};
use crate::model::config::Config;
use crate::model::files::Tensors;
use crate::model::params::Buffers;

/// Settings that change nothing once the tensors are there.
const HARMLESS: [&str; 15] = [
    "task_type",
    "base_model_name_or_path",
    "revision",
    "auto_mapping",
    "inference_mode",
    "peft_version",
    "lora_dropout",
    "layers_to_transform",
    "layers_pattern",
    "exclude_modules",
    "target_modules",
    "megatron_core",
    "qalora_group_size",
    "eva_config",
    "loftq_config",
];

/// Settings that are honoured below.
const HONOURED: [&str; 8] = [
    "peft_type",
    "r",
    "lora_alpha",
    "rank_pattern",
    "alpha_pattern",
    "use_rslora",
    "bias",
    "init_lora_weights",
];

/// Ways to begin that leave the base model as it is.
const BEGINNINGS: [&str; 3] = ["gaussian", "eva", "orthogonal"];

fn bad(what: &str) -> Error {
    Error::new(format!("adapter_config.json: {what}"))
}

/// What is understood of `adapter_config.json`.
struct Settings {
    rank: f64,
    alpha: f64,
    alphas: Vec<(Regex, f64)>,
    ranks: Vec<(Regex, f64)>,
    rank_stabilised: bool,
}

/// Whether a setting says nothing.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

impl Settings {
    fn parse(text: &[u8]) -> Result<Self> {
        let raw: Value = serde_json::from_slice(text).map_err(|e| bad(&e.to_string()))?;
        let Value::Object(raw) = raw else { return Err(bad("is no table of settings")) };
        let of = |name: &str| raw.get(name).unwrap_or(&Value::Null);
        if of("peft_type") != "LORA" {
            return Err(bad(&format!("peft_type {} is not LORA", of("peft_type"))));
        }
        // Whatever else is set changes what the tensors mean.
        let known = |name: &str| HARMLESS.contains(&name) || HONOURED.contains(&name);
        if let Some((odd, _)) = raw.iter().find(|(name, value)| !known(name) && !is_plain(value)) {
            return Err(bad(&format!("`{odd}` is set, which is not supported")));
        }
        if !matches!(of("bias"), Value::Null) && of("bias") != "none" {
            return Err(bad(&format!("bias {}: only `none` is supported", of("bias"))));
        }
        if let Value::String(begun) = of("init_lora_weights")
            && !BEGINNINGS.contains(&begun.as_str())
        {
            return Err(bad(&format!(
                "init_lora_weights `{begun}` may have changed the base model"
            ))
            .hint("save it with PEFT's convert option, or merge it there"));
        }
        let number = |name: &str| {
            let value = of(name).as_f64().ok_or_else(|| bad(&format!("`{name}` is missing")))?;
            let fine = value.is_finite() && value > 0.0;
            if fine { Ok(value) } else { Err(bad(&format!("`{name}` is {value}"))) }
        };
        let rank_stabilised = match of("use_rslora") {
            Value::Bool(set) => *set,
            Value::Null => false,
            other => return Err(bad(&format!("use_rslora {other} is neither true nor false"))),
        };
        Ok(Self {
            rank: number("r")?,
            alpha: number("lora_alpha")?,
            alphas: patterns(&raw, "alpha_pattern")?,
            ranks: patterns(&raw, "rank_pattern")?,
            rank_stabilised,
        })
    }

    /// What `B·A` beside a layer is multiplied with, and the rank that is said of it.
    fn of(&self, layer: &str) -> Result<(f64, f64)> {
        // Of several that fit, PEFT takes the first in a file whose order is not kept here.
        let one = |among: &[(Regex, f64)], usual: f64| {
            let mut fit = among.iter().filter(|(pattern, _)| pattern.is_match(layer));
            let first = fit.next().map_or(usual, |(_, number)| *number);
            if fit.all(|(_, number)| (number - first).abs() <= 0.0) {
                return Ok(first);
            }
            Err(bad(&format!("patterns that say different things of {layer}")))
        };
        let (rank, alpha) = (one(&self.ranks, self.rank)?, one(&self.alphas, self.alpha)?);
        Ok((alpha / if self.rank_stabilised { rank.sqrt() } else { rank }, rank))
    }

    /// Whether every layer has the one rank and scale that are said first.
    fn is_even(&self) -> bool {
        self.alphas.is_empty() && self.ranks.is_empty() && !self.rank_stabilised
    }
}

/// A table of patterns as PEFT matches them: the end of a layer's name, after a dot or all of it.
fn patterns(raw: &Map<String, Value>, name: &str) -> Result<Vec<(Regex, f64)>> {
    let table = match raw.get(name) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(table)) => table,
        Some(_) => return Err(bad(&format!("`{name}` is no table"))),
    };
    let one = |(key, value): (&String, &Value)| {
        let number = value.as_f64().filter(|n| n.is_finite() && *n > 0.0);
        let number = number.ok_or_else(|| bad(&format!("{name} `{key}` is {value}")))?;
        let key = key.strip_prefix('^').unwrap_or(key);
        let pattern = Regex::new(&format!(r"^(?:.*\.)?(?:{key})$"))
            .map_err(|_| bad(&format!("{name} `{key}` is no pattern that is understood")))?;
        Ok((pattern, number))
    };
    table.iter().map(one).collect()
}

impl Adapter {
    /// Reads PEFT's two files for a model of that shape. Layers may be adapted or not, each pair may
    /// have a rank and a scale of its own: they become pairs of one rank and one scale, the missing
    /// rows zeros and `B` multiplied with what its scale is more, which is the same product.
    ///
    /// # Errors
    /// For everything that would change the arithmetic and is not known here, by name.
    pub fn from_peft(config: &Config, settings: &[u8], tensors: &[u8]) -> Result<Self> {
        let settings = Settings::parse(settings)?;
        let found = Tensors::from_bytes(tensors, "adapter_model.safetensors")?;
        let mut pairs = Vec::new();
        let mut known = HashSet::new();
        for linear in linears(config, &LINEARS) {
            let Linear { layer, out, inner, .. } = &linear;
            let (a, b) = (side(layer, "A"), side(layer, "B"));
            let Some(rank) = found.shape(&a).and_then(|shape| shape.first().copied()) else {
                continue;
            };
            let rank = usize::try_from(rank).unwrap_or(usize::MAX);
            let (scale, said) = settings.of(layer)?;
            if rank == 0 || rank > config.hidden || (said - rank as f64).abs() > 0.0 {
                return Err(bad(&format!(
                    "a rank of {said} is said of {layer}, which has one of {rank}"
                )));
            }
            let numbers = |name: &str, shape: [usize; 2]| found.numbers(name, &shape);
            let sides = [numbers(&a, [rank, *inner])?, numbers(&b, [*out, rank])?];
            pairs.push(Pair { linear, rank, scale, sides });
            known.extend([a, b]);
        }
        if let Some(more) = found.names().find(|name| !known.contains(*name)) {
            return Err(Error::new(format!(
                "adapter_model.safetensors: tensor `{more}` belongs to no layer that can be adapted"
            )));
        }
        if pairs.is_empty() {
            return Err(Error::new("adapter_model.safetensors: no layer of this model is adapted"));
        }
        let mut adapter = Self::of_pairs(pairs);
        if settings.is_even() {
            adapter.alpha = settings.alpha; // to the bit
        }
        Ok(adapter)
    }

    fn of_pairs(pairs: Vec<Pair>) -> Self {
        let rank = pairs.iter().map(|pair| pair.rank).max().unwrap_or(1);
        let scale = pairs.first().map_or(1.0, |pair| pair.scale);
        let mut adapter = Self {
            rank,
            alpha: scale * rank as f64,
            weights: Buffers::new(),
            tensors: Vec::new(),
            shapes: Vec::new(),
        };
        for pair in pairs {
            let Pair { linear, rank: own, scale: by, sides: [mut a, b] } = pair;
            let Linear { tensor, layer, out, inner } = linear;
            a.resize(rank * inner, 0.0);
            let more = (by / scale) as f32;
            let same = (by - scale).abs() <= 0.0;
            let mut wide = vec![0.0; out * rank];
            for (wide, b) in wide.chunks_mut(rank).zip(b.chunks(own)) {
                for (to, from) in wide.iter_mut().zip(b) {
                    *to = if same { *from } else { more * from };
                }
            }
            adapter.weights.push(a);
            adapter.weights.push(wide);
            adapter.shapes.push((side(&layer, "A"), vec![rank, inner]));
            adapter.shapes.push((side(&layer, "B"), vec![out, rank]));
            adapter.tensors.push(tensor);
        }
        adapter
    }
}

/// What stands beside one layer: `scale · B · A`.
struct Pair {
    linear: Linear,
    rank: usize,
    scale: f64,
    /// `A` of shape `[rank, inner]`, and `B` of `[out, rank]`.
    sides: [Vec<f32>; 2],
}

#[cfg(test)]
#[path = "peft_tests.rs"]
mod tests;
