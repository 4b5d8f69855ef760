//! Studies: arms, seeds and amounts of data crossed, every stage a job that is done once, and what
//! came of them with intervals.
//!
//! A study has a data directory of its own below the one in use (`studies/NAME`), so that nothing
//! else is trained on and it can be opened in the program like any other. Its file says what is
//! crossed ([`Design`]); [`jobs`] makes the list of jobs of it, in the order arms within seed, so
//! that every finished seed counts; [`work`] does those that are not done. What came of a job is a
//! line ([`Line`]): lines from another machine count like those from here.

mod design;
mod jobs;
mod lines;
pub mod stats;
mod work;

pub use design::{Amount, Arm, Claim, Design, Making, Shape, TestSet};
pub use jobs::{Cell, Data, Job, Task, jobs};
pub use lines::{Line, export, import};
pub use work::{Event, place, work};
