//! Checkpoints: a model folder in Hugging Face's layout, with the trainer's own state beside it.
//!
//! A folder is written under a temporary name, synced and renamed, and only then recorded: a
//! checkpoint that the store knows is whole, and a full disk or a kill leaves the older ones as
//! they were.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{best_of, torchrun};
use crate::agent::{AWAY, distant, is_held};
use crate::error::{Error, Result};
use crate::model::adamw::{AdamW, Shapes};
use crate::model::config::Config;
use crate::model::files::{Tensors, serialize};
use crate::model::folder::{ADAPTER, digest, digest_of, read_file, read_whole};
use crate::model::lora::Adapter;
use crate::model::weights::{ModelFiles, Stored, Trainable};
use crate::paths::{self, sync_folder};
use crate::store::{Checkpoint, RunRow, STATE, Store};

/// Optimiser state beside the model's files.
const OPTIMISER: &str = "optimizer.safetensors";

/// How the name of a checkpoint that is not whole yet begins, before its run.
const SAVING: &str = ".saving-";

/// How the name of one that is being removed begins.
const REMOVING: &str = ".removing-";

/// The folder of [`ADAPTER`].
const ADAPTER_FOLDER: &str = "adapter";

fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|e| Error::io("writing", path, &e))
}

/// What a checkpoint of a run, or a model folder for everybody, is until it is whole.
fn unfinished(run: Option<i64>, parent: &Path) -> std::io::Result<tempfile::TempDir> {
    if let Some(run) = run {
        return tempfile::Builder::new().prefix(&format!("{SAVING}{run}-")).tempdir_in(parent);
    }
    let mut builder = paths::temporary();
    // It is renamed later: with the rights that a folder gets there, not with those of a secret.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    builder.tempdir_in(parent)
}

/// Writes a model folder at `target`, which must not exist yet: that of a run is its owner's alone.
pub fn write_folder(
    target: &Path,
    parts: &ModelFiles,
    more: &[(&str, Vec<u8>)],
    run: Option<i64>,
) -> Result<()> {
    let parent =
        target.parent().ok_or_else(|| Error::new("a checkpoint needs a folder to stand in"))?;
    std::fs::create_dir_all(parent).map_err(|e| Error::io("creating", parent, &e))?;
    let temp =
        unfinished(run, parent).map_err(|e| Error::io("writing a checkpoint under", parent, &e))?;
    let tensors: Option<&[u8]> = match &parts.tensors {
        Stored::Memory(tensors) => Some(tensors),
        Stored::Away(_) => None,
        Stored::Folder(_) | Stored::Gguf(_) => {
            return Err(Error::new("only weights in memory can be written as a model folder"));
        }
    };
    let files = [
        ("config.json", Some(parts.config.as_slice())),
        ("model.safetensors", tensors),
        ("tokenizer.json", Some(&parts.tokenizer)),
    ];
    let files = files.into_iter().filter_map(|(name, bytes)| Some((name, bytes?)));
    let beside = parts.beside.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    for (name, bytes) in
        files.chain(beside).chain(more.iter().map(|(name, bytes)| (*name, bytes.as_slice())))
    {
        let path = temp.path().join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| Error::io("creating", folder, &e))?;
        }
        write_synced(&path, bytes)?;
    }
    let ready = temp.keep();
    std::fs::rename(&ready, target).map_err(|e| {
        _ = std::fs::remove_dir_all(&ready);
        Error::io("putting the checkpoint in place at", target, &e)
    })?;
    sync_folder(parent);
    Ok(())
}

/// Saves a run's weights and optimiser (where it is kept here) at an update and records the checkpoint. What stands in its
/// place and is not the same (weights of another store whose runs have the same numbers) is set
/// aside, and said.
pub fn save(
    store: &Store,
    run: i64,
    step: u64,
    weights: &Trainable,
    optimiser: Option<&AdamW>,
) -> Result<Saved> {
    let name = format!("checkpoints/run-{run}-step-{step}");
    let target = store.root().join(&name);
    if store.left_behind()?.contains(&name) {
        remove_folder(store, run, &name)?;
    }
    let row = store.run(run)?;
    let mut state = identity(store, &row, step)?;
    let mut more = Vec::new();
    if let Some(optimiser) = optimiser {
        let moments = moments(&weights.net().shapes(), optimiser)?;
        state["updates"] = optimiser.updates.into();
        state["optimiser"] = digest([moments.as_slice()]).into();
        more.push((OPTIMISER, moments));
    }
    let parts = weights.parts(false)?;
    let digest = digest_of(&parts)?;
    state["weights"] = digest.as_str().into();
    if let Some(place) = &weights.away {
        state[AWAY] = json!(place);
    }
    let mut set_aside = None;
    if target.exists() && !is_same(&target, &state) {
        let aside = store.root().join(format!("{name}.aside-{}", crate::store::now_ms()));
        std::fs::rename(&target, &aside).map_err(|e| Error::io("setting aside", &target, &e))?;
        set_aside = Some(aside);
    }
    if !target.exists() {
        more.push((STATE, state.to_string().into_bytes()));
        if let Some(adapter) = &weights.adapter {
            let base = weights.away.as_ref().map_or(&row.start, |place| &place.folder);
            let (settings, tensors) = adapter.to_peft(base)?;
            more.extend(ADAPTER.into_iter().zip([settings, tensors]));
        }
        write_folder(&target, &parts, &more, Some(run))?;
    }
    store.add_checkpoint(run, step, &name, &digest)?;
    Ok(Saved { folder: target, set_aside })
}

