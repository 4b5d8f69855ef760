//! The rollouts of an update: each task several times from its beginning, then on from states of
//! these where a method forks.

use std::collections::HashMap;

use super::estimate::{Fork, Rollout, Visit};
use super::{Method, Rl};
use crate::agent::Agent;
use crate::budget;
use crate::control::Control;
use crate::digest;
use crate::env::{Experts, Suite, TaskRef};
use crate::episode::{
    Begun, BrokenOff, Episode, Play, Played, Player, Told, Worlds, at_once, roll_out, way, wins,
};
use crate::error::{Error, Result};
use crate::experience::{POLICY, Purpose, Trajectory};
use crate::rng::Rng;

/// The rollouts of a task.
#[derive(Debug, Clone)]
pub struct Sampled {
    /// The task.
    pub task: TaskRef,
    /// What happened in each: those from the beginning first. A fork's is its whole way.
    pub trajectories: Vec<Trajectory>,
    /// The same as the estimator has it.
    pub rollouts: Vec<Rollout>,
    /// Actions that could not be sent.
    pub invalid: usize,
    /// Steps that an episode might have taken.
    pub limit: usize,
    /// Rollouts and continuations that their world broke off.
    pub broken: usize,
}

impl Sampled {
    fn of(task: &TaskRef) -> Self {
        let (trajectories, rollouts) = (Vec::new(), Vec::new());
        Self { task: task.clone(), trajectories, rollouts, invalid: 0, limit: 0, broken: 0 }
    }

    fn add(&mut self, played: Played, fork: Option<(Fork, &[Visit])>, cost: f64) {
        let Played { trajectory, acted, invalid, limit, .. } = played;
        self.limit = limit;
        let won = trajectory.success();
        // What stands before its own choices was another's.
        let (fork, before) = fork.map_or((None, &[][..]), |(fork, way)| (Some(fork), way));
        let mut visits = before.to_vec();
        let own = &trajectory.steps[visits.len()..];
        visits.extend(acted.into_iter().zip(own).map(|(acted, step)| {
            let written = || digest::of([step.action.as_str()]) as usize;
            let chosen = if acted.logs.is_empty() { written() } else { acted.chosen };
            let paid = if acted.refused { cost } else { 0.0 };
            Visit {
                state: acted.state,
                logs: acted.logs,
                chosen,
                reward: step.reward - paid,
                written: Vec::new(),
            }
        }));
        self.invalid += invalid;
        self.trajectories.push(trajectory);
        self.rollouts.push(Rollout { visits, won, fork });
    }

    /// Rollouts from the beginning, and those of them that were won.
    pub fn roots(&self) -> (usize, usize) {
        let all = self.rollouts.iter().zip(&self.trajectories);
        let roots = all.filter(|(rollout, _)| rollout.fork.is_none());
        roots.fold((0, 0), |(n, won), (_, tr)| (n + 1, won + usize::from(tr.success())))
    }
}

/// Where and how rollouts are made.
pub struct Sampler<'a> {
    /// The suite.
    pub suite: &'a dyn Suite,
    /// The split that tasks are of.
    pub split: &'a str,
    /// The settings.
    pub rl: &'a Rl,
    /// The run's seed.
    pub seed: u64,
}

/// A continuation that is to be played.
struct Wanted {
    group: usize,
    fork: Fork,
    /// The first action and its place in the list, where it is given.
    first: Option<(String, usize)>,
    seed: u64,
}

