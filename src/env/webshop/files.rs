//! Reading the original's files, making the shop that needs none, and the index of a catalogue that
//! is too large for memory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::catalog::{self, Product};
use super::goals::{self, Goal, Wish};
use super::kept::{self, Maker};
use super::mersenne::Python;
use super::nouns::Nouns;
use super::shop::Shop;
use super::{PARTED, own};
use crate::error::{Error, Result};
use crate::paths;

/// What a folder holds.
pub struct Read {
    /// The shop.
    pub shop: Shop,
    /// What its customers want.
    pub goals: Vec<Goal>,
    /// The department of each goal's product.
    pub kinds: Vec<String>,
}

/// The seed that prices are drawn by where a file does not name them (the original's own differ from
/// run to run).
const PRICES: u64 = 0;

/// Tagged titles beside a catalogue.
const TITLES: &str = "title_nouns.jsonl";

/// A file of products with more bytes is not read into memory: it needs an index.
const LARGE: u64 = 64 << 20;

/// Of more products with a customer's words than this, goals are not made from these alone: each
/// gives one for every combination of its options.
const COMBINED: usize = 20_000;

/// The files of a catalogue.
struct Files {
    products: PathBuf,
    wishes: Option<PathBuf>,
    human: Option<PathBuf>,
}

/// What is known of a product beside its record.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Said {
    attributes: Option<Vec<String>>,
    instruction: Option<String>,
    instruction_attributes: Vec<String>,
}

impl Said {
    fn wish(&self) -> Option<Wish> {
        let instruction = self.instruction.clone()?;
        Some(Wish { instruction, attributes: self.instruction_attributes.clone() })
    }
}

type Human = HashMap<String, Vec<Value>>;

impl Files {
    fn of(folder: &Path) -> Result<Self> {
        let products = named(folder, "items_shuffle")?.ok_or_else(|| {
            Error::new(format!("{}: no products (items_shuffle*.json)", folder.display()))
                .hint("--data names the folder with WebShop's data files; without it the shop has products of its own")
        })?;
        let (wishes, human) = (named(folder, "items_ins_v2")?, named(folder, "items_human_ins")?);
        Ok(Self { products, wishes, human })
    }

    /// Where their index would be.
    fn index(&self) -> Result<PathBuf> {
        let others = [&self.wishes, &self.human].into_iter().flatten().cloned();
        kept::place(&std::iter::once(self.products.clone()).chain(others).collect::<Vec<_>>())
    }

    fn size(&self) -> Result<u64> {
        let about = std::fs::metadata(&self.products);
        Ok(about.map_err(|e| Error::io("reading", &self.products, &e))?.len())
    }

    fn wishes(&self) -> Result<HashMap<String, Said>> {
        self.wishes.as_deref().map_or(Ok(HashMap::new()), object)
    }

    /// What people said, if that is enough to shop by.
    fn human(&self) -> Result<Option<Human>> {
        let human: Human = self.human.as_deref().map_or(Ok(HashMap::new()), object)?;
        Ok(Some(human).filter(|human| human.values().map(Vec::len).sum::<usize>() >= PARTED))
    }

    /// Each product with what is said to be true of it.
    fn each(&self, wishes: &HashMap<String, Said>, each: catalog::Each<'_>) -> Result<()> {
        catalog::each(&self.products, &mut |mut product, read| {
            if let Some(known) = wishes.get(&product.asin).and_then(|said| said.attributes.as_ref())
            {
                product.attributes.clone_from(known);
            }
            each(product, read)
        })
    }
}

