//! Where things are usually found: a small table per domain, counted on training games.
//!
//! A line is a kind of thing and, for each kind of place, how many of a hundred such places hold at
//! least one of it (in games that have the thing at all). `foretaste env prior` prints the table of
//! a split; the files in `assets/priors` are its output on the training splits. A person brings
//! such knowledge along; nothing about a single game is in it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use super::facts::arg;
use super::game::Game;
use super::pddl::Domain;
use super::roles::{Roles, kind_name};
use crate::error::{Error, Result};

static ALFWORLD: LazyLock<Prior> =
    LazyLock::new(|| Prior::read(include_str!("../../../assets/priors/alfworld.txt")));
static HOUSEHOLD: LazyLock<Prior> =
    LazyLock::new(|| Prior::read(include_str!("../../../assets/priors/household.txt")));

/// Percentages by thing and place.
#[derive(Debug, Default)]
pub struct Prior {
    table: HashMap<String, HashMap<String, f64>>,
}

/// What is assumed of a pair that the table does not have.
const RARE: f64 = 0.2;

impl Prior {
    /// The table for a domain's words.
    pub fn of(domain: &Domain) -> &'static Self {
        if domain.predicate("fkindof").is_some() { &HOUSEHOLD } else { &ALFWORLD }
    }

    fn read(text: &str) -> Self {
        let mut table: HashMap<String, HashMap<String, f64>> = HashMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split_whitespace();
            let Some(thing) = words.next() else { continue };
            let row = table.entry(thing.to_string()).or_default();
            while let (Some(place), Some(percent)) = (words.next(), words.next()) {
                row.insert(place.to_string(), percent.parse().unwrap_or_default());
            }
        }
        Self { table }
    }

    /// How likely a place of that kind holds one of the things, in percent.
    pub fn chance(&self, things: &[&str], place: &str) -> f64 {
        let of = |thing: &&str| {
            self.table.get(*thing).and_then(|row| row.get(place)).copied().unwrap_or_default()
        };
        things.iter().map(of).fold(RARE, f64::max)
    }
}

/// Counts over games, from which a table is printed.
#[derive(Debug, Default)]
pub struct Counts {
    games: usize,
    /// By thing and place: places that hold one, and places.
    pairs: HashMap<(String, String), (usize, usize)>,
}

impl Counts {
    /// Counts a game.
    pub fn add(&mut self, game: &Game) -> Result<()> {
        let roles = Roles::of(&game.domain)
            .ok_or_else(|| Error::new("this domain's words are not known"))?;
        let name = |kind| kind_name(game, kind).to_string();
        let mut things: Vec<u16> =
            game.fixed.of(roles.thing_kind, None).iter().map(|fact| arg(*fact, 1)).collect();
        things.sort_unstable();
        things.dedup();
        for fact in game.fixed.of(roles.spot, None) {
            let place = arg(*fact, 0);
            let Some(kind) = Roles::kind(game, roles.place_kind, place) else { continue };
            let held =
                game.start.of(roles.within, None).iter().filter(|fact| arg(**fact, 1) == place);
            let held: Vec<u16> = held
                .filter_map(|fact| Roles::kind(game, roles.thing_kind, arg(*fact, 0)))
                .collect();
            for thing in &things {
                let (hits, all) = self.pairs.entry((name(*thing), name(kind))).or_default();
                *hits += usize::from(held.contains(thing));
                *all += 1;
            }
        }
        self.games += 1;
        Ok(())
    }

    /// The table, one thing a line, likeliest place first; what is under half a percent is left
    /// out.
    pub fn table(&self) -> String {
        let mut rows: HashMap<&str, Vec<(f64, &str)>> = HashMap::new();
        for ((thing, place), (hits, all)) in &self.pairs {
            let percent = 100.0 * *hits as f64 / *all as f64;
            if percent >= 0.5 {
                rows.entry(thing).or_default().push((percent, place));
            }
        }
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.sort_unstable_by(|a, b| a.0.cmp(b.0));
        let mut out = format!(
            "# thing, then place and percent of such places that hold one; counted on {} games\n",
            self.games
        );
        for (thing, mut places) in rows {
            places.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
            let cells: String =
                places.iter().map(|(percent, place)| format!(" {place} {percent:.1}")).collect();
            let _ = writeln!(out, "{thing}{cells}");
        }
        out
    }
}