impl Sampler<'_> {
    /// The rollouts of some tasks, which are the draws from number `draw` on: a task that is drawn
    /// again is played otherwise.
    pub fn sample(
        &self,
        agent: &mut dyn Agent,
        tasks: &[TaskRef],
        draw: u64,
        control: &Control,
    ) -> Result<Vec<Sampled>> {
        let mut groups: Vec<Sampled> = tasks.iter().map(Sampled::of).collect();
        let each: Vec<(usize, u64)> = (0..groups.len())
            .flat_map(|g| {
                let name = format!("rollout of draw {}", draw + g as u64);
                Rng::seeds(self.seed, &name, self.rl.group).into_iter().map(move |seed| (g, seed))
            })
            .collect();
        let mut begin = each.iter().map(|(g, seed)| {
            let id = &tasks[*g].id;
            let begun = budget::under(&control.cancel, || {
                let episode = Episode::open(self.suite, self.split, id, Purpose::Rollout, *seed)?;
                Ok(self.player(episode, *seed))
            });
            (id.clone(), begun)
        });
        let mut over = each.iter().map(|(g, _)| *g);
        self.play(agent, &mut begin, control, &mut |played| {
            let g = over.next().ok_or_else(|| Error::new("a rollout too many"))?;
            match played {
                Some(played) => groups[g].add(played, None, self.rl.invalid),
                None => groups[g].broken += 1,
            }
            Ok(())
        })?;
        if self.rl.method.forks() {
            self.fork(agent, &mut groups, draw, control)?;
        }
        Ok(groups)
    }

    fn player(&self, mut episode: Episode, seed: u64) -> Player {
        episode.limit = episode.limit.min(self.rl.limit);
        Player::new(episode, seed).keeping_choices()
    }

    /// Plays; `each` is given what was played, in order, and nothing where a world failed.
    fn play(
        &self,
        agent: &mut dyn Agent,
        begin: &mut dyn Iterator<Item = Begun>,
        control: &Control,
        each: &mut dyn FnMut(Option<Played>) -> Result<()>,
    ) -> Result<()> {
        let at_once = at_once(agent, self.suite);
        let play = Play { temperature: self.rl.temperature, ..Play::default() }.by(agent);
        let (mut ended, mut broken_off) = (0, BrokenOff::default());
        roll_out(agent, begin, at_once, play, control, &mut |told| {
            let Told::Ended(over) = told else { return Ok(()) };
            match *over {
                Ok(played) => {
                    ended += 1;
                    each(Some(played))
                }
                Err(broken) => {
                    broken_off.add(broken, ended)?;
                    each(None)
                }
            }
        })?;
        // Where no world came to its end there is nothing to learn from.
        broken_off.first(ended).map(drop)
    }

    /// Plays on from states of the rollouts.
    fn fork(
        &self,
        agent: &mut dyn Agent,
        groups: &mut [Sampled],
        draw: u64,
        control: &Control,
    ) -> Result<()> {
        let mut wanted = Vec::new();
        for (g, group) in groups.iter().enumerate() {
            for (of, rollout) in group.rollouts.iter().enumerate() {
                let name = format!("forks of draw {} {of}", draw + g as u64);
                let mut rng = Rng::stream(self.seed, &name);
                for at in places(self.rl, rollout, &mut rng) {
                    wanted.extend(self.continuations(group, g, of, at, &mut rng));
                }
            }
        }
        let mut found: Vec<(usize, Fork, Vec<Visit>, Played)> = Vec::new();
        let mut broken = Vec::new();
        if !wanted.is_empty() {
            let groups = &*groups;
            let mut worlds: HashMap<(usize, usize), Worlds<'_>> = HashMap::new();
            let mut begin = wanted.iter().map(|want| {
                let group = &groups[want.group];
                let begun =
                    budget::under(&control.cancel, || self.continued(group, want, &mut worlds));
                (group.task.id.clone(), begun)
            });
            let mut over = wanted.iter();
            self.play(agent, &mut begin, control, &mut |played| {
                let want = over.next().ok_or_else(|| Error::new("a fork too many"))?;
                let Some(played) = played else {
                    broken.push(want.group);
                    return Ok(());
                };
                let visits = &groups[want.group].rollouts[want.fork.of].visits;
                let mut way = visits[..want.fork.at].to_vec();
                if let (Some((_, place)), Some(step)) =
                    (&want.first, played.trajectory.steps.get(want.fork.at))
                {
                    let here = &visits[want.fork.at];
                    way.push(Visit { chosen: *place, reward: step.reward, ..here.clone() });
                }
                found.push((want.group, want.fork, way, played));
                Ok(())
            })?;
        }
        for g in broken {
            groups[g].broken += 1;
        }
        for (g, fork, way, played) in found {
            groups[g].add(played, Some((fork, &way)), self.rl.invalid);
        }
        Ok(())
    }

    /// What is played on from a state.
    fn continuations(
        &self,
        group: &Sampled,
        g: usize,
        of: usize,
        at: usize,
        rng: &mut Rng,
    ) -> Vec<Wanted> {
        let visit = &group.rollouts[of].visits[at];
        let given = self.rl.method == Method::Forks;
        let fork = Fork { of, at, given };
        if !given {
            let one = |_| Wanted { group: g, fork, first: None, seed: rng.next_u64() };
            return (0..self.rl.width).map(one).collect();
        }
        // The rollout's own action is the first of `width` that are drawn without replacement: the
        // others are the largest of log-probabilities with Gumbel noise (Kool et al. 2019).
        let list = group.trajectories[of].listed_at(at);
        let mut drawn: Vec<(f64, usize)> = visit
            .logs
            .iter()
            .enumerate()
            .filter(|(action, _)| *action != visit.chosen)
            .map(|(action, log)| (log - (-(1.0 - rng.unit()).ln()).ln(), action))
            .collect();
        drawn.sort_by(|a, b| b.0.total_cmp(&a.0));
        drawn
            .into_iter()
            .take(self.rl.width.saturating_sub(1))
            .filter_map(|(_, action)| {
                let first = Some((list.get(action)?.clone(), action));
                Some(Wanted { group: g, fork, first, seed: rng.next_u64() })
            })
            .collect()
    }

    /// A continuation at its beginning.
    fn continued<'a>(
        &'a self,
        group: &Sampled,
        want: &Wanted,
        worlds: &mut HashMap<(usize, usize), Worlds<'a>>,
    ) -> Result<Player> {
        let Fork { of, at, .. } = want.fork;
        let whole = &group.trajectories[of];
        // Continuations come in the order of what they continue: its worlds are needed no more.
        worlds.retain(|key, _| *key == (want.group, of));
        let of_it = match worlds.entry((want.group, of)) {
            std::collections::hash_map::Entry::Occupied(there) => there.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(Worlds::of(self.suite, whole)?)
            }
        };
        let env = of_it.give(&way(&whole.steps)[..at])?;
        let mut trajectory = Trajectory { seed: want.seed, ..whole.clone() };
        trajectory.steps.truncate(at);
        let (experts, limit) = (Experts::new(Vec::new()), group.limit);
        let mut episode = Episode { env, experts, limit, trajectory };
        if let Some((action, _)) = &want.first {
            episode.act(action, POLICY)?;
        }
        Ok(self.player(episode, want.seed))
    }
}

