//! The one place where a name becomes a mind: the embedded model, a checkpoint of the store, a
//! model folder, a GGUF file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::hub::HubName;
use super::local::LocalAgent;
use super::minds::{self, Named};
use super::remote::RemoteAgent;
use super::saved::{lies_at, read};
use super::served::{ServedAgent, Tokens};
use super::{Agent, Cast, Roles};
use crate::budget;
use crate::error::{Error, Kind, Result};
use crate::experience::Trajectory;
use crate::model::device::Device;
use crate::model::team::Priority;
use crate::model::weights::{ModelFiles, Stored, for_inference};
use crate::model::{BuiltIn, Model};
use crate::place::{Computing, Place};
use crate::store::{Checkpoint, Store};

/// What the newest checkpoint is called, whichever that is: of those trained on the suite that is
/// played, where one is; where there is none, the embedded model that knows it.
pub const NEWEST: &str = "newest";

/// Finds a model by what a person writes: nothing or [`NEWEST`], a [`BuiltIn`]'s name, a
/// checkpoint's number or the name it goes by, a folder, or a GGUF file; with `+bf16` or a device's name
/// (`+cuda`) behind it. Returns its files and the name it goes by.
pub fn find(
    store: &Store,
    name: Option<&str>,
    suite: Option<&str>,
) -> Result<(ModelFiles, String)> {
    // A folder may be called so; and the newest has no name of its own.
    let given = name.filter(|name| !Path::new(name).exists()).map(Computing::of);
    let (name, by) = match given {
        Some((alone, by)) => (Some(alone).filter(|alone| !alone.is_empty()), by),
        None => (name, Computing::F32),
    };
    let (mut files, mut known) = files(store, name, suite)?;
    files.by = by;
    known += &by.to_string();
    Ok((files, known))
}

/// The files of a model by its name alone.
fn files(store: &Store, name: Option<&str>, suite: Option<&str>) -> Result<(ModelFiles, String)> {
    let name = name.filter(|name| *name != NEWEST);
    loop {
        let located = locate(store, name, suite)?;
        let found = match &located {
            Located::Recorded(saved) => read(store, saved).map(|parts| (parts, saved.name())),
            Located::BuiltIn(model) => Ok((model.files(), model.name().into())),
            Located::Folder(folder) => {
                ModelFiles::read(folder).map(|parts| (parts, folder.display().to_string()))
            }
            Located::Hub(known, path) => ModelFiles::read(path).map(|parts| (parts, known.clone())),
            Located::Endpoint(mind) => Err(no_weights(&mind.name)),
        };
        // The newest may have been removed while it was read, for one that is newer still.
        match (&found, located) {
            (Err(_), Located::Recorded(saved))
                if name.is_none() && !store.checkpoints()?.contains(&saved) => {}
            _ => return found,
        }
    }
}

/// What a name means.
#[derive(Debug, Clone, PartialEq)]
pub enum Located {
    /// A checkpoint of this store.
    Recorded(Checkpoint),
    /// A model in the program.
    BuiltIn(BuiltIn),
    /// A model folder or a GGUF file.
    Folder(PathBuf),
    /// The same, by its name on the hub, with the commit that it means here.
    Hub(String, PathBuf),
    /// A model behind an endpoint.
    Endpoint(Box<Named>),
}

