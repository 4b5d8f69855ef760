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
use crate::episode::{Begun, Broken, Episode, Play, Played, Player, Told, Worlds, roll_out, way};
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
}

impl Sampled {
    fn of(task: &TaskRef) -> Self {
        let (trajectories, rollouts) = (Vec::new(), Vec::new());
        Self { task: task.clone(), trajectories, rollouts, invalid: 0, limit: 0 }
    }

    fn add(&mut self, played: Played, fork: Option<(Fork, &[Visit])>, cost: f64) {
        let Played { trajectory, acted, invalid, limit, .. } = played;
        self.limit = limit;
        // What stands before its own choices was another's.
        let (fork, before) = fork.map_or((None, &[][..]), |(fork, way)| (Some(fork), way));
        let mut visits = before.to_vec();
        let own = &trajectory.steps[visits.len()..];
        visits.extend(acted.into_iter().zip(own).map(|(acted, step)| {
            let written = || digest::of([step.action.as_str()]) as usize;
            let chosen = if acted.logs.is_empty() { written() } else { acted.chosen };
            Visit { state: acted.state, logs: acted.logs, chosen, reward: step.reward }
        }));
        // Which of them could not be sent is not told apart: the cost is the last one's.
        if let Some(last) = visits.last_mut() {
            last.reward -= cost * invalid as f64;
        }
        self.invalid += invalid;
        self.trajectories.push(trajectory);
        self.rollouts.push(Rollout { visits, fork });
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
    /// The rollouts of some tasks at an update. Told is what is over, of how many.
    pub fn sample(
        &self,
        agent: &mut dyn Agent,
        tasks: &[TaskRef],
        update: u64,
        control: &Control,
    ) -> Result<Vec<Sampled>> {
        let mut groups: Vec<Sampled> = tasks.iter().map(Sampled::of).collect();
        let seeds = Rng::seeds(self.seed, &format!("rollout of update {update}"), self.rl.group);
        let each: Vec<(usize, u64)> =
            (0..groups.len()).flat_map(|g| seeds.iter().map(move |seed| (g, *seed))).collect();
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
            if let Some(played) = played {
                groups[g].add(played, None, self.rl.invalid);
            }
            Ok(())
        })?;
        if self.rl.method.forks() {
            self.fork(agent, &mut groups, update, control)?;
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
        let at_once = agent.can().at_once.min(self.suite.instances().unwrap_or(usize::MAX));
        let play = Play { temperature: self.rl.temperature, ..Play::default() }.by(agent);
        let (mut ended, mut broken) = (0, 0);
        roll_out(agent, begin, at_once, play, control, &mut |told| {
            let Told::Ended(over) = told else { return Ok(()) };
            match *over {
                Ok(played) => {
                    ended += 1;
                    each(Some(played))
                }
                Err(Broken { task_id, why }) => {
                    broken += 1;
                    if broken >= 8 && broken > ended {
                        return Err(why.at(task_id));
                    }
                    each(None)
                }
            }
        })
    }

    /// Plays on from states of the rollouts.
    fn fork(
        &self,
        agent: &mut dyn Agent,
        groups: &mut [Sampled],
        update: u64,
        control: &Control,
    ) -> Result<()> {
        let mut wanted = Vec::new();
        for (g, group) in groups.iter().enumerate() {
            for (of, rollout) in group.rollouts.iter().enumerate() {
                let name = format!("fork of update {update} {} {of}", group.task.id);
                let mut rng = Rng::stream(self.seed, &name);
                for at in self.places(rollout) {
                    wanted.extend(self.continuations(group, g, of, at, &mut rng));
                }
            }
        }
        let mut found: Vec<(usize, Fork, Vec<Visit>, Played)> = Vec::new();
        {
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
                let Some(played) = played else { return Ok(()) };
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
        for (g, fork, way, played) in found {
            groups[g].add(played, Some((fork, &way)), self.rl.invalid);
        }
        Ok(())
    }

    /// The states of a rollout at which it is forked.
    fn places(&self, rollout: &Rollout) -> Vec<usize> {
        let steps = rollout.visits.len();
        let most = self.rl.forks;
        if self.rl.method == Method::VinePpo {
            // Evenly: what is between two is worth one value.
            let count = most.min(steps.saturating_sub(1));
            let mut places: Vec<usize> = (1..=count).map(|i| i * steps / (count + 1)).collect();
            places.retain(|at| *at > 0);
            places.dedup();
            return places;
        }
        // Where the policy is least sure: a choice that is none teaches nothing.
        let first = usize::from(self.rl.method == Method::Tree);
        let entropy = |visit: &Visit| -visit.logs.iter().map(|log| log * log.exp()).sum::<f64>();
        let mut places: Vec<(f64, usize)> =
            (first..steps).map(|t| (entropy(&rollout.visits[t]), t)).collect();
        places.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut places: Vec<usize> = places
            .into_iter()
            .take(most)
            .filter(|(entropy, _)| *entropy > 1e-3)
            .map(|(_, t)| t)
            .collect();
        places.sort_unstable();
        places
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

/// Plays some games as an evaluation does, and returns how many were won, of how many.
pub fn validate(
    sampler: &Sampler<'_>,
    agent: &mut dyn Agent,
    tasks: &[TaskRef],
    control: &Control,
) -> Result<(u64, u64)> {
    let play = Play { temperature: 0.4, seed: 1, ..Play::default() }.by(agent);
    let at_once = agent.can().at_once.min(sampler.suite.instances().unwrap_or(usize::MAX));
    let mut begin = tasks.iter().map(|task| {
        let begun = budget::under(&control.cancel, || {
            let opened =
                Episode::open(sampler.suite, sampler.split, &task.id, Purpose::Rollout, 1)?;
            Ok(Player::new(opened, 1))
        });
        (task.id.clone(), begun)
    });
    let (mut won, mut n) = (0, 0);
    roll_out(agent, &mut begin, at_once, play, control, &mut |told| {
        let Told::Ended(over) = told else { return Ok(()) };
        if let Ok(played) = *over {
            n += 1;
            won += u64::from(played.trajectory.success());
        }
        Ok(())
    })?;
    Ok((won, n))
}
