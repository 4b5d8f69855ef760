//! One mind plays many worlds at once: what it is asked about all of them is asked in one go, or as each
//! of them comes to it.

mod flow;

use std::collections::{BTreeMap, HashSet};

use self::flow::{Asked, Mind};
use super::Episode;
use super::policy::{Choice, Chosen, Play, choose};
use crate::agent::{Agent, Among, log_shares};
use crate::budget;
use crate::control::{Cancel, Control};
use crate::env::{Forks, Suite, Turn};
use crate::error::{Error, Kind, Result};
use crate::experience::{POLICY, Trajectory};
use crate::rng::Rng;

/// An episode to be played, with draws of its own.
pub struct Player {
    episode: Episode,
    rng: Rng,
    thoughts: Vec<(usize, String)>,
    foreseen: Vec<(usize, String)>,
    invalid: usize,
    written: usize,
    held: usize,
    /// What was done where, by the worlds' fingerprints.
    done: HashSet<(u64, String)>,
    /// Every choice, where that is kept.
    acted: Option<Vec<Acted>>,
    /// What the mind was asked about it and has not answered, where it answers in its own time.
    asked: Option<Asked>,
}

/// A choice of the mind that plays.
#[derive(Debug, Clone, PartialEq)]
pub struct Acted {
    /// The state, as [`crate::env::Environment::fingerprint`] has it.
    pub state: u64,
    /// Of a choice from a list, the log-probability of each action there as it was drawn; empty where
    /// the action was written.
    pub logs: Vec<f64>,
    /// Which it was.
    pub chosen: usize,
    /// Whether it could not be sent.
    pub refused: bool,
}

impl Player {
    /// The same draws for every mind that plays the same task by this seed.
    pub fn new(episode: Episode, seed: u64) -> Self {
        let rng = Rng::stream(seed, &episode.trajectory.task_id);
        let (thoughts, foreseen, done) = (Vec::new(), Vec::new(), HashSet::new());
        let (acted, asked) = (None, None);
        Self {
            episode,
            rng,
            thoughts,
            foreseen,
            invalid: 0,
            written: 0,
            held: 0,
            done,
            acted,
            asked,
        }
    }

    /// The same, every choice kept with what the others were worth to the mind.
    #[must_use]
    pub fn keeping_choices(self) -> Self {
        Self { acted: Some(Vec::new()), ..self }
    }

    /// What can be chosen in a state; without what was done in it before, unless that is all.
    fn listed(&self, no_repeat: bool) -> Vec<String> {
        let t = self.episode.trajectory.steps.len();
        let all = self.episode.trajectory.listed_at(t);
        let here = self.episode.env.fingerprint();
        let fresh = |action: &&String| !self.done.contains(&(here, (*action).clone()));
        let left: Vec<String> =
            if no_repeat { all.iter().filter(fresh).cloned().collect() } else { Vec::new() };
        if left.is_empty() { all.to_vec() } else { left }
    }

    /// Writes down what was chosen, and returns the action.
    fn takes(&mut self, chosen: Chosen, foreseen: Option<String>, play: Play) -> String {
        let t = self.episode.trajectory.steps.len();
        let refused = !self.episode.env.turn().admits(&chosen.action);
        self.invalid += usize::from(refused);
        self.written += usize::from(chosen.written);
        self.held += usize::from(chosen.written && chosen.among.is_some());
        if play.no_repeat {
            let here = self.episode.env.fingerprint();
            self.done.insert((here, chosen.action.clone()));
        }
        if let Some(acted) = &mut self.acted {
            let (scores, place) = chosen.among.unwrap_or_default();
            // At 1 where the likeliest was taken.
            let by = if play.temperature > 0.0 { play.temperature } else { 1.0 };
            let logs = log_shares(&scores, by);
            let state = self.episode.env.fingerprint();
            acted.push(Acted { state, logs, chosen: place, refused });
        }
        self.thoughts.extend(chosen.thought.map(|text| (t, text)));
        self.foreseen.extend(foreseen.map(|text| (t, text)));
        chosen.action
    }

    /// What is left once it is over: its world goes, there may be no room for it and the next.
    fn over(self) -> Played {
        let Self {
            episode: Episode { env, limit, trajectory, .. },
            thoughts,
            foreseen,
            invalid,
            written,
            held,
            acted,
            ..
        } = self;
        let (turn, acted) = (env.turn().clone(), acted.unwrap_or_default());
        Played { trajectory, turn, limit, thoughts, foreseen, invalid, written, held, acted }
    }
}

