//! The shop against transcripts of the original: every page, search, price, goal and reward. Nothing
//! here may differ.

mod common;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use common::foretaste;
use foretaste::env::webshop::goals::Goal;
use foretaste::env::webshop::reward::reward;
use foretaste::env::webshop::session::Session;
use foretaste::env::webshop::shop::Shop;
use foretaste::env::webshop::{self, WebShop, oracle};
use serde_json::Value;

/// The folder with the original's data, or none (said loudly).
fn shared() -> Option<PathBuf> {
    let path = common::shared()?.with_file_name("webshop");
    if path.join("oracle").is_dir() {
        return Some(path);
    }
    common::unchecked(&format!("no WebShop transcripts at {}.", path.display()));
    None
}

fn rows(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What differs, said for the first few.
#[derive(Default)]
struct Differences(usize);

impl Differences {
    fn hold<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, got: &T, wanted: &T) {
        if got != wanted {
            self.0 += 1;
            if self.0 < 5 {
                eprintln!("{what}\n  here     {got:?}\n  original {wanted:?}");
            }
        }
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_string()).collect()
}

#[test]
fn words_colours_and_likeness_are_the_originals() {
    let Some(folder) = shared().map(|shared| shared.join("oracle")) else { return };
    let mut differ = Differences::default();
    for row in rows(&folder.join("analyzer.jsonl")) {
        let text = row["text"].as_str().unwrap();
        differ.hold(text, &oracle::terms(&text.to_lowercase()), &texts(&row["tokens"]));
    }
    for row in rows(&folder.join("normalize_color.jsonl")) {
        let text = row[0].as_str().unwrap();
        differ.hold(text, &oracle::colour(text), &row[1].as_str().unwrap());
    }
    for row in rows(&folder.join("token_set_ratio.jsonl")) {
        let [a, b] = ["a", "b"].map(|name| row[name].as_str().unwrap());
        let decided = row["tf19_difflib"].as_u64().unwrap() > 85;
        differ.hold(&row.to_string(), &(oracle::token_set_ratio(a, b) > 85), &decided);
    }
    assert_eq!(differ.0, 0);
}

#[test]
fn goals_and_prices_are_the_originals_in_its_order() {
    let Some(folder) = shared() else { return };
    let read = webshop::read(&folder.join("catalog"), None, None).unwrap();
    let prices = std::fs::read_to_string(folder.join("oracle/product_prices_seed0.json")).unwrap();
    let prices: HashMap<String, f64> = serde_json::from_str(&prices).unwrap();
    let mut differ = Differences::default();
    for (place, price) in read.shop.prices.iter().enumerate() {
        let asin = read.shop.asin(place as u32);
        differ.hold(asin, &Some(price), &prices.get(asin));
    }
    let wanted = rows(&folder.join("goals/goals_synthetic_1k_seed0.jsonl"));
    assert_eq!((read.goals.len(), wanted.len()), (6910, 6910));
    for (goal, wanted) in read.goals.iter().zip(&wanted) {
        let find = |asin: &str| read.shop.find(asin);
        differ.hold("goal", goal, &Goal::read(wanted.as_object().unwrap(), find).unwrap());
    }
    assert_eq!(differ.0, 0);
}

/// The shop in memory, and the same kept beside an index.
fn shops(folder: &Path) -> [Arc<Shop>; 2] {
    let catalog = folder.join("catalog");
    let here = webshop::read(&catalog, None, None).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let index = dir.path().join("index.sqlite");
    assert_eq!(webshop::index(&catalog, &index, &mut |_, _| {}).unwrap(), 1000);
    let kept = webshop::indexed(&index, &catalog, None, None).unwrap();
    assert_eq!((&here.goals, &here.kinds), (&kept.goals, &kept.kinds));
    assert_eq!(here.shop.identity(), kept.shop.identity());
    assert_eq!(here.shop.prices, kept.shop.prices);
    [here.shop, kept.shop].map(Arc::new)
}

#[test]
fn searches_find_what_the_original_finds() {
    let Some(folder) = shared() else { return };
    let mut differ = Differences::default();
    let shops = shops(&folder);
    for row in rows(&folder.join("oracle/search_bm25.jsonl")) {
        let query = row["query"].as_str().unwrap();
        for shop in &shops {
            let found: Vec<&str> =
                shop.search(query).unwrap().iter().map(|at| shop.asin(*at)).collect();
            let hits = row["hits"].as_array().unwrap().iter();
            differ.hold(query, &found, &hits.map(|hit| hit[0].as_str().unwrap()).collect());
        }
    }
    assert_eq!(differ.0, 0);
}

