//! Where things are kept.

use std::path::PathBuf;

use directories::ProjectDirs;

use crate::error::{Error, Result};

/// The data directory: the one named, else the platform's own.
pub fn data_dir(named: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = named {
        return Ok(path);
    }
    let dirs = ProjectDirs::from("", "", "foretaste").ok_or_else(|| {
        Error::new("this account has no home directory").hint("name a data directory with --data-dir DIR")
    })?;
    Ok(dirs.data_dir().to_path_buf())
}
