//! The fields of a `config.json`: each is read, known to be harmless, or refused by name.

use std::cell::RefCell;
use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Fields that change nothing of what a model computes once it is trained.
const HARMLESS: &[&str] = &[
    // Where it comes from and how it is stored.
    "_name_or_path",
    "name_or_path",
    "_commit_hash",
    "transformers_version",
    "torch_dtype",
    "dtype",
    "tokenizer_class",
    "transformers.js_config",
    "unsloth_version",
    "unsloth_fixed",
    "is_llama_config",
    "_attn_implementation",
    "_attn_implementation_autoset",
    "attn_implementation",
    "use_bfloat16",
    "torchscript",
    "chunk_size_feed_forward",
    "pretraining_tp",
    "cache_implementation",
    // Tokens: the tokenizer's files are asked, and generation_config.json.
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "unk_token_id",
    "sep_token_id",
    "decoder_start_token_id",
    "image_token_id",
    // While it was trained.
    "attention_dropout",
    "hidden_dropout",
    "embedding_dropout",
    "dropout",
    "initializer_range",
    "gradient_checkpointing",
    // What a call answers.
    "use_cache",
    "return_dict",
    "output_hidden_states",
    "output_attentions",
    "is_decoder",
    "id2label",
    "label2id",
    "num_labels",
    "problem_type",
    "finetuning_task",
    "task_specific_params",
    "prefix",
    "tf_legacy_loss",
    "keys_to_ignore_at_inference",
    // How it is sampled, in old files.
    "max_length",
    "min_length",
    "do_sample",
    "early_stopping",
    "num_beams",
    "num_beam_groups",
    "diversity_penalty",
    "temperature",
    "top_k",
    "top_p",
    "typical_p",
    "repetition_penalty",
    "length_penalty",
    "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size",
    "bad_words_ids",
    "num_return_sequences",
    "output_scores",
    "return_dict_in_generate",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "remove_invalid_values",
    "exponential_decay_length_penalty",
    "suppress_tokens",
    "begin_suppress_tokens",
];

/// Fields that change nothing where they are switched off.
const OFF: &[(&str, &[Off])] = &[
    ("is_encoder_decoder", &[Off::False]),
    ("add_cross_attention", &[Off::False]),
    ("tie_encoder_decoder", &[Off::False]),
    ("pruned_heads", &[Off::Empty]),
    ("rope_interleaved", &[Off::False]),
    ("use_sliding_window", &[Off::False]),
    ("use_mrope", &[Off::False]),
    ("use_bidirectional_attention", &[Off::False]),
    ("use_qk_norm", &[Off::False]),
    ("attention_bias", &[Off::False]),
    ("mlp_bias", &[Off::False]),
    ("qkv_bias", &[Off::False]),
    ("partial_rotary_factor", &[Off::One]),
    ("rope_scaling_factor", &[Off::One]),
    ("embedding_multiplier", &[Off::One]),
    ("residual_multiplier", &[Off::One]),
    ("logits_scaling", &[Off::One]),
    ("logit_scale", &[Off::One]),
    ("attn_logit_softcapping", &[]),
    ("final_logit_softcapping", &[]),
    ("clip_qkv", &[]),
    ("quantization_config", &[]),
    ("auto_map", &[Off::Empty]),
];

/// A value that switches a field off; null does always.
#[derive(Clone, Copy)]
enum Off {
    False,
    One,
    Empty,
}

impl Off {
    fn is(self, value: &Value) -> bool {
        match self {
            Self::False => value == false,
            Self::One => value.as_f64() == Some(1.0),
            Self::Empty => value.as_object().is_some_and(Map::is_empty),
        }
    }
}

/// An object whose fields are looked up by name; in the end no one may be left over.
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    /// What stands before a name in errors: empty, or the name of the object and a dot.
    within: &'a str,
    read: RefCell<HashSet<&'static str>>,
}

impl<'a> Fields<'a> {
    pub fn new(map: &'a Map<String, Value>, within: &'a str) -> Self {
        Self { map, within, read: RefCell::default() }
    }

    /// A field that is honoured, unless it is null.
    pub fn get(&self, name: &'static str) -> Option<&'a Value> {
        self.read.borrow_mut().insert(name);
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// An error about a field.
    pub fn wrong(&self, name: &str, what: &str) -> Error {
        let value = self.map.get(name).map(ToString::to_string).unwrap_or_default();
        let value: String = value.chars().take(80).collect();
        Error::new(format!("`{}{name}: {value}` {what}", self.within))
    }

    fn typed<T>(
        &self,
        name: &'static str,
        kind: &str,
        of: fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let wrong = || self.wrong(name, &format!("is not {kind}"));
        self.get(name).map(|value| of(value).ok_or_else(wrong)).transpose()
    }

    pub fn count(&self, name: &'static str) -> Result<Option<usize>> {
        self.typed(name, "a whole number", |value| value.as_u64().map(|n| n as usize))
    }

    pub fn number(&self, name: &'static str) -> Result<Option<f64>> {
        self.typed(name, "a number", Value::as_f64)
    }

    pub fn flag(&self, name: &'static str) -> Result<Option<bool>> {
        self.typed(name, "true or false", Value::as_bool)
    }

    pub fn text(&self, name: &'static str) -> Result<Option<&'a str>> {
        self.typed(name, "a text", Value::as_str)
    }

    pub fn list(&self, name: &'static str) -> Result<Option<&'a Vec<Value>>> {
        self.typed(name, "a list", Value::as_array)
    }

    pub fn object(&self, name: &'static str) -> Result<Option<&'a Map<String, Value>>> {
        self.typed(name, "an object", Value::as_object)
    }

    /// A number that has to be there.
    pub fn needed(&self, name: &'static str) -> Result<usize> {
        self.count(name)?.ok_or_else(|| Error::new(format!("`{}{name}` is missing", self.within)))
    }

    /// Refuses by name the first field that was neither read nor is known to be harmless.
    pub fn finish(&self) -> Result<()> {
        let read = self.read.borrow();
        for (name, value) in self.map.iter().filter(|(_, value)| !value.is_null()) {
            let known = read.contains(name.as_str()) || HARMLESS.contains(&name.as_str());
            let off = OFF.iter().find(|(field, _)| field == name);
            if known || off.is_some_and(|(_, offs)| offs.iter().any(|off| off.is(value))) {
                continue;
            }
            let error = self.wrong(name, "is not supported");
            return Err(if off.is_some() {
                error.hint("use a model without it")
            } else {
                error.hint(
                    "if it changes nothing of what the model computes, take the line out of \
                     config.json; else this program cannot run the model",
                )
            });
        }
        Ok(())
    }
}
