//! The job that finds out where a trajectory was lost.

use std::path::Path;

use super::Mailbox;
use crate::agent;
use crate::control::Control;
use crate::env::Suite;
use crate::episode::Play;
use crate::error::{Error, Result};
use crate::eval::{Chance, blame};
use crate::model::team::Priority;
use crate::store::Store;
use crate::tui::msg::{JobMsg, Msg};
use crate::tui::screens::replay;

/// How often a mind plays on from a state.
pub const FORKS: usize = 16;

/// Lets who played it (where that is a model here, else the newest one) play on from every state.
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
    let mut agent = agent::open(&store, own, Some(suite.name()), Priority::Background)?;
    let play = Play { temperature: 0.4, seed: 1, ..Play::default() };
    let each = &mut |chance: &Chance, progress| {
        mail.send(Msg::from(replay::Msg::Chance(id, chance.clone())));
        tell(JobMsg::Progress(progress));
    };
    let found = blame(suite, &trajectory, agent.as_mut(), (FORKS, play), control, each)?;
    let said = format!("trajectory {id}: {}", found.in_words());
    mail.send(Msg::from(replay::Msg::Blamed(Box::new(found))));
    Ok(said)
}
