//! The tokenizer in a GGUF file's settings, as the files of a model folder: `tokenizer.json`,
//! `tokenizer_config.json` and `chat_template.jinja`.

use serde_json::{Map, Value, json};

use super::header::{Header, Setting};
use crate::error::{Error, Result};

/// The files that a model folder would have in place of the settings.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    /// `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// What else belongs to it, by name.
    pub beside: Vec<(String, Vec<u8>)>,
}

/// A word boundary in tokenizers of the SentencePiece kind.
const BOUNDARY: &str = "\u{2581}";

/// What GPT-4's tokenizer splits texts by, with digits in groups of at most `{1}`.
const WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|{DIGITS}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Pieces, what they are, and their scores.
struct Pieces<'a> {
    tokens: Vec<&'a str>,
    kinds: Vec<u64>,
    scores: Vec<f64>,
    merges: Vec<&'a str>,
}

/// A token as `tokenizer.ggml.token_type` calls it.
const UNKNOWN: u64 = 2;
const CONTROL: u64 = 3;
const USER_DEFINED: u64 = 4;

impl Vocabulary {
    /// From a header.
    pub(super) fn read(header: &Header) -> Result<Self> {
        let pieces = Pieces::read(header)?;
        let beside_it = "put the model's tokenizer.json beside the file";
        let kind = header.text("tokenizer.ggml.model").ok_or_else(|| {
            Error::new("no tokenizer is in it (`tokenizer.ggml.model` is missing)").hint(beside_it)
        })?;
        let mut file = match kind {
            "gpt2" => byte_level(&pieces, header.text("tokenizer.ggml.pre").unwrap_or_default())?,
            "llama" => sentence_pieces(&pieces, header)?,
            _ => {
                let odd = Error::new(format!("`tokenizer.ggml.model` {kind} is not read"));
                return Err(odd.hint(beside_it));
            }
        };
        file["added_tokens"] = pieces.added();
        let name = |which: &str| {
            let id = header.integer(&format!("tokenizer.ggml.{which}_token_id"))?;
            pieces.tokens.get(id as usize).copied()
        };
        let begins = flag(header, "tokenizer.ggml.add_bos_token").unwrap_or(kind == "llama");
        if let (true, Some(bos)) = (begins, name("bos")) {
            file["post_processor"] = opened_by(bos, header.integer("tokenizer.ggml.bos_token_id"));
        }
        let mut config = Map::new();
        for which in ["bos", "eos", "unknown", "padding"] {
            let field = match which {
                "unknown" => "unk_token".to_string(),
                "padding" => "pad_token".to_string(),
                _ => format!("{which}_token"),
            };
            if let Some(token) = name(which) {
                config.insert(field, json!(token));
            }
        }
        // Where a turn ends otherwise than a text does, both end what was begun.
        let ends: Vec<u64> = ["eot", "eos", "eom"]
            .iter()
            .filter_map(|which| header.integer(&format!("tokenizer.ggml.{which}_token_id")))
            .collect();
        let mut beside = vec![("tokenizer_config.json".to_string(), bytes(&Value::Object(config)))];
        if !ends.is_empty() {
            let generation = json!({ "eos_token_id": ends });
            beside.push(("generation_config.json".into(), bytes(&generation)));
        }
        if let Some(template) = header.text("tokenizer.chat_template") {
            beside.push(("chat_template.jinja".into(), template.as_bytes().to_vec()));
        }
        Ok(Self { tokenizer: bytes(&file), beside })
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn flag(header: &Header, name: &str) -> Option<bool> {
    header.integer(name).map(|number| number != 0)
}

impl<'a> Pieces<'a> {
    fn read(header: &'a Header) -> Result<Self> {
        let list = |name: &str| match header.settings.get(name) {
            Some(Setting::List(items)) => items.as_slice(),
            _ => &[],
        };
        let texts = |name: &str| -> Result<Vec<&'a str>> {
            let odd = || Error::new(format!("`{name}` is not a list of texts"));
            let text = |item: &'a Setting| match item {
                Setting::Text(text) => Ok(text.as_str()),
                _ => Err(odd()),
            };
            list(name).iter().map(text).collect()
        };
        let tokens = texts("tokenizer.ggml.tokens")?;
        let kinds = list("tokenizer.ggml.token_type").iter().map(|item| match item {
            Setting::Integer(kind) => *kind,
            _ => 1,
        });
        let scores = list("tokenizer.ggml.scores").iter().map(|item| match item {
            Setting::Number(score) => *score,
            _ => 0.0,
        });
        let mut kinds: Vec<u64> = kinds.collect();
        let mut scores: Vec<f64> = scores.collect();
        if tokens.is_empty() {
            return Err(Error::new("no tokenizer is in it (`tokenizer.ggml.tokens` is missing)")
                .hint("put the model's tokenizer.json beside the file"));
        }
        kinds.resize(tokens.len(), 1);
        scores.resize(tokens.len(), 0.0);
        Ok(Self { merges: texts("tokenizer.ggml.merges")?, tokens, kinds, scores })
    }

    fn vocab(&self) -> Value {
        let ids =
            self.tokens.iter().enumerate().map(|(id, token)| ((*token).to_string(), json!(id)));
        Value::Object(ids.collect())
    }

