//! Worlds of other programs, over JSON lines (`docs/worlds.md` has the protocol): a suite whose
//! tasks, steps, forks and experts are another program's, in a pool of its processes.

mod line;
mod process;
mod said;
mod spec;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use self::line::Line;
pub(crate) use self::process::{Errand, Heard, Process, in_own_group};
use self::said::{Fork, Hello, Tasks};
pub use self::spec::{Spec, all, lives_in};
use self::world::{Asked, World};
use super::{Expert, Experts, Opened, STEP_LIMIT, Suite, TaskRef, unknown_task};
use crate::error::{Error, Kind, Result};

/// The suite of a world of another program.
pub struct Foreign {
    spec: Spec,
    name: &'static str,
    experts: Vec<&'static str>,
    hello: Arc<Hello>,
    lines: Mutex<Vec<Arc<Line>>>,
    tasks: Mutex<BTreeMap<String, Arc<[TaskRef]>>>,
}

/// A name for as long as the program runs: there are few, and they are short.
fn kept(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let name: &'static str = Box::leak(name.to_string().into_boxed_str());
    names.insert(name);
    name
}

impl Foreign {
    /// The world that is named so, once its first process has answered.
    pub fn open(spec: Spec) -> Result<Self> {
        let (line, hello) = Line::open(&spec)?;
        // What is stored is found again by one name, however the world was named.
        if let Some(name) = spec.name.as_ref().filter(|name| **name != hello.name) {
            return Err(Error::usage(format!(
                "[worlds.{name}] of config.toml: this world calls itself {}",
                hello.name
            ))
            .hint(format!("call the entry [worlds.{}], or the world {name}", hello.name)));
        }
        Ok(Self {
            name: kept(&hello.name),
            experts: hello.experts.iter().map(|name| kept(name)).collect(),
            spec,
            hello: Arc::new(hello),
            lines: Mutex::new(vec![Arc::new(line)]),
            tasks: Mutex::default(),
        })
    }

    /// A process for one more world: one that has none, else a new one while there may be more,
    /// else the one that has the fewest.
    fn line(&self) -> Result<Arc<Line>> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|line| line.death().is_none());
        let living = |line: &Arc<Line>| line.living.load(Ordering::Relaxed);
        let fewest = lines.iter().min_by_key(|line| living(line)).map(Arc::clone);
        if let Some(line) =
            fewest.filter(|line| living(line) == 0 || lines.len() >= self.spec.processes)
        {
            return match self.hello.worlds.filter(|most| living(&line) >= *most) {
                None => Ok(line),
                Some(_) => Err(Error::new(format!("all worlds of {} are in use", self.name))
                    .of(Kind::World)
                    .hint("leave the game that is open, or allow more processes in config.toml")),
            };
        }
        let (line, hello) = Line::open(&self.spec)?;
        if hello != *self.hello {
            return Err(Error::new(format!(
                "{}: a process says other things of itself than the first one did",
                self.name
            ))
            .of(Kind::World)
            .hint("it was changed while it was used: start again"));
        }
        let line = Arc::new(line);
        lines.push(Arc::clone(&line));
        Ok(line)
    }

    /// The tasks of a split, asked for once.
    fn listed(&self, split: &str) -> Result<Arc<[TaskRef]>> {
        if !self.hello.splits.iter().any(|known| known == split) {
            return Err(Error::usage(format!("{} has no split `{split}`", self.name))
                .hint(format!("splits: {}", self.hello.splits.join(", "))));
        }
        let known = || self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tasks) = known().get(split) {
            return Ok(Arc::clone(tasks));
        }
        let said: Tasks = self.any()?.ask("tasks", json!({"split": split}))?;
        let tasks: Arc<[TaskRef]> = said.read().map_err(|error| error.at(self.name))?.into();
        known().insert(split.into(), Arc::clone(&tasks));
        Ok(tasks)
    }

    /// Any process, for a question that is about no world.
    fn any(&self) -> Result<Arc<Line>> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let there = lines.iter().find(|line| line.death().is_none()).map(Arc::clone);
        drop(lines);
        there.map_or_else(|| self.line(), Ok)
    }
}

impl Suite for Foreign {
    fn name(&self) -> &'static str {
        self.name
    }

    fn splits(&self) -> Vec<String> {
        self.hello.splits.clone()
    }

    fn tasks(&self, split: &str) -> Result<Vec<TaskRef>> {
        Ok(self.listed(split)?.to_vec())
    }

    fn repeats(&self) -> bool {
        self.hello.deterministic && self.hello.fork != Fork::None
    }

    fn instances(&self) -> Option<usize> {
        let limited = self.hello.worlds.map(|worlds| worlds * self.spec.processes);
        limited.filter(|_| self.hello.fork != Fork::Native)
    }

    fn open(&self, id: &str) -> Result<Opened> {
        let mut task = None;
        for split in &self.hello.splits {
            task = self.listed(split)?.iter().find(|task| task.id == id).cloned();
            if task.is_some() {
                break;
            }
        }
        let task = task.ok_or_else(|| unknown_task(self.name, id))?;
        let line = self.line()?;
        let world =
            World::begin(&line, &self.hello, id).map_err(|error| error.or_of(Kind::World))?;
        let experts = self.experts.iter().map(|name| Box::new(Asked(name)) as Box<dyn Expert>);
        Ok(Opened {
            env: Box::new(world),
            experts: Experts::new(experts.collect()),
            suite: self.name.into(),
            task,
            limit: self.hello.limit.unwrap_or(STEP_LIMIT),
            warning: None,
        })
    }
}
