//! Reading what [`super::Set::Trajectories`] wrote, in this store or another.

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use super::others;
use crate::budget;
use crate::control::{Control, Meter, Progress};
use crate::error::{Error, Result};
use crate::paths;
use crate::store::{Intake, Record, Store};

/// A longer line than this is no trajectory: those of ALFWorld have some 100 KB; what came from another
/// tool's file is in it twice.
const LINE: u64 = 256 << 20;

/// A stream that can be read only once is kept until it was read twice, if it is no longer than
/// this.
const STREAM: u64 = 64 << 30;

/// Reads a file of whole trajectories, one a line, or one of another tool's ([`super::SHAPES`]; a suite
/// that they are filed under may be named), or another data directory, and says what of it is new; with `write` it is taken in. The file is read to its end and held against the rules first: one with a line that
/// cannot be read is refused as a whole, with the line's number. What is there already is left as
/// it is, so doing it again goes on where it was interrupted.
pub fn import(
    store: &Store,
    (path, suite): (&Path, Option<&str>),
    write: bool,
    control: &Control,
    report: &mut dyn FnMut(Progress),
) -> Result<Intake> {
    let failed = |e: std::io::Error| Error::io("reading", path, &e);
    let mut file = File::open(path).map_err(failed)?;
    let kind = file.metadata().map_err(failed)?;
    let told = kind.is_dir() && !Store::is_there(path) && others::is_conversation(path);
    if kind.is_dir() && !told {
        return merge(store, (path, suite), write, control, report);
    }
    if !kind.is_file() && !told {
        // What can be read only once is kept until it was read twice.
        file = spooled(file, path, control)?;
    } else if told || !is_own(&mut file, path)? {
        let records = budget::under(&control.cancel, || others::read(path, suite))?;
        let meter = Meter::new("import", 0, records.len() as u64);
        return store.take_in(records.into_iter().map(Ok), write, &mut |n| {
            report(meter.at(n as u64));
            control.checkpoint()
        });
    }
    if suite.is_some() {
        return Err(named_already());
    }
    let stamp = |file: &File| {
        file.metadata().and_then(|found| Ok((found.len(), found.modified()?))).map_err(failed)
    };
    let before = stamp(&file)?;
    let lines = pass(store, (&mut file, path), false, ("reading", 0), control, report)?;
    if !write {
        return Ok(lines.1);
    }
    if stamp(&file)? != before {
        return Err(Error::new(format!("{} changed while it was read", path.display()))
            .hint("nothing of it was taken in; wait until whoever writes it is done"));
    }
    pass(store, (&mut file, path), true, ("import", lines.0), control, report).map(|found| found.1)
}

/// Takes in what another data directory has, and this one lacks. It may be one that is being written:
/// what it has now is taken, the rest another time.
fn merge(
    store: &Store,
    (path, suite): (&Path, Option<&str>),
    write: bool,
    control: &Control,
    report: &mut dyn FnMut(Progress),
) -> Result<Intake> {
    if !Store::is_there(path) {
        return Err(Error::new(format!("{}: a folder, and no data directory", path.display()))
            .hint(
                "name a file of trajectories, the --data-dir of another collection, or the folder of one \
                 conversation of OpenHands",
            ));
    }
    if suite.is_some() {
        return Err(named_already());
    }
    let whole = |path: &Path| std::fs::canonicalize(path).ok();
    if whole(path) == whole(store.root()) {
        return Err(Error::usage(format!("{}: is this data directory", path.display())));
    }
    let other = Store::open(path)?;
    let rows = other.experiences(None, None)?;
    let meter = Meter::new("import", 0, rows.len() as u64);
    let records = rows.iter().map(|row| other.record(row.id));
    store.take_in(records, write, &mut |n| {
        report(meter.at(n as u64));
        control.checkpoint()
    })
}

fn named_already() -> Error {
    Error::usage("--suite is for files of other tools")
        .hint("these trajectories say of which suite they are")
}

