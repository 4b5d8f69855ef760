//! Reading PEFT's adapters: `adapter_config.json` says how each pair is scaled, the tensors say
//! which layers have one and of what rank.

use std::collections::HashSet;

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

use super::{Adapter, LINEARS, Linear, linears, side};
use crate::error::{Error, Result};
use crate::model::config::Config;
use crate::model::files::Tensors;
use crate::model::params::Buffers;

/// Settings that change nothing once the tensors are there.
const HARMLESS: [&str; 11] = [
    "task_type",
    "base_model_name_or_path",
    "revision",
    "auto_mapping",
    "inference_mode",
    "peft_version",
    "lora_dropout",
    "megatron_core",
    "qalora_group_size",
    "eva_config",
    "loftq_config",
];

/// Settings that are honoured below.
const HONOURED: [&str; 10] = [
    "peft_type",
    "r",
    "lora_alpha",
    "rank_pattern",
    "alpha_pattern",
    "use_rslora",
    "bias",
    "init_lora_weights",
    "target_modules",
    "layers_to_transform",
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
    targets: Targets,
    /// Numbers of the layers, where not all are meant.
    layers: Option<Vec<u64>>,
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
            targets: Targets::parse(of("target_modules"))?,
            layers: numbers(of("layers_to_transform"))?,
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

    /// Whether PEFT would take a layer of the model (its number, and its whole name) for one that is
    /// adapted: a tensor beside any other is left alone there.
    fn takes(&self, layer: &str) -> bool {
        let named = match &self.targets {
            Targets::Any => true,
            Targets::Names(names) => {
                names.iter().any(|name| layer == name || layer.ends_with(&format!(".{name}")))
            }
            Targets::Pattern(pattern) => pattern.is_match(layer),
        };
        let number = layer.split('.').find_map(|part| part.parse::<u64>().ok());
        let chosen = self.layers.as_ref();
        named && chosen.is_none_or(|layers| number.is_some_and(|n| layers.contains(&n)))
    }

    /// Whether every layer has the one rank and scale that are said first.
    fn is_even(&self) -> bool {
        self.alphas.is_empty() && self.ranks.is_empty() && !self.rank_stabilised
    }
}

/// Which layers `target_modules` names.
enum Targets {
    /// All that can be adapted.
    Any,
    /// Those whose names end on one of these.
    Names(Vec<String>),
    /// Those whose whole names fit.
    Pattern(Regex),
}

impl Targets {
    fn parse(value: &Value) -> Result<Self> {
        match value {
            Value::Null => Ok(Self::Any),
            Value::String(all) if all == "all-linear" => Ok(Self::Any),
            Value::String(pattern) => Ok(Self::Pattern(regex("target_modules", pattern, "")?)),
            Value::Array(list) if list.len() <= MOST_PATTERNS => {
                let name = |value: &Value| value.as_str().map(str::to_string);
                let names: Option<Vec<String>> = list.iter().map(name).collect();
                names.map(Self::Names).ok_or_else(|| bad("`target_modules` is no list of names"))
            }
            _ => Err(bad("`target_modules` is neither a list of names nor a pattern")),
        }
    }
}

/// The numbers of `layers_to_transform`; none where all layers are meant.
fn numbers(value: &Value) -> Result<Option<Vec<u64>>> {
    let odd = || bad("`layers_to_transform` is neither a number nor a list of them");
    match value {
        Value::Null => Ok(None),
        Value::Number(_) => Ok(Some(vec![value.as_u64().ok_or_else(odd)?])),
        Value::Array(list) => {
            list.iter().map(Value::as_u64).collect::<Option<_>>().map(Some).ok_or_else(odd)
        }
        _ => Err(odd()),
    }
}

/// More patterns than this are not read: real files have one a layer at most.
const MOST_PATTERNS: usize = 1024;

/// Bytes that one compiled pattern may take: names of layers are short.
const PATTERN_BYTES: usize = 1 << 16;

/// A pattern of Python's that means the same here: `before` it may stand what is said, and nothing
/// after it.
fn regex(name: &str, key: &str, before: &str) -> Result<Regex> {
    // Operators on classes mean something here and nothing there.
    if ["&&", "--", "~~"].iter().any(|operator| key.contains(operator)) {
        return Err(bad(&format!("{name} `{key}` has an operator on classes of letters")));
    }
    RegexBuilder::new(&format!("^{before}(?:{key})$"))
        .size_limit(PATTERN_BYTES)
        .build()
        .map_err(|_| bad(&format!("{name} `{key}` is no pattern that is understood")))
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
        Ok((regex(name, key, r"(?:.*\.)?")?, number))
    };
    if table.len() > MOST_PATTERNS {
        return Err(bad(&format!("`{name}` has {} patterns", table.len())));
    }
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
            if !settings.takes(layer) {
                return Err(bad(&format!(
                    "the file has tensors beside {layer}, which target_modules and \
                     layers_to_transform leave out"
                )));
            }
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
