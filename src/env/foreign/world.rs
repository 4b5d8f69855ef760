//! A world of another program, and its experts.

use std::any::Any;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use serde_json::json;

use super::line::Line;
use super::said::{Advised, Fork, Forked, Hashed, Hello, New, Stepped};
use crate::control::Cancel;
use crate::digest::{self, Digest};
use crate::env::{Advice, Environment, Expert, Forks, NoAdvice, Turn};
use crate::error::{Error, Kind, Result};

/// One running world; the other program has it, and goes by its name.
pub struct World {
    line: Arc<Line>,
    hello: Arc<Hello>,
    /// What the other program calls it.
    id: String,
    task: Arc<str>,
    turn: Turn,
    /// Its task and what was done, as a digest: what tells states apart where it does not itself.
    way: Digest,
    fingerprint: OnceLock<u64>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.line.forget(std::mem::take(&mut self.id));
    }
}

impl World {
    /// A task at its start.
    pub fn begin(line: &Arc<Line>, hello: &Arc<Hello>, task: &str) -> Result<Self> {
        let new: New = line.ask("new", json!({"task": task, "seed": 0}))?;
        line.living.fetch_add(1, Ordering::Relaxed);
        // From here on it is let go of whatever is wrong with it.
        let mut way = Digest::default();
        way.add(task.as_bytes());
        let mut world = Self {
            line: Arc::clone(line),
            hello: Arc::clone(hello),
            id: new.world,
            task: new.state.task.clone().unwrap_or_default().into(),
            turn: Turn::default(),
            way,
            fingerprint: OnceLock::new(),
        };
        if world.task.trim().is_empty() {
            return Err(Error::new("the state that `new` answers has no task").of(Kind::World));
        }
        world.turn = new.state.turn(hello.actions)?;
        Ok(world)
    }

    /// A copy, untried.
    fn copy(&self) -> Result<Self> {
        let Forked { world } = self.line.ask("fork", json!({"world": self.id}))?;
        self.line.living.fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            line: Arc::clone(&self.line),
            hello: Arc::clone(&self.hello),
            id: world,
            task: Arc::clone(&self.task),
            turn: self.turn.clone(),
            way: self.way.clone(),
            fingerprint: self.fingerprint.clone(),
        })
    }

    /// Tries what it claims of its forks: two go the same way, and what they are of stays as it
    /// was, so that a third goes it after them.
    fn tried(&self) -> Result<()> {
        let Some(action) = self.turn.actions.list().first().filter(|_| !self.turn.done) else {
            return Ok(());
        };
        let before = self.fingerprint();
        // Two that go different ways, by turns: what shares a state would have gone both.
        let other = self.turn.actions.list().last().unwrap_or(action);
        let (mut one, mut two, mut alone) = (self.copy()?, self.copy()?, self.copy()?);
        one.step(action)?;
        two.step(other)?;
        one.step(action)?;
        alone.step(action)?;
        alone.step(action)?;
        let apart = one.turn == alone.turn && one.fingerprint() == alone.fingerprint();
        let mut ends = Vec::new();
        for _ in 0..3 {
            let mut fork = self.copy()?;
            fork.step(action)?;
            ends.push((fork.turn.clone(), fork.fingerprint()));
        }
        let asked = || self.line.ask::<Hashed>("hash", json!({"world": self.id}));
        let after = if self.hello.hash { digest::of([asked()?.hash.as_str()]) } else { before };
        if apart && ends.iter().all(|end| *end == ends[0]) && before == after {
            return Ok(());
        }
        Err(Error::new(format!(
            "{} says that it forks, but after `{action}` forks of one state differ, or it was changed \
             by them",
            self.hello.name
        ))
        .of(Kind::World)
        .hint("foretaste env check --suite … shows it; a world that cannot copy itself says fork: replay"))
    }
}

impl Environment for World {
    fn task(&self) -> &str {
        &self.task
    }

    fn turn(&self) -> &Turn {
        &self.turn
    }

    fn step(&mut self, action: &str) -> Result<()> {
        let Stepped { state } =
            self.line.ask("step", json!({"world": self.id, "action": action}))?;
        if state.task.as_deref().is_some_and(|task| task != &*self.task) {
            return Err(Error::new(format!("{}: its task changed on the way", self.hello.name))
                .of(Kind::World));
        }
        self.turn = state.turn(self.hello.actions).map_err(|error| error.at(&self.hello.name))?;
        self.way.add(action.as_bytes());
        self.fingerprint = OnceLock::new();
        Ok(())
    }

    fn fork(&self) -> Result<Box<dyn Environment>> {
        if self.forks() != Forks::Native {
            return Err(Error::new(format!("{} cannot copy itself", self.hello.name)));
        }
        if self.hello.deterministic {
            // A cancel says nothing about it.
            match self.line.tried.get() {
                Some(tried) => tried.clone()?,
                None => match self.tried() {
                    Err(error) if error.is_cancelled() => return Err(error),
                    tried => self.line.tried.get_or_init(|| tried).clone()?,
                },
            }
        }
        Ok(Box::new(self.copy()?))
    }

    fn forks(&self) -> Forks {
        if self.hello.fork == Fork::Native { Forks::Native } else { Forks::Replay }
    }

    /// What it says itself, asked for when it is wanted; where it says nothing, by what was done.
    /// Where asking fails the line is gone, and the next step says so.
    fn fingerprint(&self) -> u64 {
        *self.fingerprint.get_or_init(|| {
            let asked = || self.line.ask::<Hashed>("hash", json!({"world": self.id})).ok();
            let hash = self.hello.hash.then(asked).flatten();
            hash.map_or_else(|| self.way.finish(), |said| digest::of([said.hash.as_str()]))
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// An expert of such a world.
pub struct Asked(pub &'static str);

impl Expert for Asked {
    fn name(&self) -> &'static str {
        self.0
    }

    fn advise(&self, env: &dyn Environment, _: &Cancel) -> Result<Advice, NoAdvice> {
        let world = env
            .as_any()
            .downcast_ref::<World>()
            .ok_or_else(|| NoAdvice::Other("it knows only its own world".into()))?;
        if world.turn.done {
            return Err(NoAdvice::Done);
        }
        let said: Advised = world.line.ask("expert", json!({"world": world.id, "name": self.0}))?;
        match said {
            Advised { action: Some(action), steps_left, silent: None } => {
                Ok(Advice { action, steps_left })
            }
            Advised { action: None, silent: Some(why), .. } => {
                Err(NoAdvice::Other(crate::text::clean(&why)))
            }
            _ => Err(NoAdvice::Other("it answers neither an action nor why it is silent".into())),
        }
    }
}
