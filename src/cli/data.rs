//! `foretaste data`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::labels::{Words, checkpoint_row, delete, duplicates, label, undelete};
use super::out::pairs as plain;
use super::train::ChoiceArgs;
use super::{Common, interruptible};
use crate::curation;
use crate::digest::hex;
use crate::error::{Error, Result};
use crate::experience::Purpose;
use crate::formats::import::import;
use crate::formats::{self, Extent, Layout, Observations, Order, Questions, Set};
use crate::paths;
use crate::selection::{ALL, Item};
use crate::store::{Drawn, Filter, Listing, Near, Place, Store};
use crate::train::recorded;

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
    /// How an example stands in its line
    #[arg(long, value_enum, default_value_t)]
    format: Layout,
    /// Of tokens: the model whose they are (embedded, a checkpoint, a folder); of llamafactory and axolotl:
    /// the one to be trained (a checkpoint, a folder, a name of the hub)
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// How observations stand in the prompts
    #[arg(long, value_enum, default_value_t)]
    observations: Observations,
    /// What the model is told that it is asked: prompts/NAME.toml of the data directory
    #[arg(long, value_name = "NAME")]
    prompts: Option<String>,
    #[command(flatten)]
    choice: ChoiceArgs,
    /// The held-out trajectories, in place of those that a run trains on
    #[arg(long)]
    validation: bool,
    /// Of world-model, only the next states of alternatives
    #[arg(long)]
    alternatives_only: bool,
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
    /// reflections, those of other tools, or all trajectories of another data directory
    ///
    /// Runs, checkpoints, evaluations and captured calls of another data directory stay there. It may be
    /// collecting meanwhile: what it has is taken, and the rest by doing
    /// it again. A file is read to its end first and refused as a whole if a line is wrong. What is there
    /// already is left as it is, so a second run goes on where the first was interrupted.
    Import {
        /// The file, or the other data directory
        file: PathBuf,
        /// Of another tool's: the suite that its trajectories are filed under (default: the format's
        /// name)
        #[arg(long)]
        suite: Option<String>,
        /// Say what of it is new, and take in nothing
        #[arg(long)]
        check: bool,
    },
    /// What a run trains on and what it holds out, a trajectory a line
    Record {
        /// The run's number
        run: i64,
    },
    /// Write the curves of a run into a folder: run-N.csv, and run-N/ with the events that
    /// tensorboard --logdir FOLDER reads
    Curves {
        /// The run's number
        run: i64,
        /// The folder (default: exports, in the data directory)
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
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
        /// Delete this checkpoint; its files go after a day, until then data undelete brings it
        /// back
        #[arg(long, group = "what", value_name = "CHECKPOINT")]
        checkpoint: Option<i64>,
        /// Remove the checkpoint's files at once, for good
        #[arg(long, requires = "checkpoint", conflicts_with_all = ["id", "run"])]
        now: bool,
    },
    /// Demonstrations that another one says already: the same expert, task and actions
    Duplicates {
        /// Take them out of every list and training set (data undelete puts them back); of each
        /// kind the one with most decisions and reflections stays
        #[arg(long)]
        delete: bool,
    },
    /// Put deleted trajectories or a checkpoint back
    #[command(group = clap::ArgGroup::new("what").required(true))]
    Undelete {
        /// The trajectories' numbers
        #[arg(group = "what")]
        ids: Vec<i64>,
        /// A checkpoint whose files are still there
        #[arg(long, group = "what", value_name = "CHECKPOINT")]
        checkpoint: Option<i64>,
    },
    /// Name a checkpoint or a run, or write a note about it
    #[command(group = clap::ArgGroup::new("what").required(true))]
    Label {
        /// The checkpoint's number; its name works wherever a checkpoint is asked for
        #[arg(long, group = "what")]
        checkpoint: Option<i64>,
        /// The run's number
        #[arg(long, group = "what")]
        run: Option<i64>,
        /// What it is called; an empty text takes the name away
        #[arg(long)]
        name: Option<String>,
        /// What there is to say about it
        #[arg(long)]
        note: Option<String>,
        /// Words to find a run by
        #[arg(long, requires = "run", conflicts_with = "checkpoint")]
        tags: Option<String>,
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
    Visits,
    Rollouts,
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
            Rows::Visits => list(Some(Purpose::Visit), find, limit)?,
            Rows::Rollouts => list(Some(Purpose::Rollout), find, limit)?,
            Rows::Reflections => store
                .queue(&Filter::default(), Place::Start, limit)?
                .items
                .iter()
                .map(value)
                .collect(),
            Rows::Runs => store.runs()?.iter().map(value).collect(),
            Rows::Checkpoints => {
                let (_, figures) = crate::train::figures(&store)?;
                let all = store.checkpoints()?;
                all.iter().map(|saved| checkpoint_row(saved, &figures)).collect()
            }
            Rows::Evaluations => store.evaluations()?.iter().map(value).collect(),
            Rows::Predictions => store.foresights()?,
            Rows::Pools => store.pools(None, None, None, true)?.iter().map(value).collect(),
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
            let mut all: Vec<Value> = recorded.items.iter().map(record).collect();
            // Of what was captured: each conversation by its last call, and what it was worth then.
            let config: Value = serde_json::from_str(&store.run(run)?.config).unwrap_or_default();
            let worth = config["worth"].as_object();
            all.extend(
                worth.into_iter().flatten().map(
                    |(call, worth)| json!({"call": call.parse::<i64>().ok(), "reward": worth}),
                ),
            );
            rows(all)
        }
        DataCommand::Curves { run, out } => {
            let folder = out.unwrap_or_else(|| store.root().join("exports"));
            let values = formats::curves::write(&store, run, &folder)?;
            rows(vec![
                json!({"run": run, "values": values, "folder": folder.display().to_string()}),
            ])
        }
        DataCommand::Audit { limit } => rows(store.audit(limit)?.iter().map(value).collect()),
        DataCommand::Statistics => {
            let figures = curation::figures(&store)?;
            out.line(&value(&figures), || figures.lines().join("\n"));
            Ok(())
        }
        DataCommand::Delete { id, run, checkpoint, now } => {
            rows(vec![delete(&store, id, run, checkpoint, now)?])
        }
        DataCommand::Duplicates { delete } => rows(duplicates(&store, delete)?),
        DataCommand::Undelete { ids, checkpoint } => rows(undelete(&store, &ids, checkpoint)?),
        DataCommand::Label { checkpoint, run, name, note, tags } => {
            let words = Words { name, note, tags };
            rows(vec![label(&store, checkpoint, run, &words)?])
        }
        DataCommand::Backup { file } => {
            let bytes = store.backup(&file)?;
            let weights = store.checkpoints()?.len();
            let file = file.display().to_string();
            rows(vec![json!({"file": file, "bytes": bytes,
                "checkpoints_whose_weights_are_not_in_it": weights})])
        }
        DataCommand::Restore { .. } => Ok(()),
        DataCommand::Export(args) => rows(export(common, &store, *args)?.into_iter().collect()),
        DataCommand::Import { file, suite, check } => {
            rows(vec![take_in(common, &store, (&file, suite.as_deref()), check)?])
        }
    }
}

