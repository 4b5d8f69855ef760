//! What a GGUF file says of a decoder's shape, in llama.cpp's settings and names.

use super::header::{Header, Setting};
use super::parts::Parts;
use crate::error::{Error, Result};
use crate::model::config::{Attends, Biases, Config, Family, MOST_LAYERS, Rope, Scales, Scaling};
use crate::model::matrix::Matrix;

/// `general.architecture`, and whether rotary pairs of q and k stand interleaved in its files.
const FAMILIES: [(&str, Family); 6] = [
    ("llama", Family::Llama),
    ("qwen2", Family::Qwen2),
    ("qwen3", Family::Qwen3),
    ("smollm3", Family::SmolLm3),
    ("granite", Family::Granite),
    ("gemma3", Family::Gemma3),
];

/// Settings after the architecture's name that are read here.
const READ: [&str; 22] = [
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.layer_norm_rms_epsilon",
    "attention.key_length",
    "attention.value_length",
    "attention.sliding_window",
    "attention.sliding_window_pattern",
    "attention.scale",
    "embedding_scale",
    "residual_scale",
    "logit_scale",
    "rope.freq_base",
    "rope.freq_base_swa",
    "rope.dimension_count",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "vocab_size",
];

/// Settings that change nothing of what a model computes.
const HARMLESS: [&str; 3] = ["rope.scaling.finetuned", "tensor_data_layout", "attention.causal"];

/// The settings of one architecture.
struct Settings<'a> {
    header: &'a Header,
    name: &'a str,
}

impl Settings<'_> {
    fn get(&self, name: &str) -> Option<&Setting> {
        self.header.settings.get(&format!("{}.{name}", self.name))
    }

    fn wrong(&self, name: &str, what: &str) -> Error {
        let value = self.get(name).map(|value| format!(" {value:?}")).unwrap_or_default();
        Error::new(format!("setting `{}.{name}`{value} {what}", self.name))
            .hint("this program cannot run such a model")
    }

    fn integer(&self, name: &str) -> Result<Option<usize>> {
        match self.get(name) {
            None => Ok(None),
            Some(Setting::Integer(value)) => {
                usize::try_from(*value).map(Some).map_err(|_| self.wrong(name, "is too large"))
            }
            Some(_) => Err(self.wrong(name, "is not one whole number")),
        }
    }

    fn needed(&self, name: &str) -> Result<usize> {
        self.integer(name)?
            .ok_or_else(|| Error::new(format!("setting `{}.{name}` is missing", self.name)))
    }

    fn number(&self, name: &str) -> Result<Option<f64>> {
        match self.get(name) {
            None => Ok(None),
            Some(Setting::Number(value)) => Ok(Some(*value)),
            Some(_) => Err(self.wrong(name, "is not a number")),
        }
    }

    /// Refuses by name what is neither read nor harmless, unless it is switched off (0).
    fn check_all_known(&self) -> Result<()> {
        let own = format!("{}.", self.name);
        let mut names: Vec<&str> =
            self.header.settings.keys().filter_map(|name| name.strip_prefix(&own)).collect();
        names.sort_unstable();
        for name in names {
            let off = match self.get(name) {
                Some(Setting::Integer(0)) => true,
                Some(Setting::Number(number)) => *number == 0.0,
                _ => false,
            };
            if name == "attention.causal" && off {
                return Err(self.wrong(name, "is not supported"));
            }
            if !(READ.contains(&name) || HARMLESS.contains(&name) || off) {
                return Err(self.wrong(name, "is not supported"));
            }
        }
        Ok(())
    }
}

