"""A Gymnasium environment whose observations are texts as a world of foretaste; it is put back by playing again.

    python3 gym_text.py ENV_ID [--import MODULE] [--tasks 100] [--name NAME]

A task is a seed of env.reset. What can be sent is info["admissible_commands"] or info["admissible"] where the environment says so, else
the names of a Discrete space (env.unwrapped.actions, a list of texts), else any text. Won is info["success"] or info["won"], else a
reward above 0 at the end. Needs gymnasium, and forkable.py beside it.
"""
import argparse, importlib, os, re, sys

import forkable

ap = argparse.ArgumentParser(usage=__doc__)
ap.add_argument("env")
ap.add_argument("--import", dest="module")
ap.add_argument("--tasks", type=int, default=100)
ap.add_argument("--goal", default="do what is asked.", help="what is to be done, where the environment does not say (info['goal'])")
ap.add_argument("--name")
a = ap.parse_args()
import gymnasium

if a.module:
    sys.path.insert(0, os.getcwd())
    importlib.import_module(a.module)


class World:
    name = a.name or re.sub(r"[^A-Za-z0-9.]+", "-", a.env)[:40]
    splits = {"train": [f"train/{i}" for i in range(a.tasks)], "test": [f"test/{i}" for i in range(a.tasks, a.tasks + max(a.tasks // 5, 1))]}

    def __init__(self, task, seed):
        self.env = gymnasium.make(a.env)
        self.named = getattr(self.env.unwrapped, "actions", None)
        text, self.info = self.env.reset(seed=int(task.split("/")[1]))
        self.task = str(self.info.get("goal", a.goal))
        self.state = {"observation": str(text), "done": False}

    def look(self):
        listed = self.info.get("admissible_commands", self.info.get("admissible", self.named))
        return {**self.state, **({"admissible": [str(action) for action in listed]} if listed else {})}

    def step(self, action):
        if self.state["done"]:
            return
        if isinstance(self.env.action_space, gymnasium.spaces.Discrete):
            if action not in (self.named or []):
                self.state = {**self.state, "observation": f"There is no action {action}.", "reward": 0.0}
                return
            action = self.named.index(action)
        text, reward, ended, cut, self.info = self.env.step(action)
        won = bool(self.info.get("success", self.info.get("won", ended and reward > 0)))
        self.state = {"observation": str(text), "reward": float(reward), "done": bool(ended or cut), "success": won, "truncated": bool(cut and not ended)}


forkable.serve(World, fork="replay")