/// The states of a rollout at which it is forked. Whether one is follows from what was known there, and
/// from a coin: a state that were chosen by what came after it would bias what is learnt in it.
pub fn places(rl: &Rl, rollout: &Rollout, rng: &mut Rng) -> Vec<usize> {
    let steps = rollout.visits.len();
    if rl.method == Method::VinePpo {
        // At the same steps of every rollout: what is between two is worth one value.
        let fixed = (1..=rl.forks).map(|i| i * rl.limit / (rl.forks + 1));
        let mut places: Vec<usize> = fixed.filter(|at| *at > 0 && *at < steps).collect();
        places.dedup();
        return places;
    }
    let first = usize::from(rl.method == Method::Tree);
    let share = (OFTEN * rl.forks as f64 / rl.limit as f64).min(1.0);
    let mut places = Vec::new();
    for t in first..steps {
        // A choice that is none teaches nothing. The coin is thrown in every state, or those after
        // would be others.
        let is_drawn = rng.unit() < share;
        let unsure = entropy(&rollout.visits[t]) > SURE;
        if unsure && is_drawn && places.len() < rl.forks {
            places.push(t);
        }
    }
    places
}

/// A policy of less entropy (nats) is sure.
const SURE: f64 = 0.05;

/// How much more often a state is drawn than the forks of an episode have room: few are as long as
/// they may be, and sure states are none.
const OFTEN: f64 = 3.0;

/// Of the policy in a state, in nats; 0 where the action was written.
pub(super) fn entropy(visit: &Visit) -> f64 {
    -visit.logs.iter().map(|log| log * log.exp()).sum::<f64>()
}

/// Plays some games as an evaluation does, and returns how many were won, of how many.
pub fn validate(
    sampler: &Sampler<'_>,
    agent: &mut dyn Agent,
    tasks: &[TaskRef],
    control: &Control,
) -> Result<(u64, u64)> {
    let play = Play { temperature: 0.4, seed: 1, ..Play::default() }.by(agent);
    let at_once = at_once(agent, sampler.suite);
    let mut begin = tasks.iter().map(|task| {
        let begun = budget::under(&control.cancel, || {
            let opened =
                Episode::open(sampler.suite, sampler.split, &task.id, Purpose::Rollout, 1)?;
            Ok(Player::new(opened, 1))
        });
        (task.id.clone(), begun)
    });
    let (won, n, broken_off) = wins(agent, &mut begin, at_once, play, control)?;
    broken_off.first(n)?;
    Ok((won, n))
}