/// The shape of the decoder. What would change the arithmetic and is not known here is refused by
/// name.
pub(super) fn config(parts: &Parts) -> Result<Config> {
    let header = parts.settings();
    if let Some(kind) = header.text("general.type").filter(|kind| *kind != "model") {
        return Err(Error::new(format!("`general.type` is {kind}, not a model")).hint(
            "name the model's own file; an adapter is applied to the folder it was made for",
        ));
    }
    let name = header.text("general.architecture").unwrap_or_default();
    let found = FAMILIES.iter().find(|(known, _)| *known == name);
    let family = found.map(|(_, family)| *family).ok_or_else(|| {
        let known: Vec<&str> = FAMILIES.iter().map(|(name, _)| *name).collect();
        Error::new(format!("architecture `{name}` is not one that this program can run"))
            .hint(format!("what is read: {}", known.join(", ")))
    })?;
    let settings = Settings { header, name };
    settings.check_all_known()?;
    let embedding = parts.entry("token_embd.weight");
    let embedding = embedding.ok_or_else(|| Error::new("tensor `token_embd.weight` is missing"))?;
    let hidden = settings.needed("embedding_length")?;
    let heads = settings.needed("attention.head_count")?;
    let layers = settings.needed("block_count")?;
    let dim = settings.integer("attention.key_length")?;
    let head_dim = dim.unwrap_or(hidden.checked_div(heads).unwrap_or_default());
    for name in ["attention.value_length", "rope.dimension_count"] {
        if settings.integer(name)?.is_some_and(|dim| dim != head_dim) {
            return Err(settings.wrong(name, &format!("is not the width of a head, {head_dim}")));
        }
    }
    if layers > MOST_LAYERS {
        return Err(settings.wrong("block_count", "is more than any model of these has"));
    }
    let has = |name: &str| parts.entry(name).is_some();
    let config = Config {
        family,
        hidden,
        intermediate: settings.needed("feed_forward_length")?,
        vocab: embedding.rows,
        layers,
        heads,
        kv_heads: settings.integer("attention.head_count_kv")?.unwrap_or(heads),
        head_dim,
        context: settings.needed("context_length")?,
        ropes: ropes(&settings, family, parts, head_dim)?,
        attends: attends(&settings, family, layers)?,
        norm_eps: settings
            .number("attention.layer_norm_rms_epsilon")?
            .ok_or_else(|| settings.wrong("attention.layer_norm_rms_epsilon", "is missing"))?,
        tied: !has("output.weight"),
        biases: Biases {
            qkv: family == Family::Qwen2 || has("blk.0.attn_q.bias"),
            o: has("blk.0.attn_output.bias"),
            mlp: has("blk.0.ffn_gate.bias"),
        },
        head_norms: matches!(family, Family::Qwen3 | Family::Gemma3),
        scales: scales(&settings, family, (hidden, heads, layers))?,
    };
    config.check()?;
    Ok(config)
}

/// The rotary embeddings. Llama 3's scaling is written as a divisor of each frequency.
fn ropes(
    settings: &Settings<'_>,
    family: Family,
    parts: &Parts,
    head_dim: usize,
) -> Result<Vec<Rope>> {
    let usual = if family == Family::Gemma3 { 1e6 } else { 1e4 };
    let theta = settings.number("rope.freq_base")?.unwrap_or(usual);
    let factor = settings.number("rope.scaling.factor")?;
    let kind = match settings.get("rope.scaling.type") {
        None => "none",
        Some(Setting::Text(kind)) => kind,
        Some(_) => return Err(settings.wrong("rope.scaling.type", "is not a text")),
    };
    let mut scaling = match (kind, factor) {
        ("none", _) => Scaling::None,
        ("linear", Some(factor)) if factor > 0.0 => Scaling::Linear(factor),
        _ => {
            return Err(
                settings.wrong("rope.scaling.type", "is not supported; none and linear are")
            );
        }
    };
    if parts.entry("rope_freqs.weight").is_some() {
        if scaling != Scaling::None {
            return Err(Error::new("tensor `rope_freqs.weight` beside a scaling of another kind"));
        }
        let Matrix::Full { data, .. } = parts.tensor("rope_freqs.weight", &[head_dim / 2])? else {
            return Err(Error::new("tensor `rope_freqs.weight` is quantised"));
        };
        if data.iter().any(|factor| *factor <= 0.0) {
            return Err(Error::new("tensor `rope_freqs.weight` has a divisor that is not above 0"));
        }
        scaling = Scaling::Divided(data);
    }
    let mut ropes = vec![Rope { theta, scaling }];
    if family == Family::Gemma3 {
        ropes.push(Rope::plain(settings.number("rope.freq_base_swa")?.unwrap_or(1e4)));
    }
    Ok(ropes)
}

