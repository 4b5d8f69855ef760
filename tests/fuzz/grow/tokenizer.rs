//! `tokenizer.json`: every kind of part, many of each, and some text to encode.

use foretaste::model::tokenizer::{ACTION, END, Tokenizer};
use serde_json::{Map, Value, json};

use super::choices::Choices;
use super::regexes::regex;

/// What is encoded; short, but each letter may be multiplied.
const TEXTS: [&str; 5] = [
    "",
    "a",
    "go to mug 1, é 日本 <|end|>!",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
    "e e e e e e e e",
];

fn pattern(c: &mut Choices<'_>) -> Value {
    if c.chance(50) {
        let deep = c.depth(6);
        return json!({"Regex": regex(c, deep)});
    }
    json!({"String": c.pick(&["e", "a", " ", "", "aa", "é", "mug", "\u{0}"])})
}

fn normalizer(c: &mut Choices<'_>) -> Value {
    match c.below(10) {
        0 | 1 => {
            let text = c.pick(&["", "e", "ee", "a", "aa", " ", "\u{2581}"]).to_string();
            let times = if c.chance(30) { c.between(1, 64) } else { 1 };
            json!({"type": "Replace", "pattern": pattern(c), "content": text.repeat(times)})
        }
        2 => json!({"type": "Prepend", "prepend": c.text()}),
        3 => {
            json!({"type": c.pick(&["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents",
            "Nmt", "ByteLevel"])})
        }
        4 => json!({"type": "Strip", "strip_left": c.chance(50), "strip_right": c.chance(50)}),
        5 => {
            json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null,
            "lowercase": true})
        }
        6 => {
            let each = normalizer(c);
            json!({"type": "Sequence", "normalizers": vec![each; c.many(24)]})
        }
        7 => {
            let list: Vec<Value> = (0..c.many(6)).map(|_| normalizer(c)).collect();
            json!({"type": "Sequence", "normalizers": list})
        }
        8 => {
            let times = c.depth(60);
            (0..times)
                .fold(normalizer(c), |inner, _| json!({"type": "Sequence", "normalizers": [inner]}))
        }
        _ => Value::Null,
    }
}

fn pre_tokenizer(c: &mut Choices<'_>) -> Value {
    const BEHAVIORS: [&str; 5] =
        ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"];
    match c.below(8) {
        0 | 1 => {
            json!({"type": "ByteLevel", "add_prefix_space": c.chance(50), "trim_offsets": true,
            "use_regex": c.chance(50)})
        }
        2 | 3 => {
            json!({"type": "Split", "pattern": pattern(c), "behavior": c.pick(&BEHAVIORS),
            "invert": c.chance(50)})
        }
        4 => {
            json!({"type": c.pick(&["Whitespace", "WhitespaceSplit", "BertPreTokenizer",
            "UnicodeScripts"])})
        }
        5 => {
            json!({"type": "Metaspace", "replacement": c.pick(&["\u{2581}", "e"]), "prepend_scheme":
            c.pick(&["always", "first", "never"]), "split": c.chance(50)})
        }
        6 => json!({"type": "Digits", "individual_digits": c.chance(50)}),
        _ => {
            let list: Vec<Value> = (0..c.many(6)).map(|_| pre_tokenizer(c)).collect();
            json!({"type": "Sequence", "pretokenizers": list})
        }
    }
}

fn id(c: &mut Choices<'_>, next: usize) -> u64 {
    if c.chance(2) {
        [u64::from(u32::MAX), u64::from(u32::MAX) + 1, 1 << 31, 0][c.below(4)]
    } else {
        next as u64
    }
}

