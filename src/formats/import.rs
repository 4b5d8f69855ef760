//! Reading what [`super::Set::Trajectories`] wrote, in this store or another.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::control::{Control, Meter, Progress};
use crate::error::{Error, Result};
use crate::store::{Intake, Record, Store};

/// Reads a file of whole trajectories, one a line, and says what of it is new; with `write` it is taken in. The file is
/// read to its end and held against the rules first: one with a line that cannot be read is refused as a whole, with
/// the line's number. What is there already is left as it is, so doing it again goes on where it was interrupted.
pub fn import(
    store: &mut Store,
    path: &Path,
    write: bool,
    control: &Control,
    report: &mut dyn FnMut(Progress),
) -> Result<Intake> {
    let lines = pass(store, path, false, ("reading", 0), control, report)?;
    if write { pass(store, path, true, ("import", lines.0), control, report).map(|found| found.1) } else { Ok(lines.1) }
}

/// Goes through the file once; returns the number of records, and what of them is new.
fn pass(
    store: &mut Store,
    path: &Path,
    write: bool,
    (doing, total): (&str, u64),
    control: &Control,
    report: &mut dyn FnMut(Progress),
) -> Result<(u64, Intake)> {
    let file = File::open(path).map_err(|e| Error::io("reading", path, &e))?;
    let lines = BufReader::new(file).lines().enumerate();
    let records = lines.filter_map(|(n, line)| {
        let place = format!("{} line {}", path.display(), n + 1);
        let line = match line {
            Ok(line) if line.trim().is_empty() => return None,
            Ok(line) => line,
            Err(error) => return Some(Err(Error::new(error.to_string()).at(place))),
        };
        Some(record(&line).map_err(|error| error.at(place)))
    });
    let meter = Meter::new(doing, 0, total);
    let mut count = 0;
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
        Error::new(format!("not a trajectory: {e}"))
            .hint("import reads what `foretaste data export --set trajectories` writes; nothing of this file was taken in")
    })?;
    record.check()?;
    Ok(record)
}
