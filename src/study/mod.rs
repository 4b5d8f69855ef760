//! Studies: arms, seeds and amounts of data crossed, every stage a job that is done once, and what
//! came of them with intervals.
//!
//! A study has a data directory of its own below the one in use (`studies/NAME`), so that nothing
//! else is trained on and it can be opened in the program like any other. Its file says what is
//! crossed ([`Design`]); [`jobs`] makes the list of jobs of it, in the order arms within seed, so
//! that every finished seed counts; [`work`] does those that are not done. What came of a job is a
//! line ([`Line`]): lines from another machine count like those from here.

mod apart;
mod bridge;
mod chart;
mod design;
mod forecast;
mod html;
mod jobs;
mod lines;
mod markdown;
mod report;
mod shelf;
pub mod stats;
mod trained;
mod work;

use std::path::Path;

use crate::error::Result;
use crate::store::Store;

pub use bridge::{Bridge, Games};
pub use design::{Amount, Arm, Claim, Design, Making, Shape, TestSet};
pub use forecast::{Forecast, OfArm, forecast};
pub use html::html;
pub use jobs::{Cell, Data, Job, Task, jobs};
pub use lines::{Line, finished, import};
pub use markdown::{markdown, percent, signed};
pub use report::{ArmRow, Comparison, Condition, Cost, OfSeed, OnTest, Report, report};
pub use shelf::{Shelf, Standing, begin};
pub use work::{Event, place, work};

/// Writes what is finished into a folder: `results.jsonl`, `report.md` and `report.html`. Returns
/// what they say.
pub fn write(design: &Design, store: &Store, jobs: &[Job], folder: &Path) -> Result<Report> {
    let lines = finished(store, jobs)?;
    lines::export(&lines, &folder.join("results.jsonl"))?;
    let found = report(design, &lines, jobs.len());
    lines::write(&folder.join("report.md"), markdown(&found).as_bytes())?;
    lines::write(&folder.join("report.html"), html(&found)?.as_bytes())?;
    Ok(found)
}
