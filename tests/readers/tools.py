"""What other tools read of exported trajectories and curves, for tests/readers: prints one JSON object.

    python tools.py FOLDER

FOLDER has atif.jsonl, openai.jsonl, openai-reflection.jsonl and curves/. Tested with harbor 0.26.0 (its models alone,
which need pydantic), openai 3.57.0, tensorboard 2.21.0, tbparse 0.0.9 and trackio 0.43.0.
"""

import importlib.util
import json
import os
import sys
import types

folder = sys.argv[1]
place = lambda name: os.path.join(folder, name)  # noqa: E731
lines = lambda name: [json.loads(line) for line in open(place(name))]  # noqa: E731
os.environ["TRACKIO_DIR"] = place("trackio")
found = {}


def atif():
    """harbor's own models, without the rest of it."""
    from pydantic import ValidationError

    package = types.ModuleType("harbor")
    package.__path__ = list(importlib.util.find_spec("harbor").submodule_search_locations)
    sys.modules["harbor"] = package
    from harbor.models.trajectories import Trajectory

    read = [Trajectory.model_validate(line) for line in lines("atif.jsonl")]
    try:
        Trajectory.model_validate({**lines("atif.jsonl")[0], "odd": 1})
        refuses = False
    except ValidationError:
        refuses = True
    # What it read is written as it stood.
    again = [one.model_dump(mode="json", exclude_unset=True) for one in read]
    return {"steps": [len(one.steps) for one in read], "same": again == lines("atif.jsonl"), "refuses": refuses}


def openai(name):
    """The messages of requests, by the types of OpenAI's own library; the last one is what is learnt."""
    from openai.types.chat import ChatCompletionMessageParam
    from pydantic import TypeAdapter

    known = TypeAdapter(list[ChatCompletionMessageParam])
    rows = lines(name)
    for row in rows:
        assert list(row) == ["messages"], row
        messages = known.validate_python(row["messages"])
        assert [message["role"] for message in messages][-1] == "assistant", row
    return len(rows)


def tensorboard():
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(place("curves/run-1"), size_guidance={"scalars": 0})
    read.Reload()
    return [(name, one.step, one.value) for name in read.Tags()["scalars"] for one in read.Scalars(name)]


def trackio():
    import trackio
    from trackio.sqlite_storage import SQLiteStorage

    trackio.import_tf_events(place("curves"), project="foretaste")
    (run,) = SQLiteStorage.get_runs("foretaste")
    points = []
    for log in SQLiteStorage.get_logs("foretaste", run):
        step = log.pop("step")
        log.pop("timestamp")
        points += [(name, step, value) for name, value in log.items()]
    return points


found["atif"] = atif()
for name in ("openai", "openai-reflection"):
    found[name] = openai(name + ".jsonl")
found["tensorboard"] = tensorboard()
found["trackio"] = trackio()
print(json.dumps(found))
