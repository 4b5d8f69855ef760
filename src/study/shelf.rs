//! The studies of a data directory: what each asks, how far it is, and what it has found so far.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::design::Design;
use super::jobs::{Job, jobs};
use super::lines::finished;
use super::report::{Report, report};
use super::work::{is_worked_at, place};
use crate::error::{Error, Result};
use crate::store::Store;

/// The setting of a study's store that holds its file.
const DESIGN: &str = "study";

/// A study as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// What its file says.
    pub design: Design,
    /// Its data directory.
    pub folder: PathBuf,
    /// Its jobs in order.
    pub jobs: Vec<Job>,
    /// Names of jobs that are finished.
    pub done: Vec<String>,
    /// The job that is being done, here or in another program; none while nobody works at it.
    pub doing: Option<String>,
    /// Jobs that ended without a result, and why.
    pub failed: Vec<(String, String)>,
    /// What was found so far.
    pub report: Report,
}

/// Writes down what a study is, in its own store, which is made if it is not there.
pub fn begin(root: &Path, design: &Design) -> Result<Store> {
    let store = Store::open(&place(root, &design.name))?;
    let text = serde_json::to_string(design)
        .map_err(|e| Error::new(format!("the study `{}`: {e}", design.name)))?;
    let known = store.setting(DESIGN)?;
    let before = known.as_deref().and_then(|known| serde_json::from_str::<Design>(known).ok());
    // What is to be primary is named before anything is known; seeds may be added. A folder copied under
    // another name is another study, which takes over what it asks for too.
    if before.is_some_and(|it| it.name == design.name && it.primary != design.primary)
        && !store.study_standing()?.is_empty()
    {
        return Err(Error::new(format!(
            "the study `{}` was begun with other primary comparisons",
            design.name
        ))
        .hint("they are fixed before the first job: take them back, or name the study otherwise"));
    }
    if known.as_deref() != Some(&text) {
        store.set_setting(DESIGN, &text)?;
    }
    Ok(store)
}

/// The studies of a data directory, read again only where something has changed: working out
/// intervals takes a moment.
#[derive(Debug, Default)]
pub struct Shelf {
    /// By folder, how many jobs were finished, and what that came to.
    known: BTreeMap<PathBuf, (usize, Report)>,
}

impl Shelf {
    /// Looks at all of them, by name.
    pub fn look(&mut self, root: &Path) -> Result<Vec<Standing>> {
        let shelf = root.join("studies");
        if !shelf.is_dir() {
            return Ok(Vec::new());
        }
        let mut folders = Vec::new();
        let entries = std::fs::read_dir(&shelf).map_err(|e| Error::io("listing", &shelf, &e))?;
        for entry in entries {
            let path = entry.map_err(|e| Error::io("listing", &shelf, &e))?.path();
            if Store::is_there(&path) {
                folders.push(path);
            }
        }
        folders.sort();
        let mut all = Vec::new();
        for folder in folders {
            all.extend(self.one(folder)?);
        }
        Ok(all)
    }

    /// One of them; none where a folder holds no study, or that of a newer program.
    fn one(&mut self, folder: PathBuf) -> Result<Option<Standing>> {
        let store = Store::open(&folder)?;
        let Some(text) = store.setting(DESIGN)? else { return Ok(None) };
        let Ok(design) = serde_json::from_str::<Design>(&text) else { return Ok(None) };
        let jobs = jobs(&design);
        let is_of_study = |name: &str| jobs.iter().any(|job| job.name == name);
        let mut done = Vec::new();
        let mut failed = Vec::new();
        let mut begun = None;
        // Without what came of them: this is asked every second.
        let standing = store.study_standing()?;
        for (job, finished, error) in standing.into_iter().filter(|(job, ..)| is_of_study(job)) {
            match error {
                _ if finished => done.push(job),
                Some(why) => failed.push((job, why)),
                None => begun = Some(job),
            }
        }
        let report = match self.known.get(&folder) {
            Some((count, found)) if *count == done.len() => found.clone(),
            _ => report(&design, &finished(&store, &jobs)?, jobs.len()),
        };
        self.known.insert(folder.clone(), (done.len(), report.clone()));
        let doing = begun.filter(|_| is_worked_at(&folder));
        Ok(Some(Standing { design, folder, jobs, done, doing, failed, report }))
    }
}
