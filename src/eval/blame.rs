//! Where an episode was lost: how often a policy still wins from each of its states, by forks.
//!
//! From the state before every step, and from the last one, a mind plays on several times. What is
//! suspected is the step that best parts the states into those from which it still wins and those from
//! which it wins less (the split of largest likelihood, one share on each side): a drop that later states
//! make good again is none. A step chosen as the largest of many looks worse than it is, so the
//! states before and after it are asked once more with fresh forks, and only these say how much was lost
//! there: where Newcombe's 95 % interval of the two new shares lies above 0, the step is to blame.

use serde::Serialize;

use crate::agent::Agent;
use crate::budget;
use crate::control::{Control, Meter, Progress};
use crate::env::{Experts, Suite};
use crate::episode::{Episode, Play, Player, Worlds, at_once, way, wins};
use crate::error::Result;
use crate::experience::{Trajectory, at_least, newcombe, wilson};
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
    /// How much less often the mind wins after it, by forks that had no part in choosing it.
    pub drop: f64,
    /// 95 % interval of that.
    pub interval: (f64, f64),
    /// Whether the interval is without 0: else the step is the likeliest, and may be so by chance.
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
            return format!("{} loses nothing for good after any step", self.mind);
        };
        let points = |x: &f64| format!("{:.0}", 100.0 * x);
        if *drop <= 0.0 {
            return format!(
                "step {}, {action}, was suspected, and by fresh forks {} loses nothing there",
                t + 1,
                self.mind
            );
        }
        let head = if *is_certain { "lost at" } else { "likeliest lost at, which may be chance:" };
        format!(
            "{head} step {}, {action}: {} wins {} points less often after it [{}, {}], by fresh forks",
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

/// The logarithm of the likelihood of so many wins, at the share that makes them likeliest.
fn likelihood(won: u64, n: u64) -> f64 {
    let (won, n) = (won as f64, n as f64);
    let part = |k: f64| if k > 0.0 { k * (k / n).ln() } else { 0.0 };
    part(won) + part(n - won)
}

/// How much of a drop a later state has to make good again for it not to count as lost there; and how
/// rarely it would do that by chance, in all later states together.
const AGAIN_WON: (f64, f64) = (0.75, 0.05);

/// The step that best parts the states into those before it, from which the mind wins more often, and
/// those after it, none of which is as good again; none where nothing falls for good.
fn suspect(chances: &[Chance]) -> Option<usize> {
    let sum = |all: &[Chance]| {
        all.iter().fold((0, 0), |(won, n), chance| (won + chance.won, n + chance.n))
    };
    let share = |(won, n): (u64, u64)| (n > 0).then(|| won as f64 / n as f64);
    let falls = |t: &usize| {
        let (before, after) = (share(sum(&chances[..=*t])), share(sum(&chances[*t + 1..])));
        let Some((before, after)) = before.zip(after) else { return false };
        let later = &chances[*t + 1..];
        let good = after + AGAIN_WON.0 * (before - after);
        let rare = AGAIN_WON.1 / later.len() as f64;
        let again = |one: &Chance| {
            one.n > 0 && one.share() >= good && at_least(one.won, one.n, after) < rare
        };
        before > after && !later.iter().any(again)
    };
    let likely = |t: usize| {
        let ((a, m), (b, n)) = (sum(&chances[..=t]), sum(&chances[t + 1..]));
        likelihood(a, m) + likelihood(b, n)
    };
    // Of equal ones the first.
    let steps = (0..chances.len().saturating_sub(1)).filter(falls);
    steps.rev().max_by(|a, b| likely(*a).total_cmp(&likely(*b)))
}

/// A mind that plays on from the states of a trajectory.
struct Asking<'a> {
    suite: &'a dyn Suite,
    trajectory: &'a Trajectory,
    agent: &'a mut dyn Agent,
    play: Play,
    limit: usize,
    control: &'a Control,
}

impl Asking<'_> {
    /// How often it wins from some states, in their order; `stream` names its seeds.
    fn from(
        &mut self,
        states: &[usize],
        (forks, stream): (usize, &str),
        each: &mut dyn FnMut(&Chance),
    ) -> Result<Vec<Chance>> {
        let Self { suite, trajectory, control, play, limit, .. } = *self;
        let at_once = at_once(self.agent, suite);
        let mut worlds = Worlds::of(suite, trajectory)?;
        let legs = way(&trajectory.steps);
        let mut found = Vec::with_capacity(states.len());
        for t in states.iter().copied() {
            control.checkpoint()?;
            // A state that ends the episode is what it is.
            let ended = t.checked_sub(1).and_then(|t| trajectory.steps.get(t)).filter(|s| s.done);
            let (won, n) = if let Some(step) = ended {
                (if step.success { forks as u64 } else { 0 }, forks as u64)
            } else {
                let seeds = Rng::seeds(play.seed, &format!("{stream} {t}"), forks);
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
                let (won, n, _) = wins(self.agent, &mut begin, at_once, play, control)?;
                (won, n)
            };
            let chance = Chance { t, won, n, interval: wilson(won, n) };
            each(&chance);
            found.push(chance);
        }
        Ok(found)
    }
}

