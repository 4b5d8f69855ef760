//! Curves for other programs: CSV, and the event files that `TensorBoard` reads.
//!
//! An event file is a row of records: the length of the data (u64, little-endian), a masked CRC-32C
//! of those eight bytes, the data, a masked CRC-32C of it. The data is a protocol buffer `Event`:
//! `wall_time` (1, double), `step` (2, varint), `file_version` (3, string), `summary` (5) with
//! `value` (1): `tag` (1, string) and `simple_value` (2, float).

use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};
use crate::paths::write_whole;
use crate::store::{MetricPoint, Store};

/// A curve: its name and its points.
pub type Curves = Vec<(String, Vec<MetricPoint>)>;

/// All curves of a run.
pub fn of_run(store: &Store, run: i64) -> Result<Curves> {
    store.run(run)?;
    let names = store.metric_names(run)?;
    let read = |name: String| store.metric(run, &name).map(|points| (name, points));
    let curves: Curves = names.into_iter().map(read).collect::<Result<_>>()?;
    if curves.is_empty() {
        return Err(Error::new(format!("run {run} has no curves yet"))
            .hint("they begin with its first update"));
    }
    Ok(curves)
}

/// One value a line: curve, update, value (empty where it was not a number), seconds since the run
/// began, tokens until then.
pub fn csv(curves: &Curves) -> String {
    let mut text = "curve,update,value,seconds,tokens\n".to_string();
    let or_empty = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    for (name, points) in curves {
        for point in points {
            text.push_str(&format!(
                "{name},{},{},{},{}\n",
                point.step,
                or_empty(point.value),
                point.wall_ms as f64 / 1000.0,
                or_empty(point.tokens)
            ));
        }
    }
    text
}

/// An event file of a run that began at a moment (milliseconds since 1970).
pub fn events(curves: &Curves, began_ms: i64) -> Vec<u8> {
    let mut file = Vec::new();
    let began = began_ms as f64 / 1000.0;
    record(&mut file, &[double(1, began), bytes(3, b"brain.Event:2")].concat());
    for (name, points) in curves {
        for point in points {
            // A value that was not a number is one here, too.
            let value = point.value.unwrap_or(f64::NAN) as f32;
            let simple = [&[2 << 3 | 5], value.to_le_bytes().as_slice()].concat();
            let value = [bytes(1, name.as_bytes()), simple].concat();
            let wall = double(1, began + point.wall_ms as f64 / 1000.0);
            let step = [vec![2 << 3], varint(point.step)].concat();
            record(&mut file, &[wall, step, bytes(5, &bytes(1, &value))].concat());
        }
    }
    file
}

/// Writes both beside each other: `FOLDER/run-N.csv`, and `FOLDER/run-N/events.out.tfevents.…`,
/// which `tensorboard --logdir FOLDER` reads. Returns the CSV's lines.
pub fn write(store: &Store, run: i64, folder: &Path) -> Result<usize> {
    let curves = of_run(store, run)?;
    let began = store.run(run)?.created_ms;
    let below = folder.join(format!("run-{run}"));
    std::fs::create_dir_all(&below).map_err(|e| Error::io("creating", &below, &e))?;
    let text = csv(&curves);
    let put = |path: &Path, content: &[u8]| {
        write_whole(path, true, |file| {
            file.write_all(content).map_err(|e| Error::io("writing", path, &e))
        })
    };
    put(&folder.join(format!("run-{run}.csv")), text.as_bytes())?;
    let name = format!("events.out.tfevents.{}.foretaste", began / 1000);
    put(&below.join(name), &events(&curves, began))?;
    Ok(text.lines().count() - 1)
}

fn double(field: u8, value: f64) -> Vec<u8> {
    [&[field << 3 | 1], value.to_le_bytes().as_slice()].concat()
}

fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    [vec![field << 3 | 2], varint(content.len() as u64), content.to_vec()].concat()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number > 0x7F {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

fn record(file: &mut Vec<u8>, data: &[u8]) {
    let length = (data.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(masked(&length).to_le_bytes());
    file.extend(data);
    file.extend(masked(data).to_le_bytes());
}

/// So that a checksum of something that has checksums in it differs from them.
fn masked(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// CRC-32C (Castagnoli), reflected.
fn crc32c(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
#[path = "curves_tests.rs"]
mod tests;