/// What came of taking a file in.
fn take_in(
    common: &Common,
    store: &Store,
    (file, suite): (&std::path::Path, Option<&str>),
    check: bool,
) -> Result<Value> {
    let mut live = common.out();
    let report = &mut |progress| live.progress(&progress);
    let intake = import(store, (file, suite), !check, &interruptible()?, report)?;
    let mut row = value(&intake);
    row["file"] = json!(file.display().to_string());
    row["imported"] = json!(!check);
    Ok(row)
}

/// Writes a set; what came of it, where that is not on stdout.
fn export(common: &Common, store: &Store, args: ExportArgs) -> Result<Option<Value>> {
    let ExportArgs { set, observations, prompts, choice, validation, check, out: path, .. } = args;
    let alternatives_only = args.alternatives_only;
    if alternatives_only && set != Set::WorldModel {
        return Err(
            Error::usage("--alternatives-only is about world modelling").hint("--set world-model")
        );
    }
    let whole = set == Set::Trajectories;
    let flag = choice.beyond_place().or(validation.then_some("--validation"));
    let flag = flag.or(prompts.as_ref().map(|_| "--prompts")).filter(|_| whole);
    if let Some(flag) = flag {
        return Err(Error::new(format!(
            "{flag} means nothing for whole trajectories: they go with all that they have"
        ))
        .hint("leave it out, or export a training set"));
    }
    let criteria = choice.criteria(if whole { ALL } else { "train" });
    let questions = prompts.map(|name| Questions::named(store.root(), &name)).transpose()?;
    let questions = questions.unwrap_or_default();
    let held_out = validation;
    let layout = args.format;
    if let Some(why) = layout.needs_a_file().filter(|_| path.is_none() && !check) {
        return Err(Error::usage(why).hint("--out FILE"));
    }
    let order = Order {
        set,
        layout,
        criteria,
        held_out,
        alternatives_only,
        observations,
        questions,
        model: args.model,
    };
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
    let Extent { lines, bytes, trajectories, held_out } = extent;
    let file = path.as_ref().map(|path| path.display().to_string());
    let row = json!({"file": file, "examples": lines, "bytes": bytes,
        "trajectories": trajectories, "held_out": held_out});
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
        "thoughts": store.thoughts(id)?, "imported_from": store.imported_from(id)?,
    }))
}

/// A line of a run's record.
fn record(item: &Item) -> Value {
    json!({
        "trajectory": item.trajectory, "instance": hex(item.instance), "held_out": item.held_out,
        "demonstration": item.demonstration, "branches": item.branches,
        "reflections": item.reflections,
    })
}

pub fn value(row: &impl serde::Serialize) -> Value {
    serde_json::to_value(row).unwrap_or_else(|e| json!(Error::new(e.to_string()).message()))
}