/// Whether a file is one of this program's: its first line says so, or begins as such a line does and
/// is broken, which is for its own reader to say.
fn is_own(file: &mut File, path: &Path) -> Result<bool> {
    let failed = |e: std::io::Error| Error::io("reading", path, &e);
    let mut from = BufReader::new(&mut *file);
    let mut first = None;
    for n in 0.. {
        // Longer than any trajectory of ours: nothing of ours.
        let Ok(next) = paths::line(&mut from, LINE) else { return Ok(false) };
        let Some(line) = next else { break };
        if !line.trim().is_empty() {
            first = Some(plain(&line, n).to_string());
            break;
        }
    }
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let Some(first) = first else { return Ok(true) };
    Ok(match serde_json::from_str(&first) {
        Ok(item) => others::is_own(&item),
        Err(_) => first.contains("\"trajectory\"") && first.contains("\"branches\""),
    })
}

/// A copy of a stream in a file without a name. A stream of something else would fill the disk
/// before it is looked at, so each line is read as it comes.
fn spooled(from: File, path: &Path, control: &Control) -> Result<File> {
    let failed = |e: std::io::Error| Error::io("reading", path, &e);
    let mut from = BufReader::new(from);
    let mut n = 0;
    let mut bytes = 0;
    let mut copy = BufWriter::new(tempfile::tempfile().map_err(failed)?);
    while let Some(line) =
        paths::line(&mut from, LINE).map_err(|e| Error::new(e.to_string()).at(place(path, n)))?
    {
        if !line.trim().is_empty() {
            record(plain(&line, n)).map_err(|error| error.at(place(path, n)))?;
        }
        bytes += line.len() as u64 + 1;
        if bytes > STREAM {
            return Err(Error::new(format!(
                "{}: a stream of more than {} GB",
                path.display(),
                STREAM >> 30
            ))
            .hint("write it to a file first"));
        }
        copy.write_all(line.as_bytes()).and_then(|()| copy.write_all(b"\n")).map_err(failed)?;
        n += 1;
        control.checkpoint()?;
    }
    copy.into_inner().map_err(|e| failed(e.into_error()))
}

fn place(path: &Path, n: usize) -> String {
    format!("{} line {}", path.display(), n + 1)
}

/// A line without the mark that some programs put in front of UTF-8.
fn plain(line: &str, n: usize) -> &str {
    if n == 0 { line.trim_start_matches('\u{feff}') } else { line }
}

/// Goes through the file once; returns the number of records, and what of them is new.
fn pass(
    store: &Store,
    (file, path): (&mut File, &Path),
    write: bool,
    (doing, total): (&str, u64),
    control: &Control,
    report: &mut dyn FnMut(Progress),
) -> Result<(u64, Intake)> {
    file.seek(SeekFrom::Start(0)).map_err(|e| Error::io("reading", path, &e))?;
    let mut from = BufReader::new(file);
    let lines = std::iter::from_fn(|| paths::line(&mut from, LINE).transpose()).enumerate();
    let records = lines.filter_map(|(n, line)| {
        let line = match line {
            Ok(line) => line,
            Err(error) => return Some(Err(Error::new(error.to_string()).at(place(path, n)))),
        };
        (!line.trim().is_empty())
            .then(|| record(plain(&line, n)).map_err(|error| error.at(place(path, n))))
    });
    let meter = Meter::new(doing, 0, total);
    let mut count = 0;
    // What somebody appends meanwhile was not read the first time.
    let records = records.take(if write { total as usize } else { usize::MAX });
    let intake = store.take_in(records, write, &mut |n| {
        count = n as u64;
        report(meter.at(count));
        control.checkpoint()
    })?;
    if count == 0 {
        return Err(Error::new(format!("{}: nothing in it", path.display())));
    }
    Ok((count, intake))
}

fn record(line: &str) -> Result<Record> {
    let record: Record = serde_json::from_str(line).map_err(|e| {
        Error::new(format!("not a trajectory: {e}")).hint(
            "import reads what `foretaste data export --set trajectories` writes; nothing of this \
             file was taken in",
        )
    })?;
    record.check()?;
    Ok(record)
}
