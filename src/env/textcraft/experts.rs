//! Who knows what to craft: one who reads the whole book, and one who has read what was told.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Workshop;
use super::book::{Needs, Recipe, plain};
use super::rules::{Held, held};
use crate::control::Cancel;
use crate::env::{Advice, Environment, Expert, NoAdvice, PLANNER};

/// Reads every recipe of the book.
pub struct Knowing;

/// Has the recipes that were told, which are enough.
pub struct Fair;

/// What is still to be done, each as a command that can be sent in some order.
struct Plan {
    /// What has to be found, with the commands that find it.
    finds: Vec<(String, usize)>,
    /// What has to be made, and how often; what is needed for something comes before it.
    makes: Vec<(Recipe, u64)>,
}

impl Plan {
    /// How many commands it takes.
    fn length(&self) -> usize {
        let finds: usize = self.finds.iter().map(|(_, times)| times).sum();
        finds + self.makes.iter().map(|(_, times)| *times as usize).sum::<usize>()
    }
}

/// The easiest recipe of each thing, and how deep it lies.
fn easiest<'a>(
    recipes: impl Iterator<Item = &'a Recipe>,
    depths: &BTreeMap<String, usize>,
) -> BTreeMap<&'a str, &'a Recipe> {
    let mut best: BTreeMap<&str, (usize, &Recipe)> = BTreeMap::new();
    for recipe in recipes {
        let below = recipe.takes.iter().map(|(needs, _)| depths.get(needs.name()).copied());
        let depth = below.flatten().max().unwrap_or_default();
        let own = depths.get(&recipe.makes).copied().unwrap_or(usize::MAX);
        let known = best.entry(&recipe.makes).or_insert((usize::MAX, recipe));
        if depth < own && depth < known.0 {
            *known = (depth, recipe);
        }
    }
    best.into_iter().map(|(name, (_, recipe))| (name, recipe)).collect()
}

/// What is to be done, by the recipes that somebody knows.
fn plan(shop: &Workshop, known: &[&Recipe]) -> Result<Plan, NoAdvice> {
    let game = &shop.game;
    let depths = game.depths();
    let recipes = easiest(known.iter().copied(), depths);
    let mut wanted: BTreeMap<String, u64> = BTreeMap::from([(game.goal.clone(), 1)]);
    let mut makes: Vec<(Recipe, u64)> = Vec::new();
    let mut lacking: BTreeMap<String, u64> = BTreeMap::new();
    // From the deepest down: all that wants something is known before it is looked at.
    while let Some(name) =
        wanted.keys().max_by_key(|name| depths.get(*name).copied().unwrap_or_default()).cloned()
    {
        let count = wanted.remove(&name).unwrap_or_default();
        let is_goal = name == game.goal;
        let have =
            if is_goal { 0 } else { held(&shop.inventory, &name).unwrap_or(0).max(0) as u64 };
        let missing = count.saturating_sub(have);
        if missing == 0 {
            continue;
        }
        let Some(recipe) = recipes.get(name.as_str()) else {
            if game.book.is_made(&name) {
                return Err(NoAdvice::Other(format!("nobody told how {} is made", plain(&name))));
            }
            *lacking.entry(name).or_default() += missing;
            continue;
        };
        let times = missing.div_ceil(recipe.count);
        for (needs, count) in &recipe.takes {
            let thing = standing_for(shop, needs, &shop.inventory);
            *wanted.entry(thing).or_default() += count * times;
        }
        makes.push(((*recipe).clone(), times));
    }
    makes.reverse();
    // As listed: as many at a time as some recipe takes.
    let most = |name: &str| {
        let lots = game.told.iter().flat_map(|recipe| &recipe.takes);
        let lots = lots.filter(|(needs, _)| needs.name() == name).map(|(_, count)| *count);
        lots.max().unwrap_or(1)
    };
    let find = |(name, missing): (String, u64)| {
        let lot = most(&name);
        (format!("get {lot} {}", plain(&name)), missing.div_ceil(lot) as usize)
    };
    Ok(Plan { finds: lacking.into_iter().map(find).collect(), makes })
}

/// The thing that stands for what a recipe takes: one that is held, or the easiest to make.
fn standing_for(shop: &Workshop, needs: &Needs, inventory: &Held) -> String {
    let depths = shop.game.depths();
    let fitting = shop.game.book.fitting(needs);
    let is_held = |name: &&&str| held(inventory, name).is_some_and(|have| have > 0);
    let best = fitting.iter().find(is_held).or_else(|| {
        fitting.iter().min_by_key(|name| depths.get(**name).copied().unwrap_or_default())
    });
    best.map_or_else(|| needs.name().to_string(), |name| (*name).to_string())
}

/// The commands of a plan that can be sent now.
fn now(shop: &Workshop, plan: &Plan) -> Vec<String> {
    let finds = plan.finds.iter().map(|(command, _)| command.clone());
    let can = |recipe: &Recipe| {
        let mut things: Vec<(String, u64)> = Vec::new();
        for (needs, count) in &recipe.takes {
            let thing = standing_for(shop, needs, &shop.inventory);
            if held(&shop.inventory, &thing).unwrap_or(0) < *count as i64 {
                return None;
            }
            things.push((thing, *count));
        }
        Some(recipe.with(things.iter().map(|(name, count)| (name.as_str(), *count))))
    };
    finds.chain(plan.makes.iter().filter_map(|(recipe, _)| can(recipe))).collect()
}

fn workshop(env: &dyn Environment) -> Result<&Workshop, NoAdvice> {
    if env.turn().done {
        return Err(NoAdvice::Done);
    }
    let shop = env.as_any().downcast_ref::<Workshop>();
    shop.ok_or_else(|| NoAdvice::Other("this is no workshop".into()))
}

fn advice(env: &dyn Environment, all: bool) -> Result<(Vec<String>, usize), NoAdvice> {
    let shop = workshop(env)?;
    let known: Vec<&Recipe> = if all {
        shop.game.book.recipes.values().flatten().collect()
    } else {
        shop.game.told.iter().collect()
    };
    let plan = plan(shop, &known)?;
    Ok((now(shop, &plan), plan.length()))
}

fn first(env: &dyn Environment, all: bool) -> Result<Advice, NoAdvice> {
    let (actions, length) = advice(env, all)?;
    let action = actions.into_iter().next();
    let action = action.ok_or_else(|| NoAdvice::Other("nothing can be made of this".into()))?;
    Ok(Advice { action, steps_left: Some(length) })
}

impl Expert for Knowing {
    fn name(&self) -> &'static str {
        PLANNER
    }

    fn advise(&self, env: &dyn Environment, _: &Cancel) -> Result<Advice, NoAdvice> {
        first(env, true)
    }

    fn optimal_actions(
        &self,
        env: &dyn Environment,
        _: &Cancel,
    ) -> Result<Vec<Arc<str>>, NoAdvice> {
        Ok(advice(env, true)?.0.into_iter().map(Into::into).collect())
    }
}

impl Expert for Fair {
    fn name(&self) -> &'static str {
        "fair"
    }

    fn advise(&self, env: &dyn Environment, _: &Cancel) -> Result<Advice, NoAdvice> {
        first(env, false)
    }
}
