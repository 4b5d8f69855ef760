//! Inputs that grow by structure, for every reader of the engine, and the readers that they are fed
//! to.
//!
//! Shared by the tests and by the targets of cargo-fuzz in `fuzz/`. An input is made from a stream
//! of [`Choices`]; whatever made it, it is fed as bytes, so that one that a fuzzer found can be
//! kept as a file.

pub mod choices;
mod config;
mod game;
mod gguf;
mod grammar;
mod keys;
mod pddl;
mod record;
mod regexes;
mod tensors;
mod tokenizer;

use std::time::Duration;

use choices::Choices;

/// One input may take so much processor time: real ones take milliseconds.
pub const SLOW: Duration = Duration::from_secs(2);
/// A whole game: its experts are asked twice, and may search for a second each time.
pub const SLOW_GAME: Duration = Duration::from_secs(5);
/// One input may make the process grow by so many megabytes.
pub const GROWTH_MB: f64 = 512.0;

/// A reader, what makes inputs for it, and how it is fed.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Its share of the executions.
    pub weight: u64,
    /// At most so many executions in one process: what a process keeps of what it read is not the
    /// inputs' fault.
    pub chunk: u64,
    /// How long one input may take.
    pub slow: Duration,
    /// Makes an input.
    pub make: fn(&mut Choices<'_>) -> Vec<u8>,
    /// Feeds it; whether it was accepted.
    pub feed: fn(&[u8]) -> bool,
}

const fn target(
    name: &'static str,
    weight: u64,
    make: fn(&mut Choices<'_>) -> Vec<u8>,
    feed: fn(&[u8]) -> bool,
) -> Target {
    Target { name, weight, chunk: 200_000, slow: SLOW, make, feed }
}

/// All of them.
pub const TARGETS: [Target; 12] = [
    target("domain", 20, game::domain, game::feed_domain),
    target("problem", 15, game::problem, game::feed_problem),
    target("grammar", 15, game::grammar, game::feed_grammar),
    Target { slow: SLOW_GAME, chunk: 2000, ..target("game", 15, game::game, game::feed_game) },
    target("safetensors", 40, tensors::make, tensors::feed),
    target("gguf", 80, gguf::make, gguf::feed),
    Target { chunk: 20_000, ..target("tokenizer", 6, tokenizer::make, tokenizer::feed) },
    target("config", 100, config::make, config::feed),
    Target { chunk: 20_000, ..target("import", 10, record::import, record::feed_import) },
    Target { slow: SLOW_GAME, ..target("packing", 2, record::packing, record::feed_packing) },
    target("settings", 100, keys::settings, keys::feed_settings),
    target("keys", 15, keys::keys, keys::feed_keys),
];

/// The target of that name.
pub fn named(name: &str) -> Option<&'static Target> {
    const ALL: &[Target] = &TARGETS;
    ALL.iter().find(|target| target.name == name)
}

/// What one fuzzing target of cargo-fuzz does with its bytes: they are choices, and an input as
/// they are.
#[allow(dead_code)] // the tests have seeds
pub fn both(name: &str, bytes: &[u8]) {
    if let Some(target) = named(name) {
        let made = (target.make)(&mut Choices::spelled(bytes));
        _ = (target.feed)(&made);
        _ = (target.feed)(bytes);
    }
}
