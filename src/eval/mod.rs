//! Playing games with a policy: success rate with its interval, and how right a world model is.

mod blame;
mod failures;
mod foresight;
mod paired;
mod told;

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

pub use blame::{Blame, Chance, blame, who_plays_on};
pub use failures::Failure;
pub use foresight::{Foresight, Part, foresight};
pub use paired::{Paired, paired};
pub use told::{difference, told};

use crate::agent::{Agent, Usage};
use crate::budget;
use crate::control::{Control, Meter, Progress};
use crate::digest;
use crate::env::{STEP_LIMIT, Suite};
use crate::episode::{
    Broken, BrokenOff, Episode, Play, Played, Player, Scope, Told, at_once, choose, roll_out,
};
use crate::error::Result;
use crate::experience::{Purpose, wilson};
use crate::store::{EvalRow, PlayedGame, Prediction, Store, Thought};
use crate::text::counted;

/// One game played.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Game {
    /// The task.
    pub task_id: String,
    /// Its kind.
    pub kind: String,
    /// Whether it was won.
    pub success: bool,
    /// What its steps were worth together.
    pub reward: f64,
    /// Steps taken.
    pub steps: usize,
    /// Actions that were not admissible.
    pub invalid: usize,
    /// Steps at which something could be written.
    pub written: usize,
    /// Those of them whose text was not taken, and an action of the list in its place.
    pub held: usize,
    /// How it was lost, if it was.
    pub failure: Option<Failure>,
    /// The stored trajectory.
    pub trajectory: i64,
}

impl Game {
    fn row(&self) -> PlayedGame {
        let Self { success, reward, steps, trajectory, .. } = *self;
        PlayedGame { task_id: self.task_id.clone(), success, reward, steps, trajectory }
    }
}

/// The sum of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The stored evaluation.
    pub evaluation: i64,
    /// What played.
    pub checkpoint: String,
    /// Where.
    pub suite: String,
    /// The split.
    pub split: String,
    /// Whether a thought came before every action.
    pub think: bool,
    /// How actions came about: chosen from the `list`, written (`free`), or `both`.
    pub restriction: String,
    /// Temperature.
    pub temperature: f64,
    /// Whether an action that was tried in a state was left out there.
    pub no_repeat: bool,
    /// Steps an episode may take.
    pub step_limit: usize,
    /// Games won and played by kind of task.
    pub kinds: BTreeMap<String, (u64, u64)>,
    /// Lost games by how they were lost.
    pub failures: BTreeMap<Failure, u64>,
    /// Games won.
    pub successes: u64,
    /// Games played to their ends.
    pub n: u64,
    /// Games that their world broke off: they count neither as won nor as lost.
    pub broke_off: u64,
    /// Why the first of them did, if any.
    pub why: Option<String>,
    /// The ratio of games won to games played.
    pub rate: f64,
    /// Wilson 95 % interval of the ratio.
    pub interval: (f64, f64),
    /// Mean number of steps an episode.
    pub mean_steps: f64,
    /// Mean reward an episode.
    pub mean_reward: f64,
    /// Actions that were not admissible.
    pub invalid: usize,
    /// Steps at which what was written was not taken, and an action of the list in its place.
    pub held: usize,
    /// Games among them that the checkpoint was trained on, as far as is known here.
    pub trained_on: usize,
    /// What was asked of the mind.
    pub usage: Usage,
}

