"""Games of the original TextWorld engine as a forkable world (pip install textworld), with forkable.py beside it.

    python3 tw_games.py DIR [--make N]

DIR has train/ and test/ with games as tw-make writes them (*.z8 or *.ulx, the *.json beside each); with --make, games that are missing up
to N a split are made first (a few seconds each; quests of one to four steps in one to six rooms, seeds by number). The expert (`walkthrough`)
is TextWorld's own winning policy, which follows the quest and is not always the shortest way.
"""
import argparse, glob, hashlib, os, sys

import textworld

import forkable

ap = argparse.ArgumentParser(usage=__doc__)
ap.add_argument("folder")
ap.add_argument("--make", type=int, default=0)
a = ap.parse_args()
SEEDS = {"train": 1, "test": 1_000_001}


def make(split, number):
    options = textworld.GameOptions()
    options.seeds = SEEDS[split] + number
    options.nb_rooms, options.nb_objects = 1 + number % 6, 4 + number % 7
    options.quest_length = 1 + number % 4
    options.path, options.file_ext = os.path.join(a.folder, split, f"made-{number:04}.z8"), ".z8"
    textworld.make(options)


def games(split):
    there = [path for path in glob.glob(os.path.join(a.folder, split, "*.*")) if path.endswith((".z8", ".ulx"))]
    return sorted(f"{split}/{os.path.basename(path)}" for path in there)


for split in SEEDS:
    os.makedirs(os.path.join(a.folder, split), exist_ok=True)
    for number in range(a.make):
        if not os.path.exists(os.path.join(a.folder, split, f"made-{number:04}.z8")):
            print(f"making {split} {number + 1} of {a.make}", file=sys.stderr)
            make(split, number)


class World:
    name, limit = "textworld", 100
    splits = {split: games(split) for split in SEEDS}

    def __init__(self, task, seed):
        wanted = textworld.EnvInfos(admissible_commands=True, objective=True, won=True, lost=True, policy_commands=True, facts=True, feedback=True, score=True)
        self.env = textworld.start(os.path.join(a.folder, task), wanted)
        self.state, self.done = self.env.reset(), False
        self.task = self.state.objective

    def __deepcopy__(self, memo):
        other = object.__new__(World)
        other.__dict__.update(self.__dict__, env=self.env.copy())
        return other

    def look(self):
        listed = [] if self.done else sorted(self.state.admissible_commands)
        said = self.state.feedback.rsplit("\n>", 1)[0].strip()  # without the prompt, whose line counts the moves
        return {"observation": said, "admissible": listed, "done": self.done, "success": bool(self.state.won)}

    def step(self, action):
        if not self.done:
            self.state, _, self.done = self.env.step(action)

    def walkthrough(self):
        commands = self.state.policy_commands
        return (commands[0], len(commands)) if commands else None

    def hash(self):
        facts = sorted(str(fact) for fact in self.state.facts)
        return hashlib.sha1("\n".join([*facts, str(self.done), str(self.state.won), str(self.state.score)]).encode()).hexdigest()


if __name__ == "__main__":
    if not any(World.splits.values()):
        sys.exit(f"{a.folder} has no games in train/ or test/: tw-make writes some, or --make 5 does")
    forkable.serve(World)
