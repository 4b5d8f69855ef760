//! What a study has found so far, from its finished lines.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::design::{Arm, Claim, Design};
use super::jobs::{Cell, Task};
use super::lines::Line;
use super::stats::{Difference, Room, Won, difference, holm};
use crate::experience::wilson;
use crate::train::rl::Method;

/// What one seed came to on a test set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfSeed {
    /// The seed.
    pub seed: u64,
    /// Games won.
    pub won: u64,
    /// Games played to their ends.
    pub n: u64,
    /// The evaluation, in the study's store.
    pub evaluation: Option<u64>,
}

/// An arm on a test set, all seeds together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArmRow {
    /// What it is called, with its alternatives a state where that makes a difference.
    pub name: String,
    /// Its seeds.
    pub seeds: Vec<OfSeed>,
    /// Games won, of those of all seeds.
    pub won: u64,
    /// Games of all seeds.
    pub n: u64,
    /// Wilson's 95 % interval of the ratio: of the games, as if each were of its own.
    pub interval: (f64, f64),
    /// What the games were worth, those of all seeds, and whether some are worth a part.
    pub rewards: Vec<f64>,
    /// Whether some are worth a part.
    pub in_parts: bool,
    /// Mean steps of an episode.
    pub steps: f64,
    /// Won and played by kind of task.
    pub kinds: BTreeMap<String, (u64, u64)>,
    /// Lost games by how they were lost.
    pub failures: BTreeMap<String, u64>,
    /// Predictions to the letter and their word F1, the mean over seeds; none of arms that do not
    /// predict.
    pub foresight: Option<(f64, f64)>,
}

impl ArmRow {
    /// The ratio of games won.
    pub fn rate(&self) -> f64 {
        self.won as f64 / self.n.max(1) as f64
    }

    /// The mean of what the games were worth and its 95 % interval, of the games as if each were of
    /// its own; none where each is worth 1 or nothing.
    pub fn mean_reward(&self) -> Option<(f64, (f64, f64))> {
        let n = self.rewards.len() as f64;
        let mean = self.rewards.iter().sum::<f64>() / n;
        let squares: f64 = self.rewards.iter().map(|reward| (reward - mean).powi(2)).sum();
        let half = 1.96 * (squares / (n - 1.0).max(1.0) / n).sqrt();
        self.in_parts.then_some((mean, (mean - half, mean + half)))
    }
}

/// One arm against another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The first, which is expected to be better.
    pub arm: String,
    /// The second.
    pub over: String,
    /// What was found.
    pub found: Difference,
    /// Whether the study's file names it beforehand.
    pub primary: bool,
    /// Of an exploratory one, p after Holm's correction over all exploratory ones of the study.
    pub adjusted: Option<f64>,
}

/// A test set under one condition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OnTest {
    /// The test set.
    pub name: String,
    /// How it is played, in words.
    pub how: String,
    /// What was played, of those seeds that are done.
    pub arms: Vec<ArmRow>,
    /// Comparisons on the seeds that both have.
    pub comparisons: Vec<Comparison>,
}

/// What an arm took, the mean over its seeds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Cost {
    /// The arm.
    pub name: String,
    /// Seeds that are trained.
    pub seeds: usize,
    /// Updates, world modelling included.
    pub updates: f64,
    /// Tokens computed.
    pub tokens: f64,
    /// Seconds of training.
    pub seconds: f64,
    /// Demonstrations trained on.
    pub demonstrations: f64,
    /// Executed alternatives trained on: steps in an environment.
    pub alternatives: f64,
    /// Reflections (or rationales) trained on.
    pub reflections: f64,
    /// Loss by update of each seed.
    pub curves: Vec<(u64, Vec<(u64, f64)>)>,
}

/// An amount of data, an expert and a number of updates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Condition {
    /// In words.
    pub name: String,
    /// The share of the data.
    pub share: f64,
    /// Updates of the last stage.
    pub updates: u64,
    /// The expert.
    pub expert: String,
    /// What its arms took.
    pub costs: Vec<Cost>,
    /// What they came to.
    pub tests: Vec<OnTest>,
}

