"""A household game as a tool: `foretaste env step` in a process of its own, one command a line.

    game = Game("unseen/1", key="fk-run", url="http://127.0.0.1:8712/s/ep1")
    game.first            what the agent is told
    game.act("look")      what it sees then
    game.tell()           says at the gateway which game it was, and what came of it
"""

import json
import os
import subprocess
import urllib.request


class Game:
    def __init__(self, task, key, url):
        self.task, self.key, self.url = task, key, url
        command = [os.environ.get("FORETASTE", "foretaste"), "env", "step", "--suite", "household"]
        pipe = subprocess.PIPE
        self.world = subprocess.Popen(command + ["--task", task, "--json"], stdin=pipe, stdout=pipe,
                                      stderr=subprocess.DEVNULL, text=True)
        self.state = json.loads(self.world.stdout.readline())
        self.first = self.state["observation"]
        self.steps = 0

    def act(self, command: str) -> str:
        if not self.state["done"]:
            self.world.stdin.write(" ".join(command.split()) + "\n")
            self.world.stdin.flush()
            line = self.world.stdout.readline()
            self.state = json.loads(line) if line else {**self.state, "done": True}
            self.steps += 1
        seen = self.state["observation"]
        return seen + f"\nThe game is over: {'won' if self.state['success'] else 'lost'}." * self.state["done"]

    def tell(self):
        self.world.stdin.close()
        self.world.wait()
        won = bool(self.state["success"])
        for route, body in [("world", {"suite": "household", "task": self.task}), ("reward", {"reward": float(won)})]:
            request = urllib.request.Request(f"{self.url}/v1/{route}", json.dumps(body).encode(),
                                             {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"})
            urllib.request.urlopen(request).read()
        return won