/// Where the model of that name is: a checkpoint's name, number or label, that of a [`BuiltIn`], a
/// path; without one what [`NEWEST`] means for a suite.
///
/// # Errors
/// Where nothing is.
pub fn locate(store: &Store, name: Option<&str>, suite: Option<&str>) -> Result<Located> {
    let known = store.checkpoints()?;
    let Some(name) = name.filter(|name| *name != NEWEST) else {
        let embedded = suite.map_or(BuiltIn::Household, BuiltIn::of_suite);
        let newest = newest_of(store, known, suite)?;
        return Ok(newest.map_or(Located::BuiltIn(embedded), Located::Recorded));
    };
    let number = name.chars().all(|c| c.is_ascii_digit());
    // By its folder it is the same checkpoint.
    let whole = |path: &Path| std::fs::canonicalize(path).ok();
    let path = whole(Path::new(name));
    let is = |saved: &Checkpoint| {
        saved.name() == name
            || saved.label.as_deref() == Some(name)
            || saved.id.to_string() == name
            || path.is_some() && whole(&store.root().join(&saved.folder)) == path
    };
    if let Some(saved) = known.into_iter().find(is) {
        return Ok(Located::Recorded(saved));
    }
    if let Some(model) = BuiltIn::named(name) {
        return Ok(Located::BuiltIn(model));
    }
    match name {
        _ if number => Err(Error::new(format!("there is no checkpoint {name}"))
            .hint("list them with: foretaste data list checkpoints")),
        _ if Path::new(name).exists() => Ok(Located::Folder(PathBuf::from(name))),
        _ if Computing::of(name).1 != Computing::F32 => Err(for_inference(name)),
        _ => {
            if let Some(mind) = minds::find(store.root(), name)? {
                return Ok(Located::Endpoint(Box::new(mind)));
            }
            if let Some(hub) = HubName::parse(name) {
                let found = hub.cached().ok_or_else(|| hub.missing(name))?;
                return Ok(Located::Hub(hub.pinned(&found), found));
            }
            // A word alone is of no form that a model's name has; a path may only not be there yet.
            let word = !name.contains(std::path::is_separator);
            let kind = if word { Kind::Usage } else { Kind::Data };
            // What was meant by a name such as `novice+cuda:x` is said.
            let how = name.rsplit_once('+').map(|(_, how)| how);
            if let Some(Err(odd)) = how.filter(|how| Place::is_like(how)).map(str::parse::<Place>) {
                return Err(odd.at(name));
            }
            Err(Error::new(format!("{name}: nothing is there")).of(kind).hint(
                "name embedded, a checkpoint's number (foretaste data list checkpoints), a model \
                 folder, a name on the hub (Qwen/Qwen3-0.6B), an endpoint's URL, or a mind of \
                 config.toml (foretaste minds)",
            ))
        }
    }
}

/// Whether somebody is there who may know a suite: who was named, a checkpoint that was trained on it,
/// or a model of the program that was made for it.
pub fn knows(store: &Store, name: Option<&str>, suite: &str) -> Result<bool> {
    if name.is_some_and(|name| name != NEWEST) || BuiltIn::ALL.iter().any(|of| of.suite() == suite)
    {
        return Ok(true);
    }
    Ok(newest_of(store, store.checkpoints()?, Some(suite))?.is_some())
}

/// The first of these checkpoints that is whole here, and whose run trained on a suite, or on all.
fn newest_of(
    store: &Store,
    known: Vec<Checkpoint>,
    suite: Option<&str>,
) -> Result<Option<Checkpoint>> {
    let mut other = None; // several checkpoints of a run follow each other
    for saved in known {
        if other == Some(saved.run) {
            continue;
        }
        let config = store.run(saved.run)?.config;
        let config: serde_json::Value = serde_json::from_str(&config).unwrap_or_default();
        let plan = &config["plan"];
        // An adapter whose model is not here cannot answer.
        if lies_at(&store.root().join(&saved.folder)).is_some() {
            continue;
        }
        let trained = plan["data"]["suite"].as_str();
        if suite.zip(trained).is_some_and(|(suite, trained)| suite != trained) {
            other = Some(saved.run);
            continue;
        }
        return Ok(Some(saved));
    }
    Ok(None)
}

/// What is said where weights are wanted of what has none here.
pub fn no_weights(name: &str) -> Error {
    Error::usage(format!("{name} is an endpoint: its weights are not here"))
        .hint("name a checkpoint's number, embedded, a model folder, or a GGUF file")
}

/// The model that a run started from, by the name that [`find`] gave it.
pub fn named(store: &Store, source: &str) -> Result<ModelFiles> {
    let found = find(store, Some(source), None).map(|(parts, _)| parts);
    found.map_err(|error| {
        error.hint("the run cannot go on without the model that it started from; start it anew")
    })
}

/// [`find`], assembled: the model alone, for what looks at its tokens.
pub fn load(store: &Store, name: Option<&str>, suite: Option<&str>) -> Result<Model> {
    let (parts, source) = find(store, name, suite)?;
    parts.build(&source)
}

