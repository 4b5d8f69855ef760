//! `foretaste data delete`, `undelete` and `label`: what a person does with rows.

use serde_json::{Value, json};

use super::data::value;
use crate::error::{Error, Result};
use crate::store::{Checkpoint, RunStatus, Store, now_ms};
use crate::train::{CheckpointFigures, checkpoint, figures, torchrun};

/// A checkpoint with its figures.
pub fn checkpoint_row(saved: &Checkpoint, figures: &[CheckpointFigures]) -> Value {
    let mut row = value(saved);
    if let Some(found) = figures.iter().find(|figures| figures.id == saved.id) {
        row["bytes"] = json!(found.bytes);
        row["validation"] = json!(found.validation);
        row["is_best"] = json!(found.is_best);
        if let Some(place) = &found.away {
            row["adapter_beside"] = json!(place);
        }
    }
    row
}

/// Takes out one thing.
pub fn delete(
    store: &Store,
    id: Option<i64>,
    run: Option<i64>,
    number: Option<i64>,
    now: bool,
) -> Result<Value> {
    if let Some(run) = run {
        let unfinished = store.run(run)?.status != RunStatus::Finished;
        let checkpoints = store.delete_run(run)?;
        for folder in &checkpoints {
            checkpoint::remove_folder(store, run, folder)?;
        }
        checkpoint::sweep(store)?;
        let mut row = json!({"run": run, "deleted": true, "checkpoints": checkpoints.len()});
        let left = if unfinished { torchrun::clear_far(store, run) } else { None };
        if let Some(command) = left {
            row["left_there"] = json!(command);
        }
        return Ok(row);
    }
    if let Some(number) = number {
        let saved = checkpoint_of(store, number)?;
        checkpoint::delete(store, &saved, now_ms())?;
        if now {
            checkpoint::remove(store, &saved)?;
        }
        return Ok(json!({"checkpoint": number, "deleted": true, "files_removed": now}));
    }
    let id = id.unwrap_or_default();
    store.set_deleted(id, true)?;
    Ok(json!({"trajectory": id, "deleted": true}))
}

/// Puts trajectories, or a checkpoint, back.
pub fn undelete(store: &Store, ids: &[i64], number: Option<i64>) -> Result<Vec<Value>> {
    let Some(number) = number else {
        // All are there before one is put back.
        for id in ids {
            store.trajectory_even_deleted(*id)?.ok_or_else(|| {
                Error::new(format!("there is no trajectory {id}"))
                    .hint("list them with: foretaste data list")
            })?;
        }
        let put_back = |id: &i64| {
            store.set_deleted(*id, false)?;
            Ok(json!({"trajectory": id, "deleted": false}))
        };
        return ids.iter().map(put_back).collect();
    };
    if !store.deleted_checkpoints()?.iter().any(|saved| saved.id == number) {
        return Err(Error::new(format!("checkpoint {number} is not among the deleted ones"))
            .hint("its files are removed a day after it was deleted"));
    }
    store.set_checkpoint_deleted(number, None)?;
    Ok(vec![json!({"checkpoint": number, "deleted": false})])
}

/// Demonstrations that could go, or went: then with the command that puts them back.
pub fn duplicates(store: &Store, delete: bool) -> Result<Vec<Value>> {
    let found = store.duplicates()?;
    let mut rows = Vec::with_capacity(found.len());
    for one in &found {
        if delete {
            store.set_deleted(one.trajectory, true)?;
        }
        let mut row = value(one);
        row["deleted"] = json!(delete);
        rows.push(row);
    }
    if delete && !found.is_empty() {
        let ids: Vec<String> = found.iter().map(|one| one.trajectory.to_string()).collect();
        rows.push(json!({"undo": format!("foretaste data undelete {}", ids.join(" "))}));
    }
    Ok(rows)
}

/// What a person says of a run or a checkpoint.
pub struct Words {
    /// Its name.
    pub name: Option<String>,
    /// A note.
    pub note: Option<String>,
    /// Words to find it by.
    pub tags: Option<String>,
}

/// Writes it down; what is not given stays.
pub fn label(
    store: &Store,
    checkpoint: Option<i64>,
    run: Option<i64>,
    Words { name, note, tags }: &Words,
) -> Result<Value> {
    if let Some(run) = run {
        store.describe_run(run, name.as_deref(), note.as_deref(), tags.as_deref())?;
        return Ok(value(&store.run(run)?));
    }
    let number = checkpoint.unwrap_or_default();
    checkpoint_of(store, number)?;
    if let Some(name) = name {
        store.label_checkpoint(number, Some(name))?;
    }
    if let Some(note) = note {
        store.note_checkpoint(number, note)?;
    }
    Ok(checkpoint_row(&checkpoint_of(store, number)?, &figures(store)?.1))
}

/// The saved checkpoint of that number.
fn checkpoint_of(store: &Store, number: i64) -> Result<Checkpoint> {
    store.checkpoints()?.into_iter().find(|saved| saved.id == number).ok_or_else(|| {
        Error::new(format!("there is no checkpoint {number}"))
            .hint("list them with: foretaste data list checkpoints")
    })
}
