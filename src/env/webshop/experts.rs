//! Who shops well: one who knows what the goal was made from, and one who reads what everybody can.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Visit;
use super::analyzer::terms;
use super::catalog::Product;
use super::goals::Choices;
use super::page::Piece;
use super::session::Session;
use crate::control::Cancel;
use crate::env::{Advice, Environment, Expert, NoAdvice, PLANNER};
use crate::error::Error;

/// Looks up the product that the goal was made from.
pub struct Knowing;

/// Searches by the customer's words, reads what is near, and takes what has most of what was asked
/// for.
pub struct Fair;

fn visit(env: &dyn Environment) -> Result<&Session, NoAdvice> {
    if env.turn().done {
        return Err(NoAdvice::Done);
    }
    let visit = env.as_any().downcast_ref::<Visit>();
    visit.map(|visit| &visit.session).ok_or_else(|| NoAdvice::Other("this is no shop".into()))
}

/// Where a kept catalogue cannot be read.
fn unread(error: &Error) -> NoAdvice {
    NoAdvice::Other(error.message().to_string())
}

/// Products on a page of results, by number.
fn on_page(session: &Session) -> impl Iterator<Item = &str> {
    session.shown.pieces.iter().filter_map(|piece| match piece {
        Piece::Product(asin, _) => Some(asin.as_str()),
        _ => None,
    })
}

/// Values of the goal that are not chosen yet, where the product has them: by name, or whichever has
/// such a value.
fn left(session: &Session, product: &Product) -> Vec<String> {
    let goal = &session.goal.options;
    let has = |name: Option<&str>, value: &str| {
        product.options.iter().find(|(own, values)| {
            name.is_none_or(|name| name == own) && values.iter().any(|one| one == value)
        })
    };
    let is_chosen = |name: &str, value: &str| {
        session.chosen().iter().any(|(own, chosen)| own == name && chosen == value)
    };
    let wanted: Vec<(Option<&str>, &str)> = match goal {
        Choices::Named(pairs) => {
            pairs.iter().map(|(name, value)| (Some(name.as_str()), value.as_str())).collect()
        }
        Choices::Values(values) => values.iter().map(|value| (None, value.as_str())).collect(),
    };
    wanted
        .into_iter()
        .filter_map(|(name, value)| Some((has(name, value)?, value)))
        .filter(|((name, _), value)| !is_chosen(name, value))
        .map(|(_, value)| value.to_string())
        .collect()
}

/// Every action that starts a shortest way, and how long that is.
fn ways(session: &Session) -> Result<(Vec<String>, usize), NoAdvice> {
    let goal = &session.goal;
    let product =
        session.shop().find(&goal.asin).map_err(|error| unread(&error))?.ok_or_else(|| {
            NoAdvice::Other("the shop does not sell what the goal was made from".into())
        })?;
    let product = product.as_ref();
    let options = match &goal.options {
        Choices::Named(pairs) => pairs.len(),
        Choices::Values(_) => left(session, product).len(),
    };
    let can = |action: &str| session.shown.clicks.iter().any(|(name, _)| name == action);
    let click = |name: &str| format!("click[{name}]");
    if session.product().is_some_and(|here| here.asin == goal.asin) {
        if can("buy now") {
            let left = left(session, product);
            let steps = left.len() + 1;
            let starts = if left.is_empty() {
                vec![click("buy now")]
            } else {
                left.iter().map(|value| click(value)).collect()
            };
            return Ok((starts, steps));
        }
        return Ok((vec![click("< prev")], left(session, product).len() + 2));
    }
    let asin = goal.asin.to_lowercase();
    if can(&asin) {
        return Ok((vec![click(&asin)], options + 2));
    }
    // On along the results, or another search: by the customer's words or by its title.
    let along = session.pages_to(&goal.asin).filter(|pages| *pages != 0);
    let along = along.map(|pages| {
        let action = if pages > 0 { "next >" } else { "< prev" };
        (pages.unsigned_abs() + options + 2, click(action))
    });
    let mut all: Vec<(usize, String)> = along.into_iter().collect();
    let place = session.shop().place(&goal.asin);
    for words in [goal.instruction.as_str(), product.title.as_str()] {
        let found = session.shop().search(&words.to_lowercase()).map_err(|error| unread(&error))?;
        let at = found.iter().position(|found| Some(*found) == place);
        all.extend(at.map(|at| (at / 10 + options + 3, format!("search[{words}]"))));
    }
    let least = all.iter().map(|(steps, _)| *steps).min();
    let least = least.ok_or_else(|| NoAdvice::Other("no search finds the product".into()))?;
    let starts = all.into_iter().filter(|(steps, _)| *steps == least);
    Ok((starts.map(|(_, action)| action).collect(), least))
}

impl Expert for Knowing {
    fn name(&self) -> &'static str {
        PLANNER
    }

    fn advise(&self, env: &dyn Environment, _: &Cancel) -> Result<Advice, NoAdvice> {
        let (starts, steps) = ways(visit(env)?)?;
        let action = starts.into_iter().next().unwrap_or_default();
        Ok(Advice { action, steps_left: Some(steps) })
    }

    fn optimal_actions(
        &self,
        env: &dyn Environment,
        _: &Cancel,
    ) -> Result<Vec<Arc<str>>, NoAdvice> {
        Ok(ways(visit(env)?)?.0.into_iter().map(Into::into).collect())
    }
}

