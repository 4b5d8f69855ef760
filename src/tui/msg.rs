//! Everything that can happen to the interface.

use crossterm::event::KeyEvent;

use super::effect::{Kind, Notice, Screen};
use super::screens::{curate, data, explore, replay, train};
use crate::control::Progress;
use crate::ends::Event;
use crate::error::Result;

/// Everything that can happen.
#[derive(Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyEvent),
    /// The first line was clicked: its width, and the column.
    Click(usize, usize),
    /// Text was pasted.
    Paste(String),
    /// The clock, twice a second.
    Tick,
    /// The store's contents changed.
    Changed,
    /// Something to say.
    Notice(Notice),
    /// A text to be read on the screen that asked for it: its title and lines.
    Text(Screen, String, Vec<String>),
    /// Something happened to the process.
    Process(Event),
    /// A thread could not be started, and why: without it the screens would be a lie.
    Broken(&'static str, String),
    /// From a job.
    Job(Kind, JobMsg),
    /// For Explore.
    Explore(explore::Msg),
    /// For Curate.
    Curate(curate::Msg),
    /// For Train.
    Train(train::Msg),
    /// For Replay.
    Replay(replay::Msg),
    /// For Data.
    Data(data::Msg),
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
    /// It was paused or goes on.
    Paused(bool),
    /// It ended.
    Ended(Result<String>),
}
