"""OpenAI's Agents SDK playing household games: `base_url` and the key are all that is ours.

    pip install openai-agents
    python examples/openai_agents.py SPLIT FIRST COUNT [http://127.0.0.1:8712] [fk-run]
"""

import os
import sys

from agents import Agent, ModelSettings, OpenAIProvider, RunConfig, Runner, function_tool, set_tracing_disabled
from agents.exceptions import MaxTurnsExceeded
from game import Game

SYSTEM = "You play a household game with the tool act, one command at a time, until it says that the game is over."


def play(task, url, key):
    game = Game(task, key, url)

    @function_tool
    def act(command: str) -> str:
        """Sends a command to the game and returns what is seen then."""
        return game.act(command)

    provider = OpenAIProvider(base_url=f"{url}/v1", api_key=f"{key}.openai")
    drawn = ModelSettings(temperature=float(os.environ.get("TEMPERATURE", "0.4")))
    agent = Agent(name="player", instructions=SYSTEM, tools=[act], model="any", model_settings=drawn)
    try:
        Runner.run_sync(agent, game.first, max_turns=31, run_config=RunConfig(model_provider=provider))
    except MaxTurnsExceeded:
        pass
    return game.tell()


if __name__ == "__main__":
    set_tracing_disabled(True)
    split, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    base, key = (sys.argv[4:] + ["http://127.0.0.1:8712", "fk-run"][len(sys.argv) - 4:])[:2]
    won = [play(f"{split}/{i}", f"{base}/s/openai-{split}-{i}", key) for i in range(first, first + count)]
    print(f"{sum(won)} of {len(won)}")
