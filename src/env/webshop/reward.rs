//! What a purchase is worth: the part of what was asked for that it has, times how near it is to the
//! right kind of thing.

use std::collections::BTreeSet;

use serde::Serialize;

use super::catalog::Product;
use super::goals::{Choices, Goal};
use super::likeness::{colour, colour_of_pair, token_set_ratio};

/// Two texts that are more alike than this are the same.
const ALIKE: u32 = 85;

/// A reward with its parts, named as in the original.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reward {
    /// All of it, 0 to 1.
    #[serde(rename = "reward")]
    pub total: f64,
    /// How near it is to the right kind of thing.
    pub r_type: f64,
    /// The part of the attributes that it has.
    pub r_att: f64,
    /// What attributes count for.
    pub w_att: f64,
    /// Whether the same search finds both.
    pub query_match: bool,
    /// Whether both stand on two shelves of the same name.
    pub category_match: bool,
    /// The part of the wanted title's nouns that its title has.
    pub title_score: f64,
    /// The part of the options that were chosen; none where none is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r_option: Option<f64>,
    /// What options count for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub w_option: Option<f64>,
    /// Whether it costs no more than it may.
    pub r_price: bool,
    /// What the price counts for.
    pub w_price: f64,
}

impl Reward {
    /// The parts for people; `nouns` says where the nouns of titles come from.
    pub fn in_words(&self, nouns: &str) -> String {
        let share = |part: f64| format!("{:.0} %", 100.0 * part);
        let option = self.r_option.map_or_else(String::new, |part| {
            format!("\n  options chosen as asked for: {}", share(part))
        });
        let price = if self.r_price { "within the limit" } else { "above the limit" };
        let kind = match (self.query_match, self.category_match) {
            (true, _) => "the same search finds it",
            (_, true) => "on the same shelf",
            _ => "by its title",
        };
        format!(
            "Worth {:.2} of 1\n  attributes asked for: {}{option}\n  price: {price}\n  kind of thing: {} \
             ({kind}; {} of the wanted title's nouns, {nouns})",
            self.total,
            share(self.r_att),
            share(self.r_type),
            share(self.title_score),
        )
    }
}

/// What a purchase is worth: the product with the chosen options at its price. `nouns` gives the
/// nouns of a title, in lower case and in order.
pub fn reward(
    bought: &Product,
    goal: &Goal,
    price: f64,
    chosen: &[(String, String)],
    nouns: &dyn Fn(&str) -> Vec<String>,
) -> Reward {
    let query_match = bought.query == goal.query;
    let shelves = |all: &str| -> BTreeSet<String> {
        all.split('\u{203a}').map(|shelf| shelf.trim().to_string()).collect()
    };
    let category_match =
        shelves(&bought.shelves).intersection(&shelves(&goal.shelves)).count() >= 2;
    let wanted = nouns(&goal.title);
    let has: BTreeSet<String> = nouns(&bought.title).into_iter().collect();
    let common =
        wanted.iter().collect::<BTreeSet<_>>().into_iter().filter(|noun| has.contains(*noun));
    let title_score =
        if wanted.is_empty() { 0.2 } else { common.count() as f64 / wanted.len() as f64 };
    let r_type = match title_score {
        0.0 => 0.0,
        score if score < 0.1 => 0.1,
        score if query_match || category_match || score > 0.2 => 1.0,
        _ => 0.5,
    };
    let attributes = goal.attributes.iter().filter(|wanted| has_attribute(bought, wanted)).count();
    let options = chosen_options(&goal.options, chosen);
    let r_price = price <= goal.price_upper;
    let all = (goal.attributes.len() + goal.options.count() + 1) as f64;
    let share = |n: usize, of: usize| n as f64 / of as f64;
    let is_asked = goal.options.count() > 0;
    let met = (attributes + options + usize::from(r_price)) as f64;
    Reward {
        total: met / all * r_type,
        r_type,
        r_att: share(attributes, goal.attributes.len()),
        w_att: goal.attributes.len() as f64 / all,
        query_match,
        category_match,
        title_score,
        r_option: is_asked.then(|| share(options, goal.options.count())),
        w_option: is_asked.then(|| goal.options.count() as f64 / all),
        r_price,
        w_price: 1.0 / all,
    }
}

/// Whether an attribute is said to be true of a product, or stands in its texts.
fn has_attribute(product: &Product, wanted: &str) -> bool {
    product.attributes.iter().any(|own| token_set_ratio(own, wanted) > ALIKE)
        || product.title.to_lowercase().contains(wanted)
        || product.bullets.join(" ").to_lowercase().contains(wanted)
        || product.description.to_lowercase().contains(wanted)
}

/// How many of the wanted options were chosen, under whatever name.
fn chosen_options(wanted: &Choices, chosen: &[(String, String)]) -> usize {
    let chosen: Vec<&str> = chosen.iter().map(|(_, value)| colour(value)).collect();
    let is_there = |wanted: &str| chosen.iter().any(|own| token_set_ratio(own, wanted) > ALIKE);
    match wanted {
        Choices::Named(pairs) => pairs
            .iter()
            .filter(|(name, value)| is_there(&colour_of_pair((name.as_str(), value.as_str()))))
            .count(),
        Choices::Values(values) => values.iter().filter(|value| is_there(colour(value))).count(),
    }
}
