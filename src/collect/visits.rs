//! On-policy states: a mind plays training games, and an expert says what it would have done in the
//! states that this comes through (DAgger: Ross, Gordon and Bagnell 2011). It needs an expert that
//! can be asked anywhere, which the paper does not assume.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Report;
use crate::agent::Agent;
use crate::budget;
use crate::control::{Control, Meter};
use crate::env::{NoAdvice, Suite, TaskRef};
use crate::episode::{
    Broken, BrokenOff, Episode, Play, Player, Scope, Teacher, Told, Worlds, choose, roll_out,
    try_action, way,
};
use crate::error::{Error, Result};
use crate::experience::{Membership, Purpose, Trajectory};
use crate::rng::Rng;
use crate::store::{Drawn, Store};

/// Who plays, and who answers.
pub struct Visiting<'a> {
    /// The policy.
    pub agent: &'a mut dyn Agent,
    /// How it chooses.
    pub play: Play,
    /// Who says what to do instead.
    pub teacher: Teacher<'a>,
    /// The pool that the answers stand in.
    pub pool: String,
    /// Answers in a game at most, by its task: in states drawn by the scope's seed where there are
    /// more.
    pub answers: &'a dyn Fn(&str) -> usize,
}

/// Who is asked, where it is written down, and how often.
#[derive(Clone, Copy)]
struct Asking<'a> {
    teacher: Teacher<'a>,
    /// The teacher's name.
    expert: &'a str,
    pool: &'a str,
    /// How the policy played: it stands with every answer.
    how: &'a str,
    answers: &'a dyn Fn(&str) -> usize,
    seed: u64,
}

/// A visit of every game of a scope, with the expert's answers in its states; each is kept whole or
/// not at all, and not where the expert has no answer. A game that this mind has visited by this seed
/// is not played again: only what this expert has not answered yet for this pool is asked. What is
/// played and not answered when the work is called off is played again.
///
/// # Errors
/// Where it was visited before by the same seed and in another way; where the mind or most worlds
/// fail; where a person stops answering.
pub fn visits(
    store: &mut Store,
    suite: &dyn Suite,
    scope: &Scope,
    visiting: Visiting<'_>,
    control: &Control,
    report: Report<'_>,
) -> Result<()> {
    let Visiting { agent, play, teacher, pool, answers } = visiting;
    let play = play.by(agent);
    let how = format!("T {}, {}", play.temperature, play.describe());
    let visitor = agent.name();
    let tasks = choose(suite, scope)?;
    // Who answers, before anything is played.
    let expert = match tasks.first() {
        Some(first) => teacher.expert(&suite.open(&first.id)?.experts)?.name(),
        None => return Ok(()),
    };
    let asking = Asking { teacher, expert, pool: &pool, how: &how, answers, seed: scope.seed };
    let mut meanwhile = store.meanwhile()?;
    let known: BTreeMap<String, i64> =
        store.visited(suite.name(), &scope.split, (&visitor, play.seed))?.into_iter().collect();
    let meter = Meter::new("visits", 0, tasks.len() as u64);
    let mut over = 0;
    let mut broken_off = BrokenOff::default();
    let (again, fresh): (Vec<TaskRef>, Vec<TaskRef>) =
        tasks.into_iter().partition(|task| known.contains_key(&task.id));
    let mut before = 0;
    for (task, id) in again.iter().filter_map(|task| Some((task, *known.get(&task.id)?))) {
        control.checkpoint()?;
        over += 1;
        let given = store.answers(id, None)?;
        if let Some(other) = given.iter().find(|drawn| drawn.place.model != how) {
            return Err(other_way(&task.id, &visitor, &other.place.model, &how));
        }
        let is_own = |drawn: &Drawn| drawn.place.pool == pool && drawn.branch.source == expert;
        if given.iter().any(is_own) {
            before += 1;
            continue;
        }
        let visit = store.trajectory(id)?;
        let row = match asked(suite, &visit, asking, control) {
            Ok(given) => {
                store.add_branches(&given)?;
                row(id, &visit, &given, asking)
            }
            Err(why) => skipped(&visit.task_id, why, over - 1, &mut broken_off)?,
        };
        report(row, meter.at(over));
    }
    if before > 0 {
        let row = json!({"visited_before": before, "by": visitor, "seed": play.seed});
        report(row, meter.at(over));
    }
    // Where there may be few worlds, the one that was played is gone before another is asked.
    let at_once = if suite.instances().is_some() { 1 } else { agent.can().at_once };
    let begin = |task: &str| {
        let opened = Episode::open(suite, &scope.split, task, Purpose::Visit, play.seed);
        opened.map(|mut episode| {
            episode.trajectory.actor.clone_from(&visitor);
            Player::new(episode, play.seed)
        })
    };
    let mut open = fresh
        .iter()
        .map(|task| (task.id.clone(), budget::under(&control.cancel, || begin(&task.id))));
    roll_out(agent, &mut open, at_once, play, control, &mut |told| {
        let played = match told {
            Told::Step { playing, step } => {
                let mut progress = meter.at(over);
                progress.doing = format!("visits, {playing} at step {step},");
                report(Value::Null, progress);
                return Ok(());
            }
            Told::Ended(ended) => *ended,
        };
        let ended = over - broken_off.count;
        over += 1;
        let row = match played {
            Ok(played) => match asked(suite, &played.trajectory, asking, control) {
                Ok(given) => {
                    // Another program may have visited the same meanwhile.
                    match store.add_visit(&played.trajectory, &given, &mut meanwhile)? {
                        Some(id) => row(id, &played.trajectory, &given, asking),
                        None => Value::Null,
                    }
                }
                Err(why) => skipped(&played.trajectory.task_id, why, ended, &mut broken_off)?,
            },
            Err(Broken { task_id, why }) => skipped(&task_id, why, ended, &mut broken_off)?,
        };
        report(row, meter.at(over));
        Ok(())
    })?;
    let ended = over - broken_off.count;
    broken_off.first(ended).map(drop)
}