/// The shop of a folder. Goals and prices of other files stand in place of its own.
pub fn read(folder: &Path, goals: Option<&Path>, prices: Option<&Path>) -> Result<Read> {
    let files = Files::of(folder)?;
    let index = files.index().ok().filter(|index| index.is_file());
    if let Some(index) = index {
        return indexed(&index, folder, goals, prices);
    }
    let nouns = nouns(folder)?;
    if files.size()? > LARGE {
        return Err(Error::new(format!(
            "{}: too large for memory, and there is no index of it (or of an older state of these files)",
            files.products.display()
        ))
        .hint(format!(
            "make it once, in some minutes: foretaste env index --suite webshop --data {}",
            folder.display()
        )));
    }
    let wishes = files.wishes()?;
    let mut products = Vec::new();
    files.each(&wishes, &mut |product, _| {
        products.push(product);
        Ok(())
    })?;
    let mut random = Python::seeded(PRICES);
    let costs = costs(&products, prices, &mut random)?;
    let sold = products.iter().zip(costs.iter().copied());
    let own = match goals {
        Some(_) => Vec::new(),
        None => wanted(sold, files.human()?.as_ref(), &wishes, &mut random)?,
    };
    whole(Shop::new(products, costs, nouns), own, goals)
}

/// The shop in the program.
pub fn own(goals: Option<&Path>, prices: Option<&Path>) -> Result<Read> {
    let (products, wishes) = own::catalogue();
    let mut random = Python::seeded(PRICES);
    let costs = costs(&products, prices, &mut random)?;
    let mut own = Vec::new();
    if goals.is_none() {
        let wish = |asin: &str| wishes.get(asin).cloned();
        own = goals::synthetic(products.iter().zip(costs.iter().copied()), wish, &mut random);
        goals::in_order(&mut own);
    }
    whole(Shop::new(products, costs, Nouns::built_in()), own, goals)
}

/// A shop with its own goals, or those of a file.
fn whole(shop: Shop, own: Vec<Goal>, file: Option<&Path>) -> Result<Read> {
    let goals = file.map_or(Ok(own), |path| listed(path, &shop))?;
    let kind = |goal: &Goal| {
        let product = shop.find(&goal.asin)?;
        Ok(product.map_or_else(String::new, |product| product.category.clone()))
    };
    let kinds = goals.iter().map(kind).collect::<Result<_>>()?;
    Ok(Read { shop, goals, kinds })
}

fn nouns(folder: &Path) -> Result<Nouns> {
    let mut nouns = Nouns::built_in();
    let beside = folder.join(TITLES);
    if beside.is_file() {
        nouns.read(&beside)?;
    }
    Ok(nouns)
}

/// Where the index of a folder's files is, once it is made.
pub fn index_of(folder: &Path) -> Result<PathBuf> {
    Files::of(folder)?.index()
}

/// The shop of a folder by an index of its files.
pub fn indexed(
    index: &Path,
    folder: &Path,
    goals: Option<&Path>,
    prices: Option<&Path>,
) -> Result<Read> {
    let (mut shop, own) = Shop::kept(index, nouns(folder)?)?;
    if let Some(path) = prices {
        if goals.is_none() {
            return Err(Error::usage(
                "an index has goals whose limits follow from the prices that it was made with",
            )
            .hint("--prices beside an index needs --goals FILE too"));
        }
        let known = object(path)?;
        let asins = (0..shop.len() as u32).map(|place| shop.asin(place));
        let costs = asins.map(|asin| price_in(&known, asin, path)).collect::<Result<_>>()?;
        shop.costing(costs);
    }
    if goals.is_some() {
        return whole(shop, Vec::new(), goals);
    }
    if own.is_empty() {
        return Err(Error::new("this catalogue says nothing of what its customers want")
            .hint(format!(
                "items_human_ins.json beside it with {PARTED} wishes or more, or --goals FILE; then make the index anew"
            )));
    }
    let (goals, kinds) = own.into_iter().unzip();
    Ok(Read { shop, goals, kinds })
}

