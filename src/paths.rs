//! Where things are kept.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use directories::{BaseDirs, ProjectDirs};
use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// A file of settings or keys has at most so many bytes.
const SETTINGS: u64 = 1 << 20;

/// The data directory: the one named, else the platform's own.
pub fn data_dir(named: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = named {
        return Ok(path);
    }
    let dirs = ProjectDirs::from("", "", "foretaste").ok_or_else(|| {
        Error::new("this account has no home directory")
            .hint("name a data directory with --data-dir DIR")
    })?;
    Ok(dirs.data_dir().to_path_buf())
}

/// Where what can be made anew is kept: the platform's own place for it.
pub fn cache_dir() -> Result<PathBuf> {
    let dirs = ProjectDirs::from("", "", "foretaste").ok_or_else(|| {
        Error::new("this account has no home directory").hint("set HOME, or XDG_CACHE_HOME")
    })?;
    Ok(dirs.cache_dir().to_path_buf())
}

/// A path in which `~` is the person's own folder.
pub fn at_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), BaseDirs::new()) {
        (Ok(rest), Some(base)) => base.home_dir().join(rest),
        _ => path.into(),
    }
}

/// Opens a file, and nothing else that has a name: reading a pipe or a device may have no end, and
/// opening one may wait for ever.
pub fn regular(path: &Path) -> std::io::Result<File> {
    let what = std::fs::metadata(path)?;
    if !what.is_file() {
        let kind = if what.is_dir() { "a folder" } else { "a pipe or a device" };
        return Err(std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            format!("{kind}, and no file"),
        ));
    }
    File::open(path)
}

/// All of a file, if it has at most `limit` bytes.
pub fn read_whole(path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
    limited(regular(path)?, limit)
}

/// [`read_whole`] of text.
pub fn read_text(path: &Path, limit: u64) -> std::io::Result<String> {
    text(read_whole(path, limit)?)
}

/// A file of settings or keys; empty where it is not there: nothing is set then.
pub fn settings(path: &Path) -> Result<String> {
    match read_text(path, SETTINGS) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|e| Error::io("reading", path, &e)),
    }
}

/// All that a stream has, if that is at most `limit` bytes: counted as it is read, since what is no
/// file has no size.
pub fn limited(from: impl Read, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let large = format!("too large: it has more than {limit} bytes");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, large));
    }
    Ok(bytes)
}

/// The next line of a stream without its end, if it has at most `limit` bytes; none at the end of
/// the stream.
pub fn line(from: &mut impl BufRead, limit: u64) -> std::io::Result<Option<String>> {
    let mut line = Vec::new();
    let read = from.by_ref().take(limit + 1).read_until(b'\n', &mut line)?;
    if read as u64 > limit {
        let long = format!("a line of more than {limit} bytes");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, long));
    }
    let line = if read == 0 { None } else { Some(text(line)?) };
    Ok(line.map(|line| line.trim_end_matches(['\r', '\n']).to_string()))
}

/// A line of what a person types, or pipes in their place, has at most so many bytes.
pub const TYPED: u64 = 1 << 20;

/// The next line of standard input; none at its end.
pub fn stdin_line() -> std::io::Result<Option<String>> {
    line(&mut std::io::stdin().lock(), TYPED)
}

/// Refuses what is there under a name of this program's own and is no file: opening a pipe would
/// wait for ever.
pub fn own_file(path: &Path) -> std::io::Result<&Path> {
    match std::fs::metadata(path) {
        Ok(what) if !what.is_file() => {
            let what = format!("{} is no file; move it away", path.display());
            Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, what))
        }
        _ => Ok(path),
    }
}

/// Bytes as text.
pub fn text(bytes: Vec<u8>) -> std::io::Result<String> {
    String::from_utf8(bytes)
        .map_err(|_| std::io::Error::new(std::io::ErrorKind::InvalidData, "not valid UTF-8"))
}

/// Writes a file that is there whole or not at all, with the rights that a new file gets there; one
/// that is there already is replaced only if that is wanted.
pub fn write_whole<T>(
    path: &Path,
    replace: bool,
    body: impl FnOnce(&mut BufWriter<NamedTempFile>) -> Result<T>,
) -> Result<T> {
    if !replace && path.exists() {
        return Err(Error::new(format!("{}: already there", path.display()))
            .hint("name another file, or move it away first"));
    }
    let failed = |e: std::io::Error| Error::io("writing", path, &e);
    let folder =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = temporary();
    #[cfg(unix)]
    // As far as the umask lets it.
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = BufWriter::new(builder.tempfile_in(folder).map_err(failed)?);
    let done = body(&mut file)?;
    file.flush().map_err(failed)?;
    let file = file.into_inner().map_err(|e| failed(e.into_error()))?;
    file.as_file().sync_all().map_err(failed)?;
    let put = if replace { file.persist(path) } else { file.persist_noclobber(path) };
    put.map_err(|e| failed(e.error))?;
    sync_folder(folder);
    Ok(done)
}

/// How the names of what is not whole yet begin and end, with six letters between that are drawn:
/// nobody else's do.
const TEMPORARY: (&str, &str) = (".foretaste-part-", ".tmp");

/// Makes what is not whole yet, under a name that says whose it is.
pub fn temporary() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY.0).suffix(TEMPORARY.1);
    builder
}

/// Removes what a kill left of [`temporary`] files and folders in a folder of this program's own:
/// what nobody has touched for a day. Returns how many.
pub fn sweep_temporary(folder: &Path) -> usize {
    let old = |path: &Path| {
        let touched = std::fs::symlink_metadata(path).and_then(|found| found.modified()).ok();
        touched.and_then(|at| at.elapsed().ok()).is_some_and(|age| age.as_secs() > 24 * 3600)
    };
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let drawn =
        |name: &str| Some(name.strip_prefix(TEMPORARY.0)?.strip_suffix(TEMPORARY.1)?.len() == 6);
    let ours =
        |entry: &std::fs::DirEntry| drawn(&entry.file_name().to_string_lossy()).unwrap_or_default();
    let left = names.filter(ours).map(|entry| entry.path());
    left.filter(|path| {
        old(path) && (std::fs::remove_dir_all(path).is_ok() || std::fs::remove_file(path).is_ok())
    })
    .count()
}

/// Makes the names in a folder durable (a file that was put there, or renamed) where folders can be
/// synced.
pub fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        _ = folder.sync_all();
    }
}

/// Opens files that are their owner's alone when they are made.
pub fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Creates a folder that is its owner's alone, with those above it.
pub fn create_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
