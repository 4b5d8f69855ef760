//! A trajectory to read elsewhere, with what models expected of it and what was written about it:
//! plain text, a web page that needs nothing else, an asciinema cast (version 2).

mod cast;
mod page;
mod scene;
mod section;

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::experience::{Trajectory, worth};
use crate::paths::write_whole;
use crate::store::Told;

/// How a trajectory is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Transcript {
    /// Plain text.
    #[value(alias = "txt")]
    Text,
    /// A self-contained web page: light and dark, with keys, on a phone and without scripts.
    Html,
    /// An asciinema cast: two seconds a step, longer where there is much to read.
    Cast,
}

impl Transcript {
    /// All of them, with their file endings.
    pub const ALL: [(Self, &str); 3] =
        [(Self::Text, "txt"), (Self::Html, "html"), (Self::Cast, "cast")];

    /// The trajectory with all that hangs off its states.
    pub fn tell(self, told: &Told) -> String {
        match self {
            Self::Text => (0..=told.trajectory.steps.len()).map(|t| plain(told, t)).collect(),
            Self::Html => page::page(told),
            Self::Cast => cast::cast(told),
        }
    }
}

/// What there is to read about state `t`, as plain text.
pub fn plain(told: &Told, t: usize) -> String {
    scene::scene(told, t).iter().map(|row| format!("{row}\n")).collect()
}

/// Writes a trajectory in every form into a folder; returns the files.
pub fn write_all(folder: &Path, told: &Told) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io("creating", folder, &e))?;
    let one = |(transcript, ending): (Transcript, &str)| {
        let path = folder.join(format!("trajectory-{}.{ending}", told.trajectory.id));
        let text = transcript.tell(told);
        write_whole(&path, true, |file| {
            file.write_all(text.as_bytes()).map_err(|e| Error::io("writing", &path, &e))
        })?;
        Ok(path)
    };
    Transcript::ALL.into_iter().map(one).collect()
}

/// What a trajectory is, in names and values: where it was played, who acted, how it ended, and
/// which program wrote this down.
fn facts(trajectory: &Trajectory) -> [(&'static str, String); 8] {
    let Trajectory { id, suite, split, kind, task_id, purpose, seed, .. } = trajectory;
    [
        ("suite / split", format!("{suite} / {split}")),
        ("kind", kind.clone()),
        ("game", task_id.clone()),
        ("acted", format!("{} ({})", trajectory.by(), purpose.as_str())),
        ("result", ending(trajectory)),
        ("seed", seed.to_string()),
        ("trajectory", id.to_string()),
        ("written by", concat!("foretaste ", env!("CARGO_PKG_VERSION")).to_string()),
    ]
}

/// How it ended, and after how many steps.
fn ending(trajectory: &Trajectory) -> String {
    let steps = trajectory.steps.len();
    let cut = trajectory.steps.last().is_some_and(|step| step.truncated);
    let won = trajectory.success();
    let end = match (won, cut) {
        (true, _) => "goal reached",
        (false, true) => "cut off",
        (false, false) => "goal not reached",
    };
    let worth = worth(trajectory.reward(), won).map(|worth| format!(", worth {worth}"));
    let s = if steps == 1 { "" } else { "s" };
    format!("{end} in {steps} step{s}{}", worth.unwrap_or_default())
}

#[cfg(test)]
mod tests;