/// An episode that a mind has played.
pub struct Played {
    /// What happened.
    pub trajectory: Trajectory,
    /// The last turn.
    pub turn: Turn,
    /// How many steps it might have taken.
    pub limit: usize,
    /// What was thought, by step.
    pub thoughts: Vec<(usize, String)>,
    /// What was expected of the action that was taken, by step.
    pub foreseen: Vec<(usize, String)>,
    /// Actions that could not be sent.
    pub invalid: usize,
    /// Steps at which something was written, and not chosen from a list at once.
    pub written: usize,
    /// Those of them whose text was not taken, and an action of the list in its place.
    pub held: usize,
    /// Its choices, where they were kept.
    pub acted: Vec<Acted>,
}

/// A game that came to no end, because its world failed.
#[derive(Debug)]
pub struct Broken {
    /// The task.
    pub task_id: String,
    /// What went wrong.
    pub why: Error,
}

impl Broken {
    /// The error as one game's, where it says nothing of the others; the error itself otherwise.
    pub fn of(task_id: &str, why: Error) -> Result<Self> {
        match why.kind() {
            Kind::Cancelled | Kind::Usage | Kind::Defect => Err(why),
            Kind::Data | Kind::Io | Kind::World | Kind::Mismatch | Kind::Remote { .. } => {
                Ok(Self { task_id: task_id.to_string(), why })
            }
        }
    }
}

/// Games that broke off while others went on.
#[derive(Debug, Default)]
pub struct BrokenOff {
    /// How many.
    pub count: u64,
    first: Option<Broken>,
}

/// So many games that broke off end the work, if they are the most.
const BROKEN: u64 = 8;

impl BrokenOff {
    /// One more, beside so many that came to their end; an error where that ends the work.
    pub fn add(&mut self, broken: Broken, ended: u64) -> Result<()> {
        self.count += 1;
        if self.count >= BROKEN && self.count > ended {
            let place = format!("{} games broke off; {}", self.count, broken.task_id);
            return Err(broken.why.at(place));
        }
        self.first.get_or_insert(broken);
        Ok(())
    }

    /// The first one in words; its error where none came to its end.
    pub fn first(self, ended: u64) -> Result<Option<String>> {
        match self.first {
            Some(Broken { task_id, why }) if ended == 0 => Err(why.at(task_id)),
            first => {
                Ok(first.map(|Broken { task_id, why }| format!("{task_id}: {}", why.message())))
            }
        }
    }
}

/// What is told while games are played.
pub enum Told {
    /// So many games took a step; the furthest of them this one.
    Step {
        /// Games.
        playing: usize,
        /// Its number, from 1.
        step: usize,
    },
    /// A game is over.
    Ended(Box<Ended>),
}

/// How a game ended.
pub type Ended = std::result::Result<Played, Broken>;

/// Games of a suite that a mind plays at once.
pub fn at_once(agent: &dyn Agent, suite: &dyn Suite) -> usize {
    agent.can().at_once.min(suite.instances().unwrap_or(usize::MAX))
}

/// Plays episodes to their ends and counts: those that were won, those that came to their end, those
/// that their world broke off.
pub fn wins(
    agent: &mut dyn Agent,
    episodes: &mut dyn Iterator<Item = Begun>,
    at_once: usize,
    play: Play,
    control: &Control,
) -> Result<(u64, u64, BrokenOff)> {
    let (mut won, mut n, mut broken_off) = (0, 0, BrokenOff::default());
    roll_out(agent, episodes, at_once, play, control, &mut |told| {
        let Told::Ended(over) = told else { return Ok(()) };
        match *over {
            Ok(played) => {
                n += 1;
                won += u64::from(played.trajectory.success());
                Ok(())
            }
            Err(broken) => broken_off.add(broken, n),
        }
    })?;
    Ok((won, n, broken_off))
}

/// A game that is to be played: its task, and its beginning.
pub type Begun = (String, Result<Player>);

/// Plays episodes to their ends, `at_once` at a time. `tell` gets them in the order of
/// `episodes`, whichever ends first; what was finished is handed over even where the work then
/// fails or is cancelled. A world that fails ends its own game only; a mind that fails ends them
/// all.
pub fn roll_out(
    agent: &mut dyn Agent,
    episodes: &mut dyn Iterator<Item = Begun>,
    at_once: usize,
    play: Play,
    control: &Control,
    tell: &mut dyn FnMut(Told) -> Result<()>,
) -> Result<()> {
    // What is chosen from a list, and what is foreseen, is asked about all states together.
    if play.free
        && !play.predict
        && let Some(flow) = agent.flow()
    {
        return play_all(Mind::Each(flow), episodes, at_once, play, control, tell);
    }
    together(agent, episodes, at_once, play, control, tell)
}

/// The same, the mind asked about all games in one go, whatever it is: every step waits for the slowest
/// answer.
pub fn together(
    agent: &mut dyn Agent,
    episodes: &mut dyn Iterator<Item = Begun>,
    at_once: usize,
    play: Play,
    control: &Control,
    tell: &mut dyn FnMut(Told) -> Result<()>,
) -> Result<()> {
    play_all(Mind::All(agent), episodes, at_once, play, control, tell)
}

