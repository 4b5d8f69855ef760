"""Two agents of smolagents playing household games: a manager hands the game to a player. `api_base` and
the keys are all that is ours.

    pip install "smolagents[openai]"
    python examples/smolagents_two.py SPLIT FIRST COUNT [http://127.0.0.1:8712] [fk-run]
"""

import sys

from game import Game
from smolagents import LogLevel, OpenAIServerModel, ToolCallingAgent, tool


def play(task, url, key):
    game = Game(task, key, url)

    @tool
    def act(command: str) -> str:
        """Sends a command to the game and returns what is seen then.

        Args:
            command: what to do
        """
        return game.act(command)

    def mind(name):
        return OpenAIServerModel("any", api_base=f"{url}/v1", api_key=f"{key}.{name}", temperature=0.4)

    quiet = {"verbosity_level": LogLevel.OFF}
    player = ToolCallingAgent([act], mind("smol-player"), name="player", description="Plays a game.", max_steps=31, **quiet)
    # What the manager thinks of the game is the player's to read.
    manager = mind("smol-manager")
    advice = manager.generate([{"role": "user", "content": [{"type": "text", "text": game.first}]}]).content
    player.run(f"Another agent thinks: {advice}\n\n{game.first}")
    return game.tell()


if __name__ == "__main__":
    split, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    base, key = (sys.argv[4:] + ["http://127.0.0.1:8712", "fk-run"][len(sys.argv) - 4:])[:2]
    won = [play(f"{split}/{i}", f"{base}/s/smolagents-{split}-{i}", key) for i in range(first, first + count)]
    print(f"{sum(won)} of {len(won)}")
