//! Recipes: what can be made of what, how it is written, and how a book of them is read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};

/// What stands before every name inside the world.
const SPACE: &str = "minecraft:";

/// A name as people write it.
pub fn plain(name: &str) -> String {
    name.strip_prefix(SPACE).unwrap_or(name).replace('_', " ")
}

/// A name as the world has it.
pub fn own(name: &str) -> String {
    format!("{SPACE}{}", name.replace(' ', "_"))
}

/// What a recipe takes: a thing, or any of a kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// This.
    Thing(String),
    /// Any thing of this kind.
    Kind(String),
}

impl Needs {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Thing(name) | Self::Kind(name) => name,
        }
    }
}

/// A recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// What it takes, and how many of each: exactly so many.
    pub takes: Vec<(Needs, u64)>,
    /// What it makes.
    pub makes: String,
    /// How many.
    pub count: u64,
}

impl Recipe {
    /// As a command.
    pub fn written(&self) -> String {
        self.with(self.takes.iter().map(|(needs, count)| (needs.name(), *count)))
    }

    /// As a command with these things in place of what it takes.
    pub fn with<'a>(&self, things: impl Iterator<Item = (&'a str, u64)>) -> String {
        let things: Vec<String> =
            things.map(|(name, count)| format!("{count} {}", plain(name))).collect();
        format!("craft {} {} using {}", self.count, plain(&self.makes), things.join(", "))
    }
}

/// A book of recipes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    /// Recipes by what they make.
    pub recipes: BTreeMap<String, Vec<Recipe>>,
    /// Everything that there is.
    pub things: BTreeSet<String>,
    /// Kinds of things.
    pub kinds: BTreeSet<String>,
    /// The kind that a thing is of, if it is of one.
    pub kind_of: BTreeMap<String, String>,
}

impl Book {
    /// Whether something can be made; then it cannot be found.
    pub fn is_made(&self, name: &str) -> bool {
        self.recipes.contains_key(name)
            || self
                .kind_of
                .iter()
                .any(|(thing, kind)| kind == name && self.recipes.contains_key(thing))
    }

    /// Adds a recipe with what it is about; the kind is that of what it makes.
    pub fn add(&mut self, recipe: Recipe, kind: Option<String>) {
        for (needs, _) in &recipe.takes {
            match needs {
                Needs::Thing(name) => self.things.insert(name.clone()),
                Needs::Kind(name) => self.kinds.insert(name.clone()),
            };
        }
        self.things.insert(recipe.makes.clone());
        if let Some(kind) = kind.filter(|kind| *kind != recipe.makes) {
            self.kinds.insert(kind.clone());
            self.kind_of.insert(recipe.makes.clone(), kind);
        }
        self.recipes.entry(recipe.makes.clone()).or_default().push(recipe);
    }

    /// The things that can stand for what a recipe takes.
    pub fn fitting<'a>(&'a self, needs: &'a Needs) -> Vec<&'a str> {
        match needs {
            Needs::Thing(name) => vec![name],
            Needs::Kind(kind) => {
                let of_kind = self.kind_of.iter().filter(|(_, own)| *own == kind);
                of_kind.map(|(thing, _)| thing.as_str()).collect()
            }
        }
    }

    /// How many recipes lie one above the other until something is made: of the easiest way.
    pub fn depths(&self) -> BTreeMap<String, usize> {
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        // As often as the deepest is deep; what lies on a circle of recipes never gets one.
        loop {
            let mut changed = false;
            for (name, recipes) in &self.recipes {
                let of_needs = |needs: &Needs| {
                    let fitting = self.fitting(needs).into_iter();
                    fitting
                        .filter_map(|thing| match known.get(thing) {
                            Some(depth) => Some(*depth),
                            None => (!self.recipes.contains_key(thing)).then_some(0),
                        })
                        .min()
                };
                let of_recipe = |recipe: &Recipe| {
                    let each: Option<Vec<usize>> =
                        recipe.takes.iter().map(|(needs, _)| of_needs(needs)).collect();
                    Some(1 + each?.into_iter().max().unwrap_or_default())
                };
                let least = recipes.iter().filter_map(of_recipe).min();
                if least.is_some_and(|depth| known.get(name).is_none_or(|before| depth < *before)) {
                    known.extend(least.map(|depth| (name.clone(), depth)));
                    changed = true;
                }
            }
            if !changed {
                return known;
            }
        }
    }

