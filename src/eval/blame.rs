//! Where an episode was lost: how often a policy still wins from each of its states, by forks.
//!
//! From the state before every step, and from the last one, a mind plays on several times. The step to
//! blame is the first one after which it wins less often than before it, by more than chance: Newcombe's
//! 95 % interval of the difference of the two shares lies below 0. Each pair of neighbours is held
//! against each other by itself, so of many steps one may be named by chance.

use serde::Serialize;

use crate::agent::Agent;
use crate::budget;
use crate::control::{Control, Meter, Progress};
use crate::env::{Experts, Suite};
use crate::episode::{Episode, Play, Player, Worlds, at_once, way, wins};
use crate::error::Result;
use crate::experience::{Trajectory, newcombe, wilson};
use crate::rng::Rng;

/// What a mind made of a state.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chance {
    /// The state: before step `t`, counted from 0.
    pub t: usize,
    /// Forks that were won.
    pub won: u64,
    /// Forks that came to their end.
    pub n: u64,
    /// Wilson 95 % interval of the ratio.
    pub interval: (f64, f64),
}

impl Chance {
    fn share(&self) -> f64 {
        if self.n == 0 { 0.0 } else { self.won as f64 / self.n as f64 }
    }
}

/// The step to blame.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Which, counted from 0: it was done in the state of that number.
    pub t: usize,
    /// What was done.
    pub action: String,
    /// How much less often the mind wins after it.
    pub drop: f64,
    /// 95 % interval of that.
    pub interval: (f64, f64),
    /// Whether the interval is without 0: else it is the largest drop there is.
    pub is_certain: bool,
}

/// How an episode fares, state by state.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Blame {
    /// The trajectory.
    pub trajectory: i64,
    /// Who plays on.
    pub mind: String,
    /// Every state.
    pub chances: Vec<Chance>,
    /// The step to blame; none where nothing was lost.
    pub step: Option<Step>,
}

impl Blame {
    /// In a sentence.
    pub fn in_words(&self) -> String {
        if self.chances.iter().all(|chance| chance.won == 0) {
            return format!("{} wins from none of its states: nothing can be said", self.mind);
        }
        let Some(Step { t, action, drop, interval: (low, high), is_certain }) = &self.step else {
            return format!("{} wins no less often after any step", self.mind);
        };
        let points = |x: &f64| format!("{:.0}", 100.0 * x);
        let head = if *is_certain { "lost at" } else { "most is lost at, which may be chance:" };
        format!(
            "{head} step {}, {action}: {} wins {} points less often after it [{}, {}]",
            t + 1,
            self.mind,
            points(drop),
            points(low),
            points(high)
        )
    }
}

/// The difference of two shares with Newcombe's interval (his method 10, from Wilson's).
fn difference(before: &Chance, after: &Chance) -> (f64, (f64, f64)) {
    let (a, b) = (before.share(), after.share());
    (a - b, newcombe((a, before.interval), (b, after.interval)))
}

/// The step to blame, of the chances of all states.
fn step_of(chances: &[Chance], trajectory: &Trajectory) -> Option<Step> {
    let all = chances.windows(2).filter_map(|pair| {
        let [before, after] = pair else { return None };
        let (drop, interval) = difference(before, after);
        let action = trajectory.steps.get(before.t)?.action.clone();
        let is_certain = interval.0 > 0.0;
        (drop > 0.0).then_some(Step { t: before.t, action, drop, interval, is_certain })
    });
    let all: Vec<Step> = all.collect();
    let first = all.iter().find(|step| step.is_certain);
    // Of equal ones the first.
    let largest = all.iter().rev().max_by(|a, b| a.drop.total_cmp(&b.drop));
    first.or(largest).cloned()
}

