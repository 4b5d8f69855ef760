//! `foretaste data`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::train::ChoiceArgs;
use super::{Common, interruptible};
use crate::curation;
use crate::digest::hex;
use crate::error::{Error, Result};
use crate::experience::Purpose;
use crate::formats::import::import;
use crate::formats::{self, Extent, Observations, Order, Set};
use crate::paths;
use crate::selection::{ALL, Item};
use crate::store::{Checkpoint, Drawn, Filter, Listing, Near, Place, Store};
use crate::train::{checkpoint, recorded};

/// Arguments of `foretaste data`.
#[derive(Debug, Args)]
pub struct DataArgs {
    #[command(subcommand)]
    command: DataCommand,
}

/// Arguments of `foretaste data export`.
#[derive(Debug, Args)]
struct ExportArgs {
    /// Which set
    #[arg(long, value_enum)]
    set: Set,
    /// How observations stand in the prompts
    #[arg(long, value_enum, default_value_t)]
    observations: Observations,
    #[command(flatten)]
    choice: ChoiceArgs,
    /// The held-out trajectories, in place of those that a run trains on
    #[arg(long)]
    validation: bool,
    /// Say how many lines and bytes that would be, and write nothing
    #[arg(long, conflicts_with = "out")]
    check: bool,
    /// The file to write (not there yet); stdout without it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    /// What is in the store: totals, or the rows of one kind
    List {
        /// Which rows
        what: Option<Rows>,
        /// At most this many rows
        #[arg(long, default_value_t = 10_000)]
        limit: usize,
        /// Only trajectories whose suite, split, kind, task or actor contains this
        #[arg(long, value_name = "WORDS", default_value = "")]
        find: String,
    },
    /// A trajectory with its alternatives, and what models expected of its actions
    Show {
        /// Its number
        id: i64,
    },
    /// Write a training set as JSONL of chat messages, one example a line; or whole trajectories,
    /// for another store
    Export(Box<ExportArgs>),
    /// Take in trajectories that `data export --set trajectories` wrote, with alternatives and
    /// reflections
    ///
    /// The file is read to its end first and refused as a whole if a line is wrong. What is there
    /// already is left as it is, so a second run goes on where the first was interrupted.
    Import {
        /// The file
        file: PathBuf,
        /// Say what of it is new, and take in nothing
        #[arg(long)]
        check: bool,
    },
    /// What a run trains on and what it holds out, a trajectory a line
    Record {
        /// The run's number
        run: i64,
    },
    /// Every act of curation, the newest first
    Audit {
        /// At most this many
        #[arg(long, default_value_t = 10_000)]
        limit: usize,
    },
    /// The curation in figures
    Statistics,
    /// Take a trajectory out of every list and training set (data undelete puts it back); or remove
    /// a run, or a checkpoint
    #[command(group = clap::ArgGroup::new("what").required(true))]
    Delete {
        /// The trajectory's number
        #[arg(group = "what")]
        id: Option<i64>,
        /// Remove this run for good: its curves, its record, and its checkpoints with their files
        #[arg(long, group = "what", value_name = "RUN")]
        run: Option<i64>,
        /// Remove this checkpoint for good, with its files
        #[arg(long, group = "what", value_name = "CHECKPOINT")]
        checkpoint: Option<i64>,
    },
    /// Demonstrations that another one says already: the same expert, task and actions
    Duplicates {
        /// Take them out of every list and training set (data undelete puts them back); of each
        /// kind the one with most decisions and reflections stays
        #[arg(long)]
        delete: bool,
    },
    /// Put deleted trajectories back
    Undelete {
        /// Their numbers
        #[arg(required = true)]
        ids: Vec<i64>,
    },
    /// Write the whole store into one file, while others go on writing (checkpoints' weights are
    /// folders of their own)
    Backup {
        /// The file to write (not there yet)
        file: PathBuf,
    },
    /// Put a backup in the place of the store, whose files are set aside; no other foretaste may
    /// have it open
    Restore {
        /// A file that data backup wrote
        file: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Rows {
    Trajectories,
    Demonstrations,
    Explorations,
    Reflections,
    Runs,
    Checkpoints,
    Evaluations,
    Predictions,
    Pools,
}

/// Runs the command.
pub fn run(common: &Common, args: DataArgs) -> Result<()> {
    let out = common.out();
    if let DataCommand::Restore { file } = &args.command {
        let restored = Store::restore(&paths::data_dir(common.data_dir.clone())?, file)?;
        out.line(&value(&restored), || plain(&value(&restored)));
        return Ok(());
    }
    let store = common.store()?;
    let rows = |rows: Vec<Value>| {
        for row in &rows {
            out.line(row, || plain(row));
        }
        Ok(())
    };
    let list = |purpose, words, limit| -> Result<Vec<Value>> {
        let listing = Listing { words, ..Listing::purpose(purpose) };
        Ok(store.list(&listing, Near::Position(0), limit)?.rows.iter().map(value).collect())
    };
    match args.command {
        DataCommand::List { what: None, .. } => rows(vec![value(&store.counts()?)]),
        DataCommand::List { what: Some(what), limit, find } => rows(match what {
            Rows::Trajectories => list(None, find, limit)?,
            Rows::Demonstrations => list(Some(Purpose::Demonstration), find, limit)?,
            Rows::Explorations => list(Some(Purpose::Exploration), find, limit)?,
            Rows::Reflections => store
                .queue(&Filter::default(), Place::Start, limit)?
                .items
                .iter()
                .map(value)
                .collect(),
            Rows::Runs => store.runs()?.iter().map(value).collect(),
            Rows::Checkpoints => {
                store.checkpoints()?.iter().map(|saved| checkpoint_row(&store, saved)).collect()
            }
            Rows::Evaluations => store.evaluations()?.iter().map(value).collect(),
            Rows::Predictions => store.foresights()?,
            Rows::Pools => store.pools(None, None, None)?.iter().map(value).collect(),
        }),
        DataCommand::Show { id } => rows(vec![show(&store, id)?]),
        DataCommand::Record { run } => {
            store.run(run)?;
            let recorded = recorded(&store, run)?.ok_or_else(|| {
                Error::new(format!(
                    "what run {run} trains on is not recorded: it has not begun, or is older than \
                     this"
                ))
            })?;
            rows(recorded.items.iter().map(record).collect())
        }
        DataCommand::Audit { limit } => rows(store.audit(limit)?.iter().map(value).collect()),
        DataCommand::Statistics => {
            let figures = curation::figures(&store)?;
            out.line(&value(&figures), || figures.lines().join("\n"));
            Ok(())
        }
        DataCommand::Delete { id, run, checkpoint } => {
            rows(vec![delete(&store, id, run, checkpoint)?])
        }
        DataCommand::Duplicates { delete } => rows(duplicates(&store, delete)?),
        DataCommand::Undelete { ids } => {
            // All are there before one is put back.
            for id in &ids {
                store.trajectory_even_deleted(*id)?.ok_or_else(|| {
                    Error::new(format!("there is no trajectory {id}"))
                        .hint("list them with: foretaste data list")
                })?;
            }
            let mut put_back = Vec::with_capacity(ids.len());
            for id in ids {
                store.set_deleted(id, false)?;
                put_back.push(json!({"trajectory": id, "deleted": false}));
            }
            rows(put_back)
        }
        DataCommand::Backup { file } => {
            let bytes = store.backup(&file)?;
            let weights = store.checkpoints()?.len();
            rows(vec![json!({"file": file, "bytes": bytes,
                "checkpoints_whose_weights_are_not_in_it": weights})])
        }
        DataCommand::Restore { .. } => Ok(()),
        DataCommand::Export(args) => rows(export(common, &store, *args)?.into_iter().collect()),
        DataCommand::Import { file, check } => {
            let mut live = common.out();
            let intake =
                import(&store, &file, !check, &interruptible()?, &mut |p| live.progress(&p))?;
            let mut row = value(&intake);
            row["file"] = json!(file);
            row["imported"] = json!(!check);
            rows(vec![row])
        }
    }
}

/// Writes a set; what came of it, where that is not on stdout.
fn export(common: &Common, store: &Store, args: ExportArgs) -> Result<Option<Value>> {
    let ExportArgs { set, observations, choice, validation, check, out: path } = args;
    let whole = set == Set::Trajectories;
    let flag = choice.beyond_place().or(validation.then_some("--validation")).filter(|_| whole);
    if let Some(flag) = flag {
        return Err(Error::new(format!(
            "{flag} means nothing for whole trajectories: they go with all that they have"
        ))
        .hint("leave it out, or export a training set"));
    }
    let criteria = choice.criteria(if whole { ALL } else { "train" });
    let order = Order { set, criteria, held_out: validation, observations };
    let out = common.out();
    let mut live = common.out();
    let control = interruptible()?;
    let extent = match &path {
        Some(path) => {
            formats::export_file(store, &order, path, &control, &mut |p| live.progress(&p))?
        }
        None => formats::export(store, &order, &control, &mut |_| {}, &mut |line| {
            if !check {
                out.raw(line);
            }
            Ok(())
        })?,
    };
    let Extent { lines, bytes, held_out } = extent;
    let row = json!({"file": path, "examples": lines, "bytes": bytes, "held_out": held_out});
    Ok((path.is_some() || check).then_some(row))
}

/// A trajectory with all that hangs off it.
fn show(store: &Store, id: i64) -> Result<Value> {
    let trajectory = store.trajectory(id)?;
    let branches = store.branches(id)?;
    let predictions = store.predictions(id)?;
    let pools: Vec<Value> = store
        .drawn(id, None)?
        .iter()
        .map(|Drawn { branch, place }| json!({"t": branch.t, "action": branch.action, "place": place}))
        .collect();
    Ok(json!({
        "trajectory": trajectory, "branches": branches, "pools": pools, "predictions": predictions,
        "thoughts": store.thoughts(id)?,
    }))
}

/// A checkpoint with the size of its files; none where they are gone.
fn checkpoint_row(store: &Store, saved: &Checkpoint) -> Value {
    let mut row = value(saved);
    let folder = store.root().join(&saved.folder);
    row["bytes"] = json!(folder.is_dir().then(|| checkpoint::disk_use(&folder)));
    row
}

/// Takes out one thing.
fn delete(store: &Store, id: Option<i64>, run: Option<i64>, number: Option<i64>) -> Result<Value> {
    if let Some(run) = run {
        let checkpoints = store.delete_run(run)?;
        for folder in &checkpoints {
            checkpoint::remove_folder(store, run, folder)?;
        }
        return Ok(json!({"run": run, "deleted": true, "checkpoints": checkpoints.len()}));
    }
    if let Some(number) = number {
        let saved =
            store.checkpoints()?.into_iter().find(|saved| saved.id == number).ok_or_else(|| {
                Error::new(format!("there is no checkpoint {number}"))
                    .hint("list them with: foretaste data list checkpoints")
            })?;
        if store.is_alive(saved.run) {
            return Err(Error::new(format!(
                "run {} is being trained, and may go on from it",
                saved.run
            ))
            .hint("stop it first (Train, x)"));
        }
        if crate::agent::is_held(store, &saved) {
            return Err(Error::new(format!("checkpoint {number} is being evaluated"))
                .hint("wait until that is done"));
        }
        store.check_unneeded(&saved)?;
        checkpoint::remove(store, &saved)?;
        return Ok(json!({"checkpoint": number, "deleted": true}));
    }
    let id = id.unwrap_or_default();
    store.set_deleted(id, true)?;
    Ok(json!({"trajectory": id, "deleted": true}))
}

/// Demonstrations that could go, or went: then with the command that puts them back.
fn duplicates(store: &Store, delete: bool) -> Result<Vec<Value>> {
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

/// A line of a run's record.
fn record(item: &Item) -> Value {
    json!({
        "trajectory": item.trajectory, "instance": hex(item.instance), "held_out": item.held_out,
        "demonstration": item.demonstration, "branches": item.branches,
        "reflections": item.reflections,
    })
}

fn value(row: &impl serde::Serialize) -> Value {
    serde_json::to_value(row).unwrap_or_else(|e| json!(Error::new(e.to_string()).message()))
}

/// A row as `key value` pairs for a person.
fn plain(row: &Value) -> String {
    let Value::Object(map) = row else { return row.to_string() };
    let pairs = map.iter().map(|(key, value)| match value {
        Value::String(text) => format!("{key} {text}"),
        other => format!("{key} {other}"),
    });
    pairs.collect::<Vec<_>>().join("  ")
}
