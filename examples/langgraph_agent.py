"""LangGraph's ReAct agent playing household games: `base_url` and the key are all that is ours.

    pip install langgraph langchain-openai
    python examples/langgraph_agent.py SPLIT FIRST COUNT [http://127.0.0.1:8712] [fk-run]
"""

import sys

from game import Game
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.errors import GraphRecursionError
from langgraph.prebuilt import create_react_agent  # langchain.agents.create_agent from version 2 on

SYSTEM = "You are a housekeeper. Use act, one command at a time, until the game is over."


def play(task, url, key):
    game = Game(task, key, url)

    @tool
    def act(command: str) -> str:
        """Sends a command to the game and returns what is seen then."""
        return game.act(command)

    model = ChatOpenAI(model="any", base_url=f"{url}/v1", api_key=key, temperature=0.4, streaming=True)
    agent = create_react_agent(model, [act], prompt=SYSTEM)
    try:
        agent.invoke({"messages": [("user", game.first)]}, {"recursion_limit": 62})
    except GraphRecursionError:
        pass
    return game.tell()


if __name__ == "__main__":
    split, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    base, key = (sys.argv[4:] + ["http://127.0.0.1:8712", "fk-run"][len(sys.argv) - 4:])[:2]
    won = [play(f"{split}/{i}", f"{base}/s/langgraph-{split}-{i}", key) for i in range(first, first + count)]
    print(f"{sum(won)} of {len(won)}")