/// Everything found so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The study's name.
    pub name: String,
    /// What it asks.
    pub about: String,
    /// Jobs that are finished, of how many.
    pub done: (usize, usize),
    /// Its conditions, in the order of the file.
    pub conditions: Vec<Condition>,
}

/// Pairs of arms that answer a question, whoever names them: the first less the second.
const QUESTIONS: [(Arm, Arm); 16] = [
    (Arm::IWM, Arm::IL),
    (Arm::SrTemplate, Arm::IL),
    (Arm::K0, Arm::IL),
    (Arm::IWM, Arm::K0),
    (Arm::IWM, Arm::SHUF),
    (Arm::SHUF, Arm::IL),
    (Arm::RatTemplate, Arm::IL),
    (Arm::SrTemplate, Arm::RatTemplate),
    (Arm::BOTH, Arm::IL),
    (Arm::BOTH, Arm::IWM),
    (Arm::BOTH, Arm::SrTemplate),
    (Arm::SrTemplate, Arm::IWM),
    (Arm::LIST, Arm::IL),
    (Arm::IWM, Arm::LIST),
    (Arm::DAgger, Arm::IL),
    (Arm::IWM, Arm::DAgger),
];

/// What a cell shares with the other seeds and arms of its condition.
fn same(a: &Cell, b: &Cell) -> bool {
    a.data.expert == b.data.expert
        && a.updates == b.updates
        && (a.data.share.of - b.data.share.of).abs() < 1e-12
}

/// Puts what is finished together; `jobs` is how many there are.
pub fn report(design: &Design, lines: &[Line], jobs: usize) -> Report {
    let mut firsts: Vec<&Cell> = Vec::new();
    for line in lines {
        if let Task::Train { cell } | Task::Test { cell, .. } = &line.task
            && !firsts.iter().any(|first| same(first, cell))
        {
            firsts.push(cell);
        }
    }
    let mut conditions: Vec<Condition> =
        firsts.into_iter().map(|first| condition(design, lines, first)).collect();
    adjust(&mut conditions);
    Report {
        name: design.name.clone(),
        about: design.about.clone(),
        done: (lines.len(), jobs),
        conditions,
    }
}

/// Corrects the exploratory comparisons of the whole study.
fn adjust(conditions: &mut [Condition]) {
    let mut all: Vec<&mut Comparison> = conditions
        .iter_mut()
        .flat_map(|condition| &mut condition.tests)
        .flat_map(|test| &mut test.comparisons)
        .filter(|comparison| !comparison.primary)
        .collect();
    let ps: Vec<f64> = all.iter().map(|comparison| comparison.found.p).collect();
    for (comparison, p) in all.iter_mut().zip(holm(&ps)) {
        comparison.adjusted = Some(p);
    }
}

fn condition(design: &Design, lines: &[Line], first: &Cell) -> Condition {
    let mut costs: Vec<Cost> = Vec::new();
    for line in lines {
        if let Task::Train { cell } = &line.task
            && same(first, cell)
        {
            let name = cell.arm();
            let at = costs.iter().position(|cost| cost.name == name).unwrap_or_else(|| {
                costs.push(Cost { name, ..Cost::default() });
                costs.len() - 1
            });
            costs[at].add(cell.seed, &line.result);
        }
    }
    let tests = design.test.iter().filter_map(|test| {
        let played: Vec<(&Cell, &Value)> = lines
            .iter()
            .filter_map(|line| match &line.task {
                Task::Test { cell, test: of } if same(first, cell) && of.name == test.name => {
                    Some((cell, &line.result))
                }
                _ => None,
            })
            .collect();
        (!played.is_empty()).then(|| on_test(design, &test.name, first, &played))
    });
    Condition {
        name: first.condition(),
        share: first.data.share.of,
        updates: first.updates,
        expert: first.data.expert.clone(),
        tests: tests.collect(),
        costs,
    }
}

