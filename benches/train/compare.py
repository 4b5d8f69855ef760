"""A training step here and in torch (with transformers and peft), in turns, on the same shapes and random tokens.

    python benches/train/compare.py PEER [ROUNDS] [--model DIR] [--tree FILE ...]

PEER is a script that takes --model small:LxH|DIR, --full | --lora R, --batch, --seq, --supervised, --tree, --head, --steps,
--warmup, --threads and prints a JSON line with tokens_per_s or useful_tokens_per_s and peak_rss_mb. --model adds LoRA of
rank 16 on a model folder; --tree adds full training of small:8x384 on that token tree. Run it with the Python that has torch.
"""
import argparse, json, os, statistics, subprocess, sys

ap = argparse.ArgumentParser(usage=__doc__)
ap.add_argument("peer")
ap.add_argument("rounds", nargs="?", type=int, default=3)
ap.add_argument("--model")
ap.add_argument("--tree", action="append", default=[])
a = ap.parse_args()

cases = [
    ["--model", "small:4x256", "--full", "--batch", "8", "--seq", "256", "--steps", "6"],
    ["--model", "small:8x384", "--full", "--batch", "8", "--seq", "256", "--steps", "4"],
]
if a.model:
    cases.append(["--model", a.model, "--lora", "16", "--batch", "4", "--seq", "256", "--supervised", "0.3", "--steps", "3"])
cases += [["--model", "small:8x384", "--full", "--batch", "8", "--tree", tree, "--steps", "2"] for tree in a.tree]


def run(command):
    out = json.loads(subprocess.check_output(command, stderr=subprocess.DEVNULL).splitlines()[-1])
    return out.get("useful_tokens_per_s") or out["tokens_per_s"], out["peak_rss_mb"], out


def spread(values):
    return f"{statistics.median(values):.4g} [{min(values):.4g} to {max(values):.4g}]"


for case in cases:
    mine, theirs = [], []
    before = os.getloadavg()[0]
    for _ in range(a.rounds):
        mine.append(run(["target/release/foretaste", "bench", "train", "--json", "--warmup", "1", *case]))
        theirs.append(run([sys.executable, a.peer, "--head", "supervised", "--warmup", "1", *case]))
    print(" ".join(case))
    print(f"  here  {spread([m[0] for m in mine])} tokens/s, {max(m[1] for m in mine):.0f} MB,"
          f" {100 * statistics.median(m[2]['share_of_gemm_peak'] for m in mine):.0f} % of the matrix product's peak")
    print(f"  peer  {spread([t[0] for t in theirs])} tokens/s, {max(t[1] for t in theirs):.0f} MB")
    print(f"  ratio {spread([m[0] / t[0] for m, t in zip(mine, theirs)])}   load average {before:.2f} to {os.getloadavg()[0]:.2f}")