/// Who is asked, in a sentence.
pub fn who_plays_on(mind: &str, forks: usize, actor: &str) -> String {
    let of = if mind == actor { String::new() } else { format!(", where {actor} played") };
    format!("{mind} plays on {forks} times from every state{of}")
}

/// Fresh forks of the two states around a suspected step, in multiples of those of every state.
const AGAIN: usize = 2;

/// Plays on `forks` times from every state of a trajectory, and more often around the step that is
/// suspected; `each` is told of a state of the first round once it is known, and how far it is.
pub fn blame(
    suite: &dyn Suite,
    trajectory: &Trajectory,
    agent: &mut dyn Agent,
    (forks, play): (usize, Play),
    control: &Control,
    each: &mut dyn FnMut(Option<&Chance>, Progress),
) -> Result<Blame> {
    let (play, mind) = (play.by(agent), agent.name());
    let states: Vec<usize> = (0..=trajectory.steps.len()).collect();
    let all = (states.len() + 2 * AGAIN) as u64;
    let (meter, mut done) = (Meter::new("states", 0, all), 0);
    let limit = suite.open(&trajectory.task_id)?.limit;
    let mut asking = Asking { suite, trajectory, agent, play, limit, control };
    let chances = asking.from(&states, (forks, "blame"), &mut |chance| {
        done += 1;
        each(Some(chance), meter.at(done));
    })?;
    let mut step = None;
    if let Some(t) = suspect(&chances) {
        let fresh = asking.from(&[t, t + 1], (AGAIN * forks, "blame again"), &mut |_| {
            done += AGAIN as u64;
            each(None, meter.at(done));
        })?;
        if let ([before, after], Some(of)) = (&fresh[..], trajectory.steps.get(t)) {
            let (drop, interval) = difference(before, after);
            let (action, is_certain) = (of.action.clone(), interval.0 > 0.0);
            step = Some(Step { t, action, drop, interval, is_certain });
        }
    }
    each(None, meter.at(all));
    Ok(Blame { trajectory: trajectory.id, mind, chances, step })
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
            blame(suite.as_ref(), &whole, agent.as_mut(), (8, play), &control, &mut |state, _| {
                told += usize::from(state.is_some());
            })
            .unwrap();
        assert_eq!((told, found.chances.len()), (whole.steps.len() + 1, whole.steps.len() + 1));
        assert_eq!(found.chances.last().unwrap().won, 0, "no step is left");
        let step = found.step.unwrap();
        assert!(step.t >= trajectory.steps.len(), "the demonstration is not to blame: {step:?}");
        assert!(found.chances[0].won > 0);
    }

    fn chances(won: &[u64]) -> Vec<Chance> {
        won.iter().enumerate().map(|(t, won)| chance(t, *won)).collect()
    }

    #[test]
    fn what_is_suspected_is_the_drop_that_lasts() {
        assert_eq!(suspect(&chances(&[16, 16, 8, 8, 0])), Some(1));
        assert_eq!(suspect(&chances(&[9, 8, 9, 6, 6])), Some(2));
        assert_eq!(suspect(&chances(&[2, 3, 3, 3, 16])), None);
        assert_eq!(suspect(&chances(&[0, 0, 0])), None);
        // Made good again, twice.
        assert_eq!(suspect(&chances(&[16, 2, 16, 0, 0])), Some(2));
        let twice = [16, 16, 2, 2, 15, 16, 0, 0, 0, 16, 0, 0, 0, 0];
        assert_eq!(suspect(&chances(&twice)), Some(9));
        // A state whose forks were all broken off says nothing.
        let mut broken = chances(&[16, 16, 0, 0, 0]);
        (broken[2].won, broken[2].n) = (0, 0);
        assert_eq!(suspect(&broken), Some(1));
    }

    #[test]
    fn where_nothing_is_lost_hardly_a_step_is_blamed_and_where_it_is_that_one() {
        const EPISODES: u64 = 400;
        let mut rng = Rng::stream(1, "blame");
        let mut named = |shares: &dyn Fn(usize) -> f64| -> Option<usize> {
            let mut ask = |t: usize, n: u64| {
                let won = (0..n).filter(|_| rng.unit() < shares(t)).count() as u64;
                Chance { t, won, n, interval: wilson(won, n) }
            };
            let found: Vec<Chance> = (0..30).map(|t| ask(t, 16)).collect();
            let t = suspect(&found)?;
            let (before, after) = (ask(t, 32), ask(t + 1, 32));
            (difference(&before, &after).1.0 > 0.0).then_some(t)
        };
        let false_ones = (0..EPISODES).filter(|_| named(&|_| 0.5).is_some()).count();
        assert!(false_ones <= 20, "{false_ones} of 400 where nothing was lost"); // 5 %
        let drop = |t: usize| if t <= 20 { 0.5 } else { 0.1 };
        let found: Vec<Option<usize>> = (0..EPISODES).map(|_| named(&drop)).collect();
        let right = found.iter().filter(|t| **t == Some(20)).count();
        let wrong = found.iter().filter(|t| t.is_some_and(|t| t != 20)).count();
        assert!(right >= 280 && wrong <= 20, "{right} right, {wrong} wrong");
    }
}
