//! `foretaste`: a terminal workbench for training language agents from their own early experience.
//!
//! `ARCHITECTURE.md` is the map; the method is arXiv 2510.08558.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// What is printed, and every thread, goes through one door: see clippy.toml.
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_macros))]

#[cfg(test)]
extern crate self as foretaste;

#[cfg(test)]
#[path = "../tests/common/mind.rs"]
mod scripted;

pub mod agent;
pub mod agreement;
pub mod bench;
pub mod budget;
pub mod cli;
pub mod collect;
pub mod console;
pub mod control;
pub mod curation;
pub mod digest;
pub mod ends;
pub mod env;
pub mod episode;
pub mod error;
pub mod eval;
pub mod experience;
pub mod explore;
pub mod formats;
pub mod gateway;
pub mod guard;
pub mod model;
pub mod paths;
pub mod place;
pub mod prompts;
pub mod rng;
pub mod selection;
pub mod store;
pub mod study;
pub mod surprise;
pub mod text;
pub mod train;
pub mod tui;
