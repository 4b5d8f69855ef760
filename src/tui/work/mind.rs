//! The thread that owns the model of Explore.

use std::path::PathBuf;

use super::{Door, Latest, Mailbox, Worker, minds};
use crate::agent::{self, Agent};
use crate::budget;
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::explore::{
    Evaluated, compare_models, evaluate_state, play_on, prompt_and_replies, score_state, write,
};
use crate::guard::guarded;
use crate::model::BuiltIn;
use crate::model::team::{self, Priority};
use crate::store::Store;
use crate::tui::effect::{MindCmd, PlayOn};
use crate::tui::msg::Msg;
use crate::tui::screen::Screen;
use crate::tui::screens::{curate, explore};

/// A command, and by what it is ended.
type Asked = (MindCmd, Cancel);

/// The handle of the thread. A newer state to be evaluated ends the one under way, and never the
/// loading of a model, which only another one ends.
pub struct Mind {
    commands: Worker<Asked>,
    current: Latest,
    loading: Latest,
    /// Ends whatever else is asked, when the program is left.
    leaving: Cancel,
}

impl Mind {
    /// Starts the thread.
    pub fn start(root: PathBuf, mut suite: String, mail: Mailbox) -> Self {
        let own = mail.clone();
        let mut mind = None;
        let mut named: Option<String> = None;
        let commands =
            Worker::start("the mind", &own, move |(command, cancel): Asked| match command {
                MindCmd::Renew if named.is_some() => Ok(()),
                MindCmd::Suite(now) if named.is_some() || now == suite => {
                    suite = now;
                    Ok(())
                }
                MindCmd::Load(_) | MindCmd::Renew | MindCmd::Suite(_) => {
                    let mut wanted = named.clone();
                    let elsewhere = matches!(command, MindCmd::Suite(_));
                    match command {
                        MindCmd::Load(name) => wanted = name,
                        MindCmd::Suite(now) => suite = now,
                        _ => {}
                    }
                    let opened = budget::under(&cancel, || {
                        guarded("reading the model", || {
                            let store = Store::open(&root)?;
                            let name = wanted.as_deref();
                            agent::open(&store, name, Some(&suite), Priority::Interactive)
                        })
                    });
                    // Who could not be loaded is not who answers: whoever did goes on, but in another suite.
                    let keeps = opened.is_ok() || !elsewhere;
                    match opened {
                        Ok(found) => (mind, named) = (Some(found), wanted),
                        Err(error) => mail.failed(&error),
                    }
                    let still = mind.take().filter(|_| keeps);
                    let now = still.map_or_else(|| built_in(&suite), Ok)?;
                    let minds = minds(now.as_ref(), named.is_some());
                    mail.send(Msg::from(explore::Msg::Model(minds)));
                    tell_spent(now.as_ref(), &mail);
                    mind = Some(now);
                    Ok(())
                }
                MindCmd::Evaluate(_) | MindCmd::Score(..) if cancel.is_cancelled() => Ok(()),
                MindCmd::Compare(of) => {
                    let store = Store::open(&root)?;
                    let _waiting = team::interactive();
                    let open =
                        |name: &str| agent::open(&store, Some(name), None, Priority::Interactive);
                    let lines = compare_models(
                        &of,
                        open(&of.before)?.as_mut(),
                        open(&of.after)?.as_mut(),
                        &cancel,
                    )?;
                    mail.send(Msg::Text(
                        Screen::Train,
                        "The same state before and after".into(),
                        lines,
                    ));
                    Ok(())
                }
                other => match mind.as_mut() {
                    Some(mind) => {
                        let answered = answer(mind.as_mut(), other, &cancel, &mail);
                        tell_spent(mind.as_ref(), &mail); // also of what failed
                        answered
                    }
                    None => Err(Error::new("no model is loaded")),
                },
            });
        let (current, loading) = (Latest::default(), Latest::default());
        Self { commands, current, loading, leaving: Cancel::default() }
    }

    /// The door for the world.
    pub fn door(&self) -> MindDoor {
        MindDoor(self.commands.door(), self.leaving.clone())
    }