fn play_all(
    mut mind: Mind<'_>,
    episodes: &mut dyn Iterator<Item = Begun>,
    at_once: usize,
    play: Play,
    control: &Control,
    tell: &mut dyn FnMut(Told) -> Result<()>,
) -> Result<()> {
    let mut coming = episodes.enumerate();
    let mut playing: Vec<(usize, Player)> = Vec::new();
    let mut over: BTreeMap<usize, Ended> = BTreeMap::new();
    let mut next = 0;
    let mut go_on = |over: &mut BTreeMap<usize, Ended>,
                     tell: &mut dyn FnMut(Told) -> Result<()>| {
        control.checkpoint()?;
        while playing.len() < at_once.max(1) {
            let Some((i, (task_id, begun))) = coming.next() else { break };
            match begun {
                Ok(player) => playing.push((i, player)),
                Err(why) => {
                    over.insert(i, Err(Broken::of(&task_id, why)?));
                    return Ok(true); // said before the next is begun
                }
            }
        }
        if playing.is_empty() {
            return Ok(false);
        }
        let (ended, still): (Vec<_>, Vec<_>) =
            std::mem::take(&mut playing).into_iter().partition(|(_, p)| p.episode.is_over());
        over.extend(ended.into_iter().map(|(i, player)| (i, Ok(player.over()))));
        playing = still;
        let steps = mind.advance(&mut playing, play, &control.cancel)?;
        for ((i, player), step) in std::mem::take(&mut playing).into_iter().zip(steps) {
            match step {
                Ok(()) => playing.push((i, player)),
                Err(why) => {
                    _ = over.insert(i, Err(Broken::of(&player.episode.trajectory.task_id, why)?));
                }
            }
        }
        let steps = playing.iter().map(|(_, player)| player.episode.trajectory.steps.len());
        if let Some(step) = steps.max() {
            tell(Told::Step { playing: playing.len(), step })?;
        }
        Ok(true)
    };
    loop {
        let going = go_on(&mut over, tell);
        let mut told = Ok(());
        while let (Ok(()), Some(played)) = (&told, over.remove(&next)) {
            told = tell(Told::Ended(Box::new(played)));
            next += 1;
        }
        let going = told.and(going);
        match going {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => {
                // What came to its end behind one that did not is nobody's to lose.
                over.into_values().map(|ended| Told::Ended(Box::new(ended))).try_for_each(tell)?;
                return Err(error);
            }
        }
    }
}

/// One step of each episode, and how each went.
fn advance(
    agent: &mut dyn Agent,
    playing: &mut [(usize, Player)],
    play: Play,
    cancel: &Cancel,
) -> Result<Vec<Result<()>>> {
    let mut choices: Vec<Choice<'_>> = playing
        .iter_mut()
        .map(|(_, player)| {
            let listed = player.listed(play.no_repeat);
            let Player { episode, rng, acted, .. } = player;
            Choice {
                state: episode.state(),
                listed,
                forms: episode.env.turn().actions.forms().to_vec(),
                by_tokens: acted.is_some(),
                rng,
            }
        })
        .collect();
    let chosen = choose(agent, &mut choices, play, cancel)?;
    let mut foreseen: Vec<Option<String>> = vec![None; chosen.len()];
    if play.predict {
        let states: Vec<_> = choices.into_iter().map(|choice| choice.state).collect();
        let asks: Vec<Among<'_>> = states
            .iter()
            .zip(&chosen)
            .map(|(state, chosen)| Among::of(state, std::slice::from_ref(&chosen.action)))
            .collect();
        let predicted = agent.predict(&asks, cancel, &mut |_, _, _| {})?;
        foreseen = predicted.into_iter().map(|mut texts| texts.pop()).collect();
    }
    let mut steps: Vec<(&mut Player, String)> = Vec::with_capacity(playing.len());
    let chosen = chosen.into_iter().zip(foreseen);
    for ((_, played), (chosen, foreseen)) in playing.iter_mut().zip(chosen) {
        let action = played.takes(chosen, foreseen, play);
        steps.push((played, action));
    }
    Ok(step_all(steps, cancel))
}

/// Takes the steps: side by side where a step waits for something outside this process.
fn step_all(steps: Vec<(&mut Player, String)>, cancel: &Cancel) -> Vec<Result<()>> {
    let one = |(played, action): (&mut Player, String)| {
        budget::under(cancel, || played.episode.act(&action, POLICY))
    };
    let waits = steps.iter().any(|(played, _)| played.episode.env.forks() == Forks::Replay);
    if !waits || steps.len() < 2 {
        return steps.into_iter().map(one).collect();
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            steps.into_iter().map(|step| scope.spawn(move || one(step))).collect();
        let panicked = |_| Err(Error::new("a world's step panicked").of(Kind::Defect));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    })
}