/// An optimiser's moments, by the names of what they are of.
fn moments(names: &Shapes, optimiser: &AdamW) -> Result<Vec<u8>> {
    let both = [("first", &optimiser.first), ("second", &optimiser.second)].into_iter();
    let all: Vec<_> = both
        .flat_map(|(moment, buffers)| {
            let each = names.iter().zip(buffers);
            each.map(move |((name, shape), data)| {
                (format!("{name}.{moment}"), data.clone(), shape.clone())
            })
        })
        .collect();
    serialize(&all, false)
}

/// A checkpoint on disk.
#[derive(Debug)]
pub struct Saved {
    /// Its folder.
    pub folder: PathBuf,
    /// Where what stood in its place is now.
    pub set_aside: Option<PathBuf>,
}

/// Whose weights a folder holds: the store, the run's own number, its seed and the update.
fn identity(store: &Store, run: &RunRow, step: u64) -> Result<Value> {
    let token = store.run_token(run.id)?;
    Ok(json!({"store": store.identity()?, "run": run.id, "token": token, "seed": run.seed,
        "step": step}))
}

/// Whether a folder says the same of itself, to the digest of its weights, and has them: a kill
/// between the renaming and the recording of a checkpoint leaves it so.
fn is_same(folder: &Path, state: &Value) -> bool {
    let found = read_file(folder, STATE)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let whole = distant(state).and_then(|away| read_whole(folder, away));
    let weights = whole.and_then(|parts| digest_of(&parts)).ok();
    found.as_ref() == Some(state) && weights.as_deref() == state["weights"].as_str()
}

/// Checkpoints of a run that nothing needs: all but the newest, the ends of its stages, the best on
/// what is held out, those with a name, those that another run started from, and those that were
/// evaluated.
pub fn unneeded(store: &Store, run: i64, stage_ends: &[u64]) -> Result<Vec<Checkpoint>> {
    beside(store, run, stage_ends, best_of(store, run)?)
}

/// The same, where the best is known.
fn beside(
    store: &Store,
    run: i64,
    stage_ends: &[u64],
    best: Option<(u64, f64)>,
) -> Result<Vec<Checkpoint>> {
    let mut own: Vec<Checkpoint> =
        store.checkpoints()?.into_iter().filter(|saved| saved.run == run).collect();
    let used = store.model_names_in_use()?;
    let best = best.map(|(step, _)| step);
    let newest = own.iter().map(|saved| saved.step).max();
    own.retain(|saved| {
        let step = saved.step;
        let named = used.contains(&saved.name()) || used.contains(&saved.id.to_string());
        !(named
            || saved.label.is_some()
            || is_held(store, saved)
            || Some(step) == newest
            || Some(step) == best
            || stage_ends.contains(&step))
    });
    Ok(own)
}

/// Removes those; none of a run without validation, where nothing says which is best. Returns their
/// updates.
pub fn prune(store: &Store, run: i64, stage_ends: &[u64]) -> Result<Vec<u64>> {
    let Some(best) = best_of(store, run)? else { return Ok(Vec::new()) };
    let unneeded = beside(store, run, stage_ends, Some(best))?;
    unneeded.iter().try_for_each(|saved| remove(store, saved))?;
    let mut removed: Vec<u64> = unneeded.iter().map(|saved| saved.step).collect();
    removed.sort_unstable();
    Ok(removed)
}

/// How long the files of a deleted checkpoint stay, in milliseconds: a day.
const KEPT_DELETED_MS: i64 = 24 * 3600 * 1000;

/// Deletes a checkpoint as of a moment (milliseconds since 1970); it can be brought back until its
/// files are swept away.
///
/// # Errors
/// Where something needs it.
pub fn delete(store: &Store, saved: &Checkpoint, when: i64) -> Result<()> {
    if store.is_alive(saved.run) {
        return Err(Error::new(format!(
            "run {} is being trained, and may go on from it",
            saved.run
        ))
        .hint("stop it first (Train, x)"));
    }
    if is_held(store, saved) {
        return Err(Error::new(format!("checkpoint {} is being evaluated", saved.id))
            .hint("wait until that is done"));
    }
    store.check_unneeded(saved)?;
    store.set_checkpoint_deleted(saved.id, Some(when))
}

