//! Reading the original's files, and making the shop that needs none.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::catalog::{self, Product};
use super::goals::{self, Goal, Wish};
use super::mersenne::Python;
use super::nouns::Nouns;
use super::shop::Shop;
use super::{PARTED, own};
use crate::error::{Error, Result};

/// What a folder holds.
pub struct Read {
    /// The shop.
    pub shop: Shop,
    /// What its customers want.
    pub goals: Vec<Goal>,
}

/// The seed that prices are drawn by where a file does not name them (the original's own differ from
/// run to run).
const PRICES: u64 = 0;

/// Tagged titles beside a catalogue.
const TITLES: &str = "title_nouns.jsonl";

/// The shop of a folder. Goals and prices of other files stand in place of its own.
pub fn read(folder: &Path, goals: Option<&Path>, prices: Option<&Path>) -> Result<Read> {
    let products = named(folder, "items_shuffle")?.ok_or_else(|| {
        Error::new(format!("{}: no products (items_shuffle*.json)", folder.display()))
            .hint("--data names the folder with WebShop's data files; without it the shop has products of its own")
    })?;
    let wishes = named(folder, "items_ins_v2")?.map(|path| object(&path)).transpose()?;
    let wishes = wishes.unwrap_or_default();
    let texts = |value: Option<&Value>| -> Vec<String> {
        let list = value.and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|text| text.as_str().map(str::to_string)).collect()
    };
    let attributes: BTreeMap<String, Vec<String>> = wishes
        .iter()
        .filter(|(_, wish)| wish.get("attributes").is_some())
        .map(|(asin, wish)| (asin.clone(), texts(wish.get("attributes"))))
        .collect();
    let products = catalog::read(&products, &attributes)?;
    let mut nouns = Nouns::built_in();
    if folder.join(TITLES).is_file() {
        nouns.read(&folder.join(TITLES))?;
    }
    let mut random = Python::seeded(PRICES);
    let costs = costs(&products, prices, &mut random)?;
    let goals = if let Some(path) = goals {
        listed(path, &products)?
    } else {
        let human = named(folder, "items_human_ins")?.map(|path| object(&path)).transpose()?;
        let human = human.unwrap_or_default();
        let count: usize = human.values().filter_map(Value::as_array).map(Vec::len).sum();
        let mut goals = if count >= PARTED {
            by_people(&products, &human, &costs, &mut random)?
        } else {
            let wish = |asin: &str| {
                let wish = wishes.get(asin)?;
                let instruction = wish.get("instruction")?.as_str()?.to_string();
                let attributes = texts(wish.get("instruction_attributes"));
                Some(Wish { instruction, attributes })
            };
            goals::synthetic(&products, wish, &costs, &mut random)
        };
        goals::in_order(&mut goals);
        goals
    };
    Ok(Read { shop: Shop::new(products, costs, nouns), goals })
}

/// The shop in the program.
pub fn own(goals: Option<&Path>, prices: Option<&Path>) -> Result<Read> {
    let (products, wishes) = own::catalogue();
    let mut random = Python::seeded(PRICES);
    let costs = costs(&products, prices, &mut random)?;
    let goals = if let Some(path) = goals {
        listed(path, &products)?
    } else {
        let wish = |asin: &str| wishes.get(asin).cloned();
        let mut goals = goals::synthetic(&products, wish, &costs, &mut random);
        goals::in_order(&mut goals);
        goals
    };
    Ok(Read { shop: Shop::new(products, costs, Nouns::built_in()), goals })
}

/// The file of a folder whose name begins so: the whole catalogue's before a part's.
fn named(folder: &Path, begins: &str) -> Result<Option<PathBuf>> {
    let whole = folder.join(format!("{begins}.json"));
    if whole.is_file() {
        return Ok(Some(whole));
    }
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io("listing", folder, &e))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| Error::io("listing", folder, &e))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_json = path.extension().is_some_and(|ending| ending == "json");
        if name.starts_with(begins) && is_json {
            found.push(path);
        }
    }
    found.sort();
    match &found[..] {
        [] | [_] => Ok(found.pop()),
        [first, second, ..] => Err(Error::new(format!(
            "{}: both {} and {} could be meant",
            folder.display(),
            first.display(),
            second.display()
        ))
        .hint("keep the files of one catalogue in a folder of their own")),
    }
}

fn object(path: &Path) -> Result<Map<String, Value>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("reading", path, &e))?;
    serde_json::from_str(&text).map_err(|e| Error::new(format!("{}: {e}", path.display())))
}

/// What each product costs: as a file says, which has to name all of them, or drawn.
fn costs(products: &[Product], file: Option<&Path>, random: &mut Python) -> Result<Vec<f64>> {
    let Some(path) = file else { return Ok(goals::draw_prices(products, random)) };
    let known = object(path)?;
    let cost = |product: &Product| {
        known.get(&product.asin).and_then(Value::as_f64).ok_or_else(|| {
            Error::new(format!("{}: no price of {}", path.display(), product.asin))
                .hint("a file of prices names every product: {\"ASIN\": 12.5, ...}")
        })
    };
    products.iter().map(cost).collect()
}

/// Goals as a file has them, a line each.
fn listed(path: &Path, products: &[Product]) -> Result<Vec<Goal>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("reading", path, &e))?;
    let places: HashMap<&str, usize> =
        products.iter().enumerate().map(|(place, one)| (one.asin.as_str(), place)).collect();
    let goal = |(n, line): (usize, &str)| {
        let place = || format!("{}:{}", path.display(), n + 1);
        let line: Map<String, Value> =
            serde_json::from_str(line).map_err(|e| Error::new(format!("{}: {e}", place())))?;
        let product = |asin: &str| places.get(asin).map(|place| products[*place].clone());
        Goal::read(&line, product).map_err(|error| error.at(place()))
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(goal).collect()
}

/// Goals in people's own words.
fn by_people(
    products: &[Product],
    human: &Map<String, Value>,
    costs: &[f64],
    random: &mut Python,
) -> Result<Vec<Goal>> {
    let mut goals = Vec::new();
    for (product, cost) in products.iter().zip(costs) {
        let said = human.get(&product.asin).and_then(Value::as_array);
        for wish in said.into_iter().flatten() {
            let goal = Goal::by_person(product, wish, *cost, random)
                .map_err(|error| error.at(format!("items_human_ins: {}", product.asin)))?;
            goals.extend(goal);
        }
    }
    Ok(goals)
}
