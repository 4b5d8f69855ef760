//! Everything that can happen to the interface.

use crossterm::event::KeyEvent;

use super::effect::{JobKind, Notice, OpenSuite};
use super::screen::Screen;
use super::screens;
use crate::control::Progress;
use crate::ends::Event;
use crate::error::Result;

/// Everything that can happen.
#[derive(Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyEvent),
    /// A screen's tab was clicked.
    Show(Screen),
    /// Text was pasted.
    Paste(String),
    /// The clock, twice a second.
    Tick,
    /// The store's contents changed.
    Changed,
    /// Something to say.
    Notice(Notice),
    /// Something that a person wanted to look at and could not be read: after they have left it is
    /// nothing.
    Unread(Notice),
    /// A text to be read on the screen that asked for it: its title and lines.
    Text(Screen, String, Vec<String>),
    /// Something happened to the process.
    Process(Event),
    /// A thread could not be started, and why: without it the screens would be a lie.
    Broken(&'static str, String),
    /// From a job.
    Job(JobKind, JobMsg),
    /// For a screen.
    Screen(screens::Msg),
    /// Another suite is open.
    Suite(OpenSuite),
}

impl<M: Into<screens::Msg>> From<M> for Msg {
    fn from(msg: M) -> Self {
        Self::Screen(msg.into())
    }
}

/// What a job says.
#[derive(Debug)]
pub enum JobMsg {
    /// It runs.
    Started,
    /// Its training run is in the store, and begins.
    Run(i64),
    /// How far it is.
    Progress(Progress),
    /// A checkpoint is saved, in words.
    Saved(String),
    /// A checkpoint of a run is on disk, which is an adapter beside a model that is not here.
    SavedAdapter(String),
    /// It was paused or goes on.
    Paused(bool),
    /// It ended.
    Ended(Result<String>),
}
