//! Worlds that go on as the mind's answers come: an endpoint answers many questions at once, each in its
//! own time, and no game waits for the slowest of the others. Each question goes on from the one before
//! it of the same game, so that a server which keeps the beginnings of some prompts has them still, as
//! long as it keeps those of all games that are under way.

use std::collections::HashMap;

use super::{Chosen, Play, Player, advance, step_all};
use crate::agent::{Agent, Ask, Flow};
use crate::control::Cancel;
use crate::error::Result;
use crate::model::sampler::Sampling;

/// What a mind was asked about a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Thought,
    Action,
}

/// How a mind is asked.
pub(super) enum Mind<'a> {
    /// About all states together.
    All(&'a mut dyn Agent),
    /// About each in its own time.
    Each(Box<dyn Flow + 'a>),
}

impl Mind<'_> {
    /// A step of each episode, or of those whose answer has come; and how each went.
    pub fn advance(
        &mut self,
        playing: &mut [(usize, Player)],
        play: Play,
        cancel: &Cancel,
    ) -> Result<Vec<Result<()>>> {
        match self {
            _ if playing.is_empty() => Ok(Vec::new()),
            Self::All(agent) => advance(*agent, playing, play, cancel),
            Self::Each(flow) => as_they_come(flow.as_mut(), playing, play, cancel),
        }
    }
}

/// Steps of those episodes whose action has come. Others are asked about, and wait.
fn as_they_come(
    flow: &mut dyn Flow,
    playing: &mut [(usize, Player)],
    play: Play,
    cancel: &Cancel,
) -> Result<Vec<Result<()>>> {
    let how = Sampling::at(play.temperature);
    let ask = |flow: &mut dyn Flow, number: usize, player: &mut Player, what: Asked| {
        let t = player.episode.trajectory.steps.len();
        let thought =
            player.thoughts.last().filter(|(of, _)| *of == t).map(|(_, text)| text.as_str());
        let (state, seeds) = (player.episode.state(), [player.rng.next_u64()]);
        let asked = Ask { state: &state, thought, seeds: &seeds };
        flow.ask(number, asked, what == Asked::Thought, how);
        player.asked = Some(what);
    };
    for (number, player) in playing.iter_mut().filter(|(_, player)| player.asked.is_none()) {
        ask(flow, *number, player, if play.think { Asked::Thought } else { Asked::Action });
    }
    let mut steps: Vec<Option<String>> = vec![None; playing.len()];
    let places: HashMap<usize, usize> =
        playing.iter().enumerate().map(|(place, (number, _))| (*number, place)).collect();
    for (number, written) in flow.answers(cancel)? {
        let Some(place) = places.get(&number) else { continue };
        let player = &mut playing[*place].1;
        let t = player.episode.trajectory.steps.len();
        if player.asked == Some(Asked::Thought) {
            player.thoughts.push((t, written.text));
            ask(flow, number, player, Asked::Action);
            continue;
        }
        player.asked = None;
        let chosen = Chosen { action: written.text, thought: None, among: None, written: true };
        steps[*place] = Some(player.takes(chosen, None, play));
    }
    let mut found: Vec<Result<()>> = playing.iter().map(|_| Ok(())).collect();
    let (at, going): (Vec<usize>, Vec<_>) = playing
        .iter_mut()
        .zip(steps)
        .enumerate()
        .filter_map(|(i, ((_, player), action))| Some((i, (player, action?))))
        .unzip();
    for (i, went) in at.into_iter().zip(step_all(going, cancel)) {
        found[i] = went;
    }
    Ok(found)
}
