//! The `foretaste` program.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::ExitCode;

fn main() -> ExitCode {
    foretaste::guard::install();
    foretaste::cli::main()
}