/// Plays on `forks` times from every state of a trajectory; `each` is told of a state once it is
/// known. A state that ends the episode is what it is.
pub fn blame(
    suite: &dyn Suite,
    trajectory: &Trajectory,
    agent: &mut dyn Agent,
    (forks, play): (usize, Play),
    control: &Control,
    each: &mut dyn FnMut(&Chance, Progress),
) -> Result<Blame> {
    let play = play.by(agent);
    let states = trajectory.steps.len() + 1;
    let meter = Meter::new("states", 0, states as u64);
    let at_once = at_once(agent, suite);
    let limit = suite.open(&trajectory.task_id)?.limit;
    let mut worlds = Worlds::of(suite, trajectory)?;
    let legs = way(&trajectory.steps);
    let mut chances: Vec<Chance> = Vec::with_capacity(states);
    for t in 0..states {
        control.checkpoint()?;
        let ended = t.checked_sub(1).and_then(|t| trajectory.steps.get(t)).filter(|s| s.done);
        let (won, n) = if let Some(step) = ended {
            (if step.success { forks as u64 } else { 0 }, forks as u64)
        } else {
            let seeds = Rng::seeds(play.seed, &format!("blame {t}"), forks);
            let mut begin = seeds.iter().map(|seed| {
                let begun = budget::under(&control.cancel, || {
                    let env = worlds.give(&legs[..t])?;
                    let mut before = Trajectory { id: 0, ..trajectory.clone() };
                    before.steps.truncate(t);
                    let experts = Experts::new(Vec::new());
                    let episode = Episode { env, experts, limit, trajectory: before };
                    Ok(Player::new(episode, *seed))
                });
                (trajectory.task_id.clone(), begun)
            });
            let (won, n, _) = wins(agent, &mut begin, at_once, play, control)?;
            (won, n)
        };
        let chance = Chance { t, won, n, interval: wilson(won, n) };
        each(&chance, meter.at(t as u64 + 1));
        chances.push(chance);
    }
    let step = step_of(&chances, trajectory);
    Ok(Blame { trajectory: trajectory.id, mind: agent.name(), chances, step })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent;
    use crate::env::open_suite;
    use crate::episode::{Scope, Teacher, choose};
    use crate::experience::Purpose;
    use crate::model::BuiltIn;
    use crate::model::team::Priority;

    fn chance(t: usize, won: u64) -> Chance {
        Chance { t, won, n: 16, interval: wilson(won, 16) }
    }

    #[test]
    fn newcombes_interval_is_the_published_one() {
        // His example: 56 of 70 and 48 of 80, 0.2000 [0.0524, 0.3339].
        let of = |won, n| Chance { t: 0, won, n, interval: wilson(won, n) };
        let (drop, (low, high)) = difference(&of(56, 70), &of(48, 80));
        assert!((drop - 0.2).abs() < 1e-9);
        assert!((low - 0.0524).abs() < 1e-4 && (high - 0.3339).abs() < 1e-4, "{low} {high}");
    }

    /// A game that the embedded model mostly wins, spoilt half way: what it holds is put away where
    /// it does not belong, until the steps run out.
    #[test]
    fn the_step_that_spoils_a_game_is_found() {
        let suite = open_suite("household", None).unwrap();
        let scope = Scope { split: "seen".into(), games: 1, seed: 5, share: None };
        let task = choose(suite.as_ref(), &scope).unwrap().remove(0);
        let mut episode =
            Episode::open(suite.as_ref(), "seen", &task.id, Purpose::Evaluation, 1).unwrap();
        let control = Control::default();
        episode.demonstrate(Teacher::Suite(None), &control.cancel).unwrap().unwrap();
        let mut trajectory = episode.trajectory;
        // All but the last step, then nothing but looking around until one step is left.
        let mut spoilt =
            Episode::open(suite.as_ref(), "seen", &task.id, Purpose::Evaluation, 1).unwrap();
        trajectory.steps.pop();
        for step in &trajectory.steps {
            spoilt.act(&step.action, "test").unwrap();
        }
        let spoil = spoilt.limit - trajectory.steps.len() - 1;
        for _ in 0..spoil {
            spoilt.act("look", "test").unwrap();
        }
        let whole = spoilt.trajectory;
        let model = BuiltIn::ALL[0].files().build("embedded").unwrap();
        let mut agent = agent::local(model, Priority::Interactive).unwrap();
        let play = Play { temperature: 0.4, seed: 1, ..Play::default() };
        let mut told = 0;
        let found =
            blame(suite.as_ref(), &whole, agent.as_mut(), (8, play), &control, &mut |_, _| {
                told += 1;
            })
            .unwrap();
        assert_eq!((told, found.chances.len()), (whole.steps.len() + 1, whole.steps.len() + 1));
        assert_eq!(found.chances.last().unwrap().won, 0, "no step is left");
        let step = found.step.unwrap();
        assert!(step.t >= trajectory.steps.len(), "the demonstration is not to blame: {step:?}");
        assert!(found.chances[0].won > 0);
    }

    #[test]
    fn a_certain_drop_comes_before_a_larger_one_and_a_rise_is_none() {
        let suite = open_suite("household", None).unwrap();
        let task = suite.tasks("seen").unwrap().remove(0);
        let mut episode =
            Episode::open(suite.as_ref(), "seen", &task.id, Purpose::Evaluation, 1).unwrap();
        for _ in 0..4 {
            episode.act("look", "test").unwrap();
        }
        let trajectory = episode.trajectory;
        let of = |won: [u64; 5]| -> Vec<Chance> {
            won.into_iter().enumerate().map(|(t, won)| chance(t, won)).collect()
        };
        let step = step_of(&of([16, 16, 8, 8, 0]), &trajectory).unwrap();
        assert_eq!((step.t, step.is_certain), (1, true));
        let step = step_of(&of([9, 8, 9, 6, 6]), &trajectory).unwrap();
        assert_eq!((step.t, step.is_certain), (2, false));
        assert!(step_of(&of([2, 3, 3, 3, 16]), &trajectory).is_none());
    }
}
