//! The generators of `tests/fuzz`, for the targets of cargo-fuzz.

#[path = "../tests/fuzz/grow/mod.rs"]
pub mod grow;