fn model(c: &mut Choices<'_>) -> Value {
    let mut vocab = Map::new();
    for (i, letter) in "abcdefghijklmnopqrstuvwxyz0123456789,.!\u{120}\u{2581}".chars().enumerate()
    {
        vocab.insert(letter.to_string(), i.into());
    }
    let mut merges = Vec::new();
    let pairs = c.chance(50);
    // Each merge joins the last piece with itself or a letter, so pieces grow as they do in a
    // trained model.
    let mut last = "a".to_string();
    for _ in 0..c.many(400) {
        let other = if c.chance(20) && last.len() < 200 {
            last.clone()
        } else {
            c.pick(&["a", "b", "e", "x"]).to_string()
        };
        merges.push(if pairs { json!([last, other]) } else { json!(format!("{last} {other}")) });
        last.push_str(&other);
        let next = id(c, vocab.len());
        vocab.insert(last.clone(), next.into());
        if c.chance(20) {
            last = "e".into();
        }
    }
    if c.chance(5) {
        merges.push(if pairs { json!(["zzz", "unknown"]) } else { json!("zzz unknown") });
    }
    match c.below(8) {
        0 => json!({"type": "WordLevel", "vocab": vocab, "unk_token": c.pick(&["a", "none"])}),
        1 => {
            json!({"type": "WordPiece", "vocab": vocab, "unk_token": c.pick(&["a", "none"]),
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": c.many(1000)})
        }
        2 => {
            let list: Vec<Value> =
                vocab.keys().map(|piece| json!([piece, -(c.below(50) as f64)])).collect();
            json!({"type": "Unigram", "vocab": list,
            "unk_id": if c.chance(50) { json!(0) } else { json!(c.below(900)) },
                "byte_fallback": c.chance(50)})
        }
        _ => {
            json!({"type": "BPE", "vocab": vocab, "merges": merges, "dropout": null,
                "unk_token": if c.chance(20) { json!("a") } else { Value::Null },
                "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": c.chance(30),
                "byte_fallback": c.chance(30)})
        }
    }
}

fn decoder(c: &mut Choices<'_>) -> Value {
    match c.below(7) {
        0 => {
            json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
            "use_regex": true})
        }
        1 => json!({"type": "Replace", "pattern": pattern(c), "content": c.text()}),
        2 => json!({"type": "Strip", "content": "e", "start": c.many(9000), "stop": c.many(9000)}),
        3 => json!({"type": c.pick(&["Fuse", "ByteFallback"])}),
        4 => {
            json!({"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always",
            "split": true})
        }
        5 => {
            let list: Vec<Value> = (0..c.many(20)).map(|_| decoder(c)).collect();
            json!({"type": "Sequence", "decoders": list})
        }
        _ => Value::Null,
    }
}

fn post_processor(c: &mut Choices<'_>) -> Value {
    match c.below(4) {
        0 => {
            let token = json!({"SpecialToken": {"id": "</s>", "type_id": 0}});
            let mut single = vec![token; c.many(3000)];
            single.push(json!({"Sequence": {"id": "A", "type_id": 0}}));
            let ids = vec![c.below(2000); c.many(3000)];
            json!({"type": "TemplateProcessing", "single": single, "pair": [{"Sequence": {"id": "A",
            "type_id": 0}}],
                "special_tokens": {"</s>": {"id": "</s>", "ids": ids,
                "tokens": vec!["</s>"; ids.len()]}}})
        }
        1 => {
            json!({"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0],
            "trim_offsets": true,
            "add_prefix_space": true})
        }
        _ => Value::Null,
    }
}

/// A file.
pub fn make(c: &mut Choices<'_>) -> Vec<u8> {
    let model = model(c);
    let known = model["vocab"].as_object().map_or(500, Map::len);
    let mut added = Vec::new();
    let ends = [END, "</s>", "<|im_end|>", "a"][c.below(4)];
    for i in 0..=c.many(500) {
        let content = if i == 0 { ends.to_string() } else { c.text() };
        added.push(json!({"id": id(c, known + i), "content": content, "single_word": c.chance(20),
        "lstrip": c.chance(30),
            "rstrip": c.chance(30), "normalized": c.chance(30), "special": c.chance(60)}));
    }
    let truncation = if c.chance(5) {
        json!({"direction": "Right", "max_length": c.below(4), "strategy": "LongestFirst",
        "stride": c.below(9)})
    } else {
        Value::Null
    };
    let mut file = json!({"version": "1.0", "truncation": truncation, "padding": null,
    "added_tokens": added,
        "normalizer": normalizer(c), "pre_tokenizer": pre_tokenizer(c),
        "post_processor": post_processor(c),
        "decoder": decoder(c), "model": model});
    if c.chance(15) {
        let fields = ["version", "added_tokens", "normalizer", "pre_tokenizer", "decoder", "model"];
        let odd = serde_json::from_str(&c.json()).unwrap_or(Value::Null);
        file[c.pick(&fields)] = odd;
    }
    serde_json::to_vec(&file).unwrap_or_default()
}

/// Reads it, encodes some text and decodes that.
pub fn feed(bytes: &[u8]) -> bool {
    let Ok(tokenizer) = Tokenizer::parse(bytes) else { return false };
    for text in TEXTS {
        if let Ok(ids) = tokenizer.encode_plain(text) {
            _ = tokenizer.decode(&ids);
            _ = tokenizer.decode_all(&ids[..ids.len().min(9)]);
        }
    }
    _ = tokenizer.control(ACTION);
    _ = tokenizer.decode(&[0, 7, u32::MAX]);
    tokenizer.to_json().is_ok_and(|_| tokenizer.vocab() > 0)
}
