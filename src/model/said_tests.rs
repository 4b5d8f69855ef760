use serde_json::json;

use super::*;

fn said(config: &Value, beside: &[(&str, Value)]) -> Said {
    let beside: Vec<(String, Vec<u8>)> = beside
        .iter()
        .map(|(name, value)| ((*name).to_string(), value.to_string().into_bytes()))
        .collect();
    Said::read(config.to_string().as_bytes(), &beside).unwrap()
}

fn ends(said: &Said) -> Vec<u32> {
    let id_of =
        |text: &str| ["<|a|>", "<|b|>"].iter().position(|t| *t == text).map(|at| at as u32 + 7);
    said.ends(id_of, |id| id < 10).unwrap()
}

#[test]
fn the_first_file_that_names_an_end_is_believed() {
    let config = json!({"eos_token_id": 3});
    let generation = ("generation_config.json", json!({"eos_token_id": [4, 5]}));
    let tokenizer = ("tokenizer_config.json", json!({"eos_token": {"content": "<|b|>"}}));
    assert_eq!(ends(&said(&config, &[generation.clone(), tokenizer.clone()])), [4, 5]);
    assert_eq!(ends(&said(&config, std::slice::from_ref(&tokenizer))), [3]);
    let none = json!({"eos_token_id": null});
    assert_eq!(ends(&said(&none, std::slice::from_ref(&tokenizer))), [8]);
    assert_eq!(ends(&said(&none, &[])), [0u32; 0]);
    let several = ("generation_config.json", json!({"eos_token_id": [4, 8]}));
    assert_eq!(ends(&said(&config, &[several, tokenizer])), [8, 4], "a text carries its own");
}

#[test]
fn an_end_that_is_no_token_is_refused_by_its_file() {
    let odd = said(&json!({"eos_token_id": 99}), &[]);
    let error = odd.ends(|_| None, |id| id < 10).unwrap_err();
    assert!(error.message().starts_with("config.json: the end token Id(99)"), "{error}");
    let negative = Said::read(br#"{"eos_token_id": -1}"#, &[]).unwrap_err();
    assert!(negative.message().contains("`eos_token_id` has -1"), "{negative}");
}
