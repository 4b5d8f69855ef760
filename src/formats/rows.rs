//! Rows of a parquet file, read within a limit.
//!
//! A value that stands a million times in a column is written once, so a file of a kilobyte may
//! unpack to more than any memory. It is measured first, a page and then a value at a time, and
//! only what fits is made rows of.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::Value;

use crate::budget;
use crate::error::{Error, Result};

/// How every such file begins.
pub(super) const MAGIC: &[u8] = b"PAR1";

/// What a value takes beside its own bytes, as JSON and on the way there.
const EACH: u64 = 128;

/// Columns at most: each is held a batch at a time.
const COLUMNS: usize = 1024;

/// Rows of a column that are looked at together.
const BATCH: usize = 256;

/// What to do about a file that is written as it is not read here.
const ANEW: &str = "write it anew, in Python with pyarrow.parquet as pq: \
                    pq.write_table(pq.read_table(FILE), OTHER, compression=\"snappy\")";

/// What the library says, or what was said here on the way through it.
pub(super) fn failed(error: ParquetError) -> Error {
    match error {
        ParquetError::External(error) => match error.downcast::<Error>() {
            Ok(own) => *own,
            Err(other) => Error::new(format!("parquet: {other}")),
        },
        other => Error::new(format!("parquet: {other}")),
    }
}

