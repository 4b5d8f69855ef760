//! The thread that owns the running worlds of Explore.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::games::Games;
use super::mind::MindDoor;
use super::{Mailbox, Worker};
use crate::budget;
use crate::control::Cancel;
use crate::env::{Forks, Suite, TaskRef};
use crate::error::{Error, Result};
use crate::explore::{Keeping, Kept, Outcome, Remembered, Session, Tried, keep, reflect};
use crate::store::Store;
use crate::tui::effect::{Notice, PlayOn, WorldCmd};
use crate::tui::msg::Msg;
use crate::tui::screen::Screen;
use crate::tui::screens::{curate, explore};

/// The setting under which the session is remembered.
const REMEMBERED: &str = "explore";

pub(super) struct World {
    pub(super) suite: Arc<dyn Suite>,
    /// Suites that were open before.
    pub(super) suites: Vec<Arc<dyn Suite>>,
    root: PathBuf,
    pub(super) mail: Mailbox,
    store: Option<Store>,
    pub(super) split: String,
    pub(super) tasks: Vec<TaskRef>,
    pub(super) session: Option<Session>,
    /// The games that were left, with their trees.
    pub(super) games: Games,
    /// Who was asked for on the command line.
    expert: Option<String>,
    /// The node whose episode was kept as a demonstration.
    kept: Option<usize>,
    /// The node whose episode was to be kept although the same one is: a second time it is.
    warned: Option<usize>,
    /// The place of the task that was to be opened and is not.
    wanted: Option<usize>,
    /// Who plays on from a fork.
    mind: MindDoor,
}

/// Starts the thread.
pub fn start(
    suite: Arc<dyn Suite>,
    expert: Option<String>,
    root: PathBuf,
    mail: Mailbox,
    mind: MindDoor,
) -> WorldThread {
    let own = mail.clone();
    let split = String::new();
    let tasks = Vec::new();
    let mut world = World {
        suites: vec![Arc::clone(&suite)],
        suite,
        root,
        mail,
        store: None,
        split,
        tasks,
        session: None,
        games: Games::default(),
        expert,
        kept: None,
        warned: None,
        wanted: None,
        mind,
    };
    let worker =
        Worker::start("the world", &own, move |(command, cancel): (WorldCmd, Option<Cancel>)| {
            match cancel {
                // Left for another task before it was opened: the next command goes on from there.
                Some(cancel) => budget::under(&cancel, || world.obey(command)),
                None => world.obey(command),
            }
        });
    WorldThread { worker, opening: Cancel::default(), asides: Cancel::default() }
}

/// The handle of the thread. Asking for another task leaves one that is being opened.
pub struct WorldThread {
    worker: Worker<(WorldCmd, Option<Cancel>)>,
    opening: Cancel,
    /// What is tried and played on beside the state that one stands in: it is of no use once one
    /// has left.
    asides: Cancel,
}

impl WorldThread {
    /// Hands it a command.
    pub fn send(&mut self, command: WorldCmd) {
        let opens = matches!(
            command,
            WorldCmd::Begin
                | WorldCmd::Task(_)
                | WorldCmd::NextSplit
                | WorldCmd::Open(..)
                | WorldCmd::BranchOff(..)
                | WorldCmd::NextExpert
        );
        let aside = matches!(
            command,
            WorldCmd::Execute(..)
                | WorldCmd::GoOn(..)
                | WorldCmd::ExpertGoesOn(..)
                | WorldCmd::Compare(..)
        );
        let leaves =
            opens || matches!(command, WorldCmd::Step(..) | WorldCmd::Back | WorldCmd::Goto(_));
        if opens {
            self.opening.cancel();
            self.opening = Cancel::default();
        }
        if leaves {
            self.asides.cancel();
            self.asides = Cancel::default();
        }
        let cancel =
            if opens { Some(self.opening.clone()) } else { aside.then(|| self.asides.clone()) };
        self.worker.send((command, cancel));
    }

    /// Ends it once what was asked for is done, but for opening a task; whether it ended in time.
    pub fn finish(self, limit: Duration) -> bool {
        self.opening.cancel();
        self.asides.cancel();
        self.worker.wait(limit)
    }
}

impl World {
    pub(super) fn store(&mut self) -> Result<&mut Store> {
        if self.store.is_none() {
            self.store = Some(Store::open(&self.root)?);
        }
        self.store.as_mut().ok_or_else(|| Error::new("no store"))
    }

    fn session(&mut self) -> Result<&mut Session> {
        self.session.as_mut().ok_or_else(|| Error::new("no task is open"))
    }

    /// Who speaks as the expert: the one who did last, else the one asked for at the start.
    fn asked(&self) -> Option<String> {
        self.session
            .as_ref()
            .map(|session| session.asked().to_string())
            .or_else(|| self.expert.clone())
    }

