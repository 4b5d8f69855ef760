//! What a study takes, before it begins: measured on a few games, in a store that is thrown away.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use super::bridge::Bridge;
use super::design::{Arm, Design, TestSet};
use super::jobs::{Cell, Data, Task, jobs};
use super::work::{Event, folder, fresh, gather, model_of, play};
use crate::bench::train::{Options, run};
use crate::control::Control;
use crate::env::{Suite, TaskRef};
use crate::error::{Error, Result};
use crate::selection::Share;
use crate::store::Store;
use crate::train::data::Data as Chosen;
use crate::train::{Found, Mixture, Stage};

/// Games that are looked at.
const SAMPLE: f64 = 24.0;

/// Games that are played to time them.
const PLAYED: usize = 4;

/// What an arm of a condition takes for one seed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfArm {
    /// The arm.
    pub arm: String,
    /// The condition.
    pub condition: String,
    /// Demonstrations.
    pub games: usize,
    /// Updates of all stages.
    pub updates: u64,
    /// Tokens computed.
    pub tokens: f64,
    /// Hours of training at the measured rate.
    pub hours: f64,
    /// Hours of its tests at most: as long as an untrained model plays, which does not end early.
    pub test_hours: f64,
}

/// What a study takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// Jobs.
    pub jobs: usize,
    /// One row an arm and condition, of one seed.
    pub arms: Vec<OfArm>,
    /// Seeds.
    pub seeds: usize,
    /// Tokens a second in training, as measured now, beside whatever else is running.
    pub tokens_per_s: f64,
    /// Megabytes that training needs.
    pub memory_mb: u64,
    /// Hours of all seeds: training, and tests at most.
    pub hours: (f64, f64),
}

/// Works it out: collects a few games, trains a vocabulary on them, counts the tokens of their
/// trees, times some updates and a few games.
pub fn forecast(
    design: &Design,
    suite: &dyn Suite,
    control: &Control,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Forecast> {
    let dir = tempfile::tempdir()
        .map_err(|e| Error::new(format!("a folder for looking at a few games: {e}")))?;
    let list = jobs(design);
    let cells: Vec<&Cell> = list
        .iter()
        .filter_map(|job| match &job.task {
            Task::Train { cell } if cell.seed == design.seeds[0] => Some(cell),
            _ => None,
        })
        .collect();
    let all = suite.tasks(&design.train)?;
    let few = Share { of: (SAMPLE / all.len().max(1) as f64).min(1.0), seed: 1 };
    let store = Store::open(dir.path())?;
    let seen = Vec::new();
    let mut look = Look { design, suite, store, all, few, seen, speed: None, a_game: [None; 2] };
    let mut arms = Vec::new();
    for cell in cells {
        arms.push(look.at(cell, control, tell)?);
    }
    let (tokens_per_s, memory_mb) = look.speed.unwrap_or_default();
    let seeds = design.seeds.len();
    let sum = |of: fn(&OfArm) -> f64| arms.iter().map(of).sum::<f64>() * seeds as f64;
    let hours = (sum(|row| row.hours), sum(|row| row.test_hours));
    Ok(Forecast { jobs: list.len(), hours, arms, seeds, tokens_per_s, memory_mb })
}

/// A few games, looked at.
struct Look<'a> {
    design: &'a Design,
    suite: &'a dyn Suite,
    store: Store,
    all: Vec<TaskRef>,
    few: Share,
    /// Experts whose demonstrations of them are there.
    seen: Vec<String>,
    /// Tokens a second in training, and the megabytes that it needs.
    speed: Option<(f64, u64)>,
    /// Seconds of a game, acting at once and thinking first.
    a_game: [Option<f64>; 2],
}

