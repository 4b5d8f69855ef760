"""The original engine's timings on some games: one JSON line. MEMO names a module that memoises its parsing."""
import importlib.util, json, os, random, sys, time

import textworld

if os.environ.get("MEMO"):
    spec = importlib.util.spec_from_file_location("memo", os.environ["MEMO"])
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
from alfworld.agents.environment.alfred_tw_env import AlfredDemangler

STEPS = 40


def timed(work):
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


loads, forks, steps, seconds = [], [], 0, 0.0
for game in sys.argv[1:]:
    infos = textworld.EnvInfos(won=True, admissible_commands=True)
    env, load = timed(lambda: textworld.start(game, infos, wrappers=[AlfredDemangler()]))
    state, reset = timed(env.reset)
    loads.append(load + reset)
    rng, actions = random.Random(0), []

    def play():
        current = state
        for _ in range(STEPS):
            actions.append(rng.choice(current.admissible_commands))
            current, _, _ = env.step(actions[-1])

    def back():
        env.reset()
        for action in actions[:10]:
            env.step(action)

    _, spent = timed(play)
    steps, seconds = steps + STEPS, seconds + spent
    forks.append(timed(back)[1])
print(json.dumps({
    "steps_per_cpu_s": steps / seconds,
    "fork10_cpu_s": sum(forks) / len(forks),
    "load_cpu_s": sum(loads) / len(loads),
}))
