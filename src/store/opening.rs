//! Opening the store: creating, bringing up an older one, refusing what is not one, and reading
//! where nothing can be written.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::Store;
use crate::error::{Error, Result};
use crate::paths::{create_private, own_file, private_file};

/// The schema's version; a store with a higher one was written by a newer program.
const VERSION: i64 = 16;

/// What each version added.
pub(super) const SCHEMA: [&str; 16] = [
    include_str!("schema.sql"),
    include_str!("schema2.sql"),
    include_str!("schema3.sql"),
    include_str!("schema4.sql"),
    include_str!("schema5.sql"),
    include_str!("schema6.sql"),
    include_str!("schema7.sql"),
    include_str!("schema8.sql"),
    include_str!("schema9.sql"),
    include_str!("schema10.sql"),
    include_str!("schema11.sql"),
    include_str!("schema12.sql"),
    include_str!("schema13.sql"),
    include_str!("schema14.sql"),
    include_str!("schema15.sql"),
    include_str!("schema16.sql"),
];

/// What `PRAGMA application_id` says of a store of this program ("fore"; `SQLite`'s list of magic
/// numbers).
const APPLICATION: i64 = 0x666F_7265;

/// The file of a data directory.
pub(super) const FILE: &str = "foretaste.sqlite";

/// The files that make up a store: the database, and what was written to it and not yet put in its
/// place.
pub(super) const FILES: [&str; 3] = [FILE, "foretaste.sqlite-wal", "foretaste.sqlite-shm"];

/// How long a program waits for another one that writes, in milliseconds.
const WAIT_MS: i32 = 10_000;

/// Between two looks at a lock that another program has, in milliseconds. `SQLite`'s own handler
/// looks ten times a second in the end, and whoever writes all the time is in again by then.
const LOOK_MS: i32 = 5;

/// Waits for another program's lock; false once that took too long.
fn wait(looks: i32) -> bool {
    std::thread::sleep(Duration::from_millis(LOOK_MS as u64));
    looks < WAIT_MS / LOOK_MS
}

/// A connection in WAL mode. Switching to it is the one thing for which `SQLite` does not wait for
/// another program that does the same just then, so it is tried again for as long as anything else
/// is waited for.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags)?;
    db.busy_handler(Some(wait))?;
    // A transaction that reads first and then writes is refused at once where another program
    // writes; one that says at its beginning that it will write waits.
    db.set_transaction_behavior(TransactionBehavior::Immediate);
    let started = Instant::now();
    loop {
        match db.pragma_update(None, "journal_mode", "wal") {
            Err(e)
                if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && started.elapsed().as_millis() < WAIT_MS as u128 =>
            {
                std::thread::sleep(Duration::from_millis(LOOK_MS as u64));
            }
            done => break done?,
        }
    }
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update(None, "foreign_keys", "on")?;
    Ok(db)
}

fn pragma(db: &Connection, name: &str) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, name, |row| row.get(0))
}

/// The version of the schema; an error for a newer one, and for what is no store of this program.
/// All is read at one moment: another program may be making a store of an empty file just then.
fn version(db: &Connection) -> Result<i64> {
    let _moment = db
        .is_autocommit()
        .then(|| Transaction::new_unchecked(db, TransactionBehavior::Deferred))
        .transpose()?;
    let version = pragma(db, "user_version")?;
    if version > VERSION && pragma(db, "application_id")? == APPLICATION {
        return Err(Error::new(format!(
            "written by a newer foretaste (store version {version}, this program knows {VERSION})"
        ))
        .hint("update foretaste, or name another data directory with --data-dir"));
    }
    let count = |sql: &str| -> rusqlite::Result<i64> { db.query_row(sql, [], |row| row.get(0)) };
    let ours = match pragma(db, "application_id")? {
        APPLICATION => (1..=VERSION).contains(&version),
        0 if version == 0 => count("SELECT count(*) FROM sqlite_schema")? == 0,
        0 if version < VERSION => {
            // Before stores said whose they are: by what the first version of all had.
            let first = [
                "SELECT id, suite, split, task_id, kind, task, purpose, actor, seed FROM \
                 trajectories",
                "SELECT id, reflection, act, verdict, reason, version FROM decisions",
                "SELECT id, objective, status, config, seed, start, step, steps FROM runs",
                "SELECT run, step, name, value, wall_ms FROM metrics",
                "SELECT key, value FROM settings",
            ];
            version > 0 && first.iter().all(|sql| db.prepare(sql).is_ok())
        }
        _ => false,
    };
    if ours {
        return Ok(version);
    }
    Err(Error::new("a database of another program, and no store of foretaste")
        .hint("nothing in it was changed; name another data directory with --data-dir"))
}

/// Brings a store up to this version. Immediate, so that of two programs that start together one
/// creates and the other finds.
fn bring_up(db: &mut Connection) -> Result<()> {
    let migration = db.transaction()?;
    let version = version(&migration)?;
    for step in SCHEMA.iter().skip(version.max(0) as usize) {
        migration.execute_batch(step)?;
    }
    migration.pragma_update(None, "user_version", VERSION)?;
    migration.commit()?;
    Ok(())
}

