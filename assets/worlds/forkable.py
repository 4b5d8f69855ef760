"""Makes a forkable world of anything that copy.deepcopy copies: `forkable.serve(World)` speaks the protocol of docs/worlds.md.

World is a class with
    name, splits                    what it is called; {"train": [task, ...], "test": [...]}, a task a text or (text, kind)
    __init__(self, task, seed)      opens a task; self.task is the goal in words
    look(self)                      {"observation": ..., "admissible": [...], "done": ..., "success": ...} (STATE, without the task)
    step(self, action)              moves on; what it returns, if it is a dict, is laid over look()
and, if it likes,
    planner, fair, walkthrough      experts: methods that return an action, (action, steps left), or None
    limit, deterministic            steps of an episode; False where the same action may be answered differently
    hash(self)                      a text; without it, a digest of the pickled object
"""
import copy, hashlib, json, pickle, sys


def digest(world):
    return hashlib.sha1(pickle.dumps(world)).hexdigest()


class Server:
    def __init__(self, make, fork="native"):
        self.make, self.fork, self.worlds, self.last = make, fork, {}, 0

    def keep(self, world):
        self.last += 1
        self.worlds[str(self.last)] = world
        return str(self.last)

    def state(self, world, over=None):
        return {"task": world.task, **world.look(), **(over if isinstance(over, dict) else {})}

    def hello(self, protocol):
        if protocol != 1:
            raise ValueError("this speaks protocol 1")
        experts = [name for name in ("planner", "fair", "walkthrough") if hasattr(self.make, name)]
        said = {"protocol": 1, "name": self.make.name, "fork": self.fork, "hash": self.fork == "native", "splits": list(self.make.splits),
                "experts": experts}
        return {**said, **{key: getattr(self.make, key) for key in ("limit", "deterministic") if hasattr(self.make, key)}}

    def tasks(self, split):
        listed = self.make.splits[split]
        return {"tasks": [task if isinstance(task, str) else {"id": task[0], "kind": task[1]} for task in listed]}

    def new(self, task, seed):
        if not any(task in (known, known[0]) for split in self.make.splits.values() for known in split):
            raise ValueError(f"there is no task {task}")
        world = self.make(task, seed)
        return {"world": self.keep(world), "state": self.state(world)}

    def step(self, world, action):
        over = self.worlds[world].step(action)
        return {"state": self.state(self.worlds[world], over)}

    def do_fork(self, world):
        return {"world": self.keep(copy.deepcopy(self.worlds[world]))}

    def hash(self, world):
        world = self.worlds[world]
        return {"hash": world.hash() if hasattr(world, "hash") else digest(world)}

    def expert(self, world, name):
        said = getattr(self.worlds[world], name)()
        if said is None:
            return {"silent": "it has no answer here"}
        return {"action": said} if isinstance(said, str) else {"action": said[0], "steps_left": said[1]}

    def drop(self, world):
        self.worlds.pop(world, None)
        return {}


def serve(make, fork="native"):
    out, sys.stdout = sys.stdout, sys.stderr  # what a world prints is no answer
    server = Server(make, fork)
    for line in sys.stdin:
        asked = json.loads(line)
        number, op = asked.pop("id"), asked.pop("op")
        try:
            answer = getattr(server, "do_fork" if op == "fork" else op)(**asked)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        out.write(json.dumps({"id": number, **answer}) + "\n")
        out.flush()


if __name__ == "__main__":  # python3 forkable.py MODULE:CLASS
    import importlib
    module, name = sys.argv[1].split(":")
    sys.path.insert(0, "")
    serve(getattr(importlib.import_module(module), name))
