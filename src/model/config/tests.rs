use serde_json::Value;

use super::*;

fn said(json: &Value) -> String {
    let error = Config::parse(json.to_string().as_bytes()).unwrap_err();
    assert!(!error.next_step().unwrap_or_default().contains("damaged"), "{error}");
    error.message().to_string()
}

fn plain() -> Value {
    Config::small(2, 64, 100).unwrap().to_json(3)
}

fn with(more: &Value) -> Value {
    let mut json = plain();
    let all = more.as_object().unwrap();
    all.iter().for_each(|(name, value)| json[name] = value.clone());
    json
}

fn parsed(more: &Value) -> Config {
    Config::parse(with(more).to_string().as_bytes()).unwrap()
}

#[test]
fn round_trips() {
    let config = Config::small(2, 64, 100).unwrap();
    assert_eq!(parsed(&json!({})), config);
}

#[test]
fn what_changes_the_arithmetic_is_refused_by_name() {
    for (name, value) in [
        ("rope_scaling", json!({"factor": 8.0})),
        ("rope_scaling", json!({"rope_type": "yarn", "factor": 8.0})),
        ("rope_scaling", json!({"type": "dynamic", "factor": 2.0})),
        ("rope_scaling", json!({"rope_type": "linear"})),
        (
            "rope_scaling",
            json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 64}),
        ),
        ("rope_parameters", json!({"rope_theta": 5e5})), // beside rope_theta: 10000
        ("rope_parameters", json!({"rope_type": "default", "mrope_section": [16, 24, 24]})),
        ("partial_rotary_factor", json!(0.5)),
        ("sliding_window", json!(4096)),
        ("layer_types", json!(["full_attention", "sliding_attention"])),
        ("layer_types", json!(["full_attention"])),
        ("layer_types", json!(["full_attention", "linear_attention"])),
        ("quantization_config", json!({"bits": 4})),
        ("auto_map", json!({"AutoModelForCausalLM": "modeling.Other"})),
        ("rope_interleaved", json!(true)),
        ("use_qk_norm", json!(true)),
        ("no_rope_layers", json!([1, 0])),
        ("residual_multiplier", json!(0.22)),
        ("logits_scaling", json!(8.0)),
        ("attn_logit_softcapping", json!(50.0)),
        ("num_local_experts", json!(8)),
        ("a_field_of_next_year", json!(false)),
        ("hidden_act", json!("gelu")),
        ("model_type", json!("llama4_text")),
        ("architectures", json!(["LlamaForSequenceClassification"])),
        ("rms_norm_eps", json!(-1)),
        ("rms_norm_eps", json!(0)),
        ("rope_theta", json!(-5.0)),
        ("rope_theta", json!(0)),
        ("rope_theta", json!("10000")),
        ("num_hidden_layers", json!(100_000)),
        ("attention_bias", json!("yes")),
    ] {
        let odd = with(&json!({name: value}));
        let message = said(&odd);
        assert!(
            message.starts_with("config.json: ") && message.contains(name),
            "{name}: {message}"
        );
    }
    for name in ["hidden_size", "vocab_size", "rms_norm_eps", "max_position_embeddings"] {
        let mut json = plain();
        json.as_object_mut().unwrap().remove(name);
        assert!(said(&json).contains(&format!("`{name}` is missing")), "{}", said(&json));
    }
    for (name, value) in [("num_attention_heads", json!(7)), ("hidden_size", json!(u64::MAX))] {
        Config::parse(with(&json!({name: value})).to_string().as_bytes()).unwrap_err();
    }
}

#[test]
fn what_is_switched_off_or_changes_nothing_is_taken() {
    for more in [
        json!({"rope_scaling": null}),
        json!({"rope_scaling": {"rope_type": "default"}}),
        json!({"rope_scaling": {"type": "default", "factor": 1.0}}),
        json!({"rope_parameters": {"rope_theta": 1e4, "rope_type": "default"}}),
        json!({"sliding_window": 4096, "use_sliding_window": false, "max_window_layers": 2}),
        json!({"sliding_window": null}),
        json!({"layer_types": ["full_attention", "full_attention"]}),
        json!({"quantization_config": null, "attention_dropout": 0.1, "pretraining_tp": 2}),
        json!({"rope_interleaved": false, "partial_rotary_factor": 1.0, "logits_scaling": 1}),
        json!({"a_field_of_next_year": null}),
        json!({"dtype": "bfloat16", "transformers_version": "5.8.0", "use_cache": false}),
        json!({"eos_token_id": [1, 2], "pad_token_id": 0, "initializer_range": 0.02}),
    ] {
        assert_eq!(parsed(&more), parsed(&json!({})), "{more}");
    }
}

#[test]
fn both_layouts_of_transformers_say_the_same() {
    let scaling = json!({"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 8192});
    let mut inside = scaling.clone();
    inside["rope_theta"] = json!(5e5);
    let old = parsed(&json!({"rope_theta": 5e5, "rope_scaling": scaling}));
    let new = parsed(&json!({"rope_theta": null, "rope_parameters": inside}));
    assert_eq!(old, new);
    assert_ne!(old, parsed(&json!({"rope_theta": 5e5})));
    let f = new.ropes[0].frequencies(64);
    let plain = Rope::plain(5e5).frequencies(64);
    assert!((f[0] - plain[0]).abs() < 1e-12, "fast pairs are kept");
    assert!((f[31] - plain[31] / 32.0).abs() < 1e-12, "slow ones are divided");
}

#[test]
fn a_file_that_names_no_model_type_is_known_by_its_class() {
    let mut json = plain();
    json.as_object_mut().unwrap().remove("model_type");
    Config::parse(json.to_string().as_bytes()).unwrap();
    json.as_object_mut().unwrap().remove("architectures");
    assert!(said(&json).contains("neither `model_type` nor `architectures`"));
}

#[test]
fn windows_stand_where_each_class_has_them() {
    let of = |kind: &str, class: &str, more: &Value| {
        let mut json = with(more);
        json["model_type"] = json!(kind);
        json["architectures"] = json!([class]);
        Config::parse(json.to_string().as_bytes())
    };
    let windows = |config: &Config| -> Vec<Option<usize>> {
        config.attends.iter().map(|attends| attends.window).collect()
    };
    let mistral = |more: &Value| of("mistral", "MistralForCausalLM", more);
    let on = mistral(&json!({"sliding_window": 5})).unwrap();
    assert_eq!(windows(&on), [Some(5), Some(5)]);
    let off = mistral(&json!({"sliding_window": null, "use_sliding_window": false})).unwrap();
    assert_eq!(windows(&off), [None, None]);
    // Transformers' class knows no such switch.
    let odd = mistral(&json!({"sliding_window": 5, "use_sliding_window": false})).unwrap_err();
    assert!(odd.message().contains("use_sliding_window"), "{odd}");
    let smollm = json!({"sliding_window": 5, "use_sliding_window": true, "no_rope_layers": [1, 0]});
    let smollm = of("smollm3", "SmolLM3ForCausalLM", &smollm).unwrap();
    assert_eq!(windows(&smollm), [None, Some(5)], "where there are no positions");
    let qwen = json!({"sliding_window": 5, "use_sliding_window": true, "max_window_layers": 1});
    let qwen = of("qwen2", "Qwen2ForCausalLM", &qwen).unwrap();
    assert_eq!(windows(&qwen), [None, Some(5)]);
}