    /// Control tokens, and those that a user defined.
    fn added(&self) -> Value {
        let kinds = self.tokens.iter().zip(&self.kinds).enumerate();
        let added = kinds.filter(|(_, (token, kind))| {
            [UNKNOWN, CONTROL, USER_DEFINED].contains(*kind) && !token.is_empty()
        });
        let one = |(id, (token, kind)): (usize, (&&str, &u64))| {
            json!({"id": id, "content": token, "single_word": false, "lstrip": false,
                   "rstrip": false, "normalized": false, "special": *kind != USER_DEFINED})
        };
        Value::Array(added.map(one).collect())
    }
}

/// A post-processor that puts the beginning token before every text.
fn opened_by(bos: &str, id: Option<u64>) -> Value {
    let token = json!({"SpecialToken": {"id": bos, "type_id": 0}});
    let side = |name: &str| json!({"Sequence": {"id": name, "type_id": 0}});
    let mut special = Map::new();
    special.insert(bos.into(), json!({"id": bos, "ids": [id], "tokens": [bos]}));
    json!({"type": "TemplateProcessing", "single": [token, side("A")],
           "pair": [token, side("A"), token, side("B")], "special_tokens": special})
}

/// Byte-level BPE, split into words as the name in `tokenizer.ggml.pre` says.
fn byte_level(pieces: &Pieces<'_>, pre: &str) -> Result<Value> {
    let bytes = |by_words: bool| {
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
               "use_regex": by_words})
    };
    let in_order = |first: Value, by_words: bool| json!({"type": "Sequence", "pretokenizers": [first, bytes(by_words)]});
    let words = |digits: &str| {
        json!({"type": "Split", "pattern": {"Regex": WORDS.replace("{DIGITS}", digits)},
               "behavior": "Isolated", "invert": false})
    };
    let (before, normalizer, whole) = match pre {
        "gpt-2" | "gpt2" => (bytes(true), Value::Null, false),
        "llama-bpe" | "llama3" | "llama-v3" => {
            (in_order(words(r"\p{N}{1,3}"), false), Value::Null, true)
        }
        "qwen2" => (in_order(words(r"\p{N}"), false), json!({"type": "NFC"}), false),
        "smollm" | "refact" | "starcoder" | "codeshell" => (
            in_order(json!({"type": "Digits", "individual_digits": true}), true),
            Value::Null,
            false,
        ),
        _ => {
            let odd = Error::new(format!("`tokenizer.ggml.pre` {pre:?} is not known here"));
            return Err(odd.hint("put the model's tokenizer.json beside the file"));
        }
    };
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": normalizer, "pre_tokenizer": before, "post_processor": bytes(true),
        "decoder": bytes(true),
        "model": {"type": "BPE", "dropout": null, "unk_token": null,
                  "continuing_subword_prefix": null, "end_of_word_suffix": null,
                  "fuse_unk": false, "byte_fallback": false, "ignore_merges": whole,
                  "vocab": pieces.vocab(), "merges": pieces.merges},
    }))
}

/// SentencePiece's BPE: pieces with scores, from which the order of merges follows.
fn sentence_pieces(pieces: &Pieces<'_>, header: &Header) -> Result<Value> {
    let prefixed = flag(header, "tokenizer.ggml.add_space_prefix").unwrap_or(true);
    let spaces = json!({"type": "Replace", "pattern": {"String": " "}, "content": BOUNDARY});
    let normalizer = if prefixed {
        let prepend = json!({"type": "Prepend", "prepend": BOUNDARY});
        json!({"type": "Sequence", "normalizers": [prepend, spaces]})
    } else {
        spaces
    };
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": BOUNDARY}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if prefixed {
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    let unknown = pieces.kinds.iter().position(|kind| *kind == UNKNOWN);
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": normalizer, "pre_tokenizer": null, "post_processor": null,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {"type": "BPE", "dropout": null,
                  "unk_token": unknown.map(|at| pieces.tokens[at]),
                  "continuing_subword_prefix": null, "end_of_word_suffix": null,
                  "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
                  "vocab": pieces.vocab(), "merges": merges(pieces)?},
    }))
}

/// A longer piece is no word: it is refused before its ways to be parted are tried.
const LONGEST: usize = 1 << 10;

/// Pairs of pieces that make a piece, the best-scored piece first.
fn merges(pieces: &Pieces<'_>) -> Result<Vec<[String; 2]>> {
    let ids: std::collections::HashMap<&str, usize> =
        pieces.tokens.iter().enumerate().map(|(id, token)| (*token, id)).collect();
    let mut found: Vec<(f64, usize, [usize; 2])> = Vec::new();
    for (id, token) in pieces.tokens.iter().enumerate().filter(|(id, _)| pieces.kinds[*id] == 1) {
        if token.len() > LONGEST {
            return Err(Error::new(format!("a piece of {} bytes", token.len())));
        }
        for (at, _) in token.char_indices().skip(1) {
            if let (Some(left), Some(right)) = (ids.get(&token[..at]), ids.get(&token[at..])) {
                found.push((pieces.scores[id], id, [*left, *right]));
            }
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.2.cmp(&b.2)));
    Ok(found.into_iter().map(|(.., pair)| pair.map(|id| pieces.tokens[id].to_string())).collect())
}
