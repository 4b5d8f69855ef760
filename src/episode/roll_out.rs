//! One mind plays many worlds at once: what it is asked about all of them is asked in one go.

use std::collections::BTreeMap;

use super::Episode;
use super::policy::{Choice, Play, choose};
use crate::agent::{Agent, Among};
use crate::budget;
use crate::control::{Cancel, Control};
use crate::env::{Forks, Turn};
use crate::error::{Error, Result};
use crate::experience::{POLICY, Trajectory};
use crate::rng::Rng;

/// An episode to be played, with draws of its own.
pub struct Player {
    episode: Episode,
    rng: Rng,
    thoughts: Vec<(usize, String)>,
    foreseen: Vec<(usize, String)>,
    invalid: usize,
}

impl Player {
    /// The same draws for every mind that plays the same task by this seed.
    pub fn new(episode: Episode, seed: u64) -> Self {
        let rng = Rng::stream(seed, &episode.trajectory.task_id);
        Self { episode, rng, thoughts: Vec::new(), foreseen: Vec::new(), invalid: 0 }
    }

    /// What is left once it is over: its world goes, there may be no room for it and the next.
    fn over(self) -> Played {
        let Self { episode: Episode { env, limit, trajectory, .. }, thoughts, foreseen, invalid, .. } = self;
        Played { turn: env.turn().clone(), limit, trajectory, thoughts, foreseen, invalid }
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
}

/// Plays episodes to their ends, `at_once` at a time. `finished` gets them in the order of `episodes`, whichever ends first;
/// what was finished is handed over even where the work then fails or is cancelled.
pub fn roll_out(
    agent: &mut dyn Agent,
    episodes: &mut dyn Iterator<Item = Result<Player>>,
    at_once: usize,
    play: Play,
    control: &Control,
    finished: &mut dyn FnMut(Played) -> Result<()>,
) -> Result<()> {
    let mut coming = episodes.enumerate();
    let mut playing: Vec<(usize, Player)> = Vec::new();
    let mut over: BTreeMap<usize, Played> = BTreeMap::new();
    let mut next = 0;
    let mut go_on = |over: &mut BTreeMap<usize, Played>| -> Result<bool> {
        control.checkpoint()?;
        while playing.len() < at_once.max(1) {
            let Some((i, begun)) = coming.next() else { break };
            playing.push((i, begun?));
        }
        if playing.is_empty() {
            return Ok(false);
        }
        let (ended, still): (Vec<_>, Vec<_>) =
            std::mem::take(&mut playing).into_iter().partition(|(_, p)| p.episode.is_over());
        over.extend(ended.into_iter().map(|(i, player)| (i, player.over())));
        playing = still;
        advance(agent, &mut playing, play, &control.cancel)?;
        Ok(true)
    };
    loop {
        let going = go_on(&mut over);
        while let Some(played) = over.remove(&next) {
            finished(played)?;
            next += 1;
        }
        match going {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => {
                // What came to its end behind one that did not is nobody's to lose.
                over.into_values().try_for_each(finished)?;
                return Err(error);
            }
        }
    }
}

/// One step of each episode.
fn advance(agent: &mut dyn Agent, playing: &mut [(usize, Player)], play: Play, cancel: &Cancel) -> Result<()> {
    if playing.is_empty() {
        return Ok(());
    }
    let mut choices: Vec<Choice<'_>> = playing
        .iter_mut()
        .map(|(_, Player { episode, rng, .. })| {
            let t = episode.trajectory.steps.len();
            Choice { state: episode.state(), listed: episode.trajectory.listed_at(t).to_vec(), rng }
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
    for (((_, played), chosen), foreseen) in playing.iter_mut().zip(chosen).zip(foreseen) {
        let t = played.episode.trajectory.steps.len();
        played.invalid += usize::from(!played.episode.env.turn().admits(&chosen.action));
        played.thoughts.extend(chosen.thought.map(|text| (t, text)));
        played.foreseen.extend(foreseen.map(|text| (t, text)));
        steps.push((played, chosen.action));
    }
    step_all(steps, cancel)
}

/// Takes the steps: side by side where a step waits for something outside this process.
fn step_all(steps: Vec<(&mut Player, String)>, cancel: &Cancel) -> Result<()> {
    let one = |(played, action): (&mut Player, String)| budget::under(cancel, || played.episode.act(&action, POLICY));
    let waits = steps.iter().any(|(played, _)| played.episode.env.forks() == Forks::Replay);
    if !waits || steps.len() < 2 {
        return steps.into_iter().try_for_each(one);
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = steps.into_iter().map(|step| scope.spawn(move || one(step))).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(Error::new("a world's step panicked"))))
    })
}
