//! Columns in which only some texts make sense: what is not understood is an error that names it, never a default.

use rusqlite::Row;
use rusqlite::types::Type;
use serde::de::DeserializeOwned;

/// What stands in a column, where it is one of the texts that `read` knows.
pub(super) fn known<T>(row: &Row<'_>, at: usize, read: impl FnOnce(&str) -> Option<T>) -> rusqlite::Result<T> {
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
mod tests {
    use crate::env::household::Household;
    use crate::episode::Episode;
    use crate::experience::Purpose;
    use crate::store::Store;

    #[test]
    fn what_is_not_understood_in_a_row_is_named_and_never_a_default() {
        let mut episode = Episode::open(&Household, "train", "train/3", Purpose::Demonstration, 1).unwrap();
        let first = episode.trajectory.listed_at(0)[0].clone();
        episode.act(&first, "human").unwrap();
        for (change, says) in [
            ("UPDATE trajectories SET purpose = 'odd'", "`odd` as purpose"),
            ("UPDATE trajectories SET admissible = '[\"a'", "`[\"a` as admissible"),
            ("UPDATE steps SET free = 'x'", "`x` as free"),
            ("UPDATE trajectories SET world = 'zz'", "`zz` as world"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let mut store = Store::open(dir.path()).unwrap();
            let id = store.add_trajectory(&episode.trajectory).unwrap();
            store.trajectory(id).unwrap();
            store.db.execute(change, []).unwrap();
            let error = store.trajectory(id).unwrap_err();
            assert!(error.message().contains(says), "{error}");
        }
    }
}