/// Takes a checkpoint out of the store, then its folder away.
pub fn remove(store: &Store, saved: &Checkpoint) -> Result<()> {
    store.delete_checkpoint(saved)?;
    remove_folder(store, saved.run, &saved.folder)
}

/// Removes the folder of a run's checkpoint that the store no longer knows. One that lies elsewhere
/// is left alone, and one that holds another run's weights (of another store, whose runs have the
/// same numbers).
pub fn remove_folder(store: &Store, run: i64, folder: &str) -> Result<()> {
    let parts: Vec<_> = Path::new(folder).components().collect();
    let plain = parts.iter().all(|part| matches!(part, std::path::Component::Normal(_)));
    let own = plain && parts.len() == 2 && folder.starts_with("checkpoints/");
    // A run that went back and on may have saved another one there.
    if own && !store.has_folder(folder)? && store.is_own_folder(run, folder)? {
        let from = store.root().join(folder);
        let to = store
            .root()
            .join(format!("checkpoints/{REMOVING}{}", folder.trim_start_matches("checkpoints/")));
        // In one step: what a kill leaves of it is nobody's checkpoint.
        if std::fs::rename(&from, &to).is_ok() {
            _ = std::fs::remove_dir_all(&to);
        }
    }
    store.is_gone(folder)
}

/// Bytes of all files in a folder.
pub fn disk_use(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| {
            if entry.path().is_dir() {
                disk_use(&entry.path())
            } else {
                entry.metadata().map_or(0, |m| m.len())
            }
        })
        .sum()
}

/// Removes what a kill left half written, or half removed, in the data directory: folders of
/// checkpoints whose run no process trains, those of checkpoints that were taken out, and temporary
/// files. Returns how many; where nothing can be written, nothing is removed.
pub fn sweep(store: &Store) -> Result<usize> {
    if store.read_only().is_some() {
        return Ok(0);
    }
    let mut removed: usize =
        ["", "exports"].map(|name| paths::sweep_temporary(&store.root().join(name))).iter().sum();
    for entry in std::fs::read_dir(store.root().join("checkpoints")).into_iter().flatten().flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        let run = name.strip_prefix(SAVING).and_then(|rest| rest.split('-').next()?.parse().ok());
        if name.starts_with(REMOVING) || run.is_some_and(|run| !store.is_alive(run)) {
            removed += usize::from(std::fs::remove_dir_all(entry.path()).is_ok());
        }
    }
    for saved in store.deleted_before(crate::store::now_ms() - KEPT_DELETED_MS)? {
        remove(store, &saved)?;
        removed += 1;
    }
    removed += torchrun::sweep(store);
    let known: HashSet<String> = [store.checkpoints()?, store.deleted_checkpoints()?]
        .into_iter()
        .flatten()
        .map(|saved| saved.folder)
        .collect();
    for folder in store.left_behind()?.iter().filter(|folder| !known.contains(*folder)) {
        let run = folder
            .strip_prefix("checkpoints/run-")
            .and_then(|rest| rest.split('-').next()?.parse().ok());
        match run {
            Some(run) => remove_folder(store, run, folder)?,
            None => store.is_gone(folder)?,
        }
        removed += 1;
    }
    Ok(removed)
}

/// The adapter saved in a checkpoint folder.
pub fn adapter(folder: &Path, config: &Config) -> Result<Adapter> {
    peft(&folder.join(ADAPTER_FOLDER), config)
}

/// The adapter in a folder with PEFT's two files.
pub fn peft(folder: &Path, config: &Config) -> Result<Adapter> {
    let [settings, tensors] =
        ["adapter_config.json", "adapter_model.safetensors"].map(|name| read_file(folder, name));
    Adapter::from_peft(config, &settings?, &tensors?).map_err(|error| error.at(folder.display()))
}

/// The optimiser saved in a checkpoint folder, for what was trained there.
pub fn optimiser(folder: &Path, shapes: &Shapes) -> Result<AdamW> {
    let read = |name: &str| read_file(folder, name);
    let state: Value = serde_json::from_slice(&read(STATE)?)
        .map_err(|e| Error::new(format!("{}: {STATE}: {e}", folder.display())))?;
    let raw = read(OPTIMISER)?;
    if state["optimiser"].as_str().is_some_and(|saved| saved != digest([raw.as_slice()])) {
        return Err(Error::new(format!("{}: {OPTIMISER} is not what was saved", folder.display()))
            .hint("start another run from these weights with --from"));
    }
    let tensors = Tensors::from_bytes(&raw, &folder.join(OPTIMISER).display().to_string())?;
    let mut optimiser = AdamW::new(shapes);
    optimiser.updates = state["updates"].as_u64().unwrap_or_default();
    for (i, (name, shape)) in shapes.iter().enumerate() {
        for (moment, buffer) in
            [("first", &mut optimiser.first[i]), ("second", &mut optimiser.second[i])]
        {
            *buffer = tensors.numbers(&format!("{name}.{moment}"), shape)?;
        }
    }
    Ok(optimiser)
}
