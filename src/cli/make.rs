//! `foretaste env make`: a suite's games as files that this engine and the original one read.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{Common, Out, interruptible, number};
use crate::control::Meter;
use crate::env::{household, webshop};
use crate::error::{Error, Result};
use crate::paths::write_whole;

/// Arguments of `foretaste env make`.
#[derive(Debug, Args)]
pub struct MakeArgs {
    /// The suite whose games are generated
    #[arg(long, value_enum, default_value_t = Generated::Household)]
    suite: Generated,
    /// Of household the split: train, seen, unseen
    #[arg(long, default_value = "train")]
    split: String,
    /// How many games; of webshop, products
    #[arg(long, default_value_t = 100, value_parser = number::<usize>(1..=2_000_000))]
    games: usize,
    /// The first game's number; of webshop, the seed of the products
    #[arg(long, default_value_t = 0, value_parser = number::<usize>(0..=9_000_000))]
    first: usize,
    /// Where to: DIR/SPLIT/KIND-…/GAME/game.tw-pddl, as ALFWorld's data is laid out; of webshop
    /// the three files of a catalogue, as WebShop's is
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    difficulty: DifficultyArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Generated {
    Household,
    Webshop,
}

/// How hard generated games are.
#[derive(Debug, Clone, Args)]
struct DifficultyArgs {
    /// Fewest and most other things lying around
    #[arg(
        long,
        num_args = 2,
        value_names = ["MIN", "MAX"],
        value_parser = number::<usize>(0..=200)
    )]
    distractors: Option<Vec<usize>>,
    /// Fewest and most pieces of furniture
    #[arg(
        long,
        num_args = 2,
        value_names = ["MIN", "MAX"],
        value_parser = number::<usize>(0..=200)
    )]
    furniture: Option<Vec<usize>>,
    /// Fewest and most steps of the walkthrough
    #[arg(
        long,
        num_args = 2,
        value_names = ["MIN", "MAX"],
        value_parser = number::<usize>(0..=200)
    )]
    steps: Option<Vec<usize>>,
}

fn range(given: Option<&Vec<usize>>, usual: (usize, usize), what: &str) -> Result<(usize, usize)> {
    match given.map(Vec::as_slice) {
        None => Ok(usual),
        Some([low, high]) if low <= high => Ok((*low, *high)),
        Some(other) => Err(Error::new(format!(
            "--{what} {other:?}: the first number must not exceed the second"
        ))),
    }
}

/// Runs the command.
pub fn run(common: &Common, args: &MakeArgs) -> Result<()> {
    match args.suite {
        Generated::Household => games(&common.out(), args),
        Generated::Webshop => catalogue(common, args),
    }
}

/// Products of invented words, by the seed that `--first` is.
fn catalogue(common: &Common, args: &MakeArgs) -> Result<()> {
    let mut live = common.out();
    let _control = interruptible()?;
    let meter = Meter::new("products", 0, args.games as u64);
    webshop::made::write(&args.out, args.games, args.first as u64, &mut |written| {
        live.progress(&meter.at(written));
    })?;
    let folder = &args.out;
    common.out().line(&json!({"catalogue": folder, "products": args.games}), || {
        format!("{} products are in {}", args.games, folder.display())
    });
    Ok(())
}

fn games(out: &Out, args: &MakeArgs) -> Result<()> {
    let usual = household::Difficulty::default();
    let difficulty = household::Difficulty {
        distractors: range(args.difficulty.distractors.as_ref(), usual.distractors, "distractors")?,
        furniture: range(args.difficulty.furniture.as_ref(), usual.furniture, "furniture")?,
        steps: range(args.difficulty.steps.as_ref(), usual.steps, "steps")?,
    };
    if !household::has_split(&args.split) {
        return Err(Error::usage(format!("household has no split `{}`", args.split))
            .hint("splits: train, seen, unseen"));
    }
    for index in args.first..args.first + args.games {
        let game = household::generate(&args.split, index, &difficulty)?;
        let folder =
            args.out.join(&args.split).join(game.folder()).join(format!("game_{index:06}"));
        let path = folder.join("game.tw-pddl");
        write(&folder, &path, &game.file)?;
        let steps = game.file.walkthrough.len();
        out.line(&json!({"game": path, "kind": game.kind, "steps": steps}), || {
            path.display().to_string()
        });
    }
    Ok(())
}

/// Atomically: whole or not at all.
fn write(folder: &Path, path: &Path, file: &impl serde::Serialize) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io("making", folder, &e))?;
    write_whole(path, true, |out| {
        serde_json::to_writer(out, file).map_err(|e| Error::io("writing", path, &e.into()))
    })
}