impl Summary {
    /// As a line for people.
    pub fn in_words(&self, play: &Play) -> String {
        let (low, high) = self.interval;
        let mut text = format!(
            "{}, {}: {} of {} = {:.1} % [{:.1} %, {:.1} %], mean {:.1} steps",
            self.checkpoint,
            play.describe(),
            self.successes,
            self.n,
            100.0 * self.rate,
            100.0 * low,
            100.0 * high,
            self.mean_steps
        );
        if let Some(why) = &self.why {
            text.push_str(&format!(
                ", {} more broke off and count neither way ({why})",
                self.broke_off
            ));
        }
        // Where success is all that there is to gain, it is said already.
        if (self.mean_reward - self.rate).abs() > 1e-9 {
            text.push_str(&format!(", mean reward {:.3}", self.mean_reward));
        }
        if !self.failures.is_empty() {
            let each = self.failures.iter().map(|(how, n)| format!("{} {n}", how.as_str()));
            text.push_str(&format!("; lost by: {}", each.collect::<Vec<_>>().join(", ")));
        }
        if self.invalid > 0 {
            text.push_str(&format!(", {} actions not admissible", self.invalid));
        }
        if self.held > 0 {
            text.push_str(&format!(", {} held to the list", counted(self.held as u64, "answer")));
        }
        if self.trained_on > 0 {
            text.push_str(&format!(", trained on {} of these games", self.trained_on));
        }
        text + &format!(" (evaluation {})", self.evaluation)
    }
}

/// What is known of the checkpoint that plays, for the record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Digest of what its run trained on.
    pub record: Option<String>,
    /// The games that it was trained on, as far as is known here.
    pub games: HashSet<String>,
}

