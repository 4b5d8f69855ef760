"""How the store grows: what a step costs to collect, to keep and to find again, at sizes that differ by a factor of 30.

    python3 benches/scale.py target/release/foretaste FOLDER

Collects household demonstrations and executed alternatives in rounds into FOLDER/scale (which must not be there), and prints
a line of JSON a round: rows, bytes, and seconds of processor time (its own processes' only, so that what else runs matters
little) of collecting them, of the lists that screens show first, of one trajectory, and of choosing all of it as a training
set. docs/scale.md has what came of it.
"""

import json
import os
import resource
import subprocess
import sys

program, folder = sys.argv[1], os.path.join(sys.argv[2], "scale")
if os.path.exists(folder):
    sys.exit(f"{folder} is there already")


def run(*words):
    """Standard output as JSON lines, and seconds of processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([program, "--data-dir", folder, *words, "--json"], capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{words}: {done.stderr}")
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [json.loads(line) for line in done.stdout.splitlines()], spent


def size():
    return sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder) if "sqlite" in name)


place = ["--suite", "household", "--split", "train"]
collected = 0.0
for games, k in [(100, 2), (400, 4), (1600, 4), (4000, 4), (4000, 16)]:
    collected += run("collect", "demos", "--games", str(games), *place)[1]
    collected += run("collect", "branches", "--games", str(games), "-k", str(k), *place)[1]
    counts, listing = run("data", "list")
    show = run("data", "show", "1")[1]
    chosen, choosing = run("data", "export", "--set", "world-model", "--check", *place)
    row = {
        "demonstrations": counts[0]["demonstrations"],
        "alternatives": counts[0]["branches"],
        "examples": chosen[0]["examples"],
        "bytes": size(),
        "collect_s": round(collected, 2),
        "list_s": round(listing, 3),
        "show_s": round(show, 3),
        "export_s": round(choosing, 2),
    }
    print(json.dumps(row), flush=True)
