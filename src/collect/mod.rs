//! Bulk collection: demonstrations, executed alternatives, reflections, visits.
//!
//! Each job works through units (games), commits one transaction a unit and only then reports it,
//! and skips what is already there, so running it again resumes it.

mod all;
mod perturbed;
mod proposer;
mod reflections;
mod visits;

use std::collections::{BTreeMap, HashSet};

use rayon::prelude::*;
use serde_json::json;

pub use all::{ASKED, By, Collected, Wanted, all};
pub use proposer::Proposer;
pub use reflections::{Contrast, Faults, Writing, case_at, reflections};
pub use visits::{Visiting, visits};

use crate::budget::under;
use crate::control::{Control, Meter, Progress};
use crate::env::Suite;
use crate::episode::{
    Broken, BrokenOff, Episode, ExpertBaseline, Scope, Teacher, Worlds, choose, try_action, way,
};
use crate::error::{Error, Kind, Result};
use crate::experience::{PERTURBED, POLICY, Purpose, Trajectory, UNIFORM};
use crate::model::team::{Priority, Team};
use crate::store::{Drawn, PoolCount, Store, TrajectorySummary};

/// What a job says while it works: a unit that is safely in the store (null where there is none yet),
/// and how far the job is.
pub type Report<'a> = &'a mut dyn FnMut(serde_json::Value, Progress);

/// Expert trajectories. As in an evaluation, a world that fails says nothing of the others.
pub fn demonstrations(
    store: &mut Store,
    suite: &dyn Suite,
    scope: &Scope,
    teacher: Teacher<'_>,
    control: &Control,
    report: Report<'_>,
) -> Result<()> {
    let mut meanwhile = store.meanwhile()?;
    let have = store.demonstrations(Some(suite.name()), Some(&scope.split))?;
    let have: HashSet<(String, String)> =
        have.into_iter().map(|known| (known.task_id, known.actor)).collect();
    let tasks = choose(suite, scope)?;
    let total = tasks.len() as u64;
    let meter = Meter::new("demonstrations", 0, total);
    // Who demonstrates; the suite's first expert is known by name once a game is open.
    let mut by: Option<String> = None;
    let mut broken_off = BrokenOff::default();
    for (i, task) in tasks.iter().enumerate() {
        control.checkpoint()?;
        let there = |by: &str| have.contains(&(task.id.clone(), by.to_string()));
        if by.as_deref().is_some_and(there) {
            continue; // without opening the game: a job is resumed by going past thousands
        }
        let progress = meter.at(i as u64 + 1);
        let skip = |why: &str| json!({"skipped": task.id, "why": why});
        let open = Episode::open(suite, &scope.split, &task.id, Purpose::Demonstration, scope.seed);
        let shown = open.and_then(|mut episode| {
            let expert = teacher.expert(&episode.experts)?.name();
            by = Some(expert.to_string());
            let won = if there(expert) {
                None
            } else {
                Some(episode.demonstrate(teacher, &control.cancel)?)
            };
            Ok((episode, expert, won))
        });
        let (episode, expert) = match shown {
            Ok((_, _, None)) => continue,
            Ok((_, expert, Some(Err(why)))) => {
                report(skip(&format!("{expert}: {why}")), progress);
                continue;
            }
            Ok((episode, expert, Some(Ok(())))) => (episode, expert),
            Err(why) => {
                let broken = Broken::of(&task.id, why)?;
                report(skip(broken.why.message()), progress);
                let ended = i as u64 - broken_off.count;
                broken_off.add(broken, ended)?;
                continue;
            }
        };
        // Another program may have shown the same meanwhile.
        let Some(id) = store.add_demonstration(&episode.trajectory, &mut meanwhile)? else {
            continue;
        };
        let steps = episode.trajectory.steps.len();
        let row = json!({
            "trajectory": id, "task_id": task.id, "kind": task.kind, "expert": expert,
            "steps": steps,
        });
        report(row, progress);
    }
    let ended = total - broken_off.count;
    broken_off.first(ended).map(drop)
}

/// The demonstrations of the games that a scope chooses among those that have one, by one expert or
/// by all: the seed puts the games in the same order as [`choose`] does.
fn covered(
    store: &Store,
    suite: &dyn Suite,
    scope: &Scope,
    expert: Option<&str>,
) -> Result<Vec<TrajectorySummary>> {
    let demos = store.demonstrations(Some(suite.name()), Some(&scope.split))?;
    within(demos, suite, scope, (expert, "demonstrations", "demos"))
}

