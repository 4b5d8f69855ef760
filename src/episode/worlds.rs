//! The running worlds of one task, at whatever state they are asked for. Where a world can be
//! copied a state costs a fork of one that is there; where it cannot, one is led along the way to
//! it once more, and every observation is held against the recorded one. Not more of them live at
//! once than the suite can have.

use crate::budget;
use crate::digest::Digest;
use crate::env::{Environment, Experts, Forks, Opened, Suite, Turn};
use crate::error::{Error, Kind, Result};
use crate::experience::{Step, Trajectory};

/// How an error begins that says that a world is not the recorded one; its kind is
/// [`Kind::Mismatch`].
const STATE_MISMATCH: &str = "STATE_MISMATCH";

/// Worlds that are kept where they cost next to nothing, and where each has a process or a session
/// of its own.
const NATIVE: usize = 64;
const DEAR: usize = 4;

/// A step of a way: what was done, and what was answered.
#[derive(Debug, Clone, Copy)]
pub struct Leg<'a> {
    /// The action.
    pub action: &'a str,
    /// The observation after it.
    pub observation: &'a str,
}

/// The way along some steps.
pub fn way(steps: &[Step]) -> Vec<Leg<'_>> {
    steps.iter().map(|step| Leg { action: &step.action, observation: &step.observation }).collect()
}

/// What executing an action in a state led to.
#[derive(Debug, Clone, PartialEq)]
pub struct Executed {
    /// The turn after it.
    pub turn: Turn,
    /// Whether the state did not admit it.
    pub refused: bool,
    /// The state before, and the one after: see [`Environment::fingerprint`].
    pub before: u64,
    /// The state after.
    pub after: u64,
}

/// A running world and the way it has gone.
struct Live {
    /// Its way, as a digest of what was done and answered, and how long that is.
    way: Digest,
    steps: usize,
    env: Box<dyn Environment>,
}

/// See the module.
pub struct Worlds<'a> {
    open: Box<dyn Fn() -> Result<Opened> + Send + 'a>,
    /// The task's experts.
    pub experts: Experts,
    /// What the task is called in messages.
    name: String,
    /// The first observation, and what the world as a whole was where that is known.
    observation: String,
    identity: Option<u64>,
    /// The one used last stands last.
    live: Vec<Live>,
    most: usize,
}

impl<'a> Worlds<'a> {
    /// The worlds of a recorded trajectory.
    ///
    /// # Errors
    /// When the task is another one now than when it was recorded ([`Kind::Mismatch`]).
    pub fn of(suite: &'a dyn Suite, trajectory: &Trajectory) -> Result<Self> {
        let id = trajectory.task_id.clone();
        let open = move || suite.open(&id);
        let Opened { env, experts, .. } = open()?;
        let mut worlds = Self::none(open, env.forks(), experts, suite.instances(), trajectory);
        worlds.live.push(worlds.at_start(env)?);
        Ok(worlds)
    }

    /// The worlds of a task that is open already, from which `start` was read: `open` opens it
    /// again, `most` may live at once.
    pub fn new(
        opened: Opened,
        open: impl Fn() -> Result<Opened> + Send + 'a,
        most: Option<usize>,
        start: &Trajectory,
    ) -> Self {
        let Opened { env, experts, .. } = opened;
        let mut worlds = Self::none(open, env.forks(), experts, most, start);
        worlds.live.push(Live { way: Digest::default(), steps: 0, env });
        worlds
    }

    fn none(
        open: impl Fn() -> Result<Opened> + Send + 'a,
        forks: Forks,
        experts: Experts,
        most: Option<usize>,
        start: &Trajectory,
    ) -> Self {
        let usual = if forks == Forks::Native { NATIVE } else { DEAR };
        Self {
            open: Box::new(open),
            experts,
            name: if start.id == 0 {
                start.task_id.clone()
            } else {
                format!("trajectory {}", start.id)
            },
            observation: start.observation.clone(),
            identity: start.world,
            live: Vec::new(),
            most: most.unwrap_or(usual).clamp(1, usual),
        }
    }

    /// A world at the start of the task, if it is the recorded one.
    fn at_start(&self, env: Box<dyn Environment>) -> Result<Live> {
        if *env.turn().observation != *self.observation {
            return Err(self.mismatch(0, "the world answers differently"));
        }
        if self.identity.is_some_and(|was| env.identity().is_some_and(|is| is != was)) {
            return Err(self.mismatch(0, "the world is another one"));
        }
        Ok(Live { way: Digest::default(), steps: 0, env })
    }

