//! Playing games with a policy: success rate with its interval, and how right a world model is.

mod foresight;
mod paired;

use std::collections::HashSet;

use serde::Serialize;

pub use foresight::{Foresight, Part, foresight};
pub use paired::{Paired, paired};

use crate::agent::{Agent, likeliest, shares};
use crate::collect::{Scope, choose, step_of, trajectory_at};
use crate::control::{Control, Meter, Progress};
use crate::digest;
use crate::env::{Opened, Suite};
use crate::error::{Error, Result};
use crate::experience::{Purpose, State, Trajectory, wilson};
use crate::rng::Rng;
use crate::store::{EvalRow, PlayedGame, Prediction, Store, Thought};

/// How to play.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Play {
    /// Temperature; 0 takes the likeliest (the paper validates at 0.4). Over the admissible list it is that of whole
    /// actions, with free text (and for thoughts) that of tokens: the two are not the same policy.
    pub temperature: f64,
    /// Seed of the sampling.
    pub seed: u64,
    /// Whether a thought comes before every action.
    pub think: bool,
    /// Whether actions are written as free text, which may be no admissible one. Otherwise they are chosen among the
    /// admissible ones, where these are listed.
    pub free: bool,
    /// Whether what comes of every action is predicted first and kept, for Replay. (How right predictions are is
    /// measured by [`foresight`].)
    pub predict: bool,
}

impl Play {
    /// The word for what may be played.
    pub fn restriction(&self) -> &'static str {
        if self.free { "free" } else { "list" }
    }

    /// In words, as far as it is not the usual.
    pub fn describe(&self) -> String {
        let think = if self.think { "thinking first" } else { "acting at once" };
        format!("{think}{}", if self.free { ", free text" } else { "" })
    }
}

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
    /// The stored trajectory.
    pub trajectory: i64,
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
    /// What could be played: `list` or `free`.
    pub restriction: String,
    /// Temperature.
    pub temperature: f64,
    /// Steps an episode may take.
    pub step_limit: usize,
    /// Games won.
    pub successes: u64,
    /// Games played.
    pub n: u64,
    /// Their ratio.
    pub rate: f64,
    /// Wilson 95 % interval of the ratio.
    pub interval: (f64, f64),
    /// Mean number of steps an episode.
    pub mean_steps: f64,
    /// Mean reward an episode.
    pub mean_reward: f64,
    /// Actions that were not admissible.
    pub invalid: usize,
    /// Games among them that the checkpoint was trained on, as far as is known here.
    pub trained_on: usize,
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
        // Where success is all that there is to gain, it is said already.
        if (self.mean_reward - self.rate).abs() > 1e-9 {
            text.push_str(&format!(", mean reward {:.3}", self.mean_reward));
        }
        if self.invalid > 0 {
            text.push_str(&format!(", {} actions not admissible", self.invalid));
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

/// Plays the games of a scope. Every game's trajectory is stored, and the result as a whole when all are played.
pub fn evaluate(
    store: &mut Store,
    suite: &dyn Suite,
    scope: &Scope,
    agent: &mut dyn Agent,
    (play, known): (Play, &Known),
    control: &Control,
    report: &mut dyn FnMut(&Game, Progress),
) -> Result<Summary> {
    let tasks = choose(suite, scope)?;
    let meter = Meter::new("games", 0, tasks.len() as u64);
    let checkpoint = agent.name();
    let mut games: Vec<Game> = Vec::with_capacity(tasks.len());
    let mut step_limit = 0;
    for (i, task) in tasks.iter().enumerate() {
        let mut opened = suite.open(&task.id)?;
        step_limit = opened.limit;
        let mut trajectory = trajectory_at(&opened, &scope.split, Purpose::Evaluation, &checkpoint, play.seed);
        let Beside { mut thoughts, mut foreseen, invalid } = play_out(agent, &mut opened, &mut trajectory, play, control)?;
        let id = store.add_trajectory(&trajectory)?;
        for thought in &mut thoughts {
            thought.trajectory = id;
        }
        store.add_thoughts(&thoughts)?;
        for prediction in &mut foreseen {
            prediction.trajectory = id;
        }
        store.add_predictions(&foreseen)?;
        let game = Game {
            task_id: task.id.clone(),
            kind: task.kind.clone(),
            success: trajectory.success(),
            reward: trajectory.reward(),
            steps: trajectory.steps.len(),
            invalid,
            trajectory: id,
        };
        report(&game, meter.at(i as u64 + 1));
        games.push(game);
    }
    let n = games.len() as u64;
    let successes = games.iter().filter(|game| game.success).count() as u64;
    let steps: usize = games.iter().map(|game| game.steps).sum();
    let per_game = |x: f64| if n == 0 { 0.0 } else { x / n as f64 };
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
        restriction: Some(play.restriction().into()),
        games: Some(games_hash(games.iter().map(|game| game.task_id.as_str()))),
        record: known.record.clone(),
        n,
        successes,
        mean_steps: per_game(steps as f64),
        mean_reward: Some(per_game(games.iter().map(|game| game.reward).sum())),
    };
    let played: Vec<PlayedGame> = games
        .iter()
        .map(|game| PlayedGame {
            task_id: game.task_id.clone(),
            success: game.success,
            reward: game.reward,
            steps: game.steps,
            trajectory: game.trajectory,
        })
        .collect();
    Ok(Summary {
        evaluation: store.add_evaluation(&row, &played)?,
        checkpoint: row.checkpoint,
        suite: row.suite,
        split: row.split,
        think: play.think,
        restriction: play.restriction().into(),
        temperature: play.temperature,
        step_limit,
        successes,
        n,
        rate: per_game(successes as f64),
        interval: wilson(successes, n),
        mean_steps: row.mean_steps,
        mean_reward: row.mean_reward.unwrap_or_default(),
        invalid: games.iter().map(|game| game.invalid).sum(),
        trained_on: games.iter().filter(|game| known.games.contains(&game.task_id)).count(),
    })
}

