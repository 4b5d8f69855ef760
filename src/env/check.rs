//! What must hold of every world, tried on one: that it is the same twice, that forks are
//! independent and go on alike, that experts say what can be done. What fails is said with the task
//! and the actions that show it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::{Environment, Forks, Opened, PLANNER, Suite, TaskRef, Turn};
use crate::budget;
use crate::control::{Cancel, Meter, Progress};
use crate::error::{Error, Result};
use crate::rng::Rng;

/// How much is tried.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Tasks of each split.
    pub tasks: usize,
    /// Steps of a walk.
    pub steps: usize,
    /// Draws tasks and actions.
    pub seed: u64,
}

/// Failures that are told of one property.
const TOLD: usize = 3;

/// How long speed is measured at most.
const MEASURED: Duration = Duration::from_secs(2);

/// Text that no world means anything by.
const NONSENSE: &str = "xyzzy 42";

/// What came of trying one property.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// What must hold.
    pub property: &'static str,
    /// How often it was tried; where never, `note` says why not.
    pub tried: usize,
    /// How often it did not hold.
    pub failed: usize,
    /// The first of them.
    pub failures: Vec<String>,
    /// What else is to be known.
    pub note: Option<String>,
}

/// All properties and what came of them, in the order in which they are told.
struct Findings(Vec<Found>);

