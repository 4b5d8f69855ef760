//! A trajectory to read elsewhere: plain text, a web page that needs nothing else, an asciinema
//! cast (version 2).

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::error::{Error, Result};
use crate::experience::{Branch, Trajectory, worth};
use crate::paths::write_whole;
use crate::text::clean;

/// How a trajectory is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Transcript {
    /// Plain text.
    Text,
    /// A self-contained web page.
    Html,
    /// An asciinema cast: two seconds a step.
    Cast,
}

impl Transcript {
    /// All of them, with their file endings.
    pub const ALL: [(Self, &str); 3] =
        [(Self::Text, "txt"), (Self::Html, "html"), (Self::Cast, "cast")];

    /// The trajectory with what else was executed on the way.
    pub fn tell(self, trajectory: &Trajectory, branches: &[Branch]) -> String {
        match self {
            Self::Text => {
                (0..=trajectory.steps.len()).map(|t| scene(trajectory, branches, t)).collect()
            }
            Self::Html => page(trajectory, branches),
            Self::Cast => cast(trajectory, branches),
        }
    }
}

/// Writes a trajectory in every form into a folder; returns the files.
pub fn write_all(
    folder: &Path,
    trajectory: &Trajectory,
    branches: &[Branch],
) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io("creating", folder, &e))?;
    let one = |(transcript, ending): (Transcript, &str)| {
        let path = folder.join(format!("trajectory-{}.{ending}", trajectory.id));
        let told = transcript.tell(trajectory, branches);
        write_whole(&path, true, |file| {
            file.write_all(told.as_bytes()).map_err(|e| Error::io("writing", &path, &e))
        })?;
        Ok(path)
    };
    Transcript::ALL.into_iter().map(one).collect()
}

fn heading(trajectory: &Trajectory) -> String {
    let Trajectory { id, suite, split, kind, task, .. } = trajectory;
    let by = trajectory.by();
    let mut end = if trajectory.success() { "won".to_string() } else { "not won".to_string() };
    if let Some(worth) = worth(trajectory.reward(), trajectory.success()) {
        end += &format!(" ({worth})");
    }
    clean(&format!(
        "{task}\n{suite} / {split} · {kind} · by {by} · {end} in {} steps · trajectory {id}",
        trajectory.steps.len()
    ))
}

/// What the person sees at state `t`.
fn scene(trajectory: &Trajectory, branches: &[Branch], t: usize) -> String {
    let mut out = String::new();
    match t.checked_sub(1).and_then(|before| trajectory.steps.get(before)) {
        None => out += &format!("{}\n\n", heading(trajectory)),
        Some(step) => out += &clean(&format!("\n{t:3} > {}  ({})\n\n", step.action, step.source)),
    }
    out += &format!("{}\n", clean(trajectory.observation_at(t).trim()));
    for branch in branches.iter().filter(|branch| branch.t == t) {
        let observation = branch.observation.trim().replace('\n', " ");
        out += &clean(&format!(
            "      ├ {} [{}] → {observation}\n",
            branch.action,
            branch.effect.as_str()
        ));
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn page(trajectory: &Trajectory, branches: &[Branch]) -> String {
    let scenes = (0..=trajectory.steps.len()).map(|t| {
        let won = t > 0 && trajectory.steps[t - 1].success;
        let class = if won { " class=\"won\"" } else { "" };
        format!(
            "<section id=\"s{t}\"{class}><pre>{}</pre></section>\n",
            escaped(&scene(trajectory, branches, t))
        )
    });
    let style = "body{background:#111;color:#ddd;max-width:110ch;margin:2em auto;padding:0 1em}\
        pre{font:14px/1.45 monospace;white-space:pre-wrap;margin:0}section{border:1px solid #444;padding:.6em 1em;margin:.6em 0}\
        section.won{border-color:#4a4}";
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta \
         charset=\"utf-8\"><title>{}</title><style>{style}</style></head>\n<body>\n{}</body></html>\n",
        escaped(&clean(&trajectory.task)),
        scenes.collect::<String>()
    )
}

fn cast(trajectory: &Trajectory, branches: &[Branch]) -> String {
    let header =
        json!({"version": 2, "width": 120, "height": 40, "title": clean(&trajectory.task)});
    let mut out = format!("{header}\n");
    for t in 0..=trajectory.steps.len() {
        let screen =
            format!("\u{1b}[2J\u{1b}[H{}", scene(trajectory, branches, t).replace('\n', "\r\n"));
        out += &format!("{}\n", json!([2 * t, "o", screen]));
    }
    out
}

#[cfg(test)]
#[path = "transcript_tests.rs"]
mod tests;
