//! `config.json` of models.

use foretaste::model::config::Config;

use super::choices::Choices;

/// A file: sizes that fit each other, some of them put out of order, and fields that nobody asked
/// for.
pub fn make(c: &mut Choices<'_>) -> Vec<u8> {
    let heads = 1usize << c.below(6);
    let dim = 2 * c.between(1, 64);
    let sizes = [
        ("hidden_size", heads * dim),
        ("intermediate_size", c.between(1, 5000)),
        ("vocab_size", c.between(1, 1 << 18)),
        ("num_hidden_layers", c.between(1, 512)),
        ("num_attention_heads", heads),
        ("num_key_value_heads", 1 << c.below(heads.ilog2() as usize + 1)),
        ("max_position_embeddings", c.between(1, 1 << 20)),
    ];
    let mut fields: Vec<(String, String)> =
        sizes.map(|(name, size)| (name.to_string(), size.to_string())).to_vec();
    fields.extend(
        [("rms_norm_eps", "1e-5"), ("rope_theta", "10000.0"), ("model_type", "\"llama\"")]
            .map(|(name, value)| (name.into(), value.into())),
    );
    let more = [
        "head_dim",
        "bos_token_id",
        "eos_token_id",
        "rope_scaling",
        "attention_bias",
        "hidden_act",
        "tie_word_embeddings",
    ];
    for _ in 0..c.many(4) {
        fields.push((
            c.pick(&more).into(),
            c.pick(&["null", "false", "true", "2", "\"silu\"", "[1,2]"]).into(),
        ));
    }
    for _ in 0..if c.chance(60) { 0 } else { c.between(1, 3) } {
        let at = c.below(fields.len());
        fields[at].1 = if c.chance(80) { c.odd().into() } else { c.json() };
    }
    // What changes nothing may be anything; what is not known is refused, whatever it is.
    let harmless = ["transformers_version", "use_cache", "task_specific_params", "top_k"];
    if c.chance(10) {
        fields.push(("x".into(), c.odd().replace("NaN", "0").replace("1e400", "0")));
    }
    for _ in 0..c.many(400) {
        fields.push((
            c.pick(&harmless).into(),
            if c.chance(98) { c.odd().replace("NaN", "0").replace("1e400", "0") } else { c.json() },
        ));
    }
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    let mut text = format!("{{{}}}", fields.join(",")).into_bytes();
    if c.chance(4) {
        text.truncate(c.below(text.len()));
    }
    text
}

/// Reads it, and works out what a decoder of that shape needs first.
pub fn feed(bytes: &[u8]) -> bool {
    let Ok(config) = Config::parse(bytes) else { return false };
    _ = (config.tensors(), config.angles(&[0, 1, config.context as u32]), config.to_json(0));
    true
}
