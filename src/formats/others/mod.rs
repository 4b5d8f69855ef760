//! Trajectories of other tools, read as this program's own: what was seen and done stays, and the whole
//! item as it came is kept beside it.
//!
//! Which shape an item has is seen by its fields; one that is none of these is refused by name.

mod atif;
mod episode;
mod events;
mod logs;
mod sdk;
mod spans;
mod turns;

use std::path::{Path, PathBuf};

use serde_json::Value;

pub use self::atif::written as atif;
use self::episode::Episode;
use super::rows::{MAGIC, rows};
use crate::budget;
use crate::env::SUITES;
use crate::error::{Error, Result};
use crate::paths;
use crate::store::Record;
use crate::text::counted;

/// Bytes of a file of another tool at most: it is read whole.
const LARGEST: u64 = 256 << 20;

/// Bytes at most that such a file is when what it repeats is written out.
const UNPACKED: u64 = 4 * LARGEST;

/// The shapes that are read, for people.
pub const SHAPES: &str = "ATIF 1.7 and 1.8, chat messages, prompt and completion, ShareGPT (AgentGym), ETO, SWE-agent, OpenHands \
                          events or the folder of a conversation, Inspect logs, spans of OpenTelemetry";

/// Whether a line is one of this program's own.
pub(super) fn is_own(item: &Value) -> bool {
    item.get("trajectory").is_some_and(Value::is_object) && item.get("branches").is_some()
}

/// An item and where it stands.
type Item = (String, Value);

/// The folder of a conversation's events, where one is: `events` in OpenHands' own, or that itself.
fn conversation(path: &Path) -> Option<Vec<PathBuf>> {
    let of = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let is_event = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("event-") && name.ends_with(".json")
        };
        let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_event).collect();
        // By their numbers, which outgrow their leading zeros.
        let number = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let digits: String =
                name["event-".len()..].chars().take_while(char::is_ascii_digit).collect();
            (digits.parse::<u64>().unwrap_or(u64::MAX), name)
        };
        found.sort_by_cached_key(number);
        found
    };
    [of(&path.join("events")), of(path)].into_iter().find(|found| !found.is_empty())
}

/// Whether a folder is one of a conversation's events.
pub(super) fn is_conversation(path: &Path) -> bool {
    conversation(path).is_some()
}

/// The events of a conversation, as one item.
fn events_of(files: &[PathBuf], path: &Path) -> Result<Vec<Item>> {
    let mut left = LARGEST;
    let mut events = Vec::new();
    for file in files {
        budget::cancel().check()?;
        let bytes = paths::read_whole(file, left).map_err(|e| Error::io("reading", file, &e))?;
        left = left.saturating_sub(bytes.len() as u64);
        let event = serde_json::from_slice(&bytes);
        events.push(event.map_err(|e| Error::new(format!("{}: not JSON: {e}", file.display())))?);
    }
    Ok(vec![(path.display().to_string(), Value::Array(events))])
}

/// The items of a file: one a line, or all of them in one value.
fn items(path: &Path) -> Result<Vec<Item>> {
    if let Some(files) = path.is_dir().then(|| conversation(path)).flatten() {
        return events_of(&files, path);
    }
    let bytes = paths::read_whole(path, LARGEST).map_err(|e| Error::io("reading", path, &e))?;
    if bytes.starts_with(MAGIC) {
        let rows = rows(bytes, UNPACKED).map_err(|error| error.at(path.display()))?.into_iter();
        let place = |n: usize| format!("{}, row {}", path.display(), n + 1);
        return Ok(rows.enumerate().map(|(n, row)| (place(n), row)).collect());
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::new(format!("{}: not UTF-8", path.display())))?;
    let text = text.trim_start_matches('\u{feff}');
    let name = path.display();
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(all)) if !all.is_empty() && all.iter().all(is_whole) => {
            let place = |n: usize| format!("{name}, item {}", n + 1);
            Ok(all.into_iter().enumerate().map(|(n, item)| (place(n), item)).collect())
        }
        Ok(whole) => Ok(vec![(name.to_string(), whole)]),
        // One value below the other, each over several lines.
        Err(_) if text.trim_start().lines().next().is_some_and(|line| line.trim() == "{") => {
            let all = serde_json::Deserializer::from_str(text).into_iter::<Value>().enumerate();
            let read = |(n, item): (usize, serde_json::Result<Value>)| {
                budget::cancel().check()?;
                match item {
                    Ok(item) => Ok((format!("{name}, item {}", n + 1), item)),
                    Err(error) => Err(Error::new(format!("{name}: not JSON: {error}"))),
                }
            };
            all.map(read).collect()
        }
        Err(error) => {
            let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            let read = |(n, line): (usize, &str)| {
                budget::cancel().check()?;
                let place = format!("{name} line {}", n + 1);
                match serde_json::from_str(line) {
                    Ok(item) => Ok((place, item)),
                    // A file of one value that is broken is no file of lines.
                    Err(_) if n == 0 && !line.trim().ends_with('}') => {
                        Err(Error::new(format!("{name}: not JSON: {error}")))
                    }
                    Err(error) => Err(Error::new(format!("{place}: not JSON: {error}"))),
                }
            };
            lines.map(read).collect()
        }
    }
}

