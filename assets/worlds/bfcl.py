"""BFCL v4 multi-turn (pip install bfcl-eval) as a forkable world: python3 bfcl.py, with forkable.py beside it.

A game is a dialogue: each action is one call of a function, or `end turn`, after which the user speaks again. When a turn ends, the
package's own checkers hold the simulators and the answers against those of the ground truth; the first turn that fails ends the game,
as it decides it in the benchmark. Won is what the benchmark counts as correct. The expert (`walkthrough`) is the ground truth.

train and test are multi_turn_base (the first 125, the others); miss_func, miss_param and long_context are those of the others' dialogues.
The list of a state has `end turn` and calls of these functions from answers to training dialogues; any other call can be written.
Calls are read as literals and not evaluated as Python.
"""
import ast, collections, copy, hashlib, importlib, json, pathlib, random

import bfcl_eval
from bfcl_eval.constants.default_prompts import DEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_FC, MAXIMUM_STEP_LIMIT
from bfcl_eval.constants.executable_backend_config import CLASS_FILE_PATH_MAPPING, MULTI_TURN_FUNC_DOC_FILE_MAPPING, STATELESS_CLASSES
from bfcl_eval.eval_checker.multi_turn_eval.multi_turn_checker import response_checker, state_checker

import forkable

DATA = pathlib.Path(bfcl_eval.__file__).parent / "data"
TRAIN, LISTED, END = 125, 24, "end turn"


def rows(path):
    return [json.loads(line) for line in (DATA / path).open()]


def dialogues(kind):
    answers = {row["id"]: row["ground_truth"] for row in rows(f"possible_answer/BFCL_v4_multi_turn_{kind}.json")}
    return [{**row, "answers": answers[row["id"]]} for row in rows(f"BFCL_v4_multi_turn_{kind}.json")]


ALL = {kind: dialogues(kind) for kind in ("base", "miss_func", "miss_param", "long_context")}
BY_ID = {row["id"]: row for kind in ALL.values() for row in kind}
DOCS = {name: rows(f"multi_turn_func_doc/{path}") for name, path in MULTI_TURN_FUNC_DOC_FILE_MAPPING.items() if not name.startswith(("Web", "Memory"))}
CALLS = collections.defaultdict(dict)  # calls of a function in answers to training dialogues, in their order
for row in ALL["base"][:TRAIN]:
    for call in sum(row["answers"], []):
        CALLS[call.split("(")[0]][call] = None


def read(call):
    """The name and the arguments of a call that is written as in Python."""
    node = ast.parse(call.strip(), mode="eval").body
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        raise ValueError("an action is one call: name(argument=value)")
    return node.func.id, [ast.literal_eval(arg) for arg in node.args], {word.arg: ast.literal_eval(word.value) for word in node.keywords}


