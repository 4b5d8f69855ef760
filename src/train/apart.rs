//! A run in a process of its own: it goes on when the program that began it is left.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::store::Store;

/// How long such a process may take until it has its run.
const TAKING_OVER: Duration = Duration::from_secs(30);

/// Starts a process that goes on with a run, and then with those that wait, and waits until it has
/// it.
///
/// # Errors
/// Where no process could be started, or it did not take the run over.
pub fn goes_on_apart(root: &Path, run: i64) -> Result<()> {
    let failed = |e: &std::io::Error| {
        Error::new(format!("starting the background process of run {run}: {e}"))
    };
    let program = std::env::current_exe().map_err(|e| failed(&e))?;
    let number = run.to_string();
    let mut command = Command::new(program);
    command.arg("--data-dir").arg(root).args(["train", "--resume", &number, "--queued"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(|e| failed(&e))?;
    // Only what holds the run's lock has taken over.
    let store = Store::open(root)?;
    let started = Instant::now();
    while !store.is_alive(run) {
        if child.try_wait().map_err(|e| failed(&e))?.is_some() || started.elapsed() > TAKING_OVER {
            return Err(Error::new(format!(
                "the background process of run {run} did not take it over"
            ))
            .hint(format!("it is saved; go on with: foretaste train --resume {run}")));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
