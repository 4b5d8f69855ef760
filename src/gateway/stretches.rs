//! What a session was worth, stretch by stretch: a reward is about the calls since the one before it.

use serde_json::json;

use crate::error::Result;
use crate::store::{REWARD, Store, no_session};

/// Some calls of a session that a reward is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// The last call that had been made when it was told.
    pub upto: i64,
    /// What they were worth, as was last said of them.
    pub reward: f64,
    /// The world that the agent said it plays: suite and task.
    pub world: Option<(String, String)>,
}

/// Says in a person's name what a session was worth.
///
/// # Errors
/// Where there is no such session.
pub fn reward(store: &mut Store, session: &str, value: f64) -> Result<()> {
    if !store.has_session(session)? {
        return Err(no_session(session));
    }
    let body = json!({"reward": value, "source": "a person"});
    store.add_session_event(session, (REWARD, Some(value)), &body)?;
    Ok(())
}

/// The stretches of a session, in order.
pub fn stretches(store: &Store, session: &str) -> Result<Vec<Stretch>> {
    Ok(read(store, session)?.0)
}

/// The world (suite and task) that an agent said it played in a call, whether or not somebody said yet
/// what that was worth.
pub fn world_of(store: &Store, session: &str, call: i64) -> Result<Option<(String, String)>> {
    let (all, open) = read(store, session)?;
    Ok(match of(&all, call) {
        Some(stretch) => stretch.world.clone(),
        None => open,
    })
}

/// A suite and a task.
type World = (String, String);

/// The stretches of a session, and the world that was named since the last of them.
fn read(store: &Store, session: &str) -> Result<(Vec<Stretch>, Option<World>)> {
    let mut all: Vec<Stretch> = Vec::new();
    let mut world = None;
    for event in store.session_events(session)? {
        let text = |field: &str| event.body[field].as_str().map(str::to_string);
        match (event.kind.as_str(), event.value) {
            ("world", _) => world = text("suite").zip(text("task")),
            (REWARD, Some(reward)) => match all.last_mut() {
                // Nothing was asked in between: it is said anew.
                Some(last) if last.upto == event.after => {
                    last.reward = reward;
                    last.world = world.take().or(last.world.take());
                }
                _ => all.push(Stretch { upto: event.after, reward, world: world.take() }),
            },
            _ => {}
        }
    }
    Ok((all, world))
}

/// The stretch that a call is in; none where nobody said yet what it was worth.
pub fn of(all: &[Stretch], call: i64) -> Option<&Stretch> {
    all.iter().find(|stretch| stretch.upto >= call)
}
