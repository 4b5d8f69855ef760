"""Generated household games in the original engine: every observation, admissible list and victory compared."""
import glob, json, os, random, subprocess, sys, tempfile

import textworld
from alfworld.agents.environment.alfred_tw_env import AlfredDemangler

PROGRAM = "target/release/foretaste"


def differences(game):
    infos = textworld.EnvInfos(won=True, admissible_commands=True, extras=["walkthrough"])
    env = textworld.start(game, infos, wrappers=[AlfredDemangler()])
    state = env.reset()
    with open(game) as file:
        plan = json.load(file)["walkthrough"]
    # A detour of random actions first, so that more than the plan's texts are compared; then the plan, then more.
    rng, rows, actions = random.Random(game), [], []

    def note(action, now):
        rows.append((action, now.feedback, list(now.admissible_commands), bool(now["won"])))

    note(None, state)
    for action in plan:
        state, _, _ = env.step(action)
        actions.append(action)
        note(action, state)
    won = bool(state["won"])
    for _ in range(15):
        action = rng.choice(state.admissible_commands)
        state, _, _ = env.step(action)
        actions.append(action)
        note(action, state)
    out = subprocess.run([PROGRAM, "env", "step", "--json", "--game", game], input="\n".join(actions), text=True, capture_output=True)
    mine = [json.loads(line) for line in out.stdout.splitlines()]
    wrong = abs(len(mine) - len(rows))
    for here, (action, feedback, admissible, success) in zip(mine, rows):
        same = (here["observation"], here["admissible"], here["success"]) == (feedback, admissible, success)
        if not same:
            wrong += 1
            print(f"{game} after {action!r}:\n  original {feedback!r} {admissible}\n  here     {here['observation']!r} {here['admissible']}")
    return won, wrong, len(rows)


def main():
    with tempfile.TemporaryDirectory() as folder:
        for split, count in [("train", 8), ("seen", 6), ("unseen", 6)]:
            subprocess.run([PROGRAM, "env", "make", "--split", split, "--games", str(count), "--out", folder], check=True, stdout=subprocess.DEVNULL)
        games = sorted(glob.glob(os.path.join(folder, "*/*/*/game.tw-pddl")))
        results = [differences(game) for game in games]
    won, wrong, states = sum(r[0] for r in results), sum(r[1] for r in results), sum(r[2] for r in results)
    print(f"{len(games)} games loaded, {won} won, {states} states compared, {wrong} differences")
    sys.exit(0 if won == len(games) == 20 and wrong == 0 else 1)


main()