/// On the way through the library.
fn through(error: Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

/// What may still be unpacked of a file, in bytes, and how much that was at first.
#[derive(Clone)]
struct Room {
    left: Arc<AtomicU64>,
    most: u64,
}

impl Room {
    fn new(most: u64) -> Self {
        Self { left: Arc::new(AtomicU64::new(most)), most }
    }

    /// Takes some of it, and looks whether whoever waits asked to stop.
    fn take(&self, bytes: u64) -> Result<()> {
        budget::cancel().check()?;
        let left = self.left.load(Ordering::Relaxed);
        let Some(left) = left.checked_sub(bytes) else {
            let most = self.most >> 20;
            return Err(Error::new(format!(
                "unpacked it is more than the {most} MiB that are read"
            ))
            .hint("split the file into smaller ones, and import each"));
        };
        self.left.store(left, Ordering::Relaxed);
        Ok(())
    }
}

/// Pages of a column, counted before their values are unpacked.
struct Counted {
    pages: Box<dyn PageReader>,
    /// What each of its values takes.
    each: u64,
    room: Room,
}

impl PageReader for Counted {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        let page = self.pages.get_next_page()?;
        if let Some(page) = &page {
            // Each value of it goes on from the one before, and is unpacked to a copy of its own.
            if page.encoding() == Encoding::DELTA_BYTE_ARRAY {
                let what = "its texts are written as DELTA_BYTE_ARRAY, which is not read";
                return Err(through(Error::new(what).hint(ANEW)));
            }
            let values = u64::from(page.num_values()).saturating_mul(self.each);
            let bytes = values.saturating_add(page.buffer().len() as u64);
            self.room.take(bytes).map_err(through)?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool, ParquetError> {
        self.pages.at_record_boundary()
    }
}

impl Iterator for Counted {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

/// Counts the bytes of a column's values, which are not copied for it; returns its rows.
fn counted<T: DataType>(
    mut column: ColumnReaderImpl<T>,
    room: &Room,
    length: impl Fn(&T::T) -> usize,
) -> Result<u64> {
    let (mut there, mut again, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let mut rows = 0;
    loop {
        there.clear();
        again.clear();
        values.clear();
        let read = column.read_records(BATCH, Some(&mut there), Some(&mut again), &mut values);
        let (records, _, levels) = read.map_err(failed)?;
        if records == 0 && levels == 0 {
            return Ok(rows);
        }
        rows += records as u64;
        room.take(values.iter().map(|value| length(value) as u64).sum())?;
    }
}

/// Refuses a column that is packed as it is not unpacked here.
fn check_packing(column: &ColumnChunkMetaData) -> Result<()> {
    let packed = column.compression();
    if matches!(packed, Compression::UNCOMPRESSED | Compression::SNAPPY) {
        return Ok(());
    }
    let packed = format!("{packed:?}");
    let word = packed.split('(').next().unwrap_or_default();
    let what = format!("it is compressed with {word}; uncompressed and snappy are read");
    Err(Error::new(what).hint(ANEW))
}

/// Refuses a group of rows that does not fit, or whose columns are not as long as it says.
fn measured(group: &dyn RowGroupReader, room: &Room) -> Result<()> {
    let said = u64::try_from(group.metadata().num_rows()).unwrap_or_default();
    for (n, column) in group.metadata().columns().iter().enumerate() {
        let name = column.column_path().string();
        let place = |error: Error| error.at(format!("column {name}"));
        check_packing(column).map_err(place)?;
        // The names of all that it stands in are beside every value.
        let each = EACH + name.len() as u64;
        let pages = group.get_column_page_reader(n).map_err(|e| place(failed(e)))?;
        let pages = Box::new(Counted { pages, each, room: room.clone() });
        let rows = match get_column_reader(column.column_descr_ptr(), pages) {
            ColumnReader::BoolColumnReader(column) => counted(column, room, |_| 0),
            ColumnReader::Int32ColumnReader(column) => counted(column, room, |_| 0),
            ColumnReader::Int64ColumnReader(column) => counted(column, room, |_| 0),
            ColumnReader::Int96ColumnReader(column) => counted(column, room, |_| 0),
            ColumnReader::FloatColumnReader(column) => counted(column, room, |_| 0),
            ColumnReader::DoubleColumnReader(column) => counted(column, room, |_| 0),
            ColumnReader::ByteArrayColumnReader(column) => {
                counted(column, room, parquet::data_type::ByteArray::len)
            }
            ColumnReader::FixedLenByteArrayColumnReader(column) => {
                counted(column, room, |value| value.len())
            }
        };
        let rows = rows.map_err(place)?;
        if rows != said {
            return Err(place(Error::new(format!("{rows} rows, and the file says {said}")))
                .hint("it is damaged: write it anew"));
        }
    }
    Ok(())
}

/// Refuses a number that is none: JSON has no word for it, and left out it would say nothing.
fn check_number(name: &str, field: &Field) -> Result<()> {
    let finite = match field {
        Field::Float16(number) => number.is_finite(),
        Field::Float(number) => number.is_finite(),
        Field::Double(number) => number.is_finite(),
        Field::Group(row) => return check_numbers(name, row),
        Field::ListInternal(list) => {
            return list.elements().iter().try_for_each(|one| check_number(name, one));
        }
        Field::MapInternal(map) => {
            let both = |(key, value): &(Field, Field)| {
                check_number(name, key).and_then(|()| check_number(name, value))
            };
            return map.entries().iter().try_for_each(both);
        }
        _ => true,
    };
    if finite {
        return Ok(());
    }
    Err(Error::new(format!("{name}: {field} is no number"))
        .hint("write what is not known as null, and the rest as finite numbers"))
}

fn check_numbers(name: &str, row: &Row) -> Result<()> {
    let inside =
        |field: &str| if name.is_empty() { field.into() } else { format!("{name}.{field}") };
    row.get_column_iter().try_for_each(|(field, value)| check_number(&inside(field), value))
}

/// The rows of a file, if they are not more than `most` bytes when they are unpacked.
pub(super) fn rows(bytes: Vec<u8>, most: u64) -> Result<Vec<Value>> {
    let file = SerializedFileReader::new(Bytes::from(bytes)).map_err(failed)?;
    let columns = file.metadata().file_metadata().schema_descr().num_columns();
    if columns > COLUMNS {
        return Err(Error::new(format!("{columns} columns; at most {COLUMNS} are read"))
            .hint("keep the columns of the conversation, and leave the others out"));
    }
    let room = Room::new(most);
    for n in 0..file.num_row_groups() {
        measured(&*file.get_row_group(n).map_err(failed)?, &room)?;
    }
    let rows = file.get_row_iter(None).map_err(failed)?;
    let one = |(n, row): (usize, std::result::Result<Row, ParquetError>)| {
        budget::cancel().check()?;
        let row = row.map_err(failed)?;
        check_numbers("", &row).map_err(|error| error.at(format!("row {}", n + 1)))?;
        Ok(row.to_json_value())
    };
    rows.enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use parquet::basic::{GzipLevel, ZstdLevel};
    use parquet::data_type::{ByteArray, ByteArrayType, DoubleType};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use serde_json::json;

    use super::*;
    use crate::control::Cancel;

    /// A file with a text and a number a row, and its texts in lists if they are.
    fn file(texts: &[&str], rewards: &[f64], repeated: bool) -> Vec<u8> {
        let again = if repeated { "repeated" } else { "required" };
        let schema = format!(
            "message rows {{ {again} binary text (UTF8); required group metadata \
             {{ required double reward; }} }}"
        );
        let settings = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let schema = Arc::new(parse_message_type(&schema).unwrap());
        let mut out = Vec::new();
        let mut file = SerializedFileWriter::new(&mut out, schema, Arc::new(settings)).unwrap();
        let mut group = file.next_row_group().unwrap();
        let values: Vec<ByteArray> = texts.iter().map(|text| ByteArray::from(*text)).collect();
        let there = vec![1; values.len()];
        let in_one: Vec<i16> = (0..values.len()).map(|n| i16::from(n > 0)).collect();
        let levels = repeated.then_some((&there[..], &in_one[..]));
        let mut column = group.next_column().unwrap().unwrap();
        let typed = column.typed::<ByteArrayType>();
        typed.write_batch(&values, levels.map(|l| l.0), levels.map(|l| l.1)).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<DoubleType>().write_batch(rewards, None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        file.close().unwrap();
        out
    }

    #[test]
    fn what_unpacks_to_more_than_the_limit_is_refused_before_it_is_unpacked() {
        let text = "x".repeat(10_000);
        // One text in many rows, and many times in the list of one row.
        let many = file(&vec![text.as_str(); 1000], &vec![1.0; 1000], false);
        let list = file(&vec![text.as_str(); 1000], &[1.0], true);
        for bytes in [many, list] {
            assert!(bytes.len() < 200_000, "{} bytes", bytes.len());
            let error = rows(bytes.clone(), 2 << 20).unwrap_err();
            let said = error.to_string();
            assert!(said.contains("column text: unpacked it is more than the 2 MiB"), "{said}");
            assert!(said.contains("split the file"), "{said}");
            assert!(!rows(bytes, 64 << 20).unwrap().is_empty());
        }
    }

    #[test]
    fn a_number_that_is_none_is_refused_by_row_and_name() {
        for odd in [f64::NAN, f64::INFINITY] {
            let said = rows(file(&["a", "b"], &[1.0, odd], false), 1 << 20).unwrap_err();
            let said = said.to_string();
            assert!(
                said.contains("row 2: metadata.reward: ") && said.contains("no number"),
                "{said}"
            );
        }
        let plain = rows(file(&["a"], &[0.5], false), 1 << 20).unwrap();
        assert_eq!(plain, [json!({"text": "a", "metadata": {"reward": 0.5}})]);
    }

    #[test]
    fn another_compression_is_refused_by_name() {
        let bytes = file(&["a"], &[1.0], false);
        let file = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
        let column = file.metadata().row_group(0).column(0);
        assert!(check_packing(column).is_ok());
        for (packed, word) in [
            (Compression::ZSTD(ZstdLevel::default()), "with ZSTD;"),
            (Compression::GZIP(GzipLevel::default()), "with GZIP;"),
            (Compression::LZ4_RAW, "with LZ4_RAW;"),
        ] {
            let builder = column.clone().into_builder().set_compression(packed);
            let said = check_packing(&builder.build().unwrap()).unwrap_err().to_string();
            assert!(said.contains(word) && said.contains("uncompressed and snappy"), "{said}");
            assert!(said.contains("compression=\"snappy\""), "{said}");
        }
    }

    #[test]
    fn reading_rows_ends_when_it_is_asked_to() {
        let bytes = file(&["a"], &[1.0], false);
        let cancel = Cancel::default();
        let read = budget::under(&cancel, || {
            cancel.cancel();
            rows(bytes, 1 << 20)
        });
        assert!(read.unwrap_err().is_cancelled());
    }
}
