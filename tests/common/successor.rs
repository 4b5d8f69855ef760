//! A chat model made by hand: each token says which come next, and nothing else counts. Its files are
//! those of any model that others publish, with a chat template that writes tools.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

/// Width, and the most tokens.
const WIDTH: usize = 64;

/// How it was trained to have conversations written.
pub const TEMPLATE: &str = "{% if tools %}<|im_start|>system\nTools:{% for tool in tools %} {{ tool | tojson }}{% endfor %}<|im_end|>{% endif %}\
    {% for m in messages %}<|im_start|>{{ 'user' if m.role == 'tool' else m.role }}\n{{ m.content }}\
    {% for call in m.tool_calls or [] %}<tool_call>{\"name\": \"{{ call.function.name }}\", \"arguments\": {{ call.function.arguments | tojson }}}</tool_call>{% endfor %}\
    <|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// What it writes to call a tool with a command.
pub fn call(command: &str) -> String {
    format!(
        "<tool_call>{{\"name\": \"act\", \"arguments\": {{\"command\": \"{command}\"}}}}</tool_call>"
    )
}

/// Writes a model whose tokens are these texts, and letters for the rest. `next` says with which
/// logits which text follows which; without a word of it, the end.
pub fn write(folder: &Path, texts: &[&str], next: &[(&str, &str, f32)], template: &str) {
    let own = ["<|im_end|>", "<|im_start|>", "assistant\n"];
    let tokens: Vec<&str> = own.iter().chain(texts).copied().collect();
    let added: Vec<Value> = tokens
        .iter()
        .enumerate()
        .map(|(i, text)| {
            json!({"id": i + 1, "content": text, "special": i < 2, "normalized": false,
                "single_word": false, "lstrip": false, "rstrip": false})
        })
        .collect();
    let mut vocab = BTreeMap::from([("[UNK]".to_string(), 0)]);
    vocab.extend(tokens.iter().enumerate().map(|(i, text)| (text.to_string(), i + 1)));
    let size = vocab.len();
    assert!(size <= WIDTH);
    let tokenizer = json!({"version": "1.0", "added_tokens": added, "normalizer": null, "pre_tokenizer": null,
        "post_processor": null, "decoder": null, "truncation": null, "padding": null,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"}});
    let config = json!({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": WIDTH,
        "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1,
        "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "max_position_embeddings": 512, "vocab_size": size,
        "tie_word_embeddings": false, "hidden_act": "silu", "eos_token_id": 1});
    // What is none of the texts is the first token.
    let place = |text: &str| tokens.iter().position(|own| *own == text).map_or(0, |at| at + 1);
    // A token stands in its own dimension, which the last norm makes sqrt(width).
    let mut embedded = vec![0.0_f32; size * WIDTH];
    (0..size).for_each(|token| embedded[token * WIDTH + token] = 1.0);
    let mut head = vec![0.0_f32; size * WIDTH];
    let mut says = |before: usize, after: usize, logit: f32| {
        head[after * WIDTH + before] = logit / (WIDTH as f32).sqrt();
    };
    (0..size).for_each(|token| says(token, 1, 20.0));
    for (before, after, logit) in next {
        says(place(before), 1, 0.0);
        says(place(before), place(after), *logit);
    }
    let square = |rows: usize, columns: usize| (vec![0.0_f32; rows * columns], vec![rows, columns]);
    let ones = || (vec![1.0_f32; WIDTH], vec![WIDTH]);
    let layer = |name: &str| format!("model.layers.0.{name}.weight");
    let mut all = vec![
        ("model.embed_tokens.weight".to_string(), (embedded, vec![size, WIDTH])),
        ("lm_head.weight".into(), (head, vec![size, WIDTH])),
        ("model.norm.weight".into(), ones()),
        (layer("input_layernorm"), ones()),
        (layer("post_attention_layernorm"), ones()),
    ];
    for name in ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"] {
        all.push((layer(name), square(WIDTH, WIDTH)));
    }
    for name in ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"] {
        all.push((layer(name), square(64, WIDTH)));
    }
    let bytes: Vec<(String, Vec<u8>, Vec<usize>)> = all
        .into_iter()
        .map(|(name, (data, shape))| {
            (name, data.iter().flat_map(|value| value.to_le_bytes()).collect(), shape)
        })
        .collect();
    let views = bytes.iter().map(|(name, data, shape)| {
        (name.clone(), TensorView::new(Dtype::F32, shape.clone(), data).unwrap())
    });
    let file = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    std::fs::create_dir_all(folder).unwrap();
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
    file("config.json", config.to_string());
    file("tokenizer.json", tokenizer.to_string());
    let more = json!({"eos_token": "<|im_end|>", "chat_template": template});
    file("tokenizer_config.json", more.to_string());
}
