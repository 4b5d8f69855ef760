//! Leading a world along a stored trajectory again.

use crate::env::{Environment, Experts, Opened, Suite};
use crate::error::{Error, Result};
use crate::experience::Trajectory;

/// How an error begins that says that a world is not the recorded one.
pub const STATE_MISMATCH: &str = "STATE_MISMATCH";

/// The environment of a stored trajectory, ready to be led along its steps; every observation is checked against the
/// recorded one, and the world as a whole where that was recorded, so that no alternative is ever executed in another
/// world than the one it is recorded in.
pub struct Retrace {
    env: Box<dyn Environment>,
    /// The task's experts.
    pub experts: Experts,
    at: usize,
}

impl Retrace {
    /// Opens the trajectory's task at its start.
    pub fn open(suite: &dyn Suite, trajectory: &Trajectory) -> Result<Self> {
        let Opened { env, experts, .. } = suite.open(&trajectory.task_id)?;
        let retrace = Self { env, experts, at: 0 };
        retrace.verify(trajectory)?;
        let differs = trajectory.world.is_some_and(|was| retrace.env.identity().is_some_and(|is| is != was));
        if differs { Err(mismatch(trajectory, 0, "the world is another one")) } else { Ok(retrace) }
    }

    fn verify(&self, trajectory: &Trajectory) -> Result<()> {
        if *self.env.turn().observation == *trajectory.observation_at(self.at) {
            return Ok(());
        }
        Err(mismatch(trajectory, self.at, "the world answers differently"))
    }

    /// The world where it is.
    pub fn env(&self) -> &dyn Environment {
        self.env.as_ref()
    }

    /// Goes to state `t`; the state after the last step is one too.
    pub fn to(&mut self, trajectory: &Trajectory, t: usize) -> Result<&dyn Environment> {
        while self.at < t {
            let step = trajectory.steps.get(self.at).ok_or_else(|| Error::new(format!("there is no step {t}")))?;
            self.env.step(&step.action)?;
            self.at += 1;
            self.verify(trajectory)?;
        }
        Ok(self.env.as_ref())
    }
}

fn mismatch(trajectory: &Trajectory, at: usize, what: &str) -> Error {
    Error::new(format!("{STATE_MISMATCH}: trajectory {} at step {at}: {what} now than when it was recorded", trajectory.id))
        .hint("the game files or the suite changed; collect its demonstrations again")
}