    /// Hands it a command.
    pub fn send(&self, command: MindCmd) {
        let cancel = match command {
            MindCmd::Load(_) => {
                self.current.renew();
                self.loading.renew()
            }
            MindCmd::Evaluate(_) => self.current.renew(),
            // It goes when a person looks at something else.
            MindCmd::Score(..) => self.current.current(),
            _ => self.leaving.clone(),
        };
        self.commands.send((command, cancel));
    }

    /// Ends what is under way: the program is left.
    pub fn end(&self) {
        self.current.renew();
        self.loading.renew();
        self.leaving.cancel();
    }
}

/// The door by which the world hands over episodes to be played on, once what is asked already is
/// answered.
pub struct MindDoor(Door<Asked>, Cancel);

impl MindDoor {
    /// Hands one over.
    pub fn play_on(&self, episode: PlayOn) {
        self.0.send((MindCmd::PlayOn(Box::new(episode)), self.1.clone()));
    }
}

fn answer(mind: &mut dyn Agent, command: MindCmd, cancel: &Cancel, mail: &Mailbox) -> Result<()> {
    let _waiting = team::interactive();
    match command {
        MindCmd::Evaluate(of) => {
            let ticket = of.ticket;
            let answered = evaluate_state(mind, &of, cancel, &mut |found| {
                mail.send(Msg::from(match found {
                    Evaluated::Thought(text) => explore::Msg::Thought(ticket, text),
                    Evaluated::Shares(shares, scores) => {
                        explore::Msg::Scores(ticket, shares, scores)
                    }
                    Evaluated::Chosen(chosen) => explore::Msg::Chosen(ticket, chosen),
                    Evaluated::Predicted(texts, complete) => {
                        explore::Msg::Predicted(ticket, texts, complete)
                    }
                }));
            });
            if let Some(error) = answered.as_ref().err().filter(|error| !error.is_cancelled()) {
                mail.send(Msg::from(explore::Msg::Silent(ticket, error.message().into())));
            }
            answered?;
        }
        MindCmd::Score(policies, of) => {
            let (shares, _) = score_state(mind, &of, cancel)?;
            mail.send(Msg::from(explore::Msg::Scored(policies, of, shares)));
        }
        MindCmd::Prompt(state, actions, think) => {
            let lines = prompt_and_replies(mind, &state, &actions, think, cancel)?;
            mail.send(Msg::Text(Screen::Explore, "Prompt and replies".into(), lines));
        }
        MindCmd::Regenerate(id, writer, case) => {
            // Another seed for every attempt; the number of milliseconds will not come twice.
            let written = write(mind, writer, &case, crate::store::now_ms() as u64, cancel);
            mail.send(Msg::from(match &written {
                Ok((author, text)) => curate::Msg::Written(id, author.clone(), text.clone()),
                Err(_) => curate::Msg::Failed,
            }));
            written?;
        }
        MindCmd::PlayOn(on) => {
            let PlayOn { node, action, episode, played } = *on;
            let how = budget::under(cancel, || play_on(mind, episode, cancel));
            drop(played);
            let said = how.as_ref().map_or_else(|error| error.message().to_string(), Clone::clone);
            mail.send(Msg::from(explore::Msg::WentOn(
                node,
                action,
                format!("policy from there: {said}"),
            )));
            how?;
        }
        // These need no model that is loaded.
        MindCmd::Load(_) | MindCmd::Renew | MindCmd::Suite(_) | MindCmd::Compare(_) => {}
    }
    Ok(())
}

/// Says what was spent on a mind so far, where tokens are paid for.
fn tell_spent(mind: &dyn Agent, mail: &Mailbox) {
    if let Some(spent) = mind.spent() {
        mail.send(Msg::from(explore::Msg::Spent(spent)));
    }
}

/// The model of the program that knows a suite: a damaged checkpoint must not leave Explore without any.
fn built_in(suite: &str) -> Result<Box<dyn Agent>> {
    let known = BuiltIn::of_suite(suite);
    agent::local(known.files().build(known.name())?, Priority::Interactive)
}