    fn mismatch(&self, at: usize, what: &str) -> Error {
        let name = &self.name;
        Error::new(format!(
            "{STATE_MISMATCH}: {name} at step {at}: {what} now than when it was recorded"
        ))
        .of(Kind::Mismatch)
        .hint("the game files or the suite changed; collect its demonstrations again")
    }

    /// Looks at a world in the state that a way leads to.
    pub fn look<R>(
        &mut self,
        way: &[Leg<'_>],
        look: impl FnOnce(&dyn Environment, &Experts) -> R,
    ) -> Result<R> {
        self.go(way)?;
        Ok(look(self.last()?.env.as_ref(), &self.experts))
    }

    /// Executes an action in the state that a way leads to. `look` sees the world after it.
    pub fn execute<R>(
        &mut self,
        way: &[Leg<'_>],
        action: &str,
        look: impl FnOnce(&Executed, &dyn Environment, &Experts) -> R,
    ) -> Result<(Executed, R)> {
        self.go(way)?;
        let here = self.last()?;
        let before = here.env.fingerprint();
        let refused = !here.env.turn().admits(action);
        let mut next = self.leave()?;
        next.env.step(action).map_err(|error| error.or_of(Kind::World))?;
        next.went(action);
        let executed = Executed {
            turn: next.env.turn().clone(),
            refused,
            before,
            after: next.env.fingerprint(),
        };
        let seen = look(&executed, next.env.as_ref(), &self.experts);
        self.keep(next);
        // Called off while the way to the goal was looked for, what was seen says nothing about the
        // action.
        if budget::is_cancelled() {
            return Err(Error::cancelled());
        }
        Ok((executed, seen))
    }

    /// Gives away a world in the state that a way leads to, to be played on elsewhere.
    pub fn give(&mut self, way: &[Leg<'_>]) -> Result<Box<dyn Environment>> {
        self.go(way)?;
        Ok(self.leave()?.env)
    }

    /// Lets go of all of them, to make room for others: they are led to where they are wanted
    /// again.
    pub fn release(&mut self) {
        self.live.clear();
    }

    fn last(&self) -> Result<&Live> {
        self.live.last().ok_or_else(|| Error::new("no world is running"))
    }

    /// A world to be stepped on in the state of the last one: a copy where that costs nothing, else
    /// that one itself.
    fn leave(&mut self) -> Result<Live> {
        let here = self.last()?;
        if here.env.forks() == Forks::Native {
            return Ok(Live { way: here.way.clone(), steps: here.steps, env: here.env.fork()? });
        }
        self.live.pop().ok_or_else(|| Error::new("no world is running"))
    }

    fn keep(&mut self, live: Live) {
        self.live.push(live);
        let over = self.live.len().saturating_sub(self.most);
        self.live.drain(..over);
    }

    /// Makes the last world one in the state that a way leads to.
    fn go(&mut self, way: &[Leg<'_>]) -> Result<()> {
        let beginnings = beginnings(way);
        let on_way = |live: &Live| beginnings.get(live.steps) == Some(&live.way);
        let nearest = self
            .live
            .iter()
            .enumerate()
            .filter(|(_, live)| on_way(live))
            .max_by_key(|(_, live)| live.steps);
        let mut live = if let Some((i, steps)) = nearest.map(|(i, live)| (i, live.steps)) {
            let near = self.live.remove(i);
            self.live.push(near);
            if steps == way.len() {
                return Ok(());
            }
            self.leave()?
        } else {
            // One goes before another comes: there may be no more of them.
            let over = (self.live.len() + 1).saturating_sub(self.most);
            self.live.drain(..over);
            self.at_start((self.open)()?.env)?
        };
        for leg in &way[live.steps..] {
            live.env.step(leg.action).map_err(|error| error.or_of(Kind::World))?;
            live.went(leg.action);
            if *live.env.turn().observation != *leg.observation {
                return Err(self.mismatch(live.steps, "the world answers differently"));
            }
        }
        self.keep(live);
        Ok(())
    }
}

impl Live {
    /// It has taken a step: what was done and what was answered count, so that a world that
    /// answered something else is not on the way.
    fn went(&mut self, action: &str) {
        leg(&mut self.way, Leg { action, observation: &self.env.turn().observation });
        self.steps += 1;
    }
}

fn leg(way: &mut Digest, leg: Leg<'_>) {
    way.add(leg.action.as_bytes());
    way.add(leg.observation.as_bytes());
}

/// The digest of each beginning of a way, the empty one first.
fn beginnings(way: &[Leg<'_>]) -> Vec<Digest> {
    let mut all = vec![Digest::default()];
    let mut digest = Digest::default();
    for step in way {
        leg(&mut digest, *step);
        all.push(digest.clone());
    }
    all
}
