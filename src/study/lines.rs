//! What came of a study's jobs, a line each: what is committed, and what another machine goes on
//! from.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::jobs::{Job, Task};
use crate::error::{Error, Result};
use crate::paths::write_whole;
use crate::store::{Store, StudyJob};

/// A finished job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What it is called.
    pub job: String,
    /// Everything that decided what came of it.
    pub task: Task,
    /// What did.
    pub result: Value,
    /// The training run of the store in which it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    /// When it was begun and finished, in milliseconds since 1970.
    pub when_ms: (i64, i64),
}

/// The longest line that is read: a test of ten thousand games is a tenth of it.
const LONGEST: usize = 16 << 20;

/// The finished jobs of the list in its order.
pub fn finished(store: &Store, jobs: &[Job]) -> Result<Vec<Line>> {
    let known: HashMap<String, StudyJob> =
        store.study_jobs()?.into_iter().map(|known| (known.job.clone(), known)).collect();
    let mut lines = Vec::new();
    for job in jobs {
        let Some(StudyJob { result: Some(result), run, started_ms, finished_ms, spec, .. }) =
            known.get(&job.name)
        else {
            continue;
        };
        if !job.is_of(spec) {
            return Err(changed(&job.name));
        }
        let result = serde_json::from_str(result)
            .map_err(|e| Error::new(format!("what came of `{}`: {e}", job.name)))?;
        let when_ms = (*started_ms, finished_ms.unwrap_or(*started_ms));
        let task = job.task.clone();
        lines.push(Line { job: job.name.clone(), task, result, run: *run, when_ms });
    }
    Ok(lines)
}

/// That a job was done with other settings than the file says now.
pub(super) fn changed(job: &str) -> Error {
    Error::new(format!("the job `{job}` was done with other settings than the file has now"))
        .hint("a study is not changed while it runs: give the file another name, or take it back")
}

/// Writes finished jobs to a file, in place of what was there.
pub(super) fn export(lines: &[Line], path: &Path) -> Result<()> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line)
            .map_err(|e| Error::new(format!("writing a line: {e}")))?;
        text.push(b'\n');
    }
    write(path, &text)
}

/// Writes a file whole or not at all, in a folder that is made if it is not there.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Error::io("creating", folder, &e))?;
    }
    write_whole(path, true, |file| {
        file.write_all(bytes).map_err(|e| Error::io("writing", path, &e))
    })
}

/// Takes in lines that were written elsewhere: training and tests, which need nothing that is not
/// here. Returns how many were new.
///
/// # Errors
/// Where a line is not understood, or is of a job that the study does not have.
pub fn import(store: &mut Store, jobs: &[Job], path: &Path) -> Result<usize> {
    let file = std::fs::File::open(path).map_err(|e| Error::io("reading", path, &e))?;
    let by_name: HashMap<&str, &Job> = jobs.iter().map(|job| (job.name.as_str(), job)).collect();
    let mut taken = 0;
    // The rows of another store mean nothing here.
    let apart = |result: &mut Value| {
        if let Some(summary) = result.get_mut("summary").and_then(Value::as_object_mut) {
            summary.remove("evaluation");
        }
    };
    for (n, line) in BufReader::new(file).lines().enumerate() {
        let place = format!("{}:{}", path.display(), n + 1);
        let line = line.map_err(|e| Error::io("reading", path, &e))?;
        if line.len() > LONGEST {
            return Err(Error::new(format!("{place}: a line of {} bytes", line.len())));
        }
        if line.trim().is_empty() {
            continue;
        }
        let mut line: Line = serde_json::from_str(&line).map_err(|e| {
            Error::new(format!("{place}: {e}")).hint("lines as `foretaste study --out` writes them")
        })?;
        let Some(job) = by_name.get(line.job.as_str()) else {
            return Err(Error::new(format!("{place}: the study has no job `{}`", line.job))
                .hint("lines go with the file that they were made by"));
        };
        if job.task != line.task {
            return Err(changed(&line.job).at(place));
        }
        if matches!(job.task, Task::Collect { .. } | Task::Model { .. } | Task::Visit { .. }) {
            continue; // what they made is not in the line
        }
        apart(&mut line.result);
        let known = StudyJob {
            job: line.job,
            spec: job.spec(),
            run: None,
            result: Some(line.result.to_string()),
            error: None,
            started_ms: line.when_ms.0,
            finished_ms: Some(line.when_ms.1),
        };
        taken += usize::from(store.import_study_job(&known)?);
    }
    Ok(taken)
}