/// What each layer's attention does: what the file leaves out, llama.cpp knows by the name.
fn attends(settings: &Settings<'_>, family: Family, layers: usize) -> Result<Vec<Attends>> {
    let window = settings.integer("attention.sliding_window")?.filter(|window| *window > 0);
    let pattern = settings.integer("attention.sliding_window_pattern")?.unwrap_or(6).max(1);
    let of = |layer: usize| match family {
        Family::Gemma3 if !layer.is_multiple_of(pattern) => Attends { rope: Some(1), window },
        Family::SmolLm3 if layer.is_multiple_of(4) => Attends { rope: None, window: None },
        _ => Attends { rope: Some(0), window: None },
    };
    if family == Family::Gemma3 && window.is_none() {
        return Err(settings.wrong("attention.sliding_window", "is missing"));
    }
    if family != Family::Gemma3 && window.is_some() {
        return Err(settings.wrong("attention.sliding_window", "is not supported"));
    }
    Ok((1..=layers).map(of).collect())
}

fn scales(
    settings: &Settings<'_>,
    family: Family,
    (hidden, heads, layers): (usize, usize, usize),
) -> Result<Scales> {
    let number = |name: &str| Ok::<_, Error>(settings.number(name)?.map(|number| number as f32));
    let mut scales = Scales::default();
    let given = ["attention.scale", "embedding_scale", "residual_scale", "logit_scale"];
    match family {
        Family::Granite => {
            scales.attention = number(given[0])?;
            scales.embedding = number(given[1])?.unwrap_or(1.0);
            scales.residual = number(given[2])?.unwrap_or(1.0);
            scales.logits = 1.0 / number(given[3])?.unwrap_or(1.0);
        }
        Family::Gemma3 => {
            scales.embedding = (hidden as f32).sqrt();
            // The largest one is the only one whose heads are scaled by another width.
            if layers == 62 {
                scales.attention = Some(1.0 / (hidden as f32 / heads as f32).sqrt());
            }
        }
        _ => {
            if let Some(name) = given.iter().find(|name| settings.get(name).is_some()) {
                return Err(settings.wrong(name, "is not supported in this model"));
            }
        }
    }
    Ok(scales)
}

/// Key-value or query heads of a tensor whose rotary pairs stand interleaved; none if they do not.
pub(super) fn interleaved(config: &Config, theirs: &str) -> Option<usize> {
    if !matches!(config.family, Family::Llama | Family::SmolLm3 | Family::Granite) {
        return None;
    }
    let is = |name: &str| theirs.contains(&format!(".{name}."));
    match () {
        () if is("attn_q") => Some(config.heads),
        () if is("attn_k") => Some(config.kv_heads),
        () => None,
    }
}

/// GGUF's name for a tensor of Hugging Face's.
pub(super) fn theirs(config: &Config, name: &str) -> String {
    const NAMES: [(&str, &str); 16] = [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
        ("model.layers.", "blk."),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("self_attn.q_norm", "attn_q_norm"),
        ("self_attn.k_norm", "attn_k_norm"),
        ("input_layernorm", "attn_norm"),
        ("pre_feedforward_layernorm", "ffn_norm"),
        ("post_feedforward_layernorm", "post_ffw_norm"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ];
    let after_attention = if config.is_gemma() { "post_attention_norm" } else { "ffn_norm" };
    let last = ("post_attention_layernorm", after_attention);
    let all = NAMES.iter().chain(std::iter::once(&last));
    all.fold(name.to_string(), |name, (ours, theirs)| name.replace(ours, theirs))
}
