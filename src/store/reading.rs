//! Columns in which only some texts make sense: what is not understood is an error that names it,
//! never a default.

use rusqlite::Row;
use rusqlite::types::Type;
use serde::de::DeserializeOwned;

/// What stands in a column, where it is one of the texts that `read` knows.
pub(super) fn known<T>(
    row: &Row<'_>,
    at: usize,
    read: impl FnOnce(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let text: String = row.get(at)?;
    read(&text).ok_or_else(|| damaged(row, at, &text))
}

/// What stands in a column as JSON.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    known(row, at, |text| serde_json::from_str(text).ok())
}

fn damaged(row: &Row<'_>, at: usize, text: &str) -> rusqlite::Error {
    let column = row.as_ref().column_name(at).unwrap_or("a column");
    let shown: String = text.chars().take(40).collect();
    let what = format!("`{shown}` as {column}, which is not understood");
    rusqlite::Error::FromSqlConversionFailure(at, Type::Text, what.into())
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
