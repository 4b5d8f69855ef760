//! The `foretaste` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Err(error) = color_eyre::install() {
        eprintln!("error: {error}");
    }
    foretaste::cli::main()
}
