//! The thread that owns the model of Explore.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use super::{Mailbox, worker};
use crate::agent::local::LocalAgent;
use crate::agent::{Policy, WorldModel, shares};
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::model::team::{self, Priority};
use crate::store::Store;
use crate::train::checkpoint;
use crate::tui::effect::Look;
use crate::tui::msg::Msg;
use crate::tui::screens::explore;

enum Command {
    Look(Box<Look>, Cancel),
    Load(Option<String>),
}

/// The handle of the thread. A new request ends the one under way.
pub struct Mind {
    commands: mpsc::Sender<Command>,
    current: Arc<Mutex<Cancel>>,
}

impl Mind {
    /// Starts the thread; it loads the newest checkpoint, else the embedded model.
    pub fn start(root: PathBuf, mail: Mailbox) -> Self {
        let own = mail.clone();
        let commands = worker("mind", &own, move |commands: mpsc::Receiver<Command>| {
            let mut agent = None;
            for command in commands {
                let done = match command {
                    Command::Load(name) => load(&root, name.as_deref(), &mail).map(|loaded| agent = Some(loaded)),
                    Command::Look(look, cancel) if !cancel.is_cancelled() => match agent.as_mut() {
                        Some(agent) => think(agent, &look, &cancel, &mail),
                        None => Err(Error::new("no model is loaded")),
                    },
                    Command::Look(..) => Ok(()),
                };
                if let Err(error) = done {
                    mail.failed(&error);
                }
            }
        });
        Self { commands, current: Arc::default() }
    }

    fn renew(&self) -> Cancel {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.cancel();
        *current = Cancel::default();
        current.clone()
    }

    /// Thinks about a state.
    pub fn look(&self, look: Look) {
        _ = self.commands.send(Command::Look(Box::new(look), self.renew()));
    }

    /// Loads another model: a checkpoint's number, `embedded`, or the newest checkpoint.
    pub fn load(&self, name: Option<String>) {
        self.renew();
        _ = self.commands.send(Command::Load(name));
    }
}

fn load(root: &std::path::Path, name: Option<&str>, mail: &Mailbox) -> Result<LocalAgent> {
    let loaded = Store::open(root).and_then(|store| checkpoint::load(&store, name));
    let model = match loaded {
        Ok(model) => model,
        Err(error) => {
            mail.failed(&error); // a damaged checkpoint must not leave Explore without a model
            crate::model::Model::embedded()?
        }
    };
    mail.send(Msg::Explore(explore::Msg::Model(model.source.clone())));
    LocalAgent::new(model, Cancel::default(), Priority::Interactive)
}

/// Scores, then chooses alternatives, then predicts, saying each as soon as it is known.
fn think(agent: &mut LocalAgent, look: &Look, cancel: &Cancel, mail: &Mailbox) -> Result<()> {
    agent.set_cancel(cancel.clone());
    let _waiting = team::interactive();
    let ticket = look.ticket;
    let tell = |msg: explore::Msg| mail.send(Msg::Explore(msg));
    let chosen: Vec<(String, String)> = if look.actions.is_empty() {
        let proposed = agent.propose(&look.state, look.k, ticket)?;
        let mut distinct: Vec<(String, String)> = Vec::new();
        for action in proposed {
            if Some(&action) != look.expert.as_ref() && !distinct.iter().any(|(known, _)| *known == action) {
                distinct.push((action, "policy".into()));
            }
        }
        distinct
    } else {
        let shares = shares(&agent.score(&look.state, &look.actions)?);
        cancel.check()?;
        let mut order: Vec<usize> = (0..shares.len()).filter(|i| Some(&look.actions[*i]) != look.expert.as_ref()).collect();
        order.sort_by(|a, b| shares[*b].total_cmp(&shares[*a]).then(a.cmp(b)));
        tell(explore::Msg::Scores(ticket, shares));
        order.into_iter().take(look.k).map(|i| (look.actions[i].clone(), "policy".to_string())).collect()
    };
    tell(explore::Msg::Chosen(ticket, chosen.clone()));
    let all: Vec<String> = look.expert.iter().cloned().chain(chosen.into_iter().map(|(action, _)| action)).collect();
    let mut last = Instant::now();
    let mut partial: Vec<String> = vec![String::new(); all.len()];
    let finished = agent.predict(&look.state, &all, &mut |i, text| {
        partial[i] = text.to_string();
        // The screen shows at most thirty states a second; more would only queue up.
        if last.elapsed() > Duration::from_millis(33) {
            last = Instant::now();
            tell(explore::Msg::Predicted(ticket, partial.clone(), false));
        }
        true
    })?;
    tell(explore::Msg::Predicted(ticket, finished, true));
    Ok(())
}
