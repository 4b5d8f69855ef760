"""Writes expected.json: what transformers computes with tiny models of every family that is read here.

    pip install torch transformers peft
    python tests/model/families/make.py

Weights follow from a formula that tests/model/families.rs has as well, so no weights are kept: value i of a tensor is drawn by
splitmix64 from the FNV-1a hash of its name and i. For each family: config.json as transformers saves it (and, beside it, a few
variations), the log-probabilities after each token of a fixed text, and the gradients of LoRA's matrices for a loss over its second half.
"""
import json, os, sys
import numpy as np
import torch, transformers, peft
from transformers import AutoModelForCausalLM, AutoConfig

TOKENS = [3, 17, 250, 8, 8, 91, 200, 14, 77, 129, 5, 61, 33, 240, 18, 2]
H, L, V = 64, 4, 256
COMMON = dict(hidden_size=H, intermediate_size=96, num_hidden_layers=L, num_attention_heads=4, num_key_value_heads=2,
              vocab_size=V, max_position_embeddings=256, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, pad_token_id=0)
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32, "rope_theta": 5e5}
CASES = {
    "llama": dict(model_type="llama", tie_word_embeddings=True),
    "llama-3.1": dict(model_type="llama", tie_word_embeddings=False, rope_parameters=LLAMA3),
    "llama-linear": dict(model_type="llama", rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 1e4}),
    "llama-biases": dict(model_type="llama", attention_bias=True, mlp_bias=True, head_dim=32),
    "mistral-window": dict(model_type="mistral", sliding_window=5, head_dim=32),
    "qwen2": dict(model_type="qwen2", tie_word_embeddings=True, use_sliding_window=False),
    "qwen2-window": dict(model_type="qwen2", use_sliding_window=True, sliding_window=4, max_window_layers=2),
    "qwen3": dict(model_type="qwen3", head_dim=32, tie_word_embeddings=True),
    "smollm3": dict(model_type="smollm3", tie_word_embeddings=True, no_rope_layer_interval=2),
    "granite": dict(model_type="granite", embedding_multiplier=3.0, attention_multiplier=0.11, residual_multiplier=0.4,
                    logits_scaling=2.5, attention_bias=True),
    "gemma3": dict(model_type="gemma3_text", head_dim=32, sliding_window=5, query_pre_attn_scalar=24,
                   layer_types=["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"],
                   rms_norm_eps=1e-6),
}
TRAINED = [name for name in CASES if name != "gemma3"]
MASK = (1 << 64) - 1


def drawn(name, count):
    """Uniform in [-1, 1) in steps of 2^-23, the same in both languages."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(h) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(40)).astype(np.float64) / (1 << 23) - 1.0).astype(np.float32)


def weight(name, shape, gemma=False):
    x = drawn(name, int(np.prod(shape))).reshape(shape)
    if "norm" in name:  # gains near 1; Gemma's files have them less 1
        return (0.0 if gemma else 1.0) + 0.25 * x
    if name.endswith("bias"):
        return 0.25 * x
    return x * (0.5 if "embed" in name or "lm_head" in name else 0.25)


def fill(model, gemma):
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(torch.from_numpy(weight(name, tuple(p.shape), gemma)))


def round7(x):
    return [float(f"{v:.7g}") for v in np.asarray(x, np.float64).ravel()]


out = {"transformers": transformers.__version__, "peft": peft.__version__, "torch": torch.__version__, "tokens": TOKENS, "cases": {}}
for name, fields in CASES.items():
    fields = COMMON | fields
    config = AutoConfig.for_model(**fields)
    config.architectures = None
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    fill(model, name == "gemma3")
    ids = torch.tensor([TOKENS])
    logp = torch.log_softmax(model(ids).logits.double(), -1)[0]
    case = {"config": json.loads(model.config.to_json_string())}
    case["config"]["architectures"] = [type(model).__name__]
    # After every fourth token, all log-probabilities of every ninth token.
    case["logp"] = [round7(logp[i, ::9].detach()) for i in range(3, len(TOKENS), 4)]
    if name in TRAINED:
        targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
        lora = peft.get_peft_model(model, peft.LoraConfig(r=4, lora_alpha=8, target_modules=targets, task_type="CAUSAL_LM"))
        with torch.no_grad():
            for pname, p in lora.named_parameters():
                if "lora_" in pname:
                    p.copy_(torch.from_numpy(0.25 * drawn(pname.replace(".default", ""), p.numel()).reshape(tuple(p.shape))))
        logp = torch.log_softmax(lora(ids).logits, -1)[0]
        half = len(TOKENS) // 2
        loss = -sum(logp[i - 1, TOKENS[i]] for i in range(half, len(TOKENS)))
        loss.backward()
        case["loss"] = float(loss)
        grads = {p: q.grad for p, q in lora.named_parameters() if q.grad is not None}
        # Of each matrix its norm and a few of its values.
        case["lora"] = {p.replace(".default", ""): [float(g.norm())] + round7(g.ravel()[:: max(1, g.numel() // 5)][:5]) for p, g in grads.items()}
    if name in TRAINED:
        full = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float()
        fill(full, False)
        logp = torch.log_softmax(full(ids).logits, -1)[0]
        loss = -sum(logp[i - 1, TOKENS[i]] for i in range(half, len(TOKENS)))
        loss.backward()
        case["full"] = {p: [float(q.grad.norm())] + round7(q.grad.ravel()[:: max(1, q.grad.numel() // 3)][:3]) for p, q in full.named_parameters()}
    out["cases"][name] = case
    print(name, case.get("loss"), sorted(case["config"]), file=sys.stderr)
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected.json")
json.dump(out, open(path, "w"), separators=(",", ":"))
print(os.path.getsize(path), "bytes", file=sys.stderr)
