use serde_json::json;

use super::*;
use crate::model::Model;
use crate::model::files::serialize;

/// Layers with pairs of these ranks, filled with small numbers.
fn file(layers: &[(&str, usize, usize, usize)]) -> Vec<u8> {
    let mut tensors = Vec::new();
    for (layer, out, inner, rank) in layers {
        let numbers = |n: usize| (0..n).map(|i| (i % 7) as f32 - 3.0).collect::<Vec<_>>();
        let name = |side| format!("base_model.model.model.layers.{layer}.lora_{side}.weight");
        tensors.push((name("A"), numbers(rank * inner), vec![*rank, *inner]));
        tensors.push((name("B"), numbers(out * rank), vec![*out, *rank]));
    }
    serialize(&tensors, false).unwrap()
}

fn config() -> Config {
    Model::embedded().unwrap().decoder.config.clone()
}

/// The product beside a tensor of the model.
fn product(adapter: &Adapter, tensor: &str) -> Vec<f32> {
    let config = config();
    let tensors = config.tensors();
    let at = tensors.iter().position(|(name, _)| name == tensor).unwrap();
    let mut weights = vec![0.0; tensors[at].1.iter().product()];
    adapter.add(adapter.pair(at).unwrap(), &mut weights);
    weights
}

/// By hand: `scale · B · A`.
fn by_hand(out: usize, inner: usize, rank: usize, scale: f32) -> Vec<f32> {
    let number = |i: usize| (i % 7) as f32 - 3.0;
    let one = |o: usize, i: usize| {
        (0..rank).map(|r| number(o * rank + r) * number(r * inner + i)).sum::<f32>() * scale
    };
    (0..out * inner).map(|at| one(at / inner, at % inner)).collect()
}

fn close(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-4 * (1.0 + b.abs()))
}

const Q: &str = "1.self_attn.q_proj";
const DOWN: &str = "3.mlp.down_proj";

#[test]
fn some_layers_with_ranks_and_scales_of_their_own_are_the_same_products() {
    let tensors = file(&[(Q, 192, 192, 2), (DOWN, 192, 512, 4)]);
    let said = json!({"peft_type": "LORA", "r": 2, "lora_alpha": 6, "bias": "none",
        "rank_pattern": {"mlp.down_proj": 4}, "alpha_pattern": {r"layers\.3\..*": 10},
        "use_rslora": true, "layers_to_transform": [1, 3], "target_modules": ["q_proj", "mlp.down_proj"],
        "init_lora_weights": true, "use_dora": false, "modules_to_save": null});
    let adapter = Adapter::from_peft(&config(), said.to_string().as_bytes(), &tensors).unwrap();
    assert_eq!(adapter.rank, 4);
    let q = product(&adapter, "model.layers.1.self_attn.q_proj.weight");
    assert!(close(&q, &by_hand(192, 192, 2, 6.0 / 2f32.sqrt())));
    let down = product(&adapter, "model.layers.3.mlp.down_proj.weight");
    assert!(close(&down, &by_hand(192, 512, 4, 10.0 / 2.0)));
    // What is written out is read as the same.
    let (settings, written) = adapter.to_peft("base").unwrap();
    let again = Adapter::from_peft(&config(), &settings, &written).unwrap();
    assert!(close(&product(&again, "model.layers.3.mlp.down_proj.weight"), &down));
}

#[test]
fn an_anchored_pattern_fits_only_what_pefts_does() {
    // PEFT matches `(.*\.)?(KEY)$`: a `^` inside stands at the beginning of the whole name.
    let tensors = file(&[(Q, 192, 192, 2)]);
    let scale = |key: &str| {
        let said = json!({"peft_type": "LORA", "r": 2, "lora_alpha": 6, "bias": "none",
            "alpha_pattern": {key: 10}, "target_modules": r".*\.q_proj"});
        let adapter = Adapter::from_peft(&config(), said.to_string().as_bytes(), &tensors).unwrap();
        product(&adapter, "model.layers.1.self_attn.q_proj.weight")
    };
    assert!(close(&scale("^q_proj"), &by_hand(192, 192, 2, 3.0)));
    assert!(close(&scale("q_proj"), &by_hand(192, 192, 2, 5.0)));
    let many: serde_json::Map<String, serde_json::Value> =
        (0..2000).map(|n| (format!("a{n}"), json!(1))).collect();
    let said = json!({"peft_type": "LORA", "r": 2, "lora_alpha": 6, "alpha_pattern": many});
    let error = Adapter::from_peft(&config(), said.to_string().as_bytes(), &tensors).unwrap_err();
    assert!(error.message().contains("2000 patterns"), "{error}");
}

#[test]
fn what_would_change_the_arithmetic_is_refused_by_name() {
    let tensors = file(&[(Q, 192, 192, 2)]);
    for (field, value, named) in [
        ("use_dora", json!(true), "use_dora"),
        ("lora_bias", json!(true), "lora_bias"),
        ("bias", json!("all"), "bias"),
        // PEFT leaves alone what these do not cover, so that a tensor there is not what it seems.
        ("target_modules", json!(["k_proj"]), "q_proj"),
        ("target_modules", json!(r".*layers\.[02].*q_proj"), "q_proj"),
        ("target_modules", json!(7), "target_modules"),
        ("layers_to_transform", json!([0, 2]), "q_proj"),
        ("layers_to_transform", json!("all"), "layers_to_transform"),
        ("exclude_modules", json!(["q_proj"]), "exclude_modules"),
        ("alpha_pattern", json!({"[a-z&&[q]]_proj": 3}), "&&"),
        ("alpha_pattern", json!({"[a-z]{3000}{40}": 3}), "alpha_pattern"),
        ("modules_to_save", json!(["lm_head"]), "modules_to_save"),
        ("init_lora_weights", json!("pissa_niter_4"), "pissa"),
        ("a_field_of_tomorrow", json!(3), "a_field_of_tomorrow"),
        ("r", json!(3), "rank of 3"),
        ("lora_alpha", json!(-1), "lora_alpha"),
        ("alpha_pattern", json!({"(": 3}), "alpha_pattern"),
        ("alpha_pattern", json!({"q_proj": 3, ".*proj": 4}), "different things"),
        ("use_rslora", json!("yes"), "use_rslora"),
    ] {
        let mut said = json!({"peft_type": "LORA", "r": 2, "lora_alpha": 4});
        said[field] = value;
        let read = Adapter::from_peft(&config(), said.to_string().as_bytes(), &tensors);
        let error = read.unwrap_err();
        assert!(error.message().contains(named), "{field}: {error}");
    }
    let said = br#"{"peft_type": "LORA", "r": 2, "lora_alpha": 4}"#;
    for (layer, named) in [("9.self_attn.q_proj", "belongs to no layer"), ("1.norm", "belongs to")]
    {
        let error =
            Adapter::from_peft(&config(), said, &file(&[(layer, 192, 192, 2)])).unwrap_err();
        assert!(error.message().contains(named), "{error}");
    }
}