#[test]
fn rewards_are_the_originals_with_all_their_parts() {
    let Some(folder) = shared() else { return };
    let [_, shop] = shops(&folder);
    let goal = |row: &Value| Goal::read(row.as_object().unwrap(), |_| Ok(None)).unwrap();
    let goals: Vec<Goal> =
        rows(&folder.join("oracle/reward_goals.jsonl")).iter().map(goal).collect();
    let mut differ = Differences::default();
    for row in rows(&folder.join("oracle/rewards.jsonl")) {
        let product = shop.find(row["asin"].as_str().unwrap()).unwrap().unwrap();
        let chosen: Vec<(String, String)> = row["options"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_string()))
            .collect();
        let goal = &goals[row["goal"].as_u64().unwrap() as usize];
        let nouns = |title: &str| shop.nouns(title).0;
        let worth = reward(&product, goal, row["price"].as_f64().unwrap(), &chosen, &nouns);
        let worth = serde_json::to_value(&worth).unwrap();
        for (name, part) in worth.as_object().unwrap() {
            differ.hold(&format!("{} {name}", row["i"]), &Some(part), &row.get(name));
        }
    }
    assert_eq!(differ.0, 0);
}

/// A step as `env step` writes it, with the names of the original's.
fn page(row: &Value) -> Vec<Value> {
    ["text", "text_rich", "url", "clickables", "has_search_bar"]
        .map(|name| row[name].clone())
        .to_vec()
}

#[test]
fn every_page_of_every_session_is_the_originals() {
    let Some(folder) = shared() else { return };
    let shops = shops(&folder);
    let mut differ = Differences::default();
    let mut pages = 0;
    for (session, shop) in rows(&folder.join("oracle/sessions.jsonl"))
        .iter()
        .flat_map(|session| shops.iter().map(move |shop| (session, shop)))
    {
        let goal =
            Arc::new(Goal::read(session["goal"].as_object().unwrap(), |_| Ok(None)).unwrap());
        let id = session["session"].as_str().map_or(session["session"].to_string(), str::to_string);
        let mut at = Session::new(shop.clone(), goal, &id);
        let steps = session["steps"].as_array().unwrap();
        for step in steps.iter().filter(|step| step.get("error").is_none()) {
            let before = at.purchases;
            if let Some(action) = step["action"].as_str() {
                at.act(action).unwrap();
            }
            pages += 1;
            let shown = &at.shown;
            let clicks: Vec<&str> = shown.clicks.iter().map(|(name, _)| name.as_str()).collect();
            let here = serde_json::json!({
                "text": shown.text(), "text_rich": shown.rich(), "url": shown.url,
                "clickables": clicks, "has_search_bar": shown.has_search_bar,
            });
            differ.hold(&step["action"].to_string(), &page(&here), &page(step));
            let bought = at.purchases > before;
            let worth = at.bought.as_ref().filter(|_| bought).map_or(0.0, |worth| worth.total);
            if let Some(reward) = step.get("reward").and_then(Value::as_f64) {
                differ.hold("reward", &worth.to_bits(), &reward.to_bits());
                differ.hold("done", &Some(bought), &step["done"].as_bool());
            }
        }
    }
    assert!(pages > 1000);
    assert_eq!(differ.0, 0);
}

#[test]
fn the_command_replays_a_session_from_outside() {
    let Some(folder) = shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let sessions = rows(&folder.join("oracle/sessions.jsonl"));
    let session = sessions.iter().find(|one| one["kind"] == "expert").unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    let task = session["session"].to_string();
    let args = [
        "env",
        "step",
        "--suite",
        "webshop",
        "--data",
        &path("catalog"),
        "--goals",
        &path("goals/goals_synthetic_1k_seed0.jsonl"),
        "--prices",
        &path("oracle/product_prices_seed0.json"),
        "--task",
        &task,
        "--json",
    ];
    let mut child = foretaste(dir.path(), &args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let steps = session["steps"].as_array().unwrap();
    let actions: Vec<&str> = steps.iter().filter_map(|step| step["action"].as_str()).collect();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), actions.join("\n").as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows = common::lines(&output);
    assert_eq!(rows.len(), steps.len());
    for (row, step) in rows.iter().zip(steps) {
        assert_eq!(page(row), page(step));
    }
    let last = rows.last().unwrap();
    assert_eq!((&last["reward"], &last["done"]), (&steps.last().unwrap()["reward"], &true.into()));
    assert_eq!(last["reward_info"], steps.last().unwrap()["reward_info"]);
    assert_eq!(last["nouns"], "tagged by spaCy");
}