/// Whether an element of a list is an item by itself, and not a turn of one.
fn is_whole(item: &Value) -> bool {
    let turn = ["role", "from"].iter().any(|field| item.get(field).is_some());
    (item.is_object() || item.is_array()) && !turn && !is_event(item)
}

/// Whether an element of a list is an event of OpenHands.
fn is_event(item: &Value) -> bool {
    let has = |field: &str| item.get(field).is_some();
    has("source") && (has("action") || has("observation") || has("kind")) || sdk::is_one(item)
}

/// The episodes of an item, by its shape, each with what it came from.
fn episodes(item: &Value) -> Result<Vec<(Episode, Value)>> {
    let has = |field: &str| item.get(field).is_some();
    let one = |episode: Result<Episode>| Ok(vec![(episode?, item.clone())]);
    let shape = item.get("schema_version").and_then(Value::as_str).unwrap_or_default();
    match item {
        _ if shape.starts_with("ATIF-") => one(atif::read(item)),
        Value::Array(events) if events.iter().any(is_event) => one(events::read(events, None)),
        Value::Array(turns) => one(turns::read("eto", turns, None)),
        Value::Object(_) if has("samples") && has("eval") => logs::inspect(item),
        Value::Object(_) if item["trajectory"].is_array() => one(logs::swe_agent(item)),
        Value::Object(_) if item["history"].is_array() => one(logs::history(item)),
        Value::Object(_) if item["conversations"].is_array() => {
            one(turns::item("sharegpt", item, "conversations"))
        }
        Value::Object(_) if item["messages"].is_array() => {
            one(turns::item("messages", item, "messages"))
        }
        Value::Object(_) if has("prompt") && has("completion") => one(turns::pair(item)),
        Value::Object(_) if has("chosen") && has("rejected") => {
            Err(Error::new("a preference: nobody says what came of either answer")
                .hint("alternatives that were executed come in as ATIF, or are collected here"))
        }
        Value::Object(_) if has("prompt") && has("reward_model") => {
            Err(Error::new("a task of reinforcement learning: nobody has answered it yet"))
        }
        Value::Object(_) if has("input_ids") => {
            Err(Error::new("tokens without their texts: nothing of it can be looked at"))
        }
        _ => Err(Error::new("none of the shapes that are read")
            .hint(format!("{SHAPES}; and what `foretaste data export --set trajectories` writes"))),
    }
}

/// Every trajectory of a file, all of them or none: a damaged one is named. `suite` is what they are
/// filed under; without it, the format's name.
pub fn read(path: &Path, suite: Option<&str>) -> Result<Vec<Record>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if let Some(odd) = suite.filter(|name| name.is_empty() || !name.chars().all(plain)) {
        return Err(Error::usage(format!("--suite {odd:?}: letters, digits, -, _ and .")));
    }
    if let Some(own) = suite.filter(|name| SUITES.contains(name)) {
        return Err(Error::usage(format!("--suite {own}: a suite of this program"))
            .hint("what was played elsewhere is no game of it: give it another name"));
    }
    let mut records = Vec::new();
    let mut take = |place: &str, episode: Episode, source: Value| {
        if episode.steps.is_empty() {
            return Err(Error::new("nothing is done in it that could be learnt from").at(place));
        }
        let record = episode.record(suite, &source.to_string())?;
        record.check().map_err(|error| error.at(place))?;
        records.push(record);
        Ok(())
    };
    // Spans are episodes together; every other item by itself.
    let (traced, others): (Vec<Item>, Vec<Item>) =
        items(path)?.into_iter().partition(|(_, item)| spans::is_one(item));
    for (place, item) in others {
        budget::cancel().check()?;
        for (episode, source) in episodes(&item).map_err(|error| error.at(place.clone()))? {
            take(&place, episode, source)?;
        }
    }
    for (place, episode, source) in spans::read(traced)? {
        take(&place, episode, source)?;
    }
    if records.is_empty() {
        return Err(Error::new(format!("{}: nothing in it", path.display())));
    }
    tracing::info!("{}: {}", path.display(), counted(records.len() as u64, "trajectory"));
    Ok(records)
}

#[cfg(test)]
mod tests;
