//! On-policy states: a mind plays training games, and an expert says what it would have done in the
//! states that this comes through (DAgger: Ross, Gordon and Bagnell 2011). It needs an expert that
//! can be asked anywhere, which the paper does not assume.

use serde_json::{Value, json};

use super::Report;
use crate::agent::Agent;
use crate::budget;
use crate::control::{Control, Meter};
use crate::env::{NoAdvice, Suite};
use crate::episode::{
    BrokenOff, Episode, Play, Player, Scope, Teacher, Told, Worlds, choose, roll_out, try_action,
    way,
};
use crate::error::{Error, Result};
use crate::experience::{Branch, Membership, Purpose, Trajectory};
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

/// A visit of every game of a scope, with the expert's answers in its states; each is kept whole or
/// not at all. A game that this mind has visited by this seed is passed over.
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
    let visitor = agent.name();
    let known = store.visited(suite.name(), &scope.split, (&visitor, play.seed))?;
    let mut tasks = choose(suite, scope)?;
    let wanted = tasks.len();
    tasks.retain(|task| !known.contains(&task.id));
    let before = (wanted - tasks.len()) as u64;
    let meter = Meter::new("visits", before, wanted as u64);
    if before > 0 {
        report(
            json!({"visited_before": before, "by": visitor, "seed": play.seed}),
            meter.at(before),
        );
    }
    let at_once = agent.can().at_once.min(suite.instances().unwrap_or(usize::MAX));
    let begin = |task: &str| {
        let opened = Episode::open(suite, &scope.split, task, Purpose::Visit, play.seed);
        opened.map(|mut episode| {
            episode.trajectory.actor.clone_from(&visitor);
            Player::new(episode, play.seed)
        })
    };
    let mut open = tasks
        .iter()
        .map(|task| (task.id.clone(), budget::under(&control.cancel, || begin(&task.id))));
    let mut over = before;
    let mut broken_off = BrokenOff::default();
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
        over += 1;
        let played = match played {
            Ok(played) => played,
            Err(broken) => {
                report(
                    json!({"skipped": broken.task_id, "why": broken.why.message()}),
                    meter.at(over),
                );
                return broken_off.add(broken, over);
            }
        };
        let visit = played.trajectory;
        let states = drawn(&visit, answers(&visit.task_id), scope.seed);
        let given = answers_in(suite, &visit, &states, (teacher, &pool), control)?;
        let id = store.add_visit(&visit, &given)?;
        let agreed = given
            .iter()
            .filter(|one| visit.steps[one.branch.t].action == one.branch.action)
            .count();
        let row = json!({
            "trajectory": id, "task_id": visit.task_id, "kind": visit.kind, "pool": pool,
            "steps": visit.steps.len(), "success": visit.success(), "answers": given.len(),
            "as_the_expert": agreed,
        });
        report(row, meter.at(over));
        Ok(())
    })?;
    broken_off.first(over).map(drop)
}

/// The states of a visit that the expert is asked in: all, or as many as there may be.
fn drawn(visit: &Trajectory, most: usize, seed: u64) -> Vec<usize> {
    let mut states: Vec<usize> = (0..visit.steps.len()).collect();
    if states.len() > most {
        let place = format!("answers {} {}", visit.task_id, visit.actor);
        Rng::stream(seed, &place).shuffle(&mut states);
        states.truncate(most);
        states.sort_unstable();
    }
    states
}

/// What an expert does in some states of a visit, executed. Where it does not know, there is no
/// answer.
fn answers_in(
    suite: &dyn Suite,
    visit: &Trajectory,
    states: &[usize],
    (teacher, pool): (Teacher<'_>, &str),
    control: &Control,
) -> Result<Vec<Drawn>> {
    let mut worlds = Worlds::of(suite, visit)?;
    let way = way(&visit.steps);
    let mut given = Vec::new();
    for &t in states {
        control.cancel.check()?;
        let advice = worlds.look(&way[..t], |env, experts| {
            teacher
                .expert(experts)
                .map(|expert| (expert.name(), expert.advise(env, &control.cancel)))
        })??;
        let (expert, action) = match advice {
            (expert, Ok(advice)) => (expert, advice.action),
            (_, Err(NoAdvice::Cancelled)) => return Err(Error::cancelled()),
            (_, Err(_)) => continue,
        };
        let trial = try_action(&mut worlds, &way[..t], &action, None, false)?;
        let branch = Branch {
            id: 0,
            trajectory: 0,
            t,
            action,
            source: expert.to_string(),
            observation: trial.turn.observation.to_string(),
            effect: trial.effect,
            reward: trial.turn.reward,
            done: trial.turn.done,
            success: trial.turn.success,
            created_ms: 0,
        };
        let source = branch.source.clone();
        let place = Membership { pool: pool.to_string(), rank: 0, source, model: String::new() };
        given.push(Drawn { branch, place });
    }
    Ok(given)
}
