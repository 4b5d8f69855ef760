use super::*;
use serde_json::json;

fn vetted(normalizer: &Value) -> Result<()> {
    vet(json!({"normalizer": normalizer}).to_string().as_bytes())
}

#[test]
fn what_multiplies_a_text_is_refused_by_name() {
    let replace = |pattern: &str, content: &str| {
        json!({"type": "Replace",
    "pattern": {"String": pattern}, "content": content})
    };
    vetted(&json!({"type": "Sequence", "normalizers": [{"type": "NFKC"}, replace(" ", "▁"),
    replace("``", "\"")]}))
    .unwrap();
    let many: Vec<Value> = (0..6).map(|_| replace("e", &"e".repeat(20))).collect();
    let error = vetted(&json!({"type": "Sequence", "normalizers": many})).unwrap_err();
    assert!(error.message().contains("64000000 times as long"), "{error}");
    let bytes: Vec<Value> = (0..20).map(|_| json!({"type": "ByteLevel"})).collect();
    assert!(vetted(&json!({"type": "Sequence", "normalizers": bytes})).is_err());
    let regex =
        |pattern: &str| json!({"type": "Replace", "pattern": {"Regex": pattern}, "content": "x"});
    for empty in ["(ab)?", r"\b", "a|^", "b*"] {
        assert!(
            vetted(&regex(empty)).unwrap_err().message().contains("matches an empty text"),
            "{empty}"
        );
    }
    assert!(vetted(&regex("(?=a)")).unwrap_err().message().contains("looks around"));
    vetted(&regex(r" {2,}|\s+x")).unwrap();
    assert!(vetted(&json!({"type": "Prepend", "prepend": "e".repeat(100)})).is_err());
    let ids: Vec<u32> = vec![0; 30_000];
    let special = json!({"[A]": {"id": "[A]", "ids": ids, "tokens": ["a"]}});
    let template = json!({"type": "TemplateProcessing", "single": [], "special_tokens": special});
    assert!(vetted(&template).unwrap_err().message().contains("more than 64 pieces"));
    assert!(vetted(&replace("", "aaaa")).unwrap_err().message().contains("empty pattern"));
}

#[test]
fn patterns_that_repeat_a_repetition_are_refused_and_those_of_known_tokenizers_are_not() {
    for known in [
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}",
        r"[!#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*",
        r"(\d{1,3})(?=(?:\d{3})*\b)",
    ] {
        check(known).unwrap_or_else(|error| panic!("{known}: {error}"));
    }
    for bad in [r"(a+)+b", r"(?:x*y)*", r"((ab){2,}c)+", r"(\p{L}+\s?)*$"] {
        assert!(check(bad).is_err(), "{bad}");
    }
}
