//! `foretaste`: a terminal workbench for training language agents from their own early experience.
//!
//! `ARCHITECTURE.md` is the map; the method is arXiv 2510.08558.

pub mod env;
pub mod error;
pub mod model;
pub mod rng;
