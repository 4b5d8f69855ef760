//! Intervals of differences between arms: paired by game and seed, with what was drawn drawn again.
//!
//! A study's figure hangs on draws of seeds (weights, order, share of the data) and of rooms with
//! their games. The bootstrap draws both again, rooms within their kind, 10,000 times. Games are
//! drawn only where a kind has one room: what differs between rooms differs by their games too, and
//! drawing these as well would count that twice. Of `n` seeds and rooms it draws `n - 1` (where
//! there are several): `n` draws of few values would say too little (Rao and Wu 1988).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::rng::Rng;

/// Resampled data sets for an interval.
pub const DRAWS: usize = 10_000;

/// Where a game was played: rooms are drawn within their kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Room {
    /// The kind of room.
    pub kind: String,
    /// The room.
    pub name: String,
}

impl Room {
    /// The room of a task, by the suite's own names: in `ALFWorld` the number that a task's folder
    /// ends on, whose hundreds are the kind. Elsewhere every game has a room of its own.
    pub fn of(suite: &str, task_id: &str) -> Self {
        let group = task_id.split('/').nth(1).unwrap_or_default();
        let number = group.rsplit('-').next().unwrap_or_default();
        match (suite, number.parse::<u32>()) {
            ("alfworld", Ok(n)) => Self { kind: (n / 100).to_string(), name: n.to_string() },
            _ => Self { kind: String::new(), name: task_id.to_string() },
        }
    }
}

/// What one arm won, by seed and game.
pub type Won = BTreeMap<u64, BTreeMap<String, bool>>;

/// One arm less another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Seeds that both have.
    pub seeds: Vec<u64>,
    /// Games that both played with every one of those.
    pub games: usize,
    /// Rooms that they are in.
    pub rooms: usize,
    /// Success rate of the first less that of the second.
    pub value: f64,
    /// 95 % interval: percentiles of [`DRAWS`] resampled data sets. With one seed it is about the
    /// games alone.
    pub interval: (f64, f64),
    /// The difference of each seed.
    pub each: Vec<f64>,
    /// Two-sided: how often a resampled data set says the opposite, twice.
    pub p: f64,
}

impl Difference {
    /// Half the width of the interval.
    pub fn half_width(&self) -> f64 {
        (self.interval.1 - self.interval.0) / 2.0
    }

    /// The difference that would be found four times out of five with as many seeds and games, by
    /// the width of the interval: (1.96 + 0.84) standard errors.
    pub fn detectable(&self) -> f64 {
        self.half_width() * (1.96 + 0.84) / 1.96
    }
}

/// The first arm less the second on what both played; none where that is nothing.
pub fn difference(a: &Won, b: &Won, room: &dyn Fn(&str) -> Room) -> Option<Difference> {
    let seeds: Vec<u64> = a.keys().filter(|seed| b.contains_key(*seed)).copied().collect();
    let first = seeds.first()?;
    let in_all = |task: &&String| {
        seeds.iter().all(|seed| a[seed].contains_key(*task) && b[seed].contains_key(*task))
    };
    let games: Vec<&String> = a[first].keys().filter(in_all).collect();
    // By game, the difference of each seed.
    let mut rooms: BTreeMap<Room, Vec<usize>> = BTreeMap::new();
    let mut table: Vec<Vec<f64>> = Vec::with_capacity(games.len());
    for task in &games {
        rooms.entry(room(task)).or_default().push(table.len());
        let of = |won: &Won, seed: &u64| f64::from(u8::from(won[seed][*task]));
        table.push(seeds.iter().map(|seed| of(a, seed) - of(b, seed)).collect());
    }
    if table.is_empty() {
        return None;
    }
    let mean = |seed: usize| table.iter().map(|row| row[seed]).sum::<f64>() / table.len() as f64;
    let each: Vec<f64> = (0..seeds.len()).map(mean).collect();
    let value = each.iter().sum::<f64>() / each.len() as f64;
    let mut kinds: BTreeMap<&str, Vec<&[usize]>> = BTreeMap::new();
    for (room, games) in &rooms {
        kinds.entry(&room.kind).or_default().push(games);
    }
    let drawn = resample(&table, &kinds.into_values().collect::<Vec<_>>(), seeds.len());
    let tail = |above: bool| {
        let beyond = |x: &&f64| if above { **x >= 0.0 } else { **x <= 0.0 };
        (drawn.iter().filter(beyond).count() + 1) as f64 / (DRAWS + 1) as f64
    };
    Some(Difference {
        games: games.len(),
        rooms: rooms.len(),
        value,
        interval: (drawn[DRAWS * 25 / 1000], drawn[DRAWS * 975 / 1000]),
        each,
        p: (2.0 * tail(true).min(tail(false))).min(1.0),
        seeds,
    })
}

/// One draw less than there are, where there are several.
fn fewer(count: usize) -> usize {
    count.saturating_sub(1).max(1)
}

/// Mean differences of resampled data sets, ascending. `kinds` are the rooms of each kind, with the
/// rows of their games.
fn resample(table: &[Vec<f64>], kinds: &[Vec<&[usize]>], seeds: usize) -> Vec<f64> {
    let mut rng = Rng::stream(1, "study");
    let mut means: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let mut weights = vec![0.0; seeds];
            (0..fewer(seeds)).for_each(|_| weights[rng.below(seeds)] += 1.0 / fewer(seeds) as f64);
            let mut sum = 0.0;
            let mut count = 0.0;
            for rooms in kinds {
                // A kind weighs what it does in the test set, however many games its drawn rooms
                // have.
                let size: usize = rooms.iter().map(|games| games.len()).sum();
                let (mut total, mut played) = (0.0, 0.0);
                for _ in 0..fewer(rooms.len()) {
                    let games = rooms[rng.below(rooms.len())];
                    for game in games {
                        // A kind's only room is always drawn: then it is its games that vary.
                        let drawn =
                            if rooms.len() > 1 { *game } else { games[rng.below(games.len())] };
                        let row = &table[drawn];
                        total += row.iter().zip(&weights).map(|(x, w)| x * w).sum::<f64>();
                        played += 1.0;
                    }
                }
                sum += size as f64 * total / played;
                count += size as f64;
            }
            sum / count
        })
        .collect();
    means.sort_by(f64::total_cmp);
    means
}

/// Holm's correction: each p against how many others it stands with, never below a smaller one's.
pub fn holm(ps: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..ps.len()).collect();
    order.sort_by(|a, b| ps[*a].total_cmp(&ps[*b]));
    let mut adjusted = vec![0.0; ps.len()];
    let mut least: f64 = 0.0;
    for (rank, at) in order.into_iter().enumerate() {
        least = least.max((ps[at] * (ps.len() - rank) as f64).min(1.0));
        adjusted[at] = least;
    }
    adjusted
}

#[cfg(test)]
#[path = "stats_tests.rs"]
mod tests;
