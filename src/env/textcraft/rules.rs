//! What the world answers, to the letter as the original does.

use std::sync::Arc;

use super::book::{Book, Needs, Recipe, own, plain};

/// What is held, in the order in which it came.
pub type Held = Vec<(String, i64)>;

/// What an action came to.
pub struct Answer {
    /// What is said.
    pub text: String,
    /// What was made, if something was.
    pub made: Option<String>,
}

fn said(text: String) -> Answer {
    Answer { text, made: None }
}

/// How many of a thing are held.
pub fn held(all: &Held, name: &str) -> Option<i64> {
    all.iter().find(|(known, _)| known == name).map(|(_, count)| *count)
}

fn add(all: &mut Held, name: &str, count: i64) {
    match all.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) => *known = known.saturating_add(count),
        None => all.push((name.to_string(), count)),
    }
}

/// Does what an action says.
pub fn act(book: &Book, inventory: &mut Held, action: &str) -> Answer {
    if let Some((makes, takes)) =
        action.strip_prefix("craft ").and_then(|rest| rest.rsplit_once(" using "))
    {
        return craft(book, inventory, makes, takes);
    }
    let counted_thing = action.strip_prefix("get ").and_then(counted);
    if let Some((count, name)) = counted_thing {
        let thing = own(name);
        if book.is_made(&thing) || book.kinds.contains(&thing) || !book.things.contains(&thing) {
            return said(format!("Could not find {name}"));
        }
        add(inventory, &thing, count);
        return said(format!("Got {count} {name}"));
    }
    if action.starts_with("inventory") {
        let mut text = "Inventory: ".to_string();
        if inventory.is_empty() {
            text.push_str("You are not carrying anything.");
        }
        for (name, count) in inventory.iter() {
            text.push_str(&format!("[{}] ({count}) ", plain(name)));
        }
        return said(text);
    }
    said(format!("Could not execute {action}"))
}

/// A number and what stands behind it.
fn counted(text: &str) -> Option<(i64, &str)> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let name = text[digits..].strip_prefix(' ')?;
    Some((text[..digits].parse().ok()?, name))
}

/// A text as Python writes it in quotes, but for what is not printable.
fn repr(text: &str) -> String {
    let text = text.replace('\\', "\\\\");
    match (text.contains('\''), text.contains('"')) {
        (true, false) => format!("\"{text}\""),
        (true, true) => format!("'{}'", text.replace('\'', "\\'")),
        _ => format!("'{text}'"),
    }
}

fn craft(book: &Book, inventory: &mut Held, makes: &str, takes: &str) -> Answer {
    let (count, name) = counted(makes).unwrap_or((1, makes));
    let thing = own(name);
    let is_kind = book.kinds.contains(&thing);
    let mut given: Vec<(String, i64)> = Vec::new();
    for part in takes.split(',').map(str::trim) {
        let Some((count, name)) = counted(part) else {
            return said(format!("Wrong item format: {part}"));
        };
        given.push((own(name), count));
    }
    let enough = |(name, count): &(String, i64)| {
        !book.kinds.contains(name) && held(inventory, name).is_some_and(|have| have >= *count)
    };
    if !given.iter().all(enough) {
        let name = if is_kind { "None" } else { &thing };
        return said(format!("Could not find enough items to craft {name}"));
    }
    let recipes = book.recipes.get(&thing).filter(|_| !is_kind).into_iter().flatten();
    let fits = |recipe: &&Recipe| fits(book, recipe, &given);
    let Some(recipe) = recipes.into_iter().find(fits) else {
        // As Python writes the original's own record of it.
        let thing = repr(&thing);
        let (kind, item) =
            if is_kind { (thing.as_str(), "None") } else { ("None", thing.as_str()) };
        return said(format!(
            "Could not find a valid recipe for ItemTagWithCount(item_tag=ItemTag(tag={kind}, \
             item_id={item}), count={count})"
        ));
    };
    for (name, count) in &given {
        if let Some(at) = inventory.iter().position(|(known, _)| known == name) {
            inventory[at].1 -= count;
            if inventory[at].1 == 0 {
                inventory.remove(at);
            }
        }
    }
    add(inventory, &recipe.makes, recipe.count as i64);
    Answer {
        text: format!("Crafted {} {}", recipe.count, recipe.makes),
        made: Some(recipe.makes.clone()),
    }
}

/// Whether what is given is what a recipe takes, in the same numbers and nothing beside it.
fn fits(book: &Book, recipe: &Recipe, given: &[(String, i64)]) -> bool {
    let mut left: Vec<&(String, i64)> = given.iter().collect();
    for (needs, count) in &recipe.takes {
        let is_it = |(name, _): &&(String, i64)| match needs {
            Needs::Thing(own) => name == own,
            Needs::Kind(kind) => name == kind || book.kind_of.get(name) == Some(kind),
        };
        match left.iter().position(is_it) {
            Some(at) if left[at].1 == *count as i64 => _ = left.remove(at),
            _ => return false,
        }
    }
    left.is_empty()
}

/// What can usefully be done: what recipes take and can be found, in the numbers that they take;
/// what can be made of what is held; and a look at it.
pub fn listed(book: &Book, told: &[Recipe], inventory: &Held) -> Vec<Arc<str>> {
    let mut all: Vec<String> = Vec::new();
    for recipe in told {
        let mut things: Vec<(&str, u64)> = Vec::new();
        for (needs, count) in &recipe.takes {
            if let Needs::Thing(name) = needs
                && !book.is_made(name)
            {
                all.push(format!("get {count} {}", plain(name)));
            }
            let mut fitting = book.fitting(needs).into_iter();
            let has = |name: &&str| held(inventory, name).is_some_and(|have| have >= *count as i64);
            things.extend(fitting.find(has).map(|name| (name, *count)));
        }
        if things.len() == recipe.takes.len() {
            all.push(recipe.with(things.into_iter()));
        }
    }
    all.push("inventory".into());
    let mut seen = std::collections::HashSet::new();
    all.retain(|action| seen.insert(action.clone()));
    all.into_iter().map(Into::into).collect()
}
