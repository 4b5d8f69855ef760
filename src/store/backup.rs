//! The store as one file, and back.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use serde::Serialize;

use super::opening::{FILE, FILES, lock_file, make_private};
use super::{Store, now_ms};
use crate::error::{Error, Result};
use crate::paths::{create_private, sync_folder, temporary};

/// What became of a restored store's surroundings.
#[derive(Debug, Serialize)]
pub struct Restored {
    /// Where the files that stood there are now.
    pub set_aside: Vec<PathBuf>,
    /// Checkpoints that the backup knows and whose folders are not there, or hold another run's
    /// weights.
    pub without_weights: u64,
}

impl Store {
    /// Writes the store as it is at one moment into a file that is not there yet, while others go
    /// on writing. Checkpoints' weights are folders of their own and not in it. The file is whole
    /// or it is not there.
    pub fn backup(&self, file: &Path) -> Result<u64> {
        if file.exists() {
            return Err(Error::new(format!("{} is there already", file.display()))
                .hint("name a file that is not"));
        }
        let parent =
            file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let whole = |path: &Path| std::fs::canonicalize(path).ok();
        let named_so =
            file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(FILE));
        if named_so && whole(parent) == whole(&self.root) {
            return Err(Error::new(format!("{}: a name of the store's own files", file.display()))
                .hint(
                    "name the backup otherwise: beside a store SQLite takes such files for its own",
                ));
        }
        let failed = |e: std::io::Error| Error::io("writing", file, &e);
        let temp = temporary().tempdir_in(parent).map_err(failed)?;
        let written = temp.path().join(FILE);
        self.db.execute("VACUUM INTO ?1", [written.display().to_string()])?;
        File::open(&written).and_then(|copy| copy.sync_all()).map_err(failed)?;
        let size = std::fs::metadata(&written).map_err(failed)?.len();
        // A link and not a rename: what somebody put there meanwhile is not overwritten.
        make_private(&written);
        match std::fs::hard_link(&written, file) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(failed(error));
            }
            Err(_) => std::fs::rename(&written, file).map_err(failed)?,
            Ok(()) => {}
        }
        sync_folder(parent);
        Ok(size)
    }

    /// Puts a backup in the place of the store of a data directory, whatever state that is in: its
    /// files are set aside, all of them, under names that are returned. At every moment of it there
    /// is a store, the old one or the new.
    pub fn restore(root: &Path, file: &Path) -> Result<Restored> {
        if !file.is_file() {
            return Err(Error::new(format!("{}: no file is there", file.display())).hint(
                "backups are written by: foretaste data backup FILE; to put a deleted trajectory \
                 back: data undelete ID",
            ));
        }
        create_private(root).map_err(|e| Error::io("creating the data directory", root, &e))?;
        let lock = lock_file(root).map_err(|e| Error::io("locking", root, &e))?;
        if lock.try_lock().is_err() {
            return Err(Error::new(format!(
                "another foretaste has the store in {} open",
                root.display()
            ))
            .hint("close it first: what it writes would go to the files that are set aside"));
        }
        let failed = |e: std::io::Error| Error::io("restoring", root, &e);
        let temp = temporary().tempdir_in(root).map_err(failed)?;
        let copy = temp.path().join(FILE);
        copy_whole(file, &copy)?;
        // What cannot be opened by this program must not come into the place of what can: opened
        // where it is, first.
        drop(Store::open(temp.path()).map_err(|error| error.at(file.display()))?);
        make_private(&copy);
        File::open(&copy).and_then(|copy| copy.sync_all()).map_err(failed)?;
        let set_aside = set_aside(root).map_err(failed)?;
        sync_folder(root);
        std::fs::rename(&copy, root.join(FILE)).map_err(failed)?;
        sync_folder(root);
        drop(lock);
        let store = Self::open(root)?;
        let mut without_weights = 0;
        for saved in store.checkpoints()? {
            without_weights += u64::from(!store.is_own_folder(saved.run, &saved.folder)?);
        }
        Ok(Restored { set_aside, without_weights })
    }
}

/// Copies a store's file as `SQLite` reads it: with what stands in a log beside it, where it is one
/// that is open.
fn copy_whole(file: &Path, copy: &Path) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let at = |e: rusqlite::Error| {
        use rusqlite::ErrorCode::{DiskFull, SystemIoFailure};
        if matches!(e.sqlite_error_code(), Some(DiskFull | SystemIoFailure)) {
            return Error::from(e).at(file.display());
        }
        Error::new(format!("{}: {e}", file.display())).hint("it is no backup, or a damaged one")
    };
    let db = Connection::open_with_flags(file, flags).map_err(at)?;
    let whole: String =
        db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(at)?;
    if whole != "ok" {
        return Err(Error::new(format!("{}: {whole}", file.display()))
            .hint("the backup is damaged; take another"));
    }
    db.execute("VACUUM INTO ?1", [copy.display().to_string()]).map_err(at)?;
    Ok(())
}

/// Gives the files of a store second names, which are returned; its first name goes over to another
/// one in one step afterwards. A store that can be read at all is one file by then: beside another,
/// its log would damage that.
fn set_aside(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let stamp = now_ms();
    let there: Vec<&str> = FILES.into_iter().filter(|name| root.join(name).exists()).collect();
    let aside = |name: &str| {
        root.join(format!("{FILE}.aside-{stamp}{}", name.strip_prefix(FILE).unwrap_or_default()))
    };
    for name in &there {
        let linked = std::fs::hard_link(root.join(name), aside(name));
        linked.or_else(|_| std::fs::copy(root.join(name), aside(name)).map(|_| ()))?;
    }
    fold_log(&root.join(FILE));
    for name in there.iter().filter(|name| **name != FILE) {
        match std::fs::remove_file(root.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    // An empty log says nothing, and the index of one that is gone neither.
    let log = aside(FILES[1]);
    let empty = std::fs::metadata(&log).map_or(true, |found| found.len() == 0);
    if empty {
        for name in [log, aside(FILES[2])] {
            _ = std::fs::remove_file(name);
        }
    }
    Ok(there.into_iter().map(aside).filter(|path| path.exists()).collect())
}

/// Puts what stands in a store's log in its place, if the store can be read at all: its file alone
/// is all of it then.
fn fold_log(file: &Path) {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if let Ok(db) = Connection::open_with_flags(file, flags) {
        _ = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        _ = db.close(); // the last to close it removes the log
    }
}

#[cfg(test)]
#[path = "backup_tests.rs"]
mod tests;
