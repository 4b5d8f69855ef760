//! `config.json` in Hugging Face's fields, as transformers 4 and 5 write them.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Attends, Biases, Config, Family, Rope, Scales, Scaling};
use crate::error::{Error, Result};

/// `model_type`, the class in `architectures`, and the family.
const FAMILIES: [(&str, &str, Family); 7] = [
    ("llama", "LlamaForCausalLM", Family::Llama),
    ("mistral", "MistralForCausalLM", Family::Mistral),
    ("qwen2", "Qwen2ForCausalLM", Family::Qwen2),
    ("qwen3", "Qwen3ForCausalLM", Family::Qwen3),
    ("smollm3", "SmolLM3ForCausalLM", Family::SmolLm3),
    ("granite", "GraniteForCausalLM", Family::Granite),
    ("gemma3_text", "Gemma3ForCausalLM", Family::Gemma3),
];

/// The shape that the file's text describes.
pub(super) fn parse(text: &[u8]) -> Result<Config> {
    let raw: Map<String, Value> =
        serde_json::from_slice(text).map_err(|e| Error::new(e.to_string()))?;
    let fields = Fields::new(&raw, "");
    let family = family(&fields)?;
    let hidden = fields.needed("hidden_size")?;
    let heads = fields.needed("num_attention_heads")?;
    let layers = fields.needed("num_hidden_layers")?;
    let kv_heads = match (fields.count("num_key_value_heads")?, family) {
        (Some(heads), _) => heads,
        (None, Family::Llama) => heads,
        (None, _) => return Err(Error::new("`num_key_value_heads` is missing")),
    };
    let head_dim = match (fields.count("head_dim")?, family) {
        (Some(dim), _) => dim,
        (None, Family::Qwen3) => 128,
        (None, Family::Gemma3) => 256,
        (None, _) if heads > 0 && hidden.is_multiple_of(heads) => hidden / heads,
        (None, _) => {
            let odd = fields.wrong("hidden_size", &format!("does not divide into {heads} heads"));
            return Err(odd);
        }
    };
    let norm_eps = fields.number("rms_norm_eps")?;
    let tied = fields.flag("tie_word_embeddings")?;
    activation(&fields, family)?;
    if layers > super::MOST_LAYERS {
        return Err(fields.wrong("num_hidden_layers", "is more than any model of these has"));
    }
    let (ropes, attends) = attention(&fields, family, layers)?;
    let config = Config {
        family,
        hidden,
        intermediate: fields.needed("intermediate_size")?,
        vocab: fields.needed("vocab_size")?,
        layers,
        heads,
        kv_heads,
        head_dim,
        context: fields.needed("max_position_embeddings")?,
        ropes,
        attends,
        norm_eps: norm_eps.ok_or_else(|| Error::new("`rms_norm_eps` is missing"))?,
        tied: tied.unwrap_or(matches!(family, Family::SmolLm3 | Family::Gemma3)),
        biases: biases(&fields, family)?,
        head_norms: matches!(family, Family::Qwen3 | Family::Gemma3),
        scales: scales(&fields, family, hidden)?,
    };
    fields.finish()?;
    config.check()?;
    Ok(config)
}

/// Whose model it is, by `model_type`, else by the class in `architectures`: both have to say the
/// same.
fn family(fields: &Fields<'_>) -> Result<Family> {
    let known = || {
        let names: Vec<&str> = FAMILIES.iter().map(|(name, ..)| *name).collect();
        format!("what is read: {}", names.join(", "))
    };
    let class = fields.list("architectures")?.and_then(|list| list.first()).and_then(Value::as_str);
    let kind = fields.text("model_type")?;
    let found = FAMILIES.iter().find(|(name, its, _)| match kind {
        Some(kind) => kind == *name,
        None => class == Some(*its),
    });
    let Some((_, its, family)) = found else {
        let error = match (kind, class) {
            (Some(_), _) => fields.wrong("model_type", "is not a model that this program can run"),
            (None, Some(_)) => {
                fields.wrong("architectures", "is not a model that this program can run")
            }
            (None, None) => {
                Error::new("neither `model_type` nor `architectures` says what model it is")
            }
        };
        return Err(error.hint(known()));
    };
    if class.is_some_and(|class| class != *its) {
        let odd = fields.wrong("architectures", &format!("is not {its}"));
        return Err(odd.hint("what writes text is run here, not a classifier or an encoder"));
    }
    Ok(*family)
}