/// The mind of that name, on threads of its own or behind an endpoint; or several, one a role
/// ([`Cast`]). The suite that is played says who answers where nobody is named.
pub fn open(
    store: &Store,
    name: Option<&str>,
    suite: Option<&str>,
    priority: Priority,
) -> Result<Box<dyn Agent>> {
    // A folder may be called so.
    let Some(name) = name.filter(|name| !Path::new(name).exists()) else {
        return one(store, name, suite, priority);
    };
    let Cast { policy, world, reflector } = Cast::parse(name)?;
    let other = |name: Option<String>| {
        name.map(|name| one(store, Some(&name), suite, priority)).transpose()
    };
    let (world, reflector) = (other(world)?, other(reflector)?);
    let policy = one(store, policy.as_deref(), suite, priority)?;
    if world.is_none() && reflector.is_none() {
        return Ok(policy);
    }
    Ok(Box::new(Roles { policy, world, reflector }))
}

/// Refuses a name that [`open`] would find nothing under, without reading what it finds.
pub fn check(store: &Store, name: Option<&str>, suite: Option<&str>) -> Result<()> {
    let Some(name) = name.filter(|name| !Path::new(name).exists()) else { return Ok(()) };
    let Cast { policy, world, reflector } = Cast::parse(name)?;
    for name in [policy, world, reflector].into_iter().flatten() {
        let is_path = Path::new(&name).exists();
        let (alone, by) = if is_path { (&*name, Computing::F32) } else { Computing::of(&name) };
        if let Computing::On(place) = by {
            Device::check(place)?;
        }
        locate(store, Some(alone).filter(|alone| !alone.is_empty()), suite)?;
    }
    Ok(())
}

/// Who played a trajectory, where that is a mind that can be asked here; else who is nearest to it: of
/// a run's weights that were not kept its nearest checkpoint, or what the run started from.
pub fn played_by(store: &Store, trajectory: &Trajectory) -> Option<String> {
    let actor = trajectory.actor.as_str();
    let is_there = |name: &str| !name.is_empty() && check(store, Some(name), None).is_ok();
    if is_there(actor) {
        return Some(actor.to_string());
    }
    let (run, step) = actor.strip_prefix("run ")?.split_once(" step ")?;
    let (run, step): (i64, u64) = (run.parse().ok()?, step.parse().ok()?);
    let kept = store.checkpoints().ok()?.into_iter().filter(|saved| saved.run == run);
    let kept = kept.map(|saved| (saved.step.abs_diff(step), saved.name()));
    let start = store.run(run).ok().map(|row| row.start).filter(|start| is_there(start));
    let start = start.map(|start| (step, start));
    Some(start.into_iter().chain(kept).min_by_key(|(apart, _)| *apart)?.1)
}

/// One mind.
fn one(
    store: &Store,
    name: Option<&str>,
    suite: Option<&str>,
    priority: Priority,
) -> Result<Box<dyn Agent>> {
    if let Some(Ok(Located::Endpoint(mind))) = name.map(|name| locate(store, Some(name), suite)) {
        return Ok(match &mind.tokens_of {
            Some(of) => Box::new(serving(store, &mind, of)?),
            None => Box::new(connect(store.root(), *mind)?),
        });
    }
    local(load(store, name, suite)?, priority)
}

/// A mind behind an endpoint, once it has answered; under the cancel of the calling thread.
pub fn connect(root: &Path, mind: Named) -> Result<RemoteAgent> {
    let asking = (minds::questions(root, &mind)?, minds::reflecting(root, &mind)?);
    RemoteAgent::open(&mind.name, mind.profile, asking, &budget::cancel())
}

/// The same of a mind that is given the tokens of a model here, whose weights are not needed.
pub fn serving(store: &Store, mind: &Named, of: &str) -> Result<ServedAgent> {
    let (parts, source) = find(store, Some(of), None)?;
    let (config, tokenizer) = parts.reader(&source)?;
    let base = match &parts.tensors {
        Stored::Away(away) => Some(away.place.folder.clone()),
        _ => None,
    };
    let of = Tokens { source, tokenizer: Arc::new(tokenizer), context: config.context, base };
    ServedAgent::open(&mind.name, mind.profile.clone(), of, &budget::cancel())
}

/// A model in this process as a mind.
pub fn local(model: Model, priority: Priority) -> Result<Box<dyn Agent>> {
    Ok(Box::new(LocalAgent::new(model, priority)?))
}
