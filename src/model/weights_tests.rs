use super::*;

fn tiny() -> ModelFiles {
    let tokenizer = Arc::new(Tokenizer::train(&["walk to shelf".into()], 300).unwrap());
    let config = Config::small(1, 32, tokenizer.vocab()).unwrap();
    Trainable::fresh(&config, tokenizer, 1).unwrap().parts(false).unwrap()
}

fn bytes(parts: &ModelFiles) -> Vec<u8> {
    match &parts.tensors {
        Stored::Memory(bytes) => bytes.to_vec(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn damaged_files_are_refused_by_name_without_a_panic() {
    let parts = tiny();
    assert!(parts.build("m").is_ok());
    let whole = bytes(&parts);
    let with =
        |tensors: Vec<u8>| ModelFiles { tensors: Stored::Memory(tensors.into()), ..parts.clone() };
    for cut in [0, 7, 8, 100, whole.len() - 1] {
        assert!(
            with(whole[..cut].to_vec())
                .build("m")
                .unwrap_err()
                .message()
                .contains("model.safetensors")
        );
    }
    let mut poisoned = whole.clone();
    let end = poisoned.len();
    poisoned[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(with(poisoned).build("m").unwrap_err().message().contains("not finite"));
    let text = String::from_utf8(parts.config.clone()).unwrap();
    let other = text.replace("\"hidden_size\": 32", "\"hidden_size\": 64");
    assert!(ModelFiles { config: other.into_bytes(), ..parts.clone() }.build("m").is_err());
    let small = text.replace(
        &format!("\"vocab_size\": {}", Config::parse(&parts.config).unwrap().vocab),
        "\"vocab_size\": 200",
    );
    assert!(ModelFiles { config: small.into_bytes(), ..parts.clone() }.build("m").is_err());
}

#[test]
fn a_tensor_that_the_config_does_not_know_of_is_named() {
    let parts = tiny();
    let mut named = Trainable::from_parts(&parts, "m").unwrap().named();
    named.push(("model.layers.0.self_attn.q_proj.bias".into(), vec![0.0; 32], vec![32]));
    let odd =
        ModelFiles { tensors: Stored::Memory(serialize(&named, false).unwrap().into()), ..parts };
    assert!(odd.build("m").unwrap_err().message().contains("q_proj.bias"));
}
