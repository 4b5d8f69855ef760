//! Checkpoints: a model folder in Hugging Face's layout, with the trainer's own state beside it.
//!
//! A folder is written under a temporary name, synced and renamed, and only then recorded: a checkpoint that the store
//! knows is whole, and a full disk or a kill leaves the older ones as they were.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::adamw::{AdamW, Shapes};
use crate::model::config::Config;
use crate::model::files::{Tensors, serialize};
use crate::model::lora::Adapter;
use crate::model::weights::{Parts, Stored, Trainable};
use crate::store::Store;

/// Optimiser state beside the model's files.
const OPTIMISER: &str = "optimizer.safetensors";

/// PEFT's files, in a folder of their own: beside `model.safetensors` (which has the adapter merged) other programs would
/// apply them a second time.
const ADAPTER: [&str; 2] = ["adapter/adapter_config.json", "adapter/adapter_model.safetensors"];

/// The folder of [`ADAPTER`].
const ADAPTER_FOLDER: &str = "adapter";

fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|e| Error::io("writing", path, &e))
}

/// Writes a model folder at `target`, which must not exist yet.
pub fn write_folder(target: &Path, parts: &Parts, more: &[(&str, Vec<u8>)]) -> Result<()> {
    let parent = target.parent().ok_or_else(|| Error::new("a checkpoint needs a folder to stand in"))?;
    std::fs::create_dir_all(parent).map_err(|e| Error::io("creating", parent, &e))?;
    let temp = tempfile::tempdir_in(parent).map_err(|e| Error::io("writing a checkpoint under", parent, &e))?;
    let Stored::Memory(tensors) = &parts.tensors else {
        return Err(Error::new("only weights in memory can be written as a model folder"));
    };
    let files =
        [("config.json", parts.config.as_slice()), ("model.safetensors", tensors), ("tokenizer.json", &parts.tokenizer)];
    for (name, bytes) in files.into_iter().chain(more.iter().map(|(name, bytes)| (*name, bytes.as_slice()))) {
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
    if let Ok(folder) = File::open(parent) {
        _ = folder.sync_all(); // makes the rename durable where folders can be synced
    }
    Ok(())
}

/// Saves a run's weights and optimiser at an update and records the checkpoint; returns its folder.
pub fn save(store: &Store, run: i64, step: u64, weights: &Trainable, optimiser: &AdamW) -> Result<PathBuf> {
    let name = format!("checkpoints/run-{run}-step-{step}");
    let target = store.root().join(&name);
    let names = weights.net().shapes();
    let moments: Vec<_> = [("first", &optimiser.first), ("second", &optimiser.second)]
        .into_iter()
        .flat_map(|(moment, buffers)| {
            let each = names.iter().zip(buffers);
            each.map(move |((name, shape), data)| (format!("{name}.{moment}"), data.clone(), shape.clone()))
        })
        .collect();
    let state = serde_json::json!({"run": run, "step": step, "updates": optimiser.updates});
    let mut more = vec![(OPTIMISER, serialize(&moments, false)?), ("trainer.json", state.to_string().into_bytes())];
    if let Some(adapter) = &weights.adapter {
        let (settings, tensors) = adapter.to_peft(&store.run(run)?.start)?;
        more.extend(ADAPTER.into_iter().zip([settings, tensors]));
    }
    if !target.exists() {
        write_folder(&target, &weights.parts(false)?, &more)?;
    }
    store.add_checkpoint(run, step, &name)?;
    Ok(target)
}

fn read_file(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let path = folder.join(name);
    std::fs::read(&path).map_err(|e| Error::io("reading", &path, &e))
}

/// The adapter saved in a checkpoint folder.
pub fn adapter(folder: &Path, config: &Config) -> Result<Adapter> {
    peft(&folder.join(ADAPTER_FOLDER), config)
}

/// The adapter in a folder with PEFT's two files.
pub fn peft(folder: &Path, config: &Config) -> Result<Adapter> {
    let [settings, tensors] = ["adapter_config.json", "adapter_model.safetensors"].map(|name| read_file(folder, name));
    Adapter::from_peft(config, &settings?, &tensors?).map_err(|error| error.at(folder.display()))
}

/// The optimiser saved in a checkpoint folder, for what was trained there.
pub fn optimiser(folder: &Path, shapes: &Shapes) -> Result<AdamW> {
    let read = |name: &str| read_file(folder, name);
    let state: serde_json::Value = serde_json::from_slice(&read("trainer.json")?)
        .map_err(|e| Error::new(format!("{}: trainer.json: {e}", folder.display())))?;
    let raw = read(OPTIMISER)?;
    let tensors = Tensors::from_bytes(&raw, &folder.join(OPTIMISER).display().to_string())?;
    let mut optimiser = AdamW::new(shapes);
    optimiser.updates = state["updates"].as_u64().unwrap_or_default();
    for (i, (name, shape)) in shapes.iter().enumerate() {
        for (moment, buffer) in [("first", &mut optimiser.first[i]), ("second", &mut optimiser.second[i])] {
            *buffer = tensors.numbers(&format!("{name}.{moment}"), shape)?;
        }
    }
    Ok(optimiser)
}

/// Finds a model by what a person writes: nothing (the newest checkpoint, else the embedded model), `embedded`, `novice`,
/// a checkpoint's number or the name it goes by, a folder, or a GGUF file. Returns its files and the name it goes by.
pub fn find(store: &Store, name: Option<&str>) -> Result<(Parts, String)> {
    let recorded = |checkpoint: &crate::store::Checkpoint| {
        Ok((
            Parts::read(&store.root().join(&checkpoint.folder))?,
            format!("run {} step {}", checkpoint.run, checkpoint.step),
        ))
    };
    let known = store.checkpoints()?;
    let by_name = known.iter().find(|saved| Some(format!("run {} step {}", saved.run, saved.step).as_str()) == name);
    if let Some(saved) = by_name {
        return recorded(saved);
    }
    match name {
        Some("embedded") => Ok((Model::embedded_parts(), "embedded".into())),
        Some("novice") => Ok((Model::novice_parts(), "novice".into())),
        None => match store.latest_checkpoint(None)? {
            Some(checkpoint) => recorded(&checkpoint),
            None => Ok((Model::embedded_parts(), "embedded".into())),
        },
        Some(number) if number.chars().all(|c| c.is_ascii_digit()) => {
            let found = known.iter().find(|checkpoint| checkpoint.id.to_string() == number).ok_or_else(|| {
                Error::new(format!("there is no checkpoint {number}"))
                    .hint("list them with: foretaste data list checkpoints")
            })?;
            recorded(found)
        }
        Some(folder) => Ok((Parts::read(Path::new(folder))?, folder.to_string())),
    }
}

/// The model that a run started from, by the name that [`find`] gave it.
pub fn named(store: &Store, source: &str) -> Result<Parts> {
    let found = find(store, Some(source)).map(|(parts, _)| parts);
    found.map_err(|error| error.hint("the run cannot go on without the model that it started from; start it anew"))
}

/// [`find`], assembled.
pub fn load(store: &Store, name: Option<&str>) -> Result<Model> {
    let (parts, source) = find(store, name)?;
    parts.build(&source)
}
