"""An iteration of reinforcement learning here and in the peer (torch and the original engine), in turns.

    python benches/rl/compare.py --data DIR [--rounds 3] [--tasks 16] [--group 8] [--limit 30] [--threads 2] [--memo]

With --memo the peer is measured once more, with what its engine parses kept. Run it with the Python that has what peer.py needs.
"""
import argparse, json, os, statistics, subprocess, sys

ap = argparse.ArgumentParser(usage=__doc__)
ap.add_argument("--data", required=True)
ap.add_argument("--rounds", type=int, default=3)
for name, value in [("tasks", 16), ("group", 8), ("limit", 30), ("threads", 2)]:
    ap.add_argument(f"--{name}", type=int, default=value)
ap.add_argument("--memo", action="store_true")
a = ap.parse_args()
OPTIONS = [text for name in ("data", "tasks", "group", "limit", "threads") for text in (f"--{name}", str(getattr(a, name)))]
HERE = ["target/release/foretaste", "bench", "rl", "--suite", "alfworld", "--json"]
PEER = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer.py")]


def run(command):
    found = json.loads(subprocess.check_output(command + OPTIONS, stderr=subprocess.DEVNULL).splitlines()[-1])
    found["steps_per_s"] = found["steps"] / found["iteration_s"]
    return found


def processor():
    with open("/proc/cpuinfo") as file:
        return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))


def show(name, values, unit=""):
    print(f"  {name:44} {statistics.median(values):12.4g} {unit}   ({min(values):.4g} to {max(values):.4g})")


variants = {"peer": []} | ({"peer, parsing memoised": ["--memo"]} if a.memo else {})
mine, others = [], {name: [] for name in variants}
print(f"{processor()}, {os.cpu_count()} processors; load average at the start: {os.getloadavg()}")
for i in range(a.rounds):
    mine.append(run(HERE))
    for name, more in variants.items():
        others[name].append(run(PEER + more))
    print(f"round {i + 1} of {a.rounds} done, load average {os.getloadavg()[0]:.2f}", file=sys.stderr)
print(f"load average at the end: {os.getloadavg()}\n\n{a.tasks} tasks x {a.group} rollouts, median of {a.rounds} rounds")
TIMES = {"iteration": "iteration_s", "sampling": "sample_s", "update": "update_s", "CPU time": "cpu_s"}
for name, runs in {"foretaste": mine, **others}.items():
    print(f"\n{name} ({statistics.median(run['steps'] for run in runs):.0f} steps)")
    for what, key in TIMES.items():
        show(what, [run[key] for run in runs], "s")
    show("steps a second", [run["steps_per_s"] for run in runs])
    if runs is mine:
        show("tokens of the trees, of these alone", [run["tokens"] / run["tokens_flat"] for run in runs])
        continue
    show("waiting for the engine, loading with it", [run["env_s"] for run in runs], "s")
    for what, key in TIMES.items():
        show(f"ratio, {what}", [run[key] / own[key] for run, own in zip(runs, mine)], "x")
