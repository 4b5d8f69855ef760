//! Going about in plain lines: the states walked so far, other tasks, and what was saved.

use super::super::out::say;
use super::{Next, Plain};
use crate::error::{Error, Kind, Result};
use crate::explore::{Session, Tried};

impl Plain {
    /// Says every state walked so far.
    pub(super) fn nodes(&mut self) -> Result<Next> {
        let view = self.session.view()?;
        for line in view.trunk {
            let how = if line.action.is_empty() { "start".to_string() } else { line.action };
            let name =
                if line.name.is_empty() { String::new() } else { format!(" ({})", line.name) };
            let here = if line.node == view.node { ", you are here" } else { "" };
            say(&format!("{}: step {}, {how}{name}{here}", line.node, line.depth));
        }
        Ok(Next::Stay)
    }

    /// Goes to a state walked so far.
    pub(super) fn go(&mut self, n: &str) -> Result<Next> {
        self.session.goto(node(n)?)?;
        Ok(self.moved())
    }

    /// Names a state walked so far.
    pub(super) fn name(&mut self, words: &str) -> Result<Next> {
        let (n, name) = words.split_once(' ').unwrap_or((words, ""));
        self.session.name(node(n)?, name)?;
        self.nodes()
    }

    /// Opens the task so many places on.
    pub(super) fn beside(&mut self, by: i64) -> Result<Next> {
        let tasks = self.suite.tasks(&self.split)?;
        let now = self.session.task_id();
        let at = tasks.iter().position(|task| task.id == now).unwrap_or_default() as i64;
        let next = (at + by).rem_euclid(tasks.len().max(1) as i64) as usize;
        let task = tasks.get(next).ok_or_else(|| Error::new("the split has no tasks"))?;
        self.take(&self.split.clone(), &task.id)
    }

    /// Opens a task by its name, wherever it is.
    pub(super) fn open(&mut self, task: &str) -> Result<Next> {
        if task.is_empty() {
            return Err(Error::new("which task?").hint("like open train/12"));
        }
        let split = task.split('/').next().unwrap_or_default().to_string();
        self.take(&split, task)
    }

    /// Opens the first task of a split.
    pub(super) fn split(&mut self, name: &str) -> Result<Next> {
        if name.is_empty() {
            say(&format!("Splits: {}. This is {}.", self.suite.splits().join(", "), self.split));
            return Ok(Next::Stay);
        }
        let tasks = self.suite.tasks(name)?;
        let first = tasks.first().ok_or_else(|| Error::new(format!("{name} has no tasks")))?;
        self.take(name, &first.id)
    }

    /// Opens a task.
    fn take(&mut self, split: &str, id: &str) -> Result<Next> {
        let asked = self.session.asked().to_string();
        if self.suite.instances().is_some() {
            self.session.release(); // there may be no room for both
        }
        self.session = Session::open(&self.suite, split, id, Some(&asked))?;
        self.split = split.to_string();
        self.all = Tried { model: self.agent.name(), ..Tried::default() };
        if let Some(warning) = self.session.warning.take() {
            say(&warning);
        }
        Ok(self.moved())
    }

    /// Goes on from a step of something saved, after the same steps have led to the same states.
    pub(super) fn from(&mut self, words: &str) -> Result<Next> {
        let parts: Vec<i64> = words.split_whitespace().flat_map(str::parse).collect();
        let [id, t] = parts[..] else {
            return Err(Error::new("which trajectory, and which of its steps?")
                .hint("like from 3 2; data list trajectories lists them"));
        };
        let stored = self.store.trajectory(id)?;
        if stored.suite != self.suite.name() {
            return Err(Error::new(format!("trajectory {id} was played in {}", stored.suite))
                .hint(format!("open it with: foretaste --plain --suite {}", stored.suite)));
        }
        let steps =
            usize::try_from(t).ok().and_then(|t| stored.steps.get(..t)).ok_or_else(|| {
                Error::new(format!("trajectory {id} has no step {t}"))
                    .hint(format!("it has {}", stored.steps.len()))
            })?;
        self.take(&stored.split, &stored.task_id)?;
        for (i, step) in steps.iter().enumerate() {
            self.session.step(&step.action, &step.source)?;
            if self.session.view()?.observation != step.observation {
                return Err(Error::new(format!(
                    "step {} of trajectory {id} leads somewhere else than it did",
                    i + 1
                ))
                .of(Kind::Mismatch));
            }
        }
        say(&format!("Trajectory {id}, step {t}; every observation was verified."));
        Ok(self.moved())
    }
}

/// The number of a state that was typed.
fn node(text: &str) -> Result<usize> {
    text.trim().parse().map_err(|_| {
        Error::new(format!("`{}` is no state's number", text.trim())).hint("nodes lists them")
    })
}
