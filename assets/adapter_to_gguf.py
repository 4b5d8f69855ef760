#!/usr/bin/env python3
"""A PEFT adapter as a GGUF file that llama.cpp applies (llama-server -m BASE.gguf --lora OUT.gguf).

    pip install gguf safetensors numpy
    python3 assets/adapter_to_gguf.py ADAPTER_DIR --base BASE.gguf --out OUT.gguf

ADAPTER_DIR has PEFT's two files, as `foretaste train --lora R` writes them into `adapter/` of a checkpoint. vLLM takes that folder as
it is: vllm serve BASE --enable-lora --lora-modules NAME=ADAPTER_DIR.

A tensor of PEFT is B @ A with A (rank, in) and B (out, rank), times alpha / rank (alpha / sqrt(rank) with rsLoRA). llama.cpp computes
the same with one alpha for all, so what differs from it by tensor is multiplied into B. GGUF orders the rows of q and k of the Llama
family by pairs, as its rotary embedding reads them; B is put into that order.
"""

import argparse
import json
import math
import re
import sys
from pathlib import Path

import numpy
from gguf import GGUFReader, GGUFWriter
from safetensors import safe_open

NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
# Architectures whose q and k stand in pairs in a GGUF file.
PAIRED = {"llama", "smollm3", "granite"}
KEY = re.compile(r"^base_model\.model\.model\.layers\.(\d+)\.(.+)\.lora_([AB])\.weight$")


def base(path):
    """Architecture, heads and key-value heads of a model's GGUF file."""
    fields = GGUFReader(path).fields
    value = lambda name: fields[name].contents() if name in fields else sys.exit(f"{path}: no {name}")
    arch = value("general.architecture")
    heads = int(value(f"{arch}.attention.head_count"))
    kv = f"{arch}.attention.head_count_kv"
    return arch, heads, int(fields[kv].contents()) if kv in fields else heads


def scale(config, module, rank):
    """What PEFT multiplies B @ A of a module with."""
    alpha = config["lora_alpha"]
    for pattern, own in (config.get("alpha_pattern") or {}).items():
        if re.search(rf"(.*\.)?({pattern})$", module):
            alpha = own
    return alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank


def paired(b, heads):
    """Rows of q or k in the order of a GGUF file: (heads, 2, half) becomes (heads, half, 2)."""
    out, rank = b.shape
    return b.reshape(heads, 2, out // heads // 2, rank).swapaxes(1, 2).reshape(out, rank)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("adapter", type=Path)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    config = json.loads((args.adapter / "adapter_config.json").read_text())
    if config.get("peft_type") != "LORA" or config.get("use_dora") or config.get("modules_to_save"):
        sys.exit("adapter_config.json: only plain LoRA can be converted (no DoRA, no modules_to_save)")
    if config.get("bias", "none") != "none":
        sys.exit("adapter_config.json: biases cannot be converted")
    arch, heads, kv_heads = base(args.base)
    writer = GGUFWriter(args.out, arch)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 1.0)  # each B carries its own
    pairs = {}
    with safe_open(args.adapter / "adapter_model.safetensors", "numpy") as tensors:
        for key in tensors.keys():
            found = KEY.match(key)
            if not found or found[2] not in NAMES:
                sys.exit(f"{key}: not a tensor that llama.cpp knows in an adapter")
            layer, module, side = found.groups()
            pairs.setdefault((int(layer), module), {})[side] = tensors.get_tensor(key).astype(numpy.float32)
    for (layer, module), pair in sorted(pairs.items()):
        if set(pair) != {"A", "B"}:
            sys.exit(f"layer {layer} {module}: one of lora_A and lora_B is missing")
        a, b = pair["A"], pair["B"]
        rank = a.shape[0]
        # llama.cpp multiplies with alpha / rank, alpha being 1.
        b = b * numpy.float32(scale(config, f"model.layers.{layer}.{module}", rank) * rank)
        if arch in PAIRED and module.endswith(("q_proj", "k_proj")):
            b = paired(b, heads if module.endswith("q_proj") else kv_heads)
        name = f"blk.{layer}.{NAMES[module]}.weight"
        writer.add_tensor(f"{name}.lora_a", numpy.ascontiguousarray(a))
        writer.add_tensor(f"{name}.lora_b", numpy.ascontiguousarray(b))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{args.out}: {len(pairs)} matrices of {arch}")


if __name__ == "__main__":
    main()