/// Those by one actor (or by all) in the scope's games; `what` and the command that makes them are
/// named where there are none.
fn within(
    mut demos: Vec<TrajectorySummary>,
    suite: &dyn Suite,
    scope: &Scope,
    (expert, what, command): (Option<&str>, &str, &str),
) -> Result<Vec<TrajectorySummary>> {
    demos.retain(|demo| expert.is_none_or(|name| demo.actor == name));
    if let Some(share) = scope.share {
        demos.retain(|demo| share.holds(suite.name(), &demo.task_id));
    }
    if demos.is_empty() {
        let by = expert.map_or(String::new(), |name| format!(" by {name}"));
        return Err(Error::new(format!(
            "there are no {what} of {} / {}{by}",
            suite.name(),
            scope.split
        ))
        .hint(format!(
            "run: foretaste collect {command} --suite {} --split {} --games N",
            suite.name(),
            scope.split
        )));
    }
    let all = Scope { games: usize::MAX, ..scope.clone() };
    let order = choose(suite, &all)?;
    let order: BTreeMap<&str, usize> =
        order.iter().enumerate().map(|(i, task)| (task.id.as_str(), i)).collect();
    if suite.is_part() {
        demos.retain(|demo| order.contains_key(demo.task_id.as_str()));
    }
    demos.sort_by_key(|demo| {
        (order.get(demo.task_id.as_str()).copied().unwrap_or(usize::MAX), demo.id)
    });
    let mut games = HashSet::new();
    demos.retain(|demo| {
        games.contains(&demo.task_id)
            || (games.len() < scope.games && games.insert(demo.task_id.clone()))
    });
    Ok(demos)
}

/// Which alternatives are wanted, in which pool.
pub struct Draw<'a> {
    /// The pool; the proposer's own without a name.
    pub pool: Option<String>,
    /// How many a state.
    pub k: usize,
    /// Who proposes them.
    pub proposer: Proposer<'a>,
    /// Only for demonstrations by this expert (for visits by this mind).
    pub expert: Option<String>,
    /// In the states of visits, in place of demonstrations.
    pub visits: bool,
}

impl Draw<'_> {
    /// `k` of the uniform pool, for whoever demonstrated.
    pub fn uniform(k: usize) -> Self {
        Self { pool: None, k, proposer: Proposer::Uniform, expert: None, visits: false }
    }
}

/// Demonstrations whose alternatives are made at a time, where nobody need be asked: few enough to be
/// paused and cancelled in between.
const TOGETHER: usize = 16;