#[test]
fn what_a_shops_files_lack_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let said =
        |error: foretaste::error::Error| format!("{} {:?}", error.message(), error.next_step());
    let none = WebShop::open(Some(dir.path())).err().map(said).unwrap();
    assert!(none.contains("no products (items_shuffle*.json)"), "{none}");
    let file = dir.path().join("items_shuffle_1000.json");
    for (text, wanted) in [
        ("[{\"asin\": \"A1\", \"smell\": 1}]", "product 0: a product has no `smell`"),
        ("[{\"asin\": \"A1\", \"pricing\": \"free\"}]", "`free` is no price"),
        ("[{\"asin\": 7}]", "asin: a text was expected"),
        ("{", "items_shuffle_1000.json"),
    ] {
        std::fs::write(&file, text).unwrap();
        let why = WebShop::open(Some(dir.path())).err().map(said).unwrap();
        assert!(why.contains(wanted), "{why}");
    }
    std::fs::write(&file, "[{\"asin\": \"A1\", \"name\": \"x\"}]").unwrap();
    let goals = dir.path().join("goals.jsonl");
    for (text, wanted) in [
        ("{\"asin\": \"A1\", \"wish\": 1}", "goals.jsonl:1: a goal has no `wish`"),
        ("{\"attributes\": []}", "a goal without `asin`"),
        ("{\"asin\": \"A1\", \"attributes\": [1]}", "a list of texts was expected"),
    ] {
        std::fs::write(&goals, text).unwrap();
        let why = WebShop::with(Some(dir.path()), Some(&goals), None).err().map(said).unwrap();
        assert!(why.contains(wanted), "{why}");
    }
    let prices = dir.path().join("prices.json");
    std::fs::write(&prices, "{}").unwrap();
    let why = WebShop::with(Some(dir.path()), None, Some(&prices)).err().map(said).unwrap();
    assert!(why.contains("no price of A1"), "{why}");
}

#[test]
fn a_catalogue_that_was_made_is_indexed_and_shopped_in() {
    let dir = tempfile::tempdir().unwrap();
    let (data, cache) = (dir.path().join("shop"), dir.path().join("cache"));
    let shop = data.to_str().unwrap();
    let run = |args: &[&str]| {
        let output = foretaste(dir.path(), args).env("XDG_CACHE_HOME", &cache).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).to_string();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).to_string(), said)
    };
    let make = ["env", "make", "--suite", "webshop", "--games", "2500", "--out", shop, "--json"];
    let (made, ..) = run(&make);
    assert!(made);
    // A catalogue that is there is nobody's to lose.
    let (again, _, why) = run(&make);
    assert!(!again && why.contains("already there"), "{why}");
    let step = ["env", "step", "--suite", "webshop", "--data", shop, "--task", "7", "--json"];
    let (_, before, _) = run(&step);
    let (indexed, said, why) = run(&["env", "index", "--data", shop, "--json"]);
    assert!(indexed, "{why}");
    let row: Value = serde_json::from_str(said.trim()).unwrap();
    assert_eq!(row["products"], 2500);
    // The same customer wants the same of the same shop.
    let (_, after, _) = run(&step);
    assert!(before.contains("WebShop") && before == after, "{before}\n{after}");
    // Goals follow from prices: other prices need other goals.
    let prices = dir.path().join("prices.json");
    std::fs::write(&prices, "{}").unwrap();
    let (_, _, why) = run(&[&step[..], &["--prices", prices.to_str().unwrap()]].concat());
    assert!(why.contains("--goals"), "{why}");
    // A damaged index says so, and what to do.
    let index = PathBuf::from(row["index"].as_str().unwrap());
    let whole = std::fs::read(&index).unwrap();
    for cut in [0, 100, 5000, whole.len() / 2] {
        std::fs::write(&index, &whole[..cut]).unwrap();
        let (opened, _, why) = run(&step);
        assert!(!opened && why.contains("env index") && !why.contains("panicked"), "{cut}: {why}");
    }
    // Files that changed are not what was indexed; small ones are read as they are.
    std::fs::write(&index, &whole).unwrap();
    let items = data.join("items_shuffle.json");
    let text = std::fs::read_to_string(&items).unwrap();
    std::fs::write(&items, text + "\n").unwrap();
    let (_, fresh, _) = run(&step);
    assert_eq!(fresh, before);
}
