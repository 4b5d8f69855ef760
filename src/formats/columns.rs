//! Rows as parquet, which verl reads: conversations for supervised tuning, and states with the expert's
//! action as what an answer is held against. (Rows of such files, read: [`super::rows`].)

use std::io::Write;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};

use super::rows::failed;
use crate::error::Result;
use crate::experience::Trajectory;

/// Rows that are held before they are written.
const GROUP: usize = 4096;

/// Conversations.
const TURNS: &str =
    "message rows { required group messages (LIST) { repeated group list { required group element {
    required binary role (UTF8); required binary content (UTF8); } } } }";

/// Tasks of verl's reinforcement learning.
const TASKS: &str = "message rows {
    required binary data_source (UTF8);
    required group prompt (LIST) { repeated group list { required group element {
        required binary role (UTF8); required binary content (UTF8); } } }
    required binary ability (UTF8);
    required group reward_model { required binary style (UTF8); required binary ground_truth (UTF8); }
    required group extra_info { required binary split (UTF8); required int64 index; required binary task (UTF8);
        required int64 step; } }";

/// A column, by where its values stand in a row.
enum Column {
    /// A text.
    Text(&'static str),
    /// A whole number.
    Number(&'static str),
    /// A field of each turn of a conversation.
    Each(&'static str, &'static str),
}

use Column::{Each, Number, Text};

/// The columns of a layout, in the order of its schema.
const OF_TURNS: [Column; 2] = [Each("/messages", "role"), Each("/messages", "content")];
const OF_TASKS: [Column; 10] = [
    Text("/data_source"),
    Each("/prompt", "role"),
    Each("/prompt", "content"),
    Text("/ability"),
    Text("/reward_model/style"),
    Text("/reward_model/ground_truth"),
    Text("/extra_info/split"),
    Number("/extra_info/index"),
    Text("/extra_info/task"),
    Number("/extra_info/step"),
];

/// Writes rows as they come.
pub(super) struct Rows<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: &'static [Column],
    held: Vec<Value>,
}

fn bytes(value: Option<&Value>) -> ByteArray {
    ByteArray::from(value.and_then(Value::as_str).unwrap_or_default())
}

impl<W: Write + Send> Rows<W> {
    /// Into a file: tasks, or conversations.
    pub fn new(out: W, tasks: bool) -> Result<Self> {
        let (schema, columns) = if tasks { (TASKS, &OF_TASKS[..]) } else { (TURNS, &OF_TURNS[..]) };
        let schema = parse_message_type(schema).map_err(failed)?;
        let settings = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let file = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(settings));
        Ok(Self { file: file.map_err(failed)?, columns, held: Vec::new() })
    }

    /// Takes a row.
    pub fn row(&mut self, row: Value) -> Result<()> {
        self.held.push(row);
        if self.held.len() >= GROUP { self.flush().map_err(failed) } else { Ok(()) }
    }

    fn flush(&mut self) -> std::result::Result<(), ParquetError> {
        let rows = std::mem::take(&mut self.held);
        let mut group = self.file.next_row_group()?;
        for column in self.columns {
            let Some(mut out) = group.next_column()? else { break };
            match column {
                Text(place) => {
                    let values: Vec<ByteArray> =
                        rows.iter().map(|row| bytes(row.pointer(place))).collect();
                    out.typed::<ByteArrayType>().write_batch(&values, None, None)?;
                }
                Number(place) => {
                    let number = |row: &Value| row.pointer(place).and_then(Value::as_i64);
                    let values: Vec<i64> =
                        rows.iter().map(|row| number(row).unwrap_or_default()).collect();
                    out.typed::<Int64Type>().write_batch(&values, None, None)?;
                }
                Each(place, field) => {
                    let (mut values, mut there, mut again) = (Vec::new(), Vec::new(), Vec::new());
                    for row in &rows {
                        let turns = row.pointer(place).and_then(Value::as_array);
                        let turns = turns.map_or(&[][..], Vec::as_slice);
                        if turns.is_empty() {
                            there.push(0);
                            again.push(0);
                        }
                        for (n, turn) in turns.iter().enumerate() {
                            values.push(bytes(turn.get(*field)));
                            there.push(1);
                            again.push(i16::from(n > 0));
                        }
                    }
                    let out = out.typed::<ByteArrayType>();
                    out.write_batch(&values, Some(&there), Some(&again))?;
                }
            }
            out.close()?;
        }
        group.close()?;
        Ok(())
    }

    /// Writes what is held, and the end.
    pub fn close(mut self) -> Result<()> {
        let mut end = || {
            if !self.held.is_empty() {
                self.flush()?;
            }
            self.file.finish().map(drop)
        };
        end().map_err(failed)
    }
}

/// A state as a task: what is asked in its line, and the expert's action there.
pub(super) fn task(of: &Trajectory, t: usize, (action, line): (&str, &Value)) -> Value {
    json!({
        "data_source": of.suite,
        "prompt": line["prompt"],
        "ability": "agent",
        "reward_model": {"style": "rule", "ground_truth": action},
        "extra_info": {"split": of.split, "index": of.id, "task": of.task_id, "step": t},
    })
}

#[cfg(test)]
mod tests {
    use super::super::rows::rows;
    use super::*;

    /// What may be unpacked here.
    const MOST: u64 = 64 << 20;

    fn written(tasks: bool, all: &[Value]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rows = Rows::new(&mut out, tasks).unwrap();
        for row in all {
            rows.row(row.clone()).unwrap();
        }
        rows.close().unwrap();
        out
    }

    #[test]
    fn rows_come_back_as_they_were() {
        let turns = |n: usize| {
            let one = |i: usize| json!({"role": "user", "content": format!("ü {n} {i}")});
            json!({"messages": (0..n % 4).map(one).collect::<Vec<_>>()})
        };
        // More than one group, and conversations of no turns.
        let all: Vec<Value> = (0..GROUP + 7).map(turns).collect();
        assert_eq!(rows(written(false, &all), MOST).unwrap(), all);
        let task = json!({"data_source": "household", "prompt": [{"role": "user", "content": "Go."}],
            "ability": "agent", "reward_model": {"style": "rule", "ground_truth": "walk"},
            "extra_info": {"split": "train", "index": 3, "task": "train/1", "step": 2}});
        assert_eq!(rows(written(true, std::slice::from_ref(&task)), MOST).unwrap(), [task]);
        assert!(rows(b"PAR1 and nothing".to_vec(), MOST).is_err());
    }
}