/// A file of its owner's alone, if it is not there.
fn create_private_file(path: &Path) -> std::io::Result<()> {
    match private_file().write(true).create_new(true).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Why a store that is there could not be opened for writing, if that is the only trouble.
fn unwritable(error: &rusqlite::Error) -> bool {
    use ErrorCode::{CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure};
    matches!(
        error.sqlite_error_code(),
        Some(ReadOnly | CannotOpen | PermissionDenied | DiskFull | SystemIoFailure)
    )
}

/// The lock that all who have the store open share; [`restore`](super::Store::restore) wants it for
/// itself.
pub(super) fn lock_file(root: &Path) -> std::io::Result<File> {
    private_file()
        .write(true)
        .create(true)
        .truncate(false)
        .open(own_file(&root.join("foretaste.lock"))?)
}

/// Takes the lock shared; false where whoever has it alone does not let go.
fn waited_for(file: &File) -> bool {
    let mut looks = 0;
    while file.try_lock_shared().is_err() {
        if !wait(looks) {
            return false;
        }
        looks += 1;
    }
    true
}

/// How a store was opened.
pub(super) struct Opened {
    pub(super) db: Connection,
    /// Why nothing can be written, where that is so.
    pub(super) read_only: Option<String>,
    /// What must live as long as the connection.
    pub(super) shared: Option<File>,
    pub(super) copy: Option<tempfile::TempDir>,
}

/// Opens the store in a directory, and creates it on first use.
pub(super) fn open(root: &Path) -> Result<Opened> {
    let path = root.join(FILE);
    let there = path.exists();
    let made = if there { Ok(()) } else { create_private(root) };
    made.map_err(|e| Error::io("creating the data directory", root, &e))?;
    // Held before the file is opened: whoever puts another in its place waits for nobody who looks
    // at the old one.
    let shared = match lock_file(root) {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
            return Err(Error::io("opening", root, &error));
        }
        shared => shared.ok(),
    };
    if shared.as_ref().is_some_and(|file| !waited_for(file)) {
        return Err(Error::new(format!(
            "{}: another foretaste is restoring a backup here",
            path.display()
        ))
        .hint("wait until it is done"));
    }
    if !there {
        create_private_file(&path).map_err(|e| Error::io("creating the store", &path, &e))?;
    }
    let at = |error: rusqlite::Error| Error::from(error).at(path.display());
    let opened = connect(&path).map_err(Problem::Sql).and_then(|mut db| {
        let old = version(&db).map_err(Problem::Own)? < VERSION;
        if old {
            bring_up(&mut db).map_err(Problem::Own)?;
            make_private(&path);
        }
        Ok(db)
    });
    match opened {
        // `SQLite` opens what is write-protected without a word.
        Ok(db) if db.is_readonly("main").map_err(at)? => {
            drop(db);
            read_only(&path, "it is write-protected")
        }
        Ok(db) => Ok(Opened { db, read_only: None, shared, copy: None }),
        Err(Problem::Own(error)) => Err(error.at(path.display())),
        Err(Problem::Sql(error)) if there && unwritable(&error) => {
            read_only(&path, &error.to_string()).map_err(|_| at(error))
        }
        Err(Problem::Sql(error)) => Err(at(error)),
    }
}

enum Problem {
    Sql(rusqlite::Error),
    Own(Error),
}

/// Stores of older versions could be read by everybody; what a person sets later stays.
#[cfg(unix)]
pub(super) fn make_private(path: &Path) {
    _ = std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600));
}

#[cfg(not(unix))]
pub(super) fn make_private(_: &Path) {}

/// Opens a store where nothing can be written: as it lies there if that can be done, else a copy of
/// it. What stands in its log (`-wal`) belongs to it.
fn read_only(path: &Path, why: &str) -> Result<Opened> {
    let opened = |db, copy| Opened { db, read_only: Some(why.to_string()), shared: None, copy };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let beside = |ending: &str| PathBuf::from(format!("{}{ending}", path.display()));
    let readable =
        |db: Connection| version(&db).ok().filter(|version| *version == VERSION).map(|_| db);
    if let Some(db) = Connection::open_with_flags(path, flags).ok().and_then(readable) {
        return Ok(opened(db, None));
    }
    let logged = std::fs::metadata(beside("-wal")).is_ok_and(|found| found.len() > 0);
    if !logged {
        let uri = format!(
            "file:{}?immutable=1",
            path.display().to_string().replace('%', "%25").replace('?', "%3f")
        );
        if let Some(db) = Connection::open_with_flags(uri, flags).ok().and_then(readable) {
            return Ok(opened(db, None));
        }
    }
    let failed = |e: std::io::Error| Error::io("copying, to read it,", path, &e);
    let copy = tempfile::tempdir().map_err(failed)?;
    let target = copy.path().join(FILE);
    std::fs::copy(path, &target).map_err(failed)?;
    if logged {
        std::fs::copy(beside("-wal"), copy.path().join(FILES[1])).map_err(failed)?;
    }
    let mut permissions = std::fs::metadata(&target).map_err(failed)?.permissions();
    #[expect(
        clippy::permissions_set_readonly_false,
        reason = "a copy of one's own, in a folder of one's own"
    )]
    permissions.set_readonly(false);
    std::fs::set_permissions(&target, permissions).map_err(failed)?;
    let mut db = connect(&target)?;
    if version(&db)? < VERSION {
        bring_up(&mut db)?;
    }
    Ok(opened(db, Some(copy)))
}

impl Store {
    /// Why nothing can be written here, where that is so: everything can be read all the same.
    pub fn read_only(&self) -> Option<&str> {
        self.read_only.as_deref()
    }
}
