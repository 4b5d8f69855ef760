"""Inference here and in llama.cpp, in turns, on the same weights and two threads.

    python benches/infer/compare.py PEER FOLDER GGUF [GGUF ...] [--rounds N]

PEER is a script that takes a GGUF file and --repeats, --only, --flash-attn, and prints JSON lines with `what` and `wall_s`. FOLDER
holds the weights in f32; the first GGUF is the same in F32. One in BF16 is multiplied in bf16 here as well. The peer's better setting of flash attention counts, and for scores
and for continuations decoded together its best encoding. Run it with the Python that has llama_cpp.
"""
import argparse, json, os, statistics, subprocess, sys

ap = argparse.ArgumentParser(usage=__doc__)
ap.add_argument("peer")
ap.add_argument("folder")
ap.add_argument("gguf", nargs="+")
ap.add_argument("--rounds", type=int, default=2)
ap.add_argument("--repeats", default="2")
a = ap.parse_args()
ONLY = "prefill,decode_1_stream,k8x24_parallel_seq_cp,score_23_one_batch_seq_cp"
WORK = {"prefill": "prefill", "decode_1_stream": "decode_1_stream", "k8x24_parallel": "k8x24_parallel_seq_cp",
        "score_23_cold": "score_23_one_batch_seq_cp"}


def rows(command):
    lines = subprocess.check_output(command, stderr=subprocess.DEVNULL).splitlines()
    return {row["what"]: row for row in map(json.loads, lines) if "what" in row}


def here(model):
    out = {}
    for command in ("prefill", "decode", "score"):
        out |= rows(["target/release/foretaste", "bench", command, "--model", model, "--repeats", a.repeats, "--json"])
    return out


def there(model):
    both = [rows([sys.executable, a.peer, model, "--repeats", a.repeats, "--only", ONLY, *more]) for more in ([], ["--flash-attn", "0"])]
    return {what: min(side[what]["wall_s"] for side in both) for what in WORK.values()}


before = os.getloadavg()[0]
mine, theirs = {}, {}
for _ in range(a.rounds):
    for i, gguf in enumerate(a.gguf):
        model = a.folder if i == 0 else gguf + "+bf16" * ("bf16" in os.path.basename(gguf).lower())
        mine.setdefault(gguf, []).append(here(model))
        theirs.setdefault(gguf, []).append(there(gguf))
for gguf in a.gguf:
    print(os.path.basename(gguf))
    for ours, peers in WORK.items():
        m, t = [r[ours]["wall_s"] for r in mine[gguf]], [r[peers] for r in theirs[gguf]]
        print(f"  {ours:16} here {statistics.median(m):.3f} s, peer {statistics.median(t):.3f} s, ratio "
              + " ".join(f"{y / x:.2f}" for x, y in zip(m, t)))
    cached = mine[gguf][0]["score_23"]
    print(f"  cached prefix: {cached['cached_share_of_cold']:.3f} of cold; together and alone differ by {cached['score_max_abs_diff']:.1e} nats")
for ours in ("k8x24_parallel", "score_23_cold"):
    m = min(statistics.median(r[ours]["wall_s"] for r in mine[gguf]) for gguf in a.gguf)
    t = min(statistics.median(r[WORK[ours]] for r in theirs[gguf]) for gguf in a.gguf)
    print(f"best of all encodings, {ours}: here {m:.3f} s, peer {t:.3f} s, ratio {t / m:.2f}")
print(f"load average {before:.2f} to {os.getloadavg()[0]:.2f}")