/// Products that the fair one looks at before it decides.
const LOOKS: usize = 3;

/// Pages of results that it reads.
const PAGES: usize = 3;

/// What a customer says, without the limit, and the limit.
fn parted(instruction: &str) -> (&str, Option<f64>) {
    let Some((words, rest)) = instruction.rsplit_once(", and price lower than ") else {
        return (instruction, None);
    };
    (words, rest.split(' ').next().and_then(|number| number.parse().ok()))
}

/// The words that say what is wanted.
fn wanted(session: &Session) -> BTreeSet<String> {
    const SAID: [&str; 12] =
        ["i", "am", "look", "want", "need", "find", "me", "show", "would", "like", "bui", "also"];
    let all = terms(parted(&session.goal.instruction).0);
    all.filter(|word| !SAID.contains(&word.as_str())).collect()
}

/// The part of the wanted words that can be read of a product: of its title, and once it was looked
/// at of its options and features.
fn fit(session: &Session, product: &Product, wanted: &BTreeSet<String>) -> f64 {
    let mut text = product.title.to_lowercase();
    if session.seen().any(|seen| seen.asin == product.asin) {
        for (name, values) in &product.options {
            text.push_str(&format!(" {name} {}", values.join(" ")));
        }
    }
    if session.has_read(&product.asin) {
        text.push_str(&format!(" {}", product.bullets.join(" ").to_lowercase()));
    }
    let has: BTreeSet<String> = terms(&text).collect();
    wanted.intersection(&has).count() as f64 / wanted.len().max(1) as f64
}

/// The values that the customer names, of options that nothing was chosen of yet: the longest that
/// stands in what was said.
fn named(session: &Session, product: &Product) -> Option<String> {
    let said = parted(&session.goal.instruction).0.to_lowercase();
    let open = product
        .options
        .iter()
        .filter(|(name, _)| session.chosen().iter().all(|(own, _)| own != name));
    let best = |values: &Vec<String>| {
        let there = values.iter().filter(|value| said.contains(value.as_str()));
        there.max_by_key(|value| value.len()).cloned()
    };
    open.into_iter().find_map(|(_, values)| best(values))
}

impl Fair {
    fn next(session: &Session) -> Result<Option<String>, NoAdvice> {
        let wanted = wanted(session);
        let limit = parted(&session.goal.instruction).1;
        let affordable = |product: &Product| {
            limit.is_none_or(|limit| product.pricing.first().is_none_or(|price| *price <= limit))
        };
        let by_fit = |a: &&Product, b: &&Product| {
            fit(session, a, &wanted).total_cmp(&fit(session, b, &wanted))
        };
        let best = session.seen().filter(|seen| affordable(seen)).max_by(by_fit);
        let full = |product: &Product| fit(session, product, &wanted) > 0.99;
        let is_over = session.seen().count() >= LOOKS || best.is_some_and(full);
        let click = |name: &str| Ok(Some(format!("click[{name}]")));
        if session.shown.has_search_bar {
            return Ok(Some(format!("search[{}]", parted(&session.goal.instruction).0)));
        }
        if let Some(here) = session.product() {
            if !session.shown.clicks.iter().any(|(name, _)| name == "buy now") {
                return click("< prev");
            }
            if !session.has_read(&here.asin) {
                return click("features");
            }
            if is_over && best.is_none_or(|best| best.asin == here.asin) {
                return named(session, here)
                    .map_or_else(|| click("buy now"), |value| click(&value));
            }
            return click("< prev");
        }
        let there = on_page(session).filter_map(|asin| session.shop().find(asin).transpose());
        let there: Vec<Arc<Product>> =
            there.collect::<Result<_, Error>>().map_err(|error| unread(&error))?;
        if is_over {
            let Some(best) = best else { return Ok(None) };
            return if there.iter().any(|product| product.asin == best.asin) {
                click(&best.asin.to_lowercase())
            } else {
                Ok(Some(format!("search[{}]", best.title)))
            };
        }
        let fresh = there.iter().map(AsRef::as_ref).filter(|product| {
            affordable(product) && session.seen().all(|seen| seen.asin != product.asin)
        });
        match fresh.max_by(by_fit) {
            Some(next) => click(&next.asin.to_lowercase()),
            None if session.page_number() < PAGES => click("next >"),
            None => best.map_or(Ok(None), |best| click(&best.asin.to_lowercase())),
        }
    }
}

impl Expert for Fair {
    fn name(&self) -> &'static str {
        "fair"
    }

    fn advise(&self, env: &dyn Environment, _: &Cancel) -> Result<Advice, NoAdvice> {
        let session = visit(env)?;
        let action = Self::next(session)?
            .ok_or_else(|| NoAdvice::Other("nothing that is affordable was found".into()))?;
        Ok(Advice { action, steps_left: None })
    }
}