fn activation(fields: &Fields<'_>, family: Family) -> Result<()> {
    let (name, wanted) = match family {
        Family::Gemma3 => ("hidden_activation", "gelu_pytorch_tanh"),
        _ => ("hidden_act", "silu"),
    };
    // Gemma's old files have the other one beside it, which its code does not read.
    if family == Family::Gemma3 {
        _ = fields.get("hidden_act");
    }
    match fields.text(name)? {
        Some(act) if act != wanted => {
            Err(fields.wrong(name, &format!("is not supported; only {wanted} is")))
        }
        _ => Ok(()),
    }
}

fn biases(fields: &Fields<'_>, family: Family) -> Result<Biases> {
    let mut biases = Biases::default();
    match family {
        Family::Qwen2 => biases.qkv = true,
        Family::Llama | Family::Granite | Family::SmolLm3 => {
            biases.qkv = fields.flag("attention_bias")?.unwrap_or(false);
            biases.o = biases.qkv;
            biases.mlp = fields.flag("mlp_bias")?.unwrap_or(false);
        }
        Family::Qwen3 | Family::Gemma3 => {
            biases.qkv = fields.flag("attention_bias")?.unwrap_or(false);
            biases.o = biases.qkv;
        }
        Family::Mistral => {}
    }
    Ok(biases)
}

fn scales(fields: &Fields<'_>, family: Family, hidden: usize) -> Result<Scales> {
    let mut scales = Scales::default();
    match family {
        Family::Granite => {
            let number = |name| Ok::<_, Error>(fields.number(name)?.map(|number| number as f32));
            scales.embedding = number("embedding_multiplier")?.unwrap_or(1.0);
            scales.attention = number("attention_multiplier")?.or(Some(1.0));
            scales.residual = number("residual_multiplier")?.unwrap_or(1.0);
            scales.logits = 1.0 / number("logits_scaling")?.unwrap_or(1.0);
        }
        Family::Gemma3 => {
            scales.embedding = (hidden as f32).sqrt();
            let scalar = fields.number("query_pre_attn_scalar")?.unwrap_or(256.0);
            scales.attention = Some((1.0 / scalar.sqrt()) as f32);
        }
        _ => {}
    }
    Ok(scales)
}