impl Cost {
    /// Takes a seed in; figures are means over seeds.
    fn add(&mut self, seed: u64, result: &Value) {
        self.seeds += 1;
        let n = self.seeds as f64;
        let data = &result["data"];
        let mut mean = |of: fn(&mut Self) -> &mut f64, value: &Value| {
            let value = value.as_f64().unwrap_or_default();
            let before = of(self);
            *before += (value - *before) / n;
        };
        // What an arm's first policy took is its own cost.
        let first = &result["first_policy"];
        let both = |of: fn(&Value) -> &Value| -> Value {
            [result, first].iter().filter_map(|one| of(one).as_f64()).sum::<f64>().into()
        };
        mean(|cost| &mut cost.updates, &both(|one| &one["updates"]));
        mean(|cost| &mut cost.tokens, &both(|one| &one["tokens"]["tokens"]));
        mean(|cost| &mut cost.seconds, &both(|one| &one["training_seconds"]));
        mean(|cost| &mut cost.demonstrations, &data["demonstrations"]);
        mean(|cost| &mut cost.alternatives, &data["branches"]);
        mean(|cost| &mut cost.reflections, &data["reflections"]);
        let curve = serde_json::from_value(result["loss"].clone()).unwrap_or_default();
        self.curves.push((seed, curve));
    }
}

/// An arm on a test set, with what tells it from the others: arm, alternatives, and what it went on
/// with.
struct Played {
    arm: Arm,
    k: Option<usize>,
    rl: Option<Method>,
    row: ArmRow,
    won: Won,
}

fn on_test(design: &Design, name: &str, first: &Cell, played: &[(&Cell, &Value)]) -> OnTest {
    let mut arms: Vec<Played> = Vec::new();
    for (cell, result) in played {
        let (arm, k, rl) = (cell.arm, cell.k, cell.rl.as_ref().map(|bridge| bridge.method));
        let known = arms.iter().position(|own| (own.arm, own.k, own.rl) == (arm, k, rl));
        let at = known.unwrap_or_else(|| {
            arms.push(Played { arm, k, rl, row: ArmRow::named(cell.arm()), won: Won::new() });
            arms.len() - 1
        });
        let own = &mut arms[at];
        own.won.insert(cell.seed, own.row.add(cell.seed, result));
    }
    let mut comparisons = Vec::new();
    // What went on by a method is held against what did so by the same one.
    let mut methods: Vec<Option<Method>> = Vec::new();
    for own in &arms {
        if !methods.contains(&own.rl) {
            methods.push(own.rl);
        }
    }
    for method in &methods {
        let alike: Vec<&Played> = arms.iter().filter(|own| own.rl == *method).collect();
        comparisons.extend(compared(design, name, first, &alike));
    }
    // And of one arm each method against the one before it in the file.
    let room = |task: &str| Room::of(&design.suite, task);
    for own in arms.iter().filter(|own| own.rl.is_some()) {
        let before = arms
            .iter()
            .filter(|other| (other.arm, other.k) == (own.arm, own.k))
            .take_while(|other| other.rl != own.rl);
        for other in before {
            let found = difference(&own.won, &other.won, &room);
            comparisons.extend(found.map(|found| exploratory(own, other, found)));
        }
    }
    comparisons.sort_by_key(|comparison| !comparison.primary);
    let arms = arms.into_iter().map(|own| own.row).collect();
    OnTest { name: name.to_string(), how: design.how(name), arms, comparisons }
}

fn exploratory(own: &Played, over: &Played, found: Difference) -> Comparison {
    let (arm, over) = (own.row.name.clone(), over.row.name.clone());
    Comparison { arm, over, found, primary: false, adjusted: None }
}

