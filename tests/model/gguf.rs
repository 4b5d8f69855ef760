//! Models as GGUF files: what is in them gives the scores of the folder that they were made from.

use foretaste::model::config::{Config, Family};
use foretaste::model::weights::{ModelFiles, Trainable};
use foretaste::rng::Rng;

use crate::families::{cases, decoder_of, trainable};
use crate::fixtures::*;

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

/// A setting that is a whole number.
pub fn whole(name: &str, value: usize) -> Vec<u8> {
    [text(name), [4u32, value as u32].map(u32::to_le_bytes).concat()].concat()
}

/// A setting that is a number.
pub fn number(name: &str, value: f32) -> Vec<u8> {
    [text(name), 6u32.to_le_bytes().to_vec(), value.to_le_bytes().to_vec()].concat()
}

const NAMES: [(&str, &str); 17] = [
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
    ("post_attention_layernorm", "ffn_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];

/// A model as a GGUF file of an architecture, in f32, with settings of its own: as llama.cpp's
/// converter writes it, with interleaved rotary pairs of q and k where it does that, and gains of
/// Gemma whole.
pub fn gguf(fresh: &Trainable, name: &str, more: &[Vec<u8>]) -> Vec<u8> {
    let config = &fresh.config;
    let named = |which: &str| format!("{name}.{which}");
    let mut settings = vec![
        [text("general.architecture"), 8u32.to_le_bytes().to_vec(), text(name)].concat(),
        whole(&named("embedding_length"), config.hidden),
        whole(&named("feed_forward_length"), config.intermediate),
        whole(&named("block_count"), config.layers),
        whole(&named("attention.head_count"), config.heads),
        whole(&named("attention.head_count_kv"), config.kv_heads),
        whole(&named("attention.key_length"), config.head_dim),
        whole(&named("context_length"), config.context),
        number(&named("attention.layer_norm_rms_epsilon"), config.norm_eps as f32),
        number(&named("rope.freq_base"), config.ropes[0].theta as f32),
    ];
    settings.extend_from_slice(more);
    let mut entries = Vec::new();
    let mut data: Vec<u8> = Vec::new();
    let mut count = 0u64;
    let mut add = |name: &str, shape: &[usize], values: &[f32]| {
        let sides: Vec<u8> =
            shape.iter().rev().flat_map(|side| (*side as u64).to_le_bytes()).collect();
        let sides_count = (shape.len() as u32).to_le_bytes().to_vec();
        entries.extend([text(name), sides_count, sides, 0u32.to_le_bytes().to_vec()].concat());
        entries.extend((data.len() as u64).to_le_bytes());
        count += 1;
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        data.resize(data.len().next_multiple_of(32), 0);
    };
    for (ours, values, shape) in fresh.named() {
        let theirs = if config.is_gemma() {
            ours.replace("post_attention_layernorm", "post_attention_norm")
        } else {
            ours.clone()
        };
        let theirs = NAMES.iter().fold(theirs, |name, (ours, theirs)| name.replace(ours, theirs));
        add(&theirs, &shape, &as_stored(config, &ours, values, &shape));
    }
    if let foretaste::model::config::Scaling::Llama3 { .. } = config.ropes[0].scaling {
        let plain = foretaste::model::config::Rope::plain(config.ropes[0].theta);
        let both = plain.frequencies(config.head_dim).into_iter();
        let both = both.zip(config.ropes[0].frequencies(config.head_dim));
        let factors: Vec<f32> = both.map(|(plain, scaled)| (plain / scaled) as f32).collect();
        add("rope_freqs.weight", &[factors.len()], &factors);
    }
    let head = [
        b"GGUF".to_vec(),
        3u32.to_le_bytes().to_vec(),
        count.to_le_bytes().to_vec(),
        (settings.len() as u64).to_le_bytes().to_vec(),
    ];
    let mut bytes = [head.concat(), settings.concat(), entries].concat();
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    bytes.extend(data);
    bytes
}

/// A tensor's values as the converter writes them.
fn as_stored(config: &Config, name: &str, values: Vec<f32>, shape: &[usize]) -> Vec<f32> {
    if config.is_gemma() && name.contains("norm") {
        return values.into_iter().map(|gain| gain + 1.0).collect();
    }
    let turned = matches!(config.family, Family::Llama | Family::SmolLm3 | Family::Granite)
        && (name.contains("q_proj") || name.contains("k_proj"));
    if !turned {
        return values;
    }
    let dim = config.head_dim;
    let width = if shape.len() == 1 { 1 } else { shape[1] };
    // Row 2i + j of a head is row j · dim/2 + i of Hugging Face's.
    let from = |row: usize| row / dim * dim + row % 2 * (dim / 2) + row % dim / 2;
    (0..values.len() / width)
        .flat_map(|row| values[from(row) * width..][..width].iter().copied())
        .collect()
}

#[test]
fn every_family_gives_the_scores_of_the_folder_that_it_was_made_from() {
    let settings = |name: &str| -> (&str, Vec<Vec<u8>>) {
        match name {
            "llama" | "llama-3.1" | "llama-biases" => ("llama", vec![]),
            "llama-linear" => {
                let kind =
                    [text("llama.rope.scaling.type"), 8u32.to_le_bytes().to_vec(), text("linear")];
                ("llama", vec![kind.concat(), number("llama.rope.scaling.factor", 4.0)])
            }
            "qwen2" => ("qwen2", vec![]),
            "qwen3" => ("qwen3", vec![]),
            "granite" => (
                "granite",
                vec![
                    number("granite.attention.scale", 0.11),
                    number("granite.embedding_scale", 3.0),
                    number("granite.residual_scale", 0.4),
                    number("granite.logit_scale", 2.5),
                ],
            ),
            "gemma3" => (
                "gemma3",
                vec![
                    whole("gemma3.attention.sliding_window", 5),
                    whole("gemma3.attention.sliding_window_pattern", 3),
                ],
            ),
            _ => ("", vec![]),
        }
    };
    let tokens = random_tokens(&mut Rng::new(3), 30);
    let actions: Vec<Vec<u32>> =
        (1..6).map(|n| random_tokens(&mut Rng::new(n), n as usize)).collect();
    let mut read = 0;
    for (name, mut case) in cases() {
        let (architecture, more) = settings(&name);
        if architecture.is_empty() {
            continue;
        }
        if name == "gemma3" {
            // What llama.cpp knows of it by its name: the width of its heads is what scores are
            // scaled by.
            case["config"]["query_pre_attn_scalar"] = case["config"]["head_dim"].clone();
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.gguf");
        std::fs::write(&path, gguf(&trainable(&case), architecture, &more)).unwrap();
        let found = ModelFiles::network(&path).unwrap().decoder().unwrap();
        let folder = decoder_of(&case);
        let of = |decoder| nats(&prompt(decoder, &tokens), decoder, &actions);
        for (got, want) in of(&found).iter().zip(of(&folder)) {
            assert!((got - want).abs() < 2e-4, "{name}: {got} {want}");
        }
        read += 1;
    }
    assert_eq!(read, 8);
}

#[test]
fn what_a_file_says_and_is_not_understood_is_refused_by_name() {
    let fresh = small(1);
    let said = |name: &str, more: &[Vec<u8>]| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.gguf");
        std::fs::write(&path, gguf(&fresh, name, more)).unwrap();
        ModelFiles::network(&path).unwrap().decoder().unwrap_err().message().to_string()
    };
    assert!(said("mamba", &[]).contains("architecture `mamba`"));
    for (name, more) in [
        (
            "llama.rope.scaling.yarn_log_multiplier",
            number("llama.rope.scaling.yarn_log_multiplier", 0.1),
        ),
        ("llama.expert_count", whole("llama.expert_count", 8)),
        ("llama.attention.sliding_window", whole("llama.attention.sliding_window", 4096)),
        ("llama.embedding_scale", number("llama.embedding_scale", 12.0)),
        ("llama.final_logit_softcapping", number("llama.final_logit_softcapping", 30.0)),
    ] {
        let said = said("llama", &[more]);
        assert!(said.contains(&format!("`{name}`")), "{said}");
    }
    let off = gguf(&fresh, "llama", &[whole("llama.expert_count", 0)]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    std::fs::write(&path, off).unwrap();
    ModelFiles::network(&path).unwrap().decoder().unwrap();
    let mut other = fresh.clone();
    other.config.biases.qkv = true;
    let missing = gguf(&fresh, "qwen2", &[]);
    std::fs::write(&path, missing).unwrap();
    let said = ModelFiles::network(&path).unwrap().decoder().unwrap_err();
    assert!(said.message().contains("tensor `blk.0.attn_q.bias` is missing"), "{said}");
}

#[test]
fn parts_are_read_as_one_and_others_are_said_by_their_number() {
    let fresh = small(1);
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let split =
        |no: usize, count: usize| [whole("split.no", no), whole("split.count", count)].to_vec();
    let first = at("m-00001-of-00002.gguf");
    std::fs::write(&first, gguf(&fresh, "llama", &split(0, 2))).unwrap();
    let said = |path: &std::path::Path| {
        let error = ModelFiles::network(path).unwrap().decoder().unwrap_err();
        format!("{error} {}", error.next_step().unwrap_or_default())
    };
    assert!(said(&first).contains("part 2 of 2 is not beside it"), "{}", said(&first));
    let second = at("m-00002-of-00002.gguf");
    std::fs::write(&second, gguf(&fresh, "llama", &split(1, 2))).unwrap();
    assert!(said(&second).contains("this is part 2 of 2"), "{}", said(&second));
    assert!(said(&second).contains("m-00001-of-00002.gguf"));
    // All tensors stand in the first: that is a split as well.
    ModelFiles::network(&first).unwrap().decoder().unwrap();
    let odd = at("renamed.gguf");
    std::fs::copy(&first, &odd).unwrap();
    assert!(said(&odd).contains("is not called …-00001-of-00002.gguf"), "{}", said(&odd));
    let mut turned = std::fs::read(&first).unwrap();
    turned[4..8].reverse();
    std::fs::write(&odd, turned).unwrap();
    assert!(said(&odd).contains("big-endian") && said(&odd).contains("gguf-convert-endian"));
}
