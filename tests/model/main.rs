//! The decoder against itself, against finite differences and against candle.

mod families;
mod fixtures;
mod gguf;
mod inference;
mod training;
