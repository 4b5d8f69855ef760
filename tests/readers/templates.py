"""What transformers makes of chat templates, for tests/readers: prints one JSON object, a text or null by
template and conversation.

    python templates.py FOLDER

FOLDER has templates (*.jinja) and conversations.json: objects with messages, tools or null, and answer.
"""

import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import datetime  # noqa: E402

from transformers.utils import chat_template_utils  # noqa: E402
from transformers.utils.chat_template_utils import render_jinja_template  # noqa: E402


class Day(datetime.datetime):
    """The day that the program always says it is."""

    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26)


chat_template_utils.datetime = Day

folder = Path(sys.argv[1])
conversations = json.loads((folder / "conversations.json").read_text())
found = {}
for path in sorted(folder.glob("*.jinja")):
    texts = []
    for one in conversations:
        try:
            rendered, _ = render_jinja_template(
                conversations=[one["messages"]],
                tools=one["tools"],
                chat_template=path.read_text(),
                add_generation_prompt=one["answer"],
                bos_token="<s>",
                eos_token="</s>",
                enable_thinking=False,
            )
            texts.append(rendered[0])
        except Exception as error:  # a template may refuse a conversation
            texts.append(None)
            print(f"{path.name}: {error}", file=sys.stderr)
    found[path.stem] = texts
print(json.dumps(found))
