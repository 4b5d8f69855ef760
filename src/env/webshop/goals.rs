//! What customers want.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::catalog::Product;
use super::mersenne::Python;
use crate::error::{Error, Result};

/// What is to be chosen of a product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Choices {
    /// By the options' names (a synthetic goal).
    Named(Vec<(String, String)>),
    /// Values alone (a person's goal).
    Values(Vec<String>),
}

impl Choices {
    /// How many.
    pub fn count(&self) -> usize {
        match self {
            Self::Named(pairs) => pairs.len(),
            Self::Values(values) => values.len(),
        }
    }

    /// The values.
    pub fn values(&self) -> Vec<&str> {
        match self {
            Self::Named(pairs) => pairs.iter().map(|(_, value)| value.as_str()).collect(),
            Self::Values(values) => values.iter().map(String::as_str).collect(),
        }
    }
}

/// A goal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// The product that it was made from.
    pub asin: String,
    /// What the customer says.
    pub instruction: String,
    /// What has to be true of the product.
    pub attributes: Vec<String>,
    /// What has to be chosen.
    pub options: Choices,
    /// The most that it may cost.
    pub price_upper: f64,
    /// Of the product: the search that found it, its title, and its shelves.
    pub query: String,
    /// Its title.
    pub title: String,
    /// Its shelves.
    pub shelves: String,
}

/// No limit was named.
const NO_LIMIT: f64 = 1e6;

/// A list of texts.
fn texts(value: &Value, name: &str) -> Result<Vec<String>> {
    let all: Option<Vec<String>> = value
        .as_array()
        .and_then(|all| all.iter().map(|text| text.as_str().map(str::to_string)).collect());
    all.ok_or_else(|| Error::new(format!("{name}: a list of texts was expected")))
}

/// Draws what a product costs: where a price lies between two, one between them.
pub fn draw_price(product: &Product, random: &mut Python) -> f64 {
    match product.pricing[..] {
        [low, high, ..] => random.uniform(low, high),
        [one] => one,
        [] => 100.0,
    }
}

/// Draws the most that a product may cost, and how a customer says it.
fn draw_limit(price: f64, random: &mut Python) -> (f64, String) {
    let above: Vec<f64> = (1..100)
        .map(|tens| 10.0 * f64::from(tens))
        .filter(|limit| *limit > price)
        .take(4)
        .collect();
    if above.len() < 2 {
        return (NO_LIMIT, String::new());
    }
    let limit = random.larger_of_two(&above);
    (limit, format!(", and price lower than {limit:.2} dollars"))
}

/// What is known of a product beside its record: the words of a customer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wish {
    /// The words.
    pub instruction: String,
    /// The attributes that they name.
    pub attributes: Vec<String>,
}

/// Goals made from wishes: one for every combination of a product's options, in the original's order.
pub fn synthetic<'a>(
    sold: impl Iterator<Item = (&'a Product, f64)>,
    wish: impl Fn(&str) -> Option<Wish>,
    random: &mut Python,
) -> Vec<Goal> {
    let mut goals = Vec::new();
    for (product, price) in sold {
        let Some(wish) = wish(&product.asin) else { continue };
        let (price_upper, limit) = draw_limit(price, random);
        let mut groups: Vec<&(String, Vec<String>)> = product.options.iter().collect();
        groups.sort_by(|a, b| a.0.cmp(&b.0));
        let mut combinations: Vec<Vec<(String, String)>> = vec![Vec::new()];
        for (name, values) in groups {
            combinations = combinations
                .iter()
                .flat_map(|so_far| {
                    values.iter().map(move |value| {
                        let own = (name.clone(), value.clone());
                        so_far.iter().cloned().chain([own]).collect()
                    })
                })
                .collect();
        }
        for options in combinations {
            let said: Vec<String> =
                options.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            let with = if said.is_empty() { String::new() } else { " with ".to_string() };
            goals.push(Goal {
                instruction: format!("{}{with}{}{limit}", wish.instruction, said.join(", and ")),
                attributes: wish.attributes.clone(),
                options: Choices::Named(options),
                price_upper,
                ..Goal::about(product)
            });
        }
    }
    goals
}

/// Puts goals in the order that the original has them in, which depends on their number alone.
pub fn in_order(goals: &mut [Goal]) {
    Python::seeded(233).shuffle(goals);
}

impl Goal {
    fn about(product: &Product) -> Self {
        Self {
            asin: product.asin.clone(),
            instruction: String::new(),
            attributes: Vec::new(),
            options: Choices::Values(Vec::new()),
            price_upper: NO_LIMIT,
            query: product.query.clone(),
            title: product.title.clone(),
            shelves: product.shelves.clone(),
        }
    }

    /// In a person's own words; none where they name no attribute, as in the original.
    pub fn by_person(
        product: &Product,
        wish: &Value,
        cost: f64,
        random: &mut Python,
    ) -> Result<Option<Self>> {
        let attributes = texts(&wish["instruction_attributes"], "instruction_attributes")?;
        if attributes.is_empty() {
            return Ok(None);
        }
        let said = wish["instruction"].as_str();
        let said = said.ok_or_else(|| Error::new("a wish without `instruction`"))?;
        let (price_upper, limit) = draw_limit(cost, random);
        Ok(Some(Self {
            instruction: format!("{}{limit}", said.trim_matches('.')),
            attributes,
            options: Choices::Values(texts(&wish["instruction_options"], "instruction_options")?),
            price_upper,
            ..Self::about(product)
        }))
    }

    /// From a line of a file of goals; what it leaves out of the product is taken from there.
    pub fn read(
        line: &Map<String, Value>,
        find: impl Fn(&str) -> Result<Option<Arc<Product>>>,
    ) -> Result<Self> {
        let known = [
            "idx",
            "asin",
            "category",
            "query",
            "name",
            "product_category",
            "instruction_text",
            "attributes",
            "price_upper",
            "goal_options",
            "weight",
            "instructions",
        ];
        if let Some(odd) = line.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(Error::new(format!("a goal has no `{odd}`")));
        }
        let asin = line.get("asin").and_then(Value::as_str);
        let asin = asin.ok_or_else(|| Error::new("a goal without `asin`"))?;
        let product = find(asin)?.unwrap_or_default();
        let text = |name: &str, usual: &str| match line.get(name) {
            None => Ok(usual.to_string()),
            Some(value) => value
                .as_str()
                .map(str::to_string)
                .ok_or_else(|| Error::new(format!("{name}: a text was expected, not {value}"))),
        };
        let none = json!([]);
        let options = match line.get("goal_options").unwrap_or(&none) {
            Value::Object(pairs) => {
                let pair = |(name, value): (&String, &Value)| {
                    let value = value.as_str().ok_or_else(|| {
                        Error::new(format!("goal_options: {name}: a text was expected"))
                    })?;
                    Ok((name.clone(), value.to_string()))
                };
                Choices::Named(pairs.iter().map(pair).collect::<Result<_>>()?)
            }
            value => Choices::Values(texts(value, "goal_options")?),
        };
        Ok(Self {
            asin: asin.to_string(),
            instruction: text("instruction_text", "")?,
            attributes: texts(line.get("attributes").unwrap_or(&none), "attributes")?,
            options,
            price_upper: line.get("price_upper").and_then(Value::as_f64).unwrap_or(NO_LIMIT),
            query: text("query", &product.query)?,
            title: text("name", &product.title)?,
            shelves: text("product_category", &product.shelves)?,
        })
    }
}
