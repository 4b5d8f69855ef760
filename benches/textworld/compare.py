"""Speed of the original engine and of this one on the same games, in turns. See run.sh."""
import json, os, statistics, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))


def ours(data, games):
    command = ["target/release/foretaste", "bench", "env", "--suite", "alfworld", "--data", data, "--json"]
    return json.loads(subprocess.check_output(command + ["--games", str(games), "--episodes", "200", "--forks", "1000"]))


def theirs(games, memo):
    env = dict(os.environ, MEMO=memo)
    out = subprocess.check_output([sys.executable, os.path.join(HERE, "original.py"), *games], env=env)
    return json.loads(out.splitlines()[-1])


def show(name, values, unit=""):
    low, middle, high = min(values), statistics.median(values), max(values)
    print(f"  {name:44} {middle:12.4g} {unit}   ({low:.4g} to {high:.4g})")


def main():
    data, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
    root = os.path.join(data, "json_2.1.1") if os.path.isdir(os.path.join(data, "json_2.1.1")) else data
    variants = {"stock": ""} | ({"memoised": os.environ["MEMO"]} if os.environ.get("MEMO") else {})
    mine, other = [], {name: [] for name in variants}
    print(f"load average at the start: {os.getloadavg()}")
    for i in range(rounds):
        mine.append(ours(data, 3))
        games = [os.path.join(root, task, "game.tw-pddl") for task in mine[-1]["tasks"]]
        for name, memo in variants.items():
            other[name].append(theirs(games, memo))
        print(f"round {i + 1} of {rounds} done, load average {os.getloadavg()[0]:.2f}", file=sys.stderr)
    print(f"load average at the end: {os.getloadavg()}\n\nforetaste (one thread, wall time), median of {rounds} rounds")
    show("steps a second", [m["steps_per_s"] for m in mine])
    show("fork", [m["fork_us"] for m in mine], "us")
    show("load a game", [m["load_ms"] for m in mine], "ms")
    for name, runs in other.items():
        print(f"\noriginal engine, {name} (CPU time)")
        show("steps a second", [r["steps_per_cpu_s"] for r in runs])
        show("back to a state 10 steps in", [1e6 * r["fork10_cpu_s"] for r in runs], "us")
        show("load and reset a game", [1e3 * r["load_cpu_s"] for r in runs], "ms")
        print("  ratios, round by round")
        pairs = list(zip(mine, runs))
        show("steps", [m["steps_per_s"] / r["steps_per_cpu_s"] for m, r in pairs], "x")
        show("fork", [1e6 * r["fork10_cpu_s"] / m["fork_us"] for m, r in pairs], "x")
        show("load", [1e3 * r["load_cpu_s"] / m["load_ms"] for m, r in pairs], "x")


main()