/// The rotary embeddings, and what each layer's attention does.
fn attention(
    fields: &Fields<'_>,
    family: Family,
    layers: usize,
) -> Result<(Vec<Rope>, Vec<Attends>)> {
    let window = fields.count("sliding_window")?;
    if window == Some(0) {
        return Err(fields.wrong("sliding_window", "lets a token see nothing"));
    }
    let kinds = layer_types(fields, layers)?;
    let slides = |layer: usize| kinds.as_ref().map(|kinds| kinds[layer]);
    let all = Attends { rope: Some(0), window: None };
    let mut attends = vec![all; layers];
    match family {
        Family::Gemma3 => return gemma(fields, window, kinds, layers),
        // Its class knows no windows: a number that is left over is off.
        Family::Llama | Family::Granite => {
            let off = fields.flag("use_sliding_window")? == Some(false);
            if off {
                _ = fields.get("max_window_layers");
            }
            if kinds.is_some_and(|kinds| kinds.contains(&true)) {
                return Err(fields.wrong("layer_types", "is not supported in this model"));
            }
            if window.is_some() && !off {
                return Err(fields
                    .wrong("sliding_window", "is not supported in this model")
                    .hint("with `use_sliding_window: false` beside it, it is off"));
            }
        }
        Family::Mistral => {
            // Its class knows no switch: whatever this says, the window is on.
            if fields.flag("use_sliding_window")? == Some(false) && window.is_some() {
                return Err(fields
                    .wrong("use_sliding_window", "has a `sliding_window` beside it")
                    .hint(
                        "set `sliding_window` to null, which is what turns it off in a Mistral",
                    ));
            }
            for (layer, attends) in attends.iter_mut().enumerate() {
                attends.window = window.filter(|_| slides(layer).unwrap_or(true));
            }
        }
        Family::Qwen2 | Family::Qwen3 | Family::SmolLm3 => {
            let on = fields.flag("use_sliding_window")?.unwrap_or(false);
            let whole = fields.count("max_window_layers")?.unwrap_or(28);
            let positions =
                if family == Family::SmolLm3 { turned(fields, layers)? } else { vec![] };
            // A SmolLM3 has windows where it has no positions, the others in their last layers.
            let by_number = |layer: usize| positions.get(layer).map_or(layer >= whole, |on| !on);
            if !on && kinds.as_ref().is_some_and(|kinds| kinds.contains(&true)) {
                return Err(
                    fields.wrong("layer_types", "has windows, and `use_sliding_window` is off")
                );
            }
            for (layer, attends) in attends.iter_mut().enumerate() {
                let slides = slides(layer).unwrap_or_else(|| by_number(layer));
                attends.window = window.filter(|_| on && slides);
            }
            if on && window.is_none() {
                return Err(fields.wrong("use_sliding_window", "has no `sliding_window` beside it"));
            }
        }
    }
    if family == Family::SmolLm3 {
        for (attends, turned) in attends.iter_mut().zip(turned(fields, layers)?) {
            attends.rope = turned.then_some(0);
        }
    }
    let usual = if family == Family::SmolLm3 { 2_000_000.0 } else { 10_000.0 };
    Ok((vec![rope(fields, usual)?], attends))
}

/// Which layers see a window only, if the file says so.
fn layer_types(fields: &Fields<'_>, layers: usize) -> Result<Option<Vec<bool>>> {
    let Some(list) = fields.list("layer_types")? else { return Ok(None) };
    let slides = |kind: &Value| match kind.as_str() {
        Some("full_attention") => Ok(false),
        Some("sliding_attention") => Ok(true),
        _ => Err(fields.wrong("layer_types", &format!("has {kind}, which is not supported"))),
    };
    let kinds = list.iter().map(slides).collect::<Result<Vec<_>>>()?;
    if kinds.len() != layers {
        return Err(fields.wrong("layer_types", &format!("is not one for each of {layers} layers")));
    }
    Ok(Some(kinds))
}

/// Which layers of a SmolLM3 turn by position: `no_rope_layers` says 1 where they do.
fn turned(fields: &Fields<'_>, layers: usize) -> Result<Vec<bool>> {
    let interval = fields.count("no_rope_layer_interval")?.unwrap_or(4).max(1);
    let Some(list) = fields.list("no_rope_layers")? else {
        return Ok((1..=layers).map(|layer| !layer.is_multiple_of(interval)).collect());
    };
    let turns = |value: &Value| match value.as_u64() {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        _ => Err(fields.wrong("no_rope_layers", "is not a list of 0 and 1")),
    };
    let turned = list.iter().map(turns).collect::<Result<Vec<_>>>()?;
    if turned.len() != layers {
        return Err(
            fields.wrong("no_rope_layers", &format!("is not one for each of {layers} layers"))
        );
    }
    Ok(turned)
}

