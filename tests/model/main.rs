//! The decoder against itself, against finite differences and against candle.

mod fixtures;
mod inference;
mod training;
