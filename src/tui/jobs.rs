//! The jobs that run behind the screens, as the interface knows them.

use std::collections::BTreeMap;

use super::effect::JobKind;
use crate::control::Progress;

/// A running job.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Job {
    /// How far it is.
    pub progress: Option<Progress>,
    /// Whether it is paused.
    pub paused: bool,
}

/// All that run; one of each kind at most.
pub type Jobs = BTreeMap<JobKind, Job>;