def plain(value, above=()):
    """A simulator without what has no meaning for what it answers: times of day, and texts about itself."""
    if isinstance(value, random.Random):
        return value.getstate()
    if isinstance(value, dict):
        return [(repr(key), plain(item, above)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return [plain(item, above) for item in value]
    if not hasattr(value, "__dict__"):
        return repr(value)
    if any(value is one for one in above):
        return "above"
    return [(key, plain(item, (*above, value))) for key, item in sorted(vars(value).items()) if key not in ("_last_modified", "_api_description")]


class Tools:
    """The simulators of a dialogue."""

    def __init__(self, row):
        self.of = {}
        for name in row["involved_classes"]:
            self.of[name] = getattr(importlib.import_module(CLASS_FILE_PATH_MAPPING[name]), name)()
            if name not in STATELESS_CLASSES:
                config = copy.deepcopy(row["initial_config"].get(name, {}))
                self.of[name]._load_scenario(config, long_context="long_context" in row["id"])

    def call(self, text):
        """What a call answers, as the benchmark writes it."""
        try:
            name, args, words = read(text)
            found = [tool for tool in self.of.values() if hasattr(tool, name)]
            if name.startswith("_") or not found:
                raise NameError(f"name '{name}' is not defined")
            said = getattr(found[-1], name)(*args, **words)
            return said if isinstance(said, str) else json.dumps(said) if isinstance(said, dict) else str(said)
        except Exception as error:
            return f"Error during execution: {error}"


class World:
    name, limit = "bfcl", 200
    splits = {"train": [(row["id"], "base") for row in ALL["base"][:TRAIN]]}
    splits |= {kind: [(row["id"], kind) for row in ALL[kind][TRAIN:]] for kind in ("miss_func", "miss_param", "long_context")}
    splits["test"] = [(row["id"], "base") for row in ALL["base"][TRAIN:]]

    def __init__(self, task, seed):
        self.row = BY_ID[task]
        self.task = " ".join(message["content"] for message in self.row["question"][0]) + " (the first of the user's turns)"
        self.tools, self.truth = Tools(self.row), Tools(self.row)
        self.turn, self.calls, self.results, self.done, self.won = 0, [], [], False, False
        self.hidden = set(sum(self.row.get("missed_function", {}).values(), [])) | set(self.row.get("excluded_function", []))
        truth = copy.deepcopy(self.truth)
        self.wanted = collections.Counter(truth.call(call) for call in sum(self.row["answers"], []))
        self.text = f"The user: {self.user()}\n\nFunctions:\n" + "\n".join(self.signatures())

    def docs(self):
        return [doc for name in self.row["involved_classes"] for doc in DOCS[name] if doc["name"] not in self.hidden]

    def signatures(self):
        for doc in self.docs():
            fields, needed = doc["parameters"]["properties"], doc["parameters"].get("required", [])
            args = ", ".join(f"{name}: {field['type']}" + ("" if name in needed else "?") for name, field in fields.items())
            yield f"{doc['name']}({args}): {doc['description'].split('Tool description: ')[-1]}"

    def user(self):
        """What the user says in this turn."""
        shown = self.row.get("missed_function", {}).get(str(self.turn), [])
        self.hidden -= set(shown)
        new = [line for line in self.signatures() if line.split("(")[0] in shown]
        said = [message["content"] for message in self.row["question"][self.turn]]
        return "\n".join(new + (said or [DEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_FC]))

    def look(self):
        names = [doc["name"] for doc in self.docs()]
        known = [call for name in names for call in CALLS[name]]
        drawn = random.Random(self.row["id"]).sample(known, min(LISTED, len(known)))
        can = {} if self.done else {"admissible": [END, *sorted(drawn)], "forms": [f"{name}(…)" for name in names] + [f"{name}()" for name in names]}
        return {"observation": self.text, "done": self.done, "success": self.won, **can}

    def step(self, action):
        if self.done:
            return
        if action.strip() != END:
            self.calls.append(action.strip())
            self.results.append(self.tools.call(action))
            self.text = self.results[-1]
            self.done = len(self.calls) > MAXIMUM_STEP_LIMIT  # the benchmark gives a turn up then, and the dialogue with it
            return
        wanted = self.row["answers"][self.turn]
        truth = [self.truth.call(call) for call in wanted]
        held = not wanted or bool(self.calls) and all(
            check["valid"] for check in (state_checker(self.tools.of, self.truth.of), response_checker(list(self.results), truth, self.turn)))
        self.turn, self.calls = self.turn + 1, []
        over = self.turn == len(self.row["answers"])
        self.done, self.won = over or not held, over and held
        self.text = "The dialogue is over." if self.done else f"The user: {self.user()}"

    def walkthrough(self):
        """The next call of the ground truth that was not made in this turn, else its end."""
        made = collections.Counter(self.calls)
        left = [call for call in self.row["answers"][self.turn] if not (made[call] > 0 and (made.subtract([call]) or True))]
        later = sum(len(calls) + 1 for calls in self.row["answers"][self.turn + 1:])
        return (left[0] if left else END), len(left) + 1 + later

    def hash(self):
        """The simulators, the turn, and those answers that the ground truth gives too."""
        public = plain(self.tools.of)
        counted = sorted(((collections.Counter(self.results)) & self.wanted).items())
        return hashlib.sha1(repr((public, self.turn, counted, bool(self.calls), self.done)).encode()).hexdigest()


if __name__ == "__main__":
    forkable.serve(World)
