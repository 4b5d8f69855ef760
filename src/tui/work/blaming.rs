//! The jobs that ask minds about a stored trajectory: where it was lost, and what they would do now.

use std::path::Path;

use super::Mailbox;
use crate::agent;
use crate::control::Control;
use crate::env::Suite;
use crate::episode::Play;
use crate::error::{Error, Result};
use crate::eval::{Chance, blame, who_plays_on};
use crate::model::team::Priority;
use crate::store::Store;
use crate::train::rl::now::now;
use crate::tui::msg::{JobMsg, Msg};
use crate::tui::screens::replay;

/// How often a mind plays on from a state.
pub const FORKS: usize = 16;

/// Lets who played it, or who is nearest to that here, play on from every state.
pub(super) fn find_blame(
    root: &Path,
    suite: &dyn Suite,
    id: i64,
    control: &Control,
    tell: &mut dyn FnMut(JobMsg),
    mail: &Mailbox,
) -> Result<String> {
    let store = Store::open(root)?;
    let trajectory = store.trajectory(id)?;
    if trajectory.suite != suite.name() {
        let other = &trajectory.suite;
        return Err(Error::new(format!(
            "trajectory {id} is of {other}, and {} is open",
            suite.name()
        ))
        .hint(format!("foretaste --suite {other}")));
    }
    let own = agent::played_by(&store, &trajectory);
    let mut agent = agent::open(&store, own.as_deref(), Some(suite.name()), Priority::Background)?;
    let who = who_plays_on(&agent.name(), FORKS, &trajectory.actor);
    mail.send(Msg::from(replay::Msg::Asked(id, who)));
    let play = Play { temperature: 0.4, seed: 1, ..Play::default() };
    let each = &mut |chance: Option<&Chance>, progress| {
        if let Some(chance) = chance {
            mail.send(Msg::from(replay::Msg::Chance(id, chance.clone())));
        }
        tell(JobMsg::Progress(progress));
    };
    let found = blame(suite, &trajectory, agent.as_mut(), (FORKS, play), control, each)?;
    let said = format!("trajectory {id}: {}", found.in_words());
    mail.send(Msg::from(replay::Msg::Blamed(Box::new(found))));
    Ok(said)
}

/// Asks the newest checkpoint of the run that learnt from a rollout what it would do in its states.
pub(super) fn ask_policy(
    root: &Path,
    id: i64,
    control: &Control,
    mail: &Mailbox,
) -> Result<String> {
    let store = Store::open(root)?;
    let row = store.rollout_of(id)?.ok_or_else(|| {
        Error::new(format!("no run has learnt from trajectory {id}"))
            .hint("f lists rollouts: those that a run of rl kept")
    })?;
    let trajectory = store.trajectory(id)?;
    let found = now(&store, &row, &trajectory, &control.cancel)?;
    let said = format!("{} would do this now in trajectory {id}", found.policy);
    mail.send(Msg::from(replay::Msg::Now(id, Box::new(found))));
    Ok(said)
}