/// Gemma 3: most layers see a window, and turn by a base of their own.
fn gemma(
    fields: &Fields<'_>,
    window: Option<usize>,
    kinds: Option<Vec<bool>>,
    layers: usize,
) -> Result<(Vec<Rope>, Vec<Attends>)> {
    let pattern = fields.count("sliding_window_pattern")?;
    let pattern = pattern.or(fields.count("_sliding_window_pattern")?).unwrap_or(6).max(1);
    let kinds =
        kinds.unwrap_or_else(|| (1..=layers).map(|layer| !layer.is_multiple_of(pattern)).collect());
    let window = window.ok_or_else(|| Error::new("`sliding_window` is missing"))?;
    let attends = kinds.iter().map(|slides| Attends {
        rope: Some(usize::from(*slides)),
        window: slides.then_some(window),
    });
    let local = fields.number("rope_local_base_freq")?;
    // Transformers 5 has one for each kind of layer, within one object.
    if let Some(both) = fields.object("rope_parameters")? {
        let both = Fields::new(both, "rope_parameters.");
        let of = |name: &'static str, usual: f64| match both.object(name)? {
            Some(map) => scaled(&Fields::new(map, "rope_parameters."), None, usual),
            None => Err(Error::new(format!("`rope_parameters.{name}` is missing"))),
        };
        let ropes = vec![of("full_attention", 1e6)?, of("sliding_attention", 1e4)?];
        both.finish()?;
        return Ok((ropes, attends.collect()));
    }
    let ropes = vec![rope(fields, 1e6)?, Rope::plain(local.unwrap_or(1e4))];
    Ok((ropes, attends.collect()))
}

/// The rotary embedding in either layout: `rope_theta` and `rope_scaling`, or `rope_parameters`.
fn rope(fields: &Fields<'_>, usual: f64) -> Result<Rope> {
    let theta = fields.number("rope_theta")?;
    match (fields.object("rope_parameters")?, fields.object("rope_scaling")?) {
        (Some(new), old) => {
            let rope = scaled(&Fields::new(new, "rope_parameters."), theta, usual)?;
            if let Some(old) = old
                && scaled(&Fields::new(old, "rope_scaling."), Some(rope.theta), usual)? != rope
            {
                return Err(fields.wrong("rope_scaling", "says other than `rope_parameters`"));
            }
            Ok(rope)
        }
        (None, Some(old)) => scaled(&Fields::new(old, "rope_scaling."), theta, usual),
        (None, None) => Ok(Rope::plain(theta.unwrap_or(usual))),
    }
}

/// An object that says how frequencies are scaled, beside a base if there is one.
fn scaled(fields: &Fields<'_>, theta: Option<f64>, usual: f64) -> Result<Rope> {
    let inside = fields.number("rope_theta")?;
    if let (Some(outside), Some(inside)) = (theta, inside)
        && (outside - inside).abs() > f64::EPSILON * outside.abs()
    {
        let odd =
            fields.wrong("rope_theta", &format!("is not the `rope_theta: {outside}` beside it"));
        return Err(odd);
    }
    let old = fields.text("type")?;
    let named = fields.text("rope_type")?.or(old);
    if named.is_none() && fields.get("factor").is_some() {
        return Err(fields.wrong("factor", "has no `rope_type` beside it"));
    }
    let kind = named.unwrap_or("default");
    let positive = |name: &'static str| {
        let number = fields.number(name)?.filter(|number| *number > 0.0 && number.is_finite());
        number.ok_or_else(|| fields.wrong(name, "is not a number above 0"))
    };
    let scaling = match kind {
        "default" => Scaling::None,
        "linear" => Scaling::Linear(positive("factor")?),
        "llama3" => {
            let (low, high) = (positive("low_freq_factor")?, positive("high_freq_factor")?);
            if high <= low {
                return Err(fields.wrong("high_freq_factor", "is not above `low_freq_factor`"));
            }
            let original = positive("original_max_position_embeddings")?;
            Scaling::Llama3 { factor: positive("factor")?, low, high, original }
        }
        _ => {
            let name = if fields.get("rope_type").is_some() { "rope_type" } else { "type" };
            return Err(fields
                .wrong(name, "is not supported; default, linear and llama3 are")
                .hint("use a model without it"));
        }
    };
    if scaling == Scaling::None {
        // Without scaling it says nothing.
        _ = (fields.get("factor"), fields.get("original_max_position_embeddings"));
    }
    fields.finish()?;
    Ok(Rope { theta: inside.or(theta).unwrap_or(usual), scaling })
}