    fn obey(&mut self, command: WorldCmd) -> Result<()> {
        if !matches!(command, WorldCmd::Keep(_) | WorldCmd::Execute(..)) {
            self.warned = None; // who does something else meanwhile has not said it twice
        }
        match command {
            WorldCmd::Begin => return self.begin(),
            WorldCmd::Task(by) => self.beside(by)?,
            WorldCmd::NextSplit => {
                self.file_away()?;
                let splits = self.suite.splits();
                let at = splits
                    .iter()
                    .position(|split| *split == self.split)
                    .map_or(0, |at| (at + 1) % splits.len());
                let split = splits.get(at).cloned().unwrap_or_default();
                let tasks = self.suite.tasks(&split)?;
                let first = tasks
                    .first()
                    .ok_or_else(|| Error::new(format!("split {split} has no tasks")))?
                    .id
                    .clone();
                let session = self.open(&split, &first)?;
                self.take_up(session);
                self.split = split;
                self.tasks = tasks;
            }
            WorldCmd::Games(suite, split) => {
                self.list(suite, split);
                return Ok(());
            }
            WorldCmd::Open(suite, split, id) => self.choose(&suite, split, &id)?,
            WorldCmd::Step(action, source) => self.session()?.step(&action, &source)?,
            WorldCmd::NextExpert => self.session()?.next_expert(),
            WorldCmd::Back => _ = self.session()?.back(),
            WorldCmd::Goto(node) => self.session()?.goto(node)?,
            WorldCmd::Name(node, name) => self.session()?.name(node, &name)?,
            WorldCmd::Remove(node) => self.session()?.remove(node)?,
            WorldCmd::PutBack => {
                if !self.session()?.put_back() {
                    return Err(Error::new("nothing was deleted from this tree"));
                }
            }
            WorldCmd::Compare(a, b) => {
                let lines = self.session()?.compare(a, b)?;
                self.mail.send(Msg::Text(Screen::Explore, "Two nodes".into(), lines));
                return Ok(());
            }
            WorldCmd::Execute(node, actions) => {
                let session = self.session()?;
                if session.at() == node {
                    let outcomes = session.outcomes(&actions)?;
                    self.mail.send(Msg::from(explore::Msg::Outcomes(node, outcomes)));
                }
                return Ok(());
            }
            WorldCmd::GoOn(node, actions) => {
                if self.session()?.at() == node {
                    self.play_on(node, actions)?;
                }
                return Ok(());
            }
            WorldCmd::ExpertGoesOn(node, actions) => {
                for action in actions {
                    let session = self.session()?;
                    if session.at() == node {
                        let how = session.expert_goes_on(&action)?;
                        self.mail.send(Msg::from(explore::Msg::WentOn(node, action, how)));
                    }
                }
                return Ok(());
            }
            WorldCmd::Reflect(outcomes) => return self.reflect(&outcomes),
            WorldCmd::Keep(tried) => return self.keep(&tried),
            WorldCmd::BranchOff(trajectory, t) => self.branch_off(trajectory, t)?,
        }
        self.remember()?;
        self.show()
    }

    /// Workers episodes after these actions to the mind. Where a world is not copied, the next one
    /// is led there only when the one before was played: there may be no room for both.
    fn play_on(&mut self, node: usize, actions: Vec<String>) -> Result<()> {
        for action in actions {
            let session = self.session()?;
            let one_by_one = session.forks()? == Forks::Replay;
            let episode = session.after(&action)?;
            let (played, done) = std::sync::mpsc::channel();
            self.mind.play_on(PlayOn {
                node,
                action,
                episode,
                played: one_by_one.then_some(played),
            });
            if one_by_one {
                // An error is the other end going away, which is what is waited for.
                _ = done.recv();
            }
        }
        Ok(())
    }

    /// Opens the task so many places on: of the one that is open, or of the one that was to be
    /// opened and could not be.
    fn beside(&mut self, by: i64) -> Result<()> {
        self.file_away()?;
        let open = self.session.as_ref().map(|session| session.task_id().to_string());
        let at = || self.tasks.iter().position(|task| Some(&task.id) == open.as_ref());
        let at = self.wanted.or_else(at).unwrap_or_default();
        let next = (at as i64 + by).rem_euclid(self.tasks.len().max(1) as i64) as usize;
        let id =
            self.tasks.get(next).ok_or_else(|| Error::new("the split has no tasks"))?.id.clone();
        self.wanted = Some(next);
        let session = self.open(&self.split.clone(), &id)?;
        self.take_up(session);
        Ok(())
    }

    /// Opens another task, as it was left if it was open before. The worlds of the one that is open
    /// make room for it where there cannot be many.
    pub(super) fn open(&mut self, split: &str, id: &str) -> Result<(Session, Option<usize>)> {
        self.make_room();
        let asked = self.asked();
        if let Some(session) = self.session.take_if(|session| session.is_of(split, id)) {
            return Ok((session, self.kept));
        }
        if let Some((mut session, kept)) = self.games.take(split, id) {
            if let Some(asked) = &asked {
                session.ask(asked);
            }
            return Ok((session, kept));
        }
        Ok((Session::open(&self.suite, split, id, asked.as_deref())?, None))
    }

