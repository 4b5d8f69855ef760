"""A training step here and in torch (with transformers and peft), in turns, on the same shapes and random tokens.

    python benches/train/compare.py PEER [--rounds N] [--model DIR] [--tree FILE ...] [--lora-tree FILE ...] [--compile] [--bf16]

PEER is a script that takes --model small:LxH|DIR, --full | --lora R, --batch, --seq, --supervised, --tree, --head, --compile,
--steps, --warmup, --threads and prints a JSON line with tokens_per_s or useful_tokens_per_s and peak_rss_mb. --model adds LoRA of
rank 16 on a model folder; --tree full training of small:8x384 on that token tree; --lora-tree LoRA of the folder on it; with
--compile the peer's faster form of the two counts; with --bf16 products here are in bf16. Run it with the Python that has torch.
"""
import argparse, json, os, statistics, subprocess, sys

ap = argparse.ArgumentParser(usage=__doc__)
ap.add_argument("peer")
ap.add_argument("--rounds", type=int, default=3)
ap.add_argument("--model")
ap.add_argument("--tree", action="append", default=[])
ap.add_argument("--lora-tree", action="append", default=[])
ap.add_argument("--compile", action="store_true")
ap.add_argument("--bf16", action="store_true")
ap.add_argument("--only", help="cases whose options contain this text")
a = ap.parse_args()

# (options, warm-up steps of the peer, its steps, tokens a pass here)
cases = [("--model small:4x256 --full --batch 8 --seq 256", 1, 6, None), ("--model small:8x384 --full --batch 8 --seq 256", 1, 4, None)]
if a.model:
    cases.append((f"--model {a.model} --lora 16 --batch 4 --seq 256 --supervised 0.3", 1, 3, None))
cases += [(f"--model small:8x384 --full --batch 8 --tree {tree}", 0, 2, None) for tree in a.tree]
cases += [(f"--model {a.model} --lora 16 --batch 8 --tree {tree}", 0, 1, 1600) for tree in a.lora_tree]


def run(command):
    out = json.loads(subprocess.check_output(command, stderr=subprocess.DEVNULL).splitlines()[-1])
    return out.get("useful_tokens_per_s") or out["tokens_per_s"], out["peak_rss_mb"], out


def spread(values):
    return f"{statistics.median(values):.4g} [{min(values):.4g} to {max(values):.4g}]"


for options, warmup, steps, budget in cases:
    if a.only and a.only not in options:
        continue
    mine, theirs, before = [], [], os.getloadavg()[0]
    here = ["target/release/foretaste", "bench", "train", "--json", "--warmup", "1", "--steps", str(max(steps, 2)), *options.split()]
    here += ["--budget", str(budget)] if budget else []
    here += ["--bf16"] if a.bf16 else []
    there = [sys.executable, a.peer, "--head", "supervised", "--warmup", str(warmup), "--steps", str(steps), *options.split()]
    for _ in range(a.rounds):
        mine.append(run(here))
        theirs.append(max([run(there)] + ([run(there + ["--compile"])] if a.compile and "--tree" not in options else [])))
    print(options)
    print(f"  here  {spread([m[0] for m in mine])} tokens/s, {max(m[1] for m in mine):.0f} MB (planned {mine[0][2]['planned_mb']}),"
          f" {100 * statistics.median(m[2]['share_of_gemm_peak'] for m in mine):.0f} % of the matrix product's peak")
    print(f"  peer  {spread([t[0] for t in theirs])} tokens/s, {max(t[1] for t in theirs):.0f} MB")
    print(f"  ratio {spread([m[0] / t[0] for m, t in zip(mine, theirs)])}   load average {before:.2f} to {os.getloadavg()[0]:.2f}", flush=True)
