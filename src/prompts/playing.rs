//! A prompt tried by playing games: what a mind behind an endpoint is told before it acts.

use super::writer::{Writer, endpoint};
use super::{Item, Scored, Trial};
use crate::agent::minds::{self, Named};
use crate::agent::prompt::Questions;
use crate::agent::remote::RemoteAgent;
use crate::control::Control;
use crate::env::{Suite, TaskRef};
use crate::episode::{Episode, Play, Played, Player, Told, roll_out};
use crate::error::{Error, Result};
use crate::eval::Failure;
use crate::experience::Purpose;
use crate::rng::Rng;
use crate::store::Store;

/// Which games are played, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Game {
    /// The suite.
    pub suite: String,
    /// The split of games that texts are rewritten by and compared on, each its own.
    pub split: String,
    /// The mind whose prompt it is, an endpoint.
    pub mind: String,
    /// The mind that writes new texts, an endpoint.
    pub writer: String,
    /// Steps of a game at most.
    pub steps: usize,
}

/// Plays games with a text, and has a mind write new ones.
pub struct Playing<'a> {
    suite: &'a dyn Suite,
    store: &'a Store,
    game: Game,
    named: Named,
    /// The mind, once it was asked.
    mind: Option<RemoteAgent>,
    usual: Questions,
    writer: Writer,
    train: Vec<TaskRef>,
    validation: Vec<TaskRef>,
    seed: u64,
    control: Control,
}

/// Steps of a game that are told to the writer, the last ones.
const TOLD: usize = 25;

impl<'a> Playing<'a> {
    /// Draws the games, and finds who plays and who writes.
    pub fn new(
        store: &'a Store,
        suite: &'a dyn Suite,
        game: Game,
        (train, validation): (usize, usize),
        seed: u64,
        control: &Control,
    ) -> Result<Self> {
        let named = endpoint(store, &game.mind)?;
        let usual = minds::questions(store.root(), &named)?;
        let writer = Writer::open(store, &game.writer, control)?;
        let mut tasks = suite.tasks(&game.split)?;
        if tasks.len() < train + validation {
            return Err(Error::usage(format!(
                "{} {} has {} games, {} are asked for",
                game.suite,
                game.split,
                tasks.len(),
                train + validation
            )));
        }
        Rng::stream(seed, "items").shuffle(&mut tasks);
        let validation = tasks.split_off(train).into_iter().take(validation).collect();
        let control = control.clone();
        Ok(Self {
            suite,
            store,
            game,
            named,
            mind: None,
            usual,
            writer,
            train: tasks,
            validation,
            seed,
            control,
        })
    }

    /// The text that is begun with.
    pub fn first(&self) -> &str {
        &self.usual.act
    }
}

/// What is said about a game, for free: the world knows.
fn told(played: &Played, limit: usize) -> Scored {
    let game = &played.trajectory;
    let won = game.success();
    let score = if won { 1.0 } else { game.reward().clamp(0.0, 1.0) };
    let skipped = game.steps.len().saturating_sub(TOLD);
    let mut output: Vec<String> =
        (skipped > 0).then(|| format!("({skipped} steps before)")).into_iter().collect();
    let (mut seen, mut refused) = (game.observation.as_str(), Vec::new());
    for (t, step) in game.steps.iter().enumerate() {
        if t >= skipped {
            output.push(format!("{}. {} -> {}", t + 1, step.action, step.observation));
        }
        let listed = game.listed_at(t);
        if !listed.is_empty() && !listed.contains(&step.action) {
            refused.push(format!(
                "step {}: `{}` is not understood there. These would have been: {}",
                t + 1,
                step.action,
                listed.iter().take(12).cloned().collect::<Vec<_>>().join("; ")
            ));
        } else if step.observation == seen {
            refused.push(format!("step {}: `{}` changes nothing that is seen", t + 1, step.action));
        }
        seen = &step.observation;
    }
    let mut feedback = vec![if won {
        format!("It succeeded, in {} steps.", game.steps.len())
    } else {
        let how = Failure::of(game, played.invalid).map_or("unfinished", Failure::as_str);
        format!("It did not succeed in {} steps of at most {limit} ({how}).", game.steps.len())
    }];
    let more = refused.len().saturating_sub(5);
    feedback.extend(refused.into_iter().take(5));
    if more > 0 {
        feedback.push(format!("and {more} more of this kind"));
    }
    let input = format!("{}\n\nTask: {}", game.observation, game.task);
    Scored { score, input, output: output.join("\n"), feedback: feedback.join("\n") }
}

impl Trial for Playing<'_> {
    fn run(
        &mut self,
        text: &str,
        items: &[Item],
        each: &mut dyn FnMut(usize, Scored) -> Result<()>,
    ) -> Result<()> {
        if self.mind.is_none() {
            let reflecting = minds::reflecting(self.store.root(), &self.named)?;
            let (name, profile) = (&self.named.name, self.named.profile.clone());
            let asked = (self.usual.clone(), reflecting);
            self.mind = Some(RemoteAgent::open(name, profile, asked, &self.control.cancel)?);
        }
        let Some(mind) = &mut self.mind else { return Ok(()) };
        mind.ask_by(self.usual.acting("tried", text));
        let limit = self.game.steps;
        let play = Play { temperature: 0.0, seed: self.seed, free: true, ..Play::default() };
        let mut open = items.iter().map(|item| {
            let task = match item {
                Item::Train(i) => &self.train[*i],
                Item::Validation(i) => &self.validation[*i],
            };
            let split = &self.game.split;
            let begun = Episode::open(self.suite, split, &task.id, Purpose::Evaluation, self.seed);
            let begun = begun.map(|episode| {
                Player::new(Episode { limit: limit.min(episode.limit), ..episode }, self.seed)
            });
            (task.id.clone(), begun)
        });
        let (at_once, mut at) = (self.named.profile.concurrency, 0);
        roll_out(mind, &mut open, at_once, play, &self.control, &mut |said| {
            let Told::Ended(ended) = said else { return Ok(()) };
            match *ended {
                Ok(played) => each(at, told(&played, limit))?,
                Err(broken) => return Err(broken.why.at(broken.task_id)),
            }
            at += 1;
            Ok(())
        })
    }

    fn rewrite(&mut self, request: &str) -> Result<String> {
        self.writer.write(request)
    }

    /// An answer's action is read from its tags.
    fn vet(&self, text: &str) -> Option<String> {
        unfit(text)
    }
}

/// Why a text cannot be what a mind is told before it acts.
pub fn unfit(text: &str) -> Option<String> {
    (!text.contains("<action>")).then(|| "it asks for no <action>".to_string())
}

/// A text as the file that a mind's `prompts` name.
pub fn profile(text: &str) -> String {
    format!("act = {}\n", toml::Value::String(text.into()))
}
