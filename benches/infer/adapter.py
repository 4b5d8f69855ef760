"""Does llama.cpp compute what an adapter that was trained here means? Log-probabilities of its server beside PEFT's, with and without.

    python benches/infer/adapter.py FOLDER GGUF ADAPTER_DIR ADAPTER.gguf PROMPT.txt --server LLAMA_SERVER

FOLDER holds the weights of GGUF for transformers (the same ones: dequantised, if GGUF is quantised), ADAPTER_DIR is `adapter/` of a
checkpoint of `foretaste train --lora`, ADAPTER.gguf what assets/adapter_to_gguf.py made of it. At the last twelve tokens of the prompt
the three likeliest next tokens of the server are compared. Needs torch, transformers, peft, and llama.cpp's llama-server.
"""
import argparse, json, subprocess, time, urllib.request

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

ap = argparse.ArgumentParser(usage=__doc__)
for name in ("folder", "gguf", "adapter", "adapter_gguf", "prompt"):
    ap.add_argument(name)
ap.add_argument("--server", required=True)
ap.add_argument("--port", type=int, default=8099)
a = ap.parse_args()
URL = f"http://127.0.0.1:{a.port}"
tokenizer = AutoTokenizer.from_pretrained(a.folder)
ids = tokenizer(open(a.prompt).read(), add_special_tokens=False)["input_ids"]
places = range(max(len(ids) - 12, 0), len(ids))


def in_torch(model):
    with torch.no_grad():
        return torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), -1)


def asked(prefix):
    body = {"prompt": prefix, "n_predict": 1, "n_probs": 20, "temperature": 0, "cache_prompt": False}
    request = urllib.request.Request(f"{URL}/completion", json.dumps(body).encode(), {"Content-Type": "application/json"})
    found = json.load(urllib.request.urlopen(request))["completion_probabilities"][0]["top_logprobs"]
    return {row["id"]: row["logprob"] for row in found}


def served(*more):
    server = subprocess.Popen([a.server, "-m", a.gguf, "--port", str(a.port), "-t", "2", *more],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{URL}/health")
                break
            except OSError:
                time.sleep(0.5)
        return [asked(ids[: place + 1]) for place in places]
    finally:
        server.terminate()
        server.wait()


def apart(found, logps):
    off = [abs(logp - logps[place][token].item())
           for row, place in zip(found, places) for token, logp in list(row.items())[:3]]
    return {"max": round(max(off), 4), "mean": round(sum(off) / len(off), 4)}


base = AutoModelForCausalLM.from_pretrained(a.folder, dtype=torch.float32)
plain = in_torch(base)
adapted = in_torch(PeftModel.from_pretrained(base, a.adapter))
for name, found in (("without", served()), ("with", served("--lora", a.adapter_gguf))):
    print(json.dumps({"server": name, "nats_off_base": apart(found, plain), "nats_off_adapted": apart(found, adapted)}))