/// What an evaluation says while it goes on.
#[derive(Debug)]
pub enum Event<'a> {
    /// Every game that is being played took a step.
    Step,
    /// A game is over and in the store.
    Ended(&'a Game),
    /// Its world broke a game off.
    Broken(&'a Broken),
}

/// Is told what happens, and how far it is.
pub type Report<'a> = &'a mut dyn FnMut(Event<'_>, Progress);

/// Plays the games of a scope. Every game's trajectory is stored, and the result as a whole when
/// all are played.
pub fn evaluate(
    store: &mut Store,
    suite: &dyn Suite,
    scope: &Scope,
    agent: &mut dyn Agent,
    (play, known): (Play, &Known),
    control: &Control,
    report: Report<'_>,
) -> Result<Summary> {
    let play = play.by(agent);
    let tasks = choose(suite, scope)?;
    let meter = Meter::new("games", 0, tasks.len() as u64);
    let checkpoint = agent.name();
    let foresaw = agent.world_name();
    let before = agent.usage();
    let at_once = at_once(agent, suite);
    let mut games: Vec<Game> = Vec::with_capacity(tasks.len());
    let mut step_limit = STEP_LIMIT;
    let begin = |task: &str| {
        let opened = Episode::open(suite, &scope.split, task, Purpose::Evaluation, play.seed);
        opened.map(|mut episode| {
            episode.trajectory.actor.clone_from(&checkpoint);
            Player::new(episode, play.seed)
        })
    };
    let mut open = tasks
        .iter()
        .map(|task| (task.id.clone(), budget::under(&control.cancel, || begin(&task.id))));
    let mut broken_off = BrokenOff::default();
    roll_out(agent, &mut open, at_once, play, control, &mut |told| {
        let ended = games.len() as u64;
        let over = ended + broken_off.count;
        let game_over = match told {
            Told::Step { playing, step } => {
                let mut progress = meter.at(over);
                progress.doing = format!("games, {playing} at step {step},");
                report(Event::Step, progress);
                return Ok(());
            }
            Told::Ended(game_over) => *game_over,
        };
        let played = match game_over {
            Ok(played) => played,
            Err(broken) => {
                report(Event::Broken(&broken), meter.at(over + 1));
                return broken_off.add(broken, ended);
            }
        };
        step_limit = played.limit;
        let game = keep(store, played, &foresaw)?;
        report(Event::Ended(&game), meter.at(over + 1));
        games.push(game);
        Ok(())
    })?;
    let n = games.len() as u64;
    let broke_off = broken_off.count;
    let why = broken_off.first(n)?;
    let successes = games.iter().filter(|game| game.success).count() as u64;
    let steps: usize = games.iter().map(|game| game.steps).sum();
    let restriction = restriction(play, &games);
    let per_game = |x: f64| if n == 0 { 0.0 } else { x / n as f64 };
    let trained_on = games.iter().filter(|game| known.games.contains(&game.task_id)).count();
    let row = EvalRow {
        id: 0,
        checkpoint,
        suite: suite.name().into(),
        split: scope.split.clone(),
        games_seed: Some(scope.seed),
        seed: play.seed,
        temperature: Some(play.temperature),
        step_limit: Some(step_limit as u64),
        think: Some(play.think),
        restriction: Some(restriction.into()),
        games: Some(games_hash(games.iter().map(|game| game.task_id.as_str()))),
        record: known.record.clone(),
        n,
        broke_off,
        successes,
        mean_steps: per_game(steps as f64),
        mean_reward: Some(per_game(games.iter().map(|game| game.reward).sum())),
        trained_on: Some(trained_on as u64),
        no_repeat: Some(play.no_repeat),
    };
    Ok(Summary {
        evaluation: store.add_evaluation(&row, &games.iter().map(Game::row).collect::<Vec<_>>())?,
        checkpoint: row.checkpoint,
        suite: row.suite,
        split: row.split,
        think: play.think,
        restriction: restriction.into(),
        temperature: play.temperature,
        no_repeat: play.no_repeat,
        step_limit,
        kinds: by_kind(&games),
        failures: failures(&games),
        successes,
        n,
        broke_off,
        why,
        rate: per_game(successes as f64),
        interval: wilson(successes, n),
        mean_steps: row.mean_steps,
        mean_reward: row.mean_reward.unwrap_or_default(),
        invalid: games.iter().map(|game| game.invalid).sum(),
        held: games.iter().map(|game| game.held).sum(),
        usage: agent.usage().since(before),
        trained_on,
    })
}

/// How actions came about.
fn restriction(play: Play, games: &[Game]) -> &'static str {
    match games.iter().any(|game| game.written > 0) {
        _ if play.free => "free",
        true => "both",
        false => "list",
    }
}

/// Keeps what was played, and what was foreseen by the mind of that name.
fn keep(store: &mut Store, played: Played, foresaw: &str) -> Result<Game> {
    let Played { trajectory, thoughts, foreseen, invalid, written, held, .. } = played;
    let id = store.add_trajectory(&trajectory)?;
    let thoughts: Vec<Thought> =
        thoughts.into_iter().map(|(t, text)| Thought { trajectory: id, t, text }).collect();
    store.add_thoughts(&thoughts)?;
    let predicted = |(t, text): (usize, String)| Prediction {
        trajectory: id,
        t,
        action: trajectory.steps[t].action.clone(),
        model: foresaw.to_string(),
        text,
        created_ms: 0,
    };
    store.add_predictions(&foreseen.into_iter().map(predicted).collect::<Vec<_>>())?;
    Ok(Game {
        task_id: trajectory.task_id.clone(),
        kind: trajectory.kind.clone(),
        success: trajectory.success(),
        reward: trajectory.reward(),
        steps: trajectory.steps.len(),
        invalid,
        written,
        held,
        failure: Failure::of(&trajectory, invalid),
        trajectory: id,
    })
}

fn by_kind(games: &[Game]) -> BTreeMap<String, (u64, u64)> {
    let mut kinds: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for game in games {
        let (won, played) = kinds.entry(game.kind.clone()).or_default();
        *won += u64::from(game.success);
        *played += 1;
    }
    kinds
}

fn failures(games: &[Game]) -> BTreeMap<Failure, u64> {
    let mut failures = BTreeMap::new();
    for failure in games.iter().filter_map(|game| game.failure) {
        *failures.entry(failure).or_default() += 1;
    }
    failures
}

/// A list of games, whatever its order, as it is written in records.
fn games_hash<'a>(games: impl Iterator<Item = &'a str>) -> String {
    let mut games: Vec<&str> = games.collect();
    games.sort_unstable();
    digest::hex(digest::of(games))
}

#[cfg(test)]
mod tests;
