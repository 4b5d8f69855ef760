//! What a suite's environments cost: steps, forks, loading, admissible actions, memory.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::{Value, json};

use super::{Sample, any_action, median, peak_rss_mb, rss_mb};
use crate::control::Control;
use crate::env::tw_pddl::TwPddl;
use crate::env::{Environment, STEP_LIMIT, Suite, TaskRef};
use crate::error::{Error, Result};
use crate::model::memory;
use crate::rng::Rng;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// The games.
    pub sample: Sample,
    /// Episodes of uniformly random admissible actions in each game.
    pub episodes: usize,
    /// Worker threads.
    pub threads: usize,
    /// How many forks to keep alive at once.
    pub forks: usize,
}

/// One game's figures.
struct Measured {
    load_ms: f64,
    objects: usize,
    steps: usize,
    seconds: f64,
    first: (usize, f64),
    admissible_us: f64,
    fork_us: f64,
    own_bytes: f64,
}

/// Measures, and returns the figures by name.
pub fn run(suite: &dyn Suite, options: &Options, control: &Control) -> Result<Value> {
    let started = Instant::now();
    let all = options.sample.all(suite)?;
    let index_ms = started.elapsed().as_secs_f64() * 1e3;
    let listed = all.len();
    let tasks = options.sample.draw(all);
    let first = tasks.first().ok_or_else(|| Error::new("there are no games to measure on"))?;
    let started = Instant::now();
    drop(suite.open(&first.id)?);
    let load_first_ms = started.elapsed().as_secs_f64() * 1e3;
    let (measured, wall_s) = play_all(suite, &tasks, options, control)?;
    let steps: usize = measured.iter().map(|m| m.steps).sum();
    let busy: f64 = measured.iter().map(|m| m.seconds).sum();
    let each = |f: &dyn Fn(&Measured) -> f64| median(measured.iter().map(f).collect());
    let first_steps: usize = measured.iter().map(|m| m.first.0).sum();
    let first_seconds: f64 = measured.iter().map(|m| m.first.1).sum();
    Ok(json!({
        "suite": suite.name(),
        "threads": options.threads,
        "games": measured.len(),
        "steps": steps,
        "steps_per_s": steps as f64 / busy * options.threads as f64,
        "steps_per_s_first_episode": first_steps as f64 / first_seconds * options.threads as f64,
        "wall_s": wall_s,
        "fork_us": each(&|m| m.fork_us),
        "fork_own_bytes": each(&|m| m.own_bytes),
        "load_ms": each(&|m| m.load_ms),
        "load_first_ms": load_first_ms,
        "admissible_us": each(&|m| m.admissible_us),
        "index_ms": index_ms,
        "index_games": listed,
        "growth": growth(&measured),
        "live_forks": live_forks(suite, &tasks, options.forks)?,
        "peak_rss_mb": peak_rss_mb(),
        "tasks": tasks.iter().map(|task| &task.id).collect::<Vec<_>>(),
    }))
}

fn play_all(
    suite: &dyn Suite,
    tasks: &[TaskRef],
    options: &Options,
    control: &Control,
) -> Result<(Vec<Measured>, f64)> {
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    let worker = || -> Result<Vec<Measured>> {
        let mut done = Vec::new();
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            control.cancel.check()?;
            done.push(play(suite, task, options)?);
        }
        Ok(done)
    };
    let mut measured = Vec::new();
    std::thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..options.threads.max(1)).map(|_| scope.spawn(worker)).collect();
        for one in workers {
            measured.extend(one.join().map_err(|_| Error::new("a worker thread broke down"))??);
        }
        Ok(())
    })?;
    Ok((measured, started.elapsed().as_secs_f64()))
}