/// That a game was visited by the same draws and in another way.
fn other_way(task: &str, visitor: &str, was: &str, is: &str) -> Error {
    Error::new(format!("{visitor} has visited {task} by this seed before ({was}), not {is}"))
        .hint("another --seed makes other visits")
}

fn row(id: i64, visit: &Trajectory, given: &[Drawn], asking: Asking<'_>) -> Value {
    let as_expert = |one: &&Drawn| visit.steps[one.branch.t].action == one.branch.action;
    json!({
        "trajectory": id, "task_id": visit.task_id, "kind": visit.kind, "pool": asking.pool,
        "expert": asking.expert, "steps": visit.steps.len(), "success": visit.success(),
        "answers": given.len(), "as_the_expert": given.iter().filter(as_expert).count(),
    })
}

/// A game that came to nothing, in a row; the error itself where it is not of this game alone.
fn skipped(task: &str, why: Error, ended: u64, broken_off: &mut BrokenOff) -> Result<Value> {
    let broken = Broken::of(task, why)?;
    let row = json!({"skipped": task, "why": broken.why.message()});
    broken_off.add(broken, ended)?;
    Ok(row)
}

/// What an expert does in the states of a visit, executed: in all, or in as many drawn ones as there
/// may be answers, passing over those in which it has none.
fn asked(
    suite: &dyn Suite,
    visit: &Trajectory,
    asking: Asking<'_>,
    control: &Control,
) -> Result<Vec<Drawn>> {
    let Asking { teacher, expert, pool, how, answers, seed } = asking;
    let most = answers(&visit.task_id);
    let mut states: Vec<usize> = (0..visit.steps.len()).collect();
    if states.len() > most {
        Rng::stream(seed, &format!("answers {}", visit.task_id)).shuffle(&mut states);
    }
    let mut worlds = Worlds::of(suite, visit)?;
    let way = way(&visit.steps);
    let mut given: Vec<Drawn> = Vec::new();
    let mut silence = None;
    for t in states {
        control.cancel.check()?;
        if given.len() >= most {
            break;
        }
        let advice = worlds.look(&way[..t], |env, experts| {
            teacher.expert(experts).map(|expert| expert.advise(env, &control.cancel))
        })??;
        let action = match (advice, teacher) {
            (Ok(advice), _) => advice.action,
            (Err(NoAdvice::Cancelled), _) => return Err(Error::cancelled()),
            // A person who stops answering ends all of it.
            (Err(why), Teacher::Other(_)) => {
                return Err(Error::usage(format!("{expert}: {why}")));
            }
            (Err(why), Teacher::Suite(_)) => {
                silence = Some(why);
                continue;
            }
        };
        let trial = try_action(&mut worlds, &way[..t], &action, None, false)?;
        let branch = trial.branch(visit.id, t, action, expert.to_string());
        let (pool, source, model) = (pool.to_string(), expert.to_string(), how.to_string());
        given.push(Drawn { branch, place: Membership { pool, rank: 0, source, model } });
    }
    given.sort_by_key(|drawn| drawn.branch.t);
    match silence.filter(|_| given.is_empty()) {
        Some(why) => Err(Error::new(format!("{expert} has no answer there: {why}"))),
        None => Ok(given),
    }
}