/// Makes the index of a folder's files, and says how many products it has; `report` is told of the
/// bytes that were read, and of all.
pub fn index(folder: &Path, at: &Path, report: &mut dyn FnMut(u64, u64)) -> Result<usize> {
    let files = Files::of(folder)?;
    let (wishes, human, all) = (files.wishes()?, files.human()?, files.size()?);
    let mut random = Python::seeded(PRICES);
    let mut maker = Maker::new(at)?;
    let mut prices = Vec::new();
    // Goals are made once all prices are drawn.
    let mut asked = Vec::new();
    files.each(&wishes, &mut |product, read| {
        let price = goals::draw_price(&product, &mut random);
        maker.add(&product, price)?;
        let is_asked = match &human {
            Some(human) => human.contains_key(&product.asin),
            None => {
                asked.len() <= COMBINED
                    && wishes.get(&product.asin).is_some_and(|said| said.instruction.is_some())
            }
        };
        if is_asked {
            asked.push((product, price));
        }
        prices.push(price);
        report(read, all);
        Ok(())
    })?;
    let sold = asked.iter().map(|(product, price)| (product, *price));
    let goals = if human.is_none() && asked.len() > COMBINED {
        Vec::new()
    } else {
        wanted(sold, human.as_ref(), &wishes, &mut random)?
    };
    let kinds: HashMap<&str, &str> =
        asked.iter().map(|(one, _)| (one.asin.as_str(), one.category.as_str())).collect();
    let goals: Vec<(&Goal, &str)> = goals
        .iter()
        .map(|goal| (goal, kinds.get(goal.asin.as_str()).copied().unwrap_or("")))
        .collect();
    if prices.is_empty() {
        return Err(Error::new(format!("{}: no products", files.products.display())));
    }
    maker.finish(&prices, &goals)?;
    Ok(prices.len())
}

/// What customers want of what is sold, at what it costs.
fn wanted<'a>(
    sold: impl Iterator<Item = (&'a Product, f64)>,
    human: Option<&Human>,
    wishes: &HashMap<String, Said>,
    random: &mut Python,
) -> Result<Vec<Goal>> {
    let mut goals = match human {
        Some(human) => by_people(sold, human, random)?,
        None => goals::synthetic(sold, |asin| wishes.get(asin)?.wish(), random),
    };
    goals::in_order(&mut goals);
    Ok(goals)
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

fn object<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let file = paths::regular(path).map_err(|e| Error::io("reading", path, &e))?;
    serde_json::from_reader(std::io::BufReader::with_capacity(1 << 20, file))
        .map_err(|e| Error::new(format!("{}: {e}", path.display())))
}

/// What each product costs: as a file says, which has to name all of them, or drawn.
fn costs(products: &[Product], file: Option<&Path>, random: &mut Python) -> Result<Vec<f64>> {
    let Some(path) = file else {
        return Ok(products.iter().map(|product| goals::draw_price(product, random)).collect());
    };
    let known = object(path)?;
    products.iter().map(|product| price_in(&known, &product.asin, path)).collect()
}

fn price_in(known: &Map<String, Value>, asin: &str, path: &Path) -> Result<f64> {
    known.get(asin).and_then(Value::as_f64).ok_or_else(|| {
        Error::new(format!("{}: no price of {asin}", path.display()))
            .hint("a file of prices names every product: {\"ASIN\": 12.5, ...}")
    })
}

/// Goals as a file has them, a line each.
fn listed(path: &Path, shop: &Shop) -> Result<Vec<Goal>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("reading", path, &e))?;
    let goal = |(n, line): (usize, &str)| {
        let place = || format!("{}:{}", path.display(), n + 1);
        let line: Map<String, Value> =
            serde_json::from_str(line).map_err(|e| Error::new(format!("{}: {e}", place())))?;
        Goal::read(&line, |asin| shop.find(asin)).map_err(|error| error.at(place()))
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(goal).collect()
}

/// Goals in people's own words.
fn by_people<'a>(
    sold: impl Iterator<Item = (&'a Product, f64)>,
    human: &Human,
    random: &mut Python,
) -> Result<Vec<Goal>> {
    let mut goals = Vec::new();
    for (product, cost) in sold {
        for wish in human.get(&product.asin).into_iter().flatten() {
            let goal = Goal::by_person(product, wish, cost, random)
                .map_err(|error| error.at(format!("items_human_ins: {}", product.asin)))?;
            goals.extend(goal);
        }
    }
    Ok(goals)
}