fn play(suite: &dyn Suite, task: &TaskRef, options: &Options) -> Result<Measured> {
    let started = Instant::now();
    let opened = suite.open(&task.id)?;
    let load_ms = started.elapsed().as_secs_f64() * 1e3;
    let mut rng = Rng::stream(options.sample.seed, &task.id);
    let mut steps = 0;
    let mut first = (0, 0.0);
    let mut visited = Vec::new();
    let started = Instant::now();
    for episode in 0..options.episodes.max(1) {
        let mut env = opened.env.fork()?;
        for _ in 0..STEP_LIMIT {
            let action = any_action(env.as_ref(), &mut rng).filter(|_| !env.turn().done);
            let Some(action) = action else { break };
            env.step(&action)?;
            steps += 1;
            if episode == 0 {
                visited.push(env.fork()?);
            }
        }
        if episode == 0 {
            first = (steps, started.elapsed().as_secs_f64());
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let objects = engine(opened.env.as_ref()).map_or(0, |game| game.world().game().things());
    let (admissible_us, own_bytes) = admissible(&visited)?;
    Ok(Measured {
        load_ms,
        objects,
        steps,
        seconds,
        first,
        admissible_us,
        fork_us: forks(&visited)?,
        own_bytes,
    })
}

fn engine(env: &dyn Environment) -> Option<&TwPddl> {
    env.as_any().downcast_ref()
}

/// Microseconds to work out the admissible actions of a visited state, and the bytes that such a
/// state holds for itself.
fn admissible(visited: &[Box<dyn Environment>]) -> Result<(f64, f64)> {
    let worlds: Vec<_> =
        visited.iter().filter_map(|env| engine(env.as_ref())).map(TwPddl::world).collect();
    let started = Instant::now();
    for world in &worlds {
        black_box(world.admissible()?);
    }
    let count = worlds.len().max(1) as f64;
    let bytes: usize = worlds.iter().map(|world| world.own_bytes()).sum();
    Ok((started.elapsed().as_secs_f64() * 1e6 / count, bytes as f64 / count))
}

/// Microseconds to make and drop one fork.
fn forks(visited: &[Box<dyn Environment>]) -> Result<f64> {
    const ROUNDS: usize = 200;
    let started = Instant::now();
    for env in visited {
        for _ in 0..ROUNDS {
            black_box(env.fork()?);
        }
    }
    Ok(started.elapsed().as_secs_f64() * 1e6 / (ROUNDS * visited.len().max(1)) as f64)
}

/// The time of a step against the number of things in the game: the mean of each quarter of the
/// games, and the exponent of a power law through all of them (1 is linear, 2 the square).
fn growth(measured: &[Measured]) -> Value {
    let mut points: Vec<(f64, f64)> = measured
        .iter()
        .filter(|m| m.objects > 0 && m.steps > 0)
        .map(|m| (m.objects as f64, m.seconds * 1e6 / m.steps as f64))
        .collect();
    points.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mean =
        |values: &mut dyn Iterator<Item = f64>, n: usize| values.sum::<f64>() / n.max(1) as f64;
    let groups: Vec<Value> = points
        .chunks(points.len().div_ceil(4).max(1))
        .map(|chunk| {
            json!({
                "objects": [chunk[0].0, chunk[chunk.len() - 1].0],
                "games": chunk.len(),
                "step_us": mean(&mut chunk.iter().map(|p| p.1), chunk.len()),
            })
        })
        .collect();
    let mx = mean(&mut points.iter().map(|p| p.0.ln()), points.len());
    let my = mean(&mut points.iter().map(|p| p.1.ln()), points.len());
    let mut up = 0.0;
    let mut down = 0.0;
    for (x, y) in &points {
        up += (x.ln() - mx) * (y.ln() - my);
        down += (x.ln() - mx).powi(2);
    }
    json!({"groups": groups, "exponent": if down > 0.0 { Some(up / down) } else { None }})
}

/// The memory that forks of one game take while all are alive: as forked, and each after a step of
/// its own.
fn live_forks(suite: &dyn Suite, tasks: &[TaskRef], count: usize) -> Result<Value> {
    // Kitchens are the largest rooms; where no identifier says so, any game will do.
    let kitchen = |task: &&TaskRef| {
        ["Fridge", "Microwave", "SinkBasin"].iter().any(|name| task.id.contains(name))
    };
    let Some(task) = tasks.iter().find(kitchen).or(tasks.first()) else { return Ok(Value::Null) };
    let opened = suite.open(&task.id)?;
    memory::room(4096 * count as u64, "keeping that many forks")?;
    let mut rng = Rng::stream(count as u64, &task.id);
    let mut held: Vec<Box<dyn Environment>> = Vec::with_capacity(count);
    let before = rss_mb();
    for _ in 0..count {
        held.push(opened.env.fork()?);
    }
    let forked = rss_mb();
    for env in &mut held {
        let action = any_action(env.as_ref(), &mut rng);
        env.step(action.as_deref().unwrap_or_default())?;
    }
    let stepped = rss_mb();
    let grown = |now: Option<f64>| Some(now? - before?);
    Ok(json!({"game": task.id, "count": count, "forked_mb": grown(forked),
        "each_a_step_on_mb": grown(stepped)}))
}