/// K executed alternatives of a pool at every state of the demonstrations (`D_rollout`), or of the
/// visits. A demonstration whose world is another one now is passed over; the job ends with an error that
/// counts them.
pub fn branches(
    store: &mut Store,
    suite: &dyn Suite,
    scope: &Scope,
    draw: Draw<'_>,
    control: &Control,
    report: Report<'_>,
) -> Result<()> {
    let expert = draw.expert.as_deref();
    let demos = if draw.visits {
        let visits = store.visits(Some(suite.name()), Some(&scope.split))?;
        within(visits, suite, scope, (expert, "visits", "visits"))?
    } else {
        covered(store, suite, scope, expert)?
    };
    let meter = Meter::new("alternatives", 0, demos.len() as u64);
    let pool = draw.pool.clone().unwrap_or_else(|| draw.proposer.pool().to_string());
    draw.proposer.check_pool(&pool)?;
    if draw.k == 0 {
        return Err(Error::new("no alternatives a state (-k 0)").hint("-k takes at least 1"));
    }
    one_model(store, suite, scope, &pool, &draw.proposer.model())?;
    let mut skipped = Vec::new();
    let Draw { k, mut proposer, .. } = draw;
    let make = |(trajectory, have, best): &Read, proposer: &mut Proposer<'_>| {
        branches_of(suite, (trajectory, best), have, (proposer, k), (&pool, scope.seed), control)
    };
    // What asks nobody is made side by side, in worlds of which there are as many as one likes, and
    // kept one after the other as ever.
    let asks = !matches!(proposer, Proposer::Uniform) || suite.instances().is_some();
    let team = Team::all(Priority::Background)?;
    let mut done = 0;
    for part in demos.chunks(if asks { 1 } else { TOGETHER }) {
        control.checkpoint()?;
        let mut read = Vec::with_capacity(part.len());
        for demo in part {
            let trajectory = store.trajectory(demo.id)?;
            let best = best_known(store, &trajectory)?;
            read.push((trajectory, store.drawn(demo.id, Some(&pool))?, best));
        }
        let uniform = |one: &Read| under(&control.cancel, || make(one, &mut Proposer::Uniform));
        let made: Vec<Result<Vec<Drawn>>> = if asks {
            read.iter().map(|one| make(one, &mut proposer)).collect()
        } else {
            team.run(|| read.par_iter().map(uniform).collect())
        };
        for (demo, ((_, have, _), made)) in part.iter().zip(read.iter().zip(made)) {
            done += 1;
            let fresh = match made {
                Ok(fresh) => fresh,
                Err(error) if error.kind() == Kind::Mismatch => {
                    report(json!({"skipped": demo.id, "why": error.message()}), meter.at(done));
                    skipped.push(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let ids = store.add_branches(&fresh)?;
            let from =
                |source: &str| fresh.iter().filter(|drawn| drawn.place.source == source).count();
            let row = json!({
                "trajectory": demo.id, "pool": pool, "branches": ids, "had": have.len(),
                "from": {POLICY: from(POLICY), UNIFORM: from(UNIFORM) + from(PERTURBED)},
            });
            report(row, meter.at(done));
        }
    }
    match skipped.into_iter().next() {
        None => Ok(()),
        Some(first) => Err(first),
    }
}

/// Refuses a pool that another model, or none, has begun: its draws would be of two kinds.
fn one_model(
    store: &Store,
    suite: &dyn Suite,
    scope: &Scope,
    pool: &str,
    model: &str,
) -> Result<()> {
    let pools = store.pools(Some(suite.name()), Some(&scope.split), None, true)?;
    // Older stores do not say which model was asked.
    let other = |count: &&PoolCount| {
        count.pool == pool && count.model != model && !(pool == POLICY && count.model.is_empty())
    };
    let Some(other) = pools.iter().find(other) else { return Ok(()) };
    let said = |model: &str| {
        if model.is_empty() { "the list, uniformly".to_string() } else { model.to_string() }
    };
    let was = said(&other.model);
    let is = said(model);
    Err(Error::new(format!(
        "the pool `{pool}` of {} / {} was drawn from {was}, not {is}",
        suite.name(),
        scope.split
    ))
    .hint("name another pool with --pool, or draw from the same model with --checkpoint"))
}

/// A trajectory, its alternatives of a pool, and what they are held against in each state.
type Read = (Trajectory, Vec<Drawn>, Vec<Option<String>>);

/// What the expert does in each state: its own step, or its answer where a policy played and it was
/// asked.
fn best_known(store: &Store, trajectory: &Trajectory) -> Result<Vec<Option<String>>> {
    if trajectory.purpose != Purpose::Visit {
        return Ok(trajectory.steps.iter().map(|step| Some(step.action.clone())).collect());
    }
    let mut best = vec![None; trajectory.steps.len()];
    for Drawn { branch, .. } in store.answers(trajectory.id, None)? {
        if let Some(action) = best.get_mut(branch.t) {
            *action = Some(branch.action);
        }
    }
    Ok(best)
}

/// What is still missing in a pool of one demonstration.
fn branches_of(
    suite: &dyn Suite,
    (trajectory, best): (&Trajectory, &[Option<String>]),
    have: &[Drawn],
    (proposer, k): (&mut Proposer<'_>, usize),
    (pool, seed): (&str, u64),
    control: &Control,
) -> Result<Vec<Drawn>> {
    let mut worlds = Worlds::of(suite, trajectory)?;
    let way = way(&trajectory.steps);
    let mut fresh = Vec::new();
    for (t, best) in best.iter().enumerate() {
        control.cancel.check()?;
        let here: Vec<&Drawn> = have.iter().filter(|drawn| drawn.branch.t == t).collect();
        if here.len() >= k {
            continue;
        }
        let taken: Vec<String> = here.iter().map(|drawn| drawn.branch.action.clone()).collect();
        let drawn = proposer.draw(
            (trajectory, t, best.as_deref()),
            (pool, &taken, k),
            seed,
            &control.cancel,
        )?;
        if drawn.is_empty() {
            continue;
        }
        let expert = best.as_ref();
        let expert =
            expert.map(|best| ExpertBaseline::new(&mut worlds, &way[..t], best)).transpose()?;
        for (action, place) in drawn {
            let trial = try_action(&mut worlds, &way[..t], &action, expert.as_ref(), false)?;
            let branch = trial.branch(trajectory.id, t, action, place.source.clone());
            fresh.push(Drawn { branch, place });
        }
    }
    // To its end: an alternative is never kept beside a demonstration whose world is another one
    // now.
    worlds.look(&way, |_, _| ())?;
    Ok(fresh)
}