    /// Reads a folder in the public layout: `recipes/*.json`, shaped and shapeless; other types are
    /// no crafting. A recipe that would close a circle is left out, and so is one that only takes a
    /// block apart.
    pub fn read(folder: &Path) -> Result<Self> {
        let folder = folder.join("recipes");
        let entries = std::fs::read_dir(&folder).map_err(|e| Error::io("listing", &folder, &e))?;
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(|e| Error::io("listing", &folder, &e))?.path();
            if path.extension().is_some_and(|ending| ending == "json") {
                files.push(path);
            }
        }
        files.sort();
        let mut book = Self::default();
        // What something is made of, down to what is found.
        let mut made_of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for path in files {
            let text =
                std::fs::read_to_string(&path).map_err(|e| Error::io("reading", &path, &e))?;
            let place = path.display();
            let json: Value =
                serde_json::from_str(&text).map_err(|e| Error::new(format!("{place}: {e}")))?;
            let Some((recipe, kind)) = recipe(&json).map_err(|error| error.at(place))? else {
                continue;
            };
            let names: Vec<String> =
                recipe.takes.iter().map(|(needs, _)| needs.name().to_string()).collect();
            let own = recipe.makes.clone();
            if names.len() == 1 && names[0].ends_with("_block") {
                book.things.insert(own);
                continue;
            }
            made_of.entry(own.clone()).or_default();
            if names.iter().any(|name| made_of.get(name).is_some_and(|of| of.contains(&own))) {
                continue;
            }
            let below: BTreeSet<String> = names
                .iter()
                .flat_map(|name| made_of.get(name).cloned().unwrap_or_default())
                .collect();
            let all = made_of.entry(own).or_default();
            all.extend(names);
            all.extend(below);
            book.add(recipe, kind);
        }
        book.settle();
        Ok(book)
    }

    /// A kind of which nothing can be made is a thing of that name.
    fn settle(&mut self) {
        let made = |kind: &str| {
            self.kind_of.iter().any(|(thing, own)| own == kind && self.recipes.contains_key(thing))
        };
        let bare: Vec<String> = self.kinds.iter().filter(|kind| !made(kind)).cloned().collect();
        for kind in bare {
            for recipe in self.recipes.values_mut().flatten() {
                for (needs, _) in &mut recipe.takes {
                    if *needs == Needs::Kind(kind.clone()) {
                        *needs = Needs::Thing(kind.clone());
                    }
                }
            }
            self.kinds.remove(&kind);
            self.things.insert(kind);
        }
    }
}

/// A recipe with the kind of what it makes; none of what is no crafting.
fn recipe(json: &Value) -> Result<Option<(Recipe, Option<String>)>> {
    let odd = |what: &str| Error::new(format!("{what} is not understood"));
    let mut takes: Vec<(Needs, u64)> = Vec::new();
    let needs = |json: &Value| -> Result<Needs> {
        let json = json.as_array().map_or(json, |several| several.first().unwrap_or(json));
        match (json["item"].as_str(), json["tag"].as_str()) {
            (Some(item), _) => Ok(Needs::Thing(item.into())),
            (None, Some(tag)) => Ok(Needs::Kind(tag.into())),
            (None, None) => Err(odd("what a recipe takes")),
        }
    };
    match json["type"].as_str() {
        Some("minecraft:crafting_shaped") => {
            let pattern: Vec<&str> = json["pattern"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let key = json["key"].as_object().ok_or_else(|| odd("`key`"))?;
            for (mark, json) in key {
                let count =
                    pattern.iter().map(|line| line.matches(mark.as_str()).count()).sum::<usize>();
                takes.push((needs(json)?, count as u64));
            }
        }
        Some("minecraft:crafting_shapeless") => {
            for json in json["ingredients"].as_array().ok_or_else(|| odd("`ingredients`"))? {
                let needs = needs(json)?;
                match takes.iter_mut().find(|(known, _)| *known == needs) {
                    Some((_, count)) => *count += 1,
                    None => takes.push((needs, 1)),
                }
            }
        }
        Some(_) => return Ok(None),
        None => return Err(odd("a recipe without `type`")),
    }
    let result = &json["result"];
    let makes = result.as_str().or(result["item"].as_str()).ok_or_else(|| odd("`result`"))?;
    let count = result["count"].as_u64().filter(|count| *count > 0).unwrap_or(1);
    let kind = json["group"].as_str().map(own);
    Ok(Some((Recipe { takes, makes: makes.to_string(), count }, kind)))
}