    pub(super) fn make_room(&mut self) {
        if let Some(session) = self.session.as_mut().filter(|_| self.suite.instances().is_some()) {
            session.release();
        }
    }

    pub(super) fn take_up(&mut self, (session, kept): (Session, Option<usize>)) {
        if let Some(left) = self.session.replace(session) {
            self.games.put(left, self.kept);
        }
        self.kept = kept;
        self.wanted = None;
    }

    fn begin(&mut self) -> Result<()> {
        let name = self.suite.name();
        let kept = self.store()?.setting(&format!("{REMEMBERED}.{name}"))?;
        let kept: Option<Remembered> = kept.and_then(|text| serde_json::from_str(&text).ok());
        let splits = self.suite.splits();
        let split = kept
            .as_ref()
            .map(Remembered::split)
            .filter(|split| splits.iter().any(|known| known == split));
        self.split =
            split.map(str::to_string).or_else(|| splits.first().cloned()).unwrap_or_default();
        self.tasks = self.suite.tasks(&self.split)?;
        let restored = kept
            .filter(|kept| kept.suite() == name)
            .map(|kept| Session::restore(&self.suite, &kept, self.expert.as_deref()));
        match restored {
            Some(Ok(session)) => self.take_up((session, None)),
            other => {
                if let Some(Err(error)) = other {
                    // The game files may have moved; start over on another task.
                    self.mail.failed(&error);
                }
                let first = self.tasks.first();
                let id = first
                    .ok_or_else(|| Error::new(format!("{name} / {} has no tasks", self.split)))?
                    .id
                    .clone();
                self.wanted = Some(0);
                let session = self.open(&self.split.clone(), &id)?;
                self.take_up(session);
            }
        }
        self.show()?;
        self.list(None, None);
        Ok(())
    }

    /// Saves what was walked so far as an exploration before another task is opened, unless it was
    /// kept already.
    pub(super) fn file_away(&mut self) -> Result<()> {
        let Some(trajectory) = self.session.as_ref().map(Session::trajectory) else {
            return Ok(());
        };
        let at = self.session()?.at();
        if self.kept == Some(at) || trajectory.steps.is_empty() {
            return Ok(());
        }
        self.store()?.add_trajectory(&trajectory)?;
        self.kept = Some(at);
        self.mail.send(Msg::Changed);
        Ok(())
    }

    /// Writes where the session stands before it is shown.
    fn remember(&mut self) -> Result<()> {
        let key = format!("{REMEMBERED}.{}", self.suite.name());
        let text = serde_json::to_string(&self.session()?.remember())
            .map_err(|e| Error::new(e.to_string()))?;
        self.store()?.set_setting(&key, &text)
    }

    fn show(&mut self) -> Result<()> {
        let id = self.session()?.task_id().to_string();
        let place = self.tasks.iter().position(|task| task.id == id).map_or(0, |at| at + 1);
        let view = self.session()?.view()?;
        if let Some(warning) = self.session()?.warning.take() {
            self.mail.send(Msg::Notice(Notice::info(warning)));
        }
        self.mail.send(Msg::from(explore::Msg::View {
            view: Box::new(view),
            place,
            of: self.tasks.len(),
        }));
        Ok(())
    }

    fn keep(&mut self, tried: &Tried) -> Result<()> {
        self.store()?;
        let (Some(session), Some(store)) = (&mut self.session, &mut self.store) else {
            return Err(Error::new("no task is open"));
        };
        let at = Some(session.at());
        match keep(session, tried, store, self.warned == at)? {
            Keeping::Kept(Kept { id, steps, by, is_by_hand, split, branches }) => {
                (self.kept, self.warned) = (at, None);
                let mut text = format!(
                    "kept as demonstration {id} of {split}: {steps} steps by {by}, {branches} \
                     alternatives"
                );
                if is_by_hand {
                    text.push_str("; played by hand: a run takes it with the expert human, or all");
                }
                self.mail.send(Msg::Notice(Notice::info(text)));
                self.mail.send(Msg::Changed);
            }
            Keeping::Known(id) => {
                self.warned = at;
                let text = format!(
                    "demonstration {id} has the same actions in the same task, and both would \
                     count: the same key again keeps this one too"
                );
                self.mail.send(Msg::Notice(Notice { text, bad: true }));
            }
        }
        Ok(())
    }

    /// Saves the way here with the expert's step and the executed alternatives, and writes a
    /// reflection about it.
    fn reflect(&mut self, outcomes: &[Outcome]) -> Result<()> {
        self.store()?;
        let (Some(session), Some(store)) = (&mut self.session, &mut self.store) else {
            return Err(Error::new("no task is open"));
        };
        let (id, _) = reflect(session, outcomes, store)?;
        self.mail.send(Msg::Changed);
        self.mail.send(Msg::from(curate::Msg::Show(id)));
        Ok(())
    }
}