/// The comparisons among arms that went on alike.
fn compared(design: &Design, name: &str, first: &Cell, arms: &[&Played]) -> Vec<Comparison> {
    let room = |task: &str| Room::of(&design.suite, task);
    let mut comparisons = Vec::new();
    // What was claimed beforehand is answered whatever the pair.
    let mut pairs: Vec<(Arm, Arm)> = QUESTIONS.to_vec();
    for pair in design.primary.iter().map(|claim| (claim.arm, claim.over)) {
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    for (arm, over) in pairs {
        for own in arms.iter().filter(|own| own.arm == arm) {
            for base in arms.iter().filter(|own| own.arm == over) {
                // Two numbers of alternatives and two arms at once answer no question.
                if own.k.zip(base.k).is_some_and(|(a, b)| a != b) {
                    continue;
                }
                let Some(found) = difference(&own.won, &base.won, &room) else { continue };
                let primary = own.rl.is_none()
                    && design.primary.iter().any(|claim| {
                        (claim.arm, claim.over) == (arm, over)
                            && claim.test == name
                            && is_of(claim, first)
                            && [own.k, base.k]
                                .iter()
                                .flatten()
                                .all(|k| claim.k.is_none_or(|of| of == *k))
                    });
                comparisons.push(Comparison { primary, ..exploratory(own, base, found) });
            }
        }
    }
    // Of an arm with several numbers of alternatives, each against the least.
    for own in arms {
        let alike = arms.iter().filter(|other| other.arm == own.arm);
        let Some(least) = alike.min_by_key(|other| other.k) else { continue };
        let found = (own.k != least.k).then(|| difference(&own.won, &least.won, &room)).flatten();
        comparisons.extend(found.map(|found| exploratory(own, least, found)));
    }
    comparisons
}

/// Whether a claim is about this condition.
fn is_of(claim: &Claim, first: &Cell) -> bool {
    (claim.share - first.data.share.of).abs() < 1e-9
        && claim.updates.is_none_or(|n| n == first.updates)
        && claim.expert.as_ref().is_none_or(|name| *name == first.data.expert)
}

impl ArmRow {
    fn named(name: String) -> Self {
        Self {
            name,
            seeds: Vec::new(),
            won: 0,
            n: 0,
            interval: (0.0, 1.0),
            rewards: Vec::new(),
            in_parts: false,
            steps: 0.0,
            kinds: BTreeMap::new(),
            failures: BTreeMap::new(),
            foresight: None,
        }
    }

    /// Takes a seed in; returns which games it won.
    fn add(&mut self, seed: u64, result: &Value) -> BTreeMap<String, bool> {
        let list = |name: &str| result[name].as_array().cloned().unwrap_or_default();
        let texts = |name: &str| -> Vec<String> {
            list(name).iter().filter_map(|text| text.as_str().map(str::to_string)).collect()
        };
        let won = result["won"].as_str().unwrap_or_default().chars().map(|c| c == '1');
        let won: Vec<bool> = won.collect();
        let count = won.iter().filter(|won| **won).count() as u64;
        let before = self.n as f64;
        self.won += count;
        self.n += won.len() as u64;
        self.interval = wilson(self.won, self.n);
        let steps: f64 = list("steps").iter().filter_map(Value::as_f64).sum();
        self.steps = (self.steps * before + steps) / (self.n.max(1)) as f64;
        // A seed whose games were all worth 1 or nothing wrote none down.
        let rewards: Vec<f64> = list("rewards").iter().filter_map(Value::as_f64).collect();
        self.in_parts |= !rewards.is_empty();
        if rewards.len() == won.len() {
            self.rewards.extend(rewards);
        } else {
            self.rewards.extend(won.iter().map(|won| f64::from(u8::from(*won))));
        }
        for (kind, won) in texts("kinds").into_iter().zip(&won) {
            let (wins, all) = self.kinds.entry(kind).or_default();
            *wins += u64::from(*won);
            *all += 1;
        }
        for (how, n) in result["summary"]["failures"].as_object().into_iter().flatten() {
            *self.failures.entry(how.clone()).or_default() += n.as_u64().unwrap_or_default();
        }
        let all = &result["foresight"]["all"];
        if let (Some(exact), Some(f1)) = (all["exact"].as_f64(), all["f1"].as_f64()) {
            let n = self.seeds.len() as f64;
            let (x, y) = self.foresight.unwrap_or_default();
            self.foresight = Some(((x * n + exact) / (n + 1.0), (y * n + f1) / (n + 1.0)));
        }
        let evaluation = result["summary"]["evaluation"].as_u64();
        self.seeds.push(OfSeed { seed, won: count, n: won.len() as u64, evaluation });
        texts("games").into_iter().zip(won).collect()
    }
}