impl Findings {
    fn of(&mut self, property: &'static str) -> &mut Found {
        let at = self.0.iter().position(|found| found.property == property);
        let at = at.unwrap_or_else(|| {
            let (failures, note) = (Vec::new(), None);
            self.0.push(Found { property, tried: 0, failed: 0, failures, note });
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    fn hold(&mut self, property: &'static str, holds: bool, otherwise: impl FnOnce() -> String) {
        let found = self.of(property);
        found.tried += 1;
        if !holds {
            found.failed += 1;
            if found.failures.len() < TOLD {
                found.failures.push(otherwise());
            }
        }
    }
}

const TASKS: &str = "tasks of a split are listed, each once";
const SPLITS: &str = "what is trained on stands in no other split";
const UNKNOWN: &str = "a task that there is not is refused";
const OPENS: &str = "every task opens";
const BREAKS: &str = "every action is answered, and every question about a state";
const AGAIN: &str = "a task opens the same twice";
const REPLAY: &str = "the same actions lead to the same states";
const ANSWERED: &str = "what is not admissible is answered";
const ENDS: &str = "what is won is over, and rewards are numbers";
const FORKS: &str = "a fork goes on as the world does";
const APART: &str = "steps on a fork do not change the world";
const SAME: &str = "states with one hash answer alike";
const ADVICE: &str = "an expert says what can be sent";
const WINS: &str = "the planner wins, and counts its steps";

/// Where something was seen: for whoever wants to see it again.
fn at(task: &TaskRef, way: &[String]) -> String {
    if way.is_empty() {
        return format!("{} at its start", task.id);
    }
    // What was done again and again is said once.
    let mut told: Vec<(&String, usize)> = Vec::new();
    for action in way {
        match told.last_mut().filter(|(last, _)| *last == action) {
            Some((_, times)) => *times += 1,
            None => told.push((action, 1)),
        }
    }
    let one = |(action, times): &(&String, usize)| match times {
        1 => (*action).clone(),
        _ => format!("{action} × {times}"),
    };
    let told: Vec<String> = told.iter().map(one).collect();
    format!("{} after {}", task.id, told.join(" · "))
}

/// How two turns differ.
fn differ(a: &Turn, b: &Turn) -> String {
    let short = |text: &str| {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        crate::text::clean(&words).chars().take(60).collect::<String>()
    };
    if a.observation != b.observation {
        return format!("`{}` and `{}`", short(&a.observation), short(&b.observation));
    }
    if a.actions != b.actions {
        return "other actions can be sent".into();
    }
    format!("reward {} and {}, done {} and {}", a.reward, b.reward, a.done, b.done)
}

/// Tries everything on a suite. A world that breaks is a finding, and the next task goes on.
///
/// # Errors
/// Where it is called off.
pub fn check(
    suite: &dyn Suite,
    splits: &[String],
    effort: Effort,
    report: &mut dyn FnMut(Progress),
) -> Result<Vec<Found>> {
    let mut findings = Findings(Vec::new());
    let meter = Meter::new("tasks tried", 0, (splits.len() * effort.tasks) as u64);
    let mut first: BTreeSet<String> = BTreeSet::new();
    for (s, split) in splits.iter().enumerate() {
        let tasks = match suite.tasks(split) {
            Ok(tasks) => tasks,
            Err(error) => {
                findings.hold(TASKS, false, || format!("{split}: {error}"));
                continue;
            }
        };
        let distinct: BTreeSet<&str> = tasks.iter().map(|task| task.id.as_str()).collect();
        findings.hold(TASKS, !tasks.is_empty() && distinct.len() == tasks.len(), || {
            format!("{split}: {} tasks, {} of them different", tasks.len(), distinct.len())
        });
        let both = tasks.iter().find(|task| first.contains(&task.id)).map(|task| task.id.clone());
        findings.hold(SPLITS, both.is_none(), || {
            format!("{} is of {split} and of {}", both.unwrap_or_default(), splits[0])
        });
        if s == 0 {
            first = tasks.iter().map(|task| task.id.clone()).collect();
        }
        let none = format!("{split}/there is no such task");
        let opened = suite.open(&none);
        findings.hold(UNKNOWN, opened.is_err(), || format!("`{none}` was opened"));
        let mut rng = Rng::stream(effort.seed, split);
        let mut drawn = tasks;
        rng.shuffle(&mut drawn);
        for (i, task) in drawn.iter().take(effort.tasks).enumerate() {
            if budget::is_cancelled() {
                return Err(Error::cancelled());
            }
            report(meter.at((s * effort.tasks + i) as u64));
            let mut walk = Walk { suite, task, effort, findings: &mut findings, way: Vec::new() };
            if let Err(error) = walk.whole(&mut rng) {
                if error.is_cancelled() {
                    return Err(error);
                }
                let place = at(task, &walk.way);
                let property = if walk.way.is_empty() { OPENS } else { BREAKS };
                findings.hold(property, false, || format!("{place}: {error}"));
            }
        }
    }
    Ok(findings.0)
}

/// One task, walked through.
struct Walk<'a> {
    suite: &'a dyn Suite,
    task: &'a TaskRef,
    effort: Effort,
    findings: &'a mut Findings,
    way: Vec<String>,
}

impl Walk<'_> {
    fn whole(&mut self, rng: &mut Rng) -> Result<()> {
        let walked = self.at_random(rng)?;
        self.replayed(&walked)?;
        self.experts()
    }

    /// A random walk, with everything tried on the way that a fork can show.
    fn at_random(&mut self, rng: &mut Rng) -> Result<Vec<(String, Turn)>> {
        self.way.clear();
        let Opened { mut env, .. } = self.suite.open(&self.task.id)?;
        let native = env.forks() == Forks::Native;
        let mut walked = Vec::new();
        let mut by_hash: BTreeMap<u64, (Box<dyn Environment>, String)> = BTreeMap::new();
        for step in 0..self.effort.steps {
            if env.turn().done {
                break;
            }
            let listed = env.turn().actions.list();
            let drawn = rng.pick(listed).map_or_else(|| NONSENSE.to_string(), ToString::to_string);
            let action = if step % 8 == 5 { NONSENSE.to_string() } else { drawn };
            let admitted = env.turn().admits(&action);
            if native && self.suite.repeats() {
                self.forked(env.as_ref(), &action, &mut by_hash)?;
            }
            let place = at(self.task, &self.way);
            self.way.push(action.clone());
            let answered = env.step(&action);
            if !admitted {
                let why = || {
                    format!(
                        "{place}: `{action}`: {}",
                        answered.as_ref().err().map(ToString::to_string).unwrap_or_default()
                    )
                };
                self.findings.hold(ANSWERED, answered.is_ok(), why);
            }
            answered?;
            let turn = env.turn().clone();
            let place = at(self.task, &self.way);
            let sound = turn.reward.is_finite() && (turn.done || !turn.success);
            self.findings.hold(ENDS, sound, || place);
            walked.push((action, turn));
        }
        if !self.suite.repeats() {
            for property in [FORKS, APART, SAME, AGAIN, REPLAY] {
                self.findings.of(property).note = Some("it does not claim that".into());
            }
        } else if !native {
            self.findings.of(FORKS).note =
                Some("it cannot be copied: states are come to by the same actions".into());
        }
        Ok(walked)
    }

    /// The same action on two forks and again on a third, once the first have gone on; and on a
    /// state that was said to be this one.
    fn forked(
        &mut self,
        env: &dyn Environment,
        action: &str,
        by_hash: &mut BTreeMap<u64, (Box<dyn Environment>, String)>,
    ) -> Result<()> {
        let place = at(self.task, &self.way);
        let (turn, fingerprint) = (env.turn().clone(), env.fingerprint());
        let after = |env: &dyn Environment| -> Result<(Turn, u64)> {
            let mut fork = env.fork()?;
            fork.step(action)?;
            Ok((fork.turn().clone(), fork.fingerprint()))
        };
        let (one, other) = (after(env)?, after(env)?);
        self.findings.hold(FORKS, one == other, || {
            format!("{place}, `{action}` on two forks: {}", differ(&one.0, &other.0))
        });
        // Two that go different ways, by turns.
        let other = env.turn().actions.list().last().map_or(NONSENSE, AsRef::as_ref).to_string();
        let (mut left, mut right, mut alone) = (env.fork()?, env.fork()?, env.fork()?);
        left.step(action)?;
        right.step(&other)?;
        left.step(action)?;
        alone.step(action)?;
        alone.step(action)?;
        self.findings.hold(APART, left.turn() == alone.turn(), || {
            let differ = differ(left.turn(), alone.turn());
            format!("{place}, `{action}` twice on a fork, `{other}` on another between: {differ}")
        });
        let still = (env.turn().clone(), env.fork()?.fingerprint()) == (turn, fingerprint);
        let third = after(env)?;
        self.findings.hold(APART, still && third == one, || {
            format!("{place}, `{action}` on a fork, then on another: {}", differ(&one.0, &third.0))
        });
        match by_hash.get(&fingerprint) {
            None => _ = by_hash.insert(fingerprint, (env.fork()?, place)),
            Some((known, before)) => {
                let there = after(known.as_ref())?;
                self.findings.hold(SAME, there.0 == one.0, || {
                    format!("{place} and {before}, `{action}`: {}", differ(&there.0, &one.0))
                });
            }
        }
        Ok(())
    }

    /// The task anew, and the same actions.
    fn replayed(&mut self, walked: &[(String, Turn)]) -> Result<()> {
        self.way.clear();
        if !self.suite.repeats() {
            return Ok(());
        }
        let (first, mut again) = (self.suite.open(&self.task.id)?, self.suite.open(&self.task.id));
        if self.suite.instances() == Some(1) {
            drop(first.env);
            again = self.suite.open(&self.task.id);
        } else {
            let (turn, task) = (first.env.turn().clone(), first.env.task().to_string());
            drop(first.env);
            let Ok(other) = &again else { return again.map(drop) };
            let same = (other.env.turn(), other.env.task()) == (&turn, task.as_str());
            let place = at(self.task, &[]);
            self.findings
                .hold(AGAIN, same, || format!("{place}: {}", differ(&turn, other.env.turn())));
        }
        let mut env = again?.env;
        for (action, turn) in walked {
            self.way.push(action.clone());
            env.step(action)?;
            let place = at(self.task, &self.way);
            self.findings.hold(REPLAY, env.turn() == turn, || {
                format!("{place}: {}", differ(turn, env.turn()))
            });
        }
        Ok(())
    }

    /// Each expert plays the task.
    fn experts(&mut self) -> Result<()> {
        let names = {
            let opened = self.suite.open(&self.task.id)?;
            opened.experts.names()
        };
        for name in names {
            self.way.clear();
            let Opened { mut env, experts, limit, .. } = self.suite.open(&self.task.id)?;
            let expert = experts.get(Some(name))?;
            let mut promised = None;
            while !env.turn().done && self.way.len() < limit {
                let place = at(self.task, &self.way);
                let advice = match expert.advise(env.as_ref(), &Cancel::default()) {
                    Ok(advice) => advice,
                    Err(why) => {
                        self.findings.of(ADVICE).note = Some(format!("{name} at {place}: {why}"));
                        break;
                    }
                };
                let can = env.turn().admits(&advice.action);
                let action = advice.action.clone();
                self.findings.hold(ADVICE, can, || format!("{place}: {name} says `{action}`"));
                if name == PLANNER {
                    let falls = promised.is_none_or(|left| advice.steps_left == Some(left));
                    self.findings.hold(WINS, falls, || {
                        format!(
                            "{place}: it said {promised:?} steps, and now {:?}",
                            advice.steps_left
                        )
                    });
                    promised = advice.steps_left.map(|left| left.saturating_sub(1));
                }
                self.way.push(advice.action.clone());
                env.step(&advice.action)?;
            }
            let won = env.turn().success;
            if name == PLANNER {
                let place = at(self.task, &self.way);
                self.findings.hold(WINS, won, || format!("{place}: not won"));
            }
        }
        Ok(())
    }
}

/// How fast a world is: steps a second along a walk, and what a fork takes, in microseconds, where
/// it has any.
pub fn speed(suite: &dyn Suite, task: &str, most: usize) -> Result<(f64, Option<f64>)> {
    let mut rng = Rng::stream(1, task);
    let mut env = suite.open(task)?.env;
    let begun = Instant::now();
    let mut steps = 0;
    while steps < most && begun.elapsed() < MEASURED {
        steps += 1;
        if env.turn().done {
            env = suite.open(task)?.env;
        }
        let action = rng.pick(env.turn().actions.list());
        let action = action.map_or_else(|| NONSENSE.to_string(), ToString::to_string);
        env.step(&action)?;
    }
    let rate = steps as f64 / begun.elapsed().as_secs_f64();
    if env.forks() != Forks::Native {
        return Ok((rate, None));
    }
    let begun = Instant::now();
    let mut forks = 0;
    while forks < most && begun.elapsed() < MEASURED {
        forks += 1;
        drop(env.fork()?);
    }
    Ok((rate, Some(begun.elapsed().as_secs_f64() * 1e6 / f64::from(forks as u32))))
}
