//! The terminal program.

pub mod caps;

use std::path::Path;
use std::sync::Arc;

use crate::env::Suite;
use crate::error::Result;

/// Runs it.
pub fn run(_root: &Path, _suite: Arc<dyn Suite>) -> Result<()> {
    Ok(())
}

/// Resolves to true when the process is asked to end: Ctrl-C, SIGTERM, SIGHUP.
pub async fn asked_to_end() -> bool {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut term), Ok(mut hup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
            return tokio::signal::ctrl_c().await.is_ok();
        };
        tokio::select! {
            ended = tokio::signal::ctrl_c() => ended.is_ok(),
            _ = term.recv() => true,
            _ = hup.recv() => true,
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.is_ok()
}