impl Look<'_> {
    fn at(
        &mut self,
        cell: &Cell,
        control: &Control,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<OfArm> {
        let data = Data { share: self.few, ..cell.data.clone() };
        let small = Cell { data: data.clone(), seed: 1, ..cell.clone() };
        if !self.seen.contains(&data.expert) {
            let texts = self.design.arms.iter().any(|arm| arm.objective().reflects());
            gather(&mut self.store, self.suite, &data, texts, control, tell)?;
            fresh(&self.store, &data, &cell.model, 1)?;
            self.seen.push(data.expert.clone());
        }
        if let Some(bridge) = &cell.rl {
            return self.bridged(cell, bridge, &small, control, tell);
        }
        let tokens_per_s = self.tokens_per_s(&small, control)?;
        let mut plan = small.plan();
        plan.data.visits = None; // there are none yet
        let model = model_of(&self.store, &data, 1)?;
        let chosen = Chosen::choose(&self.store, &plan, &model.tokenizer, model.config.context)?;
        let share = cell.data.share;
        let held = self.all.iter().filter(|task| share.holds(self.suite.name(), &task.id));
        let games = held.count();
        let scale = games as f64 / chosen.summary.demonstrations.max(1) as f64;
        let found = |mixture: &Mixture| {
            let found = chosen.found(mixture);
            Found { trees: (found.trees as f64 * scale).round() as usize, ..found }
        };
        let stages = plan.stages(found);
        let each = |stage: &Stage| {
            (stage.updates * plan.batch as u64) as f64 * found(&stage.mixture).tokens
        };
        let mut tokens: f64 = stages.iter().map(each).sum();
        let mut updates: u64 = stages.iter().map(|stage| stage.updates).sum();
        let mut test_hours = 0.0;
        if cell.arm == Arm::DAgger {
            // Its first policy takes as much again, and plays the other half of the games.
            tokens *= 2.0;
            updates *= 2;
            let test = self.design.test.first();
            let a_game = test.map(|test| self.a_game(&small, test, control, tell)).transpose()?;
            test_hours += a_game.unwrap_or_default() * games as f64 / 2.0 / 3600.0;
        }
        let tests = self.design.test.iter();
        for test in tests.filter(|test| test.arms.is_empty() || test.arms.contains(&cell.arm)) {
            let there = self.suite.tasks(&test.split)?.len().min(test.games);
            test_hours += self.a_game(&small, test, control, tell)? * there as f64 / 3600.0;
        }
        Ok(OfArm {
            arm: cell.arm(),
            condition: cell.condition(),
            games,
            updates,
            tokens,
            hours: tokens / tokens_per_s / 3600.0,
            test_hours,
        })
    }

    /// What reinforcement learning takes: its tokens, at the speed of training (playing is slower), and
    /// the tests after it.
    fn bridged(
        &mut self,
        cell: &Cell,
        bridge: &Bridge,
        small: &Cell,
        control: &Control,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<OfArm> {
        let base = Cell { rl: None, ..small.clone() };
        let tokens = bridge.tokens as f64;
        let hours = tokens / self.tokens_per_s(&base, control)? / 3600.0;
        let mut test_hours = 0.0;
        for test in &self.design.test {
            let there = self.suite.tasks(&test.split)?.len().min(test.games);
            test_hours += self.a_game(&base, test, control, tell)? * there as f64 / 3600.0;
        }
        let tasks = self.all.iter();
        let share = bridge.share(cell.data.share);
        let played = |id: &str| share.is_none_or(|share| share.holds(self.suite.name(), id));
        let games = tasks.filter(|task| played(&task.id)).count();
        let (arm, condition) = (cell.arm(), cell.condition());
        Ok(OfArm { arm, condition, games, updates: 0, tokens, hours, test_hours })
    }

    fn tokens_per_s(&mut self, cell: &Cell, control: &Control) -> Result<f64> {
        let speed = match self.speed {
            Some(known) => known,
            None => timed(&folder(&self.store, &cell.data, 1), cell, control)?,
        };
        self.speed = Some(speed);
        Ok(speed.0)
    }

    /// Seconds that a game of a test takes at most, as an arm plays it.
    fn a_game(
        &mut self,
        cell: &Cell,
        test: &TestSet,
        control: &Control,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<f64> {
        let thinks = usize::from(test.thinking && cell.arm.objective().reflects());
        if let Some(known) = self.a_game[thinks] {
            return Ok(known);
        }
        let test = TestSet { games: PLAYED, predict: 0, ..test.clone() };
        let folder = folder(&self.store, &cell.data, 1).display().to_string();
        let began = Instant::now();
        play(&mut self.store, self.suite, cell, (&test, &folder), control, tell)?;
        Ok(*self.a_game[thinks].insert(began.elapsed().as_secs_f64() / PLAYED as f64))
    }
}

/// Tokens a second in training the model in a folder, and the megabytes that it needs.
fn timed(model: &Path, cell: &Cell, control: &Control) -> Result<(f64, u64)> {
    let options = Options {
        model: model.display().to_string(),
        batch: cell.training.batch,
        seq: 340,
        supervised: 0.2,
        tree: None,
        lora: None,
        threads: 2,
        budget: Some(8192),
        recompute: false,
        bf16: cell.training.bf16,
        steps: 2,
        warmup: 1,
    };
    let found = run(&options, control)?;
    let rate = found["tokens_per_s"].as_f64().unwrap_or(1.0);
    Ok((rate.max(1.0), found["planned_mb"].as_u64().unwrap_or_default()))
}

impl Forecast {
    /// As lines for people.
    pub fn in_words(&self) -> String {
        let mut lines: Vec<String> = self
            .arms
            .iter()
            .map(|row| {
                format!(
                    "{:<14} {}: {} games, {} updates, {:.1} M tokens, {:.2} h; tests at most {:.2} h",
                    row.arm,
                    row.condition,
                    row.games,
                    row.updates,
                    row.tokens / 1e6,
                    row.hours,
                    row.test_hours
                )
            })
            .collect();
        let (training, tests) = self.hours;
        lines.push(format!(
            "{} jobs; each of {} seeds takes {:.2} h of training and at most {:.2} h of tests, all of them {:.1} h \
             and {:.1} h; {} MB of memory; at {:.0} tokens a second, as measured now",
            self.jobs,
            self.seeds,
            training / self.seeds as f64,
            tests / self.seeds as f64,
            training,
            tests,
            self.memory_mb,
            self.tokens_per_s
        ));
        lines.join("\n")
    }
}
