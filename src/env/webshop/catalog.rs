//! What the shop sells, as the files of the original have it.

use std::collections::HashSet;
use std::fmt;
use std::io::{BufReader, Read};
use std::path::Path;

use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::paths;

/// A product.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Product {
    /// Its number.
    pub asin: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Its features.
    pub bullets: Vec<String>,
    /// Its price as it is shown: `$14.95`, `$3.99 to $10.99`.
    pub tag: String,
    /// The price, or the two that it lies between.
    pub pricing: Vec<f64>,
    /// The department.
    pub category: String,
    /// The search that found it, in lower case.
    pub query: String,
    /// The shelves it stands on, from the widest.
    pub shelves: String,
    /// What can be chosen, by name: each once.
    pub options: Vec<(String, Vec<String>)>,
    /// What is said to be true of it; goals ask for some of these.
    pub attributes: Vec<String>,
}

/// Fields of a product's record that mean nothing for text.
const OTHERS: [&str; 18] = [
    "model",
    "images",
    "average_rating",
    "page",
    "product_information",
    "brand",
    "brand_url",
    "list_price",
    "availability_quantity",
    "availability_status",
    "total_reviews",
    "total_answered_questions",
    "seller_id",
    "seller_name",
    "fulfilled_by_amazon",
    "fast_track_message",
    "aplus_present",
    "small_description_old",
];

impl Product {
    /// What the search engine indexes.
    pub fn document(&self) -> String {
        let option =
            |(name, values): &(String, Vec<String>)| format!("{name}: {}", values.join(", "));
        let options: Vec<String> = self.options.iter().map(option).collect();
        let first = self.bullets.first().map_or("", String::as_str);
        let parts = [&self.title, &self.description, first, &options.join(", and ")];
        parts.join(" ").to_lowercase()
    }

    /// From a record of `items_shuffle*.json`; none of those that the original passes over.
    fn read(record: &Map<String, Value>) -> Result<Option<Self>> {
        let text = |name: &str| match record.get(name) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Err(Error::new(format!("{name}: a text was expected, not {other}"))),
        };
        let asin = text("asin")?;
        if asin.is_empty() || asin == "nan" || asin.chars().count() > 10 {
            return Ok(None);
        }
        let known = [
            "asin",
            "name",
            "full_description",
            "pricing",
            "product_category",
            "small_description",
            "customization_options",
            "category",
            "query",
        ];
        let is_known =
            |name: &&String| known.contains(&name.as_str()) || OTHERS.contains(&name.as_str());
        if let Some(odd) = record.keys().find(|name| !is_known(name)) {
            return Err(Error::new(format!("a product has no `{odd}`")));
        }
        let (pricing, tag) = prices(&text("pricing")?)?;
        Ok(Some(Self {
            title: text("name")?,
            description: text("full_description")?,
            bullets: match record.get("small_description") {
                Some(Value::Array(list)) => list.iter().map(plain).collect::<Result<_>>()?,
                _ => vec![text("small_description")?],
            },
            tag,
            pricing,
            category: text("category")?,
            query: text("query")?.to_lowercase().trim().to_string(),
            shelves: text("product_category")?,
            options: options(record.get("customization_options"))?,
            attributes: vec!["DUMMY_ATTR".into()],
            asin,
        }))
    }
}

fn plain(value: &Value) -> Result<String> {
    let text = value.as_str().map(str::to_string);
    text.ok_or_else(|| Error::new(format!("a text was expected, not {value}")))
}

/// A number as Python writes it.
pub fn float(value: f64) -> String {
    format!("{value:?}")
}

/// The numbers of a price, and how they are shown: none is 100 dollars.
fn prices(text: &str) -> Result<(Vec<f64>, String)> {
    if text.is_empty() {
        return Ok((vec![100.0], "$100.0".into()));
    }
    let number = |part: &str| {
        let digits: String = part.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
        let price = digits.parse::<f64>().ok().filter(|price| price.is_finite());
        price.ok_or_else(|| Error::new(format!("`{text}` is no price")))
    };
    let found: Vec<f64> = text.split('$').skip(1).map(number).collect::<Result<_>>()?;
    match found[..] {
        [] => Err(Error::new(format!("`{text}` is no price"))),
        [one] => Ok((vec![one], format!("${}", float(one)))),
        [low, high, ..] => Ok((vec![low, high], format!("${} to ${}", float(low), float(high)))),
    }
}

fn options(value: Option<&Value>) -> Result<Vec<(String, Vec<String>)>> {
    let mut options: Vec<(String, Vec<String>)> = Vec::new();
    let groups = match value {
        None | Some(Value::Null) => return Ok(options),
        Some(Value::String(text)) if text.is_empty() => return Ok(options),
        Some(Value::Object(groups)) => groups,
        Some(other) => return Err(Error::new(format!("customization_options: {other}"))),
    };
    for (name, contents) in groups {
        if contents.is_null() {
            continue;
        }
        let contents = contents.as_array().ok_or_else(|| {
            Error::new(format!("customization_options: {name}: a list was expected"))
        })?;
        let value = |content: &Value| {
            let value = content["value"].as_str().ok_or_else(|| {
                Error::new(format!("customization_options: {name}: an option without a value"))
            })?;
            Ok(value.trim().replace('/', " | ").to_lowercase())
        };
        let values: Vec<String> = contents.iter().map(value).collect::<Result<_>>()?;
        let name = name.to_lowercase();
        match options.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = values,
            None => options.push((name, values)),
        }
    }
    Ok(options)
}

/// What is told of each product, with the bytes that were read so far.
pub type Each<'a> = &'a mut dyn FnMut(Product, u64) -> Result<()>;

/// Reads products one after the other: as many as there are need no more memory than one.
pub fn each(path: &Path, each: Each<'_>) -> Result<()> {
    let place = |n: usize| format!("{}: product {n}", path.display());
    let mut seen = HashSet::new();
    let mut take = |n: usize, record: &Map<String, Value>, read: u64| {
        let product = Product::read(record).map_err(|error| error.at(place(n)))?;
        match product.filter(|product| seen.insert(product.asin.clone())) {
            Some(product) => each(product, read),
            None => Ok(()),
        }
    };
    let file = paths::regular(path).map_err(|e| Error::io("reading", path, &e))?;
    let read = std::rc::Rc::new(std::cell::Cell::new(0));
    let counted = Counted { file, read: read.clone() };
    let mut json =
        serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 20, counted));
    let mut records = Records { take: &mut |n, record| take(n, record, read.get()), failed: None };
    let parsed = json.deserialize_seq(&mut records).and_then(|()| json.end());
    match records.failed {
        Some(error) => Err(error),
        None => parsed.map_err(|e| Error::new(format!("{}: {e}", path.display()))),
    }
}

struct Counted {
    file: std::fs::File,
    read: std::rc::Rc<std::cell::Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(bytes)?;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}

/// Is given a record and its number.
type Take<'a> = &'a mut dyn FnMut(usize, &Map<String, Value>) -> Result<()>;

/// The records of a list.
struct Records<'a> {
    take: Take<'a>,
    failed: Option<Error>,
}

impl<'de> Visitor<'de> for &mut Records<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of products")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<(), A::Error> {
        let mut n = 0;
        while let Some(record) = all.next_element::<Map<String, Value>>()? {
            if let Err(error) = (self.take)(n, &record) {
                self.failed = Some(error);
                return Err(A::Error::custom("see above"));
            }
            n += 1;
        }
        Ok(())
    }
}