/// What is kept of a game beside its trajectory.
#[derive(Default)]
struct Beside {
    thoughts: Vec<Thought>,
    foreseen: Vec<Prediction>,
    /// Actions that could not be sent.
    invalid: usize,
}

/// Plays an opened game to its end, or to its limit of steps, where it is cut off.
fn play_out(
    agent: &mut dyn Agent,
    opened: &mut Opened,
    trajectory: &mut Trajectory,
    play: Play,
    control: &Control,
) -> Result<Beside> {
    // A stream for each game: the same game is played with the same draws by every checkpoint.
    let mut rng = Rng::stream(play.seed, &opened.task.id);
    let mut beside = Beside::default();
    while trajectory.steps.len() < opened.limit && !opened.env.turn().done {
        control.checkpoint()?;
        let t = trajectory.steps.len();
        let state = trajectory.state(t);
        let chosen = act(agent, &state, trajectory.listed_at(t), play, &mut rng)?;
        if play.predict {
            let found = agent.predict(&state, std::slice::from_ref(&chosen.action), &mut |_, _| true)?;
            let (action, model) = (chosen.action.clone(), agent.name());
            let keep = |text| Prediction { trajectory: 0, t, action: action.clone(), model: model.clone(), text };
            beside.foreseen.extend(found.into_iter().map(keep));
        }
        beside.invalid += usize::from(!opened.env.turn().admits(&chosen.action));
        beside.thoughts.extend(chosen.thought.map(|text| Thought { trajectory: 0, t, text }));
        opened.env.step(&chosen.action)?;
        trajectory.steps.push(step_of(opened.env.as_ref(), &chosen.action, "policy"));
    }
    let at_limit = trajectory.steps.len() >= opened.limit;
    if let Some(last) = trajectory.steps.last_mut().filter(|last| at_limit && !last.done) {
        last.truncated = true;
    }
    Ok(beside)
}

/// A list of games, whatever its order, as it is written in records.
fn games_hash<'a>(games: impl Iterator<Item = &'a str>) -> String {
    let mut games: Vec<&str> = games.collect();
    games.sort_unstable();
    digest::hex(digest::of(games))
}

/// What a policy chose, and what it thought before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The action.
    pub action: String,
    /// The thought, where there was one.
    pub thought: Option<String>,
}

/// One choice of a policy.
pub fn act(policy: &mut dyn Agent, state: &State, listed: &[String], play: Play, rng: &mut Rng) -> Result<Chosen> {
    let thought = if play.think { Some(policy.think(state, play.temperature, rng.next_u64())?) } else { None };
    let after = thought.as_deref();
    let action = if play.free || listed.is_empty() {
        policy.propose(state, after, play.temperature, &[rng.next_u64()])?.pop().unwrap_or_default()
    } else {
        let scores = policy.score(state, after, listed)?;
        if scores.iter().any(|score| score.is_nan()) {
            return Err(Error::new(format!("{} gives scores that are not numbers", policy.name()))
                .hint("its weights or its config are damaged; try another checkpoint"));
        }
        listed[pick(&scores, play.temperature, rng)].clone()
    };
    Ok(Chosen { action, thought })
}

/// An index drawn from log-probabilities at a temperature.
pub fn pick(scores: &[f64], temperature: f64, rng: &mut Rng) -> usize {
    let best = likeliest(scores).unwrap_or_default();
    if temperature <= 0.0 {
        return best;
    }
    let scaled: Vec<f64> = scores.iter().map(|score| score / temperature).collect();
    let mut left = rng.unit();
    for (i, share) in shares(&scaled).iter().enumerate() {
        left -= share;
        if left < 0.0 {
            return i;
        }
    }
    best
}

#[cfg(test)]
mod tests;
