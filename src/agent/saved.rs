//! Checkpoints of this store, as models to be read.

use std::fs::File;
use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::model::away::Distant;
use crate::model::folder::{digest_of, read_file, read_whole};
use crate::model::weights::ModelFiles;
use crate::place::model_alone;
use crate::store::{Checkpoint, STATE, Store};

/// The field of [`STATE`] that says where a checkpoint's weights lie, of one that is an adapter alone.
pub const AWAY: &str = "away";

/// Where the weights of a checkpoint lie by its [`STATE`], if that is not in its folder.
pub fn distant(state: &Value) -> Result<Option<Distant>> {
    serde_json::from_value(state[AWAY].clone())
        .map_err(|e| Error::new(format!("{STATE}, where its weights are: {e}")))
}

/// The same by its folder; of one that cannot be read nobody knows.
pub fn lies_at(folder: &Path) -> Option<Distant> {
    let state: Value = serde_json::from_slice(&read_file(folder, STATE).ok()?).ok()?;
    distant(&state).ok()?
}

/// The files of a recorded checkpoint, if they are those that were saved.
pub fn read(store: &Store, saved: &Checkpoint) -> Result<ModelFiles> {
    let folder = store.root().join(&saved.folder);
    let name = format!("checkpoint {} (run {} step {})", saved.id, saved.run, saved.step);
    let delete =
        format!("take it out of the list with: foretaste data delete --checkpoint {}", saved.id);
    if !folder.is_dir() {
        return Err(Error::new(format!("{name}: its folder {} is gone", folder.display())).hint(
            format!("name another (foretaste data list checkpoints) or embedded; {delete}"),
        ));
    }
    let located = |error: Error| {
        let hint = error.next_step().map_or(delete.clone(), str::to_string);
        error.at(&name).hint(hint)
    };
    let other = |what: &str| {
        Err(Error::new(format!("{name}: {} {what}", folder.display()))
            .hint(format!("they belong to another store, or were changed; {delete}")))
    };
    let state: Value = serde_json::from_slice(&read_file(&folder, STATE).map_err(located)?)
        .map_err(|e| Error::new(format!("{name}: {STATE}: {e}")))?;
    let parts = distant(&state).and_then(|away| read_whole(&folder, away)).map_err(located)?;
    let token = store.run_token(saved.run)?;
    if token.as_deref() != state["token"].as_str() {
        return other("holds the weights of another run");
    }
    if saved.digest.is_some() && saved.digest != Some(digest_of(&parts)?) {
        return other("does not hold the weights that were saved");
    }
    Ok(parts)
}

/// As long as this is held, a checkpoint is not pruned: it is being evaluated, and its figures
/// would be of something that is not there.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "held")] Option<File>);

/// Holds the checkpoint of that name, whatever its products; other models are nobody's to prune.
pub fn hold(store: &Store, name: &str) -> Held {
    let name = model_alone(name);
    let known = store.checkpoints().unwrap_or_default();
    let saved = known.iter().find(|saved| saved.name() == name);
    let file =
        saved.and_then(|saved| File::open(store.root().join(&saved.folder).join(STATE)).ok());
    Held(file.filter(|file| file.try_lock_shared().is_ok()))
}

/// Whether somebody does.
pub fn is_held(store: &Store, saved: &Checkpoint) -> bool {
    File::open(store.root().join(&saved.folder).join(STATE))
        .is_ok_and(|file| file.try_lock().is_err())
}
