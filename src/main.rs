//! The `foretaste` program.
fn main() {}
