//! The log file: what the program did and said, `foretaste.log` in the data directory. Lines are
//! handed to a thread of their own, so that a slow disk never holds the interface.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

use crate::error::{Error, Result};
use crate::paths::{own_file, private_file};

/// A log larger than this is set aside when the program starts; one older log is kept.
const LARGE: u64 = 1 << 20;

/// How much of its end the log view shows.
const SHOWN: u64 = 1 << 16;

/// Where it is.
pub fn path(root: &Path) -> PathBuf {
    root.join("foretaste.log")
}

/// Begins to log; what is still on its way is written when the guard is dropped. `FORETASTE_LOG`
/// says how much (`debug`, `foretaste=trace`; `info` without it).
pub fn begin(root: &Path) -> Result<WorkerGuard> {
    let path = path(root);
    if std::fs::metadata(&path).is_ok_and(|found| found.len() > LARGE) {
        std::fs::rename(&path, root.join("foretaste.log.1"))
            .map_err(|e| Error::io("setting aside", &path, &e))?;
    }
    let opened =
        own_file(&path).and_then(|path| private_file().create(true).append(true).open(path));
    let (writer, guard) =
        tracing_appender::non_blocking(opened.map_err(|e| Error::io("opening", &path, &e))?);
    let filter = EnvFilter::try_from_env("FORETASTE_LOG")
        .unwrap_or_else(|_| EnvFilter::new("foretaste=info"));
    // A second call in one process (tests) goes on with the first.
    _ = tracing_subscriber::fmt()
        .with_writer(writer)
        .with_ansi(false)
        .with_target(false)
        .with_env_filter(filter)
        .try_init();
    Ok(guard)
}

/// Its last lines, the newest first.
pub fn tail(root: &Path) -> Result<Vec<String>> {
    let path = path(root);
    let read = |file: &mut File| -> std::io::Result<Vec<u8>> {
        let from = file.metadata()?.len().saturating_sub(SHOWN);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = own_file(&path)
        .and_then(File::open)
        .and_then(|mut file| read(&mut file))
        .map_err(|e| Error::io("reading", &path, &e))?;
    let mut lines: Vec<String> =
        String::from_utf8_lossy(&bytes).lines().map(str::to_string).collect();
    lines.reverse();
    Ok(lines)
}
